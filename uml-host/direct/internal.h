/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of this room share; nobody else includes this.
 *
 *	direct.c	the guest's questions and their answers; kicks
 *	process.c	the vCPU process: what it shares, its start and end
 *	view.c		the processes of guest programs
 */
#ifndef DIRECT_INTERNAL_H
#define DIRECT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "direct/direct.h"
#include "engine/placement.h"
#include "engine/turns.h"
#include "monitor/channel.h"

#define VIEWS GUEST_TABLES

struct direct {
	struct direct_config config;
	int image_fd, view_image_fd, filters_fd;
	struct channel *channel;
	/* What the user views share with the monitor, and the answers of their
	 * mappers to it. */
	char *views;
	int views_fd, answers[2];	/* a pipe */
	atomic_int pid;		/* the vCPU process, 0: none */
	atomic_int view_pid[VIEWS], mapper_pid[VIEWS];
	pthread_mutex_t ends;	/* held to tell the end of one of them */
	bool fresh;		/* it has not run its guest yet */
	enum vmcall_behaviour vmcall;
	uint64_t floor_ns;
	struct engine_counters counters;

	/* A thread that hands out events, on whatever CPU is idle, and what it and
	 * the thread of direct_run do by turns. */
	pthread_t drainer;
	pthread_mutex_t turn;
	atomic_bool over;
	const struct guest_owner *owner;

	/* process.c: a thread that waits for the end of processes. */
	pthread_t watcher;
	int closing_fd;		/* eventfd */
	int ends_fd;		/* epoll of their pidfds */
	atomic_bool gone;
	/* For kicks: of the views and, the last, of the vCPU process; -1: none. */
	atomic_int pidfd[VIEWS + 1];
	atomic_int kicking;	/* threads that hold one of them for a kick */
	struct placement placement;
	struct turns *turns;
};

/* --- direct.c ------------------------------------------------------------------ */

/* Futexes lie in memory shared between processes.  Waits while *word is `value`, for
 * at most `ns`, 0: without end. */
void futex_wake(uint32_t *word);
void futex_wait(uint32_t *word, uint32_t value, uint64_t ns);
/* The thread of direct_run shall look. */
void ring(struct direct *d);
uint32_t read_bell(struct direct *d);
/* The question that stands, or CHANNEL_NONE; waits until the bell has rung since it
 * was read. */
enum channel_request wait_request(struct direct *d, uint32_t bell);
/* Does the owner want to stop? */
bool stops(const struct direct *d);
/* A thread that no signal comes to. */
void start_thread(pthread_t *thread, void *(*run)(void *), struct direct *d);

/* --- process.c ------------------------------------------------------------------- */

/* Starts the vCPU process, up to its first question; dies if the host does not let
 * us.  `floor_rounds` of a bare stop are measured, 0: none. */
void process_start(struct direct *d, uint32_t floor_rounds);
/* Ends it and all views, if it is there. */
void process_stop(struct direct *d);
/* A cleanup: SIGKILL to all of them. */
void process_kill_all(void *direct);
/* Looks out for the end of a process; `nr` says which: a view, or VIEWS.  Returns a
 * descriptor of it, the caller's, or -1 and errno. */
int process_watch(struct direct *d, pid_t pid, unsigned int nr);
/* No kicks go to that process any more; its descriptor, if it has one, is closed. */
void process_retire(struct direct *d, unsigned int nr);

/* --- view.c ---------------------------------------------------------------------- */

struct view_page *view_page(struct direct *d, unsigned int view);
/* The sealed file with the filters of all views. */
int view_filters(void);
/* Starts the process of a view, up to its first stop.  Dies where the host does not let
 * us have any. */
enum view_result {
	VIEW_RUNS,
	VIEW_CROWDED,	/* the host has no room for another process */
	VIEW_OVER,	/* ended by us: the monitor's doing, or the owner wants to stop */
};
enum view_result view_start(struct direct *d, unsigned int view);
/* Wakes a monitor that waits for a view whose process is gone. */
void view_tell_dead(struct direct *d, unsigned int view);
/* Ends the process of a view, if it has one, and its mapper.  Returns its status as
 * of waitpid: how it ended if it had done so by itself. */
int view_end(struct direct *d, unsigned int view);

#endif
