/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmcall sites of the guest: recognised, and replaced by int $0x1f.
 *
 * The write goes to the guest's own frames, so every view shows it at once,
 * read-only or not; the image file is never touched, it was read, not mapped
 * (ABI 4.1).  Each byte is translated by itself: a site may straddle two pages
 * whose frames are not neighbours.
 */
#include "engine/decode.h"
#include "engine/rewrite.h"
#include "guest/guest.h"

static bool replace(struct guest *g, uint32_t va, const uint8_t *bytes, uint32_t n)
{
	gpa_t at[4];
	uint32_t i;

	for (i = 0; i < n; i++)
		if (!guest_translate(g, gva(va + i), &at[i]))
			return false;
	for (i = 0; i < n; i++)
		guest_write(g, at[i], &bytes[i], 1);
	return true;
}

static bool replace_vmcall(struct guest *g, uint32_t va)
{
	if (!replace(g, va, rewrite_int_1f, REWRITE_BYTES))
		return false;
	g->rewritten_sites++;
	return true;
}

static void trace_rewrite(struct guest *g, uint32_t va)
{
	struct guest_event *event;

	if (!trace_wants(g, EVENT_REWRITE))
		return;
	event = trace_begin(g, EVENT_REWRITE);
	if (!event)
		return;
	event->eip = va;
	trace_commit(g);
}

/*
 * Tour 70: A vmcall costs two stops: one that faults, one for the call.  So the first
 * one at each site replaces it by int $0x1f and a NOP, and every later call
 * there faults once, with the vector in the error code.
 */
bool guest_vmcall(struct guest *g)
{
	struct engine_vcpu *v = &g->cpu.v;

	/* From user mode it is an ordinary trap (ABI 4). */
	if (guest_cpl(g) != CPL_KERNEL ||
	    !rewrite_is_vmcall(v->exit.insn, v->exit.insn_len))
		return false;
	if (g->rewrite != REWRITE_EMULATE && replace_vmcall(g, v->regs.eip)) {
		/* The same EIP again, now an int $0x1f. */
		g->rewritten_eip = v->regs.eip;
		trace_rewrite(g, v->regs.eip);
		return true;
	}
	v->regs.eip += REWRITE_BYTES;
	guest_hypercall(g, CAUSE_VMCALL);
	return true;
}

bool guest_was_vmcall(struct guest *g, uint32_t va)
{
	uint8_t bytes[REWRITE_BYTES];

	/* Nobody but us puts a NOP behind it. */
	return g->rewrite == REWRITE_EAGER &&
	       guest_view_read(g, va, bytes, sizeof(bytes)) == sizeof(bytes) &&
	       rewrite_is_int_1f(bytes);
}

/* Bytes around the page are looked at too: enough before it to find instruction
 * boundaries, and the rest of a site that straddles its end. */
#define BEFORE 64u

void guest_scan_page(struct guest *g, uint32_t page)
{
	uint32_t start = page << GUEST_PAGE_SHIFT;
	uint32_t from = start >= BEFORE ? start - BEFORE : start, n = 0;
	uint8_t code[BEFORE + GUEST_PAGE_SIZE + REWRITE_BYTES];
	size_t at;

	while (n < start - from + GUEST_PAGE_SIZE + REWRITE_BYTES - 1) {
		gpa_t pa;

		if (!guest_translate(g, gva(from + n), &pa)) {
			/* Nothing before the page: start with it. */
			if (from + n >= start)
				break;
			from = start;
			n = 0;
			continue;
		}
		guest_read(g, pa, &code[n++], 1);
	}
	/* A site may have begun in the page before. */
	at = start - from >= REWRITE_BYTES - 1 ? start - from - (REWRITE_BYTES - 1) : 0;
	for (at = rewrite_find_vmcall(code, n, at); at < n;
	     at = rewrite_find_vmcall(code, n, at + 1))
		if (replace_vmcall(g, from + (uint32_t)at))
			trace_rewrite(g, from + (uint32_t)at);
}

/* Instructions of an entry path up to its segment loads, jumps included. */
#define ENTRY_PATH 40

/* Follows the code of the last trap's handler from its first instruction: the
 * loads are among the first, behind a jump or two, while the store that was
 * caught may be anywhere later. */
void guest_patch_data_selector(struct guest *g)
{
	uint32_t at = g->cpu.last_entry, steps;
	uint8_t flat = ENGINE_FLAT_DS;

	if (g->rewrite == REWRITE_EMULATE || !at)
		return;
	for (steps = 0; steps < ENTRY_PATH; steps++) {
		uint8_t code[ENGINE_INSN_MAX];
		uint32_t n = guest_view_read(g, at, code, sizeof(code));
		struct insn insn;

		if (rewrite_is_data_selector(code, n)) {
			replace(g, at + 1, &flat, 1);
			return;
		}
		if (!insn_decode(code, n, &insn))
			return;
		at += insn.len;
		if (insn.opcode == 0xe9)
			at += insn.imm;
		else if (insn.opcode == 0xeb)
			at += (insn.imm ^ 0x80) - 0x80;	/* sign extended */
		else if (insn.opcode == 0xc3 || insn.opcode == 0xcf || insn.opcode == 0xff)
			return;
	}
}

void guest_patch_selector(struct guest *g, uint8_t modrm, uint32_t selector, uint32_t host)
{
	uint32_t start = g->cpu.v.regs.eip - 5;
	uint8_t code[5];

	if (g->rewrite == REWRITE_EMULATE ||
	    guest_view_read(g, start, code, sizeof(code)) != sizeof(code) ||
	    !rewrite_is_selector_load(code, modrm, selector))
		return;
	replace(g, start + 1, (const uint8_t *)&host, sizeof(host));
}
