/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Turns of guests on a CPU that is too small for them: one at a time has it for some
 * milliseconds, the others wait.
 *
 * A guest is several processes that hand over to each other all the time, and whenever
 * they do the host's scheduler looks who is next: with many guests on a CPU that is
 * somebody else's, and finds the caches cold.  In its turn a guest hands over to nobody
 * but itself.
 *
 * Who has the turn is a lock on a directory of that CPU's in /sys, which goes with its holder
 * and which all guests see that have the same /sys: a network namespace has its own, so the
 * guests of a container take turns among themselves.  Nothing but time depends on it: who does not get
 * his turn in a second runs without, and a guest that does not keep to it gets what
 * the scheduler gives it, as before.
 */
#ifndef ENGINE_TURNS_H
#define ENGINE_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/clock.h"

/* A futex that guest and lock share, in memory a guest may be able to write. */
enum turn {
	TURN_NONE,	/* the guest runs when it likes */
	TURN_OTHERS,	/* it waits */
	TURN_OURS,	/* it runs */
	TURN_UNUSED,	/* it wants none: halted, or has not asked since its last one */
};

/* How long the vCPU waits for its turn, ns. */
#define TURN_PATIENCE_NS 1000000000ull

static inline bool turn_is(const uint32_t *turn, enum turn what)
{
	return __atomic_load_n(turn, __ATOMIC_SEQ_CST) == what;
}
static inline bool turn_change(uint32_t *turn, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(turn, &from, to, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

/* The vCPU's part; it may be a program without a C library, so it brings what wakes one
 * that sleeps on the futex, and what sleeps on it while it has that value, until
 * CLOCK_MONOTONIC is `until` (ns) at the latest. */
typedef void turn_wake_fn(uint32_t *turn);
typedef void turn_sleep_fn(uint32_t *turn, uint32_t value, uint64_t until);

/* Before guest code runs: waits for its turn. */
static inline void turn_await(uint32_t *turn, turn_wake_fn *wake, turn_sleep_fn *sleep)
{
	uint64_t until;

	if (turn_is(turn, TURN_OURS) || turn_is(turn, TURN_NONE))
		return;
	if (turn_change(turn, TURN_UNUSED, TURN_OTHERS))
		wake(turn);
	until = engine_clock_ns() + TURN_PATIENCE_NS;
	while (turn_is(turn, TURN_OTHERS) && engine_clock_ns() < until)
		sleep(turn, TURN_OTHERS, until);
	turn_change(turn, TURN_OTHERS, TURN_NONE);
}

/* Before the vCPU halts. */
static inline void turn_leave(uint32_t *turn, turn_wake_fn *wake)
{
	if (turn_change(turn, TURN_OURS, TURN_UNUSED) ||
	    turn_change(turn, TURN_OTHERS, TURN_UNUSED))
		wake(turn);
}

struct turns;

struct placement;

/* When a guest takes part. */
enum turns_when {
	TURNS_CROWDED,	/* while it has to wait for its CPU */
	TURNS_ALWAYS,
	TURNS_NEVER,
};

/* Before placement_watch: takes part, by a thread of its own, on the CPU where the guest is
 * placed.  `turn` stays where it is until turns_close; `kick` stops guest code, for any
 * thread.  Where /sys does not show that CPU the guest runs when it likes, with a warning if
 * it shall always take part.  May return NULL. */
struct turns *turns_open(enum turns_when when, uint32_t *turn, struct placement *placement,
			 void (*kick)(void *owner), void *owner);
/* After placement_close.  NULL is fine. */
void turns_close(struct turns *t);

/* How many guests that this process may see take turns on each of the first `cpus` CPUs: those
 * halted do not count. */
void turns_count(unsigned int *count, unsigned int cpus);

#endif
