/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables nobody has written are not compared again; everybody else's are. */
#include <criterion/criterion.h>

#include "guest_fixture.h"

#define TOP 0x400000u
#define TABLE 0x401000u
#define OTHER 0x402000u		/* another last-level table */
#define ENTRY(table, page) ((table) + (page) * 4)
#define KERNEL 0x63u
/* The table's own frame, at the address of the same number. */
#define TABLE_PAGE (TABLE >> 12)

static struct space *kernel_view(struct guest *g)
{
	return guest_view(g, g->mm.current, CPL_KERNEL);
}

static void flush(struct guest *g)
{
	fixture_call(g, LHCALL_FLUSH_TLB, 1, 0, 0, 0);
}

/* Pages 0x20 and that of the table, mapped for the kernel to write. */
static struct guest *paged(void)
{
	struct guest *g = fixture_started(GENERATION_S);

	fixture_put32(g, TOP, TABLE | 0x67);
	fixture_put32(g, TOP + 4, OTHER | 0x67);
	fixture_put32(g, ENTRY(TABLE, 0x20), 0x5000 | KERNEL);
	fixture_put32(g, ENTRY(OTHER, TABLE_PAGE - 1024), TABLE | KERNEL);
	fixture_call(g, LHCALL_NEW_PGTABLE, TOP, 0, 0, 0);
	cr_assert(guest_demand_page(g, 0x20000, PF_WRITE));
	cr_assert(guest_demand_page(g, TABLE, PF_WRITE));
	return g;
}

static bool may_write(struct guest *g, uint32_t page)
{
	return space_word_prot(space_word(kernel_view(g), page)) & SPACE_WRITE;
}

/* The same, at rest for so long that its tables are guarded. */
static struct guest *rested(void)
{
	struct guest *g = paged();
	unsigned int i;

	cr_assert(may_write(g, TABLE_PAGE));
	for (i = 0; i < 10000 && !guest_is_guarded(g, TABLE_PAGE); i++)
		flush(g);
	cr_assert(guest_is_guarded(g, TABLE_PAGE));
	flush(g);
	return g;
}

static void is_looked_at(struct guest *g)
{
	uint64_t before = g->guards.compared;

	flush(g);
	cr_assert_gt(g->guards.compared, before);
}

Test(guest_guard, one_flush_is_not_worth_a_look)
{
	struct guest *g = paged();

	flush(g);
	cr_assert_eq(g->guards.serial, 0);
	fixture_free(g);
}

Test(guest_guard, what_rests_is_not_compared)
{
	struct guest *g = rested();
	uint64_t before = g->guards.compared;

	flush(g);
	cr_assert_eq(g->guards.compared, before);
	cr_assert_neq(space_word(kernel_view(g), 0x20), 0);
	fixture_free(g);
}

Test(guest_guard, nobody_writes_a_guarded_table_without_a_fault)
{
	struct guest *g = rested();

	cr_assert(may_write(g, 0x20));
	cr_assert_not(may_write(g, TABLE_PAGE));
	cr_assert_neq(space_word(kernel_view(g), TABLE_PAGE), 0);
	cr_assert(kernel_view(g)->removes);
	/* To read it is nothing. */
	space_unmap(kernel_view(g), TABLE_PAGE, 1);
	cr_assert(guest_demand_page(g, TABLE, 0));
	cr_assert_not(may_write(g, TABLE_PAGE));
	cr_assert(guest_is_guarded(g, TABLE_PAGE));
	/* To write it ends the guard, and then it is compared. */
	cr_assert(guest_demand_page(g, TABLE, PF_WRITE));
	cr_assert(may_write(g, TABLE_PAGE));
	cr_assert_not(guest_is_guarded(g, TABLE_PAGE));
	fixture_put32(g, ENTRY(TABLE, 0x20), 0x6000 | KERNEL);
	flush(g);
	cr_assert_eq(space_word(kernel_view(g), 0x20), 0);
	fixture_free(g);
}

Test(guest_guard, what_the_host_writes_is_compared)
{
	struct guest *g = rested();

	guest_write32(g, gpa(ENTRY(TABLE, 0x20)), 0x6000 | KERNEL);
	flush(g);
	cr_assert_eq(space_word(kernel_view(g), 0x20), 0);
	fixture_free(g);
}

/* Accessed and dirty bits are the host's to write, and take nothing back. */
Test(guest_guard, accessed_and_dirty_bits_are_no_change)
{
	struct guest *g = paged();
	unsigned int i;

	fixture_put32(g, ENTRY(TABLE, 0x30), 0x7003);
	for (i = 0; i < 10000 && !guest_is_guarded(g, TABLE_PAGE); i++)
		flush(g);
	flush(g);
	cr_assert(guest_demand_page(g, 0x30000, PF_WRITE));
	cr_assert_eq(fixture_get32(g, ENTRY(TABLE, 0x30)), 0x7000 | KERNEL);
	cr_assert(guest_is_guarded(g, TABLE_PAGE));
	fixture_free(g);
}

/* The table is as it was, but the entry above it is not. */
Test(guest_guard, upper_entries_are_compared)
{
	struct guest *g = rested();

	fixture_put32(g, TOP, TABLE | 0x65);
	flush(g);
	cr_assert_eq(space_word(kernel_view(g), 0x20), 0);
	cr_assert(guest_demand_page(g, 0x20000, 0));
	cr_assert_not(may_write(g, 0x20));
	fixture_put32(g, TOP, 0);
	flush(g);
	cr_assert_eq(space_word(kernel_view(g), 0x20), 0);
	fixture_free(g);
}

/* Nobody was told of the other table; but when something is told, it all counts. */
Test(guest_guard, what_another_table_said_between_goes)
{
	struct guest *g = rested();

	fixture_put32(g, 0x403000 + 0x28 * 4, 0x9000 | KERNEL);
	fixture_put32(g, TOP, 0x403000 | 0x67);
	cr_assert(guest_demand_page(g, 0x28000, 0));
	fixture_put32(g, TOP, TABLE | 0x67);
	flush(g);
	cr_assert_eq(space_word(kernel_view(g), 0x28), 0);
	cr_assert_neq(space_word(kernel_view(g), 0x20), 0);
	fixture_free(g);
}

/* A guard that went and came back is another one. */
Test(guest_guard, numbers_are_not_used_again)
{
	struct guest *g = rested();
	unsigned int i;

	guest_written(g, gpa(TABLE), 4);
	cr_assert_not(guest_is_guarded(g, TABLE_PAGE));
	fixture_put32(g, ENTRY(TABLE, 0x20), 0x6000 | KERNEL);
	/* Guarded again while this view had no occasion to look. */
	g->guards.compared = g->guards.enough;
	guest_guard_tables(g);
	cr_assert(guest_is_guarded(g, TABLE_PAGE));
	is_looked_at(g);
	cr_assert_eq(space_word(kernel_view(g), 0x20), 0);
	for (i = 0; i < 3; i++)
		flush(g);
	cr_assert(guest_is_guarded(g, TABLE_PAGE));
	fixture_free(g);
}

/* --- kernel pages that come and go ------------------------------------------- */

#define MOMENT 0x40u	/* a kernel page, at 3 GiB */
#define MOMENT_VA (0xc0000000u + MOMENT * 4096)

static void moment(struct guest *g, uint32_t entry, bool told)
{
	fixture_put32(g, ENTRY(TABLE, MOMENT), entry);
	if (told)
		fixture_call(g, LHCALL_SET_PTE, TOP, MOMENT_VA, entry, 0);
	else
		flush(g);
}

Test(guest_guard, pages_mapped_for_a_moment_need_no_fault)
{
	struct guest *g = paged();

	fixture_put32(g, TOP + 768 * 4, TABLE | 0x63);
	moment(g, 0x8000 | KERNEL, false);
	/* Nobody knows of it yet. */
	cr_assert_eq(space_word(kernel_view(g), MOMENT_VA >> 12), 0);
	cr_assert(guest_demand_page(g, MOMENT_VA, PF_WRITE));
	moment(g, 0, true);
	cr_assert_eq(space_word(kernel_view(g), MOMENT_VA >> 12), 0);
	moment(g, 0x9000 | KERNEL, false);
	cr_assert_eq(space_word_frame(space_word(kernel_view(g), MOMENT_VA >> 12)), 9);
	cr_assert(may_write(g, MOMENT_VA >> 12));
	moment(g, 0, true);
	cr_assert_eq(space_word(kernel_view(g), MOMENT_VA >> 12), 0);
	/* No more than the entry allows: clean, and then not there. */
	moment(g, 0xa023, false);
	cr_assert_eq(space_word_frame(space_word(kernel_view(g), MOMENT_VA >> 12)), 0xa);
	cr_assert_not(may_write(g, MOMENT_VA >> 12));
	moment(g, 0, false);
	cr_assert_eq(space_word(kernel_view(g), MOMENT_VA >> 12), 0);
	fixture_free(g);
}
