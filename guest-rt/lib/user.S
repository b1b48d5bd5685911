/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Into user mode and back: a stay there looks like a function call.
 */
#include <lguest/hypercall.h>

	.text
/* void user_enter(eip, esp, eflags) */
	.globl	user_enter
user_enter:
	pushl	%ebx
	pushl	%esi
	pushl	%edi
	pushl	%ebp
	movl	%esp, user_kernel_esp
	movl	20(%esp), %eax
	movl	24(%esp), %ecx
	movl	28(%esp), %edx
	pushl	$LGUEST_USER_DS
	pushl	%ecx
	pushl	%edx
	pushl	$LGUEST_USER_CS
	pushl	%eax
	/* As Linux enters a program: the user's selectors, nothing else. */
	movl	$LGUEST_USER_DS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	xorl	%eax, %eax
	xorl	%ebx, %ebx
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%esi, %esi
	xorl	%edi, %edi
	xorl	%ebp, %ebp
	jmp	guest_iret		/* with the virtual interrupt flag */

/* The way back, from a trap handler. */
	.globl	user_leave
user_leave:
	movl	user_kernel_esp, %esp
	popl	%ebp
	popl	%edi
	popl	%esi
	popl	%ebx
	ret

	.bss
	.balign	4
user_kernel_esp:
	.skip	4

	.section .note.GNU-stack, "", @progbits
