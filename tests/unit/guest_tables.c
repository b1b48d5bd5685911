/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * More page tables than one: which of them keep their shadows, and who shares a view.
 */
#include <criterion/criterion.h>

#include "guest_fixture.h"

/* Tables that are used only to be there need no page of their own. */
#define EMPTY(i) (0x600000 + (i) * 32)

static void use_table(struct guest *g, uint32_t cr3)
{
	fixture_call(g, LHCALL_NEW_PGTABLE, cr3, 0, 0, 0);
	cr_assert_eq(g->end, END_RUNNING, "%s", g->reason);
}

static bool is_kept(const struct guest *g, uint32_t cr3)
{
	uint32_t i;

	for (i = 0; i < GUEST_TABLES; i++)
		if (g->mm.table[i].used && g->mm.table[i].cr3 == cr3)
			return true;
	return false;
}

static uint32_t count_used(const struct guest *g)
{
	uint32_t i, n = 0;

	for (i = 0; i < GUEST_TABLES; i++)
		n += g->mm.table[i].used;
	return n;
}

static void fault_as_program(struct guest *g, uint32_t va)
{
	g->cpu.cs = LGUEST_USER_CS;
	cr_assert(guest_demand_page(g, va, 0));
	g->cpu.cs = LGUEST_KERNEL_CS;
}

/* A table like the fixture's first, whose programs have one page mapped. */
static void use_program(struct guest *g, uint32_t cr3)
{
	fixture_put32(g, cr3, FIXTURE_TABLE | 0x67);
	fixture_put32(g, cr3 + 768 * 4, FIXTURE_TABLE | 0x63);
	fixture_put32(g, FIXTURE_TABLE + 0x20 * 4, 0x5067);
	use_table(g, cr3);
	fault_as_program(g, 0x20000);
	cr_assert_neq(guest_view(g, g->mm.current, CPL_USER)->mapped, 0);
}

Test(guest_tables, are_evicted_and_start_clean)
{
	struct guest *g = fixture_paged(GENERATION_S);
	uint32_t i;

	fixture_put32(g, FIXTURE_TABLE + 0x20 * 4, 0x5067);
	cr_assert(guest_demand_page(g, 0x20000, 0));
	for (i = 0; i < 16 * GUEST_TABLES; i++)
		use_table(g, EMPTY(i));
	/* By then every place has been given to another. */
	cr_assert_not(is_kept(g, FIXTURE_TOP));
	for (i = 0; i < GUEST_SPACES; i++)
		cr_assert_eq(g->space[i].page[0x20], 0);
	fixture_free(g);
}

/* More tables take turns than are kept: most of them are there when it is theirs,
 * and what was in use just now always is. */
Test(guest_tables, that_take_turns_are_kept)
{
	struct guest *g = fixture_paged(GENERATION_S);
	const uint32_t tables = g->mm.most + g->mm.most / 4;
	uint32_t i, kept = 0, turns = 20 * tables;

	for (i = 0; i < turns; i++) {
		uint32_t cr3 = EMPTY(i % tables);

		kept += is_kept(g, cr3);
		use_table(g, cr3);
		cr_assert(is_kept(g, cr3));
		if (i % tables > 4)
			cr_assert(is_kept(g, cr3 - 4 * 32));
	}
	cr_assert_gt(kept, turns / 3, "%u of %u", kept, turns);
	fixture_free(g);
}

/* A program that ends leaves a process with nothing in it: the next one gets that, and
 * there are not more and more. */
Test(guest_tables, of_a_program_that_ended_go_first)
{
	struct guest *g = fixture_paged(GENERATION_S);
	uint32_t ended, before;

	use_program(g, 0x500000);
	ended = g->mm.current;
	/* All it had goes, as at its end. */
	fixture_put32(g, FIXTURE_TABLE + 0x20 * 4, 0);
	fixture_call(g, LHCALL_FLUSH_TLB, 0, 0, 0, 0);
	/* Not while it is the one in use. */
	use_program(g, 0x501000);
	cr_assert_neq(g->mm.current, ended);
	before = count_used(g);
	use_program(g, 0x502000);
	cr_assert_eq(g->mm.current, ended);
	cr_assert_eq(count_used(g), before);
	cr_assert_not(is_kept(g, 0x500000));
	/* That one lives. */
	use_program(g, 0x503000);
	cr_assert(is_kept(g, 0x502000));
	fixture_free(g);
}

/* The place of a table is another's now, whose kernel addresses may mean something else. */
Test(guest_tables, in_a_place_of_another_have_kernel_addresses_of_their_own)
{
	const uint32_t kernel = 0xd0000000, last = 0x510000, other = 0x511000;
	struct guest *g = fixture_paged(GENERATION_S);
	uint32_t ended;

	fixture_put32(g, 0x500000 + (kernel >> 22) * 4, last | 0x63);
	fixture_put32(g, last, 0x5063);
	fixture_put32(g, other, 0x6063);
	use_program(g, 0x500000);
	ended = g->mm.current;
	cr_assert(guest_demand_page(g, kernel, 0));
	fixture_put32(g, FIXTURE_TABLE + 0x20 * 4, 0);
	fixture_call(g, LHCALL_FLUSH_TLB, 0, 0, 0, 0);
	use_table(g, FIXTURE_TOP);
	fixture_put32(g, 0x501000 + (kernel >> 22) * 4, other | 0x63);
	use_program(g, 0x501000);
	cr_assert_eq(g->mm.current, ended);
	cr_assert_eq(space_word(guest_view(g, ended, CPL_KERNEL), kernel >> 12), 0);
	fixture_free(g);
}

/* The host has no more processes: fewer and fewer tables, but some always; and more again,
 * little by little. */
Test(guest_tables, are_fewer_where_the_host_is_crowded)
{
	struct guest *g = fixture_paged(GENERATION_S);
	uint32_t i, n;

	for (i = 0; i < 30; i++)
		use_program(g, 0x500000 + i * 4096);
	n = count_used(g);
	for (i = 0; i < 5; i++) {
		g->cpu.v.crowded = true;
		guest_crowded(g);
		cr_assert_not(g->cpu.v.crowded);
	}
	cr_assert_eq(count_used(g), n - 5);
	cr_assert(is_kept(g, 0x500000 + 29 * 4096), "the current one");
	for (i = 0; i < 100; i++)
		use_program(g, 0x500000 + i * 4096);
	cr_assert_eq(count_used(g), n - 5);
	for (i = 0; i < 100; i++)
		guest_crowded(g);
	n = count_used(g);
	cr_assert(n >= 4 && n < 16, "%u", n);
	for (i = 0; i < 3000; i++)
		use_program(g, 0x500000 + i % 100 * 4096);
	cr_assert_gt(count_used(g), n);
	cr_assert_lt(count_used(g), n + 16);
	fixture_free(g);
}

/* Where there are more tables than kernel views, the last ones share one. */
Test(guest_tables, beyond_the_kernel_views_share_one)
{
	struct guest *g = fixture_paged(GENERATION_S);
	struct space *shared = &g->space[GUEST_KERNEL_VIEWS - 1];
	const uint32_t own = 0x500000, a = own + 100 * 4096, b = a + 4096;
	uint32_t i, first;

	g->mm.most = GUEST_TABLES;
	use_program(g, own);
	for (i = 1; i < GUEST_KERNEL_VIEWS; i++)
		use_program(g, own + i * 4096);
	use_program(g, a);
	first = g->mm.current;
	cr_assert_eq(guest_view(g, first, CPL_KERNEL), shared);
	/* A page of the program, a page of the kernel. */
	fixture_put32(g, FIXTURE_TABLE + 0x21 * 4, 0x6063);
	cr_assert(guest_demand_page(g, 0x20000, 0));
	cr_assert(guest_demand_page(g, 0xc0021000, 0));
	use_program(g, b);
	cr_assert_eq(guest_view(g, g->mm.current, CPL_KERNEL), shared);
	cr_assert_null(guest_view(g, first, CPL_KERNEL));
	cr_assert_eq(space_word(shared, 0x20), 0, "a page of the last program is still there");
	cr_assert_neq(space_word(shared, 0xc0021), 0);

	/* Told while a table with a view of its own is in use: an entry, */
	use_program(g, own);
	cr_assert_eq(guest_view(g, g->mm.current, CPL_KERNEL), &g->space[g->mm.current]);
	fixture_put32(g, FIXTURE_TABLE + 0x21 * 4, 0);
	fixture_call(g, LHCALL_SET_PTE, own, 0xc0021000, 0, 0);
	cr_assert_eq(space_word(shared, 0xc0021), 0);
	/* or that all may have changed, while the view shows a table and another comes next. */
	use_program(g, b);
	fixture_put32(g, FIXTURE_TABLE + 0x21 * 4, 0x6063);
	cr_assert(guest_demand_page(g, 0xc0021000, 0));
	use_program(g, own);
	fixture_put32(g, FIXTURE_TABLE + 0x21 * 4, 0);
	fixture_call(g, LHCALL_FLUSH_TLB, 1, 0, 0, 0);
	use_program(g, b + 4096);
	cr_assert_eq(guest_view(g, g->mm.current, CPL_KERNEL), shared);
	cr_assert_eq(space_word(shared, 0xc0021), 0);
	fixture_free(g);
}

/* User views may have pages of kernel addresses, as a vsyscall page: all of them lose what
 * one is told. */
Test(guest_tables, lose_kernel_addresses_that_programs_have)
{
	struct guest *g = fixture_paged(GENERATION_S);
	uint32_t i;

	fixture_put32(g, FIXTURE_TABLE + 0x22 * 4, 0x7067);
	for (i = 0; i < 3; i++) {
		uint32_t cr3 = 0x500000 + i * 4096;

		use_program(g, cr3);
		fixture_put32(g, cr3 + 768 * 4, FIXTURE_TABLE | 0x67);
		fault_as_program(g, 0xc0022000);
	}
	fixture_put32(g, FIXTURE_TABLE + 0x22 * 4, 0);
	fixture_call(g, LHCALL_SET_PTE, 0x500000, 0xc0022000, 0, 0);
	for (i = 0; i < GUEST_TABLES; i++)
		cr_assert_eq(space_word(&g->space[guest_user_space(i)], 0xc0022), 0, "table %u", i);
	fixture_free(g);
}

/* A fault maps neighbours, too, on whatever side of the kernel's first address. */
Test(guest_tables, lose_neighbours_above_the_kernel_address)
{
	const uint32_t top = 0x500000, other = 0x501000, table = 0x502000, kernel = 0x40001000;
	struct guest *g = fixture_paged(GENERATION_S);
	struct space *user;

	g->views = VIEWS_ONE_KERNEL;
	g->lg.kernel_address = kernel;
	fixture_put32(g, top, FIXTURE_TABLE | 0x67);
	fixture_put32(g, top + 256 * 4, table | 0x67);
	fixture_put32(g, other, FIXTURE_TABLE | 0x67);
	fixture_put32(g, other + 256 * 4, table | 0x67);
	fixture_put32(g, table, 0x5067);
	fixture_put32(g, table + 2 * 4, 0x6067);
	use_table(g, top);
	user = guest_view(g, g->mm.current, CPL_USER);
	fault_as_program(g, 0x40000000);
	cr_assert_neq(space_word(user, 0x40002), 0);
	use_table(g, other);
	fixture_put32(g, table + 2 * 4, 0);
	fixture_call(g, LHCALL_SET_PTE, other, 0x40002000, 0, 0);
	cr_assert_eq(space_word(user, 0x40002), 0);
	fixture_free(g);
}

/* A top entry of a PAE table names a page, whose first entry names a last-level table. */
static void set_top(struct guest *g, uint32_t top_at, uint32_t middle, uint32_t last)
{
	fixture_put32(g, top_at, middle | 1);
	fixture_put32(g, middle, last | 0x67);
}

/* The first entry of a second-level page goes, and is told: programs of `table` have had
 * that page until then. */
static void is_lost_with(struct guest *g, uint32_t middle, unsigned int table, uint32_t page)
{
	struct space *user = &g->space[guest_user_space(table)];

	cr_assert_neq(space_word(user, page), 0);
	fixture_put32(g, middle, 0);
	fixture_call(g, LHCALL_SET_PMD, middle, 0, 0, 0);
	cr_assert_eq(space_word(user, page), 0, "0x%x of table %u is still there", page, table);
}

/* Whose entry a SET_PMD is for shows only in the tables' top entries.  A processor reads
 * them when a table is loaded, or when it is told. */
Test(guest_tables, with_pae_are_found_by_their_second_level)
{
	struct guest *g = fixture_started(GENERATION_E);
	uint32_t i;

	for (i = 0; i < 3; i++) {
		uint32_t top = 0x400000 + i * 0x10000;

		set_top(g, top, top + 0x1000, top + 0x2000);
		fixture_put32(g, top + 0x2000 + 0x20 * 8, 0x5067);
		use_table(g, top);
		cr_assert(g->mm.pae);
		fault_as_program(g, 0x20000);
	}
	/* The second one's: no other's goes. */
	is_lost_with(g, 0x411000, 1, 0x20);
	cr_assert_neq(space_word(&g->space[guest_user_space(0)], 0x20), 0);
	cr_assert_neq(space_word(&g->space[guest_user_space(2)], 0x20), 0);
	/* The first one gets another page there, and is told of it. */
	set_top(g, 0x400000, 0x403000, 0x402000);
	fixture_call(g, LHCALL_SET_PGD, 0x400000, 0, 0, 0);
	is_lost_with(g, 0x403000, 0, 0x20);
	/* The third one is loaded again with another. */
	set_top(g, 0x420000, 0x423000, 0x422000);
	use_table(g, 0x410000);
	use_table(g, 0x420000);
	is_lost_with(g, 0x423000, 2, 0x20);
	/* It gets one more while it is in use, without a word, and that is used; told later. */
	set_top(g, 0x420008, 0x421000, 0x422000);
	fault_as_program(g, 0x40020000);
	use_table(g, 0x410000);
	is_lost_with(g, 0x421000, 2, 0x40020);
	/* And another still in use, after a SET_PMD of something else. */
	use_table(g, 0x420000);
	fixture_call(g, LHCALL_SET_PMD, 0x421000, 1, 0, 0);
	set_top(g, 0x420010, 0x424000, 0x422000);
	fault_as_program(g, 0x80020000);
	is_lost_with(g, 0x424000, 2, 0x80020);
	fixture_free(g);
}
