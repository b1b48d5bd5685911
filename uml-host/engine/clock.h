/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's clocks, as the guest layer and the log need them.
 */
#ifndef ENGINE_CLOCK_H
#define ENGINE_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC, ns. */
uint64_t engine_clock_ns(void);

/* Sleeps for `ns`, whatever signals come. */
void engine_sleep_ns(uint64_t ns);

/* CLOCK_REALTIME: seconds since 1970 and nanoseconds. */
void engine_wall_clock(int32_t *sec, int32_t *nsec);

/* Frequency of the time stamp counter in kHz, or 0 if guests should not use it
 * (not invariant, or it cannot be measured).  Measured over 2 ms, from the call of
 * engine_tsc_start if there was one, so that these can be used for something else. */
void engine_tsc_start(void);
uint32_t engine_tsc_khz(void);

#endif
