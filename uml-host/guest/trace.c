/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event ring: records the guest layer writes while it handles one exit and
 * the run loop takes out before the guest goes on.
 *
 * EVENT_END is not in the ring before the hypercall it belongs to: whoever ends
 * a guest does so in the middle of a call, and the call's own record is
 * committed first.  So the end is kept apart and read last.
 */
#include <string.h>

#include "engine/clock.h"
#include "guest/guest.h"

/* The owner may change what is wanted at any moment, from another thread. */
bool trace_wants_row(const struct guest *g, unsigned int row)
{
	return trace_wants(g, EVENT_HCALL) &&
	       (__atomic_load_n(&g->trace_rows, __ATOMIC_RELAXED) >> row & 1);
}

bool trace_wants(const struct guest *g, enum event_kind kind)
{
	return __atomic_load_n(&g->trace_kinds, __ATOMIC_RELAXED) >> kind & 1;
}

struct guest_event *trace_begin(struct guest *g, enum event_kind kind)
{
	const struct engine_regs *r = &g->cpu.v.regs;
	struct event_ring *ring = &g->events;
	struct guest_event *event;

	if (kind == EVENT_END) {
		event = &ring->last;
		ring->ended = true;
	} else {
		if (ring->head - ring->tail == EVENT_RING)
			return NULL;
		event = &ring->event[ring->head % EVENT_RING];
	}
	/* The text is valid up to text_len, and what follows it is all set. */
	memset(event, 0, offsetof(struct guest_event, text));
	event->text_more = event->tampered = false;
	event->device[0] = '\0';
	event->kind = (uint8_t)kind;
	event->cpl = (uint8_t)guest_cpl(g);
	event->eip = g->cpu.v.regs.eip;
	event->pae = g->mm.pae;
	memcpy(event->reg, (const uint32_t[8]) { r->eax, r->ecx, r->edx, r->ebx, r->esp, r->ebp,
						 r->esi, r->edi }, sizeof(event->reg));
	event->depth = g->lg.ring_depth;
	event->start_ns = engine_clock_ns();
	event->pages = g->space[guest_current_space(g)].mapped;
	return event;
}

void trace_commit(struct guest *g)
{
	g->events.head++;
}

const struct guest_event *trace_peek(const struct guest *g)
{
	const struct event_ring *ring = &g->events;

	if (ring->head != ring->tail)
		return &ring->event[ring->tail % EVENT_RING];
	return ring->ended ? &ring->last : NULL;
}

void trace_pop(struct guest *g)
{
	if (g->events.head != g->events.tail)
		g->events.tail++;
	else
		g->events.ended = false;
}
