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

struct placement {
	int wanted;		/* host CPU, or ENGINE_CPU_… */
	/* Processes 0 to processes - 1; 0: there is none.  And the one that runs
	 * guest code just now, or 0.  Any thread may ask. */
	unsigned int processes;
	pid_t (*process)(void *owner, unsigned int i);
	pid_t (*running)(void *owner);
	void *owner;

	/* The rest is placement.c's. */
	pid_t vcpu_tid;
	atomic_int cpu;		/* pinned to, or -1 */
	_Atomic uint64_t turns_waited;	/* ns, for turns of the guest's: see turns.h */
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
