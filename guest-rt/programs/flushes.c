/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page tables edited at random, by every way a kernel or a program can write one, then
 * told of by one of the calls there are for it; after that, what is found at random
 * addresses is what the tables say.
 *
 * On the command line: "pae", three levels; "one", programs have their kernel's view;
 * "tables=N", "seed=N" and "rounds=N", others than usual.
 */
#include <guest-rt/user.h>

#define KERNEL_MIB 16u		/* mapped 1:1, and at PAGE_OFFSET */
#define TABLES 80u
#define LEAVES 6u
#define DATA 8u
#define REGIONS 3u		/* of programs; then one of the kernel's, then the lowest pages */
#define KERNEL_REGION REGIONS
#define LOW_REGION (REGIONS + 1)
#define LOW_FIRST 4u
#define LOW_PAGES 8u
#define PAGE_OFFSET 0xc0000000u
#define CODE 0x50000000u
#define A 0x20u
#define D 0x40u

typedef volatile uint32_t words[1024];

/* An entry has one or two words. */
static unsigned int width = 1, per_table = 1024, table_shift = 22;
static bool pae;

static words leaf[LEAVES] __attribute__((aligned(4096)));
static words data[DATA] __attribute__((aligned(4096)));
static words top[TABLES] __attribute__((aligned(4096)));
static words middle[TABLES][4] __attribute__((aligned(4096)));
static words low[KERNEL_MIB / 2] __attribute__((aligned(4096)));
static words kernel_leaf __attribute__((aligned(4096)));
static words code_leaf __attribute__((aligned(4096)));
static words code_page[2] __attribute__((aligned(4096)));
static uint32_t now;
static volatile unsigned int faults;
static volatile uint32_t fault_error;
static uint32_t seed = 1, rounds, tables, step;

static const uint32_t region[REGIONS + 2] = {
	0x40000000, 0x40400000, 0x7fc00000, 0xd0000000, 0
};
static const uint16_t pages[8] = { 0, 1, 2, 15, 16, 100, 300, 511 };

static uint32_t any(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % n;
}

static void on_fault(struct trap_frame *frame)
{
	faults++;
	fault_error = frame->error;
	frame->eip = frame->ebx;
}

/* --- the tables as they stand -------------------------------------------------------- */

/* The entry of the level above the last. */
static volatile uint32_t *upper(uint32_t table, uint32_t va)
{
	uint32_t at = pae ? (top[table][(va >> 30) * 2] & ~0xfffu) + (va >> 21 & 511) * 8 :
			    guest_pa(top[table]) + (va >> 22) * 4;

	return (volatile uint32_t *)(uintptr_t)at;
}

static volatile uint32_t *entry_at(uint32_t table, uint32_t va)
{
	volatile uint32_t *up = upper(table, va);

	if (!(*up & 1))
		return NULL;
	return (volatile uint32_t *)(uintptr_t)(*up & ~0xfffu) + (va >> 12 & (per_table - 1)) * width;
}

/* What an access must end with: 0, or the error code + 1. */
static uint32_t expected(uint32_t va, bool write, bool user)
{
	volatile uint32_t *up = upper(now, va), *e = entry_at(now, va);
	uint32_t code = 1u + (write ? 2u : 0u) + (user ? 4u : 0u);

	if (!e || !(*e & 1))
		return code;
	if ((write && !(*e & *up & 2)) || (user && !(*e & *up & 4)))
		return code + 1;
	return 0;
}

/* --- accesses ------------------------------------------------------------------------- */

/* The pointer and the value are in the second page. */
USER_CODE(reader, "mov 0x50001000, %ecx; mov (%ecx), %eax; int $0x80");
USER_CODE(writer, "mov 0x50001000, %ecx; mov 0x50001004, %eax; mov %eax, (%ecx); int $0x80");

static uint32_t got, how;
static bool untold;

static uint32_t access_user(uint32_t va, bool write, uint32_t value)
{
	struct user_end end;

	code_page[1][0] = va;
	code_page[1][1] = value;
	user_run(CODE + (write ? 0x800 : 0), CODE + 0x2000, &end);
	trap_set_handler(14, on_fault);
	CHECK(end.vector == 0x80 || (end.vector == 14 && end.cr2 == va));
	got = end.frame.eax;
	return end.vector == 0x80 ? 0 : end.error + 1;
}

static uint32_t access_kernel(uint32_t va, bool write, uint32_t value)
{
	uint32_t before = faults, eax = value;

	if (write)
		__asm__ volatile("movl $1f, %%ebx\n movl %%eax, (%1)\n1:"
				 : : "a"(eax), "r"(va) : "ebx", "memory");
	else
		__asm__ volatile("movl $1f, %%ebx\n movl (%1), %0\n1:"
				 : "=a"(eax) : "r"(va) : "ebx", "memory");
	got = eax;
	return faults == before ? 0 : fault_error + 1;
}

static uint32_t access(uint32_t va, bool write, bool user, uint32_t value)
{
	return user ? access_user(va, write, value) : access_kernel(va, write, value);
}

static uint32_t any_address(void)
{
	uint32_t r = any(REGIONS + 2);

	return r == LOW_REGION ? (LOW_FIRST + any(LOW_PAGES)) << 12 :
				 region[r] + (pages[any(8)] << 12);
}

static bool is_data(uint32_t pa)
{
	return pa - guest_pa(data) < sizeof(data);
}

static void look(void)
{
	uint32_t va = any_address() + any(1024) * 4, wanted, result, was, pa, value = any(~0u);
	bool write = any(2), user = any(3) == 0;
	volatile uint32_t *e = entry_at(now, va);

	if (e && (*e & 1) && !is_data(*e & ~0xfffu))
		write = false;
	wanted = expected(va, write, user);
	was = e ? *e : 0;
	result = access(va, write, user, value);
	/* With "one" programs have their kernel's view, and may find what it has. */
	if (result != wanted && !(user && guest_option("one") &&
				  (!result || result == (wanted | 2)) && !expected(va, write, false)))
		guest_panic("step %u: %s at 0x%x by %s: %u, wanted %u, entry 0x%x",
			    (unsigned int)step, write ? "write" : "read", (unsigned int)va,
			    user ? "program" : "kernel", (unsigned int)result,
			    (unsigned int)wanted, (unsigned int)was);
	if (result)
		return;
	pa = (was & ~0xfffu) | (va & 0xfff);
	if (!(*e & A) || (write && !(*e & D)) || (!write && ((*e ^ was) & D)))
		guest_panic("step %u: 0x%x: entry 0x%x became 0x%x", (unsigned int)step,
			    (unsigned int)va, (unsigned int)was, (unsigned int)*e);
	value = write ? value : got;
	if (value != *(volatile uint32_t *)(uintptr_t)pa)
		guest_panic("step %u: %s at 0x%x by %s: 0x%x, wanted 0x%x, entry 0x%x",
			    (unsigned int)step, write ? "write" : "read", (unsigned int)va,
			    user ? "program" : "kernel", (unsigned int)value,
			    (unsigned int)*(volatile uint32_t *)(uintptr_t)pa, (unsigned int)was);
}

/* --- edits ------------------------------------------------------------------------------ */

/* A way of the current table to write that physical address, by the kernel or a program;
 * the address itself always is one. */
static uint32_t any_alias(uint32_t pa, bool *user)
{
	uint32_t tries;

	/* Not by what the host has not been told. */
	for (tries = 0; !untold && tries < 40; tries++) {
		uint32_t va = any_address();
		volatile uint32_t *e = entry_at(now, va);

		*user = any(2);
		/* Not by itself, or its neighbour: A and D may be set meanwhile. */
		if (e && guest_pa(e) / 8 != pa / 8 && (*e & ~0xfffu) == (pa & ~0xfffu) &&
		    expected(va, true, *user) == 0)
			return va | (pa & 0xfff);
	}
	*user = false;
	return any(2) ? pa : pa + PAGE_OFFSET;
}

static void write_word(uint32_t va, uint32_t value)
{
	uint32_t old = *(volatile uint32_t *)va, two[2] = { value, 0 }, esp, dummy;
	volatile uint32_t *at = (volatile uint32_t *)va;

	if ((va & 4) == 0)
		two[1] = at[1];
	switch (how = any(14)) {
	case 0: __asm__ volatile("xchgl %0, %1" : "+r"(value), "+m"(*at) : : "memory"); break;
	case 1: __asm__ volatile("lock cmpxchgl %2, %1" : "+a"(old), "+m"(*at) : "r"(value) : "memory"); break;
	case 2: value -= old; __asm__ volatile("lock xaddl %0, %1" : "+r"(value), "+m"(*at) : : "memory"); break;
	case 3: __asm__ volatile("xorl %0, %1" : : "r"(value ^ old), "m"(*at) : "memory"); break;
	case 4: dummy = 1; __asm__ volatile("rep stosl" : "+D"(va), "+c"(dummy) : "a"(value), "S"(0) : "memory"); break;
	case 5: {
		const uint32_t *from = two;

		dummy = 1;
		__asm__ volatile("rep movsl" : "+D"(va), "+S"(from), "+c"(dummy) : : "memory");
		break;
	}
	case 6: __asm__ volatile("movl %%esp, %0; leal 4(%1), %%esp; pushl %2; movl %0, %%esp"
				 : "=&r"(esp) : "r"(va), "r"(value) : "memory"); break;
	case 7: __asm__ volatile("pushl %0; popl (%1)" : : "r"(value), "r"(va) : "memory"); break;
	case 8: __asm__ volatile("movnti %0, %1" : : "r"(value), "m"(*at) : "memory"); break;
	case 9:
		if (va & 4)
			goto plain;
		__asm__ volatile("movq (%0), %%mm0; movq %%mm0, (%1); emms" : : "r"(two), "r"(va) : "memory");
		break;
	case 10:
		if (va & 4)
			goto plain;
		__asm__ volatile("fildll (%0); fistpll (%1)" : : "r"(two), "r"(va) : "memory");
		break;
	case 11: {
		uint32_t hi;

		if (va & 4)
			goto plain;
		hi = at[1];
		__asm__ volatile("lock cmpxchg8b %0" : "+m"(*(volatile uint64_t *)at), "+a"(old), "+d"(hi)
				 : "b"(value), "c"(two[1]) : "memory");
		break;
	}
	case 12: {	/* bit by bit */
		uint32_t n;

		for (n = 0; n < 32; n++)
			if ((old ^ value) >> n & 1)
				__asm__ volatile("lock btcl %0, %1" : : "r"(n), "m"(*at) : "memory");
		break;
	}
	default:
plain:
		*at = value;
	}
}

static void write_entry(volatile uint32_t *e, uint32_t value)
{
	uint32_t pa = guest_pa(e);
	bool user;
	uint32_t va = any_alias(pa, &user);

	if (user)
		CHECK(access_user(va, true, value) == 0);
	else
		write_word(va, value);
	untold = true;
	if (*e != value)
		guest_panic("step %u: 0x%x written at 0x%x by %s, %u: 0x%x stands there",
			    (unsigned int)step, (unsigned int)value, (unsigned int)va,
			    user ? "program" : "kernel", (unsigned int)how, (unsigned int)*e);
}

static uint32_t any_flags(void)
{
	uint32_t flags = any(8) ? PTE_USER : PTE_USER & ~1u;

	if (!any(4))
		flags &= ~2u;
	if (!any(4))
		flags &= ~4u;
	if (!any(4))
		flags &= ~D;
	if (!any(4))
		flags &= ~(D | A);
	return flags;
}

static uint32_t any_frame(void)
{
	if (!any(12))
		return pae ? guest_pa(middle[any(tables)][1]) : guest_pa(top[any(tables)]);
	return any(3) ? guest_pa(data[any(DATA)]) : guest_pa(leaf[any(LEAVES)]);
}

/* One entry of a last-level table; returns the address it has in the current table. */
static uint32_t edit_last(void)
{
	uint32_t tries, va = 0;
	volatile uint32_t *e = NULL;

	for (tries = 0; tries < 20 && !e; tries++)
		e = entry_at(now, va = any_address());
	if (e)
		write_entry(e, any(10) ? any_frame() | any_flags() : 0);
	return va;
}

/* One of the entries above, of any table. */
static void edit_upper(uint32_t table, uint32_t r)
{
	static const uint16_t flags[4] = { 0x67, 0x65, 0x63, 0 };
	uint32_t f = any(2) ? 0x67 : flags[any(4)], was = *upper(table, region[r]) & ~0xfffu;

	/* Another table, or the same one and it is for other things. */
	if (!was || any(2))
		was = guest_pa(leaf[any(LEAVES)]);
	write_entry(upper(table, region[r]), f ? was | f : 0);
}

/* With three levels, one of the four at the top: that of another table. */
static uint32_t edit_top(uint32_t table)
{
	uint32_t slot = any(2) ? 1 : 3;

	write_entry(&top[table][slot * 2], guest_pa(middle[any(tables)][slot]) | 1);
	return slot;
}

/* --- telling ------------------------------------------------------------------------------- */

static void set_pte(uint32_t table, uint32_t va, volatile uint32_t *e)
{
	if (pae)
		hcall4(LHCALL_SET_PTE, guest_pa(top[table]), va, e[0], e[1]);
	else
		hcall3(LHCALL_SET_PTE, guest_pa(top[table]), va, e[0]);
}

static void tell_upper(uint32_t table, uint32_t va)
{
	if (pae)
		hcall2(LHCALL_SET_PMD, top[table][(va >> 30) * 2] & ~0xfffu, va >> 21 & 511);
	else
		hcall2(LHCALL_SET_PGD, guest_pa(top[table]), va >> 22);
}

/* Every address of every table at which that entry is. */
static void tell_entry(volatile uint32_t *e)
{
	uint32_t table, r, n, va;

	for (table = 0; table < tables; table++)
		for (r = 0; r < REGIONS + 2; r++)
			for (n = 0; n < 8; n++) {
				va = r == LOW_REGION ? (LOW_FIRST + n) << 12 : region[r] + (pages[n] << 12);
				if (entry_at(table, va) == e)
					set_pte(table, va, e);
			}
}

static void change_table(void)
{
	now = any(tables);
	hcall1(LHCALL_NEW_PGTABLE, guest_pa(top[now]));
}

/* An entry above for a while, used, of which nobody is told. */
static void edit_for_a_while(uint32_t r)
{
	volatile uint32_t *up = upper(now, region[r]);
	uint32_t was = *up, n;

	*up = guest_pa(leaf[any(LEAVES)]) | 0x67;
	for (n = 3; n; n--)
		access(region[r] + (pages[any(8)] << 12), false, any(2), 0);
	*up = was;
	hcall1(LHCALL_FLUSH_TLB, 1);
}

static void edit(void)
{
	uint32_t n, va, r, table;
	volatile uint32_t *e;

	/* For a while only calls that name what has changed. */
	switch (any(step / 64 % 2 ? 5 : 9)) {
	case 4:
		table = any(tables);
		if (pae)
			hcall2(LHCALL_SET_PGD, guest_pa(top[table]), edit_top(table));
		break;
	case 0:
		table = any(tables);
		r = any(REGIONS + 1);
		edit_upper(table, r);
		tell_upper(table, region[r]);
		break;
	case 1:
		va = edit_last();
		e = entry_at(now, va);
		if (e)
			tell_entry(e);
		else
			hcall1(LHCALL_FLUSH_TLB, 1);
		break;
	case 5:
		/* Of the programs' part only. */
		va = edit_last();
		hcall1(LHCALL_FLUSH_TLB, va >= PAGE_OFFSET || any(2));
		hcall1(LHCALL_FLUSH_TLB, 1);
		break;
	case 6:
		edit_for_a_while(any(REGIONS + 1));
		break;
	case 2:
	case 3:
		change_table();
		break;
	default:
		for (n = 1 + any(3); n; n--)
			edit_last();
		if (pae && !any(8))
			edit_top(any(tables));
		if (!any(4))
			edit_upper(any(tables), any(REGIONS + 1));
		hcall1(LHCALL_FLUSH_TLB, 1);
		if (!any(4))
			change_table();
	}
}

/* --- setting up ---------------------------------------------------------------------------- */

static void set_upper(uint32_t table, uint32_t va, volatile uint32_t *last)
{
	*upper(table, va) = guest_pa(last) | 0x67;
}

static void make(uint32_t table)
{
	uint32_t i, r;

	for (i = 0; pae && i < 4; i++)
		top[table][i * 2] = guest_pa(middle[table][i]) | 1;
	for (i = 0; i < KERNEL_MIB << 20 >> table_shift; i++) {
		set_upper(table, i << table_shift, low[i]);
		set_upper(table, PAGE_OFFSET + (i << table_shift), low[i]);
	}
	for (r = 0; r < REGIONS; r++)
		set_upper(table, region[r], leaf[any(LEAVES)]);
	set_upper(table, region[KERNEL_REGION], kernel_leaf);
	set_upper(table, CODE, code_leaf);
}

static uint32_t number(const char *name, uint32_t otherwise)
{
	const char *at = guest_command_line();
	size_t n = strlen(name);
	uint32_t value = 0;

	while (*at && strncmp(at, name, n))
		at++;
	if (!*at)
		return otherwise;
	for (at += n; *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (uint32_t)(*at - '0');
	return value;
}

int guest_main(void)
{
	uint32_t i;

	seed = number("seed=", 1) * 2654435761u | 1;
	rounds = number("rounds=", 6000);
	tables = number("tables=", 8);
	CHECK(tables && tables <= TABLES);
	pae = guest_option("pae");
	if (pae) {
		width = 2;
		per_table = 512;
		table_shift = 21;
	}
	gdt_load();
	idt_load();
	trap_set_handler(14, on_fault);
	for (i = 0; i < KERNEL_MIB * 256; i++)
		low[i / per_table][i % per_table * width] = i << 12 | PTE_KERNEL;
	for (i = 0; i < DATA * 1024; i++)
		data[i / 1024][i % 1024] = 0xda7a0000 + i;
	code_leaf[0] = guest_pa(code_page[0]) | (PTE_USER & ~2u);
	code_leaf[width] = guest_pa(code_page[1]) | PTE_USER;
	memset((void *)code_page[0], 0x90, 4096);
	memcpy((uint8_t *)code_page[0], reader_start, (size_t)(reader_end - reader_start));
	memcpy((uint8_t *)code_page[0] + 0x800, writer_start, (size_t)(writer_end - writer_start));
	for (i = 0; i < tables; i++)
		make(i);
	hcall1(LHCALL_NEW_PGTABLE, guest_pa(top[0]));
	for (step = 0; step < rounds; step++) {
		uint32_t n;

		edit();
		untold = false;
		for (n = any(4); n; n--)
			look();
		/* So many that the host tells what nobody has written. */
		for (n = step % 32 ? 0 : 80; n; n--)
			hcall1(LHCALL_FLUSH_TLB, 1);
	}
	printf("%u edits of %s levels were seen\n", (unsigned int)rounds, pae ? "three" : "two");
	return 0;
}
