/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gates: where the guest's kernel and its host share an address space, a trap costs
 * a hundred times what a jump does.  So sites that trap often are rewritten to
 * call a gate, a few instructions in the top of memory that is the host's: they
 * jump out of the guest's 32 bits to where the host runs (engine/rewrite.c).
 *
 * What comes out of a gate is the stop the trap would have been, so nobody else
 * knows the difference: not the log, not the guest.  Programs have no gates.  One
 * that finds its way into its kernel's, where both share a view, has left its 32
 * bits like any other.
 */
#include "engine/exit.h"
#include "guest/guest.h"

#define IRET 0xcf
#define NOP_BYTES 1
#define POP_BYTES 1

bool guest_demand_gate(struct guest *g, uint32_t address, uint32_t error)
{
	struct space *view = guest_view(g, g->mm.current, CPL_KERNEL);

	if (!guest_is_gate(g, address) || guest_cpl(g) != CPL_KERNEL || (error & PF_WRITE))
		return false;
	space_map(view, GUEST_GATES >> GUEST_PAGE_SHIFT, g->gate_frame, 1, SPACE_READ | SPACE_EXEC);
	view->urgent = true;
	return true;
}

/* The word on top of its stack, taken from there. */
static uint32_t pop(struct guest *g)
{
	struct engine_regs *r = &g->cpu.v.regs;
	uint32_t word = 0;

	if (guest_read_virtual(g, r->esp, &word, sizeof(word)) != sizeof(word))
		kill_guest(g, "came by a gate with no stack at 0x%x", r->esp);
	r->esp += sizeof(word);
	return word;
}

void guest_came_by_gate(struct guest *g, unsigned int gate)
{
	struct engine_regs *r = &g->cpu.v.regs;
	struct engine_exit *x = &g->cpu.v.exit;

	if (guest_cpl(g) != CPL_KERNEL ||
	    (gate == GATE_FOR_CALL && !guest_find_hole(g, r->eip, &r->eip))) {
		x->kind = ENGINE_EXIT_LONG_MODE;
		return;
	}
	/* What the call pushed. */
	r->esp += 4;
	exit_trap(x, VECTOR_GP, IDT_ERROR(LGUEST_TRAP_ENTRY));
	x->gate = true;
	g->stats.gates++;
	if (gate == GATE_FOR_CALL)
		return;
	x->error = 0;
	x->insn[0] = IRET;
	x->insn_len = 1;
	r->eip += NOP_BYTES;
	if (gate == GATE_FOR_IRET) {
		guest_set_irq_enabled(g, r->eax);
		r->eax = pop(g);
		r->eip += POP_BYTES;
	} else {
		guest_set_irq_enabled(g, pop(g));
		r->eip += NOP_BYTES;
	}
}
