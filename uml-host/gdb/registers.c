/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The register file as GDB knows it for i386: core, x87 and SSE, in the order of
 * the description that we hand out.  CS and SS are the guest's own; the other
 * segments hold what the host's processor has loaded for them.
 */
#include <stdio.h>
#include <string.h>

#include "gdb/internal.h"

#define CORE 16u		/* eax to gs, 4 bytes */
#define ST 8u			/* 10 bytes */
#define CONTROL 8u		/* fctrl to fop, 4 bytes */
#define XMM 8u			/* 16 bytes */
#define EFLAGS_NR 9u

/* What a debugger may change: CF PF AF ZF SF DF OF.  TF it has packets for, IF is in
 * lguest_data. */
#define EFLAGS_SETTABLE 0xcd5u

/* In FXSAVE (Intel SDM 1, 10.5.1). */
#define FX_CONTROL 0
#define FX_STATUS 2
#define FX_TAG 4
#define FX_OPCODE 6
#define FX_IP 8
#define FX_DP 16
#define FX_MXCSR 24
#define FX_ST 32		/* 16 bytes each */
#define FX_XMM 160

static const char *const core_name[CORE] = {
	"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi",
	"eip", "eflags", "cs", "ss", "ds", "es", "fs", "gs",
};

static const char *const control_name[CONTROL] = {
	"fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop",
};

struct register_place register_place(uint32_t n)
{
	if (n < CORE)
		return (struct register_place){ (uint16_t)(n * 4), 4 };
	n -= CORE;
	if (n < ST)
		return (struct register_place){ (uint16_t)(64 + n * 10), 10 };
	n -= ST;
	if (n < CONTROL)
		return (struct register_place){ (uint16_t)(144 + n * 4), 4 };
	n -= CONTROL;
	if (n < XMM)
		return (struct register_place){ (uint16_t)(176 + n * 16), 16 };
	return n == XMM ? (struct register_place){ 304, 4 } : (struct register_place){ 0, 0 };
}

bool register_is_writable(uint32_t n)
{
	return n <= EFLAGS_NR || n >= CORE;
}

/* Two bits a register in GDB's, one in FXSAVE's: only "empty" is told. */
static uint32_t full_tag(uint8_t brief)
{
	uint32_t tag = 0;
	unsigned int i;

	for (i = 0; i < ST; i++)
		if (!(brief >> i & 1))
			tag |= 3u << (2 * i);
	return tag;
}

static uint8_t brief_tag(uint32_t tag)
{
	unsigned int i, brief = 0;

	for (i = 0; i < ST; i++)
		if ((tag >> (2 * i) & 3) != 3)
			brief |= 1u << i;
	return (uint8_t)brief;
}

/* Offsets in FXSAVE and sizes of the control registers; segments are not kept. */
static const struct { uint8_t at, bytes; } control_place[CONTROL] = {
	{ FX_CONTROL, 2 }, { FX_STATUS, 2 }, { FX_TAG, 1 }, { 0, 0 },
	{ FX_IP, 4 }, { 0, 0 }, { FX_DP, 4 }, { FX_OPCODE, 2 },
};

static void read_fpu(const uint8_t *fx, uint8_t *to)
{
	unsigned int i;

	for (i = 0; i < ST; i++)
		memcpy(to + register_place(CORE + i).at, fx + FX_ST + 16 * i, 10);
	for (i = 0; i < CONTROL; i++) {
		uint32_t value = 0;

		memcpy(&value, fx + control_place[i].at, control_place[i].bytes);
		if (control_place[i].at == FX_TAG)
			value = full_tag((uint8_t)value);
		memcpy(to + register_place(CORE + ST + i).at, &value, 4);
	}
	memcpy(to + register_place(CORE + ST + CONTROL).at, fx + FX_XMM, 16 * XMM);
	memcpy(to + register_place(REGISTERS - 1).at, fx + FX_MXCSR, 4);
}

static void write_fpu(uint8_t *fx, const uint8_t *from)
{
	unsigned int i;

	for (i = 0; i < ST; i++)
		memcpy(fx + FX_ST + 16 * i, from + register_place(CORE + i).at, 10);
	for (i = 0; i < CONTROL; i++) {
		uint32_t value;

		memcpy(&value, from + register_place(CORE + ST + i).at, 4);
		if (control_place[i].at == FX_TAG)
			value = brief_tag(value);
		memcpy(fx + control_place[i].at, &value, control_place[i].bytes);
	}
	memcpy(fx + FX_XMM, from + register_place(CORE + ST + CONTROL).at, 16 * XMM);
	memcpy(fx + FX_MXCSR, from + register_place(REGISTERS - 1).at, 4);
}

void registers_read(struct target *t, uint8_t to[REGISTERS_BYTES])
{
	const struct guest_cpu *cpu = &t->guest->cpu;
	const struct engine_regs *r = &cpu->v.regs;
	uint32_t core[CORE] = {
		r->eax, r->ecx, r->edx, r->ebx, r->esp, r->ebp, r->esi, r->edi,
		r->eip, (r->eflags & ~EFLAGS_IF) | guest_irq_enabled(t->guest),
		cpu->cs, cpu->ss, r->ds, r->es, r->fs, r->gs,
	};
	uint8_t fx[ENGINE_FPU_BYTES];

	memset(to, 0, REGISTERS_BYTES);
	memcpy(to, core, sizeof(core));
	if (engine_read_fpu(t->engine, fx))
		read_fpu(fx, to);
}

static bool write_fpu_if_new(struct target *t, const uint8_t *from)
{
	uint8_t fx[ENGINE_FPU_BYTES], now[REGISTERS_BYTES];

	registers_read(t, now);
	if (memcmp(now + 64, from + 64, REGISTERS_BYTES - 64) == 0)
		return true;
	if (!engine_read_fpu(t->engine, fx))
		return false;
	write_fpu(fx, from);
	return engine_write_fpu(t->engine, fx);
}

bool registers_write(struct target *t, const uint8_t from[REGISTERS_BYTES])
{
	struct engine_regs *r = &t->guest->cpu.v.regs;
	uint32_t core[CORE];

	if (!write_fpu_if_new(t, from))
		return false;
	memcpy(core, from, sizeof(core));
	r->eax = core[0], r->ecx = core[1], r->edx = core[2], r->ebx = core[3];
	r->esp = core[4], r->ebp = core[5], r->esi = core[6], r->edi = core[7];
	r->eip = core[8];
	r->eflags = (r->eflags & ~EFLAGS_SETTABLE) | (core[EFLAGS_NR] & EFLAGS_SETTABLE);
	return true;
}

/* --- the description (GDB manual, "i386 Features") ------------------------------------- */

static char *add_register(char *at, const char *end, const char *name, unsigned int bits,
			  const char *type)
{
	return at + snprintf(at, (size_t)(end - at), "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"/>",
			     name, bits, type);
}

static char *add_text(char *at, const char *end, const char *text)
{
	return at + snprintf(at, (size_t)(end - at), "%s", text);
}

const char *registers_xml(void)
{
	static char xml[6144];
	const char *end = xml + sizeof(xml);
	char *at = xml, name[8];
	unsigned int i;

	if (*xml)
		return xml;
	at = add_text(at, end, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
		      "<target version=\"1.0\"><architecture>i386</architecture>"
		      "<feature name=\"org.gnu.gdb.i386.core\">");
	for (i = 0; i < CORE; i++)
		at = add_register(at, end, core_name[i], 32,
				  i == 8 ? "code_ptr" : i == 4 || i == 5 ? "data_ptr" : "int32");
	for (i = 0; i < ST; i++) {
		snprintf(name, sizeof(name), "st%u", i);
		at = add_register(at, end, name, 80, "i387_ext");
	}
	for (i = 0; i < CONTROL; i++)
		at = add_register(at, end, control_name[i], 32, "int");
	at = add_text(at, end, "</feature><feature name=\"org.gnu.gdb.i386.sse\">"
		      "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
		      "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
		      "<vector id=\"v16b\" type=\"int8\" count=\"16\"/>"
		      "<vector id=\"v4i\" type=\"int32\" count=\"4\"/>"
		      "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
		      "<field name=\"v2_double\" type=\"v2d\"/>"
		      "<field name=\"v16_int8\" type=\"v16b\"/>"
		      "<field name=\"v4_int32\" type=\"v4i\"/>"
		      "<field name=\"uint128\" type=\"uint128\"/></union>");
	for (i = 0; i < XMM; i++) {
		snprintf(name, sizeof(name), "xmm%u", i);
		at = add_register(at, end, name, 128, "vec128");
	}
	at = add_register(at, end, "mxcsr", 32, "int");
	add_text(at, end, "</feature></target>");
	return xml;
}
