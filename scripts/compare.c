/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The init process of a system under measurement: says that it is there, times
 * what a guest does most, powers off.  Static; the same source for every system.
 * Lines: "INIT", then "name microseconds", the median of some rounds each, "END".
 * Natively its argument is the file to read, as PID 1 it is the first disk.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 7

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

static double getpids(void)
{
	double start = now();
	int i;

	for (i = 0; i < 5000; i++)
		system_call();
	return (now() - start) / 5000;
}

static double forks(int exec)
{
	double start = now();
	int i;

	for (i = 0; i < 60; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			if (exec) {
				execl("/init", "init", "nothing", (char *)NULL);
				/* Natively there is no such file. */
				execl("/proc/self/exe", "init", "nothing", (char *)NULL);
			}
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	return (now() - start) / 60;
}

static double fork_exit(void) { return forks(0); }
static double fork_exec(void) { return forks(1); }

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

static const char *disk;

/* One MiB in pieces of 64 KiB, another one each time: none is in a cache. */
static double block_read(void)
{
	static char buffer[65536];
	static off_t at;
	int fd = open(disk, O_RDONLY), i;
	double start = now();

	if (fd < 0)
		return -1;
	for (i = 0; i < 16; i++, at += sizeof(buffer))
		if (pread(fd, buffer, sizeof(buffer), at) != sizeof(buffer))
			return -1;
	close(fd);
	return now() - start;
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

/* The first block device that /proc knows, by a node of our own: each system has
 * its own name and number for it. */
static const char *first_disk(void)
{
	unsigned int major, minor;
	char line[256], name[64];
	unsigned long blocks;
	FILE *f;

	mount("proc", "/proc", "proc", 0, NULL);
	f = fopen("/proc/partitions", "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%u %u %lu %63s", &major, &minor, &blocks, name) == 4 &&
		    blocks == 16384 && strncmp(name, "ram", 3) != 0) {
			mknod("/disk", S_IFBLK | 0600, makedev(major, minor));
			break;
		}
	return "/disk";
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		double (*run)(void);
	} all[] = {
		{ "getpid", getpids }, { "fork+exit", fork_exit }, { "fork+exec", fork_exec },
		{ "anonymous-fault", faults }, { "pipe", pipes }, { "block-read", block_read },
		{ "computation", computation },
	};
	double took[ROUNDS];
	size_t i, r;
	int console;

	if (argc > 1 && strcmp(argv[1], "nothing") == 0)
		return 0;
	/* Not natively: there stdout is where it belongs. */
	console = getpid() == 1 ? open("/dev/console", O_RDWR) : -1;
	if (console >= 0) {
		dup2(console, 0);
		dup2(console, 1);
		dup2(console, 2);
	}
	disk = getpid() != 1 ? argv[1] : first_disk();
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("INIT\n");
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		for (r = 0; r < ROUNDS; r++)
			took[r] = all[i].run();
		qsort(took, ROUNDS, sizeof(took[0]), compare);
		printf("%s %.2f\n", all[i].name, took[ROUNDS / 2]);
	}
	printf("END\n");
	fflush(stdout);
	/* Only as PID 1; elsewhere (natively) it just ends. */
	if (getpid() == 1)
		reboot(RB_POWER_OFF);
	return 0;
}
