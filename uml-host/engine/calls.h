/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mapping changes as the system calls that carry them out, in the process whose
 * address space it is, whoever has that make them.  Also included by assembler
 * sources.
 */
#ifndef ENGINE_CALLS_H
#define ENGINE_CALLS_H

#define CALL_BYTES 64	/* of struct host_call, for the assembler */

#ifndef __ASSEMBLER__
#include <stdint.h>

#include "engine/space.h"

/* One system call to make: number, arguments, result. */
struct host_call {
	uint64_t nr;
	uint64_t arg[6];
	int64_t result;		/* as the kernel returned it: -errno on failure */
};

_Static_assert(sizeof(struct host_call) == CALL_BYTES, "for the assembler");

/* Where a space's changes are made: room for `max` calls, which lies at address
 * `at` for whoever makes them, with guest memory as descriptor `ram_fd`. */
struct call_target {
	struct host_call *op;
	uint32_t max;
	uint64_t at;
	int ram_fd;
	/* Makes the first `n` of them: 0, or the -errno of the first that failed. */
	long (*make)(void *context, uint32_t n);
	void *context;
};

/* Makes the changes that a space has queued, if they cannot wait for company; where
 * the host has no room for more mappings, drops them all: what is needed faults
 * back in.  0 or -errno. */
long calls_update(struct space *s, const struct call_target *target);

#else

/* Makes the call that RBX points to; its result is in RAX. */
	.macro	make_host_call
	mov	(%rbx), %rax
	mov	8(%rbx), %rdi
	mov	16(%rbx), %rsi
	mov	24(%rbx), %rdx
	mov	32(%rbx), %r10
	mov	40(%rbx), %r8
	mov	48(%rbx), %r9
	syscall
	.endm

#endif
#endif
