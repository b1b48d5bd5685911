/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spaces against a model, and the decoder against Zydis.
 */
#include <Zydis/Zydis.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/decode.h"
#include "engine/engine.h"
#include "engine/rewrite.h"
#include "engine/space.h"

static uint32_t seed;

static uint32_t random32(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

/* --- spaces ------------------------------------------------------------------- */

static struct space *new_space(void)
{
	struct space *s = aligned_alloc(_Alignof(struct space), sizeof(*s));

	cr_assert_not_null(s);
	return memset(s, 0, sizeof(*s));
}

/* What a host would have after carrying out the queue. */
static void carry_out(struct space *s, uint32_t *host)
{
	uint32_t i, k;

	if (s->reset)
		memset(host, 0, SPACE_PAGES * sizeof(*host));
	for (i = 0; i < s->nr_ops; i++)
		for (k = 0; k < s->ops[i].pages; k++)
			host[s->ops[i].page + k] = s->ops[i].kind == SPACE_OP_UNMAP ? 0 :
				(s->ops[i].frame + k) << 3 | s->ops[i].prot;
	s->reset = s->urgent = false;
	s->nr_ops = 0;
}

/* Random maps and unmaps: after each batch host and space agree, and both are
 * what was asked for unless the queue overflowed. */
static void against_model(uint32_t window, uint32_t batch)
{
	struct space *s = new_space();
	uint32_t *host = calloc(SPACE_PAGES, sizeof(*host));
	uint32_t *want = calloc(SPACE_PAGES, sizeof(*want));
	uint32_t step, page, k;

	seed = 4711 + window;
	for (step = 0; step < 20000; step++) {
		uint32_t first = random32() % window, pages = 1 + random32() % 40;
		uint32_t frame = random32() % 1000, prot = 1 + random32() % 7;

		if (random32() % 3) {
			space_map(s, first, frame, pages, prot);
			for (k = 0; k < pages; k++)
				if (first + k >= SPACE_FIRST_PAGE)
					want[first + k] = (frame + k) << 3 | prot;
		} else {
			space_unmap(s, first, pages);
			memset(want + first, 0, pages * sizeof(*want));
		}
		if (s->reset) {
			/* Everything before the overflow is forgotten. */
			memcpy(want, s->page, SPACE_PAGES * sizeof(*want));
			carry_out(s, host);
		}
		if (step % batch == 0)
			carry_out(s, host);
		if (step % 1000 == 0 && !s->nr_ops) {
			uint32_t mapped = 0;

			cr_assert_eq(memcmp(want, s->page, SPACE_PAGES * sizeof(*want)), 0);
			cr_assert_eq(memcmp(host, s->page, SPACE_PAGES * sizeof(*host)), 0);
			for (page = 0; page < SPACE_PAGES; page++)
				mapped += s->page[page] != 0;
			cr_assert_eq(mapped, s->mapped);
		}
	}
	free(s);
	free(host);
	free(want);
}

Test(engine_pure, space_model_sparse) { against_model(200000, 20); }
Test(engine_pure, space_model_dense) { against_model(3000, 20); }
Test(engine_pure, space_model_overflow) { against_model(500000, 5000); }

/* Going through what is mapped finds each page once, wherever one begins and ends. */
Test(engine_pure, space_next_finds_what_is_mapped)
{
	struct space *s = new_space();
	uint32_t i, page, next, end;

	seed = 815;
	cr_assert_eq(space_next(s, 0, SPACE_PAGES), SPACE_PAGES);
	for (i = 0; i < 300; i++)
		space_map(s, random32() % SPACE_PAGES, i, 1 + random32() % 3, SPACE_READ);
	space_map(s, SPACE_PAGES - 1, 7, 1, SPACE_READ);
	for (i = 0; i < 2000; i++) {
		page = random32() % SPACE_PAGES;
		end = page + random32() % 10000;
		if (end > SPACE_PAGES)
			end = SPACE_PAGES;
		next = space_next(s, page, end);
		cr_assert_leq(space_next_slot(s, page, end), next);
		while (page < end && !s->page[page])
			page++;
		cr_assert_eq(next, page);
	}
	for (i = 0, page = 0; (page = space_next(s, page, SPACE_PAGES)) < SPACE_PAGES; page++)
		i++;
	cr_assert_eq(i, s->mapped);
	free(s);
}

Test(engine_pure, space_merges_runs)
{
	struct space *s = new_space();
	uint32_t i;

	for (i = 0; i < 100; i++)
		space_map(s, 0x1000 + i, 0x50 + i, 1, SPACE_READ);
	cr_assert_eq(s->nr_ops, 1);
	cr_assert_eq(s->ops[0].pages, 100);
	cr_assert_not(s->urgent);
	/* Again: nothing to do. */
	space_map(s, 0x1000, 0x50, 100, SPACE_READ);
	cr_assert_eq(s->nr_ops, 1);
	/* Nothing there: nothing to take away. */
	space_unmap(s, 0x2000, 0x10000);
	cr_assert_eq(s->nr_ops, 1);
	space_unmap(s, 0x1000, 100);
	cr_assert_eq(s->nr_ops, 2);
	cr_assert(s->urgent);
	/* The first 64 KiB cannot be mapped. */
	space_map(s, 0, 0, 32, SPACE_READ);
	cr_assert_eq(s->page[SPACE_FIRST_PAGE - 1], 0);
	cr_assert_eq(s->page[SPACE_FIRST_PAGE], SPACE_FIRST_PAGE << 3 | SPACE_READ);
	free(s);
}

/* --- the decoder ------------------------------------------------------------------ */

static ZydisDecoder zydis;

static bool zydis_writes(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *op)
{
	unsigned int i;

	for (i = 0; i < z->operand_count; i++)
		if (op[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    (op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			return true;
	return false;
}

/* Newer than what this decoder is for. */
static bool beyond_us(const ZydisDecodedInstruction *z)
{
	return z->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX ||
	       z->encoding == ZYDIS_INSTRUCTION_ENCODING_MVEX ||
	       z->encoding == ZYDIS_INSTRUCTION_ENCODING_XOP ||
	       z->encoding == ZYDIS_INSTRUCTION_ENCODING_3DNOW;
}

struct tally {
	unsigned int both, refused, writes_differ;
	char example[64];
};

static void compare(const uint8_t *bytes, size_t n, struct tally *t)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;
	struct insn insn;
	bool theirs = ZYAN_SUCCESS(ZydisDecoderDecodeFull(&zydis, bytes, n, &z, operands));

	if (!theirs || beyond_us(&z))
		return;
	if (!insn_decode(bytes, n, &insn)) {
		t->refused++;
		snprintf(t->example, sizeof(t->example), "refused %02x %02x %02x",
			 bytes[0], bytes[1], bytes[2]);
		return;
	}
	t->both++;
	cr_assert_eq(insn.len, z.length, "%02x %02x %02x %02x: %u, Zydis %u (%s)", bytes[0],
		     bytes[1], bytes[2], bytes[3], insn.len, z.length,
		     ZydisMnemonicGetString(z.mnemonic));
	/* The write bit only saves a second fault; it must be right for what
	 * guests are made of. */
	if (insn.writes != zydis_writes(&z, operands)) {
		t->writes_differ++;
		snprintf(t->example, sizeof(t->example), "%02x %02x %02x %s", bytes[0],
			 bytes[1], bytes[2], ZydisMnemonicGetString(z.mnemonic));
	}
}

static void init_zydis(void)
{
	ZydisDecoderInit(&zydis, ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32);
}

/* Every one- and two-byte opcode with every ModRM, with and without 66. */
Test(engine_pure, decoder_every_opcode)
{
	struct tally t = { 0 };
	unsigned int map, op, modrm, prefix;

	init_zydis();
	for (prefix = 0; prefix < 2; prefix++)
		for (map = 0; map < 2; map++)
			for (op = 0; op < 256; op++)
				for (modrm = 0; modrm < 256; modrm++) {
					uint8_t b[20] = { 0 };
					unsigned int at = 0;

					if (prefix)
						b[at++] = 0x66;
					if (map)
						b[at++] = 0x0f;
					b[at++] = (uint8_t)op;
					b[at++] = (uint8_t)modrm;
					b[at++] = 0x24;
					compare(b, 15, &t);
				}
	cr_assert_gt(t.both, 150000);
	cr_assert_lt(t.refused, t.both / 100, "%u refused, e.g. %s", t.refused, t.example);
	cr_assert_lt(t.writes_differ, t.both / 100, "%u differ, e.g. %s", t.writes_differ, t.example);
}

Test(engine_pure, decoder_random_bytes)
{
	struct tally t = { 0 };
	unsigned int i, k;

	init_zydis();
	seed = 12345;
	for (i = 0; i < 300000; i++) {
		uint8_t b[16];

		for (k = 0; k < sizeof(b); k++)
			b[k] = (uint8_t)random32();
		compare(b, 15, &t);
	}
	cr_assert_gt(t.both, 200000);
	cr_assert_lt(t.refused, t.both / 100, "%u refused, e.g. %s", t.refused, t.example);
}

Test(engine_pure, decoder_reads_no_further_than_told)
{
	/* mov %eax,0x12345678(%ebx,%ecx,4), cut off everywhere. */
	const uint8_t code[] = { 0x89, 0x84, 0x8b, 0x78, 0x56, 0x34, 0x12 };
	struct insn insn;
	size_t n;

	for (n = 0; n < sizeof(code); n++) {
		uint8_t *copy = malloc(n ? n : 1);

		memcpy(copy, code, n);
		cr_assert_not(insn_decode(copy, n, &insn), "%zu bytes", n);
		free(copy);
	}
	cr_assert(insn_decode(code, sizeof(code), &insn));
	cr_assert_eq(insn.disp, 0x12345678);
	cr_assert(insn.writes);
}

Test(engine_pure, vmcall_sites_but_not_data)
{
	uint8_t code[256];
	size_t at;

	memset(code, 0x90, sizeof(code));
	memcpy(code + 100, rewrite_table[REWRITE_VMCALL].from, 3);
	cr_assert_eq(rewrite_find_vmcall(code, sizeof(code), 0), 100);
	cr_assert_eq(rewrite_find_vmcall(code, sizeof(code), 101), sizeof(code));
	/* mov $0x90c1010f,%eax: the bytes are an immediate. */
	memset(code, 0x90, sizeof(code));
	for (at = 0; at + 5 <= sizeof(code); at += 5) {
		code[at] = 0xb8;
		memcpy(code + at + 1, "\x0f\x01\xc1\x90", 4);
	}
	cr_assert_eq(rewrite_find_vmcall(code, 250, 60), 250);
}

/* Which access of an instruction faulted: the one that writes? */
Test(engine_pure, the_access_that_wrote)
{
	static const struct {
		const char *what, *code;
		size_t n;
		uint32_t address;
		bool wrote;
	} rows[] = {
		{ "push mem, operand", "\xff\x30", 2, 0x1000, false },
		{ "push mem, stack", "\xff\x30", 2, 0x7ffc, true },
		{ "pop mem, operand", "\x8f\x00", 2, 0x1000, true },
		{ "pop mem, stack", "\x8f\x00", 2, 0x8000, false },
		{ "call mem, operand", "\xff\x10", 2, 0x1000, false },
		{ "movs, source", "\xa5", 1, 0x3000, false },
		{ "movs, destination", "\xa5", 1, 0x4000, true },
		{ "stos", "\xab", 1, 0x4000, true },
		{ "cmps", "\xa7", 1, 0x4000, false },
		{ "mov to mem", "\x89\x00", 2, 0x1000, true },
		{ "mov from mem", "\x8b\x00", 2, 0x1000, false },
		{ "cmp mem", "\x39\x00", 2, 0x1000, false },
		{ "test mem", "\xf7\x00\x01\x00\x00\x00", 6, 0x1000, false },
		{ "inc mem", "\xff\x00", 2, 0x1000, true },
		{ "fst", "\xdd\x10", 2, 0x1000, true },
		{ "fld", "\xdd\x00", 2, 0x1000, false },
		{ "moffs store", "\xa3\x00\x20\x00\x00", 5, 0x2000, true },
		{ "lock cmpxchg", "\xf0\x0f\xb1\x08", 4, 0x1000, true },
	};
	const struct engine_regs regs = {
		.eax = 0x1000, .esi = 0x3000, .edi = 0x4000, .esp = 0x8000,
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct insn insn;

		cr_assert(insn_decode((const uint8_t *)rows[i].code, rows[i].n, &insn), "%s", rows[i].what);
		cr_assert_eq(insn_wrote(&insn, &regs, 0, rows[i].address), rows[i].wrote, "%s", rows[i].what);
	}
}
