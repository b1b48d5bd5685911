/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guards: last-level page tables that nobody can have written since they were looked
 * at.
 *
 * FLUSH_TLB says that something changed and not what, and a kernel with high memory
 * makes that call for every page it maps for a moment.  To compare each view with all
 * of its tables takes as long as there is memory in use; to compare tables that are as
 * they were would be for nothing.  So tables get a guard: a number that is never used
 * again, kept per frame in memory of the host's own.  No view may write a guarded frame.
 * Whoever writes one faults, and the guard is gone before the write is made; what
 * writes without a view, devices and the host itself, takes it away after the write
 * and before it tells the guest.
 *
 * A view notes with each table's worth of pages which guard there was before the last
 * comparison, and how the entry above the table read.  As long as both are so, what
 * the view holds there is what a comparison would leave.  Nobody waits for a guard to go,
 * and one too few costs only time.
 *
 * To find who may write the frames all views are looked through, so that is done when
 * comparing has cost as much, for all tables of that moment.  A table that the guest
 * keeps writing costs one fault each time.
 */
#include "guest/guest.h"

/* For each page looked at so many compared; and no guard has a larger number. */
#define COMPARED_PER_LOOK 8u
#define LAST_SERIAL (UINT32_MAX >> GUARD_TAG_BITS)

static uint32_t *guard_of(const struct guest *g, uint32_t frame)
{
	const uint32_t first = g->limit_pages + GUEST_HIDDEN_PAGES;

	return (uint32_t *)((uintptr_t)g + (uintptr_t)g->ram_offset +
			    ((uintptr_t)first << GUEST_PAGE_SHIFT)) + frame;
}

/* The number of the frame's guard; 0: it has none.  Devices are other threads, and
 * processes. */
static uint32_t serial_of(const struct guest *g, uint32_t frame)
{
	return frame < g->limit_pages ? __atomic_load_n(guard_of(g, frame), __ATOMIC_SEQ_CST) : 0;
}

bool guest_is_guarded(const struct guest *g, uint32_t frame)
{
	return serial_of(g, frame) != 0;
}

void guest_unguard(struct guest *g, uint32_t frame)
{
	if (guest_is_guarded(g, frame))
		__atomic_store_n(guard_of(g, frame), 0, __ATOMIC_SEQ_CST);
}

uint32_t guest_guard_tag(const struct guest *g, const struct last_table *t)
{
	uint32_t serial = t->entries ? serial_of(g, t->frame) : 0;

	return serial ? serial << GUARD_TAG_BITS | t->pae << 2 | t->rw << 1 | t->us : 0;
}

/* May it have one?  Only RAM; and not where the kernel's own variables for the host are,
 * which the code of gates writes. */
static bool can_be_guarded(const struct guest *g, uint32_t frame)
{
	return frame < g->mem_bytes >> GUEST_PAGE_SHIFT &&
	       frame - (g->lg.data.v >> GUEST_PAGE_SHIFT) > 1 &&
	       !guest_is_guarded(g, frame);
}

/* Guards the tables of what the view holds.  True: there were some without. */
static bool guard_tables_of(struct guest *g, const struct space *view)
{
	const uint32_t cr3 = g->mm.table[g->mm.current].cr3;
	struct table_cursor at = { 0 };
	bool any = false;
	uint32_t page;

	for (page = space_next_slot(view, 0, SPACE_PAGES); page < SPACE_PAGES;
	     page = space_next_slot(view, page + GUARD_PAGES, SPACE_PAGES)) {
		struct last_table t = guest_last_table(g, cr3, page, &at);

		if (!t.entries || !can_be_guarded(g, t.frame) || g->guards.serial >= LAST_SERIAL)
			continue;
		__atomic_store_n(guard_of(g, t.frame), ++g->guards.serial, __ATOMIC_SEQ_CST);
		any = true;
	}
	return any;
}

/* No view may write a guarded frame: the guest reads on in its tables.  Returns how many
 * pages it looked at. */
static uint32_t protect(struct guest *g, unsigned int space)
{
	struct space *s = &g->space[space];
	uint32_t page, looked = 0;

	if (!s->mapped)
		return 0;
	for (page = space_next(s, 0, SPACE_PAGES); page < SPACE_PAGES;
	     page = space_next(s, page + 1, SPACE_PAGES)) {
		uint32_t word = space_word(s, page);

		looked++;
		if (!(space_word_prot(word) & SPACE_WRITE) ||
		    !guest_is_guarded(g, space_word_frame(word)))
			continue;
		space_map(s, page, space_word_frame(word), 1, space_word_prot(word) & ~SPACE_WRITE);
		if (guest_is_user_space(space))
			guest_note_taken(g, guest_table_of(space));
	}
	return looked;
}

void guest_guard_tables(struct guest *g)
{
	struct guest_guards *guards = &g->guards;
	struct space *user = guest_view(g, g->mm.current, CPL_USER);
	uint64_t looked = 0;
	bool any;
	unsigned int i;

	if (g->mm.mode != MM_TABLES || guards->compared < guards->enough)
		return;
	any = guard_tables_of(g, guest_view(g, g->mm.current, CPL_KERNEL));
	any |= guard_tables_of(g, user);
	for (i = guest_next_space(g, 0); any && i < GUEST_SPACES; i = guest_next_space(g, i + 1))
		looked += protect(g, i);
	guards->compared = 0;
	guards->enough = GUARD_WORTH + COMPARED_PER_LOOK * looked;
}
