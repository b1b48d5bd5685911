/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tour of the ABI: every hypercall of generation S once or more, in the order
 * a booting kernel makes them, directly and lazily.
 *
 * With "expect" as its argument the guest prints, before each call, the line
 * it expects in the host's log, "| " before it; the golden test compares the
 * two.  What is printed is worked out from the arguments, not copied from a log.
 */
#include <guest-rt/guest.h>

static bool expecting;

/* A line the host's log should have. */
#define EXPECT(...) do { if (expecting) printf("| " __VA_ARGS__); } while (0)
/* What comes now, for a reader. */
#define TITLE(text) do { if (!expecting) printf("%s\n", text); } while (0)

static uint32_t page_directory[1024] __attribute__((aligned(4096)));
static uint32_t page_table[1024] __attribute__((aligned(4096)));
static uint64_t tls[LGUEST_TLS_ENTRIES];
static uint8_t kernel_stack[8192] __attribute__((aligned(4096)));

static volatile unsigned int ticks, breakpoints;

static void on_timer(struct trap_frame *frame)
{
	(void)frame;
	ticks++;
}

static void on_breakpoint(struct trap_frame *frame)
{
	(void)frame;
	breakpoints++;
}

/* --- segments: LOAD_GDT, LOAD_TLS ----------------------------------------------- */

static void segments(void)
{
	EXPECT("LOAD_GDT(gdt=0x%x, entries=%u)\n", guest_pa(guest_gdt), LGUEST_GDT_ENTRIES);
	gdt_load();
	/* A flat segment of ring 3 in the first slot, as a C library wants it. */
	tls[0] = 0x00cff3000000ffffull;
	EXPECT("LOAD_TLS(tls=0x%x, cpu=0)\n", guest_pa(tls));
	hcall2(LHCALL_LOAD_TLS, guest_pa(tls), 0);
}

/* --- interrupts: LOAD_IDT_ENTRY, SET_STACK, TS ------------------------------------- */

static void expect_gate(unsigned int vector, const char *type, unsigned int dpl)
{
	EXPECT("LOAD_IDT_ENTRY(vector=0x%x, offset=0x%x, type=%s, dpl=%u)\n", vector,
	       (unsigned int)trap_entry(vector), type, dpl);
}

static void interrupts(void)
{
	expect_gate(3, "interrupt gate", 3);
	idt_set_gate(3, trap_entry(3), 0xe, 3);
	expect_gate(LGUEST_IRQ_VECTOR, "interrupt gate", 0);
	idt_set_gate(LGUEST_IRQ_VECTOR, trap_entry(LGUEST_IRQ_VECTOR), 0xe, 0);
	expect_gate(LGUEST_SYSCALL_VECTOR, "trap gate", 3);
	idt_set_gate(LGUEST_SYSCALL_VECTOR, trap_entry(LGUEST_SYSCALL_VECTOR), 0xf, 3);
	trap_set_handler(LGUEST_IRQ_VECTOR, on_timer);
	trap_set_handler(3, on_breakpoint);

	EXPECT("SET_STACK(ss=0x69, esp=0x%x, pages=2)\n",
	       guest_pa(kernel_stack) + (uint32_t)sizeof(kernel_stack));
	hcall3(LHCALL_SET_STACK, LGUEST_KERNEL_DS,
	       guest_pa(kernel_stack) + (uint32_t)sizeof(kernel_stack), 2);
	EXPECT("TS(ts=clear)\n");
	hcall1(LHCALL_TS, 0);

	/* A trap goes through the new gate and comes back. */
	EXPECT("--- trap 3 #BP → 0x%x ---\n", (unsigned int)trap_entry(3));
	__asm__ volatile("int3");
	CHECK(breakpoints == 1);
}

/* --- time: SET_CLOCKEVENT, HALT ------------------------------------------------------ */

static void time(void)
{
	EXPECT("SET_CLOCKEVENT(delta=off)\n");
	hcall1(LHCALL_SET_CLOCKEVENT, 0);
	lguest_data.blocked_interrupts = 0;
	EXPECT("SET_CLOCKEVENT(delta=2 ms)\n");
	EXPECT("HALT()\n");
	EXPECT("--- irq 0 (vector 0x20) → 0x%x ---\n",
	       (unsigned int)trap_entry(LGUEST_IRQ_VECTOR));
	hcall1(LHCALL_SET_CLOCKEVENT, 2000000);
	/* Interrupts are off: only HALT lets the tick in. */
	hcall0(LHCALL_HALT);
	CHECK(ticks == 1);
	irq_disable();
}

/* --- memory: page-table calls ----------------------------------------------------------- */

/* The 1:1 map as tables: enough for this guest to go on. */
static void build_tables(void)
{
	uint32_t i;

	for (i = 0; i < 1024; i++)
		page_table[i] = i << 12 | 0x63;		/* P RW A D */
	page_directory[0] = guest_pa(page_table) | 0x67;
	/* RAM again at kernel_address, as every kernel has it. */
	page_directory[768] = page_directory[0];
}

static void memory(void)
{
	uint32_t top = guest_pa(page_directory);

	build_tables();
	EXPECT("SET_PMD(pgdir=0x%x, index=0)\n", top);
	hcall2(LHCALL_SET_PGD, top, 0);
	EXPECT("NEW_PGTABLE(pgdir=0x%x)\n", top);
	hcall1(LHCALL_NEW_PGTABLE, top);
	EXPECT("FLUSH_TLB(scope=all)\n");
	hcall1(LHCALL_FLUSH_TLB, 1);
	EXPECT("FLUSH_TLB(scope=user)\n");
	hcall1(LHCALL_FLUSH_TLB, 0);

	/* A page that is not mapped, mapped, and taken away again. */
	page_table[0x3ff] = 0x3f0063;
	EXPECT("SET_PTE(pgdir=0x%x, vaddr=0x3ff000, pte=0x3f0063<P|RW|A|D>)\n", top);
	hcall3(LHCALL_SET_PTE, top, 0x3ff000, 0x3f0063);
	*(volatile uint32_t *)0x3ff000 = 0x600d;
	CHECK(*(volatile uint32_t *)0x3f0000 == 0x600d);
	page_table[0x3ff] = 0;
	EXPECT("SET_PTE(pgdir=0x%x, vaddr=0x3ff000, pte=0x0)\n", top);
	hcall3(LHCALL_SET_PTE, top, 0x3ff000, 0);
}

/* --- the ring: the same calls, lazily -------------------------------------------------------- */

static void lazily(void)
{
	uint32_t top = guest_pa(page_directory);

	EXPECT("TS(ts=set) [async]\n");
	EXPECT("LOAD_TLS(tls=0x%x, cpu=0) [async]\n", guest_pa(tls));
	EXPECT("NEW_PGTABLE(pgdir=0x%x) [async]\n", top);
	EXPECT("SET_PTE(pgdir=0x%x, vaddr=0x3fe000, pte=0x0) [async]\n", top);
	EXPECT("TS(ts=clear) [async]\n");
	EXPECT("FLUSH_ASYNC()\n");
	lazy_enter();
	lazy_hcall(LHCALL_TS, 8, 0, 0);
	lazy_hcall(LHCALL_LOAD_TLS, guest_pa(tls), 0, 0);
	lazy_hcall(LHCALL_NEW_PGTABLE, top, 0, 0);
	lazy_hcall(LHCALL_SET_PTE, top, 0x3fe000, 0);
	lazy_hcall(LHCALL_TS, 0, 0, 0);
	lazy_leave();
}

static const char reason[LGUEST_SHUTDOWN_TEXT] = "Power down";

int guest_main(void)
{
	expecting = strcmp(guest_command_line(), "expect") == 0;
	EXPECT("LGUEST_INIT(data=0x%x)\n", guest_pa(&lguest_data));
	TITLE("segments: GDT and TLS");
	segments();
	TITLE("interrupts: IDT, stack, a trap");
	interrupts();
	TITLE("time: clock and halt");
	time();
	TITLE("memory: page tables");
	memory();
	TITLE("the ring: the same, lazily");
	lazily();
	EXPECT("SHUTDOWN(reason=\"Power down\"@0x%x, how=POWEROFF)\n", guest_pa(reason));
	EXPECT("+++ guest powered off: Power down +++\n");
	hcall2(LHCALL_SHUTDOWN, guest_pa(reason), LGUEST_SHUTDOWN_POWEROFF);
	return 1;
}
