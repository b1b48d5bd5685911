/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A decoder of 32-bit x86 instructions from two attribute tables.  Pure; must
 * never read beyond the bytes it was given.
 *
 * Source of the opcode maps: Intel SDM 2D, appendix A.
 */
#include "engine/decode.h"
#include "engine/engine.h"

/* What follows an opcode and what it does to memory. */
enum {
	M = 1 << 0,	/* ModRM */
	B = 1 << 1,	/* 8-bit immediate */
	Z = 1 << 2,	/* 16- or 32-bit immediate by operand size */
	H = 1 << 3,	/* 16-bit immediate */
	W = 1 << 4,	/* writes its ModRM or moffs operand */
	S = 1 << 5,	/* writes memory elsewhere: the stack, ES:EDI */
	O = 1 << 6,	/* moffs: an address of address size */
	F = 1 << 7,	/* far pointer */
	P = 1 << 8,	/* a prefix */
	G = 1 << 9,	/* a group: see group_attributes() */
	X = 1 << 10,	/* not decoded */
};

#define ALU(write) M | write, M | write, M, M, B, Z
#define EIGHT(a) a, a, a, a, a, a, a, a

static const uint16_t one_byte[256] = {
	/* 00 */ ALU(W), S, 0, ALU(W), S, X,
	/* 10 */ ALU(W), S, 0, ALU(W), S, 0,
	/* 20 */ ALU(W), P, 0, ALU(W), P, 0,
	/* 30 */ ALU(W), P, 0, ALU(0), P, 0,
	/* 40 */ EIGHT(0), EIGHT(0),
	/* 50 */ EIGHT(S), EIGHT(0),
	/* 60 */ S, 0, M, M | W, P, P, P, P, Z | S, M | Z, B | S, M | B, S, S, 0, 0,
	/* 70 */ EIGHT(B), EIGHT(B),
	/* 80 */ G | M | B, G | M | Z, G | M | B, G | M | B, M, M, M | W, M | W,
	/* 88 */ M | W, M | W, M, M, M | W, M, M, M | W,
	/* 90 */ EIGHT(0), 0, 0, F | S, 0, S, 0, 0, 0,
	/* a0 */ O, O, O | W, O | W, S, S, 0, 0, B, Z, S, S, 0, 0, 0, 0,
	/* b0 */ EIGHT(B), EIGHT(Z),
	/* c0 */ M | B | W, M | B | W, H, 0, M, M, M | B | W, M | Z | W,
	/* c8 */ H | B | S, 0, H, 0, 0, B, 0, 0,
	/* d0 */ M | W, M | W, M | W, M | W, B, B, 0, 0, EIGHT(G | M),
	/* e0 */ EIGHT(B), Z | S, Z, F, B, 0, 0, 0, 0,
	/* f0 */ P, 0, P, P, 0, 0, G | M, G | M, 0, 0, 0, 0, 0, 0, G | M, G | M,
};

static const uint16_t two_byte[256] = {
	/* 00 */ G | M, G | M, M, M, X, 0, 0, 0, 0, 0, X, 0, X, M, 0, M | B,
	/* 10 */ M, M | W, M, M | W, M, M, M, M | W, EIGHT(M),
	/* 20 */ M, M, M, M, X, X, X, X, M, M | W, M, M | W, M, M, M, M,
	/* 30 */ 0, 0, 0, 0, 0, 0, X, 0, M, X, M | B, X, X, X, X, X,
	/* 40 */ EIGHT(M), EIGHT(M),
	/* 50 */ EIGHT(M), EIGHT(M),
	/* 60 */ EIGHT(M), EIGHT(M),
	/* 70 */ M | B, M | B, M | B, M | B, M, M, M, 0, M | W, M, X, X, M, M,
		 G | M, M | W,
	/* 80 */ EIGHT(Z), EIGHT(Z),
	/* 90 */ EIGHT(M | W), EIGHT(M | W),
	/* a0 */ S, 0, 0, M, M | B | W, M | W, X, X, S, 0, 0, M | W, M | B | W,
		 M | W, G | M, M,
	/* b0 */ M | W, M | W, M, M | W, M, M, M, M, M, M, G | M | B, M | W, M, M, M, M,
	/* c0 */ M | W, M | W, M | B, M | W, M | B, M | B, M | B, G | M, EIGHT(0),
	/* d0 */ M, M, M, M, M, M, M | W, M, EIGHT(M),
	/* e0 */ M, M, M, M, M, M, M, M | W, EIGHT(M),
	/* f0 */ EIGHT(M), M, M, M, M, M, M, M, M,
};

/* Does x87 opcode d8+`row` store to its memory operand for this reg field? */
static bool x87_stores(unsigned int row, unsigned int reg)
{
	/* Bit n: reg field n stores.  d9: fst, fstp, fnstenv, fnstcw; db:
	 * fisttp, fist, fistp, fstp80; dd: fisttp, fst, fstp, fnsave, fnstsw;
	 * df: fisttp, fist, fistp, fbstp, fistp64. */
	static const uint8_t stores[8] = {
		0x00, 0xcc, 0x00, 0x8e, 0x00, 0xce, 0x00, 0xce,
	};

	return stores[row] >> reg & 1;
}

/* Attributes that depend on the reg field of ModRM. */
static unsigned int group_attributes(unsigned int opcode, unsigned int reg)
{
	switch (opcode) {
	case 0x80: case 0x81: case 0x82: case 0x83:
		return reg == 7 ? 0 : W;		/* cmp */
	case 0xd8: case 0xd9: case 0xda: case 0xdb:
	case 0xdc: case 0xdd: case 0xde: case 0xdf:
		return x87_stores(opcode - 0xd8, reg) ? W : 0;
	case 0xf6:
		return reg < 2 ? B : reg < 4 ? W : 0;	/* test; not, neg */
	case 0xf7:
		return reg < 2 ? Z : reg < 4 ? W : 0;
	case 0xfe:
		return reg < 2 ? W : X;			/* inc, dec */
	case 0xff:
		if (reg < 2)
			return W;
		return reg == 2 || reg == 3 || reg == 6 ? S : reg == 7 ? X : 0;
	case MAP_0F | 0x00:
		return reg < 2 ? W : 0;			/* sldt, str */
	case MAP_0F | 0x01:
		return reg < 2 || reg == 4 ? W : 0;	/* sgdt, sidt, smsw */
	case MAP_0F | 0xae:
		return reg == 0 || reg == 3 || reg == 4 ? W : 0;
	case MAP_0F | 0xba:
		return reg >= 5 ? W : 0;		/* bts, btr, btc */
	case MAP_0F | 0xc7:
		return reg == 1 || reg == 4 || reg == 5 ? W : 0;
	default:
		return 0;
	}
}

struct cursor {
	const uint8_t *byte;
	size_t at, n;
	bool truncated;
};

static uint8_t next(struct cursor *c)
{
	if (c->at >= c->n || c->at >= 15) {
		c->truncated = true;
		return 0;
	}
	return c->byte[c->at++];
}

static uint32_t next_le(struct cursor *c, unsigned int bytes)
{
	uint32_t value = 0;
	unsigned int i;

	for (i = 0; i < bytes; i++)
		value |= (uint32_t)next(c) << 8 * i;
	return value;
}

static bool take_prefix(struct insn *insn, uint8_t byte)
{
	switch (byte) {
	case 0x26: insn->segment = SEG_ES; return true;
	case 0x2e: insn->segment = SEG_CS; return true;
	case 0x36: insn->segment = SEG_SS; return true;
	case 0x3e: insn->segment = SEG_DS; return true;
	case 0x64: insn->segment = SEG_FS; return true;
	case 0x65: insn->segment = SEG_GS; return true;
	case 0x66: insn->operand16 = true; return true;
	case 0x67: insn->address16 = true; return true;
	case 0xf0: insn->lock = true; return true;
	case 0xf2: case 0xf3: insn->rep = byte; return true;
	default: return false;
	}
}

static void take_modrm(struct cursor *c, struct insn *insn)
{
	unsigned int mod, rm;

	insn->has_modrm = true;
	insn->modrm = next(c);
	/* Moves to and from control and debug registers take any mod for 3. */
	if ((insn->opcode & ~3u) == (MAP_0F | 0x20))
		insn->modrm |= 0xc0;
	mod = insn_mod(insn);
	rm = insn_rm(insn);
	if (mod == 3)
		return;
	insn->memory = true;
	if (insn->address16) {
		if (mod == 1)
			insn->disp = (uint32_t)(int8_t)next(c);
		else if (mod == 2 || rm == 6)
			insn->disp = (uint32_t)(int16_t)next_le(c, 2);
		return;
	}
	if (rm == 4)
		insn->sib = next(c);
	if (mod == 1)
		insn->disp = (uint32_t)(int8_t)next(c);
	else if (mod == 2 || rm == 5 || (rm == 4 && (insn->sib & 7) == 5))
		insn->disp = next_le(c, 4);
}

/* The opcode, after the prefixes.  VEX forms name an opcode of the 0F maps. */
static unsigned int take_opcode(struct cursor *c, struct insn *insn)
{
	static const uint16_t vex_map[4] = { 0, MAP_0F, MAP_0F38, MAP_0F3A };
	uint8_t byte = next(c);
	bool vex = (byte == 0xc4 || byte == 0xc5) && c->at < c->n &&
		   c->byte[c->at] >= 0xc0;

	if (vex) {
		uint8_t p = next(c);
		unsigned int map = MAP_0F;

		if (byte == 0xc4) {
			if ((p & 0x1f) == 0 || (p & 0x1f) > 3)
				return X;
			map = vex_map[p & 3];
			p = next(c);
		}
		if ((p & 3) >= 2)
			insn->rep = (p & 3) == 2 ? 0xf3 : 0xf2;
		insn->opcode = (uint16_t)(map | next(c));
	} else if (byte == 0x0f) {
		byte = next(c);
		if (byte == 0x38)
			insn->opcode = (uint16_t)(MAP_0F38 | next(c));
		else if (byte == 0x3a)
			insn->opcode = (uint16_t)(MAP_0F3A | next(c));
		else
			insn->opcode = (uint16_t)(MAP_0F | byte);
	} else {
		insn->opcode = byte;
		return one_byte[byte];
	}
	switch (insn->opcode & 0xff00) {
	case MAP_0F:
		return two_byte[insn->opcode & 0xff];
	case MAP_0F38:
		/* movbe and vmaskmov store. */
		return insn->opcode == (MAP_0F38 | 0xf1) ||
		       insn->opcode == (MAP_0F38 | 0x2e) ||
		       insn->opcode == (MAP_0F38 | 0x2f) ? M | W : M;
	default:
		/* pextr and extractps store, vextractf128 too. */
		return (insn->opcode & 0xff) >= 0x14 && (insn->opcode & 0xff) <= 0x19 &&
		       (insn->opcode & 0xff) != 0x18 ? M | B | W : M | B;
	}
}

/* movs, stos, ins: the S of these is ES:EDI, not the stack. */
static bool is_string(unsigned int opcode)
{
	return opcode == 0xa4 || opcode == 0xa5 || opcode == 0xaa || opcode == 0xab ||
	       opcode == 0x6c || opcode == 0x6d;
}

bool insn_decode(const uint8_t *bytes, size_t n, struct insn *insn)
{
	struct cursor c = { .byte = bytes, .n = n };
	unsigned int attr, word;

	*insn = (struct insn){ .segment = SEG_NONE };
	while (c.at < n && take_prefix(insn, bytes[c.at]))
		if (++c.at >= 15)
			return false;
	attr = take_opcode(&c, insn);
	if (attr & (X | P))
		return false;
	/* SSE4a put extrq and insertq, with immediates, where vmread is. */
	if (insn->opcode == (MAP_0F | 0x78) && (insn->operand16 || insn->rep))
		return false;
	word = insn->operand16 ? 2 : 4;
	if (attr & M)
		take_modrm(&c, insn);
	if (attr & G)
		attr |= group_attributes(insn->opcode, insn_reg(insn));
	if (attr & X)
		return false;
	/* movq loads with F3; movd and movq store otherwise. */
	if (insn->opcode == (MAP_0F | 0x7e) && insn->rep != 0xf3)
		attr |= W;
	if (attr & O) {
		insn->memory = true;
		insn->disp = next_le(&c, insn->address16 ? 2 : 4);
	}
	if (attr & F) {
		insn->disp = next_le(&c, word);
		insn->imm = next_le(&c, 2);
	}
	if (attr & H)
		insn->imm = next_le(&c, 2);
	if (attr & B) {
		uint32_t byte = next(&c);

		insn->imm = attr & H ? insn->imm | byte << 16 : byte;
	}
	if (attr & Z)
		insn->imm = next_le(&c, word);
	if (c.truncated)
		return false;
	insn->len = (uint8_t)c.at;
	insn->writes_operand = (attr & W) && insn->memory;
	insn->writes_string = (attr & S) && is_string(insn->opcode);
	insn->writes_stack = (attr & S) && !insn->writes_string;
	insn->writes = (attr & S) || insn->writes_operand;
	return true;
}

static const size_t register_offset[8] = {
	offsetof(struct engine_regs, eax), offsetof(struct engine_regs, ecx),
	offsetof(struct engine_regs, edx), offsetof(struct engine_regs, ebx),
	offsetof(struct engine_regs, esp), offsetof(struct engine_regs, ebp),
	offsetof(struct engine_regs, esi), offsetof(struct engine_regs, edi),
};

uint32_t insn_register(const struct engine_regs *regs, unsigned int nr)
{
	return *(const uint32_t *)((const char *)regs + register_offset[nr & 7]);
}

void insn_set_register(struct engine_regs *regs, unsigned int nr, uint32_t value)
{
	*(uint32_t *)((char *)regs + register_offset[nr & 7]) = value;
}

/* ModRM with 16-bit addresses (Intel SDM 2A, table 2-1). */
static uint32_t offset16(const struct insn *i, const struct engine_regs *r)
{
	const uint32_t base[8] = {
		r->ebx + r->esi, r->ebx + r->edi, r->ebp + r->esi, r->ebp + r->edi,
		r->esi, r->edi, r->ebp, r->ebx,
	};
	bool absolute = insn_mod(i) == 0 && insn_rm(i) == 6;

	return (i->disp + (absolute || !i->has_modrm ? 0 : base[insn_rm(i)])) & 0xffff;
}

uint32_t insn_offset(const struct insn *i, const struct engine_regs *r)
{
	unsigned int base = insn_rm(i), index;
	uint32_t offset = i->disp;

	if (i->address16)
		return offset16(i, r);
	if (!i->has_modrm)
		return offset;		/* moffs */
	if (base != 4)
		return base == 5 && insn_mod(i) == 0 ? offset : offset + insn_register(r, base);
	base = i->sib & 7;
	index = i->sib >> 3 & 7;
	if (base != 5 || insn_mod(i) != 0)
		offset += insn_register(r, base);
	if (index != 4)
		offset += insn_register(r, index) << (i->sib >> 6);
	return offset;
}

/* Is `address` in [start, start + bytes)?  With wrap-around. */
static bool within(uint32_t address, uint32_t start, uint32_t bytes)
{
	return address - start < bytes;
}

/* The largest operand: an xsave area. */
#define OPERAND_BYTES 4096u
/* The deepest push: enter with 31 levels. */
#define PUSH_BYTES 132u

bool insn_wrote(const struct insn *i, const struct engine_regs *r, uint32_t base,
		uint32_t address)
{
	if (i->writes_operand && within(address, insn_offset(i, r) + base, OPERAND_BYTES))
		return true;
	if (i->writes_string)
		/* movs reads ESI first; the others do not. */
		return within(address, r->edi, 4) &&
		       !((i->opcode & ~1u) == 0xa4 && within(address, r->esi, 4));
	return i->writes_stack && within(address, r->esp - PUSH_BYTES, PUSH_BYTES) &&
	       !(i->memory && within(address, insn_offset(i, r) + base, 8));
}

bool insn_boundary(const uint8_t *bytes, size_t n, size_t at, size_t odds)
{
	/* x86 streams synchronise after a few instructions, so nearly every
	 * start before real code meets its boundaries, while in data most
	 * starts run into something undecodable or pass the place by. */
	size_t back, hits = 0, misses = 0;
	struct insn insn;

	for (back = 1; back <= 48 && back <= at; back++) {
		size_t p = at - back;

		while (p < at && insn_decode(bytes + p, n - p, &insn))
			p += insn.len;
		if (p == at)
			hits++;
		else
			misses++;
	}
	return hits >= odds * misses;
}
