/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of the guest's page tables have shadows: every one that was loaded, until another
 * needs its place.
 */
#include "guest/guest.h"

static bool is_table(const struct guest *g, unsigned int i, uint32_t cr3)
{
	return g->mm.table[i].used && g->mm.table[i].cr3 == cr3;
}

int guest_find_table(struct guest *g, uint32_t cr3)
{
	/* Pages, or with PAE 32 bytes. */
	uint16_t *found = &g->mm.found[(cr3 >> 12 ^ cr3 >> 5) % GUEST_FOUND];
	unsigned int i;

	if (is_table(g, *found % GUEST_TABLES, cr3))
		return *found % GUEST_TABLES;
	for (i = 0; i < GUEST_TABLES; i++)
		if (is_table(g, i, cr3))
			return *found = (uint16_t)i;
	return -1;
}

void guest_set_used(struct guest *g, unsigned int table, bool used)
{
	g->mm.used += used - g->mm.table[table].used;
	g->mm.table[table].used = used;
}

void guest_note_emptied(struct guest *g, unsigned int table)
{
	struct guest_mm *mm = &g->mm;

	mm->emptied[mm->nr_emptied++ % GUEST_EMPTIED] = (uint16_t)(table + 1);
}

#define BYTES_PER_TABLE (256u << 10)
#define LEAST_MOST 64u
#define TRY_AFTER 256u	/* new tables, without a place of their own */

/* --- a place for one more --------------------------------------------------------- */

/* May another table have its place? */
static bool is_replaceable(const struct guest *g, unsigned int table)
{
	return g->mm.table[table].used && table != g->mm.current && table != g->mm.shown;
}

/* Any table that was not in use just now.  The one unused longest would be the wrong one
 * when more programs than there are places take turns: always the next. */
static unsigned int choose_victim(struct guest *g)
{
	uint32_t recent = g->mm.used / 4;
	unsigned int i;

	do {
		/* Numerical Recipes' generator: the same choices every time. */
		g->mm.random = g->mm.random * 1664525 + 1013904223;
		i = (g->mm.random >> 16) % GUEST_TABLES;
	} while (!is_replaceable(g, i) || g->mm.clock - g->mm.table[i].last_used < recent);
	return i;
}

/* A program needs memory, so a small guest has no use for many; and what a guest can make
 * its host spend on them is bounded by what it was given. */
uint32_t guest_most_tables(const struct guest *g)
{
	uint32_t most = g->mem_bytes / BYTES_PER_TABLE;

	return most < LEAST_MOST ? LEAST_MOST : most > GUEST_TABLES ? GUEST_TABLES : most;
}

/* The host may have room again. */
static void try_more(struct guest *g)
{
	if (g->mm.used >= g->mm.most && g->mm.most < guest_most_tables(g) &&
	    ++g->mm.since_crowded % TRY_AFTER == 0)
		g->mm.most++;
}

/* A place for a table not seen before: that of a program which has ended, whose process
 * is there and empty, or a free one, or one that another has to leave. */
static unsigned int choose_table(struct guest *g)
{
	unsigned int i;

	for (i = 0; i < GUEST_EMPTIED; i++) {
		unsigned int table = g->mm.emptied[i] - 1u;

		if (table >= GUEST_TABLES || !is_replaceable(g, table) || !guest_table_is_empty(g, table))
			continue;
		g->mm.emptied[i] = 0;
		return table;
	}
	try_more(g);
	for (i = 0; g->mm.used < g->mm.most && i < GUEST_TABLES; i++)
		if (!g->mm.table[i].used)
			return i;
	return choose_victim(g);
}

unsigned int guest_new_table(struct guest *g, uint32_t cr3)
{
	unsigned int i = choose_table(g);

	guest_forget_table(g, i);
	guest_set_used(g, i, true);
	g->mm.table[i].cr3 = cr3;
	g->mm.table[i].tops_known = false;
	return i;
}

/* The fewest that a rule about those in use just now makes sense for. */
#define FEWEST_TABLES 8u

void guest_crowded(struct guest *g)
{
	unsigned int i;

	g->cpu.v.crowded = false;
	if (g->mm.used <= FEWEST_TABLES)
		return;
	for (i = 0; i < GUEST_TABLES; i++)
		if (is_replaceable(g, i) && guest_table_is_empty(g, i))
			break;
	if (i == GUEST_TABLES)
		i = choose_victim(g);
	guest_forget_table(g, i);
	guest_set_used(g, i, false);
	g->mm.most = g->mm.used;
}

/* --- with PAE ---------------------------------------------------------------------- */

const uint32_t *guest_table_tops(struct guest *g, unsigned int table)
{
	uint32_t *top = g->mm.table[table].top;
	unsigned int slot;

	for (slot = 0; slot < 4 && !g->mm.table[table].tops_known; slot++) {
		gpa_t at = gpa((g->mm.table[table].cr3 & ~31u) + slot * 8);
		uint64_t entry = guest_bytes(g, at, 8) ? read_pte(g, at) : 0;

		/* No page has that address. */
		top[slot] = entry >> 32 ? UINT32_MAX : (uint32_t)entry & GUEST_PAGE_MASK;
	}
	g->mm.table[table].tops_known = true;
	return top;
}
