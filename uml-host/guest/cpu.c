/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state a guest starts in: registers, segments, tables, nothing pending.
 * Touches no guest memory.
 */
#include <string.h>

#include "guest/guest.h"

/* Flat 4 GiB code and data of ring 1: the only segments a guest has before it
 * loads its own (ABI 3.4). */
#define BOOT_KERNEL_CODE 0x00cfbb000000ffffull
#define BOOT_KERNEL_DATA 0x00cfb3000000ffffull

void guest_init(struct guest *g, const struct guest_setup *setup)
{
	uint32_t rows = g->trace_rows, kinds = g->trace_kinds, serial = g->guards.serial;
	unsigned int i;

	/* Not the spaces: they are large, and sparse while unused. */
	for (i = guest_next_space(g, 0); i < GUEST_SPACES; i = guest_next_space(g, i + 1))
		if (g->space[i].mapped || g->space[i].nr_ops)
			space_clear(&g->space[i]);
	memset(g, 0, offsetof(struct guest, space));
	if (setup->tamper)
		g->tamper = *setup->tamper;

	g->ram_offset = setup->ram_offset;
	g->mem_bytes = setup->mem_bytes;
	g->limit_pages = (setup->mem_bytes >> GUEST_PAGE_SHIFT) + setup->spare_pages;
	g->mmio_pages = setup->mmio_pages;
	g->initrd_bytes = setup->initrd_bytes;
	g->rewrite = (uint8_t)setup->rewrite;
	/* Frames that no PTE can name, GUEST_HIDDEN_PAGES of them. */
	if (setup->rewrite != REWRITE_EMULATE) {
		g->gate_frame = setup->gates ? g->limit_pages : 0;
		g->copies.first_frame = setup->copies ? g->limit_pages + 1 : 0;
	}
	g->views = (uint8_t)setup->views;
	g->tsc_khz = setup->tsc_khz;
	g->trace_rows = rows;
	g->trace_kinds = kinds;
	/* So that no tag of a guest before is one of this guest's. */
	g->guards.serial = serial;
	g->guards.enough = GUARD_WORTH;
	g->lg.gens = g->lg.forced_gens = setup->gens;
	g->mm.mode = MM_DIRECT;
	g->mm.table[0].used = true;
	g->mm.used = 1;
	g->mm.most = guest_most_tables(g);

	g->gdt[LGUEST_KERNEL_CS >> 3] = BOOT_KERNEL_CODE;
	g->gdt[LGUEST_KERNEL_DS >> 3] = BOOT_KERNEL_DATA;
	g->cpu.cs = LGUEST_KERNEL_CS;
	g->cpu.ss = LGUEST_KERNEL_DS;
	g->cpu.v.regs.eip = setup->entry;
	g->cpu.v.regs.eflags = EFLAGS_FIXED | EFLAGS_IF;
	g->cpu.v.regs.ds = g->cpu.v.regs.es = g->cpu.v.regs.ss = ENGINE_FLAT_DS;
}
