/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sites of the guest kernel that are rewritten: where they are found, and how the
 * new bytes get there.  Which and why is engine/rewrite.c's.
 *
 * The write goes to the guest's own frames, so every view shows it at once,
 * read-only or not; the image file is never touched, it was read, not mapped
 * (ABI 4.1).  Each byte is translated by itself: a site may straddle two pages
 * whose frames are not neighbours.
 */
#include <string.h>

#include "engine/decode.h"
#include "engine/rewrite.h"
#include "guest/guest.h"

static bool replace(struct guest *g, enum rewrite_id id, uint32_t va, const uint8_t *bytes,
		    uint32_t n)
{
	struct guest_site *site = &g->sites.site[g->sites.n % GUEST_SITES];
	gpa_t at[REWRITE_MAX];
	uint32_t i;

	for (i = 0; i < n; i++)
		if (!guest_translate(g, gva(va + i), &at[i]))
			return false;
	*site = (struct guest_site){ .va = va, .row = (uint8_t)id, .bytes = (uint8_t)n };
	for (i = 0; i < n; i++) {
		guest_read(g, at[i], &site->before[i], 1);
		guest_write(g, at[i], &bytes[i], 1);
		site->after[i] = bytes[i];
	}
	g->sites.n++;
	return true;
}

void guest_undo_sites(const struct guest *g, uint32_t va, uint8_t *bytes, uint32_t n)
{
	uint32_t last = g->sites.n, i, k;

	/* The latest first: a site may have been rewritten twice. */
	for (i = 0; i < last && i < GUEST_SITES; i++) {
		const struct guest_site *site = &g->sites.site[(last - 1 - i) % GUEST_SITES];

		if (site->va - va >= n || n - (site->va - va) < site->bytes ||
		    site->bytes > REWRITE_MAX ||
		    memcmp(bytes + (site->va - va), site->after, site->bytes) != 0)
			continue;
		for (k = 0; k < site->bytes; k++)
			bytes[site->va - va + k] = site->before[k];
	}
}

/* Rewrites the site by row `id` whose trapping instruction is at `eip`, if it is one.
 * `site` says what is known beside the bytes. */
static bool rewrite(struct guest *g, enum rewrite_id id, uint32_t eip, struct rewrite_site site)
{
	const struct rewrite_row *row = &rewrite_table[id];
	uint8_t code[REWRITE_MAX], to[REWRITE_MAX];

	site.va = eip - row->trap;
	return g->rewrite != REWRITE_EMULATE &&
	       guest_view_read(g, site.va, code, row->bytes) == row->bytes &&
	       rewrite_site(id, code, row->bytes, &site, to) &&
	       replace(g, id, site.va, to, row->bytes);
}

static bool replace_vmcall(struct guest *g, uint32_t va)
{
	if (!replace(g, REWRITE_VMCALL, va, rewrite_table[REWRITE_VMCALL].to, REWRITE_BYTES))
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
	       memcmp(bytes, rewrite_table[REWRITE_VMCALL].to, sizeof(bytes)) == 0;
}

static struct rewrite_site with_gates(const struct guest *g)
{
	return (struct rewrite_site){
		.gates = g->gate_frame ? GUEST_GATES : 0,
		.irq_enabled = guest_irq_enabled_address(g), .window = g->lg.noirq_start,
	};
}

/* A call is relative to where it stands, and with its first page table a kernel is
 * somewhere else. */
void guest_take_back_gates(struct guest *g)
{
	const struct rewrite_row *row = &rewrite_table[REWRITE_CALL_GATE];
	uint32_t i;

	for (i = 0; i < g->sites.holes && i < GUEST_SITES; i++) {
		const struct guest_hole *h = &g->sites.hole[i];
		uint32_t hole = h->called_from - REWRITE_HOLE_BYTES;
		uint8_t jump[2];

		/* Unless the guest has put something else there. */
		if (guest_read_virtual(g, h->eip, jump, sizeof(jump)) != sizeof(jump) ||
		    jump[0] != row->to[0] || jump[1] != (uint8_t)(hole - (h->eip + 2)))
			continue;
		guest_write_virtual(g, h->eip, row->from, row->bytes);
		guest_write_virtual(g, hole, h->padding, sizeof(h->padding));
	}
	g->sites.holes = 0;
	memset(g->holeless, 0, sizeof(g->holeless));
}

/* How far around a site padding is looked for: as far as a short jump goes. */
#define REACH 160u
/* A search takes longer than the trap it would save. */
#define MAX_SEARCHES 1024u

/* Code around `eip`, and where it begins; returns how much of it there is. */
static uint32_t read_around(struct guest *g, uint32_t eip, uint32_t *from, uint8_t code[2 * REACH])
{
	uint32_t page = eip & GUEST_PAGE_MASK, n;

	*from = eip > REACH ? eip - REACH : 0;
	n = guest_view_read(g, *from, code, 2 * REACH);
	/* The page before is not there: start with this one. */
	if (*from + n <= eip) {
		*from = page;
		n = guest_view_read(g, *from, code, eip - page + REACH);
	}
	return n;
}

/* Where to note a call: code that was there before, and its padding, may be gone. */
static uint32_t place_for_hole(const struct guest *g, uint32_t called_from)
{
	uint32_t i;

	for (i = 0; i < g->sites.holes && i < GUEST_SITES; i++)
		if (g->sites.hole[i].called_from == called_from)
			break;
	return i;
}

void guest_patch_call_gate(struct guest *g)
{
	uint32_t eip = g->cpu.v.regs.eip, from, n, at, hole_at;
	uint8_t code[2 * REACH], hole[REWRITE_HOLE_BYTES];
	struct rewrite_site site;

	/* Each site once: where there is no hole there will be none.  Two of them
	 * may share a place in that list, but not search by turns for ever. */
	if (!g->gate_frame || g->holeless[eip / 2 % GUEST_SITES] == eip ||
	    g->sites.searches == MAX_SEARCHES)
		return;
	g->sites.searches++;
	site = with_gates(g);
	n = read_around(g, eip, &from, code);
	at = (uint32_t)rewrite_find_hole(code, n, from, eip);
	site.hole = from + at;
	hole_at = place_for_hole(g, site.hole + REWRITE_HOLE_BYTES);
	if (at < n && hole_at < GUEST_SITES) {
		rewrite_call(site.hole, GUEST_GATES + GATE_CALL, hole);
		if (replace(g, REWRITE_CALL_GATE, site.hole, hole, sizeof(hole)) &&
		    rewrite(g, REWRITE_CALL_GATE, eip, site)) {
			g->sites.hole[hole_at].called_from = site.hole + sizeof(hole);
			g->sites.hole[hole_at].eip = eip;
			memcpy(g->sites.hole[hole_at].padding, code + at, REWRITE_HOLE_BYTES);
			g->sites.holes += hole_at == g->sites.holes;
			return;
		}
	}
	g->holeless[eip / 2 % GUEST_SITES] = eip;
}

bool guest_find_hole(const struct guest *g, uint32_t called_from, uint32_t *eip)
{
	uint32_t i;

	for (i = 0; i < g->sites.holes && i < GUEST_SITES; i++)
		if (g->sites.hole[i].called_from == called_from) {
			*eip = g->sites.hole[i].eip;
			return true;
		}
	return false;
}

void guest_patch_iret_gate(struct guest *g)
{
	if (g->gate_frame && g->mm.mode == MM_TABLES &&
	    !rewrite(g, REWRITE_IRET_GATE, g->cpu.v.regs.eip, with_gates(g)))
		rewrite(g, REWRITE_IRET_GATE_F, g->cpu.v.regs.eip, with_gates(g));
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

	if (!at)
		return;
	for (steps = 0; steps < ENTRY_PATH; steps++) {
		uint8_t code[ENGINE_INSN_MAX];
		uint32_t n = guest_view_read(g, at, code, sizeof(code));
		struct insn insn;

		if (rewrite(g, REWRITE_DATA_EDX, at, (struct rewrite_site){ 0 }) ||
		    rewrite(g, REWRITE_DATA_ECX, at, (struct rewrite_site){ 0 }))
			return;
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
	rewrite(g, REWRITE_SELECTOR, g->cpu.v.regs.eip, (struct rewrite_site){
		.reg = modrm & 7, .selector = selector, .host_selector = host,
	});
}
