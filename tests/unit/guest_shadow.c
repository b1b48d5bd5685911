/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Views against the guest's tables: whatever is written to them, by whomever, and however
 * the guest tells it, afterwards no view holds what the tables do not say.  Random
 * operations, and a walk as the model.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "guest_fixture.h"

#define TABLES 12u		/* programs */
#define LAST 8u			/* last-level tables, which they share */
#define MIDDLE 4u		/* with PAE: second-level ones */
#define TOP(i) (0x600000u + (i) * 0x1000u)
#define LAST_AT(i) (0x700000u + (i) * 0x1000u)
#define MIDDLE_AT(i) (0x440000u + (i) * 0x1000u)
#define KERNEL_LAST(i) (0x430000u + (i) * 0x1000u)	/* RAM at PAGE_OFFSET */
#define KERNEL_MIDDLE 0x450000u
#define KERNEL_MORE 0x420000u	/* a last-level table of other kernel addresses */
#define FRAMES 0x800000u
#define STEPS 4000

static struct guest *g;
static bool pae;
static uint64_t guarded_writes, skipped;

static uint32_t below(uint32_t n)
{
	return (uint32_t)random() % n;
}

/* Addresses a last-level table serves, and where programs and the kernel have them. */
static uint32_t program_address(uint32_t slot, uint32_t entry)
{
	return pae ? 1u << 30 | slot << 21 | entry << 12 : (16 + slot) << 22 | entry << 12;
}

static uint32_t kernel_address(uint32_t entry)
{
	return pae ? 0xc0000000u + (100u << 21) + (entry << 12) : 800u << 22 | entry << 12;
}

static uint32_t entry_at(uint32_t table, uint32_t i)
{
	return table + i * (pae ? 8 : 4);
}

static void put(uint32_t at, uint32_t value)
{
	fixture_put32(g, at, value);
	if (pae)
		fixture_put32(g, at + 4, 0);
}

/* The engine has done what was queued. */
static void carry_out(void)
{
	unsigned int i;

	for (i = guest_next_space(g, 0); i < GUEST_SPACES; i = guest_next_space(g, i + 1)) {
		struct space *s = &g->space[i];

		s->nr_ops = 0;
		s->reset = s->removes = s->urgent = false;
	}
}

static void fault(uint32_t va, bool kernel, uint32_t error)
{
	g->cpu.cs = kernel ? LGUEST_KERNEL_CS : LGUEST_USER_CS;
	g->cpu.fault_repeats = 0;
	guest_demand_page(g, va, error);
	g->cpu.cs = LGUEST_KERNEL_CS;
}

/* The kernel writes an entry, as it writes all memory: at PAGE_OFFSET, if its view lets
 * it. */
static void store(uint32_t at, uint32_t value)
{
	struct space *view = guest_view(g, g->mm.current, CPL_KERNEL);
	uint32_t page = (0xc0000000u + at) >> 12;

	carry_out();
	guarded_writes += guest_is_guarded(g, at >> 12);
	if (!(space_word_prot(space_word(view, page)) & SPACE_WRITE))
		fault(page << 12, true, PF_WRITE);
	cr_assert(space_word_prot(space_word(view, page)) & SPACE_WRITE);
	cr_assert_eq(space_word_frame(space_word(view, page)), at >> 12);
	cr_assert_not(guest_is_guarded(g, at >> 12), "it may be written");
	put(at, value);
}

static void is_no_more_than_said(unsigned int cpl, uint32_t end, const char *after)
{
	struct space *view = guest_view(g, g->mm.current, cpl);
	uint32_t page;

	if (g->views == VIEWS_ONE && cpl == CPL_USER)
		return;
	for (page = space_next(view, 0, end); page < end; page = space_next(view, page + 1, end)) {
		uint32_t word = space_word(view, page), prot = space_word_prot(word);
		struct guest_pte pte = guest_walk_quiet(g, g->mm.table[g->mm.current].cr3, gva(page << 12));

		cr_assert(pte.present && (pte.value & PTE_A) && (cpl == CPL_KERNEL || pte.us),
			  "%s: page 0x%x is gone", after, page);
		cr_assert_eq(space_word_frame(word), pte_frame(g, pte.value), "%s: page 0x%x", after, page);
		if (prot & SPACE_WRITE)
			cr_assert(pte.rw && (pte.value & PTE_D) && !guest_is_guarded(g, space_word_frame(word)),
				  "%s: page 0x%x may not be written", after, page);
	}
}

static void check(uint32_t end, const char *after)
{
	is_no_more_than_said(CPL_KERNEL, end, after);
	is_no_more_than_said(CPL_USER, end, after);
}

static void use(uint32_t i)
{
	fixture_call(g, LHCALL_NEW_PGTABLE, TOP(i), 0, 0, 0);
	cr_assert_eq(g->end, END_RUNNING, "%s", g->reason);
}

static void check_all(const char *after)
{
	uint32_t before = (g->mm.table[g->mm.current].cr3 - TOP(0)) >> 12, i;

	for (i = 0; i < TABLES; i++) {
		use((before + i) % TABLES);
		check(SPACE_PAGES, after);
	}
	use(before);
}

static uint32_t random_entry(bool user)
{
	static const uint32_t flags[] = { 0x67, 0x67, 0x65, 0x63, 0x07, 0x27, 0 };
	uint32_t f = flags[below(7)] & (user ? ~0u : ~4u);

	if (!f)
		return 0;
	return (below(4) ? FRAMES + below(32) * 4096 : LAST_AT(below(LAST))) | f;
}

static uint32_t random_upper(void)
{
	static const uint32_t flags[] = { 0x67, 0x67, 0x65, 0x63 };

	return below(5) ? LAST_AT(below(LAST)) | flags[below(4)] : 0;
}

/* What a program's table says of a slot of addresses, at the level above the last. */
static uint32_t upper_at(uint32_t table, uint32_t slot)
{
	return pae ? entry_at(MIDDLE_AT(table % MIDDLE), slot) : entry_at(TOP(table), 16 + slot);
}

static void make_tables(void)
{
	uint32_t i, k, n = pae ? 512 : 1024;

	for (k = 0; k * n < FIXTURE_MEM >> 12; k++) {
		for (i = 0; i < n; i++)
			put(entry_at(KERNEL_LAST(k), i), (k * n + i) << 12 | 0x63);
		if (pae)
			put(entry_at(KERNEL_MIDDLE, k), KERNEL_LAST(k) | 0x63);
		for (i = 0; i < TABLES && !pae; i++)
			put(entry_at(TOP(i), 768 + k), KERNEL_LAST(k) | 0x63);
	}
	if (pae)
		put(entry_at(KERNEL_MIDDLE, 100), KERNEL_MORE | 0x63);
	for (i = 0; i < TABLES; i++)
		put(pae ? TOP(i) + 24 : entry_at(TOP(i), 800), pae ? KERNEL_MIDDLE | 1 : KERNEL_MORE | 0x63);
}

/* One change that the guest tells, while it has told all before. */
static void told_change(uint32_t table, uint32_t slot, uint32_t entry)
{
	uint32_t last = LAST_AT(below(LAST)), value = random_entry(true), i, k;

	switch (below(3)) {
	case 0:
		if (pae) {
			store(upper_at(table, slot), random_upper());
			fixture_call(g, LHCALL_SET_PMD, MIDDLE_AT(table % MIDDLE), slot, 0, 0);
		} else {
			store(upper_at(table, slot), random_upper());
			fixture_call(g, LHCALL_SET_PGD, TOP(table), 16 + slot, 0, 0);
		}
		break;
	case 1:
		value = random_entry(false);
		store(entry_at(KERNEL_MORE, entry), value);
		fixture_call(g, LHCALL_SET_PTE, TOP(table), kernel_address(entry), value, 0);
		break;
	default:
		store(entry_at(last, entry), value);
		for (i = 0; i < TABLES; i++)
			for (k = 0; k < 4; k++)
				if ((fixture_get32(g, upper_at(i, k)) & ~0xfffu) == last)
					fixture_call(g, LHCALL_SET_PTE, TOP(i), program_address(k, entry), value, 0);
	}
	check_all("what was told");
}

static void step(bool *untold)
{
	uint32_t table = below(TABLES), slot = below(4);
	uint32_t entry = below(8) + (below(2) ? 500 : 0), what = below(100);
	uint64_t compared;

	carry_out();
	if (what < 40) {
		fault(below(8) ? program_address(slot, entry) : kernel_address(entry), below(2),
		      below(2) ? PF_WRITE : 0);
	} else if (what < 50) {
		store(entry_at(LAST_AT(below(LAST)), entry), random_entry(true));
		*untold = true;
	} else if (what < 54) {
		store(upper_at(table, slot), random_upper());
		*untold = true;
	} else if (what < 58) {
		store(entry_at(KERNEL_MORE, entry), random_entry(false));
		*untold = true;
	} else if (what < 62) {	/* a device */
		uint32_t last = LAST_AT(below(LAST));

		put(entry_at(last, entry), random_entry(true));
		guest_unguard(g, last >> 12);
		*untold = true;
	} else if (what < 66 && pae) {
		store(TOP(table) + 8, below(4) ? MIDDLE_AT(table % MIDDLE) | 1 : 0);
		if (below(2))
			fixture_call(g, LHCALL_SET_PGD, TOP(table), 1, 0, 0);
		else
			*untold = true;
	} else if (what < 80) {
		if (!*untold)
			told_change(table, slot, entry);
	} else if (what < 86) {
		use(table);
	} else if (what < 90) {
		fixture_call(g, LHCALL_FLUSH_TLB, 0, 0, 0, 0);
		check(0xc0000, "FLUSH_TLB of programs");
	} else {
		compared = g->guards.compared;
		if (!below(3))
			g->guards.enough = 0;
		fixture_call(g, LHCALL_FLUSH_TLB, 1, 0, 0, 0);
		skipped += g->guards.compared == compared;
		check(SPACE_PAGES, "FLUSH_TLB");
		if (below(2)) {
			check_all("FLUSH_TLB");
			*untold = false;
		}
	}
	cr_assert_eq(g->end, END_RUNNING, "%s", g->reason);
}

static void random_guest(unsigned int seed, enum view_layout views)
{
	bool untold = false;
	int n;

	srandom(seed);
	g = fixture_started(pae ? GENERATION_C : GENERATION_S);
	g->views = views;
	make_tables();
	use(0);
	cr_assert_eq(g->mm.pae, pae);
	/* Fewer places than programs. */
	g->mm.most = 8 + below(6);
	for (n = 0; n < STEPS; n++)
		step(&untold);
	fixture_free(g);
}

static void random_guests(bool with_pae)
{
	unsigned int seed;

	pae = with_pae;
	for (seed = 1; seed <= 12; seed++)
		random_guest(seed, seed % 3);
	/* It went where it is difficult. */
	cr_assert_gt(guarded_writes, 100);
	cr_assert_gt(skipped, 10);
}

Test(guest_shadow, holds_no_more_than_two_levels_say) { random_guests(false); }
Test(guest_shadow, holds_no_more_than_pae_tables_say) { random_guests(true); }

/* What is mapped ahead of a fault is nothing that a fault would not map. */
Test(guest_shadow, maps_nothing_in_the_reserved_top_of_memory)
{
	const uint32_t reserved = 0xffe0f000, taken = 0xc0021000;
	struct space *view;

	pae = false;
	g = fixture_paged(GENERATION_S);
	fixture_put32(g, FIXTURE_TABLE + 0x21 * 4, 0x5063);
	fixture_put32(g, FIXTURE_TOP + (reserved >> 22) * 4, 0x402000 | 0x63);
	fixture_put32(g, 0x402000 + (reserved >> 12 & 1023) * 4, 0x6063);
	view = guest_view(g, g->mm.current, CPL_KERNEL);
	/* As the host has pages there for a moment, and the kernel elsewhere. */
	space_map(view, reserved >> 12, 5, 1, SPACE_READ);
	fault(taken, true, 0);
	fixture_put32(g, FIXTURE_TABLE + 0x21 * 4, 0);
	fixture_call(g, LHCALL_SET_PGD, FIXTURE_TOP, reserved >> 22, 0, 0);
	cr_assert_eq(space_word(view, reserved >> 12), 0);
	fixture_call(g, LHCALL_FLUSH_TLB, 1, 0, 0, 0);
	cr_assert_eq(space_word(view, taken >> 12), 0);
	fixture_put32(g, FIXTURE_TABLE + 0x21 * 4, 0x5063);
	fixture_call(g, LHCALL_FLUSH_TLB, 1, 0, 0, 0);
	cr_assert_neq(space_word(view, taken >> 12), 0);
	cr_assert_eq(space_word(view, reserved >> 12), 0);
	fixture_free(g);
}
