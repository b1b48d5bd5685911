/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which host CPU a supervisor thread and the processes that run guest code for
 * it are on.
 */
#ifndef ENGINE_PLACEMENT_H
#define ENGINE_PLACEMENT_H

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What a guest did in `time`, all in ns: it ran, or waited for a CPU or its turn.  Both are of
 * several processes and can be more than the time. */
struct look {
	uint64_t time, ran, waited;
};

/* More than 1/LOOK_MUCH of the time is much. */
#define LOOK_MUCH 4

struct placement {
	int wanted;		/* host CPU, or ENGINE_CPU_… */
	/* Processes 0 to processes - 1; 0: there is none.  And the one that runs
	 * guest code just now, or 0.  Any thread may ask. */
	unsigned int processes;
	pid_t (*process)(void *owner, unsigned int i);
	pid_t (*running)(void *owner);
	void *owner;
	/* NULL, or told of each look at the load, unless the guest has moved because of it. */
	void (*looked)(void *owner, const struct look *look);
	void *looked_owner;

	/* The rest is placement.c's. */
	pid_t vcpu_tid;
	atomic_int cpu;		/* pinned to, or -1 */
	_Atomic uint64_t turns_waited;	/* ns, for its turn: see turns.h */
	cpu_set_t allowed;	/* as we found it */
	bool watching;
	pthread_t watcher;
	sem_t closing;
};

/* Pins the calling thread, before processes inherit it. */
void placement_open(struct placement *p);
/* Watches the load from now on. */
void placement_watch(struct placement *p);
/* Lets the calling thread run wherever the program may. */
void placement_leave(const struct placement *p);
/* Gives the CPUs back to the calling thread. */
void placement_close(struct placement *p);

#endif
