/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shadow page tables: which host mappings the guest's own tables mean.
 *
 * Each page table in use has two views, each a host address space: what the
 * guest kernel may touch, and what its user programs may.  Only separate
 * mappings keep the two apart, as both run at ring 3.  A view is filled by
 * faults and emptied by the guest's page-table calls; like a TLB it may lack
 * anything, and must never hold what the guest has taken back.
 *
 * Where changing the address space costs more than mapping anew, all tables
 * share one kernel view, which shows the current table and forgets the part of
 * the programs when that changes (VIEWS_ONE_KERNEL), or programs run in it too
 * (VIEWS_ONE).  Elsewhere those do that are too many to have one each.
 *
 * Where a call says that something changed, the view is compared with the
 * tables and only what differs goes.
 */
#include <string.h>

#include "guest/guest.h"

#define USER_AROUND 16u		/* pages mapped around a user fault */
#define KERNEL_AROUND 512u	/* most pages of a contiguous kernel run */
#define FAULTS_WITHOUT_PROGRESS 16u

static void set_bit(uint64_t *bits, unsigned int n)
{
	bits[n / 64] |= 1ull << n % 64;
}

static void clear_bit(uint64_t *bits, unsigned int n)
{
	bits[n / 64] &= ~(1ull << n % 64);
}

static bool has_bit(const uint64_t *bits, unsigned int n)
{
	return bits[n / 64] >> n % 64 & 1;
}

/* Of kernel views, the one that more than one table have. */
static unsigned int shared_index(const struct guest *g)
{
	return g->views == VIEWS_PER_TABLE ? GUEST_KERNEL_VIEWS - 1 : 0;
}

static unsigned int view_index(const struct guest *g, unsigned int table, unsigned int cpl)
{
	if (cpl == CPL_USER && g->views != VIEWS_ONE)
		return guest_user_space(table);
	return table < shared_index(g) ? table : shared_index(g);
}

static bool shares_kernel_view(const struct guest *g, unsigned int table)
{
	return view_index(g, table, CPL_KERNEL) == shared_index(g);
}

struct space *guest_view(struct guest *g, unsigned int table, unsigned int cpl)
{
	unsigned int index = view_index(g, table, cpl);

	if (index == shared_index(g) && table != g->mm.shown)
		return NULL;
	set_bit(g->mm.touched, index);
	return &g->space[index];
}

unsigned int guest_next_space(const struct guest *g, unsigned int i)
{
	while (i < GUEST_SPACES && !has_bit(g->mm.touched, i))
		i++;
	return i;
}

unsigned int guest_current_space(const struct guest *g)
{
	return view_index(g, g->mm.current, guest_cpl(g));
}

/* The view of its own that has to follow changes of the table: where programs
 * share the kernel's, that one does, with the kernel's rights. */
static struct space *own_view(struct guest *g, unsigned int table, unsigned int cpl)
{
	if (g->views == VIEWS_ONE && cpl == CPL_USER)
		return NULL;
	return guest_view(g, table, cpl);
}

bool guest_is_reserved(const struct guest *g, uint32_t address)
{
	return g->lg.reserve_mem && address >= 0u - g->lg.reserve_mem;
}

static uint32_t current_cr3(const struct guest *g)
{
	return g->mm.table[g->mm.current].cr3;
}

/* What a view may hold for this entry without missing an accessed or dirty
 * bit; 0: nothing. */
static uint32_t allowed(const struct guest *g, const struct guest_pte *pte,
			unsigned int cpl)
{
	if (!pte->present || pte->mmio || !(pte->value & PTE_A))
		return 0;
	if (cpl == CPL_USER && !pte->us)
		return 0;
	return SPACE_READ | SPACE_EXEC |
	       (pte->rw && (pte->value & PTE_D) && guest_may_write(g, pte_frame(g, pte->value)) ?
		SPACE_WRITE : 0);
}

/* The frame a view shows for an entry that allows `prot`. */
static uint32_t shown_frame(struct guest *g, const struct guest_pte *pte, unsigned int cpl)
{
	uint32_t frame = pte_frame(g, pte->value);

	return cpl == CPL_USER && !pte->rw ? guest_copied_frame(g, frame) : frame;
}

/* May the view keep this word, now that the table says `pte`? */
static bool still_right(const struct guest *g, uint32_t word,
			const struct guest_pte *pte, unsigned int cpl)
{
	uint32_t prot = allowed(g, pte, cpl);

	return prot && guest_original(g, space_word_frame(word)) == pte_frame(g, pte->value) &&
	       !(space_word_prot(word) & ~prot);
}

static bool needs_no_table(const struct guest *g, uint32_t page)
{
	uint32_t va = page << GUEST_PAGE_SHIFT;

	if (g->mm.mode == MM_DIRECT || guest_is_gate(g, va))
		return true;
	return g->mm.mode == MM_BOOT &&
	       (va < g->mem_bytes || (guest_is_alias(g, va) &&
				      va - g->lg.kernel_address < g->mem_bytes));
}

/* Something goes from a view: where programs run on while their kernel does, they
 * must lose it before that goes on. */
void guest_note_taken(struct guest *g, unsigned int table)
{
	set_bit(g->mm.taken, table);
}

static void note_taken(struct guest *g, unsigned int table, unsigned int cpl)
{
	if (cpl == CPL_USER)
		guest_note_taken(g, table);
}

static uint32_t kernel_page(const struct guest *g)
{
	return g->lg.kernel_address >> GUEST_PAGE_SHIFT;
}

/* The kernel has taken this page of its own back. */
static void note_momentary(struct guest *g, uint32_t page)
{
	unsigned int i;

	for (i = 0; i < GUEST_MOMENTARY; i++)
		if (g->mm.momentary[i] == page)
			return;
	g->mm.momentary[g->mm.next_momentary++ % GUEST_MOMENTARY] = page;
}

static void resync_page(struct guest *g, unsigned int table, unsigned int cpl,
			uint32_t page)
{
	struct space *view = own_view(g, table, cpl);
	uint32_t word = view ? space_word(view, page) : 0;
	struct guest_pte pte;

	if (!word || needs_no_table(g, page))
		return;
	pte = guest_walk_quiet(g, g->mm.table[table].cr3, gva(page << GUEST_PAGE_SHIFT));
	if (!still_right(g, word, &pte, cpl)) {
		space_unmap(view, page, 1);
		if (cpl == CPL_KERNEL && page >= kernel_page(g))
			note_momentary(g, page);
		note_taken(g, table, cpl);
	}
}

/* Is the entry of `page` plainly what the word was made of?  False: perhaps not. */
static bool is_unchanged(const struct last_table *t, uint32_t page, uint32_t word,
			 unsigned int cpl)
{
	uint64_t wanted = PTE_P | PTE_A | (cpl == CPL_USER ? PTE_US : 0);
	uint64_t entry;

	if (!t->entries || (cpl == CPL_USER && !t->us))
		return false;
	if (space_word_prot(word) & SPACE_WRITE) {
		wanted |= PTE_RW | PTE_D;
		if (!t->rw)
			return false;
	}
	entry = t->pae ? ((const uint64_t *)t->entries)[page & 511] :
			 ((const uint32_t *)t->entries)[page & 1023];
	return (entry & (wanted | PTE_PSE)) == wanted &&
	       (entry & PTE_FRAME_MASK) >> GUEST_PAGE_SHIFT == space_word_frame(word);
}

bool guest_table_is_empty(struct guest *g, unsigned int table)
{
	struct space *user = own_view(g, table, CPL_USER);

	return user && !user->mapped;
}

/* Drops from a view what GUARD_PAGES entries of a table no longer say, from `page`
 * on. */
static void compare(struct guest *g, unsigned int table, unsigned int cpl, uint32_t page,
		    const struct last_table *t)
{
	struct space *view = own_view(g, table, cpl);
	uint32_t *with = &view->tag[page / GUARD_PAGES], end = page + GUARD_PAGES;
	uint32_t tag = guest_guard_tag(g, t);

	/* Nobody has written the table, and it is the same one: nothing to find. */
	if (tag && *with == tag)
		return;
	for (page = space_next(view, page, end); page < end; page = space_next(view, page + 1, end))
		if (!is_unchanged(t, page, space_word(view, page), cpl))
			resync_page(g, table, cpl, page);
	/* As it was before the table was read: who wrote since then took it away. */
	if (g->guards.serial)
		*with = tag;
	g->guards.compared += GUARD_PAGES;
}

/* Drops from both views of a table what its entries no longer say, from first to end and
 * to the next multiples of GUARD_PAGES around them. */
static void resync(struct guest *g, unsigned int table, uint32_t first, uint32_t end)
{
	static const unsigned int cpls[2] = { CPL_KERNEL, CPL_USER };
	const bool was_empty = guest_table_is_empty(g, table);
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct space *view = own_view(g, table, cpls[i]);
		struct table_cursor at = { 0 };
		uint32_t page;

		if (!view || !view->mapped)
			continue;
		if (first < SPACE_FIRST_PAGE) {
			guest_low_forget(view);
			note_taken(g, table, cpls[i]);
		}
		for (page = first / GUARD_PAGES * GUARD_PAGES; page < end; page += GUARD_PAGES) {
			struct last_table t;

			page = space_next_slot(view, page, end);
			if (page >= end)
				break;
			if (needs_no_table(g, page) && needs_no_table(g, page + GUARD_PAGES - 1))
				continue;
			t = guest_last_table(g, g->mm.table[table].cr3, page, &at);
			compare(g, table, cpls[i], page, &t);
		}
	}
	if (!was_empty && guest_table_is_empty(g, table))
		guest_note_emptied(g, table);
}

void guest_note_mapped(struct guest *g, struct space *view, uint32_t page)
{
	uint32_t *with = &view->tag[page / GUARD_PAGES];
	struct table_cursor at = { 0 };
	struct last_table t;

	/* To look at one that was never written would cost a page of the host's. */
	if (!g->guards.serial || !*with)
		return;
	t = guest_last_table(g, current_cr3(g), page, &at);
	if (guest_guard_tag(g, &t) != *with)
		*with = 0;
}

void guest_drop_shadows(struct guest *g)
{
	unsigned int i;

	for (i = guest_next_space(g, 0); i < GUEST_SPACES; i = guest_next_space(g, i + 1))
		if (g->space[i].mapped)
			space_clear(&g->space[i]);
	memset(g->mm.taken, 0xff, sizeof(g->mm.taken));
}

/* --- faults ------------------------------------------------------------------ */

/* Everything the 1:1 and boot maps say around `page`, in one run. */
static void map_without_tables(struct guest *g, struct space *view, uint32_t page,
			       uint32_t prot)
{
	uint32_t base = 0, pages = g->limit_pages;

	if (g->mm.mode == MM_BOOT) {
		pages = g->mem_bytes >> GUEST_PAGE_SHIFT;
		if (guest_is_alias(g, page << GUEST_PAGE_SHIFT)) {
			base = kernel_page(g);
			if (pages > (GUEST_ALIAS_END >> GUEST_PAGE_SHIFT) - base)
				pages = (GUEST_ALIAS_END >> GUEST_PAGE_SHIFT) - base;
		}
	}
	if (g->lg.reserve_mem && base + pages > (0u - g->lg.reserve_mem) >> GUEST_PAGE_SHIFT)
		pages = ((0u - g->lg.reserve_mem) >> GUEST_PAGE_SHIFT) - base;
	space_map(view, base, 0, pages, prot);
}

/* The run of pages around a kernel fault that continues it in both memories
 * with the same rights: the linear map of RAM, mostly. */
static void map_kernel_run(struct guest *g, struct space *view, uint32_t page,
			   uint32_t frame, uint32_t prot)
{
	uint32_t window = page & ~(KERNEL_AROUND - 1), first = page, end = page + 1;
	struct guest_pte pte;

	while (first > window) {
		pte = guest_walk_quiet(g, current_cr3(g), gva((first - 1) << GUEST_PAGE_SHIFT));
		if (allowed(g, &pte, CPL_KERNEL) != prot ||
		    pte_frame(g, pte.value) != frame - (page - first) - 1)
			break;
		first--;
	}
	while (end < window + KERNEL_AROUND) {
		pte = guest_walk_quiet(g, current_cr3(g), gva(end << GUEST_PAGE_SHIFT));
		if (allowed(g, &pte, CPL_KERNEL) != prot ||
		    pte_frame(g, pte.value) != frame + (end - page))
			break;
		end++;
	}
	space_map(view, first, frame - (page - first), end - first, prot);
}

/* The user view of the current table gets pages, that one the last of them. */
static void note_high(struct guest *g, uint32_t page)
{
	if (page >= kernel_page(g))
		set_bit(g->mm.high, g->mm.current);
}

static void map_user_window(struct guest *g, struct space *view, uint32_t page,
			    unsigned int cpl)
{
	uint32_t p = page & ~(USER_AROUND - 1), end = p + USER_AROUND;

	for (; p < end; p++) {
		struct guest_pte pte;
		uint32_t prot;

		if (p != page && space_word(view, p))
			continue;
		pte = guest_walk_quiet(g, current_cr3(g), gva(p << GUEST_PAGE_SHIFT));
		prot = allowed(g, &pte, cpl);
		if (prot)
			space_map(view, p, shown_frame(g, &pte, cpl), 1, prot);
	}
	if (cpl == CPL_USER)
		note_high(g, end - 1);
}

static void map_around(struct guest *g, uint32_t page, const struct guest_pte *pte,
		       unsigned int cpl)
{
	struct space *view = guest_view(g, g->mm.current, cpl);
	uint32_t prot = allowed(g, pte, cpl);

	view->urgent = true;
	guest_note_mapped(g, view, page);
	if (needs_no_table(g, page))
		map_without_tables(g, view, page, prot);
	else if (cpl == CPL_KERNEL && page >= kernel_page(g))
		map_kernel_run(g, view, page, pte_frame(g, pte->value), prot);
	else
		map_user_window(g, view, page, cpl);
}

/* Eager rewriting: a page is writable or executable, not both, so that every
 * page is searched for sites after its last write and before it runs. */
static void map_eager(struct guest *g, uint32_t page, const struct guest_pte *pte,
		      uint32_t error)
{
	struct space *view = guest_view(g, g->mm.current, CPL_KERNEL);
	uint32_t prot = allowed(g, pte, CPL_KERNEL), frame = pte_frame(g, pte->value);
	uint32_t eip_page = g->cpu.v.regs.eip >> GUEST_PAGE_SHIFT;

	view->urgent = true;
	guest_note_mapped(g, view, page);
	if (error & PF_FETCH) {
		space_map(view, page, frame, 1, SPACE_READ | SPACE_EXEC);
		guest_scan_page(g, page);
	} else if (page == eip_page || page == eip_page + 1) {
		/* Code that writes into its own page: both at once, or the
		 * instruction could never finish. */
		space_map(view, page, frame, 1, prot);
		guest_scan_page(g, page);
	} else if (needs_no_table(g, page) && !space_word(view, page)) {
		map_without_tables(g, view, page, prot & ~SPACE_EXEC);
	} else {
		space_map(view, page, frame, 1, prot & ~SPACE_EXEC);
	}
}

/* The same instruction faulting at the same address over and over: the host
 * cannot map what the guest's tables allow.  Better a fault the guest sees than
 * a guest that never moves again. */
static bool is_stuck(struct guest_cpu *cpu, uint32_t address)
{
	if (cpu->fault_eip != cpu->v.regs.eip || cpu->fault_address != address) {
		cpu->fault_eip = cpu->v.regs.eip;
		cpu->fault_address = address;
		cpu->fault_repeats = 0;
		return false;
	}
	return ++cpu->fault_repeats > FAULTS_WITHOUT_PROGRESS;
}

/* Accessed and dirty bits allow more and take nothing back: no view that was compared
 * with the entry holds too much now, so the guard of its table stays. */
static void mark_pte(struct guest *g, gpa_t address, uint32_t value)
{
	void *at = guest_bytes(g, address, sizeof(value));

	if (!at)
		return;
	guest_end_copy(g, address.v >> GUEST_PAGE_SHIFT);
	memcpy(at, &value, sizeof(value));
}

/*
 * Tour 140: And this is how a view is filled: by faults.  Guest and host look at the
 * same tables, as a processor and its kernel do; only if they allow the access
 * was it our mapping that was missing.
 */
/* The order is that of ABI 7.3. */
bool guest_demand_page(struct guest *g, uint32_t address, uint32_t error)
{
	unsigned int cpl = guest_cpl(g);
	struct guest_pte pte;
	uint64_t value;

	if (guest_demand_gate(g, address, error))
		return true;
	if (guest_is_reserved(g, address)) {
		/* C and older: whoever touches the host's part dies.  A user
		 * program must not have that power over its kernel. */
		if (cpl == CPL_KERNEL && !(g->lg.gens & (GEN(D) | GEN(E) | GEN(F))))
			kill_guest(g, "touched 0x%x in the reserved top of memory at 0x%x",
				   address, g->cpu.v.regs.eip);
		return false;
	}
	pte = guest_walk(g, current_cr3(g), gva(address));
	if (!pte.present || ((error & PF_WRITE) && !pte.rw) ||
	    (cpl == CPL_USER && !pte.us) ||
	    (!pte.mmio && is_stuck(&g->cpu, address)))
		return false;
	if (error & PF_WRITE)
		guest_before_write(g, pte_frame(g, pte.value));
	value = pte.value | PTE_A | (error & PF_WRITE ? PTE_D : 0);
	if (value != pte.value) {
		pte.value = value;
		mark_pte(g, pte.address, (uint32_t)value);
	}
	if (pte.mmio)
		return guest_mmio(g, address, gpa((uint32_t)(value & GUEST_PAGE_MASK) |
						  (address & ~GUEST_PAGE_MASK)));
	if (address >> GUEST_PAGE_SHIFT < SPACE_FIRST_PAGE)
		return guest_low_access(g, address);
	if (g->rewrite == REWRITE_EAGER && cpl == CPL_KERNEL)
		map_eager(g, address >> GUEST_PAGE_SHIFT, &pte, error);
	else
		map_around(g, address >> GUEST_PAGE_SHIFT, &pte, cpl);
	return true;
}

/* --- page-table calls --------------------------------------------------------- */

/* What a kernel view shows of programs. */
static void forget_programs(struct guest *g, struct space *view)
{
	space_unmap(view, 0, kernel_page(g));
	guest_low_forget(view);
}

void guest_forget_table(struct guest *g, unsigned int table)
{
	struct space *kernel = own_view(g, table, CPL_KERNEL);
	struct space *user = own_view(g, table, CPL_USER);

	if (kernel) {
		forget_programs(g, kernel);
		g->mm.table[table].stale |= kernel->mapped != 0;
	}
	if (user && user->mapped) {
		space_clear(user);
		note_taken(g, table, CPL_USER);
	}
	clear_bit(g->mm.high, table);
}

/* The shared kernel view shows the current table from now on.  Kernel addresses
 * mean the same in every table but for what one has not been told yet. */
static void change_shared_view(struct guest *g)
{
	const uint32_t step = g->mm.pae ? 512 : 1024;
	const uint32_t old = g->mm.table[g->mm.shown].cr3;
	struct table_cursor before = { 0 }, now = { 0 };
	struct space *view;
	uint32_t page;

	g->mm.shown = g->mm.current;
	view = guest_view(g, g->mm.current, CPL_KERNEL);
	forget_programs(g, view);
	for (page = kernel_page(g) / step * step; page < SPACE_PAGES; page += step) {
		struct last_table t, u;

		page = space_next_slot(view, page, SPACE_PAGES);
		if (page >= SPACE_PAGES)
			break;
		t = guest_last_table(g, old, page, &before);
		u = guest_last_table(g, current_cr3(g), page, &now);
		/* With PAE one page of entries serves a GiB of kernel addresses, in all tables. */
		if (g->mm.pae && now.middle && now.middle == before.middle)
			page |= (1u << 18) - step;
		else if (t.entries != u.entries || t.rw != u.rw || t.us != u.us)
			resync(g, g->mm.current, page, page + step);
	}
}

/* Stack pages must stay writable: traps from user mode push onto them. */
void guest_check_stack(struct guest *g)
{
	uint32_t i;

	for (i = 0; i < g->cpu.stack_pages; i++) {
		uint32_t va = g->cpu.esp1 - 1 - i * GUEST_PAGE_SIZE;
		struct guest_pte pte = guest_walk(g, current_cr3(g), gva(va));

		if (!pte.present || pte.mmio || !pte.rw) {
			kill_guest(g, "stack page 0x%x is not writable",
				   va & GUEST_PAGE_MASK);
			return;
		}
	}
}

void hcall_new_pgtable(struct guest *g, const uint32_t arg[4])
{
	uint32_t cr3 = arg[0];
	bool fresh = false;
	int table;

	if (!guest_bytes(g, gpa(cr3 & ~31u), 32)) {
		kill_guest(g, "page table at 0x%x is outside memory", cr3);
		return;
	}
	guest_detect_pae(g, cr3);
	/* The first one ends the maps that need no tables. */
	if (g->mm.mode != MM_TABLES) {
		guest_take_back_gates(g);
		g->mm.mode = MM_TABLES;
		guest_drop_shadows(g);
		guest_set_used(g, g->mm.current, false);
	}
	table = guest_find_table(g, cr3);
	if (table < 0) {
		table = (int)guest_new_table(g, cr3);
		fresh = true;
	}
	g->mm.table[g->mm.current].tops_known = g->mm.table[table].tops_known = false;
	g->mm.current = (uint32_t)table;
	if (g->mm.shown != g->mm.current && shares_kernel_view(g, g->mm.current))
		change_shared_view(g);
	g->mm.table[table].last_used = ++g->mm.clock;
	if (g->mm.table[table].stale) {
		resync(g, (unsigned int)table, 0, SPACE_PAGES);
		guest_guard_tables(g);
	}
	g->mm.table[table].stale = false;
	if (fresh)
		guest_check_stack(g);
}

/* A kernel with high memory maps a page of it for a moment, always at the same few
 * addresses: it writes an entry, makes the call that says only that one changed, and goes
 * there at once.  So what it took back lately is looked at: what its tables say now
 * need not fault.  What they do not say is not mapped. */
static void map_momentary(struct guest *g)
{
	struct space *view = guest_view(g, g->mm.current, CPL_KERNEL);
	unsigned int i;

	if (g->mm.mode != MM_TABLES || g->rewrite == REWRITE_EAGER)
		return;
	for (i = 0; i < GUEST_MOMENTARY; i++) {
		uint32_t page = g->mm.momentary[i], prot;
		struct guest_pte pte;

		if (!page || space_word(view, page) || needs_no_table(g, page) ||
		    guest_is_reserved(g, page << GUEST_PAGE_SHIFT))
			continue;
		pte = guest_walk_quiet(g, current_cr3(g), gva(page << GUEST_PAGE_SHIFT));
		prot = allowed(g, &pte, CPL_KERNEL);
		if (!prot)
			continue;
		guest_note_mapped(g, view, page);
		space_map(view, page, pte_frame(g, pte.value), 1, prot);
		view->urgent = true;
	}
}

void hcall_flush_tlb(struct guest *g, const uint32_t arg[4])
{
	unsigned int i;

	g->mm.table[g->mm.current].tops_known = false;
	if (!arg[0]) {
		resync(g, g->mm.current, 0, kernel_page(g));
		return;
	}
	/* Others are compared when they are next used. */
	for (i = 0; i < GUEST_TABLES; i++) {
		g->mm.table[i].stale = i != g->mm.current;
		g->mm.table[i].tops_known = false;
	}
	resync(g, g->mm.current, 0, SPACE_PAGES);
	guest_guard_tables(g);
	map_momentary(g);
	if (g->mm.mode == MM_TABLES)
		guest_check_stack(g);
}

static void update_page(struct guest *g, unsigned int table, uint32_t page)
{
	struct space *kernel = guest_view(g, table, CPL_KERNEL);
	struct space *user = guest_view(g, table, CPL_USER);
	struct guest_pte pte;
	uint32_t prot;

	resync_page(g, table, CPL_KERNEL, page);
	resync_page(g, table, CPL_USER, page);
	if (page < SPACE_FIRST_PAGE && kernel)
		guest_low_forget(kernel);
	if (page < SPACE_FIRST_PAGE && user) {
		guest_low_forget(user);
		note_taken(g, table, CPL_USER);
	}
	/* The guest sets an entry because somebody waits for the page: a user
	 * program, which would fault for it next.  Others can wait for the next
	 * batch. */
	if (table != g->mm.current || page < SPACE_FIRST_PAGE || space_word(user, page))
		return;
	pte = guest_walk_quiet(g, g->mm.table[table].cr3, gva(page << GUEST_PAGE_SHIFT));
	prot = allowed(g, &pte, CPL_USER);
	if (!prot)
		return;
	note_high(g, page);
	guest_note_mapped(g, user, page);
	space_map(user, page, shown_frame(g, &pte, CPL_USER), 1, prot);
	/* This one is waited for now. */
	user->urgent |= page == g->cpu.reflected_page;
}

/*
 * Tour 130: The call made most often: the guest has changed an entry of its page
 * tables.  It has written the entry itself; what we do is forget what the
 * entry no longer says, in the two views this table has.
 */
void hcall_set_pte(struct guest *g, const uint32_t arg[4])
{
	uint64_t value = g->mm.pae ? (uint64_t)arg[3] << 32 | arg[2] : arg[2];
	uint32_t page = arg[1] >> GUEST_PAGE_SHIFT;
	unsigned int i, left = g->mm.used;
	int table;

	if (guest_is_reserved(g, arg[1])) {
		kill_guest(g, "SET_PTE for 0x%x in the reserved top of memory", arg[1]);
		return;
	}
	if ((value & PTE_P) && !pte_is_legal(g, value))
		return;
	/* Kernel addresses are in every table, others in the one named. */
	if (arg[1] < g->lg.kernel_address) {
		table = guest_find_table(g, arg[0]);
		if (table >= 0)
			update_page(g, (unsigned int)table, page);
		return;
	}
	for (i = 0; left && i < GUEST_TABLES; i++) {
		if (!g->mm.table[i].used)
			continue;
		left--;
		if (guest_view(g, i, CPL_KERNEL) || i == g->mm.current || has_bit(g->mm.high, i))
			update_page(g, i, page);
	}
}

void hcall_set_pgd(struct guest *g, const uint32_t arg[4])
{
	uint32_t entries, pages, first;
	int table;

	/* PAE tables have four slots; below that the table itself may tell, but
	 * not the one the host made, which suits both. */
	if (!g->mm.pae_known && arg[1] >= 4)
		g->mm.pae_known = true;
	else if (!g->mm.pae_known && arg[0] != current_cr3(g))
		guest_detect_pae(g, arg[0]);
	entries = g->mm.pae ? 4 : 1024;
	pages = SPACE_PAGES / entries;
	if (arg[1] >= entries) {
		/* E and F kill, older ones do not look (ABI 1.5). */
		if (g->lg.gens & (GEN(E) | GEN(F)))
			kill_guest(g, "top-level slot %u, at most %u", arg[1], entries - 1);
		return;
	}
	table = guest_find_table(g, arg[0]);
	if (table < 0)
		return;
	first = arg[1] * pages;
	g->mm.table[table].tops_known = false;
	resync(g, (unsigned int)table, first, first + pages);
}

/* A PMD page does not say which address it serves: look which tables use it. */
void hcall_set_pmd(struct guest *g, const uint32_t arg[4])
{
	unsigned int i, slot, left = g->mm.used;

	g->mm.pae = g->mm.pae_known = true;
	if (arg[1] >= 512 || g->mm.mode == MM_DIRECT)
		return;
	/* Its views are filled by what its top entries say at that time, told or not. */
	g->mm.table[g->mm.current].tops_known = false;
	for (i = 0; left && i < GUEST_TABLES; i++) {
		const uint32_t *top;

		if (!g->mm.table[i].used)
			continue;
		left--;
		top = guest_table_tops(g, i);
		for (slot = 0; slot < 4; slot++) {
			uint32_t first = slot << 18 | arg[1] << 9;

			if (top[slot] == (arg[0] & GUEST_PAGE_MASK))
				resync(g, i, first, first + 512);
		}
	}
}
