/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The init process of a guest among many processes, or with much memory in use.
 * Words of the kernel's command line that are not the kernel's are its environment:
 *
 *	processes=N	there are N processes, each waiting for its turn
 *	touch=MIB	another one uses so much memory
 *	compute=N	measure nothing: compute, N times
 *	work=N		measure nothing: system calls, faults, pipes and forks, N times
 */
#include <asm/ldt.h>
#include <string.h>
#include <sys/resource.h>

#include "measure.h"

#define OWN_PAGES 8	/* that each process uses in its turn */

static int processes;
static int first, last;	/* the ends of the pipes through all others */

/* Means of longer times than a tick: some kernels have no finer clock. */
#define LONG_US 300e3

static void measure_mean(const char *name, double (*run)(void))
{
	double start = now(), sum = 0;
	int n = 0;

	do {
		sum += run();
		n++;
	} while (now() - start < LONG_US || n < 3);
	printf("%s %.2f\n", name, sum / n);
}

static double getpids(void)
{
	double start = now();
	int i;

	for (i = 0; i < 2000; i++)
		system_call();
	return (now() - start) / 2000;
}

/* A system call with one hypercall, LOAD_TLS, before which the kernel clears GS: so
 * there is none of libc's in between. */
static double load_tls(void)
{
	struct user_desc tls = { .entry_number = 7, .limit = 0xfffff, .seg_32bit = 1,
				 .limit_in_pages = 1, .useable = 1 };
	double start = now();
	unsigned short gs;
	int i;

	__asm__ volatile("mov %%gs, %0" : "=r"(gs));
	for (i = 0; i < 2000; i++) {
		long result = SYS_set_thread_area;

		__asm__ volatile("int $0x80" : "+a"(result) : "b"(&tls) : "memory");
	}
	__asm__ volatile("mov %0, %%gs" : : "r"(gs));
	return (now() - start) / 2000;
}

static double hypercall(void)
{
	return load_tls() - getpids();
}

static double forks(void)
{
	double start = now();
	int i;

	for (i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	return (now() - start) / 20;
}

static void touch(volatile char *pages, size_t n)
{
	while (n--)
		pages[n * 4096]++;
}

/* A process that passes every byte on, and uses its own memory each time. */
_Noreturn static void take_turns(int from, int to)
{
	static char own[OWN_PAGES * 4096];
	char c;

	touch(own, OWN_PAGES);
	while (read(from, &c, 1) == 1) {
		touch(own, OWN_PAGES);
		if (write(to, &c, 1) != 1)
			break;
	}
	_exit(0);
}

/* All processes but this one, in a row.  Each has two descriptors only. */
static int start_others(void)
{
	int between[2], i, from;

	if (pipe(between))
		return -1;
	first = between[1];
	from = between[0];
	for (i = 1; i < processes; i++) {
		pid_t pid;

		if (pipe(between))
			return -1;
		pid = fork();
		if (pid == 0) {
			close(first);
			close(between[0]);
			take_turns(from, between[1]);
		}
		if (pid < 0)
			return -1;
		close(from);
		close(between[1]);
		from = between[0];
	}
	last = from;
	return 0;
}

/* One step of a byte through all of them. */
static double turns(void)
{
	int rounds = 400 / processes + 2, i;
	double start = now();
	char c = 0;

	for (i = 0; i < rounds; i++)
		if (write(first, &c, 1) != 1 || read(last, &c, 1) != 1)
			return -1;
	return (now() - start) / rounds / processes;
}

static int number(const char *name)
{
	const char *text = getenv(name);

	return text ? atoi(text) : 0;
}

/* By a process of its own: a fork of this one shall not have to copy it. */
static int use_memory(size_t pages)
{
	int ready[2];
	char c = 0, *m;

	if (!pages)
		return 0;
	if (pipe(ready))
		return -1;
	if (fork() == 0) {
		m = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (m == MAP_FAILED)
			_exit(1);
		touch(m, pages);
		if (write(ready[1], &c, 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	return read(ready[0], &c, 1) == 1 ? 0 : -1;
}

static void compute(int times)
{
	while (times-- > 0)
		computation();
}

static void work(int times)
{
	while (times-- > 0) {
		getpids();
		forks();
		faults();
		pipes();
	}
}

int main(void)
{
	processes = number("processes");
	open_console();
	if (number("compute") || number("work")) {
		compute(number("compute"));
		work(number("work"));
	} else if (processes > 0 && use_memory((size_t)number("touch") << 8) == 0 &&
		   start_others() == 0) {
		if (processes > 1)
			turns();	/* until each has started */
		measure_mean("getpid", getpids);
		measure_mean("hypercall", hypercall);
		measure_mean("fault", faults);
		measure_mean("pipe", pipes);
		if (processes > 1)
			measure_mean("turn", turns);
		measure_mean("fork", forks);
	} else {
		return 1;
	}
	finish();
	return 0;
}
