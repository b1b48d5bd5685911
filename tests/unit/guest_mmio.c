/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses of device registers against Zydis: every form of MOV with every
 * ModRM and SIB must be the access that Zydis says it is, and nothing else may
 * be taken for one.
 */
#include <Zydis/Zydis.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "guest_fixture.h"

#define CODE 0x150000u
#define FS_BASE 0x10000000u
#define GS_BASE 0x20000000u

static ZydisDecoder decoder;
static struct guest *g;

static const struct engine_regs registers = {
	.eax = 0x8a1b2c3d, .ecx = 0x00000e41, .edx = 0x7f665544, .ebx = 0x01230080,
	.esp = 0x00345678, .ebp = 0xfffffff0, .esi = 0x00fedcb8, .edi = 0x44332211,
	.eip = CODE, .ss = ENGINE_FLAT_DS, .ds = ENGINE_FLAT_DS,
	.es = ENGINE_FLAT_DS,
};

static void setup(void)
{
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32);
	g = fixture_started(GENERATION_F);
	space_map(guest_view(g, 0, CPL_KERNEL), CODE >> 12, CODE >> 12, 1, SPACE_READ);
}

static void teardown(void)
{
	fixture_free(g);
}

TestSuite(guest_mmio, .init = setup, .fini = teardown);

/* --- what Zydis says ------------------------------------------------------------------ */

/* In the order x86 numbers them. */
static uint32_t general(unsigned int nr)
{
	const uint32_t value[8] = {
		registers.eax, registers.ecx, registers.edx, registers.ebx,
		registers.esp, registers.ebp, registers.esi, registers.edi,
	};

	return value[nr];
}

/* AL to BL, then AH to BH; AX to DI; EAX to EDI: 8 of each, one after the other. */
static unsigned int number_of(ZydisRegister r)
{
	if (r >= ZYDIS_REGISTER_AL && r <= ZYDIS_REGISTER_BH)
		return (unsigned int)(r - ZYDIS_REGISTER_AL);
	if (r >= ZYDIS_REGISTER_AX && r <= ZYDIS_REGISTER_DI)
		return (unsigned int)(r - ZYDIS_REGISTER_AX);
	cr_assert(r >= ZYDIS_REGISTER_EAX && r <= ZYDIS_REGISTER_EDI);
	return (unsigned int)(r - ZYDIS_REGISTER_EAX);
}

static uint32_t register_value(ZydisRegister r)
{
	unsigned int nr = number_of(r);

	if (r >= ZYDIS_REGISTER_AL && r <= ZYDIS_REGISTER_BH)
		return general(nr & 3) >> (nr & 4 ? 8 : 0) & 0xff;
	return r <= ZYDIS_REGISTER_DI ? general(nr) & 0xffff : general(nr);
}

static uint32_t address_of(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *m)
{
	ZydisRegisterContext context = { 0 };
	ZyanU64 address;
	unsigned int i;

	for (i = 0; i < 8; i++) {
		context.values[ZYDIS_REGISTER_EAX + (ZydisRegister)i] = general(i);
		context.values[ZYDIS_REGISTER_AX + (ZydisRegister)i] = general(i) & 0xffff;
	}
	cr_assert(ZYAN_SUCCESS(ZydisCalcAbsoluteAddressEx(z, m, CODE, &context, &address)));
	if (z->address_width == 16)
		address &= 0xffff;
	if (m->mem.segment == ZYDIS_REGISTER_FS)
		address += FS_BASE;
	if (m->mem.segment == ZYDIS_REGISTER_GS)
		address += GS_BASE;
	return (uint32_t)address;
}

static uint32_t low(uint64_t value, unsigned int bytes)
{
	return (uint32_t)(value & ((1ull << 8 * bytes) - 1));
}

/* --- the comparison -------------------------------------------------------------------- */

struct tally { unsigned int accesses, refused; };

/* Puts the code where the guest is, which faults at `address`. */
static bool try(const uint8_t *code, size_t n, uint32_t address)
{
	memset(fixture_ram(g) + CODE, 0x90, 32);
	memcpy(fixture_ram(g) + CODE, code, n);
	g->cpu.v.regs = registers;
	g->cpu.v.fs_base = FS_BASE;
	g->cpu.v.gs_base = GS_BASE;
	g->request = REQUEST_NONE;
	return guest_mmio(g, address, gpa(0x1234000 | (address & 0xfff)));
}

/* The register a read went to, and no other, holds what was read. */
static void check_read(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *op,
		       const char *text)
{
	const uint32_t read = 0x1a8bfced;	/* negative as a byte, as a word */
	unsigned int bytes = op[0].size / 8u, from = op[1].size / 8u, nr = number_of(op[0].reg.value), i;
	uint32_t value = low(read, from), shift = 0, mask;
	const uint32_t *now[8] = {
		&g->cpu.v.regs.eax, &g->cpu.v.regs.ecx, &g->cpu.v.regs.edx, &g->cpu.v.regs.ebx,
		&g->cpu.v.regs.esp, &g->cpu.v.regs.ebp, &g->cpu.v.regs.esi, &g->cpu.v.regs.edi,
	};

	if (z->mnemonic == ZYDIS_MNEMONIC_MOVSX && value >> (8 * from - 1))
		value |= UINT32_MAX << 8 * from;
	if (bytes == 1 && nr >= 4) {
		nr -= 4;
		shift = 8;
	}
	mask = low(UINT64_MAX, bytes) << shift;
	guest_access_done(g, true, low(read, from));
	for (i = 0; i < 8; i++)
		cr_assert_eq(*now[i], i != nr ? general(i) :
			     (general(i) & ~mask) | (value << shift & mask),
			     "%s: register %u is 0x%x", text, i, *now[i]);
}

static void check_write(const ZydisDecodedOperand *op, const char *text)
{
	unsigned int bytes = op[0].size / 8u;
	uint32_t value = op[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE ?
			 low(op[1].imm.value.u, bytes) : register_value(op[1].reg.value);

	cr_assert_eq(low(g->access.value, bytes), value, "%s: 0x%x, Zydis 0x%x", text,
		     g->access.value, value);
	guest_access_done(g, true, 0);
	cr_assert_eq(memcmp(&g->cpu.v.regs.eax, &registers.eax, sizeof(registers.eax)), 0);
}

/* Is it a move between memory and a general register or immediate? */
static int memory_operand(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *op)
{
	unsigned int m = op[0].type == ZYDIS_OPERAND_TYPE_MEMORY ? 0 : 1;
	const ZydisDecodedOperand *other = &op[1 - m];

	if ((z->mnemonic != ZYDIS_MNEMONIC_MOV && z->mnemonic != ZYDIS_MNEMONIC_MOVZX &&
	     z->mnemonic != ZYDIS_MNEMONIC_MOVSX) || op[m].type != ZYDIS_OPERAND_TYPE_MEMORY)
		return -1;
	if (other->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    (other->reg.value < ZYDIS_REGISTER_AL || other->reg.value > ZYDIS_REGISTER_EDI))
		return -1;	/* a segment register */
	return (int)m;
}

static void compare(const uint8_t *code, size_t n, struct tally *t)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;
	char text[64];
	uint32_t address;
	int m;

	/* What is none never gets as far as a page fault. */
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code, n, &z, op)))
		return;
	snprintf(text, sizeof(text), "%02x %02x %02x %02x %02x (%s)", code[0], code[1], code[2],
		 code[3], code[4], ZydisMnemonicGetString(z.mnemonic));
	m = memory_operand(&z, op);
	if (m < 0) {
		unsigned int i;

		t->refused++;
		/* Wherever it faulted. */
		for (i = 0; i < z.operand_count; i++)
			if (op[i].type == ZYDIS_OPERAND_TYPE_MEMORY && op[i].mem.type == ZYDIS_MEMOP_TYPE_MEM)
				cr_assert_not(try(code, n, address_of(&z, &op[i])), "%s", text);
		cr_assert_not(try(code, n, registers.edi), "%s", text);
		return;
	}
	t->accesses++;
	address = address_of(&z, &op[m]);
	cr_assert_not(try(code, n, address + 0x1000), "%s: at any address", text);
	cr_assert(try(code, n, address), "%s: not at 0x%x", text, address);
	cr_assert_eq(g->request, REQUEST_MMIO);
	cr_assert_eq(g->access.address, 0x1234000 | (address & 0xfff), "%s", text);
	cr_assert_eq(g->access.width, op[m].size / 8u, "%s: %u bytes", text, g->access.width);
	cr_assert_eq(g->access.write, m == 0, "%s", text);
	cr_assert_eq(g->access.eip, CODE + z.length, "%s", text);
	if (m == 0)
		check_write(op, text);
	else
		check_read(&z, op, text);
	cr_assert_eq(g->cpu.v.regs.eip, CODE + z.length, "%s", text);
}

/* --- the tables ------------------------------------------------------------------------- */

static const char *const prefixes[] = {
	"", "\x66", "\x67", "\x66\x67", "\x64", "\x65", "\x65\x66", "\x3e", "\x2e", "\x26", "\x36",
};

/* Prefixes, opcode, and then ModRM, SIB, displacement and immediate of all
 * kinds, as far as they are there. */
static size_t assemble(uint8_t *code, const char *prefix, unsigned int opcode, uint8_t modrm,
		       uint8_t sib)
{
	static const uint8_t rest[] = { 0x98, 0x7a, 0xbc, 0xde, 0x21, 0x43, 0x65, 0x87, 0x11 };
	size_t at = strlen(prefix);

	memcpy(code, prefix, at);
	if (opcode > 0xff)
		code[at++] = 0x0f;
	code[at++] = (uint8_t)opcode;
	code[at++] = modrm;
	code[at++] = sib;
	memcpy(code + at, rest, 15 - at < sizeof(rest) ? 15 - at : sizeof(rest));
	return 15;
}

/* MOV between register and memory, from AL and EAX, of immediates, with zeroes
 * and with the sign. */
Test(guest_mmio, every_mov)
{
	static const unsigned int opcodes[] = {
		0x88, 0x89, 0x8a, 0x8b, 0xa0, 0xa1, 0xa2, 0xa3, 0xc6, 0xc7,
		0xfb6, 0xfb7, 0xfbe, 0xfbf,
	};
	struct tally t = { 0 };
	unsigned int p, o, modrm, sib;
	uint8_t code[16];

	for (p = 0; p < sizeof(prefixes) / sizeof(prefixes[0]); p++)
		for (o = 0; o < sizeof(opcodes) / sizeof(opcodes[0]); o++)
			for (modrm = 0; modrm < 256; modrm++)
				/* Without a SIB byte it is displacement: a few do. */
				for (sib = 0; sib < 256; sib += (modrm & 7) == 4 ? 1 : 85)
					compare(code, assemble(code, prefixes[p], opcodes[o],
							       (uint8_t)modrm, (uint8_t)sib), &t);
	cr_assert_gt(t.accesses, 500000, "%u", t.accesses);
}

/* All of the one- and two-byte maps: nothing but a MOV is an access. */
Test(guest_mmio, nothing_else)
{
	struct tally t = { 0 };
	unsigned int p, o, modrm;
	uint8_t code[16];

	for (p = 0; p < 4; p++)
		for (o = 0; o < 512; o++)
			for (modrm = 0; modrm < 256; modrm++)
				compare(code, assemble(code, prefixes[p],
						       o < 256 ? o : 0xf00 | (o & 255),
						       (uint8_t)modrm, 0x2c), &t);
	cr_assert_gt(t.refused, 100000, "%u", t.refused);
}

/* The instruction ends where memory does: no byte behind it is looked at. */
Test(guest_mmio, cut_off)
{
	static const uint8_t code[] = { 0xc7, 0x84, 0x8b, 0x78, 0x56, 0x34, 0x12, 1, 2, 3, 4 };
	uint32_t address = registers.ebx + 4 * registers.ecx + 0x12345678;
	unsigned int n;

	memset(fixture_ram(g) + CODE, 0x90, GUEST_PAGE_SIZE);
	for (n = 1; n <= sizeof(code); n++) {
		uint32_t at = CODE + GUEST_PAGE_SIZE - n;

		memcpy(fixture_ram(g) + at, code, sizeof(code));
		g->cpu.v.regs = registers;
		g->cpu.v.regs.eip = at;
		g->request = REQUEST_NONE;
		cr_assert_eq(guest_mmio(g, address, gpa(0x1234000)), n == sizeof(code), "%u", n);
	}
	cr_assert_eq(g->access.value, 0x04030201);
}

/* A program has no registers, whatever its tables say. */
Test(guest_mmio, not_for_programs)
{
	static const uint8_t code[] = { 0x8b, 0x07 };

	cr_assert(try(code, sizeof(code), registers.edi));
	g->cpu.cs = LGUEST_USER_CS;
	space_map(guest_view(g, 0, CPL_USER), CODE >> 12, CODE >> 12, 1, SPACE_READ);
	cr_assert_not(try(code, sizeof(code), registers.edi));
	cr_assert_eq(g->request, REQUEST_NONE);
}
