/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the init processes of compare and scale share.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* As an i386 program without a vDSO makes a system call. */
static void system_call(void)
{
#ifdef __i386__
	long result = SYS_getpid;

	__asm__ volatile("int $0x80" : "+a"(result) : : "memory");
#else
	syscall(SYS_getpid);
#endif
}

static double faults(void)
{
	size_t pages = 1500, i;
	char *m = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	double start = now(), took;

	for (i = 0; i < pages; i++)
		m[i * 4096] = 1;
	took = now() - start;
	munmap(m, pages * 4096);
	return took / (double)pages;
}

static double pipes(void)
{
	int to[2], from[2], i, n = 500;
	double start, took;
	char c = 0;

	if (pipe(to) || pipe(from))
		return -1;
	if (fork() == 0) {
		for (i = 0; i < n; i++)
			if (read(to[0], &c, 1) != 1 || write(from[1], &c, 1) != 1)
				_exit(1);
		_exit(0);
	}
	start = now();
	for (i = 0; i < n; i++)
		if (write(to[1], &c, 1) != 1 || read(from[0], &c, 1) != 1)
			return -1;
	took = now() - start;
	wait(NULL);
	close(to[0]); close(to[1]); close(from[0]); close(from[1]);
	return took / n;
}

static double computation(void)
{
	volatile unsigned int x = 1;
	double start = now();
	int i;

	for (i = 0; i < 20000000; i++)
		x = x * 3 + 1;
	return now() - start;
}

/* As PID 1 the console is not open yet; natively stdout is where it belongs. */
static void open_console(void)
{
	int console = getpid() == 1 ? open("/dev/console", O_RDWR) : -1;

	if (console >= 0) {
		dup2(console, 0);
		dup2(console, 1);
		dup2(console, 2);
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("INIT\n");
}

static void finish(void)
{
	printf("END\n");
	fflush(stdout);
	/* Only as PID 1; elsewhere (natively) it just ends. */
	if (getpid() == 1)
		reboot(RB_POWER_OFF);
}
