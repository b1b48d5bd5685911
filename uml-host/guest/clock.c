/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's one-shot clock: virtual IRQ 0 when it runs out.  Kept on the
 * monotonic clock, so that setting the host's time does not disturb it.
 */
#include "engine/clock.h"
#include "guest/guest.h"

#define CLOCK_IRQ 0

void hcall_set_clockevent(struct guest *g, const uint32_t arg[4])
{
	/* 0 cancels.  Generations S, B and C cancel with garbage in the
	 * register (ABI 1.2): that costs them a spurious interrupt. */
	g->clock_deadline = arg[0] ? engine_clock_ns() + arg[0] : 0;
	g->clock_changed = true;
}

void guest_check_clock(struct guest *g)
{
	if (!g->clock_deadline || engine_clock_ns() < g->clock_deadline)
		return;
	g->clock_deadline = 0;
	guest_raise_irq(g, CLOCK_IRQ);
}
