/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the monitor of the direct engine begins, and the two ways between it
 * and guest code: a signal brings the guest here, a signal return sends it back.
 *
 * The monitor has two stacks.  On its own it runs the guest's loop in C, as the
 * supervisor does elsewhere.  The alternate one only ever holds the frame the
 * kernel wrote at the last signal, which is the guest's registers: changed
 * there, they are what it goes on with.
 */
#include <asm/unistd_64.h>

/* What the handler comes back to: the caller, with the registers it counts on. */
	.macro	leave_own_stack
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, own_stack(%rip)
	.endm

	.text
	.globl	_start
_start:
	mov	%rsp, %rdi
	and	$-16, %rsp
	call	monitor_main
	hlt

/*
 * int monitor_enter(void *frame): runs guest code as `frame` (a ucontext) says
 * until the next signal; returns its number.  The frame of that one is in
 * monitor_frame, what the kernel knows of it in monitor_info.
 */
	.globl	monitor_enter
monitor_enter:
	leave_own_stack
	mov	%rdi, %rsp
	/* What the kernel does not take from the frame it keeps as it is: NT
	 * and ID.  The word below the frame is ours. */
	push	%rsi
	popf
	mov	$__NR_rt_sigreturn, %eax
	syscall
	hlt

/* int monitor_first_frame(void): a frame to begin with, made by a breakpoint. */
	.globl	monitor_first_frame
monitor_first_frame:
	leave_own_stack
	int3
	hlt

/* void handler(int signal, siginfo_t *, void *ucontext) */
	.globl	monitor_handler
monitor_handler:
	/* The guest's AC would make the monitor's own accesses trap. */
	push	$2
	popf
	mov	%rsi, monitor_info(%rip)
	mov	%rdx, monitor_frame(%rip)
	mov	%edi, %eax
	mov	own_stack(%rip), %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.globl	monitor_restorer
monitor_restorer:
	mov	$__NR_rt_sigreturn, %eax
	syscall
	hlt

	.bss
	.balign	8
own_stack:
	.quad	0
	.globl	monitor_frame, monitor_info
monitor_frame:
	.quad	0
monitor_info:
	.quad	0

	.section .note.GNU-stack, "", @progbits
