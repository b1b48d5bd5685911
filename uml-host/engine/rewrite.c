/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instruction sequences that are replaced, and why that is safe.
 *
 * What all rows have in common: code is rewritten where it has just trapped, so the
 * bytes are instructions and no data, and but for the last row it is only the guest
 * kernel's; both sequences are equally long; and wherever the guest may jump to in
 * the old one there is an instruction of the new one that does the same.  No row changes when a mapping
 * goes: what comes through a gate is the stop that the trap was, then and there.
 *
 * A guest that reads its own code there finds the new bytes.  The host remembers
 * the old ones (guest/rewrite.c).
 */
#include <string.h>

#include "engine/decode.h"
#include "engine/rewrite.h"

#define USER_DS 0x7bu		/* as a guest knows it */
#define FLAT_DS 0x2bu		/* the host's of the same segment */
#define RET 0xc3
#define CALL 0xe8
#define CALL_INSN_BYTES 5
#define SHORT_JUMP_BYTES 2
#define CONTEXT 32u	/* bytes before a RET, at least, to tell that it is one */

static bool is_selector(const struct rewrite_site *site)
{
	return site->operand == site->selector;
}

static uint32_t host_selector(const struct rewrite_site *site)
{
	return site->host_selector;
}

static bool has_hole(const struct rewrite_site *site)
{
	return site->gates && site->hole;
}

static uint32_t jump_to_hole(const struct rewrite_site *site)
{
	return site->hole - (site->va + SHORT_JUMP_BYTES);
}

static bool is_iret(const struct rewrite_site *site)
{
	return site->gates && site->operand == site->irq_enabled && site->va == site->window;
}

/* There the window is the IRET alone. */
static bool is_iret_f(const struct rewrite_site *site)
{
	return site->gates && site->operand == site->irq_enabled &&
	       site->va + rewrite_table[REWRITE_IRET_GATE_F].trap == site->window;
}

static uint32_t call_iret_gate(const struct rewrite_site *site)
{
	return site->gates + GATE_IRET - (site->va + CALL_INSN_BYTES);
}

static uint32_t call_iret_gate_f(const struct rewrite_site *site)
{
	return site->gates + GATE_IRET_F - (site->va + CALL_INSN_BYTES);
}

#define REWRITE_WHAT(id, what) [REWRITE_##id] = what,
const char *const rewrite_what[NR_REWRITES] = { REWRITE_LIST(REWRITE_WHAT) };

/*
 * Tour 10: The story begins in the guest, with three bytes: 0F 01 C1, vmcall.  The
 * kernel wants something only its host can do, has a number in EAX and up to
 * four arguments beside it, and trusts that somebody is listening.
 */
const struct rewrite_row rewrite_table[NR_REWRITES] = {
	/*
	 * vmcall, whose fault is slow or never comes, becomes the software
	 * interrupt the ABI used before it, with a NOP for the third byte.
	 * Safe: one instruction for another; who jumps there means it.
	 */
	[REWRITE_VMCALL] = {
		.bytes = 3,
		.from = { 0x0f, 0x01, 0xc1 },
		.to = { 0xcd, 0x1f, 0x90 },
	},
	/*
	 * Kernel entry code loads the guest's user data selector:
	 *	mov $0x7b,%edx; mov %edx,%ds; mov %edx,%es
	 * On this host that is another segment, and the first store through it
	 * faults.  Safe: the register holds nothing else, it is loaded, moved
	 * to both, and loaded again.  DX is for system calls and interrupts,
	 * CX for traps with an error code.
	 */
	[REWRITE_DATA_EDX] = {
		.bytes = 9,
		.from = { 0xba, USER_DS, 0, 0, 0, 0x8e, 0xda, 0x8e, 0xc2 },
		.to = { 0xba, FLAT_DS, 0, 0, 0, 0x8e, 0xda, 0x8e, 0xc2 },
	},
	[REWRITE_DATA_ECX] = {
		.bytes = 9,
		.from = { 0xb9, USER_DS, 0, 0, 0, 0x8e, 0xd9, 0x8e, 0xc1 },
		.to = { 0xb9, FLAT_DS, 0, 0, 0, 0x8e, 0xd9, 0x8e, 0xc1 },
	},
	/*
	 *	mov $selector,%edx; mov %edx,%fs
	 * and the second faults: the selector is the guest's, and becomes the
	 * host's of the same segment.  Any register; safe as above.
	 */
	[REWRITE_SELECTOR] = {
		.bytes = 5, .trap = 5, .by_register = true,
		.from = { 0xb8 }, .from_operand = 1,
		.to = { 0xb8 }, .to_operand = 1, .to_operand_bytes = 4,
		.condition = is_selector, .replaced = host_selector,
	},
	/*
	 * int $0x1f, of the kernel's own or from the first row, becomes a short
	 * jump to a hole: padding behind the last RET of a function, which gets
	 * a call of the gate.  Safe: one instruction for another; nobody runs
	 * padding, which is checked to be some; the word the call pushes is
	 * below the stack pointer, where a kernel keeps nothing, and if that
	 * page is missing, it is the call that faults, before anything was done.
	 */
	[REWRITE_CALL_GATE] = {
		.bytes = 2,
		.from = { 0xcd, 0x1f },
		.to = { 0xeb }, .to_operand = 1, .to_operand_bytes = 1,
		.condition = has_hole, .replaced = jump_to_hole,
	},
	/*
	 *	mov %eax,%ss:irq_enabled; pop %eax; iret
	 * ends every trap of the kernel.  The store becomes a call of a gate;
	 * the monitor does all three.  Safe: nobody jumps behind the store,
	 * which is where the kernel told us its window begins (noirq_start),
	 * and the other two stay; interrupts wait for the window's end, as
	 * they did.
	 */
	[REWRITE_IRET_GATE] = {
		.bytes = 8, .trap = 7,
		.from = { 0x36, 0xa3, 0, 0, 0, 0, 0x58, 0xcf }, .from_operand = 2,
		.to = { CALL, 0, 0, 0, 0, 0x90, 0x58, 0xcf },
		.to_operand = 1, .to_operand_bytes = 4,
		.condition = is_iret, .replaced = call_iret_gate,
	},
	/*
	 *	pushl 8(%esp); popl %ss:irq_enabled; iret
	 * The same of 4.x kernels: the pop becomes the call.
	 */
	[REWRITE_IRET_GATE_F] = {
		.bytes = 8, .trap = 7,
		.from = { 0x36, 0x8f, 0x05, 0, 0, 0, 0, 0xcf }, .from_operand = 3,
		.to = { CALL, 0, 0, 0, 0, 0x90, 0x90, 0xcf },
		.to_operand = 1, .to_operand_bytes = 4,
		.condition = is_iret_f, .replaced = call_iret_gate_f,
	},
	/*
	 * int $0x80 of a program becomes an interrupt that no host knows, which
	 * traps sooner.  Safe to run: one instruction for another, and not in
	 * the program's page but in a copy of it that only programs see, and
	 * that ends before the processor writes the page.  Not safe to load
	 * from, hence only with --rewrite=all (guest/copies.c).
	 */
	[REWRITE_SYSTEM_CALL] = {
		.bytes = 2,
		.from = { 0xcd, 0x80 },
		.to = { 0xcd, REWRITE_SYSTEM_CALL_VECTOR },
	},
};

/* One of a row's two sequences, with an operand of `bytes` at `at`. */
static void fill(const struct rewrite_row *row, const struct rewrite_site *site,
		 const uint8_t *sequence, size_t at, size_t bytes, uint32_t operand, uint8_t *to)
{
	memcpy(to, sequence, row->bytes);
	if (row->by_register)
		to[0] = (uint8_t)(to[0] + site->reg);
	memcpy(to + at, &operand, bytes);
}

bool rewrite_site(enum rewrite_id id, const uint8_t *code, size_t n, struct rewrite_site *site,
		  uint8_t to[REWRITE_MAX])
{
	const struct rewrite_row *row = &rewrite_table[id];
	size_t open = row->from_operand ? sizeof(site->operand) : 0;

	if (n < row->bytes)
		return false;
	memcpy(&site->operand, code + row->from_operand, open);
	fill(row, site, row->from, row->from_operand, open, site->operand, to);
	if (memcmp(to, code, row->bytes) != 0 || (row->condition && !row->condition(site)))
		return false;
	fill(row, site, row->to, row->to_operand, row->to_operand_bytes,
	     row->replaced ? row->replaced(site) : 0, to);
	return true;
}

void rewrite_call(uint32_t va, uint32_t target, uint8_t to[REWRITE_HOLE_BYTES])
{
	uint32_t relative = target - (va + CALL_INSN_BYTES);

	to[0] = CALL;
	memcpy(to + 1, &relative, sizeof(relative));
}

/* What assemblers fill up with: NOPs of any length, and LEAs that change nothing. */
static const struct {
	uint8_t n, bytes[9];
} padding[] = {
	{ 9, { 0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 } },
	{ 8, { 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 } },
	{ 8, { 0x2e, 0x8d, 0xb4, 0x26, 0, 0, 0, 0 } },
	{ 7, { 0x0f, 0x1f, 0x80, 0, 0, 0, 0 } },
	{ 7, { 0x8d, 0xb4, 0x26, 0, 0, 0, 0 } },
	{ 7, { 0x8d, 0xbc, 0x27, 0, 0, 0, 0 } },
	{ 6, { 0x66, 0x0f, 0x1f, 0x44, 0, 0 } },
	{ 6, { 0x8d, 0xb6, 0, 0, 0, 0 } },
	{ 6, { 0x8d, 0xbf, 0, 0, 0, 0 } },
	{ 5, { 0x0f, 0x1f, 0x44, 0, 0 } },
	{ 5, { 0x2e, 0x8d, 0x74, 0x26, 0 } },
	{ 4, { 0x0f, 0x1f, 0x40, 0 } },
	{ 4, { 0x8d, 0x74, 0x26, 0 } },
	{ 3, { 0x0f, 0x1f, 0 } },
	{ 3, { 0x8d, 0x76, 0 } },
	{ 2, { 0x66, 0x90 } },
	{ 2, { 0x89, 0xf6 } },
	{ 1, { 0x90 } },
};

/* Five bytes that Linux itself puts where it may write a jump later: behind a RET they
 * can be a place somebody jumps to. */
static bool is_live(const uint8_t *code)
{
	static const uint8_t nops[][5] = {
		{ 0x0f, 0x1f, 0x44, 0, 0 }, { 0x3e, 0x8d, 0x74, 0x26, 0 },
		{ 0x90, 0x8d, 0x74, 0x26, 0 }, { 0x66, 0x66, 0x90, 0x66, 0x90 },
		{ 0x66, 0x66, 0x66, 0x66, 0x90 }, { 0x8d, 0x44, 0x20, 0, 0x90 },
	};
	size_t i;

	for (i = 0; i < sizeof(nops) / sizeof(nops[0]); i++)
		if (memcmp(code, nops[i], sizeof(nops[i])) == 0)
			return true;
	return false;
}

/* Bytes of padding at the start of `code`. */
static size_t padding_bytes(const uint8_t *code, size_t n)
{
	size_t at = 0, row, rows = sizeof(padding) / sizeof(padding[0]);

	do {
		for (row = 0; row < rows; row++)
			if (n - at >= padding[row].n &&
			    memcmp(code + at, padding[row].bytes, padding[row].n) == 0)
				break;
		if (row < rows)
			at += padding[row].n;
	} while (row < rows);
	return at;
}

/* Of whose displacement C3 might be a part. */
static bool is_short_branch(uint8_t opcode)
{
	return opcode == 0xeb || (opcode & 0xf0) == 0x70 || (opcode & 0xfc) == 0xe0;
}

size_t rewrite_find_hole(const uint8_t *code, size_t n, uint32_t va, uint32_t from)
{
	size_t at, bytes;

	for (at = CONTEXT + 1; at + REWRITE_HOLE_BYTES <= n; at++) {
		int32_t distance = (int32_t)(va + (uint32_t)at - (from + SHORT_JUMP_BYTES));

		if (code[at - 1] != RET || is_short_branch(code[at - 2]) || distance < -128 || distance > 127)
			continue;
		bytes = padding_bytes(code + at, n - at);
		/* It ends where something begins that is aligned; and the RET is
		 * one, not the tail of something that runs on. */
		if (bytes >= REWRITE_HOLE_BYTES && !is_live(code + at) && (va + at + bytes) % 16 == 0 &&
		    insn_boundary(code, n, at - 1, 2))
			return at;
	}
	return n;
}

bool rewrite_is_vmcall(const uint8_t *bytes, size_t n)
{
	const struct rewrite_row *row = &rewrite_table[REWRITE_VMCALL];

	return n >= row->bytes && memcmp(bytes, row->from, row->bytes) == 0;
}

size_t rewrite_find_vmcall(const uint8_t *code, size_t n, size_t at)
{
	for (; at + REWRITE_BYTES <= n; at++)
		if (code[at] == rewrite_table[REWRITE_VMCALL].from[0] &&
		    rewrite_is_vmcall(code + at, n - at) && insn_boundary(code, n, at, 1))
			return at;
	return n;
}
