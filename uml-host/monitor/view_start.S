/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The code of a user view: what guest programs come back to at every signal, and
 * the mapper.  It keeps nothing in memory but what it tells the monitor; guest
 * code may have written anything in between.
 */
#include <asm/unistd_64.h>
#include "monitor/view.h"
#include "engine/calls.h"

#define CLONE_VM 0x100
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_BITSET_MATCH_ANY 0xffffffff
#define SIGTRAP 5
#define SIGKILL 9
#define SIG_SETMASK 2
#define PR_SET_PDEATHSIG 1
#define SECCOMP_SET_MODE_FILTER 1

/* RDX: struct view_filter. */
	.macro	call_seccomp
	mov	$__NR_seccomp, %eax
	mov	$SECCOMP_SET_MODE_FILTER, %edi
	xor	%esi, %esi
	syscall
	test	%rax, %rax
	jnz	failed_to_start
	.endm

	.text
	.globl	_start
_start:
	mov	%rsp, %rdi
	and	$-16, %rsp
	call	view_main
	hlt

/*
 * void view_go(void): makes the mapper and locks both in.  Guest code begins with
 * the frame of a breakpoint.  From the clone on both run on one stack, so neither
 * touches it.
 */
	.globl	view_go
view_go:
	mov	$__NR_getpid, %eax
	syscall
	mov	%rax, %r13
	mov	$__NR_clone, %eax
	/* Memory shared, descriptors not; and its end would be ours. */
	mov	$(CLONE_VM | SIGKILL), %edi
	xor	%esi, %esi
	xor	%edx, %edx
	xor	%r10d, %r10d
	xor	%r8d, %r8d
	syscall
	test	%rax, %rax
	jz	mapper
	js	failed_to_start
	movabs	$VIEW_SLICE, %rbx
	mov	%rax, VIEW_P_MAPPER(%rbx)
	mov	$__NR_close, %eax
	mov	$VIEW_FD_RAM, %edi
	syscall
	mov	$__NR_close, %eax
	mov	$VIEW_FD_ANSWERS, %edi
	syscall
	/* A signal from outside must not come before the filter: its frame would be
	 * in memory the monitor can write.  monitor/views.c lets them in later. */
	mov	$__NR_rt_sigprocmask, %eax
	mov	$SIG_SETMASK, %edi
	lea	but_breakpoint(%rip), %rsi
	xor	%edx, %edx
	mov	$8, %r10d
	syscall
	movabs	$VIEW_GUEST_FILTER, %rdx
	call_seccomp
	int3
	hlt

failed_to_start:
	movabs	$VIEW_SLICE, %rbx
	mov	%rax, VIEW_P_FAILED(%rbx)
	ud2

/* A selector that would fault becomes the null one, as in the kernel. */
	.macro	load_segment reg, at
	mov	\at(%rbx), %eax
	mov	%\reg, %ecx
	/* Reading one is cheap, and most never change; but an entry of the LDT
	 * may have behind the selector's back. */
	cmp	%ax, %cx
	jne	1f
	test	$4, %al
	jz	3f
1:	lar	%eax, %ecx
	jnz	2f
	test	$0x8000, %ecx		/* present */
	jz	2f
	test	$0x1000, %ecx		/* not a system segment */
	jz	2f
	and	$0x0a00, %ecx		/* data, or code that can be read */
	cmp	$0x0800, %ecx
	jne	4f
2:	xor	%eax, %eax
4:	mov	%eax, %\reg
3:
	.endm

/* Wakes who waits for its turn with that bit, if it sleeps.  RBX: the page. */
	.macro	wake sleeps, bit
	cmpl	$0, \sleeps(%rbx)
	je	9f
	mov	$__NR_futex, %eax
	lea	VIEW_P_TURN(%rbx), %rdi
	mov	$FUTEX_WAKE_BITSET, %esi
	mov	$1, %edx
	mov	$\bit, %r9d
	syscall
9:
	.endm

/* void view_handler(int signal, siginfo_t *, void *ucontext) */
	.globl	view_handler
view_handler:
	push	$2
	popf
	movabs	$VIEW_SLICE, %rbx
	mov	%edi, VIEW_P_SIGNAL(%rbx)
	mov	8(%rsi), %eax
	mov	%eax, VIEW_P_CODE(%rbx)
	mov	%rdx, VIEW_P_FRAME(%rbx)
	mov	%ds, %eax
	mov	%eax, VIEW_P_DS(%rbx)
	mov	%es, %eax
	mov	%eax, VIEW_P_ES(%rbx)
	mov	%fs, %eax
	mov	%eax, VIEW_P_FS(%rbx)
	mov	%gs, %eax
	mov	%eax, VIEW_P_GS(%rbx)
	cmpb	$0, VIEW_P_HAS_BASES(%rbx)
	je	1f
	rdfsbase %rax
	mov	%rax, VIEW_P_FS_BASE(%rbx)
	rdgsbase %rax
	mov	%rax, VIEW_P_GS_BASE(%rbx)
1:	mov	$VIEW_TURN_MONITOR, %eax
	xchg	%eax, VIEW_P_TURN(%rbx)
	wake	VIEW_P_MONITOR_SLEEPS, VIEW_BIT_MONITOR
	mov	$1, %eax
	xchg	%eax, VIEW_P_GUEST_SLEEPS(%rbx)
2:	mov	VIEW_P_TURN(%rbx), %edx
	cmp	$VIEW_TURN_GUEST, %edx
	je	3f
	mov	$__NR_futex, %eax
	lea	VIEW_P_TURN(%rbx), %rdi
	mov	$FUTEX_WAIT_BITSET, %esi
	xor	%r10d, %r10d
	xor	%r8d, %r8d
	mov	$VIEW_BIT_GUEST, %r9d
	syscall
	jmp	2b
3:	movl	$0, VIEW_P_GUEST_SLEEPS(%rbx)

	load_segment ds, VIEW_P_DS
	load_segment es, VIEW_P_ES
	load_segment fs, VIEW_P_FS
	load_segment gs, VIEW_P_GS
	cmpb	$0, VIEW_P_HAS_BASES(%rbx)
	je	5f
	mov	VIEW_P_FS_BASE(%rbx), %rax
	wrfsbase %rax
	mov	VIEW_P_GS_BASE(%rbx), %rax
	wrgsbase %rax
5:	mov	VIEW_P_FRAME(%rbx), %rsp
	push	VIEW_P_FLAGS(%rbx)
	popf
	.globl	view_restorer
view_restorer:
	mov	$__NR_rt_sigreturn, %eax
	syscall
	hlt

/*
 * The mapper.  R15: its orders; R14: the last it carried out, by number from 1.
 * The stack pointer is whatever it was, and not used.
 */
mapper:
	mov	$__NR_prctl, %eax
	mov	$PR_SET_PDEATHSIG, %edi
	mov	$SIGKILL, %esi
	syscall
	/* Its parent may be gone already. */
	mov	$__NR_getppid, %eax
	syscall
	cmp	%r13, %rax
	je	1f
	mov	$__NR_exit, %eax
	xor	%edi, %edi
	syscall
1:	movabs	$VIEW_MAPPER_FILTER, %rdx
	call_seccomp
	movabs	$VIEW_ORDERS, %r15
	xor	%r14d, %r14d
1:	cmp	%r14d, VIEW_O_SEQUENCE(%r15)
	jne	2f
	mov	$__NR_futex, %eax
	lea	VIEW_O_SEQUENCE(%r15), %rdi
	mov	$FUTEX_WAIT_BITSET, %esi
	mov	%r14d, %edx
	xor	%r10d, %r10d
	xor	%r8d, %r8d
	mov	$FUTEX_BITSET_MATCH_ANY, %r9d
	syscall
	jmp	1b
2:	mov	VIEW_O_SEQUENCE(%r15), %r14d
	mov	VIEW_O_COUNT(%r15), %ebp
	mov	VIEW_O_THEN_RUN(%r15), %r13d
	lea	VIEW_O_OPS(%r15), %rbx
	lea	VIEW_O_DONE(%r15), %r12
3:	test	%ebp, %ebp
	jz	5f
	make_host_call
	cmp	$-4095, %rax
	jae	4f
	add	$CALL_BYTES, %rbx
	dec	%ebp
	jmp	3b
4:	lea	VIEW_O_FAILED(%r15), %r12
5:	mov	$__NR_write, %eax
	mov	$VIEW_FD_ANSWERS, %edi
	mov	%r12, %rsi
	mov	$8, %edx
	syscall
	/* From here on the orders may be others. */
	test	%r13d, %r13d
	jz	1b
	/* The turn is handed on, to whom it belongs. */
	movabs	$VIEW_SLICE, %rbx
	mov	$VIEW_TURN_MAPPER, %eax
	lea	VIEW_O_DONE(%r15), %rcx
	cmp	%rcx, %r12
	jne	7f
	mov	$VIEW_TURN_GUEST, %edx
	lock cmpxchg %edx, VIEW_P_TURN(%rbx)
	wake	VIEW_P_GUEST_SLEEPS, VIEW_BIT_GUEST
	jmp	1b
7:	mov	$VIEW_TURN_FAILED, %edx
	lock cmpxchg %edx, VIEW_P_TURN(%rbx)
	wake	VIEW_P_MONITOR_SLEEPS, VIEW_BIT_MONITOR
	jmp	1b

	.section .rodata
	.balign	8
but_breakpoint:
	.quad	~(1 << (SIGTRAP - 1))

	.section .note.GNU-stack, "", @progbits
