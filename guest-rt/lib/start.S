/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a guest begins: at a physical address, all registers zero, no stack.
 * The first hypercall is LGUEST_INIT, as every generation makes it: call number
 * and one address, then a jump on.
 */
#include <guest-rt/abi.h>
#include <lguest/hypercall.h>

	.section .text.start, "ax"
	.globl	_start
_start:
	movl	$1, %eax		/* LHCALL_LGUEST_INIT */
#if GUEST_ABI == GUEST_ABI_A
	movl	$lguest_data, %edx
	int	$LGUEST_TRAP_ENTRY
#else
	movl	$lguest_data, %ebx
#if GUEST_USES_VMCALL
	vmcall
#else
	int	$LGUEST_TRAP_ENTRY
#endif
#endif
	movl	$guest_stack_end, %esp
	xorl	%ebp, %ebp
	call	guest_begin
1:	jmp	1b

	.bss
	.balign	4096
	.globl	guest_stack, guest_stack_end
guest_stack:
	.skip	16384
guest_stack_end:

	.section .note.GNU-stack, "", @progbits
