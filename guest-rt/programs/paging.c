/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two-level page tables, used as Linux uses them: entries first, then the call,
 * lazily or directly; accessed and dirty bits; write protection that binds the
 * kernel too; more tables than any host keeps shadows of.
 */
#include <guest-rt/user.h>

#define TABLES 40
#define A 0x20u
#define D 0x40u

static struct page_tables tables, other;
static uint8_t frames[4][4096] __attribute__((aligned(4096)));
static uint32_t many[TABLES][1024] __attribute__((aligned(4096)));
static uint32_t leaf[TABLES][1024] __attribute__((aligned(4096)));
static volatile unsigned int faults;
static volatile uint32_t fault_at, fault_error;

#define AT(page) (*(volatile uint32_t *)(USER_BASE + (page) * 4096))

/* A fault of the kernel: noted, and the instruction is left out.  All of ours
 * are `mov` with an absolute address and a register: found by their length. */
static void on_fault(struct trap_frame *frame)
{
	faults++;
	fault_at = lguest_data.cr2;
	fault_error = frame->error;
	frame->eip = frame->ebx;	/* where the probe said to go on */
}

/* Touches an address; 0: it worked, else the error code + 1. */
static uint32_t probe(uint32_t address, bool write)
{
	uint32_t before = faults;

	if (write)
		__asm__ volatile("movl $1f, %%ebx\n movl %%eax, (%0)\n1:"
				 : : "r"(address), "a"(0x600d) : "ebx", "memory");
	else
		__asm__ volatile("movl $1f, %%ebx\n movl (%0), %%eax\n1:"
				 : : "r"(address) : "eax", "ebx", "memory");
	if (faults == before)
		return 0;
	CHECK(fault_at == address);
	return fault_error + 1;
}

static void accessed_and_dirty(void)
{
	/* Clean and not accessed, writable. */
	tables_set_user(&tables, 0, guest_pa(frames[0]) | 0x3);
	CHECK(probe(USER_BASE, false) == 0);
	CHECK((tables.user[0] & (A | D)) == A);
	CHECK(probe(USER_BASE, true) == 0);
	CHECK((tables.user[0] & (A | D)) == (A | D));
	/* Cleaned: the next write is seen again. */
	tables_set_user(&tables, 0, guest_pa(frames[0]) | 0x3 | A);
	CHECK(probe(USER_BASE, true) == 0);
	CHECK(tables.user[0] & D);
	/* Not accessed any more, told by a flush alone. */
	tables.user[0] &= ~(A | D);
	hcall1(LHCALL_FLUSH_TLB, 0);
	CHECK(probe(USER_BASE, false) == 0);
	CHECK((tables.user[0] & (A | D)) == A);
	printf("accessed and dirty bits\n");
}

static void protection(void)
{
	tables_set_user(&tables, 1, guest_pa(frames[1]) | 0x65);
	CHECK(probe(USER_BASE + 0x1000, false) == 0);
	/* As with CR0.WP: the kernel may not write it either.  P and W. */
	CHECK(probe(USER_BASE + 0x1000, true) == 1 + 3);
	/* Not there: W only. */
	CHECK(probe(USER_BASE + 0x9000, true) == 1 + 2);
	CHECK(probe(0x80000000, false) == 1 + 0);
	/* Write protected after it was written: a copy on write. */
	tables_set_user(&tables, 0, guest_pa(frames[0]) | PTE_USER);
	AT(0) = 1;
	tables_set_user(&tables, 0, guest_pa(frames[0]) | 0x65);
	CHECK(probe(USER_BASE, true) == 1 + 3);
	memcpy(frames[2], frames[0], 4096);
	tables_set_user(&tables, 0, guest_pa(frames[2]) | PTE_USER);
	AT(0) = 2;
	CHECK(*(uint32_t *)frames[0] == 1 && *(uint32_t *)frames[2] == 2);
	printf("write protection, copy on write\n");
}

static void removal(void)
{
	tables_set_user(&tables, 0, guest_pa(frames[0]) | PTE_USER);
	CHECK(probe(USER_BASE, false) == 0);
	tables_set_user(&tables, 0, 0);
	CHECK(probe(USER_BASE, false) == 1);
	/* A whole slot at a time. */
	tables_set_user(&tables, 0, guest_pa(frames[0]) | PTE_USER);
	CHECK(probe(USER_BASE, false) == 0);
	tables.top[USER_BASE >> 22] = 0;
	hcall2(LHCALL_SET_PGD, guest_pa(tables.top), USER_BASE >> 22);
	CHECK(probe(USER_BASE, false) == 1);
	tables.top[USER_BASE >> 22] = guest_pa(tables.user) | 0x67;
	hcall2(LHCALL_SET_PGD, guest_pa(tables.top), USER_BASE >> 22);
	CHECK(probe(USER_BASE, false) == 0);
	/* Another table's entry is its own affair. */
	tables_init(&other);
	other.user[0] = guest_pa(frames[3]) | PTE_USER;
	hcall3(LHCALL_SET_PTE, guest_pa(other.top), USER_BASE, other.user[0]);
	*(uint32_t *)frames[3] = 0x33;
	*(uint32_t *)frames[0] = 0x11;
	CHECK(AT(0) == 0x11);
	tables_load(&other);
	CHECK(AT(0) == 0x33);
	tables_load(&tables);
	CHECK(AT(0) == 0x11);
	printf("removal: pages, slots, tables\n");
}

/* Each table maps the same address to a number of its own; going through all of
 * them again and again must never show another's. */
static void many_tables(void)
{
	unsigned int round, i;

	for (i = 0; i < TABLES; i++) {
		memcpy(many[i], tables.top, sizeof(many[i]));
		many[i][USER_BASE >> 22] = guest_pa(leaf[i]) | 0x67;
		leaf[i][0] = guest_pa(leaf[i]) | PTE_USER;
		leaf[i][1] = i << 12;	/* not present: a number */
	}
	for (round = 0; round < 3; round++)
		for (i = 0; i < TABLES; i++) {
			hcall1(LHCALL_NEW_PGTABLE, guest_pa(many[i]));
			CHECK(((volatile uint32_t *)USER_BASE)[1] == i << 12);
		}
	/* A table that is used for something else now. */
	tables_load(&tables);
	many[5][USER_BASE >> 22] = guest_pa(leaf[7]) | 0x67;
	hcall2(LHCALL_SET_PGD, guest_pa(many[5]), USER_BASE >> 22);
	hcall1(LHCALL_NEW_PGTABLE, guest_pa(many[5]));
	CHECK(((volatile uint32_t *)USER_BASE)[1] == 7 << 12);
	tables_load(&tables);
	printf("%u tables in turn\n", TABLES);
}

/* So many that a host which tells what has not changed from what has, does. */
static void flush_often(void)
{
	unsigned int i;

	for (i = 0; i < 1000; i++)
		hcall1(LHCALL_FLUSH_TLB, 1);
	CHECK(AT(0) == *(volatile uint32_t *)frames[0]);
}

/* After FLUSH_TLB an entry counts as it stands, however long nothing changed, wherever
 * it was written from, and whatever was the case between. */
static void long_unchanged(void)
{
	volatile uint32_t *entry = tables.user, *alias = (volatile uint32_t *)(USER_BASE + 0x10000);
	uint32_t was = tables.top[USER_BASE >> 22];

	*(uint32_t *)frames[0] = 0x11;
	*(uint32_t *)frames[1] = 0x22;
	tables_set_user(&tables, 0, guest_pa(frames[0]) | PTE_USER);
	tables_set_user(&tables, 16, guest_pa(tables.user) | PTE_USER);
	flush_often();
	entry[0] = guest_pa(frames[1]) | PTE_USER;
	hcall1(LHCALL_FLUSH_TLB, 1);
	CHECK(AT(0) == 0x22);
	entry[0] = guest_pa(frames[0]) | PTE_USER;
	hcall1(LHCALL_FLUSH_TLB, 1);
	flush_often();
	/* The table is a page among others. */
	alias[0] = guest_pa(frames[1]) | PTE_USER;
	hcall1(LHCALL_FLUSH_TLB, 1);
	CHECK(AT(0) == 0x22);
	alias[0] = guest_pa(frames[0]) | PTE_USER;
	hcall1(LHCALL_FLUSH_TLB, 0);
	flush_often();
	/* Another table for a while, of which nobody was told. */
	memcpy(other.user, tables.user, sizeof(other.user));
	other.user[0] = guest_pa(frames[1]) | PTE_USER;
	tables.top[USER_BASE >> 22] = guest_pa(other.user) | 0x67;
	hcall3(LHCALL_SET_PTE, guest_pa(tables.top), USER_BASE, 0);
	CHECK(AT(0) == 0x22);
	tables.top[USER_BASE >> 22] = was;
	hcall1(LHCALL_FLUSH_TLB, 1);
	CHECK(AT(0) == 0x11);
	flush_often();
	/* And less allowed by the entry above it. */
	tables.top[USER_BASE >> 22] = was & ~2u;
	hcall1(LHCALL_FLUSH_TLB, 1);
	CHECK(probe(USER_BASE, true) == 4);
	tables.top[USER_BASE >> 22] = was;
	hcall1(LHCALL_FLUSH_TLB, 1);
	CHECK(probe(USER_BASE, true) == 0);
	printf("flushes after long rest\n");
}

/* Below 64 KiB, where a host may have to go about it in another way. */
static void low_pages(void)
{
	volatile uint32_t *second = (volatile uint32_t *)frames[1];
	uint32_t to = 0x5000, from = 0x5000;

	tables.low[4] = guest_pa(frames[0]) | 0x3 | A | D;
	tables.low[5] = guest_pa(frames[1]) | 0x3;
	hcall1(LHCALL_FLUSH_TLB, 1);
	*second = 0;
	/* From one page into another that is clean. */
	*(volatile uint32_t *)0x4ffe = 0x600d0000;
	CHECK(*second == 0x600d && (tables.low[5] & (A | D)) == (A | D));
	/* ESI says nothing of what stos does. */
	tables.low[5] = guest_pa(frames[1]) | 0x3 | A;
	hcall1(LHCALL_FLUSH_TLB, 1);
	__asm__ volatile("stosl" : "+D"(to), "+S"(from) : "a"(0x77) : "memory");
	CHECK(*second == 0x77 && (tables.low[5] & D));
	printf("low pages\n");
}

int guest_main(void)
{
	gdt_load();
	idt_load();
	trap_set_handler(14, on_fault);
	tables_init(&tables);
	tables_load(&tables);
	accessed_and_dirty();
	protection();
	removal();
	many_tables();
	long_unchanged();
	low_pages();
	return 0;
}
