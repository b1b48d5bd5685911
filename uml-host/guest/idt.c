/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtual IDT: 256 gates, each as the two words the guest gave, with what
 * the guest may not choose replaced (ABI 5.1).
 */
#include "guest/guest.h"

#define GATE_PRESENT 0x8000u		/* in the high word */
#define GATE_TYPE(hi) ((hi) >> 8 & 0xf)
#define GATE_INTERRUPT 0xeu
#define GATE_TRAP 0xfu
#define GATE_HI_KEPT 0xef00u		/* P, DPL, type */

/* NMI, double fault (Linux puts a task gate there), the unused 15 and the
 * hypercall itself are not the guest's to set. */
static bool is_ignored(uint32_t vector)
{
	return vector == VECTOR_NMI || vector == VECTOR_DF || vector == 15 ||
	       vector == LGUEST_TRAP_ENTRY;
}

void hcall_load_idt_entry(struct guest *g, const uint32_t arg[4])
{
	uint32_t vector = arg[0], lo = arg[1], hi = arg[2];

	if (vector >= LGUEST_IDT_ENTRIES) {
		kill_guest(g, "IDT vector %u, at most 255", vector);
		return;
	}
	if (is_ignored(vector))
		return;
	if (!(hi & GATE_PRESENT)) {
		g->idt[vector] = 0;
		return;
	}
	if (GATE_TYPE(hi) != GATE_INTERRUPT && GATE_TYPE(hi) != GATE_TRAP) {
		kill_guest(g, "IDT vector %u: gate type 0x%x, only interrupt (0xe) and trap (0xf) gates are possible",
			   vector, GATE_TYPE(hi));
		return;
	}
	lo = (uint32_t)LGUEST_KERNEL_CS << 16 | (lo & 0xffff);
	hi = (hi & 0xffff0000) | (hi & GATE_HI_KEPT);
	g->idt[vector] = (uint64_t)hi << 32 | lo;
}

bool gate_present(uint64_t gate)
{
	return gate >> 32 & GATE_PRESENT;
}

bool gate_masks_interrupts(uint64_t gate)
{
	return GATE_TYPE((uint32_t)(gate >> 32)) == GATE_INTERRUPT;
}

unsigned int gate_dpl(uint64_t gate)
{
	return (unsigned int)(gate >> 45) & 3;
}

uint32_t gate_offset(uint64_t gate)
{
	return (uint32_t)(gate >> 32 & 0xffff0000) | (uint32_t)(gate & 0xffff);
}
