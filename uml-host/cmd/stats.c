/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Statistics of run --stats, and those that the log's summary has at its end.
 */
#include <stdio.h>

#include "cmd/stats.h"
#include "engine/clock.h"

#define STOP_NAME(id, what) [STOP_##id] = what,
static const char *const stop_name[NR_STOPS] = { STOP_LIST(STOP_NAME) };

_Static_assert(NR_STOPS + 2 <= LOG_STOP_ROWS, "all causes fit, guest code, and waiting");

/* The run loop goes on counting meanwhile. */
static uint64_t now(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void stats_take(const void *context, struct log_stops *stops)
{
	const struct guest_stats *s = context;
	unsigned int i;

	*stops = (struct log_stops){ .n = NR_STOPS + 2, .gates = now(&s->gates) };
	for (i = 0; i < NR_STOPS; i++)
		stops->row[i] = (struct log_stop_row){
			stop_name[i], now(&s->stops[i]), now(&s->stop_ns[i]),
		};
	stops->row[i++] = (struct log_stop_row){
		"(guest code, the way there and back)", 0, now(&s->guest_ns),
	};
	stops->row[i] = (struct log_stop_row){ "(halted)", 0, now(&s->halted_ns) };
}

void stats_print(const struct guest_stats *s, const struct engine_counters *e)
{
	uint64_t ran = engine_clock_ns() - s->started_ns;
	struct log_stops stops;

	fprintf(stderr, "%12.3f s from the first instruction to the end\n", (double)ran / 1e9);
	if (s->user_ns)
		fprintf(stderr, "%12.3f s to the first user instruction\n",
			(double)(s->user_ns - s->started_ns) / 1e9);
	fprintf(stderr, "%12llu stops\n", (unsigned long long)e->stops);
	fprintf(stderr, "%12llu interrupts delivered\n", (unsigned long long)s->interrupts);
	fprintf(stderr, "%12llu changes of address space\n", (unsigned long long)s->views);
	fprintf(stderr, "%12llu mapping changes in %llu batches\n",
		(unsigned long long)e->operations, (unsigned long long)e->batches);
	stats_take(s, &stops);
	log_print_stops(stderr, &stops);
}
