/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first 64 KiB of an address space.  Guests read boot_params and the
 * command line there; an unprivileged process cannot map it.
 *
 * So those pages are mapped once more, in a window at the top of the address
 * space that is reserved for the host, and the one instruction that needs them
 * is single-stepped with data segments whose base is moved up by the window's
 * address.  The processor executes it, whatever it is: nothing is interpreted.
 */
#include "engine/decode.h"
#include "guest/guest.h"

/* A few pages below the end: 4 GiB + 64 KiB would wrap around. */
#define WINDOW 0xffe00000u
/* One page more: an operand may begin below 64 KiB and end above. */
#define WINDOW_PAGES (SPACE_FIRST_PAGE + 1)

/* LDT entries for the moved segments, above those that mirror the guest's. */
#define LDT_FLAT (LGUEST_GDT_ENTRIES + 0u)
#define LDT_FS (LGUEST_GDT_ENTRIES + 1u)
#define LDT_GS (LGUEST_GDT_ENTRIES + 2u)

/* A writable 4 GiB data segment of ring 3 that begins at `base`. */
static uint64_t data_segment(uint32_t base)
{
	return 0x00cff3000000ffffull | (uint64_t)(base & 0xffffff) << 16 |
	       (uint64_t)(base >> 24) << 56;
}

/* The window shows what the guest's tables say about those pages now, with the
 * rights of the running privilege level. */
static void map_window(struct guest *g, struct space *view)
{
	unsigned int cpl = guest_cpl(g);
	uint32_t i;

	for (i = 0; i < WINDOW_PAGES; i++) {
		struct guest_pte pte = guest_walk_quiet(g, g->mm.table[g->mm.current].cr3,
							gva(i << GUEST_PAGE_SHIFT));
		uint32_t page = (WINDOW >> GUEST_PAGE_SHIFT) + i;
		uint32_t prot = SPACE_READ;

		if (!pte.present || pte.mmio || !(pte.value & PTE_A) || (cpl == CPL_USER && !pte.us)) {
			space_unmap(view, page, 1);
			continue;
		}
		if (pte.rw && (pte.value & PTE_D) && guest_may_write(g, pte_frame(g, pte.value)))
			prot |= SPACE_WRITE;
		space_map(view, page, pte_frame(g, pte.value), 1, prot);
	}
	view->urgent = true;
}

void guest_low_forget(struct space *view)
{
	space_unmap(view, WINDOW >> GUEST_PAGE_SHIFT, WINDOW_PAGES);
}

/* Which of the segment registers address the low bytes?  String instructions
 * use two, so each is decided by itself. */
static void move_segments(struct guest *g, struct space *view, const struct insn *insn)
{
	struct engine_vcpu *v = &g->cpu.v;
	uint16_t flat = (uint16_t)ENGINE_LDT_SELECTOR(LDT_FLAT);
	unsigned int base = insn_rm(insn);
	bool stack_operand = insn->memory && insn->has_modrm &&
		((base == 5 && insn_mod(insn) != 0) ||
		 (base == 4 && ((insn->sib & 7) == 4 ||
				((insn->sib & 7) == 5 && insn_mod(insn) != 0))));

	space_set_ldt(view, LDT_FLAT, data_segment(WINDOW));
	if (v->regs.esp < SPACE_FIRST_PAGE << GUEST_PAGE_SHIFT ||
	    (stack_operand && insn->segment == SEG_NONE &&
	     guest_operand(g, insn) < SPACE_FIRST_PAGE << GUEST_PAGE_SHIFT))
		v->regs.ss = flat;
	if (insn->memory ? guest_operand(g, insn) < SPACE_FIRST_PAGE << GUEST_PAGE_SHIFT :
	    v->regs.esi < SPACE_FIRST_PAGE << GUEST_PAGE_SHIFT) {
		if (insn->segment == SEG_FS) {
			space_set_ldt(view, LDT_FS, data_segment(v->fs_base + WINDOW));
			v->regs.fs = (uint16_t)ENGINE_LDT_SELECTOR(LDT_FS);
			v->fs_base += WINDOW;
		} else if (insn->segment == SEG_GS) {
			space_set_ldt(view, LDT_GS, data_segment(v->gs_base + WINDOW));
			v->regs.gs = (uint16_t)ENGINE_LDT_SELECTOR(LDT_GS);
			v->gs_base += WINDOW;
		} else {
			v->regs.ds = flat;
		}
	}
	if (insn->memory ? insn->segment == SEG_ES :
	    v->regs.edi < SPACE_FIRST_PAGE << GUEST_PAGE_SHIFT)
		v->regs.es = flat;
}

/*
 * Tour 180: One place cannot be mapped at all, the first 64 KiB, and of all places a
 * kernel finds its command line there.  So for one instruction its segments
 * begin somewhere else.
 */
bool guest_low_access(struct guest *g, uint32_t address)
{
	struct guest_cpu *cpu = &g->cpu;
	struct engine_regs *r = &cpu->v.regs;
	struct space *view = guest_view(g, g->mm.current, guest_cpl(g));
	uint8_t bytes[ENGINE_INSN_MAX];
	struct insn insn;
	uint32_t n;

	n = guest_view_read(g, r->eip, bytes, sizeof(bytes));
	/* Code below 64 KiB cannot run, and IRET never gets as far as a step. */
	if (address == r->eip || !insn_decode(bytes, n, &insn) || insn.opcode == 0xcf)
		return false;
	cpu->low_ds = r->ds;
	cpu->low_es = r->es;
	cpu->low_fs = r->fs;
	cpu->low_gs = r->gs;
	cpu->low_fs_base = cpu->v.fs_base;
	cpu->low_gs_base = cpu->v.gs_base;
	cpu->low_tf = r->eflags & EFLAGS_TF;
	cpu->low_step = true;
	map_window(g, view);
	move_segments(g, view, &insn);
	r->eflags |= EFLAGS_TF;
	return true;
}

/* What it met in the window is another page of those below 64 KiB, or the one above
 * them: an operand that lies in both. */
void guest_low_interrupted(struct guest *g)
{
	struct engine_exit *x = &g->cpu.v.exit;

	guest_low_done(g);
	if (x->vector == VECTOR_PF && x->address - WINDOW < WINDOW_PAGES << GUEST_PAGE_SHIFT)
		x->address -= WINDOW;
}

void guest_low_done(struct guest *g)
{
	struct guest_cpu *cpu = &g->cpu;
	struct engine_regs *r = &cpu->v.regs;

	cpu->low_step = false;
	r->ds = cpu->low_ds;
	r->es = cpu->low_es;
	r->fs = cpu->low_fs;
	r->gs = cpu->low_gs;
	r->ss = ENGINE_FLAT_DS;
	cpu->v.fs_base = cpu->low_fs_base;
	cpu->v.gs_base = cpu->low_gs_base;
	if (!cpu->low_tf)
		r->eflags &= ~EFLAGS_TF;
}
