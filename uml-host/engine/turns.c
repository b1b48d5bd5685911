/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The thread that gets a guest its turns.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/die.h"
#include "engine/clock.h"
#include "engine/placement.h"
#include "engine/turns.h"

#define TURN_NS 4000000ull	/* some slices of the host's scheduler */
#define LOOK_NS 100000000ull	/* how long the thread waits for a word at most */

/* Ends waiting for the lock.  It is ignored where nobody catches it. */
#define CLOSE_SIGNAL SIGURG

struct turns {
	uint32_t *turn;
	struct placement *placement;
	void (*kick)(void *owner);
	void *owner;
	int fd, fd_cpu;		/* the directory of that CPU */
	atomic_bool closing;
	pthread_t thread;
};

static void do_nothing(int signal)
{
	(void)signal;
}

static void wait_for_change(const uint32_t *turn, uint32_t from, uint64_t ns)
{
	const struct timespec time = { .tv_nsec = (long)ns };

	syscall(SYS_futex, turn, FUTEX_WAIT, from, &time, NULL, 0);
}

static bool open_directory(struct turns *t)
{
	int cpu = atomic_load(&t->placement->cpu);
	char path[64];

	if (cpu < 0)
		return false;
	if (t->fd >= 0 && t->fd_cpu == cpu)
		return true;
	if (t->fd >= 0)
		close(t->fd);
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d", cpu);
	t->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t->fd_cpu = cpu;
	return t->fd >= 0;
}

/* From the lock to its end.  A halted guest leaves the rest to others. */
static void take_turn(struct turns *t)
{
	uint64_t until = engine_clock_ns() + TURN_NS, now;

	if (!turn_change(t->turn, TURN_OTHERS, TURN_OURS) &&
	    !turn_change(t->turn, TURN_NONE, TURN_OURS))
		return;
	syscall(SYS_futex, t->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
	while (turn_is(t->turn, TURN_OURS) && !atomic_load(&t->closing) &&
	       (now = engine_clock_ns()) < until)
		wait_for_change(t->turn, TURN_OURS, until - now);
	if (turn_change(t->turn, TURN_OURS, TURN_OTHERS))
		t->kick(t->owner);
}

static void *take_turns(void *arg)
{
	struct turns *t = arg;
	uint64_t began;

	placement_leave(t->placement);
	while (!atomic_load(&t->closing)) {
		uint32_t turn = __atomic_load_n(t->turn, __ATOMIC_SEQ_CST);

		/* It wants none, or says something that nobody says. */
		if (turn != TURN_OTHERS && turn != TURN_NONE) {
			wait_for_change(t->turn, turn, LOOK_NS);
			continue;
		}
		if (!open_directory(t))
			break;
		began = engine_clock_ns();
		if (flock(t->fd, LOCK_EX) != 0)
			continue;
		atomic_fetch_add(&t->placement->turns_waited, engine_clock_ns() - began);
		take_turn(t);
		flock(t->fd, LOCK_UN);
	}
	__atomic_store_n(t->turn, TURN_NONE, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, t->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
	return NULL;
}

struct turns *turns_open(uint32_t *turn, struct placement *placement, void (*kick)(void *owner),
			 void *owner)
{
	const struct sigaction action = { .sa_handler = do_nothing };
	struct turns *t = calloc(1, sizeof(*t));
	sigset_t signals, old;

	if (!t)
		die("out of memory");
	*t = (struct turns){
		.turn = turn, .placement = placement, .kick = kick, .owner = owner, .fd = -1,
	};
	if (!open_directory(t)) {
		warn("no turns: /sys does not show the CPU: %s", strerror(errno));
		free(t);
		return NULL;
	}
	sigaction(CLOSE_SIGNAL, &action, NULL);
	sigfillset(&signals);
	sigdelset(&signals, CLOSE_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &signals, &old);
	errno = pthread_create(&t->thread, NULL, take_turns, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (errno)
		die_errno("cannot start the thread for turns");
	return t;
}

void turns_close(struct turns *t)
{
	struct timespec soon;

	if (!t)
		return;
	atomic_store(&t->closing, true);
	/* It may be about to wait for the lock: again and again. */
	do {
		pthread_kill(t->thread, CLOSE_SIGNAL);
		clock_gettime(CLOCK_REALTIME, &soon);
		soon.tv_nsec += 1000000;
		soon.tv_sec += soon.tv_nsec / 1000000000;
		soon.tv_nsec %= 1000000000;
	} while (pthread_timedjoin_np(t->thread, NULL, &soon) != 0);
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}
