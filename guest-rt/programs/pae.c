/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three-level tables with entries of 8 bytes.  Nothing announces them: the host
 * has to see it.  Generations C, E and F only.
 */
#include <guest-rt/guest.h>

#define BASE 0x40000000u	/* second slot of the top level */
#define KERNEL 0x063ull

static uint64_t top[4] __attribute__((aligned(32)));
static uint64_t middle[2][512] __attribute__((aligned(4096)));
static uint64_t low[2][512] __attribute__((aligned(4096)));	/* 0 to 4 MiB, 1:1 */
static uint64_t leaf[512] __attribute__((aligned(4096)));
static uint32_t frames[2][1024] __attribute__((aligned(4096)));
static volatile unsigned int faults;

static void on_fault(struct trap_frame *frame)
{
	faults++;
	CHECK(lguest_data.cr2 == BASE + 0x3000);
	frame->eip = frame->ebx;
}

static void set_pte(unsigned int page, uint64_t pte)
{
	leaf[page] = pte;
	hcall4(LHCALL_SET_PTE, guest_pa(top), BASE + page * 4096, (uint32_t)pte,
	       (uint32_t)(pte >> 32));
}

int guest_main(void)
{
	volatile uint32_t *at = (volatile uint32_t *)(BASE + 0x3000);
	unsigned int i;

	gdt_load();
	idt_load();
	trap_set_handler(14, on_fault);
	for (i = 0; i < 512; i++) {
		low[0][i] = i << 12 | KERNEL;
		low[1][i] = (i + 512) << 12 | KERNEL;
	}
	middle[0][0] = guest_pa(low[0]) | KERNEL;
	middle[0][1] = guest_pa(low[1]) | KERNEL;
	middle[1][0] = guest_pa(leaf) | 0x67;
	/* Exactly P: what tells these tables from two-level ones. */
	top[0] = top[3] = guest_pa(middle[0]) | 1;
	top[1] = guest_pa(middle[1]) | 1;
	hcall1(LHCALL_NEW_PGTABLE, guest_pa(top));

	frames[0][0] = 0x10;
	frames[1][0] = 0x20;
	set_pte(3, guest_pa(frames[0]) | KERNEL);
	CHECK(*at == 0x10);
	set_pte(3, guest_pa(frames[1]) | KERNEL);
	CHECK(*at == 0x20);
	/* A middle entry goes, and comes back. */
	middle[1][0] = 0;
	hcall2(LHCALL_SET_PMD, guest_pa(middle[1]), 0);
	__asm__ volatile("movl $1f, %%ebx\n movl (%0), %%eax\n1:" : : "r"(at) : "eax", "ebx");
	CHECK(faults == 1);
	middle[1][0] = guest_pa(leaf) | 0x67;
	hcall2(LHCALL_SET_PMD, guest_pa(middle[1]), 0);
	CHECK(*at == 0x20);
	/* A top entry. */
	top[1] = 0;
	hcall2(LHCALL_SET_PGD, guest_pa(top), 1);
	__asm__ volatile("movl $1f, %%ebx\n movl (%0), %%eax\n1:" : : "r"(at) : "eax", "ebx");
	CHECK(faults == 2);
	printf("three levels: set, changed, taken away\n");
	return 0;
}
