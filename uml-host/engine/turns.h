/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Turns of guests that share a CPU and want to: one at a time has it for some
 * milliseconds, the others wait.
 *
 * A guest is several processes that hand over to each other all the time, and whenever
 * they do the host's scheduler looks who is next: with many guests on a CPU that is
 * somebody else's, and finds the caches cold.  In its turn a guest hands over to nobody
 * but itself.
 *
 * Who has the turn is a lock on a directory of that CPU's in /sys, which all guests of a machine
 * see and which goes with its holder.  Nothing but time depends on it: who does not get
 * his turn in a second runs without, and a guest that does not keep to it gets what
 * the scheduler gives it, as before.
 */
#ifndef ENGINE_TURNS_H
#define ENGINE_TURNS_H

#include <stdbool.h>
#include <stdint.h>

/* A futex that guest and lock share, in memory a guest may be able to write. */
enum turn {
	TURN_NONE,	/* the guest runs when it likes */
	TURN_OTHERS,	/* it waits */
	TURN_OURS,	/* it runs */
	TURN_UNUSED,	/* halted: it wants none */
};

/* How long the vCPU waits for it, CLOCK_MONOTONIC ns. */
#define TURN_PATIENCE_NS 1000000000ull

/* For the vCPU, which may be a program without a C library.  It halts; it wants to
 * run on; it has waited long enough.  True: the futex has to be woken. */
static inline bool turn_change(uint32_t *turn, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(turn, &from, to, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}
static inline bool turn_is(const uint32_t *turn, enum turn what)
{
	return __atomic_load_n(turn, __ATOMIC_SEQ_CST) == what;
}
static inline bool turn_halts(uint32_t *turn)
{
	return turn_change(turn, TURN_OURS, TURN_UNUSED) ||
	       turn_change(turn, TURN_OTHERS, TURN_UNUSED);
}
static inline bool turn_wants(uint32_t *turn)
{
	return turn_change(turn, TURN_UNUSED, TURN_OTHERS);
}
static inline void turn_despairs(uint32_t *turn)
{
	turn_change(turn, TURN_OTHERS, TURN_NONE);
}

struct turns;

struct placement;

/* Takes part, by a thread of its own, on the CPU where the guest is placed.  `turn` stays
 * where it is until turns_close; `kick` stops guest code, for any thread.  NULL: it is
 * placed nowhere, or this host has no such directory; the guest runs when it likes. */
struct turns *turns_open(uint32_t *turn, struct placement *placement, void (*kick)(void *owner),
			 void *owner);
/* NULL is fine. */
void turns_close(struct turns *t);

#endif
