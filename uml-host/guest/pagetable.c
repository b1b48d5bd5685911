/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's own page tables: walking them, which entries are legal, and the
 * tables the oldest generations expect the host to have built.
 *
 * Tables lie in guest memory; an entry is read once per walk.  What a walk for
 * the guest finds illegal kills it; a quiet walk just finds nothing.
 */
#include <string.h>

#include "guest/guest.h"

#define TWO_LEVEL_ENTRIES 1024u
#define PAE_ENTRIES 512u
#define PAE_TOP_ENTRIES 4u

uint32_t pte_bytes(const struct guest *g)
{
	return g->mm.pae ? 8 : 4;
}

uint64_t read_pte(struct guest *g, gpa_t address)
{
	const void *at = guest_bytes(g, address, pte_bytes(g));
	uint64_t value = 0;

	/* Read more often than anything else: not by a call for any length. */
	if (!at)
		guest_read(g, address, &value, pte_bytes(g));
	else if (g->mm.pae)
		memcpy(&value, at, 8);
	else
		memcpy(&value, at, 4);
	return value;
}

uint32_t pte_frame(const struct guest *g, uint64_t pte)
{
	uint64_t frame = (pte & PTE_FRAME_MASK) >> GUEST_PAGE_SHIFT;

	return frame < g->limit_pages ? (uint32_t)frame : UINT32_MAX;
}

/* Frames right behind memory are device registers (ABI 8.6). */
static bool is_mmio(const struct guest *g, uint64_t pte)
{
	uint64_t frame = (pte & PTE_FRAME_MASK) >> GUEST_PAGE_SHIFT;

	return frame >= g->limit_pages && frame - g->limit_pages < g->mmio_pages;
}

/* ABI 7.2.  The text names what is wrong; NULL: nothing. */
static const char *pte_fault(const struct guest *g, uint64_t pte)
{
	if (pte & PTE_PSE)
		return "a large page";
	/* Generation Z also refused write-through. */
	if (g->lg.gens == GEN(Z) && (pte & PTE_PWT))
		return "a write-through page";
	if (pte_frame(g, pte) == UINT32_MAX && !is_mmio(g, pte))
		return "a frame beyond memory";
	return NULL;
}

static const char *table_fault(const struct guest *g, uint64_t entry, uint32_t legal)
{
	if (entry & 0xfff & ~(uint64_t)legal)
		return "illegal flags";
	if (pte_frame(g, entry) == UINT32_MAX)
		return "a frame beyond memory";
	return NULL;
}

bool pte_is_legal(struct guest *g, uint64_t pte)
{
	const char *fault = pte_fault(g, pte);

	if (fault)
		kill_guest(g, "page-table entry 0x%x names %s", (uint32_t)pte, fault);
	return !fault;
}

/* The levels above the last.  Returns what is wrong, or NULL with *page = 0 if
 * an entry is missing. */
static const char *upper_levels(struct guest *g, uint32_t cr3, uint32_t va,
				gpa_t *page, bool *rw, bool *us)
{
	const char *fault;
	uint64_t entry;
	gpa_t at;

	*page = gpa(0);
	*rw = *us = true;
	if (g->mm.pae) {
		at = gpa((cr3 & ~31u) + (va >> 30) * 8);
		if (!guest_bytes(g, at, 8))
			return "a table beyond memory";
		entry = read_pte(g, at);
		if (!(entry & PTE_P))
			return NULL;
		fault = table_fault(g, entry, PTE_P);
		if (fault)
			return fault;
		at = gpa((pte_frame(g, entry) << GUEST_PAGE_SHIFT) + (va >> 21 & 511) * 8);
	} else {
		at = gpa((cr3 & GUEST_PAGE_MASK) + (va >> 22) * 4);
		if (!guest_bytes(g, at, 4))
			return "a table beyond memory";
	}
	entry = read_pte(g, at);
	if (!(entry & PTE_P))
		return NULL;
	fault = table_fault(g, entry, PTE_TABLE_FLAGS);
	if (fault)
		return fault;
	*rw = entry & PTE_RW;
	*us = entry & PTE_US;
	*page = gpa(pte_frame(g, entry) << GUEST_PAGE_SHIFT);
	return NULL;
}

/* 1:1 and boot mode: RAM at its own address, and again at kernel_address. */
static bool walk_without_tables(const struct guest *g, uint32_t va, struct guest_pte *pte)
{
	uint32_t pa = va;

	if (g->mm.mode == MM_TABLES)
		return false;
	if (g->mm.mode == MM_BOOT && guest_is_alias(g, va))
		pa = va - g->lg.kernel_address;
	if (pa >> GUEST_PAGE_SHIFT >= g->limit_pages || guest_is_reserved(g, va))
		return false;
	if (g->mm.mode == MM_BOOT && pa >= g->mem_bytes)
		return false;
	*pte = (struct guest_pte){
		.present = true, .rw = true,
		.value = (pa & GUEST_PAGE_MASK) | PTE_P | PTE_RW | PTE_A | PTE_D,
	};
	return true;
}

static const char *walk(struct guest *g, uint32_t cr3, uint32_t va, struct guest_pte *pte)
{
	const char *fault;
	gpa_t page;

	*pte = (struct guest_pte){ 0 };
	if (walk_without_tables(g, va, pte) || g->mm.mode == MM_DIRECT)
		return NULL;
	/* Before the first page-table call nobody knows how long an entry is. */
	if (g->mm.mode == MM_BOOT && !g->mm.pae_known)
		return NULL;
	fault = upper_levels(g, cr3, va, &page, &pte->rw, &pte->us);
	if (fault || !page.v)
		return fault;
	pte->address = g->mm.pae ? gpa(page.v + (va >> 12 & (PAE_ENTRIES - 1)) * 8) :
				   gpa(page.v + (va >> 12 & (TWO_LEVEL_ENTRIES - 1)) * 4);
	pte->value = read_pte(g, pte->address);
	if (!(pte->value & PTE_P))
		return NULL;
	fault = pte_fault(g, pte->value);
	pte->present = !fault;
	pte->mmio = is_mmio(g, pte->value);
	pte->rw = pte->rw && (pte->value & PTE_RW);
	pte->us = pte->us && (pte->value & PTE_US);
	return fault;
}

/* The page of entries that name last-level tables: with PAE one for each GiB. */
static const void *middle_table(struct guest *g, uint32_t cr3, uint32_t page)
{
	uint64_t entry;
	gpa_t top = gpa((cr3 & ~31u) + (page >> 18) * 8);

	if (!g->mm.pae)
		return guest_bytes(g, gpa(cr3 & GUEST_PAGE_MASK), GUEST_PAGE_SIZE);
	if (!guest_bytes(g, top, 8))
		return NULL;
	entry = read_pte(g, top);
	if (!(entry & PTE_P) || table_fault(g, entry, PTE_P))
		return NULL;
	return guest_bytes(g, gpa(pte_frame(g, entry) << GUEST_PAGE_SHIFT), GUEST_PAGE_SIZE);
}

struct last_table guest_last_table(struct guest *g, uint32_t cr3, uint32_t page,
				   struct table_cursor *at)
{
	struct last_table t = { .pae = g->mm.pae };
	uint32_t window = t.pae ? page >> 18 : 0;
	uint64_t entry;

	if (g->mm.mode != MM_TABLES)
		return t;
	if (at->window != window + 1) {
		at->window = window + 1;
		at->middle = middle_table(g, cr3, page);
	}
	if (!at->middle)
		return t;
	entry = t.pae ? ((const uint64_t *)at->middle)[page >> 9 & (PAE_ENTRIES - 1)] :
			((const uint32_t *)at->middle)[page >> 10];
	if (!(entry & PTE_P) || table_fault(g, entry, PTE_TABLE_FLAGS))
		return t;
	t.frame = pte_frame(g, entry);
	t.rw = entry & PTE_RW;
	t.us = entry & PTE_US;
	t.entries = guest_bytes(g, gpa(t.frame << GUEST_PAGE_SHIFT), GUEST_PAGE_SIZE);
	return t;
}

struct guest_pte guest_walk(struct guest *g, uint32_t cr3, gva_t va)
{
	struct guest_pte pte;
	const char *fault = walk(g, cr3, va.v, &pte);

	if (fault)
		kill_guest(g, "page table 0x%x names %s for address 0x%x", cr3, fault, va.v);
	return pte;
}

struct guest_pte guest_walk_quiet(struct guest *g, uint32_t cr3, gva_t va)
{
	struct guest_pte pte;

	if (walk(g, cr3, va.v, &pte))
		pte.present = false;
	return pte;
}

bool guest_translate(struct guest *g, gva_t va, gpa_t *pa)
{
	struct guest_pte pte = guest_walk_quiet(g, g->mm.table[g->mm.current].cr3, va);

	if (!pte.present || pte.mmio)
		return false;
	*pa = gpa(pte_frame(g, pte.value) << GUEST_PAGE_SHIFT | (va.v & ~GUEST_PAGE_MASK));
	return true;
}

/* PAE or not is never announced.  The top level of a PAE table has 4 entries
 * of 8 bytes whose flags are exactly P; two-level ones always have more
 * (ABI 7.5). */
void guest_detect_pae(struct guest *g, uint32_t cr3)
{
	unsigned int i, present = 0;

	if (g->mm.pae_known)
		return;
	g->mm.pae_known = true;
	g->mm.pae = false;
	if (!(g->lg.gens & GENS_FROM_C))
		return;
	for (i = 0; i < PAE_TOP_ENTRIES; i++) {
		uint32_t word[2];

		if (!guest_bytes(g, gpa((cr3 & ~31u) + i * 8), sizeof(word)))
			return;
		guest_read(g, gpa((cr3 & ~31u) + i * 8), word, sizeof(word));
		if (!(word[0] & PTE_P))
			continue;
		if ((word[0] & 0xfff) != PTE_P || word[1])
			return;
		present++;
	}
	g->mm.pae = present > 0;
}

/* Two-level tables as the original host wrote them (ABI 3.5): RAM at 0 and at
 * slot 768, flags 7 throughout. */
static void build_two_level(struct guest *g, uint32_t top)
{
	uint32_t frames = g->mem_bytes >> GUEST_PAGE_SHIFT, frame;
	uint32_t tables = (frames + TWO_LEVEL_ENTRIES - 1) / TWO_LEVEL_ENTRIES;
	uint32_t first = top - tables * GUEST_PAGE_SIZE, i;

	for (frame = 0; frame < frames; frame++)
		guest_write32(g, gpa(first + frame * 4),
			      frame << GUEST_PAGE_SHIFT | PTE_P | PTE_RW | PTE_US);
	for (i = 0; i < tables; i++) {
		uint32_t entry = (first + i * GUEST_PAGE_SIZE) | PTE_P | PTE_RW | PTE_US;

		guest_write32(g, gpa(top + i * 4), entry);
		if (768 + i < TWO_LEVEL_ENTRIES)
			guest_write32(g, gpa(top + (768 + i) * 4), entry);
	}
}

/* Generations C and D may be PAE, and nothing has told yet.  RAM itself needs
 * no table in boot mode; what the guest looks for is a middle level to hang its
 * fixmap on, and a two-level guest makes its own. */
static void build_pae(struct guest *g, uint32_t top)
{
	uint32_t pmd = top - GUEST_PAGE_SIZE;

	guest_write32(g, gpa(top), pmd | PTE_P);
	guest_write32(g, gpa(top + 3 * 8), pmd | PTE_P);
}

uint32_t guest_build_boot_tables(struct guest *g)
{
	uint32_t tables = g->mem_bytes / (TWO_LEVEL_ENTRIES * GUEST_PAGE_SIZE) + 2;
	uint32_t top = g->mem_bytes - g->initrd_bytes - GUEST_PAGE_SIZE;
	void *page;

	if (g->initrd_bytes + (tables + 1) * GUEST_PAGE_SIZE > g->mem_bytes) {
		kill_guest(g, "no room for boot page tables below the initrd");
		return 0;
	}
	/* The guest reads zeroes where we write nothing. */
	page = guest_bytes(g, gpa(top - GUEST_PAGE_SIZE), 2 * GUEST_PAGE_SIZE);
	memset(page, 0, 2 * GUEST_PAGE_SIZE);
	g->mm.mode = MM_BOOT;
	g->mm.table[g->mm.current].cr3 = top;
	if (g->lg.gens & GENS_FROM_C) {
		build_pae(g, top);
	} else {
		g->mm.pae_known = true;
		build_two_level(g, top);
	}
	return top;
}
