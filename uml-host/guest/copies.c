/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What programs run instead of int $0x80, which costs a host twice what another
 * software interrupt does: it may have to ask its interrupt controller where that
 * one came from.
 *
 * A program's code is not its kernel's: the same frame is a page of a file, read by
 * others and compared with its checksum.  So nothing is written there.  The page gets
 * a copy in memory that is the host's, programs run that, and whoever reads the file
 * finds what is in it.  Who loads from a page of code that a program maps finds the
 * copy, its own code or a file it copies by mmap: so this is for who asks for it.
 *
 * A copy must never be older than its original, so there is one only where nobody can
 * write that without a fault: the page is a program's read-only and was never
 * written (its entry has no D), and no view may write the frame while there is a copy.
 * A write ends the copy first.  A device's needs no view; so a page that is mapped
 * anew is compared.  What a device writes into a page while programs run it, as O_DIRECT
 * into another mapping of it does, is not seen until then.
 */
#include <string.h>

#include "guest/guest.h"

static uint8_t *bytes_of(struct guest *g, uint32_t frame)
{
	return (uint8_t *)g + g->ram_offset + ((uint64_t)frame << GUEST_PAGE_SHIFT);
}

static uint32_t frame_of(const struct guest *g, unsigned int copy)
{
	return g->copies.first_frame + copy;
}

static uint8_t *hint(struct guest_copies *c, uint32_t frame)
{
	return &c->hint[frame % sizeof(c->hint)];
}

static int find(const struct guest *g, uint32_t frame)
{
	const struct guest_copies *c = &g->copies;
	unsigned int i;

	if (!c->hint[frame % sizeof(c->hint)])
		return -1;
	for (i = 0; i < GUEST_COPIES; i++)
		if (c->original[i] == frame)
			return (int)i;
	return -1;
}

bool guest_has_copy(const struct guest *g, uint32_t frame)
{
	return find(g, frame) >= 0;
}

uint32_t guest_original(const struct guest *g, uint32_t frame)
{
	uint32_t copy = frame - g->copies.first_frame;

	return g->copies.first_frame && copy < GUEST_COPIES ? g->copies.original[copy] : frame;
}

/* Takes a frame from all views that map it, or from those that may write it. */
static void unmap_frame(struct guest *g, uint32_t frame, bool writable_only)
{
	unsigned int i;
	uint32_t page;

	for (i = guest_next_space(g, 0); i < GUEST_SPACES; i = guest_next_space(g, i + 1)) {
		struct space *s = &g->space[i];

		for (page = 0; s->mapped && page < SPACE_PAGES; page++) {
			uint32_t word;

			if (!s->count[page / SPACE_SLOT_PAGES]) {
				page |= SPACE_SLOT_PAGES - 1;
				continue;
			}
			word = space_word(s, page);
			if (!word || space_word_frame(word) != frame ||
			    (writable_only && !(space_word_prot(word) & SPACE_WRITE)))
				continue;
			space_unmap(s, page, 1);
			if (guest_is_user_space(i))
				guest_note_taken(g, guest_table_of(i));
		}
	}
}

static void end_copy(struct guest *g, unsigned int copy)
{
	struct guest_copies *c = &g->copies;

	--*hint(c, c->original[copy]);
	c->original[copy] = 0;
	unmap_frame(g, frame_of(g, copy), false);
}

void guest_end_copy(struct guest *g, uint32_t frame)
{
	int copy = find(g, frame);

	if (copy >= 0)
		end_copy(g, (unsigned int)copy);
}

/* Is the copy what its original says now, but for what is rewritten in it? */
static bool is_current(struct guest *g, unsigned int copy)
{
	const struct rewrite_row *row = &rewrite_table[REWRITE_SYSTEM_CALL];
	const uint8_t *from = bytes_of(g, g->copies.original[copy]);
	const uint8_t *to = bytes_of(g, frame_of(g, copy));
	uint32_t i;

	if (memcmp(from, to, GUEST_PAGE_SIZE) == 0)
		return true;
	for (i = 0; i < GUEST_PAGE_SIZE; i++)
		if (from[i] != to[i] &&
		    (i == 0 || memcmp(from + i - 1, row->from, row->bytes) != 0 ||
		     memcmp(to + i - 1, row->to, row->bytes) != 0))
			return false;
	return true;
}

uint32_t guest_copied_frame(struct guest *g, uint32_t frame)
{
	int copy = find(g, frame);

	if (copy < 0)
		return frame;
	if (is_current(g, (unsigned int)copy))
		return frame_of(g, (unsigned int)copy);
	end_copy(g, (unsigned int)copy);
	return frame;
}

/* Looking through all views takes as long as some hundred system calls: where more
 * pages want a copy than there are, most go without. */
#define CALLS_PER_END 4096u

/* A copy of the page, or -1. */
static int make_copy(struct guest *g, uint32_t frame)
{
	struct guest_copies *c = &g->copies;
	unsigned int copy = c->next % GUEST_COPIES;
	uint64_t calls = g->stats.stops[STOP_SYSCALL];

	if (c->original[copy]) {
		if (calls - c->ended_at < CALLS_PER_END)
			return -1;
		c->ended_at = calls;
		end_copy(g, copy);
	}
	c->next++;
	unmap_frame(g, frame, true);
	memcpy(bytes_of(g, frame_of(g, copy)), bytes_of(g, frame), GUEST_PAGE_SIZE);
	c->original[copy] = frame;
	++*hint(c, frame);
	return (int)copy;
}

bool guest_was_system_call(struct guest *g, uint32_t eip)
{
	const struct rewrite_row *row = &rewrite_table[REWRITE_SYSTEM_CALL];
	uint8_t code[REWRITE_MAX];

	return g->copies.first_frame &&
	       guest_view_read(g, eip, code, row->bytes) == row->bytes &&
	       memcmp(code, row->from, row->bytes) == 0;
}

/* May what this entry names have a copy?  See above. */
static bool is_settled(const struct guest *g, const struct guest_pte *pte)
{
	return pte->present && !pte->mmio && pte->us && !pte->rw && !(pte->value & PTE_D) &&
	       pte_frame(g, pte->value) != 0;
}

void guest_patch_system_call(struct guest *g)
{
	uint32_t eip = g->cpu.v.regs.eip - rewrite_table[REWRITE_SYSTEM_CALL].bytes;
	uint32_t offset = eip & ~GUEST_PAGE_MASK, frame;
	uint8_t code[REWRITE_MAX], to[REWRITE_MAX];
	struct rewrite_site site = { .va = eip };
	struct space *view = guest_view(g, g->mm.current, CPL_USER);
	struct guest_pte pte;
	int copy;

	if (!g->copies.first_frame || guest_cpl(g) != CPL_USER || g->mm.mode != MM_TABLES ||
	    eip >> GUEST_PAGE_SHIFT < SPACE_FIRST_PAGE || offset == GUEST_PAGE_SIZE - 1 ||
	    !guest_was_system_call(g, eip))
		return;
	pte = guest_walk_quiet(g, g->mm.table[g->mm.current].cr3, gva(eip));
	if (!is_settled(g, &pte))
		return;
	frame = pte_frame(g, pte.value);
	guest_note_mapped(g, view, eip >> GUEST_PAGE_SHIFT);
	/* This page may have been mapped as one that shows no copy. */
	guest_copied_frame(g, frame);
	copy = find(g, frame);
	if (copy < 0)
		copy = make_copy(g, frame);
	if (copy < 0 || guest_view_read(g, eip, code, 2) != 2 ||
	    !rewrite_site(REWRITE_SYSTEM_CALL, code, 2, &site, to))
		return;
	memcpy(bytes_of(g, frame_of(g, (unsigned int)copy)) + offset, to,
	       rewrite_table[REWRITE_SYSTEM_CALL].bytes);
	space_map(view, eip >> GUEST_PAGE_SHIFT, frame_of(g, (unsigned int)copy), 1,
		  SPACE_READ | SPACE_EXEC);
	view->urgent = true;
}
