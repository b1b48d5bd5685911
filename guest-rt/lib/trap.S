/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trap entry and exit.  A stub per vector pushes what the host did not, then
 * all registers are saved and the user data selector goes into DS and ES, as a
 * 32-bit Linux does.  The way back restores the virtual interrupt flag and
 * returns in a window in which the host does not interrupt.
 */
#include <guest-rt/abi.h>
#include <lguest/hypercall.h>


	.text
	.balign	16
	.globl	trap_stubs
/* 16 bytes a stub, all 256 of them. */
trap_stubs:
	.set	vector, 0
	.rept	256
	.balign	16
	/* 8, 10..14 and 17 come with an error code. */
	.if	(vector != 8) && ((vector < 10) || (vector > 14)) && (vector != 17)
	pushl	$0
	.endif
	pushl	$vector
	jmp	trap_common
	.set	vector, vector + 1
	.endr

trap_common:
	cld
	pushl	%ds
	pushl	%es
	pushal
	movl	$LGUEST_USER_DS, %edx
	movl	%edx, %ds
	movl	%edx, %es
	pushl	%esp
	call	trap_dispatch
	addl	$4, %esp
	popal
	popl	%es
	popl	%ds
	addl	$8, %esp		/* vector and error code */
	jmp	guest_iret

	.globl	guest_iret
guest_iret:
#if GUEST_ABI == GUEST_ABI_F
	pushl	8(%esp)
	popl	%ss:lguest_data
	.globl	guest_noirq_start, guest_noirq_end
guest_noirq_start:
guest_noirq_end:
	iret
#else
	pushl	%eax
	movl	12(%esp), %eax		/* the saved EFLAGS */
	.globl	guest_noirq_start, guest_noirq_end
guest_noirq_start:
	movl	%eax, %ss:lguest_data
	popl	%eax
	iret
guest_noirq_end:
#endif

	.section .note.GNU-stack, "", @progbits
