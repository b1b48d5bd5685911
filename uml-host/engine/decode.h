/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decoding of 32-bit x86 instructions, as far as a hypervisor needs it: how
 * long, which operand, does it write memory, which segment.  Pure functions on
 * bytes; instructions newer than AVX are reported as unknown.
 */
#ifndef ENGINE_DECODE_H
#define ENGINE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Segment registers in the order x86 numbers them. */
enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_NONE };

/* Opcode maps, in the high byte of insn.opcode. */
#define MAP_0F 0x0f00u
#define MAP_0F38 0x3800u
#define MAP_0F3A 0x3a00u

struct insn {
	uint8_t len;		/* bytes, prefixes included */
	uint16_t opcode;	/* one byte, or MAP_… | byte */
	uint8_t modrm, sib;
	bool has_modrm;
	bool memory;		/* the ModRM or moffs operand is memory */
	bool writes;		/* memory is written, one way or another: */
	bool writes_operand;	/* the operand */
	bool writes_stack;	/* below ESP */
	bool writes_string;	/* ES:EDI */
	bool operand16;		/* 66 prefix */
	bool address16;		/* 67 prefix */
	bool lock;
	uint8_t rep;		/* 0, 0xf2 or 0xf3 */
	uint8_t segment;	/* SEG_* of the override prefix, or SEG_NONE */
	uint32_t disp;		/* displacement, sign extended; moffs address */
	uint32_t imm;		/* immediate, zero extended */
};

static inline unsigned int insn_mod(const struct insn *i) { return i->modrm >> 6; }
static inline unsigned int insn_reg(const struct insn *i) { return i->modrm >> 3 & 7; }
static inline unsigned int insn_rm(const struct insn *i) { return i->modrm & 7; }

/* Decodes the instruction at the start of the `n` bytes.  False if they do not
 * hold a whole instruction that this decoder knows. */
bool insn_decode(const uint8_t *bytes, size_t n, struct insn *insn);

struct engine_regs;

/* General register by x86 number: 0 EAX, 1 ECX, … 7 EDI. */
uint32_t insn_register(const struct engine_regs *regs, unsigned int nr);
void insn_set_register(struct engine_regs *regs, unsigned int nr, uint32_t value);

/* Offset of the memory operand in its segment. */
uint32_t insn_offset(const struct insn *insn, const struct engine_regs *regs);

/* An access of this instruction faulted at linear address `address`; was it a
 * write?  `base` is the base of the operand's segment.  Where an instruction
 * reads and writes the same place in turn, a read is assumed. */
bool insn_wrote(const struct insn *insn, const struct engine_regs *regs, uint32_t base,
		uint32_t address);

/* Is there an instruction boundary at bytes[at], judged by decoding from
 * several places before it, of which that many times more must meet it than pass it
 * by?  For finding code patterns that are not data. */
bool insn_boundary(const uint8_t *bytes, size_t n, size_t at, size_t odds);

#endif
