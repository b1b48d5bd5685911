/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct lguest_data as the linker leaves it: the host recognises a generation
 * by exactly these constants.
 */
#include <guest-rt/guest.h>

extern const char guest_noirq_start[], guest_noirq_end[];

/* Not in .bss, whatever it holds: the host reads it before anything runs. */
volatile guest_data_t lguest_data __attribute__((section(".data.lguest"), aligned(64))) = {
	.blocked_interrupts = 1,	/* the timer, until it is wanted */
	.hcall_status = { [0 ... LGUEST_RING_SIZE - 1] = LGUEST_RING_FREE },
#if GUEST_ABI == GUEST_ABI_F
	.noirq_iret = (uint32_t)guest_noirq_end,
#else
	.noirq_start = (uint32_t)guest_noirq_start,
	.noirq_end = (uint32_t)guest_noirq_end,
#endif
	.kernel_address = 0xc0000000,
	.syscall_vec = LGUEST_SYSCALL_VECTOR,
};
