/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a host of this generation owes its guest after LGUEST_INIT: the fields
 * it fills, registers, traps, the clock, lazy calls.  Built for every generation; without
 * NOTIFY (F) it can only succeed or crash.
 */
#include <guest-rt/guest.h>

static volatile unsigned int ticks, opcodes;

static void on_timer(struct trap_frame *frame)
{
	CHECK(frame->cs == LGUEST_KERNEL_CS);
	ticks++;
}

static void on_opcode(struct trap_frame *frame)
{
	opcodes++;
	frame->eip += 2;	/* over the ud2 */
}

static void fields(void)
{
	CHECK(lguest_data.reserve_mem >= 4096 && !(lguest_data.reserve_mem & 4095));
	CHECK(lguest_data.time.tv_sec > 1000000000);
	CHECK(lguest_data.time.tv_nsec >= 0 && lguest_data.time.tv_nsec < 1000000000);
#if GUEST_ABI <= GUEST_ABI_C
	CHECK(lguest_data.pgdir && !(lguest_data.pgdir & 4095));
#endif
}

static void traps(void)
{
	uint32_t flags = EFLAGS_IF;

	trap_set_handler(6, on_opcode);
	lguest_data.irq_enabled = flags;
	__asm__ volatile("ud2");
	CHECK(opcodes == 1);
	/* An interrupt gate masked interrupts, the way back restored them. */
	CHECK(lguest_data.irq_enabled & EFLAGS_IF);
	irq_disable();
}

static void clock(void)
{
	trap_set_handler(LGUEST_IRQ_VECTOR, on_timer);
	lguest_data.blocked_interrupts = 0;
	hcall1(LHCALL_SET_CLOCKEVENT, 1000000);
	hcall0(LHCALL_HALT);
	CHECK(ticks == 1);
	/* Enabled by a store nobody is told of: the host has to look. */
	irq_disable();
	hcall1(LHCALL_SET_CLOCKEVENT, 1000);
	irq_enable();
	while (ticks == 1)
		;
	irq_disable();
}

static void lazy(void)
{
	lazy_enter();
	lazy_hcall(LHCALL_TS, 8, 0, 0);
	lazy_hcall(LHCALL_TS, 0, 0, 0);
	CHECK(lguest_data.hcall_status[0] == LGUEST_RING_FILLED);
	lazy_leave();
	CHECK(lguest_data.hcall_status[0] == LGUEST_RING_FREE);
}

/* No call returns anything, EAX included (ABI 1.2). */
static void registers(void)
{
	uint32_t eax = LHCALL_FLUSH_ASYNC;

	__asm__ volatile("int $0x1f" : "+a"(eax) : : "memory");
	CHECK(eax == LHCALL_FLUSH_ASYNC);
}

int guest_main(void)
{
	fields();
	registers();
	gdt_load();
	idt_load();
	traps();
	clock();
	lazy();
	printf("all is as the ABI says\n");
	return 0;
}
