/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many programs that take turns, each with a page table, a page of data and a segment of
 * its own: 600 of them, or as many as the command line says.  A host that has fewer
 * address spaces takes one from somebody again and again, and nobody may see it.
 */
#include <guest-rt/user.h>

#define MOST 600u
#define ROUNDS 3u
#define KERNEL_MIB 16u		/* mapped 1:1, and at PAGE_OFFSET */

static struct program {
	uint32_t top[1024], user[1024], data[1024];
} programs[MOST] __attribute__((aligned(4096)));
static uint32_t low[KERNEL_MIB / 4][1024] __attribute__((aligned(4096)));
static uint8_t code_page[4096] __attribute__((aligned(4096)));
static uint64_t tls[LGUEST_TLS_ENTRIES];

/* Counts in its page, and reads its name through its segment. */
USER_CODE(turn,
	"incl 0x40001000; mov $0x33, %eax; mov %eax, %gs; mov %gs:4, %eax\n"
	"mov 0x40001000, %ecx; int $0x80");

static uint32_t segment(uint32_t i)
{
	return 64 * (1 + i % 8);
}

static uint32_t name(uint32_t i)
{
	return 0xda7a0000 + i;
}

static void make(uint32_t i)
{
	struct program *p = &programs[i];
	uint32_t slot;

	for (slot = 0; slot < KERNEL_MIB / 4; slot++)
		p->top[slot] = p->top[(0xc0000000u >> 22) + slot] = guest_pa(low[slot]) | 0x63;
	p->top[USER_BASE >> 22] = guest_pa(p->user) | 0x67;
	p->user[0] = guest_pa(code_page) | (PTE_USER & ~2u);
	p->user[1] = guest_pa(p->data) | PTE_USER;
	p->data[segment(i) / 4 + 1] = name(i);
}

static void set_tls(uint32_t i)
{
	uint32_t base = USER_BASE + 0x1000 + segment(i);

	tls[0] = 0x00cff2000000ffffull | (uint64_t)(base & 0xffffff) << 16 |
		 (uint64_t)(base >> 24) << 56;
	lazy_enter();
	lazy_hcall(LHCALL_LOAD_TLS, guest_pa(tls), 0, 0);
	lazy_leave();
}

static void take_turn(uint32_t i, uint32_t turns)
{
	struct user_end end;

	hcall1(LHCALL_NEW_PGTABLE, guest_pa(programs[i].top));
	set_tls(i);
	user_run(USER_BASE, USER_BASE + 0x2000, &end);
	CHECK(end.vector == 0x80 && end.frame.eax == name(i) && end.frame.ecx == turns);
	CHECK(programs[i].data[0] == turns);
}

int guest_main(void)
{
	const char *number = guest_command_line();
	uint32_t n = 0, i, round;

	while (*number >= '0' && *number <= '9')
		n = n * 10 + (uint32_t)(*number++ - '0');
	if (n == 0 || n > MOST)
		n = MOST;
	gdt_load();
	idt_load();
	for (i = 0; i < KERNEL_MIB * 256; i++)
		low[i / 1024][i % 1024] = i << 12 | PTE_KERNEL;
	user_load(code_page, turn_start, turn_end);
	for (i = 0; i < n; i++)
		make(i);
	for (round = 1; round <= ROUNDS; round++)
		for (i = 0; i < n; i++)
			take_turn(i, round);
	printf("%u programs had %u turns each\n", n, ROUNDS);
	return 0;
}
