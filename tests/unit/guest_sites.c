/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is remembered of rewritten sites, and given back; how a site becomes a jump to
 * a gate, and what comes out of one.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "guest_fixture.h"

#define CODE 0x110000u
#define GATE_FRAME 0x2000u	/* any that is not 0 */

static void add(struct guest *g, uint32_t va, const char *before, const char *after, uint8_t n)
{
	struct guest_site *site = &g->sites.site[g->sites.n++ % GUEST_SITES];

	*site = (struct guest_site){ .va = va, .bytes = n };
	memcpy(site->before, before, n);
	memcpy(site->after, after, n);
}

Test(guest_sites, gives_back_what_was)
{
	struct guest *g = fixture_new();
	uint8_t bytes[16];

	add(g, 0x1004, "\x0f\x01\xc1", "\xcd\x1f\x90", 3);
	add(g, 0x1009, "\xcd\x1f", "\xeb\x10", 2);
	memcpy(bytes, "AAAA\xcd\x1f\x90" "BB\xeb\x10" "CCCCC", 16);
	guest_undo_sites(g, 0x1000, bytes, sizeof(bytes));
	cr_assert_eq(memcmp(bytes, "AAAA\x0f\x01\xc1" "BB\xcd\x1f" "CCCCC", 16), 0);
	/* The same bytes elsewhere are the guest's own. */
	memcpy(bytes, "AAAA\xcd\x1f\x90" "BB\xeb\x10" "CCCCC", 16);
	guest_undo_sites(g, 0x1100, bytes, sizeof(bytes));
	cr_assert_eq(memcmp(bytes, "AAAA\xcd\x1f\x90" "BB\xeb\x10" "CCCCC", 16), 0);
	/* At either end, to the byte. */
	memcpy(bytes, "\xcd\x1f\x90", 3);
	guest_undo_sites(g, 0x1004, bytes, 3);
	cr_assert_eq(memcmp(bytes, "\x0f\x01\xc1", 3), 0);
	guest_undo_sites(g, 0x1004, bytes, 0);
	fixture_free(g);
}

/* A look that begins or ends in a site: nothing is written outside it. */
Test(guest_sites, parts_of_sites)
{
	static const char now[] = "\xe8\x01\x02\x03\x04\x90\x58\xcf";
	struct guest *g = fixture_new();
	uint32_t first, n;

	add(g, 0x2000, "\x36\xa3\x11\x22\x33\x44\x58\xcf", now, 8);
	for (first = 0; first <= 8; first++)
		for (n = 0; n + first <= 8; n++) {
			/* Of its own size: a sanitizer sees what is beside it. */
			uint8_t *bytes = malloc(n ? n : 1), canary[10];

			memset(canary, 0x5a, sizeof(canary));
			memcpy(canary + 1, now + first, n);
			memcpy(bytes, now + first, n);
			guest_undo_sites(g, 0x2000 + first, bytes, n);
			guest_undo_sites(g, 0x2000 + first, canary + 1, n);
			cr_assert_eq(canary[0], 0x5a);
			cr_assert_eq(canary[1 + n], 0x5a);
			cr_assert_eq(memcmp(bytes, canary + 1, n), 0);
			/* All or nothing. */
			cr_assert_eq(memcmp(bytes, now + first, n) == 0, n < 8, "%u bytes from %u", n, first);
			free(bytes);
		}
	fixture_free(g);
}

Test(guest_sites, rewritten_twice)
{
	struct guest *g = fixture_new();
	uint8_t bytes[3] = { 0xeb, 0x33, 0x90 };

	add(g, 0x3000, "\x0f\x01\xc1", "\xcd\x1f\x90", 3);
	add(g, 0x3000, "\xcd\x1f", "\xeb\x33", 2);
	guest_undo_sites(g, 0x3000, bytes, 3);
	cr_assert_eq(memcmp(bytes, "\x0f\x01\xc1", 3), 0);
	/* Only the later one is seen whole. */
	memcpy(bytes, "\xeb\x33\x90", 3);
	guest_undo_sites(g, 0x3000, bytes, 2);
	cr_assert_eq(memcmp(bytes, "\xcd\x1f", 2), 0);
	/* The guest has put something else there since. */
	memcpy(bytes, "\xeb\x34\x90", 3);
	guest_undo_sites(g, 0x3000, bytes, 3);
	cr_assert_eq(memcmp(bytes, "\xeb\x34\x90", 3), 0);
	memcpy(bytes, "\x0f\x01\xc1", 3);
	guest_undo_sites(g, 0x3000, bytes, 3);
	cr_assert_eq(memcmp(bytes, "\x0f\x01\xc1", 3), 0);
	fixture_free(g);
}

Test(guest_sites, remembers_the_last)
{
	struct guest *g = fixture_new();
	uint8_t bytes[2];
	uint32_t i;

	for (i = 0; i < 3 * GUEST_SITES; i++) {
		add(g, 0x4000 + 16 * i, "\xcd\x1f", "\xeb\x33", 2);
		memcpy(bytes, "\xeb\x33", 2);
		guest_undo_sites(g, 0x4000 + 16 * i, bytes, 2);
		cr_assert_eq(bytes[0], 0xcd);
	}
	for (i = 0; i < 3 * GUEST_SITES; i++) {
		memcpy(bytes, "\xeb\x33", 2);
		guest_undo_sites(g, 0x4000 + 16 * i, bytes, 2);
		cr_assert_eq(bytes[0], i < 2 * GUEST_SITES ? 0xeb : 0xcd);
	}
	fixture_free(g);
}

static unsigned int seed = 1;
static uint32_t any32(void)
{
	seed = seed * 1103515245 + 12345;
	return seed ^ seed >> 13;
}

/* The vCPU process can write all of it: nothing of it may lead outside. */
Test(guest_sites, anything_may_stand_there)
{
	struct guest *g = fixture_new();
	static const uint32_t counts[] = { 0, 1, 63, 64, 65, 0x7fffffff, 0x80000000, 0xffffffff };
	static const uint32_t places[] = { 0, 1, 0x1000, 0x7ffffff8, 0xfffffff0, 0xffffffff };
	unsigned int round, i, k;

	for (round = 0; round < 20000; round++) {
		uint8_t *words = (uint8_t *)&g->sites, bytes[48];
		uint32_t va = places[round % 6], n = any32() % 33, eip;

		for (i = 0; i < sizeof(g->sites); i++)
			words[i] = (uint8_t)any32();
		g->sites.n = counts[round % 8];
		g->sites.holes = counts[any32() % 8];
		for (i = 0; i < GUEST_SITES; i++) {
			struct guest_site *site = &g->sites.site[i];

			/* Near enough, and fitting, to matter. */
			if (i % 4)
				site->va = va + any32() % 64 - 16;
			if (i % 3)
				site->bytes = (uint8_t)(any32() % 12);
			if (i % 2)
				memset(site->after, 0x77, sizeof(site->after));
		}
		memset(bytes, 0x77, sizeof(bytes));
		guest_undo_sites(g, va, bytes + 8, n);
		for (k = 0; k < 8; k++)
			cr_assert_eq(bytes[k], 0x77);
		for (k = 8 + n; k < sizeof(bytes); k++)
			cr_assert_eq(bytes[k], 0x77);
		guest_find_hole(g, any32(), &eip);
		guest_find_hole(g, g->sites.hole[63].called_from, &eip);
	}
	fixture_free(g);
}

/* Longer than any: what is behind it is another site's. */
Test(guest_sites, no_site_is_so_long)
{
	struct guest *g = fixture_new();
	uint8_t bytes[40], want[40];

	memset(&g->sites, 0x77, sizeof(g->sites));
	g->sites.n = 1;
	g->sites.site[0].va = 0x1000;
	g->sites.site[0].bytes = REWRITE_MAX + 1;
	memset(g->sites.site[0].before, 0x11, REWRITE_MAX);
	memset(bytes, 0x77, sizeof(bytes));
	memset(want, 0x77, sizeof(want));
	guest_undo_sites(g, 0x1000, bytes, sizeof(bytes));
	cr_assert_eq(memcmp(bytes, want, sizeof(bytes)), 0);
	fixture_free(g);
}

/* --- on the way -------------------------------------------------------------------------- */

/* A guest of the direct engine, whose code page is mapped and is `bytes` at `offset`. */
static struct guest *with_code(uint32_t offset, const char *bytes, size_t n)
{
	struct guest *g = fixture_started(GENERATION_S);

	g->gate_frame = GATE_FRAME;
	memset(fixture_ram(g) + CODE, 0xcc, 2 * GUEST_PAGE_SIZE);
	memcpy(fixture_ram(g) + CODE + offset, bytes, n);
	space_map(guest_view(g, g->mm.current, CPL_KERNEL), CODE >> GUEST_PAGE_SHIFT,
		  CODE >> GUEST_PAGE_SHIFT, 2, SPACE_READ | SPACE_EXEC);
	g->cpu.v.regs.eip = CODE + offset;
	g->cpu.v.regs.esp = 0x300000;
	return g;
}

static void stop(struct guest *g, uint8_t vector, uint32_t error, const char *insn, uint8_t n)
{
	g->cpu.v.exit = (struct engine_exit){
		.kind = ENGINE_EXIT_TRAP, .vector = vector, .error = error, .insn_len = n,
	};
	memcpy(g->cpu.v.exit.insn, insn, n);
	guest_handle_exit(g);
}

static const char two_steps[] = "\x0f\x01\xc1\xc3\x8d\xb6\0\0\0\0\x90\x90\x90\x90\x90\x90";

Test(guest_sites, vmcall_int_jump)
{
	struct guest *g = with_code(0x40, two_steps, 16);
	uint8_t *code = fixture_ram(g) + CODE + 0x40, look[16];
	uint64_t calls = g->stats.stops[STOP_HCALL];

	g->cpu.v.regs.eax = LHCALL_FLUSH_ASYNC;
	stop(g, VECTOR_UD, 0, "\x0f\x01\xc1", 3);
	cr_assert_eq(memcmp(code, "\xcd\x1f\x90", 3), 0);
	cr_assert_eq(g->cpu.v.regs.eip, CODE + 0x40);
	stop(g, VECTOR_GP, 0xfa, "\xcd\x1f\x90", 3);
	cr_assert_eq(g->cpu.v.regs.eip, CODE + 0x42);
	/* The one that was only rewritten is a stop, too. */
	cr_assert_eq(g->stats.stops[STOP_HCALL], calls + 2);
	/* A jump over the RET, and a call of the gate behind it. */
	cr_assert_eq(memcmp(code, "\xeb\x02\x90\xc3\xe8", 5), 0);
	cr_assert_eq(g->sites.holes, 1);
	memcpy(look, code, 16);
	guest_undo_sites(g, CODE + 0x40, look, 16);
	cr_assert_eq(memcmp(look, two_steps, 16), 0);
	/* That call comes out as the int it was. */
	g->cpu.v.regs.eip = CODE + 0x49;
	g->cpu.v.regs.esp = 0x2ffffc;
	g->cpu.v.exit.kind = ENGINE_EXIT_KICK;
	guest_came_by_gate(g, GATE_FOR_CALL);
	cr_assert_eq(g->cpu.v.regs.eip, CODE + 0x40);
	cr_assert_eq(g->cpu.v.regs.esp, 0x300000);
	cr_assert_eq(g->cpu.v.exit.kind, ENGINE_EXIT_TRAP);
	cr_assert_eq(g->cpu.v.exit.vector, VECTOR_GP);
	cr_assert_eq(g->cpu.v.exit.error, 0xfa);
	guest_handle_exit(g);
	cr_assert_eq(g->cpu.v.regs.eip, CODE + 0x42);
	cr_assert_eq(g->stats.stops[STOP_HCALL], calls + 3);
	cr_assert_eq(g->end, END_RUNNING);
	fixture_free(g);
}

/* Over two pages whose frames are no neighbours. */
Test(guest_sites, over_two_frames)
{
	const uint32_t cr3 = 0x400000, table = 0x401000, first = 0x500000, second = 0x700000;
	uint32_t cut;

	for (cut = 1; cut < 3; cut++) {
		struct guest *g = fixture_started(GENERATION_S);
		uint8_t *ram = fixture_ram(g), want[3] = { 0xcd, 0x1f, 0x90 };
		struct space *view = guest_view(g, g->mm.current, CPL_KERNEL);

		g->mm.mode = MM_TABLES;
		g->mm.table[g->mm.current].cr3 = cr3;
		fixture_put32(g, cr3, table | 0x63);
		fixture_put32(g, table + 4 * 0x20, first | 0x63);
		fixture_put32(g, table + 4 * 0x21, second | 0x63);
		space_map(view, 0x20, first >> GUEST_PAGE_SHIFT, 1, SPACE_READ | SPACE_EXEC);
		space_map(view, 0x21, second >> GUEST_PAGE_SHIFT, 1, SPACE_READ | SPACE_EXEC);
		memset(ram + first, 0xcc, 2 * GUEST_PAGE_SIZE);
		memset(ram + second, 0xcc, GUEST_PAGE_SIZE);
		memcpy(ram + first + GUEST_PAGE_SIZE - cut, "\x0f\x01\xc1", cut);
		memcpy(ram + second, &"\x0f\x01\xc1"[cut], 3 - cut);
		g->cpu.v.regs.eip = 0x21000 - cut;
		stop(g, VECTOR_UD, 0, "\x0f\x01\xc1", 3);
		cr_assert_eq(memcmp(ram + first + GUEST_PAGE_SIZE - cut, want, cut), 0);
		cr_assert_eq(memcmp(ram + second, want + cut, 3 - cut), 0);
		/* What stands behind the first frame is somebody else's. */
		cr_assert_eq(ram[first + GUEST_PAGE_SIZE], 0xcc);
		cr_assert_eq(ram[second + 3 - cut], 0xcc);
		fixture_free(g);
	}
}

/* Without gates, without room, or told not to: it stays, and is not asked about again. */
Test(guest_sites, stays_an_int)
{
	static const struct { const char *what, *code; bool gates; enum rewrite_mode mode; } rows[] = {
		{ "no gates", "\xcd\x1f\x90\xc3\x8d\xb6\0\0\0\0\x90\x90\x90\x90\x90\x90", false,
		  REWRITE_PATCH },
		{ "no room", "\xcd\x1f\x90\xc3\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc", true,
		  REWRITE_PATCH },
		{ "a tail", "\xcd\x1f\x89\xc3\x8d\xb6\0\0\0\0\x90\x90\x90\x90\x90\x90", true,
		  REWRITE_PATCH },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guest *g = with_code(0x40, rows[i].code, 16);
		unsigned int times;

		if (!rows[i].gates)
			g->gate_frame = 0;
		g->rewrite = (uint8_t)rows[i].mode;
		for (times = 0; times < 3; times++) {
			g->cpu.v.regs.eax = LHCALL_FLUSH_ASYNC;
			g->cpu.v.regs.eip = CODE + 0x40;
			stop(g, VECTOR_GP, 0xfa, "\xcd\x1f", 2);
			cr_assert_eq(g->cpu.v.regs.eip, CODE + 0x42, "%s", rows[i].what);
		}
		cr_assert_eq(memcmp(fixture_ram(g) + CODE + 0x40, rows[i].code, 16), 0, "%s", rows[i].what);
		cr_assert_eq(g->sites.holes, 0);
		fixture_free(g);
	}
}

/* The page before is not there, and with it the beginning of what ends in C3. */
Test(guest_sites, a_tail_without_its_head)
{
	static const char code[] = "\xc3\x8d\xbc\x27\0\0\0\0\x8d\xb4\x26\0\0\0\0\x90\xcd\x1f\xc3";
	struct guest *g = with_code(0, code, sizeof(code) - 1);

	fixture_ram(g)[CODE - 1] = 0x89;	/* mov %eax,%ebx */
	g->cpu.v.regs.eip = CODE + 16;
	g->cpu.v.regs.eax = LHCALL_FLUSH_ASYNC;
	stop(g, VECTOR_GP, 0xfa, "\xcd\x1f", 2);
	cr_assert_eq(g->cpu.v.regs.eip, CODE + 18);
	cr_assert_eq(memcmp(fixture_ram(g) + CODE, code, sizeof(code) - 1), 0);
	fixture_free(g);
}

/* As many as can be told apart; and a count that somebody has written is no index. */
Test(guest_sites, holes_are_counted)
{
	struct guest *g = with_code(0x40, two_steps, 16);
	uint32_t i, eip;

	for (i = 0; i < 2 * GUEST_SITES; i++) {
		uint8_t *at = fixture_ram(g) + CODE + 0x100 + 16 * i;

		memcpy(at, "\xcd\x1f\x90\xc3\x8d\xb6\0\0\0\0\x90\x90\x90\x90\x90\x90", 16);
		g->cpu.v.regs.eax = LHCALL_FLUSH_ASYNC;
		g->cpu.v.regs.eip = CODE + 0x100 + 16 * i;
		stop(g, VECTOR_GP, 0xfa, "\xcd\x1f", 2);
		cr_assert_eq(*at, i < GUEST_SITES ? 0xeb : 0xcd, "site %u", i);
	}
	for (i = 0; i < GUEST_SITES; i++) {
		cr_assert(guest_find_hole(g, CODE + 0x100 + 16 * i + 9, &eip));
		cr_assert_eq(eip, CODE + 0x100 + 16 * i);
	}
	g->sites.holes = 0xffffffff;
	g->cpu.v.regs.eip = CODE + 0x100 + 16 * (2 * GUEST_SITES - 1);
	stop(g, VECTOR_GP, 0xfa, "\xcd\x1f", 2);
	cr_assert_not(guest_find_hole(g, 0x1234, &eip));
	fixture_free(g);
}

/* Whatever else has been rewritten meanwhile. */
Test(guest_sites, gates_before_tables_are_taken_back)
{
	struct guest *g = with_code(0x40, two_steps, 16);
	static const char site[] = "\xcd\x1f\x90\xc3\x8d\xb6\0\0\0\0\x90\x90\x90\x90\x90\x90";
	uint32_t i, gates = 0;

	for (i = 0; i < GUEST_SITES; i++) {
		uint8_t *at = fixture_ram(g) + CODE + 0x100 + 16 * i;

		memcpy(at, site, 16);
		g->cpu.v.regs.eax = LHCALL_FLUSH_ASYNC;
		g->cpu.v.regs.eip = CODE + 0x100 + 16 * i;
		stop(g, VECTOR_GP, 0xfa, "\xcd\x1f", 2);
		gates += *at == 0xeb;
	}
	cr_assert_eq(gates, GUEST_SITES);
	guest_take_back_gates(g);
	for (i = 0; i < GUEST_SITES; i++)
		cr_assert_eq(memcmp(fixture_ram(g) + CODE + 0x100 + 16 * i, site, 16), 0, "site %u", i);
	cr_assert_eq(g->sites.holes, 0);
	fixture_free(g);
}

Test(guest_sites, strangers_at_the_gate)
{
	struct guest *g = with_code(0x40, two_steps, 16);

	/* Nothing there calls a gate. */
	g->cpu.v.regs.eip = CODE + 0x49;
	guest_came_by_gate(g, GATE_FOR_CALL);
	cr_assert_eq(g->cpu.v.exit.kind, ENGINE_EXIT_LONG_MODE);
	/* And programs have none. */
	g->cpu.cs = LGUEST_USER_CS;
	for (unsigned int gate = GATE_FOR_CALL; gate <= GATE_FOR_IRET_F; gate++) {
		g->cpu.v.exit.kind = ENGINE_EXIT_KICK;
		guest_came_by_gate(g, gate);
		cr_assert_eq(g->cpu.v.exit.kind, ENGINE_EXIT_LONG_MODE);
		cr_assert_not(guest_demand_gate(g, GUEST_GATES, 0));
	}
	g->cpu.cs = LGUEST_KERNEL_CS;
	cr_assert_not(guest_demand_gate(g, GUEST_GATES, PF_WRITE));
	cr_assert_not(guest_demand_gate(g, GUEST_GATES - 1, 0));
	cr_assert_not(guest_demand_gate(g, GUEST_GATES + GUEST_PAGE_SIZE, 0));
	cr_assert(guest_demand_gate(g, GUEST_GATES + GUEST_PAGE_SIZE - 1, 0));
	g->gate_frame = 0;
	cr_assert_not(guest_demand_gate(g, GUEST_GATES, 0));
	fixture_free(g);
}

/* --- copies --------------------------------------------------------------------------------- */

/* Frames that are no copies are their own originals; nothing else is looked up. */
Test(guest_sites, originals)
{
	struct guest *g = fixture_new();
	uint32_t i;

	g->copies.first_frame = 0x1100;
	for (i = 0; i < GUEST_COPIES; i++)
		g->copies.original[i] = 0x10 + i;
	cr_assert_eq(guest_original(g, 0x10ff), 0x10ff);
	cr_assert_eq(guest_original(g, 0x1100), 0x10);
	cr_assert_eq(guest_original(g, 0x1100 + GUEST_COPIES - 1), 0x10 + GUEST_COPIES - 1);
	cr_assert_eq(guest_original(g, 0x1100 + GUEST_COPIES), 0x1100 + GUEST_COPIES);
	cr_assert_eq(guest_original(g, 0), 0);
	cr_assert_eq(guest_original(g, 0xffffffff), 0xffffffff);
	g->copies.first_frame = 0;
	cr_assert_eq(guest_original(g, 5), 5);
	/* Whatever its tables hold. */
	memset(&g->copies, 0xff, sizeof(g->copies));
	g->copies.first_frame = 0;
	cr_assert_eq(guest_original(g, 0xffffffff), 0xffffffff);
	cr_assert_not(guest_has_copy(g, 7));
	fixture_free(g);
}
