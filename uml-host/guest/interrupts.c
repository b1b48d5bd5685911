/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual interrupts: 32 lines, pending until the guest can take them.  There
 * is no end-of-interrupt; the guest's blocked mask is the only flow control.
 */
#include "guest/guest.h"

void hcall_halt(struct guest *g, const uint32_t arg[4])
{
	(void)arg;
	g->cpu.halted = true;
}

/* Leaving the guest is all it is for: interrupts are looked at on the way back. */
void hcall_send_interrupts(struct guest *g, const uint32_t arg[4])
{
	(void)g;
	(void)arg;
}

void guest_raise_irq(struct guest *g, unsigned int irq)
{
	if (irq < LGUEST_IRQS)
		__atomic_fetch_or(&g->irq_pending, 1u << irq, __ATOMIC_SEQ_CST);
}

static void trace_irq(struct guest *g, unsigned int irq, uint64_t gate)
{
	struct guest_event *event;

	if (!trace_wants(g, EVENT_IRQ))
		return;
	event = trace_begin(g, EVENT_IRQ);
	if (!event)
		return;
	event->vector = (uint8_t)irq;
	event->handler = gate_offset(gate);
	trace_commit(g);
}

static uint32_t deliverable(struct guest *g)
{
	return __atomic_load_n(&g->irq_pending, __ATOMIC_SEQ_CST) &
	       ~guest_blocked_interrupts(g);
}

/* Between restoring the virtual interrupt flag and its IRET the guest must not
 * be interrupted (ABI 5.6); nor while one instruction borrows segments. */
static bool in_window(const struct guest *g)
{
	uint32_t eip = g->cpu.v.regs.eip;

	return g->cpu.low_step ||
	       (eip >= g->lg.noirq_start && eip < g->lg.noirq_end &&
		guest_cpl(g) == CPL_KERNEL);
}

static void deliver(struct guest *g, unsigned int irq, uint64_t gate)
{
	__atomic_fetch_and(&g->irq_pending, ~(1u << irq), __ATOMIC_SEQ_CST);
	g->stats.interrupts++;
	trace_irq(g, irq, gate);
	guest_push_frame(g, gate, false, 0);
	/* The original host never cleared it again, by mistake; the guest only
	 * reads it. */
	if (!deliverable(g))
		guest_set_irq_pending(g, 0);
}

/*
 * Tour 210: On the way back: has something happened meanwhile that the guest should
 * know?  Whether it wants to is a bit in its own memory, so that turning
 * interrupts off costs it no call.
 */
/* The order is that of ABI 5.4. */
bool guest_deliver_interrupts(struct guest *g)
{
	uint32_t candidates;
	unsigned int irq;
	uint64_t gate;

	if (!g->lg.initialised || !(candidates = deliverable(g)))
		return false;
	irq = (unsigned int)__builtin_ctz(candidates);
	if (in_window(g))
		return true;
	if (g->cpu.halted) {
		/* HALT enables them; the guest calls it with interrupts off. */
		guest_set_irq_enabled(g, EFLAGS_IF);
		g->cpu.halted = false;
	} else if (!guest_irq_enabled(g)) {
		guest_set_irq_pending(g, EFLAGS_IF);
		return true;
	}
	gate = g->idt[LGUEST_IRQ_VECTOR + irq];
	if (gate_present(gate))
		deliver(g, irq, gate);
	guest_update_time(g);
	return false;
}
