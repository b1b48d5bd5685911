/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hypercall table, dispatch, detection, LGUEST_INIT and the ring.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "guest_fixture.h"
#include "lguest/lguest_data.h"

Test(guest_hcalls, the_table_is_whole)
{
	unsigned int r, gen, nr;

	/* Numbers never go down, so that rows of one number stand together; no
	 * two rows of one number share a generation. */
	for (r = 0; r < HCALL_ROWS; r++) {
		cr_assert_not_null(hcall_table[r].name);
		cr_assert_not_null(hcall_table[r].handler, "%s", hcall_table[r].name);
		cr_assert(hcall_table[r].gens, "%s", hcall_table[r].name);
		if (r && hcall_table[r].nr == hcall_table[r - 1].nr)
			cr_assert_eq(hcall_table[r].gens & hcall_table[r - 1].gens, 0);
		if (r)
			cr_assert_geq(hcall_table[r].nr, hcall_table[r - 1].nr);
	}
	/* Fifteen calls in Z to B, as in the sheet's table of numbers. */
	for (gen = 0; gen < NR_GENERATIONS; gen++) {
		unsigned int calls = 0;

		for (nr = 0; nr < LHCALL_LIMIT; nr++)
			for (r = 0; r < HCALL_ROWS; r++)
				calls += hcall_table[r].nr == nr &&
					 (hcall_table[r].gens >> gen & 1);
		cr_assert_eq(calls, gen <= GENERATION_B ? 15 :
			     gen == GENERATION_F ? 16 : 17, "generation %s: %u calls",
			     generation_name[gen], calls);
	}
}

/* Every row: is call `nr` known to generation `gen`? */
Test(guest_hcalls, unknown_calls_kill)
{
	static const enum generation gens[] = {
		GENERATION_A, GENERATION_S, GENERATION_B, GENERATION_C, GENERATION_E,
		GENERATION_F,
	};
	static const struct { uint32_t nr; uint16_t gens; } rows[] = {
		{ 3, GENS_TO_S }, { 11, 0 }, { 12, 0 }, { 13, GENS_FROM_C },
		{ 17, GENS_TO_E }, { 18, GENS_FROM_B }, { 19, GENS_FROM_C },
		{ 20, 0 }, { 99, 0 }, { 0xffffffff, 0 },
	};
	size_t i, k;

	for (i = 0; i < sizeof(gens) / sizeof(gens[0]); i++)
		for (k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
			struct guest *g = fixture_started(gens[i]);
			bool known = rows[k].gens >> gens[i] & 1;

			fixture_call(g, rows[k].nr, 0, 0, 0, 0);
			cr_assert_eq(strstr(g->reason, "unknown hypercall") == NULL, known,
				     "call %u, generation %s: %s", rows[k].nr,
				     generation_name[gens[i]], g->reason);
			fixture_free(g);
		}
}

Test(guest_hcalls, first_call_must_be_init)
{
	struct guest *g = fixture_new();

	fixture_call(g, LHCALL_FLUSH_ASYNC, 0, 0, 0, 0);
	cr_assert_str_eq(g->reason, "the first hypercall is 0, not LGUEST_INIT");
	cr_assert_eq(g->end, END_KILLED);
	fixture_free(g);
}

/* What INIT says of a broken struct lguest_data. */
Test(guest_hcalls, init_refuses)
{
	static const struct {
		uint32_t at, offset, value;
		const char *reason;
	} rows[] = {
		{ 0xfffffff0, 0, 0, "outside memory" },
		{ FIXTURE_MEM + FIXTURE_SPARE * 4096 - 8, 0, 0, "outside memory" },
		{ FIXTURE_DATA, 0x46c, 0x81, "system-call vector 0x81" },
		{ FIXTURE_DATA, 0x468, 0xffc00000, "reserved top" },
		{ FIXTURE_DATA, 0x468, 0xfffff000, "reserved top" },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guest *g = fixture_new();

		fixture_put_data(g, GENERATION_S, FIXTURE_DATA);
		if (rows[i].offset)
			fixture_put32(g, FIXTURE_DATA + rows[i].offset, rows[i].value);
		g->lg.gens = g->lg.forced_gens = GEN(S);
		fixture_call(g, LHCALL_LGUEST_INIT, rows[i].at, 0, 0, 0);
		cr_assert_eq(g->end, END_KILLED, "row %zu", i);
		cr_assert_not_null(strstr(g->reason, rows[i].reason), "%s", g->reason);
		fixture_free(g);
	}
}

Test(guest_hcalls, init_fills_every_layout)
{
	static const struct {
		enum generation gen;
		uint32_t reserve, tsc, pgdir;
	} rows[] = {
		{ GENERATION_A, 0x454, 0x458, 0x45c }, { GENERATION_S, 0x454, 0x458, 0x45c },
		{ GENERATION_B, 0x454, 0x458, 0x45c }, { GENERATION_C, 0x558, 0x55c, 0x560 },
		{ GENERATION_E, 0x558, 0x55c, 0 }, { GENERATION_F, 0x558, 0x55c, 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guest *g = fixture_new();
		uint32_t word[2] = { 0, 0 };

		g->tsc_khz = 1234567;
		fixture_put_data(g, rows[i].gen, FIXTURE_DATA);
		g->lg.gens = g->lg.forced_gens = (uint16_t)(1u << rows[i].gen);
		word[rows[i].gen == GENERATION_A] = FIXTURE_DATA;
		fixture_call(g, LHCALL_LGUEST_INIT, word[0], 0, word[1], 0);
		cr_assert_eq(g->end, END_RUNNING, "%s", g->reason);
		cr_assert_eq(fixture_get32(g, FIXTURE_DATA + rows[i].reserve), 4u << 20);
		cr_assert_eq(fixture_get32(g, FIXTURE_DATA + rows[i].tsc), 1234567);
		cr_assert_gt(fixture_get32(g, FIXTURE_DATA + 0xc), 1000000000);
		if (rows[i].pgdir)
			cr_assert_eq(fixture_get32(g, FIXTURE_DATA + rows[i].pgdir),
				     FIXTURE_MEM - 4096);
		cr_assert_eq(g->mm.mode, rows[i].pgdir ? MM_BOOT : MM_DIRECT);
		/* A second time kills. */
		fixture_call(g, LHCALL_LGUEST_INIT, word[0], 0, word[1], 0);
		cr_assert_str_eq(g->reason, "LGUEST_INIT a second time");
		fixture_free(g);
	}
}

/* A gigabyte would reach Linux's fixed mappings at the top, which are its own. */
Test(guest_hcalls, the_boot_map_ends_below_fixed_mappings)
{
	struct guest *g = fixture_new();
	struct guest_pte pte;

	g->lg.kernel_address = 0xc0000000;
	g->mm.mode = MM_BOOT;
	g->mem_bytes = 1u << 30;
	g->limit_pages = g->mem_bytes >> 12;
	pte = guest_walk_quiet(g, FIXTURE_MEM - 4096, gva(0xf7fff123));
	cr_assert(pte.present && (pte.value & 0xfffff000) == 0x37fff000);
	pte = guest_walk_quiet(g, FIXTURE_MEM - 4096, gva(0xf8000000));
	cr_assert_not(pte.present);
	pte = guest_walk_quiet(g, FIXTURE_MEM - 4096, gva(0x3ffff000));
	cr_assert(pte.present && (pte.value & 0xfffff000) == 0x3ffff000);
	fixture_free(g);
}

/* No registers but the two that count: what generation is it? */
Test(guest_hcalls, detection)
{
	static const struct {
		enum generation made;	/* layout in memory */
		bool vmcall;
		uint32_t ebx, edx;
		uint16_t found;
		bool old;
	} rows[] = {
		{ GENERATION_S, true, FIXTURE_DATA, 0x257085, GEN(S) | GEN(B), false },
		{ GENERATION_C, true, FIXTURE_DATA, 0, GEN(C), false },
		{ GENERATION_A, false, 0, FIXTURE_DATA, GENS_OLD_REGS, true },
		{ GENERATION_A, false, 0x1234, FIXTURE_DATA, GENS_OLD_REGS, true },
		{ GENERATION_D, false, FIXTURE_DATA, 0, GEN(D), false },
		{ GENERATION_E, false, FIXTURE_DATA, 7, GEN(E), false },
		{ GENERATION_F, false, FIXTURE_DATA, 0x90000000, GEN(F), false },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guest *g = fixture_new();

		fixture_put_data(g, rows[i].made, FIXTURE_DATA);
		g->cpu.v.regs.ebx = rows[i].ebx;
		g->cpu.v.regs.edx = rows[i].edx;
		guest_detect(g, rows[i].vmcall);
		cr_assert_eq(g->lg.gens, rows[i].found, "row %zu: 0x%x", i, g->lg.gens);
		cr_assert_eq(g->lg.old_registers, rows[i].old, "row %zu", i);
		fixture_free(g);
	}
}

Test(guest_hcalls, z_is_told_from_a_by_its_code_and_version)
{
	static const struct { const char *version; uint16_t found; } rows[] = {
		{ "Linux version 2.6.24.7 (x", GEN(Z) }, { "Linux version 2.6.28.6", GEN(ZP) },
		{ "no version", GEN(Z) | GEN(ZP) },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guest *g = fixture_new();
		/* mov pgdir,%esi */
		uint8_t code[6] = { 0x8b, 0x35, 0x5c, 0x04, 0x20, 0x00 };

		fixture_put_data(g, GENERATION_Z, FIXTURE_DATA);
		memcpy(fixture_ram(g) + 0x100000, code, sizeof(code));
		strcpy((char *)fixture_ram(g) + 0x345678, rows[i].version);
		g->cpu.v.regs.edx = FIXTURE_DATA;
		guest_detect(g, false);
		cr_assert_eq(g->lg.gens, rows[i].found, "%s: 0x%x", rows[i].version, g->lg.gens);
		fixture_ram(g)[0x100000] = 0xbc;
		guest_detect(g, false);
		cr_assert_eq(g->lg.gens, GEN(A));
		fixture_free(g);
	}
}

Test(guest_hcalls, calls_of_one_generation_settle_which_it_is)
{
	struct guest *g = fixture_started(GENERATION_S);

	g->lg.gens = GEN(S) | GEN(B);
	fixture_call(g, LHCALL_TS, 0, 0, 0, 0);
	cr_assert_eq(g->lg.gens, GEN(S) | GEN(B));
	fixture_call(g, LHCALL_LOAD_GDT_ENTRY, 1, 0, 0, 0);
	cr_assert_eq(g->lg.gens, GEN(B));
	fixture_call(g, LHCALL_LOAD_GDT, 0x300000, 32, 0, 0);
	cr_assert_str_eq(g->reason, "unknown hypercall 3");
	fixture_free(g);
}

/* SET_STACK's three arguments come from other registers in the oldest ones. */
Test(guest_hcalls, register_conventions)
{
	struct guest *g = fixture_started(GENERATION_A);

	fixture_call(g, LHCALL_SET_STACK, 0x300000, 1, LGUEST_KERNEL_DS, 0);
	cr_assert_eq(g->end, END_RUNNING, "%s", g->reason);
	cr_assert_eq(g->cpu.esp1, 0x300000);
	cr_assert_eq(g->cpu.stack_pages, 1);
	fixture_free(g);
	g = fixture_started(GENERATION_S);
	fixture_call(g, LHCALL_SET_STACK, LGUEST_KERNEL_DS, 0x300000, 1, 0);
	cr_assert_eq(g->cpu.esp1, 0x300000);
	cr_assert_eq(g->cpu.stack_pages, 1);
	fixture_free(g);
}

Test(guest_hcalls, no_call_changes_a_register)
{
	unsigned int nr;

	for (nr = 0; nr < LHCALL_LIMIT; nr++) {
		struct guest *g = fixture_started(GENERATION_C);
		struct engine_regs want;

		g->cpu.v.regs.edi = 0xd1;
		g->cpu.v.regs.ebp = 0xb9;
		fixture_call(g, nr, 0x300000, 0x300000, 1, 2);
		want = g->cpu.v.regs;
		cr_assert_eq(want.eax, nr);
		cr_assert_eq(want.ebx, 0x300000);
		cr_assert_eq(want.ecx, 0x300000);
		cr_assert_eq(want.edx, 1);
		cr_assert_eq(want.esi, 2);
		cr_assert_eq(want.edi, 0xd1);
		cr_assert_eq(want.ebp, 0xb9);
		/* INIT and this one: two bytes each. */
		cr_assert_eq(want.eip, 0x100004);
		fixture_free(g);
	}
}

Test(guest_hcalls, user_mode_gets_a_gp)
{
	struct guest *g = fixture_started(GENERATION_S);

	fixture_gate(g, VECTOR_GP, 0x123000, 0xe, 0);
	g->cpu.esp1 = 0x300000;
	g->cpu.ss1 = LGUEST_KERNEL_DS;
	g->cpu.cs = LGUEST_USER_CS;
	g->cpu.ss = LGUEST_USER_DS;
	g->cpu.v.regs.eip = 0x400000;
	fixture_call(g, LHCALL_SHUTDOWN, 0, 1, 0, 0);
	cr_assert_eq(g->end, END_RUNNING, "%s", g->reason);
	cr_assert_eq(g->cpu.v.regs.eip, 0x123000);
	cr_assert_eq(fixture_get32(g, g->cpu.v.regs.esp), 0xfa);
	cr_assert_eq(fixture_get32(g, g->cpu.v.regs.esp + 4), 0x400000);
	fixture_free(g);
}

/* --- the ring -------------------------------------------------------------------- */

static void put_slot(struct guest *g, bool five, unsigned int slot, uint32_t nr, uint32_t a,
		     uint32_t b, uint32_t c)
{
	uint32_t at = FIXTURE_DATA + (five ? 0x58 + slot * 20 : 0x54 + slot * 16);

	fixture_put32(g, at, nr);
	fixture_put32(g, at + 4, a);
	fixture_put32(g, at + 8, b);
	fixture_put32(g, at + 12, c);
	fixture_ram(g)[FIXTURE_DATA + (five ? 0x18 : 0x14) + slot] = 0;
}

static unsigned int filled(struct guest *g, bool five)
{
	unsigned int i, n = 0;

	for (i = 0; i < 64; i++)
		n += fixture_ram(g)[FIXTURE_DATA + (five ? 0x18 : 0x14) + i] != 0xff;
	return n;
}

Test(guest_hcalls, ring_in_order_and_both_sizes)
{
	static const enum generation gens[] = { GENERATION_S, GENERATION_C };
	size_t i;

	for (i = 0; i < 2; i++) {
		struct guest *g = fixture_started(gens[i]);

		put_slot(g, i == 1, 0, LHCALL_TS, 8, 0, 0);
		put_slot(g, i == 1, 1, LHCALL_SET_STACK, 0x69, 0x300000, 2);
		put_slot(g, i == 1, 2, LHCALL_SET_STACK, 0x69, 0x310000, 1);
		/* Behind a free slot: not yet. */
		put_slot(g, i == 1, 4, LHCALL_TS, 0, 0, 0);
		fixture_call(g, LHCALL_FLUSH_ASYNC, 0, 0, 0, 0);
		cr_assert_eq(g->end, END_RUNNING, "%s", g->reason);
		cr_assert(g->cpu.ts);
		cr_assert_eq(g->cpu.esp1, 0x310000);
		cr_assert_eq(filled(g, i == 1), 1);
		cr_assert_eq(g->lg.ring_next, 3);
		fixture_free(g);
	}
}

Test(guest_hcalls, ring_wraps)
{
	struct guest *g = fixture_started(GENERATION_S);
	unsigned int i;

	for (i = 0; i < 64; i++)
		put_slot(g, false, i, LHCALL_TS, 0, 0, 0);
	fixture_call(g, LHCALL_FLUSH_ASYNC, 0, 0, 0, 0);
	cr_assert_eq(filled(g, false), 0);
	cr_assert_eq(g->lg.ring_next, 0);
	g->lg.ring_next = 63;
	put_slot(g, false, 63, LHCALL_TS, 0, 0, 0);
	put_slot(g, false, 0, LHCALL_TS, 8, 0, 0);
	fixture_call(g, LHCALL_FLUSH_ASYNC, 0, 0, 0, 0);
	cr_assert(g->cpu.ts);
	cr_assert_eq(g->lg.ring_next, 1);
	fixture_free(g);
}

Test(guest_hcalls, notify_in_the_ring_comes_before_the_trapped_call)
{
	struct guest *g = fixture_started(GENERATION_S);

	put_slot(g, false, 0, LHCALL_NOTIFY, 0x300000, 0, 0);
	put_slot(g, false, 1, LHCALL_NOTIFY, 0x310000, 0, 0);
	fixture_call(g, LHCALL_TS, 8, 0, 0, 0);
	cr_assert_eq(g->request, REQUEST_NOTIFY);
	cr_assert_eq(g->request_address.v, 0x300000);
	cr_assert_not(g->cpu.ts);
	guest_hypercall_continue(g);
	cr_assert_eq(g->request_address.v, 0x310000);
	cr_assert_not(g->cpu.ts);
	guest_hypercall_continue(g);
	cr_assert_eq(g->request, REQUEST_NONE);
	cr_assert(g->cpu.ts);
	fixture_free(g);
}

Test(guest_hcalls, a_killing_call_stops_the_ring)
{
	struct guest *g = fixture_started(GENERATION_S);

	put_slot(g, false, 0, 99, 0, 0, 0);
	put_slot(g, false, 1, LHCALL_TS, 8, 0, 0);
	fixture_call(g, LHCALL_TS, 8, 0, 0, 0);
	cr_assert_str_eq(g->reason, "unknown hypercall 99");
	cr_assert_not(g->cpu.ts);
	fixture_free(g);
}

Test(guest_hcalls, the_first_reason_wins)
{
	struct guest *g = fixture_new();

	kill_guest(g, "first %s %u 0x%x %d %c %%", "reason", 4000000000u, 0xbeefu, -5, 'c');
	kill_guest(g, "second");
	cr_assert_str_eq(g->reason, "first reason 4000000000 0xbeef -5 c %");
	fixture_free(g);
}

/* The same rule for the call of generation Z, whose second register is 0. */
Test(guest_hcalls, crash_of_generation_z)
{
	static const struct { const char *text; uint32_t how; enum guest_end end; } rows[] = {
		{ "Power down", 0, END_POWEROFF }, { "Oops", 0, END_CRASH },
		{ "again", 2, END_RESTART },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guest *g = fixture_started(GENERATION_S);

		g->lg.gens = GEN(Z);
		g->lg.old_registers = true;
		strcpy((char *)fixture_ram(g) + 0x300000, rows[i].text);
		fixture_call(g, LHCALL_SHUTDOWN, rows[i].how, 0, 0x300000, 0);
		cr_assert_eq(g->end, rows[i].end, "row %zu", i);
		fixture_free(g);
	}
}

Test(guest_hcalls, shutdown_tells_power_off_from_a_crash)
{
	static const struct { const char *text; uint32_t how; enum guest_end end; } rows[] = {
		{ "Power down", 1, END_POWEROFF }, { "Power down", 0, END_POWEROFF },
		{ "Oops", 1, END_CRASH }, { "Power down!", 1, END_CRASH },
		{ "again", 2, END_RESTART },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guest *g = fixture_started(GENERATION_S);

		strcpy((char *)fixture_ram(g) + 0x300000, rows[i].text);
		fixture_call(g, LHCALL_SHUTDOWN, 0x300000, rows[i].how, 0, 0);
		cr_assert_eq(g->end, rows[i].end, "row %zu", i);
		cr_assert_str_eq(g->reason, rows[i].text);
		fixture_free(g);
	}
}
