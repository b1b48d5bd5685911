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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/die.h"
#include "engine/clock.h"
#include "engine/placement.h"
#include "engine/turns.h"

#define TURN_NS 8000000ull	/* some slices of the host's scheduler */
#define WORD_NS 100000000ull	/* how long the thread waits for a word at most */
/* Who waits for longer than LONG_NS and than MUCH_MORE times what the guests in /proc/locks may
 * take has no turns for WITHOUT_NS: somebody does not keep to them.  Among honest guests waits of
 * twice that were seen: a halted one is not counted, and the threads that hand on wait for a CPU as
 * well. */
#define LONG_NS 500000000ull
#define MUCH_MORE 4
#define WITHOUT_NS 60000000000ull
#define LOOKS_CROWDED 2
#define LOOKS_ALONE 10

/* Ends waiting for the lock.  It is ignored where nobody catches it. */
#define CLOSE_SIGNAL SIGURG

/* Who has NEXT waits for NOW and then lets go of it.  With one lock alone he who gives
 * it back would have it again before another one woke up. */
enum { NOW, NEXT, NR_LOCKS };

struct turns {
	uint32_t *turn;
	struct placement *placement;
	void (*kick)(void *owner);
	void *owner;
	int fd[NR_LOCKS], cpu;	/* directories of that CPU */
	atomic_bool waits;	/* for the lock */
	_Atomic uint64_t not_before;	/* CLOCK_MONOTONIC, ns */
	atomic_bool closing;
	bool always, running;
	unsigned int looks;	/* in a row that would start or stop it */
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

static void lock_path(char path[64], int cpu, unsigned int lock)
{
	static const char *const below[] = { [NOW] = "", [NEXT] = "/topology" };

	snprintf(path, 64, "/sys/devices/system/cpu/cpu%d%s", cpu, below[lock]);
}

static void close_locks(struct turns *t)
{
	unsigned int i;

	for (i = 0; i < NR_LOCKS; i++) {
		if (t->fd[i] >= 0)
			close(t->fd[i]);
		t->fd[i] = -1;
	}
}

static bool open_locks(struct turns *t)
{
	int cpu = atomic_load(&t->placement->cpu);
	char path[64];
	unsigned int i;

	if (t->fd[NEXT] >= 0 && t->cpu == cpu)
		return true;
	close_locks(t);
	t->cpu = cpu;
	for (i = 0; i < NR_LOCKS; i++) {
		lock_path(path, cpu, i);
		t->fd[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (t->fd[i] < 0)
			return false;
	}
	return true;
}

/* Adds 1 to count[cpu] for a line of /proc/locks about that CPU's.  Who has NEXT waits for
 * NOW as well and is in two lines. */
static void count_line(const char *line, const struct stat (*lock)[NR_LOCKS],
		       unsigned int *count, unsigned int cpus)
{
	bool waits = strstr(line, "-> FLOCK") != NULL;
	unsigned int major, minor, cpu;
	unsigned long inode;

	if (sscanf(line, "%*[^F]FLOCK %*s %*s %*s %x:%x:%lu", &major, &minor, &inode) != 3)
		return;
	for (cpu = 0; cpu < cpus; cpu++) {
		const struct stat *which = &lock[cpu][NOW];

		if (which->st_ino != inode && waits)
			which = &lock[cpu][NEXT];
		if (which->st_ino == inode && which->st_dev == makedev(major, minor))
			count[cpu]++;
	}
}

void turns_count(unsigned int *count, unsigned int cpus)
{
	struct stat (*lock)[NR_LOCKS] = calloc(cpus, sizeof(*lock));
	FILE *f = fopen("/proc/locks", "re");
	char line[256], path[64];
	unsigned int cpu, i;

	memset(count, 0, cpus * sizeof(*count));
	for (cpu = 0; lock && cpu < cpus; cpu++)
		for (i = 0; i < NR_LOCKS; i++) {
			lock_path(path, (int)cpu, i);
			if (stat(path, &lock[cpu][i]) != 0)
				memset(&lock[cpu][i], 0, sizeof(lock[cpu][i]));
		}
	while (lock && f && fgets(line, sizeof(line), f))
		count_line(line, lock, count, cpus);
	if (f)
		fclose(f);
	free(lock);
}

static bool was_too_long(const struct turns *t, uint64_t waited)
{
	unsigned int guests[CPU_SETSIZE];

	if (waited <= LONG_NS || t->cpu >= CPU_SETSIZE)
		return false;
	turns_count(guests, (unsigned int)t->cpu + 1);
	return waited > MUCH_MORE * TURN_NS * (guests[t->cpu] + 1);
}

/* Returns false when it was interrupted. */
static bool wait_for_turn(struct turns *t)
{
	uint64_t began = engine_clock_ns(), now;
	bool ours;

	atomic_store(&t->waits, true);
	ours = flock(t->fd[NEXT], LOCK_EX) == 0;
	if (ours) {
		ours = flock(t->fd[NOW], LOCK_EX) == 0;
		flock(t->fd[NEXT], LOCK_UN);
	}
	atomic_store(&t->waits, false);
	now = engine_clock_ns();
	atomic_fetch_add(&t->placement->turns_waited, now - began);
	if (was_too_long(t, now - began))
		atomic_store(&t->not_before, now + WITHOUT_NS);
	return ours;
}

/* From the lock to its end.  A halted guest leaves the rest to others.  The next one is asked
 * for by a vCPU that wants it, and not by one that waits for its console or a debugger. */
static void take_turn(struct turns *t)
{
	uint64_t until = engine_clock_ns() + TURN_NS, now;

	if (!turn_change(t->turn, TURN_OTHERS, TURN_OURS))
		return;
	syscall(SYS_futex, t->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
	while (turn_is(t->turn, TURN_OURS) && !atomic_load(&t->closing) &&
	       (now = engine_clock_ns()) < until)
		wait_for_change(t->turn, TURN_OURS, until - now);
	if (turn_change(t->turn, TURN_OURS, TURN_UNUSED))
		t->kick(t->owner);
}

static void *take_turns(void *arg)
{
	struct turns *t = arg;

	placement_leave(t->placement);
	while (!atomic_load(&t->closing) &&
	       (t->always || engine_clock_ns() >= atomic_load(&t->not_before))) {
		uint32_t turn;

		/* It runs without, if it does: from its next stop on it says what it wants. */
		if (turn_change(t->turn, TURN_NONE, TURN_UNUSED))
			t->kick(t->owner);
		turn = __atomic_load_n(t->turn, __ATOMIC_SEQ_CST);
		/* Also where it says something that nobody says. */
		if (turn != TURN_OTHERS) {
			wait_for_change(t->turn, turn, WORD_NS);
			continue;
		}
		if (!open_locks(t))
			break;
		if (!wait_for_turn(t))
			continue;
		take_turn(t);
		flock(t->fd[NOW], LOCK_UN);
	}
	__atomic_store_n(t->turn, TURN_NONE, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, t->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
	return NULL;
}

/* Returns false, and why in errno. */
static bool start(struct turns *t)
{
	const struct sigaction action = { .sa_handler = do_nothing };
	sigset_t signals, old;

	if (!open_locks(t))
		return false;
	atomic_store(&t->closing, false);
	sigaction(CLOSE_SIGNAL, &action, NULL);
	sigfillset(&signals);
	sigdelset(&signals, CLOSE_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &signals, &old);
	errno = pthread_create(&t->thread, NULL, take_turns, t);
	t->running = errno == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return t->running;
}

static void stop(struct turns *t)
{
	struct timespec soon;

	atomic_store(&t->closing, true);
	/* It may be about to wait for the lock: again and again. */
	do {
		pthread_kill(t->thread, CLOSE_SIGNAL);
		clock_gettime(CLOCK_MONOTONIC, &soon);
		soon.tv_nsec += 1000000;
		soon.tv_sec += soon.tv_nsec / 1000000000;
		soon.tv_nsec %= 1000000000;
	} while (pthread_clockjoin_np(t->thread, NULL, CLOCK_MONOTONIC, &soon) != 0);
	t->running = false;
}

/* A guest that runs beside those that take turns has half of the CPU. */
static bool others_take_turns(struct turns *t)
{
	if (!open_locks(t) || flock(t->fd[NOW], LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK;
	flock(t->fd[NOW], LOCK_UN);
	return false;
}

static void looked(void *turns, const struct look *look)
{
	struct turns *t = turns;
	/* Who waits for somebody that is stopped in its turn goes on waiting, and runs: if
	 * he began again and again he would wait without running, a second each time. */
	bool crowded = look->waited > look->time / LOOK_MUCH || atomic_load(&t->waits) ||
		       (!t->running && look->ran > look->time / LOOK_MUCH &&
			others_take_turns(t));

	if (engine_clock_ns() < atomic_load(&t->not_before))
		crowded = false;
	if (crowded == t->running) {
		t->looks = 0;
		return;
	}
	if (++t->looks < (crowded ? LOOKS_CROWDED : LOOKS_ALONE))
		return;
	t->looks = 0;
	if (crowded)
		start(t);
	else
		stop(t);
}

struct turns *turns_open(enum turns_when when, uint32_t *turn, struct placement *placement,
			 void (*kick)(void *owner), void *owner)
{
	struct turns *t;

	if (when == TURNS_NEVER)
		return NULL;
	t = calloc(1, sizeof(*t));
	if (!t)
		die("out of memory");
	*t = (struct turns){
		.turn = turn, .placement = placement, .kick = kick, .owner = owner,
		.always = when == TURNS_ALWAYS,
		.fd = { -1, -1 },
	};
	if (!t->always) {
		placement->looked = looked;
		placement->looked_owner = t;
	} else if (!start(t)) {
		warn("no turns on this CPU: %s", strerror(errno));
	}
	return t;
}

void turns_close(struct turns *t)
{
	if (!t)
		return;
	if (t->running)
		stop(t);
	close_locks(t);
	free(t);
}
