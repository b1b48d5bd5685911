/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address spaces: one word per linear page, and the queue of changes between
 * what the guest layer wants and what the host process has.  Pure state; must
 * never make a system call, so that every engine and the unit tests share it.
 */
#include <string.h>

#include "engine/space.h"

static bool op_extends(const struct space_op *op, const struct space_op *next)
{
	if (op->kind != next->kind || op->page + op->pages != next->page)
		return false;
	return op->kind == SPACE_OP_UNMAP ||
	       (op->prot == next->prot && op->frame + op->pages == next->frame);
}

/* Two that unmap become one if nothing is mapped between them. */
static bool unmaps_too(const struct space *s, const struct space_op *last,
		       const struct space_op *op)
{
	uint32_t end = last->page + last->pages;

	return last->kind == SPACE_OP_UNMAP && op->kind == SPACE_OP_UNMAP && op->page >= end &&
	       space_next(s, end, op->page) == op->page;
}

/* Queues one run, as part of the last one where they touch. */
static void queue(struct space *s, struct space_op op)
{
	struct space_op *last = s->nr_ops ? &s->ops[s->nr_ops - 1] : NULL;

	if (last && op_extends(last, &op)) {
		last->pages += op.pages;
		return;
	}
	if (last && unmaps_too(s, last, &op)) {
		last->pages = op.page + op.pages - last->page;
		return;
	}
	/* No room: start again from nothing.  Always right, because a missing
	 * page faults back in, and rare, because a batch empties the queue. */
	if (s->nr_ops == SPACE_QUEUE) {
		space_clear(s);
		return;
	}
	s->ops[s->nr_ops++] = op;
}

static void set_word(struct space *s, uint32_t page, uint32_t word)
{
	uint32_t old = s->page[page];

	if (old)
		s->urgent = true;
	s->removes |= old && (space_word_frame(old) != space_word_frame(word) ||
			      (space_word_prot(old) & ~space_word_prot(word)));
	if (!old && word) {
		s->count[page / SPACE_SLOT_PAGES]++;
		s->mapped++;
	} else if (old && !word) {
		s->count[page / SPACE_SLOT_PAGES]--;
		s->mapped--;
	}
	s->page[page] = word;
}

/*
 * Tour 150: A mapping is a word in an array first: frame and rights of one page.  What
 * changes is queued, neighbours become one operation, and nothing has happened
 * to any process yet.
 */
void space_map(struct space *s, uint32_t page, uint32_t frame, uint32_t pages,
	       uint32_t prot)
{
	uint32_t end;

	if (page < SPACE_FIRST_PAGE) {
		uint32_t skip = SPACE_FIRST_PAGE - page;

		if (pages <= skip)
			return;
		page += skip;
		frame += skip;
		pages -= skip;
	}
	if (page >= SPACE_PAGES)
		return;
	if (pages > SPACE_PAGES - page)
		pages = SPACE_PAGES - page;
	end = page + pages;
	while (page < end) {
		uint32_t word = frame << 3 | (prot & SPACE_PROT_MASK);
		uint32_t run = 0;

		/* What is there already costs nothing. */
		if (s->page[page] == word) {
			page++;
			frame++;
			continue;
		}
		while (page + run < end &&
		       s->page[page + run] != word + (run << 3)) {
			set_word(s, page + run, word + (run << 3));
			run++;
		}
		queue(s, (struct space_op){ .kind = SPACE_OP_MAP, .page = page,
					    .pages = run, .frame = frame,
					    .prot = prot });
		/* The queue overflowed and took this mapping along. */
		if (s->reset && !s->mapped)
			return;
		page += run;
		frame += run;
	}
}

void space_unmap(struct space *s, uint32_t page, uint32_t pages)
{
	uint32_t first = 0, last = SPACE_PAGES, end;

	if (page >= SPACE_PAGES)
		return;
	if (pages > SPACE_PAGES - page)
		pages = SPACE_PAGES - page;
	end = page + pages;
	/* One operation for all: what is not mapped between costs nothing. */
	for (page = space_next(s, page, end); page < end; page = space_next(s, page, end)) {
		if (last == SPACE_PAGES)
			first = page;
		last = page;
		set_word(s, page++, 0);
	}
	if (last != SPACE_PAGES)
		queue(s, (struct space_op){ .kind = SPACE_OP_UNMAP, .page = first,
					    .pages = last - first + 1 });
}

void space_clear(struct space *s)
{
	uint32_t slot;

	for (slot = 0; slot < SPACE_SLOTS; slot++) {
		if (!s->count[slot])
			continue;
		memset(&s->page[slot * SPACE_SLOT_PAGES], 0,
		       SPACE_SLOT_PAGES * sizeof(s->page[0]));
		s->count[slot] = 0;
	}
	s->mapped = 0;
	s->nr_ops = 0;
	s->removes = s->reset = true;
}

void space_renew(struct space *s)
{
	unsigned int index;

	space_clear(s);
	for (index = 0; index < SPACE_LDT_ENTRIES; index++)
		if (s->ldt[index])
			s->ldt_stale |= 1ull << index;
}

void space_set_ldt(struct space *s, unsigned int index, uint64_t descriptor)
{
	if (index >= SPACE_LDT_ENTRIES || s->ldt[index] == descriptor)
		return;
	s->ldt[index] = descriptor;
	s->ldt_stale |= 1ull << index;
}
