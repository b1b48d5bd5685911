/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hypercalls in the convention of the generation, directly or through the
 * async ring.
 */
#include <guest-rt/guest.h>

#if GUEST_USES_VMCALL
#define TRAP "vmcall"
#else
#define TRAP "int $0x1f"
#endif

/* The oldest generations name their first argument in EDX. */
#if GUEST_ABI == GUEST_ABI_A
#define ARG1 "d"
#define ARG2 "b"
#define ARG3 "c"
#else
#define ARG1 "b"
#define ARG2 "c"
#define ARG3 "d"
#endif

static struct {
	bool lazy;
	uint32_t next;		/* slot of the ring that is filled next */
} ring;

/* The host promises to change no register; volatile and "memory" because it
 * changes everything else. */
void hcall0(uint32_t nr)
{
	__asm__ volatile(TRAP : : "a"(nr) : "memory");
}

void hcall1(uint32_t nr, uint32_t a)
{
	__asm__ volatile(TRAP : : "a"(nr), ARG1(a) : "memory");
}

void hcall2(uint32_t nr, uint32_t a, uint32_t b)
{
	__asm__ volatile(TRAP : : "a"(nr), ARG1(a), ARG2(b) : "memory");
}

void hcall3(uint32_t nr, uint32_t a, uint32_t b, uint32_t c)
{
	__asm__ volatile(TRAP : : "a"(nr), ARG1(a), ARG2(b), ARG3(c) : "memory");
}

void hcall4(uint32_t nr, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
#if GUEST_HAS_ESI
	__asm__ volatile(TRAP : : "a"(nr), ARG1(a), ARG2(b), ARG3(c), "S"(d) : "memory");
#else
	(void)d;
	hcall3(nr, a, b, c);
#endif
}

void hcall_int(uint32_t nr, uint32_t a, uint32_t b, uint32_t c)
{
	__asm__ volatile("int $0x1f" : : "a"(nr), ARG1(a), ARG2(b), ARG3(c) : "memory");
}

bool async_hcall(uint32_t nr, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	uint32_t flags = lguest_data.irq_enabled, slot = ring.next;

	/* An interrupt handler may use the ring as well. */
	irq_disable();
	if (lguest_data.hcall_status[slot] != LGUEST_RING_FREE) {
		/* Full: the direct call makes the host empty it first. */
		lguest_data.irq_enabled = flags;
		hcall4(nr, a, b, c, d);
		return false;
	}
	lguest_data.hcalls[slot].eax = nr;
#if GUEST_ABI == GUEST_ABI_A
	lguest_data.hcalls[slot].edx = a;
	lguest_data.hcalls[slot].ebx = b;
	lguest_data.hcalls[slot].ecx = c;
#else
	lguest_data.hcalls[slot].ebx = a;
	lguest_data.hcalls[slot].ecx = b;
	lguest_data.hcalls[slot].edx = c;
#endif
#if GUEST_HAS_ESI
	lguest_data.hcalls[slot].esi = d;
#else
	(void)d;
#endif
	/* The host may look as soon as the status says so. */
	__asm__ volatile("" : : : "memory");
	lguest_data.hcall_status[slot] = LGUEST_RING_FILLED;
	ring.next = (slot + 1) % LGUEST_RING_SIZE;
	lguest_data.irq_enabled = flags;
	return true;
}

void lazy_enter(void)
{
	ring.lazy = true;
}

void lazy_leave(void)
{
	ring.lazy = false;
	hcall0(LHCALL_FLUSH_ASYNC);
}

void lazy_hcall(uint32_t nr, uint32_t a, uint32_t b, uint32_t c)
{
	if (ring.lazy)
		async_hcall(nr, a, b, c, 0);
	else
		hcall3(nr, a, b, c);
}
