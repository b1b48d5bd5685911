/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of options, its parser and its help.  Wrong input ends in one line
 * that says what would be right.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "cmd/options.h"
#include "direct/direct.h"
#include "gdb/gdb.h"

#define GUESTS (SUB_RUN | SUB_TRACE)
#define LOGS (SUB_TRACE | SUB_SHOW)
#define ALL (SUB_RUN | SUB_TRACE | SUB_BENCH | SUB_CHECK)

struct option_row {
	char letter;		/* 0: only the long name */
	const char *name;	/* NULL: only the letter */
	const char *value;	/* name of its value, NULL: none */
	unsigned int subs;
	const char *help;	/* NULL: told together with the row before */
	void (*set)(struct options *o, const char *value);
};

/* --- values ------------------------------------------------------------------ */

uint64_t options_mem(const char *text)
{
	uint64_t host = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	unsigned long long number;
	unsigned int shift = 20;
	uint64_t bytes;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text))
		usage_error("memory '%s': give a number of MiB, or a size like 64M or 1G", text);
	switch (toupper((unsigned char)*end)) {
	case 'G': shift = 30; end++; break;
	case 'M': end++; break;
	case 'K': shift = 10; end++; break;
	default: break;
	}
	if (*end)
		usage_error("memory '%s': give a number of MiB, or a size like 64M or 1G", text);
	if (number == 0)
		usage_error("memory '%s': a guest needs at least 1M", text);
	if (errno == ERANGE || number > OPTIONS_MAX_MEM >> shift)
		usage_error("memory '%s': a 32-bit guest can have at most %lluM", text,
			    OPTIONS_MAX_MEM >> 20);
	bytes = (uint64_t)number << shift;
	if (bytes & 0xfffff)
		usage_error("memory '%s': must be a whole number of MiB", text);
	if (bytes > host)
		usage_error("memory '%s': this host has %llu MiB", text,
			    (unsigned long long)(host >> 20));
	return bytes;
}

static unsigned int number(const char *option, const char *text, unsigned int max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno || value > max)
		usage_error("%s: '%s' is not a number from 0 to %u", option, text, max);
	return (unsigned int)value;
}

/* The index of `text` in a list of words; a usage error names them all. */
static unsigned int word(const char *option, const char *text,
			 const char *const *words, unsigned int n)
{
	char all[256] = "";
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (strcmp(text, words[i]) == 0)
			return i;
		if (i)
			strncat(all, ", ", sizeof(all) - strlen(all) - 1);
		strncat(all, words[i], sizeof(all) - strlen(all) - 1);
	}
	usage_error("%s: '%s' is none of %s", option, text, all);
}

#define WORD(option, text, words) \
	word(option, text, words, sizeof(words) / sizeof((words)[0]))

static void set_mem(struct options *o, const char *v) { o->mem_bytes = options_mem(v); }
static void set_initrd(struct options *o, const char *v) { o->initrd = v; }
static void set_no_reboot(struct options *o, const char *v) { (void)v; o->no_reboot = true; }
static void set_stats(struct options *o, const char *v) { (void)v; o->stats = true; }
static void set_verbose(struct options *o, const char *v) { (void)v; o->verbose = true; }

static struct device_option *add_device(struct options *o)
{
	if (o->devices == OPTIONS_MAX_LIST)
		usage_error("at most %d devices", OPTIONS_MAX_LIST);
	return &o->device[o->devices++];
}

static char *copy(const char *text)
{
	char *p = strdup(text);

	if (!p)
		die("out of memory");
	return p;
}

static void set_block(struct options *o, const char *v)
{
	struct device_option *d = add_device(o);
	char *comma;

	d->kind = OPTION_BLOCK;
	d->value = copy(v);
	comma = strrchr(d->value, ',');
	if (comma && (strcmp(comma, ",ro") == 0 || strcmp(comma, ",rw") == 0)) {
		d->read_only = comma[2] == 'o';
		*comma = '\0';
	}
	if (!*d->value)
		usage_error("--block: give the name of an image");
}

static void set_rng(struct options *o, const char *v)
{
	(void)v;
	add_device(o)->kind = OPTION_RNG;
}

static void set_tunnet(struct options *o, const char *v)
{
	struct device_option *d = add_device(o);

	d->kind = OPTION_TAP;
	d->value = copy(v);
}

static void set_net(struct options *o, const char *v)
{
	struct device_option *d = add_device(o);

	d->kind = OPTION_USER_NET;
	d->value = copy(v);
}

static void set_cpu(struct options *o, const char *v)
{
	char *which = copy(v), *turns = strchr(which, ',');

	o->turns = TURNS_CROWDED;
	if (turns && strcmp(turns, ",turns") == 0)
		o->turns = TURNS_ALWAYS;
	else if (turns && strcmp(turns, ",no-turns") == 0)
		o->turns = TURNS_NEVER;
	if (o->turns != TURNS_CROWDED)
		*turns = '\0';
	if (strcmp(which, "auto") == 0)
		o->cpu = ENGINE_CPU_AUTO;
	else if (strcmp(which, "none") == 0 && !turns)
		o->cpu = ENGINE_CPU_NONE;
	else if (isdigit((unsigned char)*which))
		o->cpu = (int)number("--cpu", which, 4095);
	else
		usage_error("--cpu: '%s' is neither auto, none nor the number of a CPU", v);
	free(which);
}

static void set_rewrite(struct options *o, const char *v)
{
	enum { REWRITE_ALL = REWRITE_EAGER + 1 };
	static const char *const modes[] = {
		[REWRITE_PATCH] = "patch", [REWRITE_EMULATE] = "emulate",
		[REWRITE_EAGER] = "eager", [REWRITE_ALL] = "all",
	};
	unsigned int mode = WORD("--rewrite", v, modes);

	/* What is best for the kernel here, and programs as well. */
	o->fast_syscalls = mode == REWRITE_ALL;
	o->rewrite_given = mode != REWRITE_ALL;
	o->rewrite = mode == REWRITE_ALL ? REWRITE_PATCH : (enum rewrite_mode)mode;
}

static void set_abi(struct options *o, const char *v)
{
	o->gens = GENS_ALL;
	if (strcmp(v, "auto") != 0)
		o->gens = (uint16_t)(1u << word("--abi", v, generation_name, NR_GENERATIONS));
}

static void set_timeout(struct options *o, const char *v)
{
	char *end;

	o->timeout = strtod(v, &end);
	if (*end || end == v || !(o->timeout > 0) || o->timeout > 1e9)
		usage_error("--timeout: '%s' is not a positive number of seconds", v);
}

static void set_stats_every(struct options *o, const char *v)
{
	char *end;
	double seconds = strtod(v, &end);

	if (*end || end == v || !(seconds >= 0.01) || seconds > 1e9)
		usage_error("--stats-every: '%s' is not a number of seconds, at least 0.01", v);
	o->log.stats_every_ns = (uint64_t)(seconds * 1e9);
}

static const char *const engines[] = {
	[ENGINE_AUTO] = "auto", [ENGINE_PTRACE] = "ptrace", [ENGINE_DIRECT] = "direct",
};
static const char *const isolations[] = {
	[ISOLATION_FULL] = "full", [ISOLATION_NONE] = "none",
};

static void set_engine(struct options *o, const char *v)
{
	o->engine = (enum engine_kind)WORD("--engine", v, engines);
}

static void set_isolation(struct options *o, const char *v)
{
	o->isolation = (enum isolation)WORD("--isolation", v, isolations);
}

static void set_simulate(struct options *o, const char *v)
{
	static const char *const hosts[] = {
		[VMCALL_UNKNOWN] = "host", [VMCALL_SIGILL] = "sigill",
		[VMCALL_SIGSEGV] = "sigsegv", [VMCALL_SILENT] = "silent",
	};

	o->simulate = (enum vmcall_behaviour)WORD("--simulate-vmcall", v, hosts);
}

static void set_gdb(struct options *o, const char *v)
{
	const char *wrong = gdb_check_address(v);

	if (wrong)
		usage_error("--gdb: '%s': %s", v, wrong);
	o->gdb = v;
}

static void set_gdb_wait(struct options *o, const char *v) { (void)v; o->gdb_wait = true; }

static void set_color(struct options *o, const char *v)
{
	static const char *const modes[] = {
		[LOG_COLOR_AUTO] = "auto", [LOG_COLOR_ALWAYS] = "always",
		[LOG_COLOR_NEVER] = "never",
	};

	o->log.color = (enum log_color)WORD("--color", v, modes);
}

static void set_e(struct options *o, const char *v)
{
	if (o->log.nr_trace == OPTIONS_MAX_LIST)
		usage_error("-e: at most %d of them", OPTIONS_MAX_LIST);
	o->trace[o->log.nr_trace++] = v;
}

static void set_o(struct options *o, const char *v) { o->log.path = v; }
static void set_append(struct options *o, const char *v) { (void)v; o->log.append = true; }
static void set_summary(struct options *o, const char *v) { (void)v; o->log.summary = LOG_SUMMARY_ONLY; }
static void set_both(struct options *o, const char *v) { (void)v; o->log.summary = LOG_SUMMARY_BOTH; }
static void set_sort(struct options *o, const char *v) { o->log.sort = log_sort_parse(v); }
static void set_clock(struct options *o, const char *v)
{
	static const char *const clocks[] = { "host", "guest" };

	o->log.guest_clock = WORD("--clock", v, clocks) == 1;
	if (o->log.stamp == LOG_STAMP_NONE)
		o->log.stamp = LOG_STAMP_MICRO;
}

static void set_columns(struct options *o, const char *v) { log_columns_parse(&o->log, v); }
static void set_eip(struct options *o, const char *v) { (void)v; o->log.show_eip = true; }
static void set_nr(struct options *o, const char *v) { (void)v; o->log.show_nr = true; }
static void set_time(struct options *o, const char *v) { (void)v; o->log.show_time = true; }
static void set_relative(struct options *o, const char *v) { (void)v; o->log.stamp = LOG_STAMP_RELATIVE; }
static void set_detail(struct options *o, const char *v) { (void)v; o->log.verbose = true; }
static void set_quiet(struct options *o, const char *v) { (void)v; o->log.quiet++; }
static void set_string(struct options *o, const char *v) { o->log.string_limit = number("-s", v, EVENT_TEXT); }

static void set_hex(struct options *o, const char *v) { (void)v; o->log.hex++; }
static void set_names(struct options *o, const char *v) { (void)v; o->log.no_names = false; }
static void set_no_names(struct options *o, const char *v) { (void)v; o->log.no_names = true; }
static void set_symbols(struct options *o, const char *v) { o->log.symbols = v; }
static void set_stack(struct options *o, const char *v) { (void)v; o->stacks = true; }

static void set_stack_limit(struct options *o, const char *v)
{
	o->log.stack_limit = number("--stack-limit", v, LOG_STACK_MAX);
	if (!o->log.stack_limit)
		usage_error("--stack-limit: at least one frame");
}

static void set_inject(struct options *o, const char *v) { log_inject_parse(&o->tamper, v); }

static void set_done(struct options *o, const char *v) { (void)v; o->log.outcome = LOG_OUTCOME_DONE; }
static void set_killed(struct options *o, const char *v) { (void)v; o->log.outcome = LOG_OUTCOME_KILLED; }

static void set_limit(struct options *o, const char *v)
{
	o->log.limit = number("--limit", v, UINT_MAX);
	if (!o->log.limit)
		usage_error("--limit: at least one event");
}

static void set_stamp(struct options *o, const char *v)
{
	(void)v;
	/* -t, -tt, -ttt. */
	if (o->log.stamp < LOG_STAMP_EPOCH)
		o->log.stamp++;
}

static void set_values(struct options *o, const char *v)
{
	static const char *const values[] = {
		[LOG_VALUES_ABBREV] = "abbrev", [LOG_VALUES_RAW] = "raw",
		[LOG_VALUES_VERBOSE] = "verbose",
	};

	o->log.values = (enum log_values)WORD("-X", v, values);
}

static void set_format(struct options *o, const char *v)
{
	o->log.format = log_format_parse(v);
}

static void set_bench_format(struct options *o, const char *v)
{
	static const char *const formats[] = { "text", "json" };

	o->json = WORD("--format", v, formats) == 1;
}

static void set_rounds(struct options *o, const char *v)
{
	o->rounds = number("--rounds", v, 10000000);
	if (o->rounds < 100)
		usage_error("--rounds: at least 100 hypercalls make a run");
}

/* --- the table --------------------------------------------------------------- */

static const struct option_row table[] = {
	{ 'm', "mem", "SIZE", GUESTS, "memory, e.g. 64M; the old bare MEM in MiB works too", set_mem },
	{ 0, "initrd", "FILE", GUESTS, "initial ram disk for the guest kernel", set_initrd },
	{ 0, "block", "FILE[,ro]", GUESTS, "a block device on an image; may be given several times", set_block },
	{ 0, "rng", NULL, GUESTS, "a device for random numbers", set_rng },
	{ 0, "net", "user[,…]", GUESTS, "network without root; ,hostfwd=tcp::PORT-:PORT", set_net },
	{ 0, "tunnet", "SPEC", GUESTS, "TAP: ADDRESS, bridge:NAME or tap:NAME, each with :MAC", set_tunnet },
	{ 0, "no-reboot", NULL, GUESTS, "exit when the guest asks for a restart", set_no_reboot },
	{ 0, "timeout", "SECONDS", GUESTS, "end the guest after that time, with status 124", set_timeout },
	{ 0, "abi", "GEN", GUESTS, "of the guest: auto, Z, Z', A, S, B, C, D, E or F", set_abi },
	{ 0, "rewrite", "HOW", GUESTS, "code: patch; all: programs', too; emulate or eager", set_rewrite },
	{ 0, "engine", "NAME", GUESTS | SUB_BENCH, "auto (default), direct or ptrace: see SECURITY", set_engine },
	{ 0, "isolation", "HOW", GUESTS | SUB_BENCH, "with direct: full, or none between guest programs", set_isolation },
	{ 0, "cpu", "N[,TURNS]", ALL & ~SUB_CHECK, "CPU, auto (default) or none; turns or no-turns", set_cpu },
	{ 0, "simulate-vmcall", "HOST", GUESTS | SUB_BENCH, "as if vmcall were sigill, sigsegv or silent", set_simulate },
	{ 0, "inject", "SET:WHAT", GUESTS, "tamper with hypercalls: skip, kill, retval=, irq=...", set_inject },
	{ 0, "gdb", "ADDRESS", GUESTS, "for gdb, on ptrace: unix:PATH, tcp:[HOST:]PORT", set_gdb },
	{ 0, "gdb-wait", NULL, GUESTS, "do not begin before a debugger is there", set_gdb_wait },
	{ 0, "color", "WHEN", GUESTS | SUB_SHOW, "auto, always or never", set_color },
	{ 0, "stats", NULL, GUESTS, "at the end: stops and their time, on stderr", set_stats },
	{ 0, "verbose", NULL, GUESTS, "say what uml-host does, on stderr", set_verbose },

	{ 'e', NULL, "SET", LOGS, "names, %classes, !not, /regex; trap=, raw=, quiet=...", set_e },
	{ 'o', "output", "FILE", LOGS, "write to FILE or '|command'; -A: append to FILE", set_o },
	{ 'A', NULL, NULL, LOGS, NULL, set_append },
	{ 0, "format", "FORM", LOGS, "text, json (JSON Lines) or chrome (for Perfetto)", set_format },
	{ 'c', NULL, NULL, LOGS, "a summary instead of the log; -C: besides the log", set_summary },
	{ 'C', NULL, NULL, LOGS, NULL, set_both },
	{ 'S', NULL, "KEY", LOGS, "summary sorted by KEY, e.g. p99-time; its columns", set_sort },
	{ 'U', NULL, "COLUMNS", LOGS, NULL, set_columns },
	{ 0, "stats-every", "SECONDS", SUB_TRACE, "a summary each time as well; SIGUSR1 asks for one", set_stats_every },
	{ 't', NULL, NULL, LOGS, "time of day; -tt with microseconds, -ttt since 1970", set_stamp },
	{ 0, "clock", "WHOSE", LOGS, "that of the host, or guest: since it started", set_clock },
	{ 'r', NULL, NULL, LOGS, "time since the line before; -T: time in each call", set_relative },
	{ 'T', NULL, NULL, LOGS, NULL, set_time },
	{ 'i', NULL, NULL, LOGS, "the guest's EIP; -n: hypercall numbers", set_eip },
	{ 'n', NULL, NULL, LOGS, NULL, set_nr },
	{ 'k', "stack-trace", NULL, LOGS, "the guest's stack under each event", set_stack },
	{ 0, "stack-limit", "N", LOGS, "at most N frames of it (64)", set_stack_limit },
	{ 0, "symbols", "FILE", LOGS, "names from a vmlinux, ELF file or System.map", set_symbols },
	{ 'v', NULL, NULL, LOGS, "more: rewritten sites, privilege levels", set_detail },
	{ 'q', NULL, NULL, LOGS, "no rewrite notes; -qq: no +++ lines either", set_quiet },
	{ 's', NULL, "N", LOGS, "N bytes of each string (32); -x, -xx: in hex", set_string },
	{ 'x', NULL, NULL, LOGS, NULL, set_hex },
	{ 'X', NULL, "FORM", LOGS, "values as abbrev, raw or verbose", set_values },
	{ 'N', "arg-names", NULL, LOGS, "names of arguments (default), or not", set_names },
	{ 0, "no-arg-names", NULL, LOGS, NULL, set_no_names },
	{ 'z', NULL, NULL, LOGS, "only calls that were done; -Z: that killed the guest", set_done },
	{ 'Z', NULL, NULL, LOGS, NULL, set_killed },
	{ 0, "limit", "N", LOGS, "end the log after N events; the guest runs on", set_limit },

	{ 0, "format", "FORM", SUB_BENCH, "text or json", set_bench_format },
	{ 0, "rounds", "N", SUB_BENCH, "hypercalls per run", set_rounds },
};

#define ROWS (sizeof(table) / sizeof(table[0]))

static const char *sub_name(enum subcommand sub)
{
	return sub == SUB_RUN ? "run" : sub == SUB_TRACE ? "trace" :
	       sub == SUB_SHOW ? "show" : sub == SUB_BENCH ? "bench" : "check";
}

/* "-m, --mem=SIZE" at the end of `left`. */
static void put_option(char *left, size_t size, const struct option_row *row)
{
	size_t len = strlen(left);
	const char *value = row->value ? row->value : "";

	if (row->letter)
		len += (size_t)snprintf(left + len, size - len, "%s-%c", len ? ", " : "",
					row->letter);
	if (row->name)
		snprintf(left + len, size - len, "%s--%s%s%s", len ? ", " : "", row->name,
			 *value ? "=" : "", value);
	else
		snprintf(left + len, size - len, "%s%s", *value ? " " : "", value);
}

static bool is_listed(const struct option_row *row, enum subcommand sub)
{
	/* A screen has no room for both. */
	return (row->subs & sub) && !(sub == SUB_TRACE && (row->subs & SUB_RUN));
}

static void print_help(enum subcommand sub)
{
	printf("usage: uml-host %s [OPTIONS]%s\n", sub_name(sub),
	       sub & GUESTS ? " [MEM] GUEST [GUEST-ARGUMENTS...]" :
	       sub == SUB_SHOW ? " FILE" : "");
	for (size_t i = 0; i < ROWS; i++) {
		const char *help = table[i].help;
		char left[96] = "";

		if (!is_listed(&table[i], sub))
			continue;
		put_option(left, sizeof(left), &table[i]);
		while (i + 1 < ROWS && !table[i + 1].help)
			put_option(left, sizeof(left), &table[++i]);
		printf("  %-22s  %s\n", left, help);
	}
	printf("  %-22s  %s\n", "--help", sub == SUB_TRACE ?
	       "this text; and all options of uml-host run" : "this text");
	if (sub == SUB_RUN)
		printf("GUEST is a 32-bit ELF (a guest-rt program, vmlinux) or a bzImage.\n"
		       "Options end at GUEST; the words after it are the guest's command line.\n");
}

/* --- parsing ------------------------------------------------------------------- */

/* Long names that strace has for these letters, for fingers that know them. */
static const struct {
	const char *name;
	char letter;
} strace_names[] = {
	{ "output-append-mode", 'A' }, { "summary-only", 'c' }, { "summary", 'C' },
	{ "summary-sort-by", 'S' }, { "summary-columns", 'U' }, { "relative-timestamps", 'r' },
	{ "syscall-times", 'T' }, { "instruction-pointer", 'i' }, { "syscall-number", 'n' },
	{ "string-limit", 's' }, { "const-print-style", 'X' }, { "successful-only", 'z' },
	{ "failed-only", 'Z' }, { "trace", 'e' }, { "quiet", 'q' },
};

#define STRACE_NAMES (sizeof(strace_names) / sizeof(strace_names[0]))

/* getopt's view of the table: long options carry their row, letters theirs. */
struct getopt_view {
	char letters[2 * ROWS + 4];
	struct option longs[ROWS + STRACE_NAMES + 2];
};

#define LONG_BASE 1000
#define HELP 999

static const struct option_row *find_letter(int letter, enum subcommand sub)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (table[i].letter == letter && (table[i].subs & sub))
			return &table[i];
	return NULL;
}

static void make_view(struct getopt_view *view, enum subcommand sub)
{
	/* '+': options end at GUEST; ':': tell a missing value from an unknown
	 * option. */
	char *letter = view->letters;
	size_t i, n = 0;

	*letter++ = '+';
	*letter++ = ':';
	for (i = 0; i < ROWS; i++) {
		if (!(table[i].subs & sub))
			continue;
		if (table[i].letter) {
			*letter++ = table[i].letter;
			if (table[i].value)
				*letter++ = ':';
		}
		if (table[i].name)
			view->longs[n++] = (struct option){
				table[i].name, table[i].value ? 1 : 0, NULL,
				LONG_BASE + (int)i,
			};
	}
	*letter = '\0';
	for (i = 0; i < STRACE_NAMES; i++) {
		const struct option_row *row = find_letter(strace_names[i].letter, sub);

		if (row)
			view->longs[n++] = (struct option){
				strace_names[i].name, row->value ? 1 : 0, NULL, row->letter,
			};
	}
	view->longs[n++] = (struct option){ "help", 0, NULL, HELP };
	view->longs[n] = (struct option){ 0 };
}

_Noreturn static void bad_option(enum subcommand sub, int c, const char *text)
{
	if (isdigit((unsigned char)optopt))
		usage_error("memory '%s': give a positive number of MiB", text);
	if (c == ':')
		usage_error("option '%s' needs a value; see uml-host %s --help", text,
			    sub_name(sub));
	usage_error("unknown option '%s'; see uml-host %s --help", text, sub_name(sub));
}

static void parse_options(struct options *o, enum subcommand sub, int argc, char **argv)
{
	struct getopt_view view;
	int c, at;

	make_view(&view, sub);
	opterr = 0;
	/* Glibc's way to start anew: the main program has its own words. */
	optind = 0;
	while (at = optind ? optind : 1,
	       (c = getopt_long(argc, argv, view.letters, view.longs, NULL)) != -1) {
		const struct option_row *row;

		if (c == '?' || c == ':')
			bad_option(sub, c, argv[at]);
		if (c == HELP) {
			print_help(sub);
			quit(0);
		}
		row = c >= LONG_BASE ? &table[c - LONG_BASE] : find_letter(c, sub);
		row->set(o, optarg);
	}
}

static char *join(char **words, int n)
{
	size_t bytes = 1;
	char *line, *at;
	int i;

	for (i = 0; i < n; i++)
		bytes += strlen(words[i]) + 1;
	line = at = calloc(1, bytes);
	if (!line)
		die("out of memory");
	for (i = 0; i < n; i++)
		at += sprintf(at, "%s%s", i ? " " : "", words[i]);
	return line;
}

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

/* What single options cannot know of each other. */
static void check_log(const struct options *o)
{
	if (o->log.append && !o->log.path)
		usage_error("-A needs -o FILE to append to");
	if (o->log.append && o->log.format == LOG_FORMAT_CHROME)
		usage_error("-A: two logs in one file are no file for --format=chrome");
	if (o->log.summary == LOG_SUMMARY_ONLY && o->log.format == LOG_FORMAT_CHROME)
		usage_error("-c prints no log that --format=chrome could be of; take -C");
}

/* The faster one, where the host has what it needs and nobody wants what only the other has. */
static enum engine_kind engine_for(const struct options *o)
{
	if (o->isolation == ISOLATION_NONE)
		return ENGINE_DIRECT;
	return !o->gdb && direct_possible() ? ENGINE_DIRECT : ENGINE_PTRACE;
}

void options_parse(struct options *o, enum subcommand sub, int argc, char **argv)
{
	const char *engine = getenv("UML_HOST_ENGINE");

	*o = (struct options){
		.cpu = ENGINE_CPU_AUTO, .gens = GENS_ALL, .rounds = 20000,
		.log = LOG_OPTIONS_INIT,
	};
	/* So that a whole test run can be on another kind of host. */
	if (getenv("UML_HOST_SIMULATE_VMCALL"))
		set_simulate(o, getenv("UML_HOST_SIMULATE_VMCALL"));
	if (engine && *engine)
		set_engine(o, engine);
	parse_options(o, sub, argc, argv);
	if (o->engine == ENGINE_AUTO)
		o->engine = engine_for(o);
	if (o->isolation == ISOLATION_NONE && o->engine != ENGINE_DIRECT)
		usage_error("--isolation=none is for --engine=direct");
	o->log.trace = o->trace;
	o->log.engine = engines[o->engine];
	o->log.isolation = isolations[o->isolation];
	argc -= optind;
	argv += optind;
	check_log(o);
	if (o->gdb && o->engine == ENGINE_DIRECT)
		usage_error("--gdb is for --engine=ptrace");
	if (o->gdb_wait && !o->gdb)
		usage_error("--gdb-wait needs --gdb=ADDRESS for the debugger to connect to");
	if (!o->stacks)
		o->log.stack_limit = 0;
	else if (!o->log.stack_limit)
		o->log.stack_limit = LOG_STACK_LIMIT;
	if (sub == SUB_SHOW) {
		if (argc != 1)
			usage_error("which log? usage: uml-host show [OPTIONS] FILE; - is standard input");
		o->image = argv[0];
		return;
	}
	if (!(sub & GUESTS)) {
		if (argc)
			usage_error("'%s': uml-host %s takes no arguments", argv[0], sub_name(sub));
		return;
	}
	if (argc && is_number(argv[0])) {
		if (o->mem_bytes)
			usage_error("memory is given twice: -m and '%s'", argv[0]);
		o->mem_bytes = options_mem(argv[0]);
		argc--;
		argv++;
	}
	if (!argc)
		usage_error("which guest? usage: uml-host %s [OPTIONS] [MEM] GUEST [GUEST-ARGUMENTS...]",
			    sub_name(sub));
	if (!o->mem_bytes)
		o->mem_bytes = OPTIONS_DEFAULT_MEM;
	o->image = argv[0];
	if (o->stacks && !o->log.symbols) {
		o->log.symbols = o->image;
		o->log.symbols_optional = true;
	}
	o->command_line = join(argv + 1, argc - 1);
}

void options_free(struct options *o)
{
	unsigned int i;

	for (i = 0; i < o->devices; i++)
		free(o->device[i].value);
	o->devices = 0;
	free(o->command_line);
	o->command_line = NULL;
}
