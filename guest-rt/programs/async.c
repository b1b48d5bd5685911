/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The async ring: filled to the brim, beyond it, around its end, and in order.
 *
 * The order is seen through SET_PTE-free means: each call loads an IDT entry,
 * the last one wins, and a trap tells which that was.
 */
#include <guest-rt/guest.h>

static volatile unsigned int hits[2];

static void first(struct trap_frame *frame) { (void)frame; hits[0]++; }
static void second(struct trap_frame *frame) { (void)frame; hits[1]++; }

static unsigned int pending(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < LGUEST_RING_SIZE; i++)
		n += lguest_data.hcall_status[i] == LGUEST_RING_FILLED;
	return n;
}

/* Vector 5's gate leads to the stub of `vector`, through the ring. */
static bool queue_gate(unsigned int vector)
{
	uint32_t offset = (uint32_t)trap_entry(vector);

	return async_hcall(LHCALL_LOAD_IDT_ENTRY, 3, 0x60u << 16 | (offset & 0xffff),
			   (offset & 0xffff0000) | 0xee00, 0);
}

static void fill_exactly(void)
{
	unsigned int i;

	for (i = 0; i < LGUEST_RING_SIZE; i++)
		CHECK(async_hcall(LHCALL_TS, i & 8, 0, 0, 0));
	CHECK(pending() == LGUEST_RING_SIZE);
	hcall0(LHCALL_FLUSH_ASYNC);
	CHECK(pending() == 0);
	printf("64 calls: all made by one FLUSH_ASYNC\n");
}

static void overflow(void)
{
	unsigned int i, direct = 0;

	/* The 65th finds the ring full and is made at once, after the others. */
	for (i = 0; i < LGUEST_RING_SIZE + 1; i++)
		direct += !async_hcall(LHCALL_TS, 0, 0, 0, 0);
	CHECK(direct == 1);
	CHECK(pending() == 0);
	printf("65 calls: the last one directly, nothing left behind\n");
}

static void wrap_around(void)
{
	unsigned int round, i;

	for (round = 0; round < 10; round++) {
		for (i = 0; i < 40; i++)
			CHECK(async_hcall(LHCALL_TS, 0, 0, 0, 0));
		CHECK(pending() == 40);
		hcall0(LHCALL_FLUSH_ASYNC);
		CHECK(pending() == 0);
	}
	printf("10 times 40 calls: around the end of the ring\n");
}

static void in_order(void)
{
	trap_set_handler(6, first);
	trap_set_handler(7, second);
	CHECK(queue_gate(6));
	CHECK(queue_gate(7));
	hcall0(LHCALL_FLUSH_ASYNC);
	__asm__ volatile("int3");
	CHECK(hits[0] == 0 && hits[1] == 1);
	/* Not made before a trap: an int3 is none for the ring. */
	CHECK(queue_gate(6));
	__asm__ volatile("int3");
	CHECK(hits[0] == 0 && hits[1] == 2);
	/* Any hypercall empties the ring before it is made itself. */
	hcall1(LHCALL_TS, 0);
	__asm__ volatile("int3");
	CHECK(hits[0] == 1 && hits[1] == 2);
	printf("order: the last of two wins, and only hypercalls drain\n");
}

/* A NOTIFY in the ring stops the draining until it is served; the trapped call
 * is made after all of it. */
static void notify_in_ring(void)
{
	static const char text[] = "text from the ring\n";

	CHECK(async_hcall(LHCALL_TS, 0, 0, 0, 0));
	CHECK(async_hcall(LHCALL_NOTIFY, guest_pa(text), 0, 0, 0));
	CHECK(async_hcall(LHCALL_TS, 0, 0, 0, 0));
	hcall0(LHCALL_FLUSH_ASYNC);
	CHECK(pending() == 0);
}

/* No call changes a register. */
static void registers(void)
{
	uint32_t a = LHCALL_FLUSH_ASYNC, b = 0x11111111, c = 0x22222222, d = 0x33333333;
	uint32_t si = 0x44444444, di = 0x55555555;

	__asm__ volatile("int $0x1f" : "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+S"(si), "+D"(di));
	CHECK(a == LHCALL_FLUSH_ASYNC && b == 0x11111111 && c == 0x22222222);
	CHECK(d == 0x33333333 && si == 0x44444444 && di == 0x55555555);
	a = LHCALL_FLUSH_ASYNC;
	__asm__ volatile("vmcall" : "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+S"(si), "+D"(di));
	CHECK(a == LHCALL_FLUSH_ASYNC && b == 0x11111111 && c == 0x22222222);
	CHECK(d == 0x33333333 && si == 0x44444444 && di == 0x55555555);
	printf("registers: unchanged\n");
}

int guest_main(void)
{
	gdt_load();
	idt_load();
	fill_exactly();
	overflow();
	wrap_around();
	in_order();
	notify_in_ring();
	registers();
	return 0;
}
