/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtual GDT, and how its segments reach a host whose GDT is its own.
 *
 * Flat segments are the host's flat ones.  Others go into the host LDT at the
 * same index: guest libraries compute the index as %gs >> 3, so no other place
 * will do.  Two guest selectors load silently as something else on a 64-bit
 * host, 0x7B and 0x33; they are replaced when they are met (ABI 11.2).
 */
#include "engine/decode.h"
#include "guest/guest.h"

#define DESC_ACCESSED (1ull << 40)
#define DESC_WRITABLE (1ull << 41)	/* of data; code: readable */
#define DESC_CODE (1ull << 43)
#define DESC_SEGMENT (1ull << 44)	/* not a system descriptor */
#define DESC_DPL_SHIFT 45
#define DESC_PRESENT (1ull << 47)

/* A flat, writable 4 GiB data segment of ring 3. */
#define FLAT_DATA 0x00cff3000000ffffull

#define TLS_MASK (7u << LGUEST_TLS_ENTRY)

/* The host's switcher segments and the TSSs: stored, never loaded (ABI 6.2). */
static bool is_ignored(unsigned int index)
{
	return index == 10 || index == 11 || index == 16 || index == 31;
}

static bool is_tls(unsigned int index)
{
	return index >= LGUEST_TLS_ENTRY && index < LGUEST_TLS_ENTRY + LGUEST_TLS_ENTRIES;
}

/* What the host does to every entry it will load (ABI 6.2). */
static void fix_up(struct guest *g, unsigned int index)
{
	uint64_t *d = &g->gdt[index];

	if (is_ignored(index))
		return;
	if (!(*d >> DESC_DPL_SHIFT & 3))
		*d |= (uint64_t)LGUEST_GUEST_PL << DESC_DPL_SHIFT;
	*d |= DESC_ACCESSED;
}

void hcall_load_gdt(struct guest *g, const uint32_t arg[4])
{
	unsigned int i;

	if (arg[1] > LGUEST_GDT_ENTRIES) {
		kill_guest(g, "GDT of %u entries, at most 32", arg[1]);
		return;
	}
	guest_read(g, gpa(arg[0]), g->gdt, arg[1] * (uint32_t)sizeof(g->gdt[0]));
	for (i = 0; i < LGUEST_GDT_ENTRIES; i++)
		fix_up(g, i);
}

void hcall_load_gdt_entry(struct guest *g, const uint32_t arg[4])
{
	/* Generation B let 32 slip through, one beyond its table. */
	if (arg[0] >= LGUEST_GDT_ENTRIES) {
		kill_guest(g, "GDT entry %u, at most 31", arg[0]);
		return;
	}
	g->gdt[arg[0]] = (uint64_t)arg[2] << 32 | arg[1];
	fix_up(g, arg[0]);
}

void hcall_load_tls(struct guest *g, const uint32_t arg[4])
{
	unsigned int i;

	guest_read(g, gpa(arg[0]), &g->gdt[LGUEST_TLS_ENTRY],
		   LGUEST_TLS_ENTRIES * (uint32_t)sizeof(g->gdt[0]));
	for (i = 0; i < LGUEST_TLS_ENTRIES; i++)
		fix_up(g, LGUEST_TLS_ENTRY + i);
}

uint32_t descriptor_base(uint64_t d)
{
	return (uint32_t)(d >> 16 & 0xffffff) | (uint32_t)(d >> 32 & 0xff000000);
}

static bool is_flat(uint64_t d)
{
	/* Base 0, limit 0xfffff in pages. */
	return descriptor_base(d) == 0 && (d & 0xffff) == 0xffff &&
	       (d >> 48 & 0x8f) == 0x8f;
}

/* May code at privilege `cpl` load this descriptor into a data register? */
static bool is_loadable(uint64_t d, unsigned int cpl)
{
	if (!(d & DESC_PRESENT) || !(d & DESC_SEGMENT))
		return false;
	if ((d & DESC_CODE) && !(d & DESC_WRITABLE))
		return false;
	return (d >> DESC_DPL_SHIFT & 3) >= cpl;
}

/* Host code always has a flat SS, so nothing else can be a program's. */
bool guest_is_user_stack(const struct guest *g, uint16_t sel)
{
	unsigned int index = sel >> 3;
	uint64_t d;

	if ((sel & 7) != CPL_USER || index >= LGUEST_GDT_ENTRIES || is_ignored(index))
		return false;
	d = g->gdt[index];
	return is_loadable(d, CPL_USER) && is_flat(d) && !(d & DESC_CODE) && (d & DESC_WRITABLE);
}

/*
 * Tour 170: Segments have no such trick: the host's descriptor table is the host's.  A
 * segment that is not flat goes into the local table of the stub, at the index
 * the guest gave it, because its libraries count on the index.
 */
/* The host selector for guest selector `sel`, and its base.  False: the guest
 * has no such segment. */
static bool translate(struct guest *g, uint16_t sel, uint16_t *host, uint32_t *base)
{
	unsigned int index = sel >> 3;
	unsigned int cpl = guest_cpl(g);
	uint64_t d;

	*base = 0;
	if (index == 0 && !(sel & 4)) {
		*host = 0;
		return true;
	}
	if (index >= LGUEST_GDT_ENTRIES || is_ignored(index))
		return false;
	d = g->gdt[index];
	if (is_tls(index) && cpl == CPL_KERNEL)
		d = FLAT_DATA;
	if (!is_loadable(d, cpl))
		return false;
	if (is_flat(d) && !is_tls(index)) {
		*host = ENGINE_FLAT_DS;
		return true;
	}
	if (cpl == CPL_KERNEL)
		g->ldt_mirror |= 1u << index;
	space_set_ldt(guest_view(g, g->mm.current, cpl), index, d);
	*host = (uint16_t)ENGINE_LDT_SELECTOR(index);
	*base = descriptor_base(d);
	return true;
}

void guest_sync_ldt(struct guest *g)
{
	unsigned int cpl = guest_cpl(g), i;
	struct space *view = guest_view(g, g->mm.current, cpl);

	/* The guest kernel only saves and restores a user's TLS selectors; it
	 * never addresses through them, so flat dummies do there.  In a view
	 * that both share they stay the program's. */
	for (i = LGUEST_TLS_ENTRY; i < LGUEST_TLS_ENTRY + LGUEST_TLS_ENTRIES; i++)
		space_set_ldt(view, i, cpl == CPL_KERNEL && g->views != VIEWS_ONE ? FLAT_DATA :
			      is_loadable(g->gdt[i], CPL_USER) ? g->gdt[i] : 0);
	/* Others are in every kernel view once they have been loaded in one: the
	 * selector stays in its register when the page table changes. */
	if (cpl == CPL_KERNEL && (g->ldt_mirror & ~TLS_MASK))
		for (i = 0; i < LGUEST_GDT_ENTRIES; i++)
			if ((g->ldt_mirror & ~TLS_MASK) >> i & 1)
				space_set_ldt(view, i, is_loadable(g->gdt[i], cpl) ? g->gdt[i] : 0);
}

/* Guest selectors that the host loads without complaint as something else:
 * 0x7B (its CPU-number segment), 0x33 (its 64-bit code). */
static bool is_collision(uint16_t sel)
{
	return sel == LGUEST_USER_DS || (sel & ~3) == (LGUEST_TLS_ENTRY << 3);
}

static bool fix_one(struct guest *g, uint16_t *sel, uint32_t *base)
{
	uint16_t host;
	uint32_t b;

	if (!is_collision(*sel) || !translate(g, *sel, &host, &b))
		return false;
	*sel = host;
	if (base)
		*base = b;
	return true;
}

bool guest_fix_segments(struct guest *g)
{
	struct engine_regs *r = &g->cpu.v.regs;
	bool fixed = fix_one(g, &r->ds, NULL);

	fixed |= fix_one(g, &r->es, NULL);
	fixed |= fix_one(g, &r->fs, &g->cpu.v.fs_base);
	fixed |= fix_one(g, &r->gs, &g->cpu.v.gs_base);
	return fixed;
}

static uint32_t ldt_base(const struct space *view, uint16_t sel)
{
	unsigned int index = sel >> 3;

	return index < SPACE_LDT_ENTRIES ? descriptor_base(view->ldt[index]) : 0;
}

void guest_reload_bases(struct guest *g)
{
	struct engine_vcpu *v = &g->cpu.v;
	struct space *view = guest_view(g, g->mm.current, guest_cpl(g));

	/* For the length of one instruction they are somewhere else. */
	if (g->cpu.low_step)
		return;
	/* A selector of the LDT means what this view's LDT says. */
	if (v->regs.fs & 4)
		v->fs_base = ldt_base(view, v->regs.fs);
	if (v->regs.gs & 4)
		v->gs_base = ldt_base(view, v->regs.gs);
}

/* Which register an instruction loads, and how. */
static bool decode_load(const struct insn *insn, unsigned int *seg, bool *pops)
{
	*pops = true;
	switch (insn->opcode) {
	case 0x07: *seg = SEG_ES; return true;
	case 0x1f: *seg = SEG_DS; return true;
	case 0x17: *seg = SEG_SS; return true;
	case MAP_0F | 0xa1: *seg = SEG_FS; return true;
	case MAP_0F | 0xa9: *seg = SEG_GS; return true;
	case 0x8e:
		*pops = false;
		*seg = insn_reg(insn);
		return *seg != SEG_CS && *seg <= SEG_GS;
	default: return false;
	}
}

static void set_segment(struct guest *g, unsigned int seg, uint16_t guest_sel,
			uint16_t host, uint32_t base)
{
	struct engine_vcpu *v = &g->cpu.v;

	switch (seg) {
	case SEG_ES: v->regs.es = host; break;
	case SEG_DS: v->regs.ds = host; break;
	case SEG_FS: v->regs.fs = host; v->fs_base = base; break;
	case SEG_GS: v->regs.gs = host; v->gs_base = base; break;
	default: g->cpu.ss = guest_sel;
	}
}

bool guest_load_segment(struct guest *g)
{
	struct engine_vcpu *v = &g->cpu.v;
	unsigned int seg;
	struct insn insn;
	uint16_t sel = 0, host;
	uint32_t base;
	bool pops;

	if (!insn_decode(v->exit.insn, v->exit.insn_len, &insn) ||
	    !decode_load(&insn, &seg, &pops))
		return false;
	if (!pops && insn_mod(&insn) == 3)
		sel = (uint16_t)insn_register(&v->regs, insn_rm(&insn));
	else if (guest_view_read(g, pops ? v->regs.esp : guest_operand(g, &insn),
				 &sel, sizeof(sel)) != sizeof(sel))
		return false;
	if (!translate(g, sel, &host, &base))
		return false;
	/* SS can only be a flat segment here. */
	if (seg == SEG_SS && host != ENGINE_FLAT_DS)
		return false;
	/* Only what stays right when the guest changes the entry: its place in
	 * the LDT, not the flat segment it may happen to be today. */
	if (!pops && insn_mod(&insn) == 3 && guest_cpl(g) == CPL_KERNEL && host & 4)
		guest_patch_selector(g, insn.modrm, sel, host);
	set_segment(g, seg, sel, host, base);
	v->regs.eip += insn.len;
	if (pops)
		v->regs.esp += insn.operand16 ? 2 : 4;
	return true;
}
