/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mapping changes as the system calls that carry them out, in the process whose
 * address space it is.  Pure functions.  Also included by assembler sources.
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

/* Drops everything below 4 GiB. */
struct host_call call_clear(void);

/* Maps frames of the descriptor `ram_fd`, or unmaps. */
struct host_call call_for(const struct space_op *op, int ram_fd);

/* Puts `descriptor` into LDT entry `index`, as a data segment of ring 3 whatever
 * it says.  The description rides in arguments modify_ldt does not have: `at` is
 * where the returned struct will lie. */
struct host_call call_for_ldt(unsigned int index, uint64_t descriptor, uint64_t at);

#endif
#endif
