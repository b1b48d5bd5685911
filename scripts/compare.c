/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The init process of a system under measurement: says that it is there, times
 * what a guest does most, powers off.  Static; the same source for every system.
 * Lines: "INIT", then "name microseconds", the median of some rounds each, "END".
 * Natively its argument is the file to read, as PID 1 it is the first disk.
 */
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "measure.h"

#define ROUNDS 7

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

/* The median of some rounds, on a line. */
static void measure(const char *name, double (*run)(void))
{
	double took[ROUNDS];
	size_t r;

	for (r = 0; r < ROUNDS; r++)
		took[r] = run();
	qsort(took, ROUNDS, sizeof(took[0]), compare);
	printf("%s %.2f\n", name, took[ROUNDS / 2]);
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
	size_t i;

	if (argc > 1 && strcmp(argv[1], "nothing") == 0)
		return 0;
	open_console();
	disk = getpid() != 1 ? argv[1] : first_disk();
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		measure(all[i].name, all[i].run);
	finish();
	return 0;
}
