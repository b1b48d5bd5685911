/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking over a guest's state and events from memory that may say anything.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "guest_fixture.h"

#define ROUNDS 2000

static void fill(void *at, size_t n)
{
	unsigned char *byte = at;

	while (n--)
		*byte++ = (unsigned char)rand();
}

static bool is_bool(const bool *b)
{
	unsigned char byte;

	memcpy(&byte, b, 1);
	return byte <= 1;
}

Test(guest_import, state_is_bounded_whatever_it_says)
{
	struct guest *g = fixture_new();
	struct guest *theirs = calloc(1, offsetof(struct guest, space));
	const uint32_t mem_bytes = g->mem_bytes, limit = g->limit_pages;
	const int64_t offset = g->ram_offset;
	char byte[64];
	int i;

	cr_assert_not_null(theirs);
	srand(1);
	for (i = 0; i < ROUNDS; i++) {
		struct guest_field field;
		unsigned int n;

		fill(theirs, offsetof(struct guest, space));
		guest_import(g, theirs);
		cr_assert_eq(g->mem_bytes, mem_bytes);
		cr_assert_eq(g->limit_pages, limit);
		cr_assert_eq(g->ram_offset, offset);
		cr_assert_lt(g->mm.current, GUEST_TABLES);
		cr_assert_leq(g->mm.mode, MM_TABLES);
		cr_assert_lt(g->lg.layout, GUEST_LAYOUTS);
		cr_assert_leq(g->end, END_KILLED);
		cr_assert_lt(strlen(g->reason), GUEST_REASON);
		cr_assert(is_bool(&g->lg.initialised) && is_bool(&g->mm.pae));
		/* Whoever looks at it afterwards stays inside. */
		cr_assert_leq(guest_read_virtual(g, (uint32_t)rand(), byte, sizeof(byte)), sizeof(byte));
		for (n = 0; guest_data_field(g, n, &field); n++)
			cr_assert_not_null(field.name);
	}
	free(theirs);
	fixture_free(g);
}

Test(guest_import, events_are_bounded_whatever_they_say)
{
	struct guest_event theirs, own;
	int i;

	srand(2);
	for (i = 0; i < ROUNDS; i++) {
		fill(&theirs, sizeof(theirs));
		guest_import_event(&own, &theirs);
		cr_assert_lt(own.kind, NR_EVENT_KINDS);
		cr_assert_leq(own.cause, CAUSE_ASYNC);
		cr_assert_leq(own.row, HCALL_ROWS);
		cr_assert_leq(own.end, END_KILLED);
		cr_assert_leq(own.text_len, EVENT_TEXT);
		cr_assert_eq(own.device[0], '\0');
		cr_assert(is_bool(&own.has_error) && is_bool(&own.pae) && is_bool(&own.tampered));
	}
}

/* One kernel view for all tables: it shows the current one, and forgets what
 * programs had when that changes. */
Test(guest_import, a_shared_kernel_view_follows_the_table)
{
	struct guest *g = fixture_started(GENERATION_E);

	g->views = VIEWS_ONE_KERNEL;
	cr_assert_eq(guest_view(g, g->mm.current, CPL_KERNEL), &g->space[0]);
	cr_assert_null(guest_view(g, g->mm.current + 1, CPL_KERNEL));
	cr_assert_eq(guest_view(g, 3, CPL_USER), &g->space[guest_user_space(3)]);
	g->views = VIEWS_ONE;
	cr_assert_eq(guest_view(g, g->mm.current, CPL_USER), &g->space[0]);
	cr_assert_null(guest_view(g, g->mm.current + 1, CPL_USER));
	fixture_free(g);
}

Test(guest_import, a_new_table_takes_programs_from_the_shared_view)
{
	struct guest *g = fixture_started(GENERATION_E);
	struct space *kernel;

	g->views = VIEWS_ONE_KERNEL;
	/* Two empty tables. */
	fixture_call(g, LHCALL_NEW_PGTABLE, 0x300000, 0, 0, 0);
	kernel = guest_view(g, g->mm.current, CPL_KERNEL);
	space_map(kernel, 0x8048, 0x100, 1, SPACE_READ);
	space_map(kernel, 0xc0100, 0x101, 1, SPACE_READ);
	fixture_call(g, LHCALL_NEW_PGTABLE, 0x301000, 0, 0, 0);
	cr_assert_eq(space_word(kernel, 0x8048), 0, "a page of the last program is still there");
	cr_assert_neq(space_word(kernel, 0xc0100), 0, "the kernel is the same in both tables");
	/* One that says something else about the kernel's addresses. */
	fixture_put32(g, 0x302000 + (0xc0100 >> 10) * 4, 0x303000 | PTE_TABLE_FLAGS);
	fixture_call(g, LHCALL_NEW_PGTABLE, 0x302000, 0, 0, 0);
	cr_assert_eq(space_word(kernel, 0xc0100), 0, "a kernel page that this table does not have");
	fixture_free(g);
}
