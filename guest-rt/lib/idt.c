/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's IDT: a stub for every vector it uses, and who handles it.
 */
#include <guest-rt/guest.h>

#define GATE_INTERRUPT 0xeu
#define GATE_TRAP 0xfu
#define STUB_BYTES 16

extern const char trap_stubs[];
void trap_dispatch(struct trap_frame *frame);

static trap_handler *handlers[LGUEST_IDT_ENTRIES];

void (*trap_entry(unsigned int vector))(void)
{
	return (void (*)(void))(trap_stubs + vector * STUB_BYTES);
}

void idt_set_gate(unsigned int vector, void (*entry)(void), unsigned int type,
		  unsigned int dpl)
{
	uint32_t offset = (uint32_t)entry;

	hcall3(LHCALL_LOAD_IDT_ENTRY, vector, 0x60u << 16 | (offset & 0xffff),
	       (offset & 0xffff0000) | 0x8000 | dpl << 13 | type << 8);
}

void trap_set_handler(unsigned int vector, trap_handler *handler)
{
	handlers[vector & 255] = handler;
}

void idt_load(void)
{
	unsigned int vector;

	/* Exceptions: interrupt gates, as kernels since 2.6.28 have them; int3
	 * and into are anybody's. */
	for (vector = 0; vector < 20; vector++)
		if (vector != 15)
			idt_set_gate(vector, trap_entry(vector), GATE_INTERRUPT,
				     vector == 3 || vector == 4 ? 3 : 0);
	for (vector = LGUEST_IRQ_VECTOR; vector < LGUEST_IRQ_VECTOR + 16; vector++)
		idt_set_gate(vector, trap_entry(vector), GATE_INTERRUPT, 0);
	idt_set_gate(LGUEST_SYSCALL_VECTOR, trap_entry(LGUEST_SYSCALL_VECTOR), GATE_TRAP, 3);
}

void trap_dispatch(struct trap_frame *frame)
{
	trap_handler *handler = handlers[frame->vector & 255];

	if (!handler)
		guest_panic("trap %u at 0x%x, error code 0x%x", (unsigned int)frame->vector,
			    (unsigned int)frame->eip, (unsigned int)frame->error);
	handler(frame);
}
