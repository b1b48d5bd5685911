/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which host CPU a guest runs on.  Its supervisor and the processes that run guest
 * code share one: a ptrace round trip costs 10 us there and 58 us across two
 * CPUs, and the scheduler left alone spreads the pair.
 *
 * With --cpu=auto the start is where the kernel put us, and a thread watches
 * whether the guest has to wait for its CPU while another one idles; then the
 * guest moves; or to one where fewer guests take turns.  One moves at a time, so that two
 * crowded guests do not both jump to the same place.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/die.h"
#include "engine/clock.h"
#include "engine/engine.h"
#include "engine/placement.h"
#include "engine/turns.h"

#define LOOK_NS 100000000	/* how often the thread looks */
#define SAMPLE_NS 40000000	/* over which idle time is measured */
#define IDLE_PERCENT 60
#define MAX_CPUS 1024

static void pin(struct placement *p, int cpu)
{
	cpu_set_t set;
	unsigned int i;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	/* A process that starts at this moment inherits the old CPU and is set
	 * right at the next move; until then it is only slower. */
	for (i = 0; i < p->processes; i++) {
		pid_t pid = p->process(p->owner, i);

		if (pid > 0)
			sched_setaffinity(pid, sizeof(set), &set);
	}
	sched_setaffinity(p->vcpu_tid, sizeof(set), &set);
	p->cpu = cpu;
}

/* How long a task has run and waited for a CPU so far, ns.  Task 0: nobody says. */
struct spent {
	pid_t task;
	unsigned long long ran, waited;
};

static struct spent spent(const char *format, pid_t task)
{
	struct spent s = { .task = task };
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), format, (int)task);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%llu %llu", &s.ran, &s.waited) != 2)
		s.task = 0;
	if (f)
		fclose(f);
	return s;
}

/* A guest's tasks at one time.  Who is the first process or runs may be another the next time. */
enum { SUPERVISOR, FIRST, RUNNING, NR_TASKS };

struct guest_spent {
	uint64_t time, turns_waited;
	struct spent by[NR_TASKS];
};

static struct guest_spent guest_spent(struct placement *p)
{
	pid_t first = p->process(p->owner, 0), running = p->running(p->owner);
	struct guest_spent s = {
		.time = engine_clock_ns(), .turns_waited = atomic_load(&p->turns_waited),
		.by[SUPERVISOR] = spent("/proc/self/task/%d/schedstat", p->vcpu_tid),
	};

	if (first > 0)
		s.by[FIRST] = spent("/proc/%d/schedstat", first);
	if (running > 0 && running != first)
		s.by[RUNNING] = spent("/proc/%d/schedstat", running);
	return s;
}

static struct look look(const struct guest_spent *then, const struct guest_spent *now)
{
	struct look l = {
		.time = now->time - then->time, .waited = now->turns_waited - then->turns_waited,
	};
	unsigned int i;

	for (i = 0; i < NR_TASKS; i++) {
		if (!now->by[i].task || now->by[i].task != then->by[i].task)
			continue;
		l.ran += now->by[i].ran - then->by[i].ran;
		l.waited += now->by[i].waited - then->by[i].waited;
	}
	return l;
}

/* Idle ticks of every CPU; those of CPUs not listed stay 0. */
static void read_idle(uint64_t idle[MAX_CPUS])
{
	char line[512];
	FILE *f = fopen("/proc/stat", "re");

	memset(idle, 0, MAX_CPUS * sizeof(idle[0]));
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long long user, nice, system, idling;
		int cpu;

		if (sscanf(line, "cpu%d %llu %llu %llu %llu", &cpu, &user, &nice,
			   &system, &idling) == 5 && cpu >= 0 && cpu < MAX_CPUS)
			idle[cpu] = idling;
	}
	if (f)
		fclose(f);
}

/* One mover at a time on this machine: an abstract socket name is a lock that
 * goes with its holder.  Returns the lock or -1. */
static int lock_moves(void)
{
	static const char name[] = "\0uml-host-placement";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, name, sizeof(name) - 1);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address,
			    (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
					sizeof(name) - 1)) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Sleeps, or returns true at once when the engine closes. */
static bool closing_within(struct placement *p, uint64_t ns)
{
	uint64_t deadline = engine_clock_ns() + ns;
	struct timespec until = {
		.tv_sec = (time_t)(deadline / 1000000000),
		.tv_nsec = (long)(deadline % 1000000000),
	};
	int error;

	while ((error = sem_clockwait(&p->closing, CLOCK_MONOTONIC, &until)) != 0 &&
	       errno == EINTR)
		;
	return error == 0;
}

static bool may_move(const struct placement *p)
{
	return p->wanted == ENGINE_CPU_AUTO && CPU_COUNT(&p->allowed) > 1;
}

static bool may_move_to(const struct placement *p, int cpu)
{
	return cpu != p->cpu && CPU_ISSET((size_t)cpu, &p->allowed);
}

/* -1: there is none. */
static int idle_cpu(struct placement *p)
{
	uint64_t before[MAX_CPUS], after[MAX_CPUS], most = 0;
	uint64_t ticks = (uint64_t)sysconf(_SC_CLK_TCK) * SAMPLE_NS / 1000000000;
	int cpu, best = -1;

	read_idle(before);
	if (closing_within(p, SAMPLE_NS)) {
		sem_post(&p->closing);
		return -1;
	}
	read_idle(after);
	for (cpu = 0; cpu < MAX_CPUS; cpu++)
		/* The host's count can go back. */
		if (may_move_to(p, cpu) && after[cpu] > before[cpu] + most) {
			most = after[cpu] - before[cpu];
			best = cpu;
		}
	return most * 100 >= ticks * IDLE_PERCENT ? best : -1;
}

/* One where fewer guests take turns, also when this one is there; or -1. */
static int less_crowded_cpu(const struct placement *p)
{
	unsigned int guests[MAX_CPUS], cpus = 0;
	int cpu, best = -1;

	for (cpu = 0; cpu < MAX_CPUS; cpu++)
		if (CPU_ISSET((size_t)cpu, &p->allowed))
			cpus = (unsigned int)cpu + 1;
	turns_count(guests, cpus);
	for (cpu = 0; cpu < (int)cpus; cpu++)
		if (may_move_to(p, cpu) && (best < 0 || guests[cpu] < guests[best]))
			best = cpu;
	return best >= 0 && guests[p->cpu] > guests[best] + 1 ? best : -1;
}

/* To a CPU that has more time for it.  Returns false: there is none, or another guest looks
 * for one just now. */
static bool move(struct placement *p)
{
	int cpu, lock;

	if (!may_move(p))
		return false;
	lock = lock_moves();
	if (lock < 0)
		return false;
	cpu = idle_cpu(p);
	if (cpu < 0)
		cpu = less_crowded_cpu(p);
	if (cpu >= 0) {
		pin(p, cpu);
		/* Others see the new load before they may move. */
		if (closing_within(p, SAMPLE_NS))
			sem_post(&p->closing);
	}
	close(lock);
	return cpu >= 0;
}

void placement_leave(const struct placement *p)
{
	if (p->cpu >= 0)
		sched_setaffinity(0, sizeof(p->allowed), &p->allowed);
}

static void *watch(void *arg)
{
	struct placement *p = arg;

	placement_leave(p);
	while (true) {
		const struct guest_spent then = guest_spent(p);
		struct guest_spent now;
		struct look seen;

		if (closing_within(p, LOOK_NS))
			return NULL;
		now = guest_spent(p);
		seen = look(&then, &now);
		if ((seen.waited <= seen.time / LOOK_MUCH || !move(p)) && p->looked)
			p->looked(p->looked_owner, &seen);
	}
}

void placement_open(struct placement *p)
{
	int cpu = p->wanted;
	cpu_set_t set;

	p->vcpu_tid = (pid_t)syscall(SYS_gettid);
	p->cpu = -1;
	if (cpu == ENGINE_CPU_NONE)
		return;
	if (sched_getaffinity(0, sizeof(p->allowed), &p->allowed) != 0)
		die_errno("cannot ask which CPUs may be used");
	if (cpu >= 0) {
		CPU_ZERO(&set);
		if (cpu < CPU_SETSIZE)
			CPU_SET((size_t)cpu, &set);
		if (cpu >= CPU_SETSIZE || sched_setaffinity(0, sizeof(set), &set) != 0)
			die("cannot pin to CPU %d: it does not exist or may not be used", cpu);
		p->cpu = cpu;
		return;
	}
	cpu = sched_getcpu();
	if (cpu < 0)
		return;
	pin(p, cpu);
}

void placement_watch(struct placement *p)
{
	sigset_t all, old;

	/* Nobody would do anything about what it sees. */
	if (p->cpu < 0 || (!may_move(p) && !p->looked))
		return;
	if (sem_init(&p->closing, 0, 0) != 0)
		die_errno("cannot make a semaphore");
	/* Signals are for the threads that expect them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	errno = pthread_create(&p->watcher, NULL, watch, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (errno)
		die_errno("cannot start the placement thread");
	p->watching = true;
}

void placement_close(struct placement *p)
{
	if (p->watching) {
		sem_post(&p->closing);
		pthread_join(p->watcher, NULL);
		sem_destroy(&p->closing);
	}
	placement_leave(p);
}
