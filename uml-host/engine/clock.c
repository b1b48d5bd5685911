/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's clocks.  Nothing here sleeps but what says so.
 */
#include <cpuid.h>
#include <errno.h>
#include <time.h>
#include <x86intrin.h>

#include "engine/clock.h"

uint64_t engine_clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void engine_sleep_ns(uint64_t ns)
{
	uint64_t until = engine_clock_ns() + ns;
	const struct timespec t = {
		.tv_sec = (time_t)(until / 1000000000), .tv_nsec = (long)(until % 1000000000),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

void engine_wall_clock(int32_t *sec, int32_t *nsec)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	*sec = (int32_t)t.tv_sec;
	*nsec = (int32_t)t.tv_nsec;
}

/* The counter runs at one rate in all power states (CPUID 0x80000007 EDX.8). */
static int tsc_is_invariant(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & 1u << 8);
}

/* A pair of readings taken together: the tightest of a few. */
static void read_both(uint64_t *tsc, uint64_t *ns)
{
	uint64_t best = UINT64_MAX;
	int i;

	for (i = 0; i < 5; i++) {
		uint64_t before = __rdtsc(), now = engine_clock_ns();
		uint64_t width = __rdtsc() - before;

		if (width < best) {
			best = width;
			*tsc = before + width / 2;
			*ns = now;
		}
	}
}

static uint64_t tsc0, ns0;

void engine_tsc_start(void)
{
	read_both(&tsc0, &ns0);
}

uint32_t engine_tsc_khz(void)
{
	uint64_t tsc1, ns1;

	if (!tsc_is_invariant())
		return 0;
	if (!ns0)
		engine_tsc_start();
	while (engine_clock_ns() - ns0 < 2000000)
		;
	read_both(&tsc1, &ns1);
	if (tsc1 <= tsc0 || ns1 <= ns0)
		return 0;
	return (uint32_t)((tsc1 - tsc0) * 1000000 / (ns1 - ns0));
}
