/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uml-host bench: what a hypercall costs on this host, by each of the three
 * ways of the 2009 patch, beside the figures of that time and beside the floor
 * of this engine: a bare stop and resume.
 *
 * A row more is the first way with a log in a file: what tracing costs.  Another,
 * where guest and host share an address space, is a call through a gate.
 *
 * The guest half is guest-rt's bench program, built into this one.  Runs of the
 * three ways and of the floor take turns, so that a busy machine disturbs all
 * of them alike.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/die.h"
#include "cmd/cmd.h"
#include "cmd/machine.h"
#include "engine/clock.h"

#define RUNS 5

extern const unsigned char bench_image[], bench_image_end[];

struct way {
	const char *name;
	const char *mode;	/* the guest's first argument */
	enum rewrite_mode rewrite;
	unsigned int then[RUNS];/* cycles in 2009, from the patch */
};

/* The first way with every call written to a log, which goes to a file. */
static const char traced_name[] = "traced int 0x1f";

static const struct way ways[] = {
	{ "direct int 0x1f", "int", REWRITE_PATCH, { 2915, 2789, 2764, 2721, 2898 } },
	{ "emulated vmcall", "vmcall", REWRITE_EMULATE, { 3410, 3681, 3466, 3392, 3780 } },
	{ "patched vmcall", "vmcall", REWRITE_PATCH, { 2977, 2975, 2891, 2637, 2884 } },
	{ "gate", "gate", REWRITE_PATCH, { 0 } },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))
#define GATE_WAY (WAYS - 1)

struct result {
	double cycles[WAYS][RUNS];	/* per hypercall */
	bool possible[WAYS];	/* vmcall must fault to be emulated; who has gates? */
	double traced[RUNS];	/* cycles per hypercall, with a log */
	double floor_ns[RUNS];
	double tsc_ghz;
};

/* What the guest says on its early console. */
struct console {
	char text[256];
	size_t n;
};

static void on_console(void *ctx, const uint8_t *text, uint32_t len)
{
	struct console *c = ctx;

	if (len > sizeof(c->text) - 1 - c->n)
		len = (uint32_t)(sizeof(c->text) - 1 - c->n);
	memcpy(c->text + c->n, text, len);
	c->n += len;
}

static double run_once(const struct options *bench, const struct way *way,
		       const char *image, bool faults, double *floor_ns, const char *log_path)
{
	struct options o = *bench;
	struct console console = { .n = 0 };
	unsigned long long cycles;
	struct log *log = NULL;
	struct machine *m;
	char line[64];

	snprintf(line, sizeof(line), "%s %u", way->mode, bench->rounds);
	o.image = image;
	o.command_line = line;
	o.mem_bytes = 4 << 20;
	o.rewrite = faults ? way->rewrite : REWRITE_EAGER;
	o.rewrite_given = true;
	/* The ways of that time stay what they are, wherever the compiler put them. */
	o.no_gates = way != &ways[GATE_WAY];
	if (log_path) {
		o.log.path = log_path;
		o.log.background = true;
		log = log_open(&o.log);
	}
	m = machine_open(&o);
	machine_set_console(m, on_console, &console);
	machine_load(m);
	if (floor_ns)
		*floor_ns = (double)machine_floor_ns(m, bench->rounds);
	if (machine_run(m, log) != STATUS_POWEROFF ||
	    sscanf(console.text, "BENCH %*s %llu", &cycles) != 1)
		die("the benchmark guest did not finish: %.*s", (int)console.n, console.text);
	machine_close(m);
	if (log && !log_close(log))
		die("the benchmark's log could not be written");
	return (double)cycles / bench->rounds;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(const double value[RUNS])
{
	double sorted[RUNS];

	memcpy(sorted, value, sizeof(sorted));
	qsort(sorted, RUNS, sizeof(sorted[0]), compare);
	return sorted[RUNS / 2];
}

static double median_then(const struct way *way)
{
	double value[RUNS];
	int i;

	for (i = 0; i < RUNS; i++)
		value[i] = way->then[i];
	return median(value);
}

static void print_runs(const char *name, const double value[RUNS])
{
	int i;

	printf("  %-18s", name);
	for (i = 0; i < RUNS; i++)
		printf(" %7.0f", value[i]);
	printf("  %7.0f", median(value));
}

static void print_text(const struct result *r, const struct options *o)
{
	double floor_ns = median(r->floor_ns), direct = median(r->cycles[0]);
	double floor_cycles[RUNS], then[RUNS];
	size_t w;
	int i;

	printf("Cycles of one hypercall (FLUSH_ASYNC), %u calls a run, TSC %.3f GHz\n\n",
	       o->rounds, r->tsc_ghz);
	printf("  %-18s %39s  %7s %8s %8s %8s\n", "this host", "five runs", "median", "ns",
	       "/floor", "/direct");
	for (w = 0; w < WAYS; w++) {
		double cycles = median(r->cycles[w]), ns = cycles / r->tsc_ghz;

		if (!r->possible[w] && w == GATE_WAY)
			continue;
		if (!r->possible[w]) {
			printf("  %-18s not possible: vmcall does not fault on this host\n",
			       ways[w].name);
			continue;
		}
		print_runs(ways[w].name, r->cycles[w]);
		printf(" %8.0f %8.3f %8.3f\n", ns, ns / floor_ns, cycles / direct);
	}
	print_runs(traced_name, r->traced);
	printf(" %8.0f %8.3f %8.3f\n", median(r->traced) / r->tsc_ghz,
	       median(r->traced) / r->tsc_ghz / floor_ns, median(r->traced) / direct);
	for (i = 0; i < RUNS; i++)
		floor_cycles[i] = r->floor_ns[i] * r->tsc_ghz;
	print_runs("floor", floor_cycles);
	printf(" %8.0f %8.3f %8.3f\n", floor_ns, 1.0, median(floor_cycles) / direct);
	printf("\n  %-18s\n", "2009, ring 1 under the lguest kernel module");
	for (w = 0; w < GATE_WAY; w++) {
		for (i = 0; i < RUNS; i++)
			then[i] = ways[w].then[i];
		print_runs(ways[w].name, then);
		printf(" %8s %8s %8.3f\n", "", "", median(then) / median_then(&ways[0]));
	}
	printf("\nThe floor is a bare stop and resume on int $0x1f, registers read and written.\n");
}

static void json_runs(const char *key, const double value[RUNS])
{
	int i;

	printf("\"%s\":[", key);
	for (i = 0; i < RUNS; i++)
		printf("%s%.1f", i ? "," : "", value[i]);
	printf("]");
}

static void print_json(const struct result *r, const struct options *o)
{
	double floor_ns = median(r->floor_ns), direct = median(r->cycles[0]);
	double then[RUNS];
	size_t w;
	int i;

	printf("{\"version\":1,\"rounds\":%u,\"tsc_ghz\":%.6f,\"floor\":{", o->rounds, r->tsc_ghz);
	json_runs("ns", r->floor_ns);
	printf(",\"median_ns\":%.1f},\"ways\":[", floor_ns);
	for (w = 0; w < WAYS; w++) {
		double cycles = median(r->cycles[w]), ns = cycles / r->tsc_ghz;

		if (w == GATE_WAY && !r->possible[w])
			continue;
		printf("%s{\"name\":\"%s\",\"possible\":%s,", w ? "," : "", ways[w].name,
		       r->possible[w] ? "true" : "false");
		json_runs("cycles", r->cycles[w]);
		printf(",\"median_cycles\":%.1f,\"median_ns\":%.1f,\"to_floor\":%.4f,\"to_direct\":%.4f",
		       cycles, ns, ns / floor_ns, cycles / direct);
		for (i = 0; i < RUNS; i++)
			then[i] = ways[w].then[i];
		if (w != GATE_WAY) {
			printf(",");
			json_runs("cycles_2009", then);
		}
		printf("}");
	}
	printf("],\"traced\":{");
	json_runs("cycles", r->traced);
	printf(",\"median_cycles\":%.1f,\"to_direct\":%.4f}}\n", median(r->traced),
	       median(r->traced) / direct);
}

/* Where vmcall is swallowed it cannot be emulated, and sites are patched before
 * they run instead of at their first fault. */
static bool vmcall_faults(const struct options *bench)
{
	struct options o = *bench;
	struct machine *m;
	bool faults;

	o.mem_bytes = 1 << 20;
	m = machine_open(&o);
	machine_open_engine(m);
	faults = machine_vmcall(m) != VMCALL_SILENT;
	machine_close(m);
	return faults;
}

/* A file that is gone with us, and its name meanwhile.  In a directory, not in
 * memory: a user's log is in one. */
static int log_file(char *path, size_t size)
{
	const char *dir = getenv("TMPDIR");
	int fd;

	snprintf(path, size, "%s/uml-host-bench.XXXXXX", dir && *dir ? dir : "/tmp");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		die_errno("cannot make a file in %s", path);
	unlink(path);
	snprintf(path, size, "/proc/self/fd/%d", fd);
	return fd;
}

/* The embedded program as a file that the loader can read. */
static int image_file(char *path, size_t size)
{
	size_t n = (size_t)(bench_image_end - bench_image);
	int fd = memfd_create("uml-host-bench", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bench_image, n) != (ssize_t)n)
		die_errno("cannot write the benchmark guest");
	snprintf(path, size, "/proc/self/fd/%d", fd);
	return fd;
}

int cmd_bench(int argc, char **argv)
{
	struct result r = { 0 };
	struct options o;
	char image[64], log_path[4096];
	uint32_t khz;
	size_t w;
	int run, fd, log_fd;
	bool faults;

	options_parse(&o, SUB_BENCH, argc, argv);
	catch_fatal_signals();
	khz = engine_tsc_khz();
	if (!khz)
		die("this host's TSC is not invariant: cycles cannot be measured");
	r.tsc_ghz = khz / 1e6;
	fd = image_file(image, sizeof(image));
	log_fd = log_file(log_path, sizeof(log_path));
	faults = vmcall_faults(&o);
	for (w = 0; w < WAYS; w++)
		r.possible[w] = w == GATE_WAY ? faults && o.engine == ENGINE_DIRECT :
				faults || ways[w].rewrite != REWRITE_EMULATE;
	for (run = 0; run < RUNS; run++) {
		for (w = 0; w < WAYS; w++)
			if (r.possible[w])
				r.cycles[w][run] = run_once(&o, &ways[w], image, faults,
							    w == 0 ? &r.floor_ns[run] : NULL, NULL);
		r.traced[run] = run_once(&o, &ways[0], image, faults, NULL, log_path);
	}
	close(log_fd);
	close(fd);
	if (o.json)
		print_json(&r, &o);
	else
		print_text(&r, &o);
	return 0;
}
