/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Site rewriting: instruction sequences of the guest that are replaced by
 * possible or cheaper ones of the same length.  One table says which, when and by
 * what; each row, in rewrite.c, says why it is safe.  Pure functions on bytes: how
 * those get into memory, and back, is the guest layer's affair.
 */
#ifndef ENGINE_REWRITE_H
#define ENGINE_REWRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/gates.h"

/* X(ID, "what it does") */
#define REWRITE_LIST(X)						\
	X(VMCALL, "vmcall: int $0x1f")				\
	X(DATA_EDX, "user data selector by EDX: the host's")	\
	X(DATA_ECX, "user data selector by ECX: the host's")	\
	X(SELECTOR, "selector into a segment register: the host's") \
	X(CALL_GATE, "int $0x1f: a jump to a gate")		\
	X(IRET_GATE, "iret, and the store before it: a gate")	\
	X(IRET_GATE_F, "the same of 4.x kernels")		\
	X(SYSTEM_CALL, "a program's int $0x80: another vector, in a copy of its page")

#define REWRITE_ENUM_(id, what) REWRITE_##id,
enum rewrite_id { REWRITE_LIST(REWRITE_ENUM_) NR_REWRITES };
#undef REWRITE_ENUM_

#define REWRITE_BYTES 3		/* of a vmcall */
#define REWRITE_MAX 9		/* of the longest site */
#define REWRITE_SYSTEM_CALL_VECTOR 0x81	/* in the place of 0x80 */
#define REWRITE_HOLE_BYTES 5	/* a jump or call of 32 bits */

/* What is known where guest code is about to be rewritten. */
struct rewrite_site {
	uint32_t va;		/* of the site's first byte */
	uint32_t operand;	/* the 32 bits the pattern leaves open, if it does */
	/* SELECTOR: the register, what it was given, and the host's for that segment. */
	uint8_t reg;
	uint32_t selector, host_selector;
	/* Gates: the address of the first, 0 where there are none; of the guest's
	 * interrupt flag; where its window without interrupts begins; and of bytes
	 * nobody runs, within reach of the site, 0: none. */
	uint32_t gates, irq_enabled, window, hole;
};

struct rewrite_row {
	uint8_t bytes;		/* of both sequences */
	uint8_t trap;		/* offset of the instruction that traps */
	uint8_t from[REWRITE_MAX], to[REWRITE_MAX];
	uint8_t from_operand;	/* offset of 32 open bits; 0: none */
	uint8_t to_operand, to_operand_bytes;
	bool by_register;	/* the first byte's low three bits are site->reg */
	/* May this site be rewritten?  NULL: whenever the bytes match. */
	bool (*condition)(const struct rewrite_site *site);
	uint32_t (*replaced)(const struct rewrite_site *site);	/* the new operand */
};
extern const struct rewrite_row rewrite_table[NR_REWRITES];
extern const char *const rewrite_what[NR_REWRITES];

/* Do row `id`'s bytes stand at `code`, and does its condition hold?  If so, what
 * replaces them is at `to`.  `site` lacks only its operand. */
bool rewrite_site(enum rewrite_id id, const uint8_t *code, size_t n, struct rewrite_site *site,
		  uint8_t to[REWRITE_MAX]);

/* The instruction at `va` that calls `target`. */
void rewrite_call(uint32_t va, uint32_t target, uint8_t to[REWRITE_HOLE_BYTES]);

/*
 * Offset of REWRITE_HOLE_BYTES that are never run in `code` of n bytes at `va`, and
 * that a jump of 8 bits at `from` reaches; n if there are none.  Compilers leave
 * some behind a function's last RET, to align what follows.
 */
size_t rewrite_find_hole(const uint8_t *code, size_t n, uint32_t va, uint32_t from);

bool rewrite_is_vmcall(const uint8_t *bytes, size_t n);

/* Offset of the next vmcall instruction at or after `at` in code of n bytes, or
 * n if there is none.  Data that looks like one is passed over: the place must
 * be an instruction boundary. */
size_t rewrite_find_vmcall(const uint8_t *code, size_t n, size_t at);

#endif
