/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The async ring: hypercalls a guest wrote down to be made at its next trap.
 *
 * One snapshot of the 64 status bytes decides what is drained; each entry is
 * copied once, made like a direct call, and freed afterwards (ABI 1.6).  A
 * guest that fills entries while they are drained waits for the next trap.
 */
#include <string.h>

#include "engine/clock.h"
#include "guest/guest.h"

/*
 * Tour 90: The ring has 64 slots and one byte for each that says whether it is free.
 * The bytes are copied once, and the copy decides: a guest that writes faster
 * than we read waits for its next trap.
 */
void guest_drain_ring(struct guest *g)
{
	struct ring_place place = guest_ring_place(g);
	uint8_t status[LGUEST_RING_SIZE];
	unsigned int i;

	g->lg.ring_depth = 0;
	guest_read(g, place.status, status, sizeof(status));
	for (i = 0; i < LGUEST_RING_SIZE; i++) {
		static const uint8_t free_slot = LGUEST_RING_FREE;
		uint32_t slot = g->lg.ring_next;
		uint32_t word[5] = { 0 };

		if (status[slot] == LGUEST_RING_FREE)
			break;
		g->lg.ring_depth++;
		g->lg.ring_next = (slot + 1) % LGUEST_RING_SIZE;
		guest_read(g, gpa(place.calls.v + slot * place.entry_bytes), word,
			   place.entry_bytes);
		guest_do_hcall(g, word, CAUSE_ASYNC);
		guest_write(g, gpa(place.status.v + slot), &free_slot, 1);
		if (g->end != END_RUNNING || g->request != REQUEST_NONE)
			return;
	}
	/* What is found next was written after this. */
	if (trace_wants(g, EVENT_HCALL))
		g->lg.ring_empty_ns = engine_clock_ns();
}
