/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stub: the whole program that runs in the process whose low 4 GiB are a
 * guest's.  It sets itself up, stops, and from then on only runs batches of
 * system calls that the supervisor wrote down for it.  Guest code runs in the
 * same process, in 32-bit compatibility mode, without this code taking part.
 *
 * It must keep no state in memory: the guest may have written anything below
 * its stack by the time the next batch comes.  It never uses int $0x80 (slow on
 * virtual machines) and its own calls are only ever made while the supervisor
 * resumes it with PTRACE_CONT: guest code runs under PTRACE_SYSEMU, where no
 * system call is executed at all.
 */
#include <asm/unistd_64.h>
#include "engine/stub.h"

#define PROT_READ_WRITE	3
#define MAP_SHARED_FIXED 0x11
#define PR_SET_NAME 15
#define PR_SET_NO_NEW_PRIVS 38
#define SECCOMP_SET_MODE_FILTER 1

	.text
	.globl	_start
_start:
	/* The stack and the vDSO stay where the kernel put them, above 4 GiB.
	 * First the channel: everything else is written there. */
	mov	$__NR_mmap, %eax
	mov	$STUB_CHANNEL, %rdi
	mov	$STUB_CHANNEL_BYTES, %esi
	mov	$PROT_READ_WRITE, %edx
	mov	$MAP_SHARED_FIXED, %r10d
	mov	$STUB_FD_CHANNEL, %r8d
	xor	%r9d, %r9d
	syscall
	mov	$STUB_CHANNEL, %rbx
	cmp	%rbx, %rax
	jne	fail

	/* The window stays mapped without its descriptor. */
	mov	$__NR_close, %eax
	mov	$STUB_FD_CHANNEL, %edi
	syscall

	lea	stub_run_batch(%rip), %rax
	mov	%rax, (%rbx)
	lea	stub_probe(%rip), %rax
	mov	%rax, STUB_PROBE(%rbx)
	lea	stub_floor(%rip), %rax
	mov	%rax, STUB_FLOOR(%rbx)

	mov	$__NR_prctl, %eax
	mov	$PR_SET_NAME, %edi
	lea	name(%rip), %rsi
	syscall

	/* Second line of defence, below PTRACE_SYSEMU: whatever code runs here
	 * can map guest frames below 4 GiB and nothing else. */
	mov	$__NR_prctl, %eax
	mov	$PR_SET_NO_NEW_PRIVS, %edi
	mov	$1, %esi
	xor	%edx, %edx
	xor	%r10d, %r10d
	xor	%r8d, %r8d
	syscall
	test	%rax, %rax
	jnz	fail
	cmpq	$0, STUB_FILTER_LEN(%rbx)
	je	ready
	mov	$__NR_seccomp, %eax
	mov	$SECCOMP_SET_MODE_FILTER, %edi
	xor	%esi, %esi
	lea	STUB_FILTER_LEN(%rbx), %rdx
	syscall
	test	%rax, %rax
	jnz	fail
ready:
	xor	%eax, %eax
	int3
	hlt

fail:
	/* -errno in RAX; the supervisor prints it. */
	int3
	hlt

/*
 * Runs a batch.  RBX: first struct host_call, RBP: one past the last, R12: not 0
 * where WRPKRU exists.  Stops with int3 and RBP - RBX = 0, or at the first call
 * that failed, with RBX naming it.
 */
	.globl	stub_run_batch
stub_run_batch:
	/* Guest code may have denied us our own memory. */
	test	%r12, %r12
	jz	3f
	xor	%eax, %eax
	xor	%ecx, %ecx
	xor	%edx, %edx
	wrpkru
3:
	cmp	%rbp, %rbx
	je	2f
1:	make_host_call
	mov	%rax, 56(%rbx)
	/* mmap returns an address below 4 GiB, an error is -4095..-1. */
	cmp	$-4095, %rax
	jae	2f
	add	$CALL_BYTES, %rbx
	cmp	%rbp, %rbx
	jne	1b
2:	int3
	hlt

/* What does vmcall do here?  The supervisor runs this once and looks at the
 * signal; an outer hypervisor that swallows it lets the int3 speak. */
stub_probe:
	vmcall
	int3
	hlt

/* The cheapest stop of the kind a hypercall makes. */
stub_floor:
	int	$0x1f
	jmp	stub_floor

name:	.asciz	STUB_NAME

	.section .note.GNU-stack, "", @progbits
