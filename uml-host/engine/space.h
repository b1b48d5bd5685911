/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An address space: what the guest layer wants mapped in one host process, and
 * which changes the engine has not made yet.  Pure state, no system calls; both
 * sides of the engine contract use it.
 *
 * Every linear page has one word: the frame behind it and how it may be used.
 * Changes are queued as runs of pages; the engine carries the queue out in one
 * batch before guest code runs in the space again.
 */
#ifndef ENGINE_SPACE_H
#define ENGINE_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#define SPACE_PAGES (1u << 20)		/* 4 GiB of linear address space */
#define SPACE_SLOT_PAGES 1024u		/* counts are kept per 4 MiB */
#define SPACE_SLOTS (SPACE_PAGES / SPACE_SLOT_PAGES)
#define SPACE_TAG_PAGES 512u

/* Pages below this one cannot be mapped by an unprivileged process: the
 * default of vm.mmap_min_addr is 64 KiB. */
#define SPACE_FIRST_PAGE 16u

#define SPACE_QUEUE 512u
#define SPACE_LDT_ENTRIES 36u	/* the guest's 32, and a few of the host's own */

/* How a page may be used; part of the word kept per page. */
#define SPACE_READ 1u
#define SPACE_WRITE 2u
#define SPACE_EXEC 4u
#define SPACE_PROT_MASK 7u

enum space_op_kind { SPACE_OP_MAP, SPACE_OP_UNMAP };

struct space_op {
	uint32_t kind;		/* enum space_op_kind */
	uint32_t page;		/* first linear page */
	uint32_t pages;
	uint32_t frame;		/* first guest frame of a MAP */
	uint32_t prot;		/* SPACE_READ | ... of a MAP */
};

/* Laid out so that one that is hardly used takes few pages of the host's memory. */
struct space {
	uint16_t count[SPACE_SLOTS];	/* mapped pages per 4 MiB */
	uint32_t mapped;		/* mapped pages in all */
	uint32_t nr_ops;
	/* The queue must be carried out before code runs here again: something
	 * was taken away, or somebody faulted for it.  Additions alone can wait
	 * for company: a missing page only faults. */
	bool urgent;
	/* The queue takes something away that code could use until now. */
	bool removes;
	/* The queue overflowed: the engine must drop everything it mapped and
	 * the space is empty now, missing pages fault back in. */
	bool reset;
	/* Descriptors wanted in the host LDT, and which of them the host does
	 * not have yet: bit n = entry n.  Data segments only. */
	uint64_t ldt[SPACE_LDT_ENTRIES];
	uint64_t ldt_stale;
	struct space_op ops[SPACE_QUEUE];
	/* frame << 3 | prot; 0 where nothing is mapped. */
	_Alignas(4096) uint32_t page[SPACE_PAGES];
	/* The guest layer's, of so many pages each: see guard.c. */
	uint32_t tag[SPACE_PAGES / SPACE_TAG_PAGES];
};

/* The frame and protection behind linear page `page`; 0 if nothing is.  To read a word
 * that was never written would cost a page, too. */
static inline uint32_t space_word(const struct space *s, uint32_t page)
{
	return s->count[page / SPACE_SLOT_PAGES] ? s->page[page] : 0;
}
static inline uint32_t space_word_frame(uint32_t word) { return word >> 3; }
static inline uint32_t space_word_prot(uint32_t word) { return word & SPACE_PROT_MASK; }

/* The first page of [page, end) in a slot where something is mapped, or `end`.
 * __builtin_: guests include this, and there is no C library for them. */
static inline uint32_t space_next_slot(const struct space *s, uint32_t page, uint32_t end)
{
	uint32_t slot = page / SPACE_SLOT_PAGES;

	if (page >= end || s->count[slot])
		return page < end ? page : end;
	/* Most of 4 GiB is empty: four at once. */
	for (slot++; slot * SPACE_SLOT_PAGES < end && !s->count[slot]; slot++) {
		uint64_t four;

		for (; slot % 4 == 0 && slot < SPACE_SLOTS; slot += 4) {
			__builtin_memcpy(&four, &s->count[slot], sizeof(four));
			if (four)
				break;
		}
		if (slot >= SPACE_SLOTS || s->count[slot])
			break;
	}
	page = slot * SPACE_SLOT_PAGES;
	return page < end ? page : end;
}

/* The first mapped page of [page, end), or `end`. */
static inline uint32_t space_next(const struct space *s, uint32_t page, uint32_t end)
{
	while ((page = space_next_slot(s, page, end)) < end && !s->page[page]) {
		uint64_t two;

		/* Most of a table is empty, mostly. */
		for (page++; page % 2 == 0 && page % SPACE_SLOT_PAGES != 0 && page < end; page += 2) {
			__builtin_memcpy(&two, &s->page[page], sizeof(two));
			if (two)
				break;
		}
	}
	return page < end ? page : end;
}

/* Maps `pages` pages from linear page `page` to consecutive frames, replacing
 * what was there.  Pages below SPACE_FIRST_PAGE are left out. */
void space_map(struct space *s, uint32_t page, uint32_t frame, uint32_t pages,
	       uint32_t prot);

/* Unmaps them.  Costs nothing where nothing is mapped. */
void space_unmap(struct space *s, uint32_t page, uint32_t pages);

/* Unmaps everything. */
void space_clear(struct space *s);

/* The same, and its process, the next one, has nothing in its LDT. */
void space_renew(struct space *s);

/* Puts a segment descriptor into entry `index` of the host LDT.  Whatever the
 * descriptor says, it becomes a data segment of ring 3. */
void space_set_ldt(struct space *s, unsigned int index, uint64_t descriptor);

#endif
