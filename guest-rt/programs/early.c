/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a host must refuse before a guest has started: cases like those of
 * refuse.c, with a start of their own instead of the runtime's.  Same table:
 * "case NAME abi LETTER: STATUS REASON".
 */
#include <guest-rt/guest.h>

#define case_first_call 1
#define case_data_outside 2
#define case_data_at_end 3
#define case_syscall_vector 4
#define case_kernel_address 5
#define case_unaligned_kernel 6
#define case_trap_before_init 7

/* case first-call abi s: 4 the first hypercall is 10, not LGUEST_INIT */
/* case data-outside abi s: 4 lguest_data at 0xf0000000 is outside memory */
/* case data-at-end abi s: 4 lguest_data at 0x10fff00 is outside memory */
/* case syscall-vector abi s: 4 system-call vector 0x81 */
/* case kernel-address abi s: 4 kernel_address 0xffc00000 lies in the reserved top */
/* case unaligned-kernel abi s: 4 kernel_address 0xc0000123 is not page aligned */
/* case trap-before-init abi s: 4 unhandled trap 6 */

void early(void);

__asm__(".section .text.start, \"ax\"\n"
	".globl _start\n"
	"_start:\n"
	"	movl $guest_stack_end, %esp\n"
	"	jmp early\n"
	".previous\n"
	".bss\n"
	".skip 4096\n"
	"guest_stack_end:\n"
	".previous\n");

void early(void)
{
	uint32_t at = guest_pa(&lguest_data), nr = LHCALL_LGUEST_INIT;

#if CASE == case_first_call
	nr = LHCALL_HALT;
#elif CASE == case_data_outside
	at = 0xf0000000;
#elif CASE == case_data_at_end
	/* The test gives 16 MiB, and 1 MiB lies behind them. */
	at = 0x10fff00;
#elif CASE == case_syscall_vector
	lguest_data.syscall_vec = 0x81;
#elif CASE == case_kernel_address
	lguest_data.kernel_address = 0xffc00000;
#elif CASE == case_unaligned_kernel
	lguest_data.kernel_address = 0xc0000123;
#elif CASE == case_trap_before_init
	__asm__ volatile("ud2");
#endif
	hcall1(nr, at);
	hcall1(LHCALL_LGUEST_INIT, guest_pa(&lguest_data));
	guest_panic("SURVIVED");
}

int guest_main(void)
{
	return 1;
}
