/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts: masked, disabled, pending, one after the other; and a storm of
 * them through the window between restoring the interrupt flag and IRET, where
 * none may come.
 */
#include <guest-rt/guest.h>

static volatile unsigned int ticks, nested, traps;
static volatile bool inside;

static void on_tick(struct trap_frame *frame)
{
	extern const char guest_noirq_start[], guest_noirq_end[];

	ticks++;
	/* The handler came through an interrupt gate: nothing comes now. */
	nested += inside;
	inside = true;
	CHECK(!(lguest_data.irq_enabled & EFLAGS_IF));
	CHECK(frame->eflags & EFLAGS_IF);
	CHECK(frame->cs == LGUEST_KERNEL_CS);
	CHECK(frame->eip < (uint32_t)guest_noirq_start || frame->eip >= (uint32_t)guest_noirq_end);
	inside = false;
}

static void on_int3(struct trap_frame *frame)
{
	(void)frame;
	traps++;
}

static void spin(unsigned int n)
{
	while (n--)
		__asm__ volatile("pause");
}

static void one(uint32_t ns)
{
	hcall1(LHCALL_SET_CLOCKEVENT, ns);
}

int guest_main(void)
{
	unsigned int i, before, seen;

	gdt_load();
	idt_load();
	trap_set_handler(LGUEST_IRQ_VECTOR, on_tick);
	trap_set_handler(3, on_int3);

	/* Disabled: it waits, and comes when a plain store enables it. */
	lguest_data.blocked_interrupts = 0;
	one(1000);
	spin(100000);
	CHECK(ticks == 0);
	irq_enable();
	while (ticks == 0)
		;
	/* Masked: it waits for the mask. */
	lguest_data.blocked_interrupts = 1;
	one(1000);
	spin(100000);
	CHECK(ticks == 1);
	lguest_data.blocked_interrupts = 0;
	while (ticks == 1)
		;
	/* Cancelled: it never comes. */
	irq_disable();
	one(50000000);
	one(0);
	irq_enable();
	spin(100000);
	CHECK(ticks == 2);
	/* HALT enables them. */
	irq_disable();
	one(1000000);
	hcall0(LHCALL_HALT);
	CHECK(ticks == 3);
	printf("masked, disabled, cancelled, halted\n");

	/* Traps and ticks through each other; every IRET passes the window.  The
	 * next tick is asked for here, not by the handler: on a busy host each
	 * would be due before the one before it has returned. */
	irq_enable();
	before = seen = ticks;
	one(1);
	for (i = 0; i < 3000 || ticks < before + 200; i++) {
		__asm__ volatile("int3");
		if (ticks != seen) {
			seen = ticks;
			one(1 + i * 7919 % 40000);
		}
	}
	irq_disable();
	CHECK(traps == i && nested == 0);
	printf("a storm: every trap returned, no interrupt inside another\n");
	return 0;
}
