/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables a guest owns: GDT, IDT, page tables; traps, interrupts, IRET.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "guest_fixture.h"

#define STACK 0x300000u

static void enter_user(struct guest *g)
{
	g->cpu.ss1 = LGUEST_KERNEL_DS;
	g->cpu.esp1 = STACK;
	g->cpu.cs = LGUEST_USER_CS;
	g->cpu.ss = LGUEST_USER_DS;
	g->cpu.v.regs.eip = 0x08048000;
	g->cpu.v.regs.esp = 0xbffff000;
}

static void exit_with(struct guest *g, unsigned int vector, uint32_t error,
		      uint32_t address, const char *insn, size_t n)
{
	g->cpu.v.exit = (struct engine_exit){
		.kind = ENGINE_EXIT_TRAP, .vector = (uint8_t)vector, .error = error,
		.address = address, .insn_len = (uint8_t)n,
	};
	memcpy(g->cpu.v.exit.insn, insn, n);
	guest_handle_exit(g);
}

/* --- GDT --------------------------------------------------------------------------- */

Test(guest_machine, gdt_fixups)
{
	struct guest *g = fixture_started(GENERATION_S);
	unsigned int i;

	for (i = 0; i < 32; i++) {
		fixture_put32(g, STACK + i * 8, 0x0000ffff);
		/* DPL 0, not accessed; the odd ones DPL 3. */
		fixture_put32(g, STACK + i * 8 + 4, i & 1 ? 0x00cff200 : 0x00cf9200);
	}
	fixture_call(g, LHCALL_LOAD_GDT, STACK, 32, 0, 0);
	for (i = 0; i < 32; i++) {
		bool ignored = i == 10 || i == 11 || i == 16 || i == 31;
		uint32_t want = i & 1 ? 0x00cff300 : 0x00cfb300;

		if (ignored)
			want = i & 1 ? 0x00cff200 : 0x00cf9200;
		cr_assert_eq(g->gdt[i] >> 32, want, "entry %u: 0x%x", i,
			     (unsigned int)(g->gdt[i] >> 32));
	}
	fixture_free(g);
}

Test(guest_machine, tls_goes_to_entries_6_to_8)
{
	struct guest *g = fixture_started(GENERATION_S);

	fixture_put32(g, STACK + 8, 0x5678ffff);
	fixture_put32(g, STACK + 12, 0x12cff234);
	fixture_call(g, LHCALL_LOAD_TLS, STACK, 0, 0, 0);
	cr_assert_eq(descriptor_base(g->gdt[7]), 0x12345678);
	cr_assert_eq(g->gdt[5], 0);
	cr_assert_eq(g->gdt[9], 0);
	fixture_free(g);
}

/* --- IDT ---------------------------------------------------------------------------- */

Test(guest_machine, idt_entries)
{
	static const struct {
		uint32_t vector, lo, hi;
		uint64_t stored;
		bool killed;
	} rows[] = {
		{ 3, 0x00601234, 0xc010ee00, 0xc010ee0000611234, false },
		{ 0x80, 0x12345678, 0xc010ef00, 0xc010ef0000615678, false },
		/* Bit 12 and the low byte are not the guest's. */
		{ 14, 0x00601234, 0xc0109eff, 0xc0108e0000611234, false },
		{ 14, 0x00601234, 0xc0100e00, 0, false },	/* not present */
		{ 2, 0x00601234, 0xc0108e00, 0, false },	/* ignored: NMI */
		{ 8, 0x00f80000, 0x00008500, 0, false },	/* ignored: a task gate */
		{ 15, 0x00601234, 0xc0108e00, 0, false },
		{ 31, 0x00601234, 0xc0108e00, 0, false },
		{ 255, 0x00601234, 0xc0108e00, 0xc0108e0000611234, false },
		{ 256, 0x00601234, 0xc0108e00, 0, true },
		{ 14, 0x00601234, 0xc0108500, 0, true },
		{ 14, 0x00601234, 0xc0108600, 0, true },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guest *g = fixture_started(GENERATION_S);

		fixture_call(g, LHCALL_LOAD_IDT_ENTRY, rows[i].vector, rows[i].lo, rows[i].hi, 0);
		cr_assert_eq(g->end == END_KILLED, rows[i].killed, "row %zu: %s", i, g->reason);
		if (rows[i].vector < 256)
			cr_assert_eq(g->idt[rows[i].vector], rows[i].stored, "row %zu", i);
		fixture_free(g);
	}
}

/* --- frames --------------------------------------------------------------------------- */

Test(guest_machine, frame_on_the_same_ring)
{
	struct guest *g = fixture_started(GENERATION_S);
	struct engine_regs *r = &g->cpu.v.regs;

	fixture_gate(g, VECTOR_UD, 0x123456, 0xe, 0);
	guest_set_irq_enabled(g, EFLAGS_IF | 2);
	r->eip = 0x150000;
	r->esp = STACK;
	r->eflags = 0x50347;	/* AC, RF, IF, TF, and some */
	exit_with(g, VECTOR_UD, 0, 0, "\x0f\x0b", 2);
	cr_assert_eq(r->eip, 0x123456);
	cr_assert_eq(r->esp, STACK - 12);
	cr_assert_eq(fixture_get32(g, STACK - 12), 0x150000);
	cr_assert_eq(fixture_get32(g, STACK - 8), LGUEST_KERNEL_CS);
	cr_assert_eq(fixture_get32(g, STACK - 4), 0x50347);
	/* An interrupt gate masks, and the live TF, RF, NT, VM, AC are gone. */
	cr_assert_eq(guest_irq_enabled(g), 0);
	cr_assert_eq(r->eflags & (EFLAGS_TF | EFLAGS_RF | EFLAGS_NT | EFLAGS_VM | EFLAGS_AC), 0);
	fixture_free(g);
}

Test(guest_machine, frame_with_ring_change_and_error_code)
{
	struct guest *g = fixture_started(GENERATION_S);
	struct engine_regs *r = &g->cpu.v.regs;

	fixture_gate(g, VECTOR_GP, 0x123456, 0xf, 0);
	guest_set_irq_enabled(g, 2);	/* a whole EFLAGS image with IF clear */
	enter_user(g);
	r->eflags = 0x202;
	exit_with(g, VECTOR_GP, 0x18, 0, "\xf4", 1);
	cr_assert_eq(r->esp, STACK - 24);
	cr_assert_eq(fixture_get32(g, STACK - 24), 0x18);
	cr_assert_eq(fixture_get32(g, STACK - 20), 0x08048000);
	cr_assert_eq(fixture_get32(g, STACK - 16), LGUEST_USER_CS);
	cr_assert_eq(fixture_get32(g, STACK - 12), 0x2);
	cr_assert_eq(fixture_get32(g, STACK - 8), 0xbffff000);
	cr_assert_eq(fixture_get32(g, STACK - 4), LGUEST_USER_DS);
	cr_assert_eq(g->cpu.cs, LGUEST_KERNEL_CS);
	cr_assert_eq(g->cpu.ss, LGUEST_KERNEL_DS);
	fixture_free(g);
}

#define NO_GATE 4u

Test(guest_machine, software_interrupts_obey_the_gate)
{
	static const struct {
		unsigned int vector, dpl;
		bool user, allowed;
	} rows[] = {
		{ 3, 3, true, true }, { 3, 0, true, false }, { 3, 3, false, true },
		{ 0x80, 3, true, true }, { 0x80, 0, true, false }, { 0x21, 0, true, false },
		/* No gate at all, and vectors that never have one. */
		{ 0x42, NO_GATE, true, false }, { 0x42, NO_GATE, false, false },
		{ 0x80, NO_GATE, true, false }, { 8, 3, true, false }, { 15, 3, true, false },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guest *g = fixture_started(GENERATION_S);
		uint32_t length = rows[i].vector == 3 ? 1 : 2;

		if (rows[i].dpl != NO_GATE)
			fixture_gate(g, rows[i].vector, 0x111000, 0xe, rows[i].dpl);
		fixture_gate(g, VECTOR_GP, 0x222000, 0xe, 0);
		g->cpu.v.regs.esp = STACK;
		if (rows[i].user)
			enter_user(g);
		g->cpu.v.regs.eip = 0x150000 + length;
		if (rows[i].vector == 3 || rows[i].vector == 0x80) {
			g->cpu.v.exit = (struct engine_exit){
				.kind = ENGINE_EXIT_TRAP, .software = true,
				.vector = (uint8_t)rows[i].vector,
			};
			guest_handle_exit(g);
		} else {
			g->cpu.v.regs.eip = 0x150000;
			exit_with(g, VECTOR_GP, rows[i].vector * 8 + 2, 0, "", 0);
		}
		cr_assert_eq(g->cpu.v.regs.eip, rows[i].allowed ? 0x111000 : 0x222000,
			     "row %zu", i);
		if (!rows[i].allowed)
			cr_assert_eq(fixture_get32(g, g->cpu.v.regs.esp + 4), 0x150000);
		fixture_free(g);
	}
}

Test(guest_machine, no_handler_kills)
{
	struct guest *g = fixture_started(GENERATION_S);

	g->cpu.v.regs.eip = 0x100020;
	exit_with(g, VECTOR_DE, 0, 0, "", 0);
	cr_assert_str_eq(g->reason, "unhandled trap 0 at 0x100020 (error code 0x0)");
	fixture_free(g);
}

/* --- IRET --------------------------------------------------------------------------------- */

static void map_direct(struct guest *g)
{
	space_map(guest_view(g, 0, CPL_KERNEL), 0, 0, FIXTURE_MEM >> 12, SPACE_READ | SPACE_WRITE);
}

#define USER_DATA 0x00cff3000000ffffull	/* flat, writable, ring 3 */

Test(guest_machine, iret_forms)
{
	/* error: of the #GP; 0x7b as SS is entry 15, 0x83 entry 16 and so on. */
	static const struct {
		uint32_t cs, ss;
		unsigned int from;
		bool ok;
		uint32_t error;
	} rows[] = {
		{ 0x61, 0, CPL_KERNEL, true, 0 }, { 0x73, 0x7b, CPL_KERNEL, true, 0 },
		{ 0x73, 0x7b, CPL_USER, true, 0 }, { 0x61, 0, CPL_USER, false, 0x60 },
		{ 0x60, 0x7b, CPL_KERNEL, false, 0x60 }, { 0x63, 0x7b, CPL_KERNEL, false, 0x60 },
		{ 0x71, 0x7b, CPL_KERNEL, false, 0x70 }, { 0x33, 0x7b, CPL_KERNEL, false, 0x30 },
		{ 0x23, 0x7b, CPL_KERNEL, false, 0x20 }, { 0, 0x7b, CPL_KERNEL, false, 0 },
		{ 0xdf, 0x7b, CPL_KERNEL, false, 0xdc }, { 0x23, 0x7b, CPL_USER, false, 0x20 },
		{ 0x73, 0, CPL_KERNEL, false, 0 }, { 0x73, 3, CPL_KERNEL, false, 0 },
		{ 0x73, 0x79, CPL_KERNEL, false, 0x78 }, { 0x73, 0x7f, CPL_KERNEL, false, 0x7c },
		{ 0x73, 0x69, CPL_KERNEL, false, 0x68 }, { 0x73, 0x73, CPL_KERNEL, false, 0x70 },
		{ 0x73, 0x83, CPL_KERNEL, false, 0x80 }, { 0x73, 0x8b, CPL_KERNEL, false, 0x88 },
		{ 0x73, 0x33, CPL_KERNEL, false, 0x30 }, { 0x73, 0xfffb, CPL_KERNEL, false, 0xfff8 },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guest *g = fixture_started(GENERATION_E);
		struct engine_regs *r = &g->cpu.v.regs;
		bool user = rows[i].ok && rows[i].ss == 0x7b && rows[i].from == CPL_KERNEL;

		map_direct(g);
		space_map(guest_view(g, 0, CPL_USER), STACK >> 12, STACK >> 12, 1, SPACE_READ);
		/* 6: not flat; 13: the kernel's; 14: code; 15: good; 16: a TSS's. */
		g->gdt[6] = USER_DATA | 0x10000;
		g->gdt[13] = 0x00cfb3000000ffffull;
		g->gdt[14] = 0x00cffb000000ffffull;
		g->gdt[15] = g->gdt[16] = USER_DATA;
		fixture_gate(g, VECTOR_GP, 0x222000, 0xe, 0);
		if (rows[i].from == CPL_USER) {
			g->cpu.cs = LGUEST_USER_CS;
			g->cpu.ss = LGUEST_USER_DS;
		}
		g->cpu.ss1 = LGUEST_KERNEL_DS;
		g->cpu.esp1 = STACK - 0x100;
		r->esp = STACK;
		fixture_put32(g, STACK, 0x155555);
		fixture_put32(g, STACK + 4, rows[i].cs);
		fixture_put32(g, STACK + 8, 0x27fd5);	/* VM and IOPL too */
		fixture_put32(g, STACK + 12, 0xbfff0000);
		fixture_put32(g, STACK + 16, rows[i].ss);
		r->eflags = 0x202;
		exit_with(g, VECTOR_GP, rows[i].cs & 0xfffc, 0, "\xcf", 1);
		cr_assert_eq(r->eip, rows[i].ok ? 0x155555 : 0x222000, "row %zu", i);
		if (!rows[i].ok)
			cr_assert_eq(fixture_get32(g, r->esp), rows[i].error, "row %zu", i);
		else
			cr_assert_eq(r->eflags, 0x4fd7 | 0x200, "row %zu: 0x%x", i, r->eflags);
		if (user) {
			cr_assert_eq(r->esp, 0xbfff0000);
			cr_assert_eq(g->cpu.ss, 0x7b);
			cr_assert_eq(guest_cpl(g), CPL_USER);
		} else if (rows[i].ok) {
			cr_assert_eq(r->esp, STACK + 12);
			cr_assert_eq(guest_cpl(g), rows[i].from);
		}
		fixture_free(g);
	}
}

/* AC means nothing to a kernel, which is at ring 3 in truth. */
Test(guest_machine, alignment_is_checked_in_programs)
{
	struct guest *g = fixture_started(GENERATION_E);
	struct engine_regs *r = &g->cpu.v.regs;

	map_direct(g);
	fixture_gate(g, VECTOR_AC, 0x222000, 0xe, 0);
	r->esp = STACK;
	r->eip = 0x155555;
	r->eflags = 0x202 | EFLAGS_AC;
	exit_with(g, VECTOR_AC, 0, 0, "\x8b\x00", 2);
	cr_assert_eq(r->eip, 0x155555);
	cr_assert_eq(r->eflags, 0x202);
	g->cpu.cs = LGUEST_USER_CS;
	g->cpu.ss = LGUEST_USER_DS;
	g->cpu.ss1 = LGUEST_KERNEL_DS;
	g->cpu.esp1 = STACK;
	r->eflags = 0x202 | EFLAGS_AC;
	exit_with(g, VECTOR_AC, 0, 0, "\x8b\x00", 2);
	cr_assert_eq(r->eip, 0x222000);
	cr_assert_not(r->eflags & EFLAGS_AC);
	cr_assert(fixture_get32(g, r->esp + 12) & EFLAGS_AC);
	fixture_free(g);
}

/* --- interrupts ------------------------------------------------------------------------------ */

Test(guest_machine, interrupt_delivery)
{
	static const struct {
		const char *what;
		uint32_t pending, blocked, enabled, eip;
		bool halted, gate;
		int irq;	/* delivered, or -1 */
		bool again;
	} rows[] = {
		{ "plain", 1, 0, 0x200, 0x150000, false, true, 0, false },
		{ "lowest first", 6, 0, 0x200, 0x150000, false, true, 1, false },
		{ "blocked", 1, 1, 0x200, 0x150000, false, true, -1, false },
		{ "one blocked", 3, 1, 0x200, 0x150000, false, true, 1, false },
		{ "disabled", 1, 0, 0, 0x150000, false, true, -1, true },
		{ "other bits set, IF clear", 1, 0, 0x2 | 0x44, 0x150000, false, true, -1, true },
		{ "window", 1, 0, 0x200, 0x500004, false, true, -1, true },
		{ "end of window", 1, 0, 0x200, 0x500008, false, true, 0, false },
		{ "halted", 1, 0, 0, 0x150000, true, true, 0, false },
		{ "halted and blocked", 1, 1, 0, 0x150000, true, true, -1, false },
		{ "no gate", 1, 0, 0x200, 0x150000, false, false, -1, false },
		{ "none", 0, 0, 0x200, 0x150000, false, true, -1, false },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guest *g = fixture_started(GENERATION_S);
		unsigned int irq;
		bool again;

		g->lg.noirq_start = 0x500000;
		g->lg.noirq_end = 0x500008;
		if (rows[i].gate)
			for (irq = 0; irq < 32; irq++)
				fixture_gate(g, 0x20 + irq, 0x600000 + irq * 16, 0xe, 0);
		for (irq = 0; irq < 32; irq++)
			if (rows[i].pending >> irq & 1)
				guest_raise_irq(g, irq);
		fixture_put32(g, FIXTURE_DATA, rows[i].enabled);
		fixture_put32(g, FIXTURE_DATA + 4, rows[i].blocked);
		g->cpu.halted = rows[i].halted;
		g->cpu.v.regs.eip = rows[i].eip;
		g->cpu.v.regs.esp = STACK;
		again = guest_deliver_interrupts(g);
		cr_assert_eq(again, rows[i].again, "%s", rows[i].what);
		if (rows[i].irq >= 0) {
			cr_assert_eq(g->cpu.v.regs.eip, 0x600000u + (unsigned int)rows[i].irq * 16, "%s", rows[i].what);
			cr_assert_eq(g->irq_pending, rows[i].pending & ~(1u << rows[i].irq));
			cr_assert_eq(fixture_get32(g, FIXTURE_DATA), 0, "%s", rows[i].what);
			cr_assert(fixture_get32(g, STACK - 4) & EFLAGS_IF, "%s", rows[i].what);
			cr_assert_not(g->cpu.halted);
		} else {
			cr_assert_eq(g->cpu.v.regs.eip, rows[i].eip, "%s", rows[i].what);
			cr_assert_eq(g->irq_pending, rows[i].pending, "%s", rows[i].what);
		}
		fixture_free(g);
	}
}

Test(guest_machine, irq_pending_is_set_and_cleared)
{
	struct guest *g = fixture_started(GENERATION_C);

	fixture_gate(g, 0x25, 0x600000, 0xe, 0);
	guest_raise_irq(g, 5);
	fixture_put32(g, FIXTURE_DATA + 4, 0);
	g->cpu.v.regs.esp = STACK;
	cr_assert(guest_deliver_interrupts(g));
	cr_assert_eq(fixture_get32(g, FIXTURE_DATA + 0x14), 0x200);
	fixture_put32(g, FIXTURE_DATA, 0x200);
	cr_assert_not(guest_deliver_interrupts(g));
	cr_assert_eq(fixture_get32(g, FIXTURE_DATA + 0x14), 0);
	cr_assert_eq(g->cpu.v.regs.eip, 0x600000);
	fixture_free(g);
}

/* --- page tables ----------------------------------------------------------------------------- */

#define TOP FIXTURE_TOP
#define TABLE FIXTURE_TABLE

Test(guest_machine, demand_paging)
{
	static const struct {
		const char *what;
		uint32_t pte;
		bool user, high;
		uint32_t error;
		bool mapped, writable;
		uint32_t after;	/* A and D in the guest's entry */
	} rows[] = {
		{ "not present", 0x5000, false, false, 0, false, false, 0 },
		{ "read", 0x5003, false, false, 0, true, false, PTE_A },
		{ "read of a dirty page", 0x5043, false, false, 0, true, true, PTE_A | PTE_D },
		{ "write", 0x5003, false, false, PF_WRITE, true, true, PTE_A | PTE_D },
		{ "write to read-only", 0x5001, false, false, PF_WRITE, false, false, 0 },
		{ "read of read-only, dirty", 0x5041, false, false, 0, true, false, PTE_A | PTE_D },
		{ "user, user page", 0x5007, true, false, 0, true, false, PTE_A },
		{ "user, kernel page", 0x5003, true, false, 0, false, false, 0 },
		{ "user, user page under a kernel directory", 0x5007, true, true, 0, false, false, 0 },
		{ "kernel there", 0x5007, false, true, 0, true, false, PTE_A },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guest *g = fixture_paged(GENERATION_S);
		unsigned int cpl = rows[i].user ? CPL_USER : CPL_KERNEL;
		uint32_t va = (rows[i].high ? 0xc0000000 : 0) + 0x20000, word;
		bool mapped;

		fixture_put32(g, TABLE + 0x20 * 4, rows[i].pte);
		if (rows[i].user)
			enter_user(g);
		mapped = guest_demand_page(g, va, rows[i].error);
		cr_assert_eq(mapped, rows[i].mapped, "%s", rows[i].what);
		word = space_word(guest_view(g, g->mm.current, cpl), va >> 12);
		cr_assert_eq(word != 0, rows[i].mapped, "%s", rows[i].what);
		if (mapped) {
			cr_assert_eq(space_word_frame(word), 5);
			cr_assert_eq(!!(space_word_prot(word) & SPACE_WRITE), rows[i].writable, "%s", rows[i].what);
			cr_assert_eq(fixture_get32(g, TABLE + 0x20 * 4) & (PTE_A | PTE_D), rows[i].after, "%s", rows[i].what);
		}
		/* A fault of one ring never maps anything for the other. */
		cr_assert_eq(guest_view(g, g->mm.current, cpl ^ 2)->mapped, 0);
		fixture_free(g);
	}
}

Test(guest_machine, user_faults_map_neighbours_but_no_kernel_page)
{
	struct guest *g = fixture_paged(GENERATION_S);
	struct space *user = guest_view(g, g->mm.current, CPL_USER);
	unsigned int i;

	for (i = 0x20; i < 0x30; i++)
		fixture_put32(g, TABLE + i * 4, i << 12 | (i & 1 ? 0x67 : 0x63));
	enter_user(g);
	cr_assert(guest_demand_page(g, 0x21000, 0));
	for (i = 0x20; i < 0x30; i++)
		cr_assert_eq(space_word(user, i) != 0, i & 1, "page 0x%x", i);
	fixture_free(g);
}

Test(guest_machine, page_table_calls_drop_what_changed_and_keep_the_rest)
{
	struct guest *g = fixture_paged(GENERATION_S);
	struct space *kernel = guest_view(g, g->mm.current, CPL_KERNEL);

	fixture_put32(g, TABLE + 0x20 * 4, 0x5063);
	fixture_put32(g, TABLE + 0x21 * 4, 0x9063);
	cr_assert(guest_demand_page(g, 0x20000, 0));
	cr_assert(guest_demand_page(g, 0x21000, 0));
	/* Not told of a change: the old mapping may stay, as in a TLB. */
	fixture_put32(g, TABLE + 0x20 * 4, 0x6063);
	cr_assert_neq(space_word(kernel, 0x20), 0);
	fixture_call(g, LHCALL_FLUSH_TLB, 0, 0, 0, 0);
	cr_assert_eq(space_word(kernel, 0x20), 0);
	cr_assert_neq(space_word(kernel, 0x21), 0);
	cr_assert(kernel->urgent);
	/* Write protected, one page told. */
	fixture_put32(g, TABLE + 0x21 * 4, 0x9061);
	fixture_call(g, LHCALL_SET_PTE, TOP, 0x21000, 0x9061, 0);
	cr_assert_eq(space_word(kernel, 0x21), 0);
	/* Another table's page is not ours. */
	cr_assert(guest_demand_page(g, 0x20000, 0));
	fixture_put32(g, TABLE + 0x20 * 4, 0);
	fixture_call(g, LHCALL_SET_PTE, TOP + 0x1000, 0x20000, 0, 0);
	cr_assert_neq(space_word(kernel, 0x20), 0);
	/* But a slot of ours is. */
	fixture_call(g, LHCALL_SET_PGD, TOP, 0, 0, 0);
	cr_assert_eq(space_word(kernel, 0x20), 0);
	fixture_free(g);
}

Test(guest_machine, kernel_pages_are_dropped_from_every_table)
{
	struct guest *g = fixture_paged(GENERATION_S);
	uint32_t first = g->mm.current, i;

	fixture_put32(g, TABLE + 0x20 * 4, 0x5063);
	cr_assert(guest_demand_page(g, 0xc0020000, 0));
	for (i = 0; i < GUEST_PAGE_SIZE; i += 4)
		fixture_put32(g, 0x500000 + i, fixture_get32(g, TOP + i));
	fixture_call(g, LHCALL_NEW_PGTABLE, 0x500000, 0, 0, 0);
	cr_assert_neq(g->mm.current, first);
	cr_assert(guest_demand_page(g, 0xc0020000, 0));
	fixture_put32(g, TABLE + 0x20 * 4, 0);
	fixture_call(g, LHCALL_SET_PTE, 0x500000, 0xc0020000, 0, 0);
	cr_assert_eq(space_word(guest_view(g, first, CPL_KERNEL), 0xc0020), 0);
	cr_assert_eq(space_word(guest_view(g, g->mm.current, CPL_KERNEL), 0xc0020), 0);
	fixture_free(g);
}

Test(guest_machine, pae_tables)
{
	struct guest *g = fixture_started(GENERATION_E);
	struct guest_pte pte;

	/* Three levels: flags of the top exactly P. */
	fixture_put32(g, TOP + 24, 0x410001);
	fixture_put32(g, 0x410000 + 8, 0x411067);
	fixture_put32(g, 0x411000 + 5 * 8, 0x123063);
	fixture_call(g, LHCALL_NEW_PGTABLE, TOP, 0, 0, 0);
	cr_assert(g->mm.pae);
	pte = guest_walk(g, TOP, gva(0xc0205000));
	cr_assert(pte.present);
	cr_assert_eq(pte_frame(g, pte.value), 0x123);
	/* A frame beyond 4 GiB is beyond memory. */
	fixture_put32(g, 0x411000 + 5 * 8 + 4, 1);
	pte = guest_walk(g, TOP, gva(0xc0205000));
	cr_assert_eq(g->end, END_KILLED);
	fixture_free(g);
}

Test(guest_machine, boot_tables_of_the_oldest)
{
	struct guest *g = fixture_started(GENERATION_S);
	uint32_t top = FIXTURE_MEM - 4096, slot;

	for (slot = 0; slot < 1024; slot++) {
		uint32_t index = slot >= 768 ? slot - 768 : slot;
		uint32_t entry = fixture_get32(g, top + slot * 4);

		if (index < 4)
			cr_assert_eq(entry, (top - (4 - index) * 4096) | 7, "slot %u: 0x%x", slot, entry);
		else
			cr_assert_eq(entry, 0, "slot %u", slot);
	}
	cr_assert_eq(fixture_get32(g, top - 4 * 4096 + 0x123 * 4), 0x123007);
	/* Both maps are there. */
	cr_assert_eq(guest_walk(g, top, gva(0x234000)).value >> 12, 0x234);
	cr_assert_eq(guest_walk(g, top, gva(0xc0234000)).value >> 12, 0x234);
	cr_assert_not(guest_walk(g, top, gva(0x80000000)).present);
	fixture_free(g);
}

/* --- instructions ------------------------------------------------------------------------------ */

Test(guest_machine, privileged_instructions)
{
	static const struct {
		const char *what, *insn;
		size_t n;
		uint32_t eax, after;
	} rows[] = {
		{ "in %dx,%al", "\xec", 1, 0x11223344, 0x112233ff },
		{ "in %dx,%ax", "\x66\xed", 2, 0x11223344, 0x1122ffff },
		{ "in %dx,%eax", "\xed", 1, 0x11223344, 0xffffffff },
		{ "in $0x80,%al", "\xe4\x80", 2, 0x11223344, 0x112233ff },
		{ "out %al,$0x80", "\xe6\x80", 2, 0x11223344, 0x11223344 },
		{ "cli", "\xfa", 1, 1, 1 }, { "sti", "\xfb", 1, 1, 1 },
		{ "rdmsr", "\x0f\x32", 2, 0x11223344, 0 },
		{ "wrmsr", "\x0f\x30", 2, 0x11223344, 0x11223344 },
		{ "mov %cr0,%eax", "\x0f\x20\xc0", 3, 0, 0x80010033 },
		{ "mov %dr6,%eax", "\x0f\x21\xf0", 3, 0, 0xffff0ff0 },
		{ "mov %eax,%dr7", "\x0f\x23\xf8", 3, 0x700, 0x700 },
		{ "wbinvd", "\x0f\x09", 2, 5, 5 },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guest *g = fixture_started(GENERATION_S);

		fixture_gate(g, VECTOR_GP, 0x222000, 0xe, 0);
		g->cpu.v.regs.eip = 0x150000;
		g->cpu.v.regs.eax = rows[i].eax;
		g->cpu.v.regs.edx = 0x70;
		exit_with(g, VECTOR_GP, 0, 0, rows[i].insn, rows[i].n);
		cr_assert_eq(g->cpu.v.regs.eip, 0x150000 + rows[i].n, "%s", rows[i].what);
		cr_assert_eq(g->cpu.v.regs.eax, rows[i].after, "%s: 0x%x", rows[i].what, g->cpu.v.regs.eax);
		/* The same from user mode is a #GP. */
		enter_user(g);
		exit_with(g, VECTOR_GP, 0, 0, rows[i].insn, rows[i].n);
		cr_assert_eq(g->cpu.v.regs.eip, 0x222000, "%s from user mode", rows[i].what);
		fixture_free(g);
	}
}

Test(guest_machine, selectors)
{
	struct guest *g = fixture_started(GENERATION_B);
	struct engine_regs *r = &g->cpu.v.regs;

	fixture_gate(g, VECTOR_GP, 0x222000, 0xe, 0);
	/* Entry 27: base 0x12345678. */
	fixture_call(g, LHCALL_LOAD_GDT_ENTRY, 27, 0x5678ffff, 0x12cf9234, 0);
	r->edx = 0xd8;
	r->eip = 0x150000;
	exit_with(g, VECTOR_GP, 0xd8, 0, "\x8e\xe2", 2);
	cr_assert_eq(r->fs, 0xdf);
	cr_assert_eq(g->cpu.v.fs_base, 0x12345678);
	cr_assert_eq(r->eip, 0x150002);
	/* FS := 0x68, as generations Z to S do before they have a GDT. */
	r->edx = 0x68;
	exit_with(g, VECTOR_GP, 0x68, 0, "\x8e\xe2", 2);
	cr_assert_eq(r->fs, ENGINE_FLAT_DS);
	/* No such segment: the guest's #GP. */
	r->edx = 0xe0;
	r->esp = STACK;
	exit_with(g, VECTOR_GP, 0xe0, 0, "\x8e\xea", 2);
	cr_assert_eq(r->eip, 0x222000);
	/* 0x7b loads silently on the host and means something else there. */
	fixture_call(g, LHCALL_LOAD_GDT_ENTRY, 15, 0xffff, 0xcff200, 0);
	r->ds = r->es = 0x7b;
	cr_assert(guest_fix_segments(g));
	cr_assert_eq(r->ds, ENGINE_FLAT_DS);
	cr_assert_eq(r->es, ENGINE_FLAT_DS);
	cr_assert_not(guest_fix_segments(g));
	fixture_free(g);
}

/* Pages below 64 KiB are shown in a window; what the guest takes back must be
 * gone from there too. */
Test(guest_machine, the_low_window_forgets)
{
	static const struct { uint32_t nr, ebx, ecx; } calls[] = {
		{ LHCALL_FLUSH_TLB, 0, 0 }, { LHCALL_FLUSH_TLB, 1, 0 },
		{ LHCALL_SET_PTE, TOP, 0x5000 }, { LHCALL_SET_PGD, TOP, 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct guest *g = fixture_paged(GENERATION_S);
		struct space *kernel = guest_view(g, g->mm.current, CPL_KERNEL);

		/* mov 0x5000,%eax at 0x20000 */
		fixture_put32(g, TABLE + 5 * 4, 0x123063);
		fixture_put32(g, TABLE + 0x20 * 4, 0x20063);
		memcpy(fixture_ram(g) + 0x20000, "\xa1\x00\x50\x00\x00", 5);
		g->cpu.v.regs.eip = 0x20000;
		cr_assert(guest_demand_page(g, 0x20000, PF_FETCH));
		cr_assert(guest_demand_page(g, 0x5000, 0));
		cr_assert(g->cpu.low_step);
		cr_assert_eq(space_word_frame(space_word(kernel, 0xffe05)), 0x123);
		guest_low_done(g);
		fixture_put32(g, TABLE + 5 * 4, 0);
		fixture_call(g, calls[i].nr, calls[i].ebx, calls[i].ecx, 0, 0);
		cr_assert_eq(g->end, END_RUNNING, "%s", g->reason);
		cr_assert_eq(space_word(kernel, 0xffe05), 0, "call %zu", i);
		fixture_free(g);
	}
}
