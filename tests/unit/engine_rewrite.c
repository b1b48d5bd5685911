/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of rewritten sites: what each row matches, what it refuses, and where its
 * replacement leads; and where padding is found, and is not.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <Zydis/Zydis.h>

#include "engine/decode.h"
#include "engine/rewrite.h"

#define VA 0xc0101234u
#define FLAG 0xc0345678u
#define NR(array) (sizeof(array) / sizeof((array)[0]))

struct row {
	enum rewrite_id id;
	const char *code;
	size_t n;
	struct rewrite_site site;
	const char *to;
};

/* Sites that are rewritten, and how. */
static const struct row rows[] = {
	{ REWRITE_VMCALL, "\x0f\x01\xc1", 3, { .va = VA }, "\xcd\x1f\x90" },
	{ REWRITE_DATA_EDX, "\xba\x7b\0\0\0\x8e\xda\x8e\xc2", 9, { .va = VA },
	  "\xba\x2b\0\0\0\x8e\xda\x8e\xc2" },
	{ REWRITE_DATA_ECX, "\xb9\x7b\0\0\0\x8e\xd9\x8e\xc1", 9, { .va = VA },
	  "\xb9\x2b\0\0\0\x8e\xd9\x8e\xc1" },
	{ REWRITE_SELECTOR, "\xba\xd8\0\0\0", 5,
	  { .va = VA, .reg = 2, .selector = 0xd8, .host_selector = 0x1234567 },
	  "\xba\x67\x45\x23\x01" },
	{ REWRITE_CALL_GATE, "\xcd\x1f", 2, { .va = VA, .gates = GUEST_GATES, .hole = VA + 0x42 },
	  "\xeb\x40" },
	{ REWRITE_IRET_GATE, "\x36\xa3\x78\x56\x34\xc0\x58\xcf", 8,
	  { .va = VA, .gates = GUEST_GATES, .irq_enabled = FLAG, .window = VA },
	  "\xe8\xd7\xed\xd1\x3f\x90\x58\xcf" },
	{ REWRITE_IRET_GATE_F, "\x36\x8f\x05\x78\x56\x34\xc0\xcf", 8,
	  { .va = VA, .gates = GUEST_GATES, .irq_enabled = FLAG, .window = VA + 7 },
	  "\xe8\xe7\xed\xd1\x3f\x90\x90\xcf" },
	{ REWRITE_SYSTEM_CALL, "\xcd\x80", 2, { .va = VA }, "\xcd\x81" },
};

static bool matches(enum rewrite_id id, const void *code, size_t n, struct rewrite_site site)
{
	uint8_t to[REWRITE_MAX];

	return rewrite_site(id, code, n, &site, to);
}

Test(engine_rewrite, every_row_is_whole)
{
	size_t i;

	cr_assert_eq(NR(rows), NR_REWRITES);
	for (i = 0; i < NR(rows); i++) {
		const struct rewrite_row *row = &rewrite_table[rows[i].id];

		cr_assert_eq(rows[i].id, i);
		cr_assert_eq(row->bytes, rows[i].n);
		cr_assert_leq(row->bytes, REWRITE_MAX);
		cr_assert_leq(row->trap, row->bytes);
		cr_assert_not_null(rewrite_what[rows[i].id]);
		/* The operand is inside. */
		cr_assert_leq(row->from_operand + (row->from_operand ? 4u : 0u), row->bytes);
		cr_assert_leq(row->to_operand + row->to_operand_bytes, row->bytes);
	}
}

Test(engine_rewrite, every_row_says_this)
{
	size_t i;

	for (i = 0; i < NR(rows); i++) {
		struct rewrite_site site = rows[i].site;
		uint8_t to[REWRITE_MAX + 1];

		memset(to, 0xee, sizeof(to));
		cr_assert(rewrite_site(rows[i].id, (const uint8_t *)rows[i].code, rows[i].n, &site,
				       to), "row %zu", i);
		cr_assert_eq(memcmp(to, rows[i].to, rows[i].n), 0, "row %zu", i);
		/* And no more than that. */
		cr_assert_eq(to[REWRITE_MAX], 0xee);
	}
}

/* Another bit anywhere, one byte less, the row of another: none of its. */
Test(engine_rewrite, every_row_is_exact)
{
	size_t i, k, n;

	for (i = 0; i < NR(rows); i++) {
		for (k = 0; k < 8 * rows[i].n; k++) {
			uint8_t code[REWRITE_MAX];

			memcpy(code, rows[i].code, rows[i].n);
			code[k / 8] ^= (uint8_t)(1u << k % 8);
			cr_assert_not(matches(rows[i].id, code, rows[i].n, rows[i].site),
				      "row %zu, bit %zu", i, k);
		}
		for (n = 0; n < rows[i].n; n++) {
			uint8_t *code = malloc(n ? n : 1);

			memcpy(code, rows[i].code, n);
			cr_assert_not(matches(rows[i].id, code, n, rows[i].site), "row %zu, %zu", i, n);
			free(code);
		}
		for (k = 0; k < NR(rows); k++)
			if (k != i && rows[k].n <= rows[i].n)
				cr_assert_not(matches(rows[k].id, rows[i].code, rows[i].n,
						      rows[k].site), "row %zu as %zu", i, k);
	}
}

/* What must be known beside the bytes. */
Test(engine_rewrite, conditions)
{
	struct rewrite_site site;
	int32_t off;
	unsigned int reg;
	size_t i;

	for (i = 0; i < NR(rows); i++) {
		const struct row *r = &rows[i];

		site = r->site;
		site.gates = 0;
		cr_assert_eq(matches(r->id, r->code, r->n, site), r->site.gates == 0, "row %zu", i);
		site = r->site;
		site.irq_enabled += 4;
		cr_assert_eq(matches(r->id, r->code, r->n, site), r->site.irq_enabled == 0, "row %zu", i);
		site = r->site;
		site.hole = 0;
		cr_assert_eq(matches(r->id, r->code, r->n, site), r->id != REWRITE_CALL_GATE);
		site = r->site;
		site.selector ^= 8;
		cr_assert_eq(matches(r->id, r->code, r->n, site), r->id != REWRITE_SELECTOR);
		for (off = -9; off <= 9; off++) {
			site = r->site;
			site.window += (uint32_t)off;
			cr_assert_eq(matches(r->id, r->code, r->n, site),
				     off == 0 || r->site.window == 0, "row %zu, window %d", i, off);
		}
		/* The register is that of the MOV, and of no other row's affair. */
		for (reg = 0; reg < 8; reg++) {
			site = r->site;
			site.reg = (uint8_t)reg;
			cr_assert_eq(matches(r->id, r->code, r->n, site),
				     reg == r->site.reg || r->id != REWRITE_SELECTOR);
		}
	}
}

Test(engine_rewrite, every_register)
{
	unsigned int reg;

	for (reg = 0; reg < 8; reg++) {
		const uint8_t code[5] = { (uint8_t)(0xb8 + reg), 0xd8, 0, 0, 0 };
		struct rewrite_site site = { .reg = (uint8_t)reg, .selector = 0xd8, .host_selector = 0x2b };
		uint8_t to[REWRITE_MAX];

		cr_assert(rewrite_site(REWRITE_SELECTOR, code, sizeof(code), &site, to));
		cr_assert_eq(to[0], code[0]);
		cr_assert_eq(memcmp(to + 1, "\x2b\0\0\0", 4), 0);
	}
}

/* Where a jump or call of 8 or 32 bits at `va` leads. */
static uint32_t target(const uint8_t *code, uint32_t va)
{
	struct insn insn;

	cr_assert(insn_decode(code, 5, &insn));
	return va + insn.len + (insn.opcode == 0xeb ? (insn.imm ^ 0x80) - 0x80 : insn.imm);
}

Test(engine_rewrite, jumps_lead_there)
{
	static const uint32_t places[] = { VA, 0x100000, 0xfff, 0xc0000ffe, 0xfffffffb, 0x10, 0xfffffff8 };
	uint8_t to[REWRITE_MAX] = { 0 };
	size_t i;
	int32_t off;

	for (i = 0; i < NR(places); i++) {
		struct rewrite_site site = {
			.va = places[i], .gates = GUEST_GATES, .irq_enabled = FLAG, .window = places[i],
		};

		cr_assert(rewrite_site(REWRITE_IRET_GATE, (const uint8_t *)rows[REWRITE_IRET_GATE].code, 8,
				       &site, to));
		cr_assert_eq(target(to, site.va), GUEST_GATES + GATE_IRET);
		site.window = places[i] + 7;
		cr_assert(rewrite_site(REWRITE_IRET_GATE_F,
				       (const uint8_t *)rows[REWRITE_IRET_GATE_F].code, 8, &site, to));
		cr_assert_eq(target(to, site.va), GUEST_GATES + GATE_IRET_F);
		rewrite_call(places[i], GUEST_GATES + GATE_CALL, to);
		cr_assert_eq(to[0], 0xe8);
		cr_assert_eq(target(to, places[i]), GUEST_GATES + GATE_CALL);
		for (off = -128; off <= 127; off++) {
			site.hole = site.va + 2 + (uint32_t)off;
			if (!site.hole)
				continue;
			cr_assert(rewrite_site(REWRITE_CALL_GATE, (const uint8_t *)"\xcd\x1f", 2, &site,
					       to));
			cr_assert_eq(to[0], 0xeb);
			cr_assert_eq(target(to, site.va), site.hole);
		}
	}
}

/* Old and new are whole instructions, and what traps stands where it stood. */
Test(engine_rewrite, instructions_are_whole)
{
	size_t i, k;

	for (i = 0; i < NR(rows); i++)
		for (k = 0; k < 2; k++) {
			const uint8_t *code = (const uint8_t *)(k ? rows[i].to : rows[i].code);
			bool traps = rewrite_table[i].trap == rows[i].n;
			size_t at = 0;
			struct insn insn;

			while (at < rows[i].n) {
				traps |= at == rewrite_table[i].trap;
				cr_assert(insn_decode(code + at, rows[i].n - at, &insn), "row %zu", i);
				at += insn.len;
			}
			cr_assert_eq(at, rows[i].n);
			cr_assert(traps, "row %zu", i);
		}
}

/* --- padding --------------------------------------------------------------------------- */

#define CODE_VA 0xc0200000u
#define CODE_BYTES 320u
static uint8_t code[CODE_BYTES];

static size_t hole(uint32_t from)
{
	return rewrite_find_hole(code, sizeof(code), CODE_VA, CODE_VA + from);
}

/* No padding, and every byte an instruction. */
static void clear(void)
{
	memset(code, 0xcc, sizeof(code));
}

/* A RET, with these bytes behind it up to offset `end`. */
static size_t put_padding(const char *bytes, size_t n, size_t end)
{
	clear();
	memcpy(code + end - n, bytes, n);
	code[end - n - 1] = 0xc3;
	return end - n;
}

/* What GNU as makes of .balign 16 for 32-bit code, old and new. */
static const struct { const char *bytes; size_t n; } fills[] = {
	{ "\x66\x90\x66\x90\x90", 5 },
	{ "\x2e\x8d\x74\x26\0", 5 },
	{ "\x66\x0f\x1f\x44\0\0", 6 },
	{ "\x8d\xb6\0\0\0\0", 6 },
	{ "\x8d\xbf\0\0\0\0", 6 },
	{ "\x0f\x1f\x80\0\0\0\0", 7 },
	{ "\x8d\xb4\x26\0\0\0\0", 7 },
	{ "\x8d\xbc\x27\0\0\0\0", 7 },
	{ "\x0f\x1f\x84\0\0\0\0\0", 8 },
	{ "\x2e\x8d\xb4\x26\0\0\0\0", 8 },
	{ "\x90\x8d\xb4\x26\0\0\0\0", 8 },
	{ "\x66\x0f\x1f\x84\0\0\0\0\0", 9 },
	{ "\x89\xf6\x8d\xbc\x27\0\0\0\0", 9 },
	{ "\x8d\x76\0\x8d\xbc\x27\0\0\0\0", 10 },
	{ "\x8d\x74\x26\0\x8d\xbc\x27\0\0\0\0", 11 },
	{ "\x0f\x1f\0\x66\x0f\x1f\x84\0\0\0\0\0", 12 },
	{ "\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90", 15 },
	/* For 32. */
	{ "\x0f\x1f\x40\0\x66\x0f\x1f\x84\0\0\0\0\0\x66\x0f\x1f\x84\0\0\0\0\0", 22 },
};

Test(engine_rewrite, holes_of_every_kind)
{
	size_t i, at;

	for (i = 0; i < NR(fills); i++)
		for (at = 64; at < 256; at += 16) {
			size_t want = put_padding(fills[i].bytes, fills[i].n, at);

			cr_assert_eq(hole((uint32_t)want + 20), want, "padding %zu at %zu", i, at);
			cr_assert_eq(hole((uint32_t)want - 20), want, "padding %zu at %zu", i, at);
		}
}

/* Static keys and function tracing: five bytes where a jump may be written. */
Test(engine_rewrite, what_linux_may_jump_to)
{
	static const char *const live[] = {
		"\x0f\x1f\x44\0\0", "\x3e\x8d\x74\x26\0", "\x90\x8d\x74\x26\0",
		"\x66\x66\x90\x66\x90", "\x66\x66\x66\x66\x90", "\x8d\x44\x20\0\x90",
	};
	size_t i;

	for (i = 0; i < NR(live); i++) {
		size_t at = put_padding(live[i], 5, 160);

		cr_assert_eq(hole((uint32_t)at + 20), CODE_BYTES, "%zu", i);
	}
}

Test(engine_rewrite, holes_end_aligned)
{
	size_t i, end;

	for (i = 0; i < NR(fills); i++)
		for (end = 100; end < 200; end++) {
			size_t at = put_padding(fills[i].bytes, fills[i].n, end);

			cr_assert_eq(hole((uint32_t)at), end % 16 ? CODE_BYTES : at, "padding %zu, %zu",
				     i, end);
		}
	/* It is the address that counts. */
	put_padding(fills[1].bytes, fills[1].n, 160);
	for (i = 0; i < 16; i++)
		cr_assert_eq(rewrite_find_hole(code, CODE_BYTES, CODE_VA + (uint32_t)i,
					       CODE_VA + (uint32_t)i + 150), i ? CODE_BYTES : 155);
}

Test(engine_rewrite, holes_are_five_bytes)
{
	static const char nops[] = "\x90\x90\x90\x90\x90\x90";
	size_t n;

	for (n = 0; n <= 6; n++) {
		put_padding(nops, n, 160);
		cr_assert_eq(hole(150), n < REWRITE_HOLE_BYTES ? CODE_BYTES : 160 - n);
	}
	/* Interrupted by something that is none, at its end or in it. */
	put_padding("\x90\x90\x90\x90\x40\x90\x90\x90", 8, 160);
	cr_assert_eq(hole(150), CODE_BYTES);
	put_padding("\x90\x90\x90\x90\x90\x90\x90\x40", 8, 160);
	cr_assert_eq(hole(150), CODE_BYTES);
	/* LEAs that change something. */
	put_padding("\x8d\xb6\x01\0\0\0", 6, 160);
	cr_assert_eq(hole(150), CODE_BYTES);
	put_padding("\x8d\xb7\0\0\0\0", 6, 160);
	cr_assert_eq(hole(150), CODE_BYTES);
	/* Without a RET, or with one that takes arguments. */
	put_padding("\x90\x90\x90\x90\x90\x90", 6, 160);
	code[153] = 0xcb;
	cr_assert_eq(hole(150), CODE_BYTES);
	memcpy(code + 151, "\xc2\x04\0", 3);
	cr_assert_eq(hole(150), CODE_BYTES);
}

Test(engine_rewrite, holes_within_reach)
{
	const uint32_t at = (uint32_t)put_padding(fills[1].bytes, fills[1].n, 160);

	cr_assert_eq(hole(at - 2 - 127), at);
	cr_assert_eq(hole(at - 2 - 128), CODE_BYTES);
	cr_assert_eq(hole(at - 2 + 128), at);
	cr_assert_eq(hole(at - 2 + 129), CODE_BYTES);
	/* Over either end of the address space. */
	cr_assert_eq(rewrite_find_hole(code, CODE_BYTES, 0u - 160, 10), 155);
	cr_assert_eq(rewrite_find_hole(code, CODE_BYTES, 0u - 160, 0u - 20), 155);
	cr_assert_eq(hole(at + 0x80000000), CODE_BYTES);
}

/* C3 at the end of something that runs on, with a loop's alignment behind it. */
Test(engine_rewrite, tails_are_no_ret)
{
	static const struct { const char *bytes; size_t n; } tails[] = {
		{ "\x89\xc3", 2 },			/* mov %eax,%ebx */
		{ "\x01\xc3", 2 },			/* add %eax,%ebx */
		{ "\x0f\xb6\xc3", 3 },			/* movzbl %bl,%eax */
		{ "\x83\xc4\xc3", 3 },			/* add $-61,%esp */
		{ "\xb8\x00\x00\x00\xc3", 5 },		/* mov $0xc3000000,%eax */
		{ "\x8d\x44\x24\xc3", 4 },		/* lea -61(%esp),%eax */
		{ "\xa1\x34\x12\x10\xc3", 5 },		/* mov 0xc3101234,%eax */
		{ "\xeb\xc3", 2 },			/* jmp */
	};
	/* What compilers put around: pushes, moves, a call. */
	static const char before[] =
		"\x55\x89\xe5\x57\x56\x53\x83\xec\x14\x8b\x45\x08\x8b\x55\x0c\x89\x45\xf0"
		"\xe8\x11\x22\x33\x00\x85\xc0\x74\x10\x8b\x40\x04\x89\x45\xec\x31\xdb";
	size_t i, k, n = sizeof(before) - 1;

	for (i = 0; i < NR(tails); i++)
		for (k = 0; k < NR(fills); k++) {
			size_t at = put_padding(fills[k].bytes, fills[k].n, 160);

			memcpy(code + at - tails[i].n, tails[i].bytes, tails[i].n);
			memcpy(code + at - tails[i].n - n, before, n);
			cr_assert_eq(hole((uint32_t)at), CODE_BYTES, "tail %zu, padding %zu", i, k);
			/* The same code with a RET is one. */
			code[at - tails[i].n] = 0xc3;
			memmove(code + at - 1 - n, code + at - tails[i].n - n, n);
			code[at - 1] = 0xc3;
			cr_assert_eq(hole((uint32_t)at), at, "tail %zu, padding %zu", i, k);
		}
}

/* Where too little is known of what stands before, it is none. */
Test(engine_rewrite, no_holes_at_the_edges)
{
	size_t at, n;

	/* Code that begins with the C3 or soon has it: of which instruction, nobody knows. */
	for (at = 0; at < 80; at++) {
		memset(code, 0x90, sizeof(code));
		code[at] = 0xc3;
		n = (at + 16) & ~(size_t)15;
		n = n < at + 6 ? n + 16 : n;
		cr_assert_eq(rewrite_find_hole(code, n, CODE_VA, CODE_VA + 40), at < 32 ? n : at + 1,
			     "at %zu", at);
	}
	/* Cut off anywhere: read no further, find nothing that ends elsewhere. */
	for (n = 0; n <= 200; n++) {
		uint8_t *copy = malloc(n ? n : 1);

		at = put_padding(fills[13].bytes, fills[13].n, 160);
		memcpy(copy, code, n);
		cr_assert_eq(rewrite_find_hole(copy, n, CODE_VA, CODE_VA + 150), n < 160 ? n : at,
			     "%zu bytes", n);
		free(copy);
	}
}

Test(engine_rewrite, the_first_hole)
{
	put_padding(fills[1].bytes, fills[1].n, 160);
	memcpy(code + 107 - 1, "\xc3\x66\x90\x66\x90\x90", 6);
	cr_assert_eq(hole(140), 107);
	/* Once it is used it is none. */
	rewrite_call(CODE_VA + 107, GUEST_GATES, code + 107);
	cr_assert_eq(hole(140), 155);
	rewrite_call(CODE_VA + 155, GUEST_GATES, code + 155);
	cr_assert_eq(hole(140), CODE_BYTES);
}

/* Whatever the bytes are: what is found is NOPs behind a C3, up to an aligned end. */
Test(engine_rewrite, holes_in_anything)
{
	static const uint8_t likely[] = { 0xc3, 0x90, 0x66, 0x0f, 0x1f, 0, 0x8d, 0x76, 0x89, 0xf6 };
	unsigned int i, k, found = 0;
	ZydisDecoder zydis;

	srand(7);
	ZydisDecoderInit(&zydis, ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32);
	for (i = 0; i < 20000; i++) {
		size_t at, end, from = (size_t)rand() % CODE_BYTES;

		for (k = 0; k < CODE_BYTES; k++)
			code[k] = rand() % 8 ? 0x90 : likely[(size_t)rand() % sizeof(likely)];
		at = hole((uint32_t)from);
		if (at == CODE_BYTES)
			continue;
		found++;
		cr_assert(at >= 1 && at + REWRITE_HOLE_BYTES <= CODE_BYTES && code[at - 1] == 0xc3);
		cr_assert((int)at - (int)from - 2 >= -128 && (int)at - (int)from - 2 <= 127);
		/* One instruction after the other changes nothing. */
		for (end = at; end < at + REWRITE_HOLE_BYTES;) {
			ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
			ZydisDecodedInstruction z;

			cr_assert(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&zydis, code + end, CODE_BYTES - end,
								      &z, op)));
			cr_assert(z.mnemonic == ZYDIS_MNEMONIC_NOP ||
				  (z.mnemonic == ZYDIS_MNEMONIC_LEA && op[1].mem.base == op[0].reg.value &&
				   op[1].mem.disp.value == 0) ||
				  (z.mnemonic == ZYDIS_MNEMONIC_MOV && op[0].reg.value == op[1].reg.value));
			end += z.length;
		}
	}
	cr_assert_gt(found, 1000);
}
