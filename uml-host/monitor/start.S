/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the monitor of the direct engine begins, and the ways between it and
 * guest code.  A signal brings the guest here, or, for the calls its kernel makes
 * most, a gate: a jump.  An IRETQ sends it back; returning from the signal would
 * do the same and take longer.
 *
 * One stack region serves both: the monitor runs in its lower part, and as all of
 * it is the alternate signal stack, a signal that finds the monitor at work lands
 * below what it is doing.  One that finds guest code lands at the top, in the
 * upper part, where its frame stays: it has the guest's FPU registers.
 */
#include <asm/unistd_64.h>
#include "engine/gates.h"
#include "monitor/entry.h"

/* What the way back comes to: the caller, with the registers it counts on. */
	.macro	leave_own_stack
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, own_stack(%rip)
	.endm

	.macro	return_to_own_stack
	mov	own_stack(%rip), %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
	.endm

	.text
	.globl	_start
_start:
	mov	%rsp, %rdi
	lea	entry_stacks + ENTRY_STACK_BYTES(%rip), %rsp
	call	monitor_main
	hlt

/*
 * int entry_go(void): guest code as entry_to says, until it comes back.  Returns
 * the signal that brought it, or ENTRY_GATE, or ENTRY_NONE: somebody had sent a
 * signal, and guest code did not run.  Between begin and end monitor_signal
 * makes that of every signal.
 */
	.globl	entry_go, entry_begin, entry_end, entry_aborted
entry_go:
	leave_own_stack
entry_begin:
	cmpl	$0, entry_interrupted(%rip)
	jne	entry_aborted
	mov	entry_to + ENTRY_FPU(%rip), %rdi
	test	%rdi, %rdi
	jz	2f
	mov	entry_to + ENTRY_FPU_PARTS(%rip), %eax
	mov	entry_to + ENTRY_FPU_PARTS + 4(%rip), %edx
	mov	%eax, %ecx
	or	%edx, %ecx
	jz	1f
	xrstor64 (%rdi)
	jmp	2f
1:	fxrstor64 (%rdi)
2:	push	entry_to + ENTRY_SS(%rip)
	push	entry_to + ENTRY_RSP(%rip)
	push	entry_to + ENTRY_FLAGS(%rip)
	push	entry_to + ENTRY_CS(%rip)
	push	entry_to + ENTRY_RIP(%rip)
	mov	entry_to + ENTRY_EAX(%rip), %eax
	mov	entry_to + ENTRY_EBX(%rip), %ebx
	mov	entry_to + ENTRY_ECX(%rip), %ecx
	mov	entry_to + ENTRY_EDX(%rip), %edx
	mov	entry_to + ENTRY_ESI(%rip), %esi
	mov	entry_to + ENTRY_EDI(%rip), %edi
	mov	entry_to + ENTRY_EBP(%rip), %ebp
	iretq
entry_end:
entry_aborted:
	mov	$ENTRY_NONE, %eax
	return_to_own_stack

/* void handler(int signal, siginfo_t *, void *ucontext) */
	.globl	entry_handler
entry_handler:
	/* The guest's AC would make the monitor's own accesses trap. */
	push	$2
	popf
	sub	$8, %rsp
	call	entry_signal
	add	$8, %rsp
	test	%eax, %eax
	jnz	1f
	ret
1:	return_to_own_stack

/* From a gate: R8D is what the call pushed, R9D which gate it was. */
entry_gate:
	mov	%esp, entry_from + ENTRY_RSP(%rip)
	mov	%r8d, entry_from + ENTRY_RIP(%rip)
	mov	%r9d, entry_from + ENTRY_WHICH(%rip)
	mov	%eax, entry_from + ENTRY_EAX(%rip)
	mov	%ebx, entry_from + ENTRY_EBX(%rip)
	mov	%ecx, entry_from + ENTRY_ECX(%rip)
	mov	%edx, entry_from + ENTRY_EDX(%rip)
	mov	%esi, entry_from + ENTRY_ESI(%rip)
	mov	%edi, entry_from + ENTRY_EDI(%rip)
	mov	%ebp, entry_from + ENTRY_EBP(%rip)
	mov	own_stack(%rip), %rsp
	pushf
	pop	entry_from + ENTRY_FLAGS(%rip)
	push	$2
	popf
	mov	$ENTRY_GATE, %eax
	return_to_own_stack

	.globl	entry_restorer
entry_restorer:
	mov	$__NR_rt_sigreturn, %eax
	syscall
	hlt

/* Code for monitor_try: a signal there is guest code's. */
	.section entry_tried, "ax", @progbits
	.globl	entry_try_vmcall, entry_try_int_1f, entry_try_nothing
entry_try_vmcall:
	vmcall
entry_try_nothing:
	/* It speaks where an outer hypervisor swallows the call. */
	int3
entry_try_int_1f:
	int	$0x1f

/*
 * The page of gates, as guest code sees it.  32 bits up to the far jumps, which
 * change nothing but CS.
 */
	.macro	gate_to_monitor which
	mov	%esp, %r8d
	mov	(%r8), %r8d
	mov	$\which, %r9d
	movabs	$entry_gate, %r10
	jmp	*%r10
	.endm

#define GATE_64 0x40
	.section .rodata
	.globl	entry_gates, entry_gates_end
	.balign	16
entry_gates:
	.code32
	ljmp	$HOST_CS64, $GUEST_GATES + GATE_64
	.org	entry_gates + GATE_IRET, 0xcc
	ljmp	$HOST_CS64, $GUEST_GATES + GATE_64 + 0x40
	.org	entry_gates + GATE_IRET_F, 0xcc
	ljmp	$HOST_CS64, $GUEST_GATES + GATE_64 + 0x80
	.org	entry_gates + GATE_64, 0xcc
	.code64
	gate_to_monitor GATE_FOR_CALL
	.org	entry_gates + GATE_64 + 0x40, 0xcc
	gate_to_monitor GATE_FOR_IRET
	.org	entry_gates + GATE_64 + 0x80, 0xcc
	gate_to_monitor GATE_FOR_IRET_F
entry_gates_end:

	.bss
	.balign	8
own_stack:
	.quad	0

	.section .note.GNU-stack, "", @progbits
