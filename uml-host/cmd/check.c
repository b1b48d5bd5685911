/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uml-host check: what this host can do, one line each, with a fix where it
 * can't.  Each probe that may die does so in a child of its own.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "cmd/cmd.h"
#include "cmd/machine.h"
#include "engine/clock.h"

/* Returns `well`. */
static bool line(const char *what, bool well, const char *finding, const char *fix)
{
	printf("%-14s %-4s %s", what, well ? "ok" : "NO", finding);
	if (!well && fix)
		printf("; %s", fix);
	printf("\n");
	return well;
}

/* What the child tells its parent. */
struct trial {
	int vmcall;		/* enum vmcall_behaviour */
	uint64_t floor_ns;
	bool ran;
};

/* Opens an engine on a small guest and measures; everything that could be
 * missing makes it die with its own message. */
static void try_engine(struct trial *trial, enum engine_kind engine)
{
	struct options o = {
		.mem_bytes = 1 << 20, .cpu = ENGINE_CPU_AUTO, .gens = GENS_ALL, .engine = engine,
	};
	struct machine *m = machine_open(&o);

	machine_open_engine(m);
	trial->vmcall = (int)machine_vmcall(m);
	trial->floor_ns = machine_floor_ns(m, 2000);
	trial->ran = true;
	machine_close(m);
}

static bool check_engine(enum engine_kind engine)
{
	static const char *const name[] = {
		[ENGINE_PTRACE] = "ptrace engine", [ENGINE_DIRECT] = "direct engine",
	};
	static const char *const need[] = {
		[ENGINE_PTRACE] = "ptrace, memfd_create and 32-bit code segments are needed",
		[ENGINE_DIRECT] = "seccomp, pidfd_open and 32-bit code segments are needed",
	};
	struct trial *trial = mmap(NULL, sizeof(*trial), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char text[512] = "";
	int out[2], status = 0;
	ssize_t n = 0;
	pid_t pid;

	if (trial == MAP_FAILED || pipe(out) != 0)
		die_errno("cannot prepare a probe");
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		die_errno("cannot start a probe");
	if (pid == 0) {
		dup2(out[1], STDERR_FILENO);
		try_engine(trial, engine);
		_exit(0);
	}
	close(out[1]);
	while ((size_t)n < sizeof(text) - 1) {
		ssize_t got = read(out[0], text + n, sizeof(text) - 1 - (size_t)n);

		if (got <= 0)
			break;
		n += got;
	}
	close(out[0]);
	waitpid(pid, &status, 0);
	text[strcspn(text, "\n")] = '\0';

	if (!trial->ran) {
		return line(name[engine], false, *text ? text : "the probe died", need[engine]);
	}
	snprintf(text, sizeof(text), "a bare stop and resume takes %.1f us",
		 (double)trial->floor_ns / 1000);
	line(name[engine], true, text, NULL);
	if (engine != ENGINE_PTRACE)
		return true;
	snprintf(text, sizeof(text), "%s%s", vmcall_behaviour_name((enum vmcall_behaviour)trial->vmcall),
		 trial->vmcall == VMCALL_SILENT ?
		 " by an outer hypervisor: sites are patched before they run" :
		 ": sites are patched at their first fault");
	return line("vmcall", true, text, NULL);
}

static long read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	long value = -1;

	if (f && fscanf(f, "%ld", &value) != 1)
		value = -1;
	if (f)
		fclose(f);
	return value;
}

static bool check_seccomp(void)
{
	uint32_t action = SECCOMP_RET_KILL_PROCESS;
	bool well = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;

	return line("seccomp", well, well ? "stub processes are confined" : strerror(errno),
		    "needs Linux 4.14 with CONFIG_SECCOMP_FILTER");
}

static bool check_limits(void)
{
	long maps = read_number("/proc/sys/vm/max_map_count");
	long low = read_number("/proc/sys/vm/mmap_min_addr");
	char text[160];

	snprintf(text, sizeof(text), "%ld mappings per process (vm.max_map_count)", maps);
	line("mappings", maps < 0 || maps >= 65530, text,
	     "large guests want sysctl vm.max_map_count=65530");
	snprintf(text, sizeof(text), "lowest address %ld (vm.mmap_min_addr)", low);
	return line("low memory", low <= 65536, text, "must not be above 65536");
}

static bool check_cpus(void)
{
	cpu_set_t set;
	char text[160];
	uint32_t khz = engine_tsc_khz();

	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof(set), &set);
	snprintf(text, sizeof(text), "%d usable; each guest is pinned to one", CPU_COUNT(&set));
	line("processors", true, text, NULL);
	if (khz)
		snprintf(text, sizeof(text), "invariant, %u.%03u MHz: guests may read it",
			 khz / 1000, khz % 1000);
	else
		snprintf(text, sizeof(text), "not invariant: guests use the lguest clock");
	line("TSC", true, text, NULL);
	snprintf(text, sizeof(text), "%llu MiB",
		 (unsigned long long)sysconf(_SC_PHYS_PAGES) *
		 (unsigned long long)sysconf(_SC_PAGESIZE) >> 20);
	return line("memory", true, text, NULL);
}

int cmd_check(int argc, char **argv)
{
	struct options o;
	bool well;

	options_parse(&o, SUB_CHECK, argc, argv);
	well = check_engine(ENGINE_PTRACE);
	/* Nobody has to have both. */
	check_engine(ENGINE_DIRECT);
	well = check_seccomp() && well;
	well = check_limits() && well;
	well = check_cpus() && well;
	return well ? 0 : STATUS_HOST;
}
