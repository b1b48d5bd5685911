/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest as a debugger's target: memory, breakpoints, single steps.
 *
 * Memory is found by the guest's own page tables and only by them.  A software
 * breakpoint is an int3 in the guest's frame, there only while the guest runs: the
 * guest's own reads see it, the debugger's do not.  Where no page is mapped yet a
 * debug register stands in for it.  What the host does for the guest (trap frames,
 * lguest_data, devices) no debug register sees.
 */
#include <string.h>

#include "gdb/internal.h"

#define INT3 0xcc
#define PUSHF 0x9c
#define POPF 0x9d

/* --- memory ----------------------------------------------------------------------- */

/* What the guest's author wrote, not what the host made of it. */
uint32_t target_read(struct target *t, uint32_t va, void *to, uint32_t n)
{
	uint32_t done = guest_read_virtual(t->guest, va, to, n);

	guest_undo_sites(t->guest, va, to, done);
	return done;
}

uint32_t target_write(struct target *t, uint32_t va, const void *from, uint32_t n)
{
	uint32_t done, part;

	for (done = 0; done < n; done += part) {
		uint32_t at = va + done;
		gpa_t pa;
		void *to;

		part = GUEST_PAGE_SIZE - (at & ~GUEST_PAGE_MASK);
		if (part > n - done)
			part = n - done;
		if (!guest_translate(t->guest, gva(at), &pa) ||
		    !(to = guest_bytes(t->guest, pa, part)))
			break;
		memcpy(to, (const char *)from + done, part);
		guest_written(t->guest, pa, part);
	}
	return done;
}

/* --- breakpoints -------------------------------------------------------------------- */

/* DR7 (Intel SDM 3B, 17.2.4): an enable bit, and four bits of kind and length. */
static uint32_t dr7_bits(const struct breakpoint *b)
{
	uint32_t kind = b->type <= BREAK_HARDWARE ? 0 : b->type == WATCH_WRITE ? 1 : 3;
	uint32_t length = kind ? b->bytes - 1u : 0;
	unsigned int n = (unsigned int)b->reg;

	return 1u << (2 * n) | (kind | length << 2) << (16 + 4 * n);
}

static bool patch(struct target *t, struct breakpoint *b)
{
	const struct breakpoint *other;
	uint8_t *byte;

	if (!guest_translate(t->guest, gva(b->address), &b->at))
		return false;
	byte = guest_bytes(t->guest, b->at, 1);
	if (!byte)
		return false;
	b->original = *byte;
	/* The same byte under another address. */
	for (other = t->breakpoint; other < b; other++)
		if (other->patched && other->at.v == b->at.v)
			b->original = other->original;
	*byte = INT3;
	guest_written(t->guest, b->at, 1);
	b->patched = true;
	return true;
}

/* False: there are more of them than debug registers, or the host has none. */
static bool arm(struct target *t)
{
	uint32_t address[TARGET_DEBUG_REGISTERS] = { 0 }, dr7 = 0;
	unsigned int i, used = 0;
	bool all = true;

	for (i = 0; i < t->breakpoints; i++) {
		struct breakpoint *b = &t->breakpoint[i];

		b->reg = -1;
		if (b->type == BREAK_SOFTWARE && patch(t, b))
			continue;
		if (used == TARGET_DEBUG_REGISTERS) {
			all = false;
			continue;
		}
		address[used] = b->address;
		b->reg = (int8_t)used++;
		dr7 |= dr7_bits(b);
	}
	return engine_set_debug(t->engine, address, dr7) && all;
}

void target_arm(struct target *t)
{
	arm(t);
}

void target_disarm(struct target *t)
{
	static const uint32_t none[TARGET_DEBUG_REGISTERS];
	unsigned int i;

	/* Backwards: two may share a byte. */
	for (i = t->breakpoints; i-- > 0;) {
		struct breakpoint *b = &t->breakpoint[i];
		uint8_t *byte = b->patched ? guest_bytes(t->guest, b->at, 1) : NULL;

		/* The guest may have written something else there. */
		if (byte && *byte == INT3) {
			*byte = b->original;
			guest_written(t->guest, b->at, 1);
		}
		b->patched = false;
	}
	engine_set_debug(t->engine, none, 0);
}

static struct breakpoint *find(struct target *t, unsigned int type, uint32_t address,
			       uint32_t bytes)
{
	unsigned int i;

	for (i = 0; i < t->breakpoints; i++) {
		struct breakpoint *b = &t->breakpoint[i];

		if (b->type == type && b->address == address &&
		    (type <= BREAK_HARDWARE || b->bytes == bytes))
			return b;
	}
	return NULL;
}

bool target_add(struct target *t, unsigned int type, uint32_t address, uint32_t bytes)
{
	bool possible;

	if (find(t, type, address, bytes))
		return true;
	/* The processor watches 1, 2 or 4 bytes, aligned, and no reads alone. */
	if (t->breakpoints == TARGET_BREAKPOINTS || type == WATCH_READ || type > WATCH_ACCESS)
		return false;
	if (type > BREAK_HARDWARE &&
	    ((bytes != 1 && bytes != 2 && bytes != 4) || (address & (bytes - 1))))
		return false;
	t->breakpoint[t->breakpoints++] = (struct breakpoint){
		.type = (uint8_t)type, .address = address, .bytes = (uint8_t)bytes, .reg = -1,
	};
	/* Try it: the host has its say. */
	possible = arm(t);
	target_disarm(t);
	if (!possible)
		t->breakpoints--;
	return possible;
}

void target_remove(struct target *t, unsigned int type, uint32_t address, uint32_t bytes)
{
	struct breakpoint *b = find(t, type, address, bytes);

	if (b)
		*b = t->breakpoint[--t->breakpoints];
}

void target_forget(struct target *t)
{
	target_disarm(t);
	t->breakpoints = 0;
	t->why = WHY_NOTHING;
	target_step(t, false);
}

/* --- steps and stops ----------------------------------------------------------------- */

void target_step(struct target *t, bool step)
{
	t->stepping = step;
	t->ran = false;
	t->guest->hold_interrupts = step;
	t->step_eip = t->guest->cpu.v.regs.eip;
	t->step_cs = t->guest->cpu.cs;
}

void target_look(struct target *t)
{
	const struct guest_cpu *cpu = &t->guest->cpu;

	if (t->stepping && t->ran && t->why == WHY_NOTHING &&
	    (cpu->v.regs.eip != t->step_eip || cpu->cs != t->step_cs))
		t->why = WHY_STEP;
}

void target_resuming(struct target *t)
{
	uint32_t *flags = &t->guest->cpu.v.regs.eflags;

	t->ran = true;
	t->step_eip = t->guest->cpu.v.regs.eip;
	t->step_cs = t->guest->cpu.cs;
	/* A guest that steps itself, or is stepped for low memory, stops anyway. */
	t->borrowed_tf = t->stepping && !(*flags & EFLAGS_TF);
	if (t->borrowed_tf)
		*flags |= EFLAGS_TF;
}

/* Takes TF back, also from the image that pushf just made of it. */
static void return_tf(struct target *t)
{
	struct engine_regs *r = &t->guest->cpu.v.regs;
	uint8_t opcode = 0, byte;

	t->borrowed_tf = false;
	target_read(t, t->step_eip, &opcode, 1);
	if (opcode == POPF && r->eip != t->step_eip)
		return;		/* TF is what was popped */
	r->eflags &= ~EFLAGS_TF;
	if (opcode == PUSHF && r->eip != t->step_eip && target_read(t, r->esp + 1, &byte, 1)) {
		byte &= (uint8_t)~(EFLAGS_TF >> 8);
		target_write(t, r->esp + 1, &byte, 1);
	}
}

/* Was it one of our int3, at EIP - 1?  By frame: user programs share addresses. */
static bool hit_int3(struct target *t)
{
	struct engine_regs *r = &t->guest->cpu.v.regs;
	unsigned int i;
	gpa_t at;

	if (!guest_translate(t->guest, gva(r->eip - 1), &at))
		return false;
	for (i = 0; i < t->breakpoints; i++)
		if (t->breakpoint[i].patched && t->breakpoint[i].at.v == at.v) {
			r->eip--;
			t->hit = &t->breakpoint[i];
			t->why = WHY_BREAKPOINT;
			return true;
		}
	return false;
}

static bool hit_register(struct target *t, unsigned int watched)
{
	unsigned int i;

	for (i = 0; i < t->breakpoints; i++) {
		const struct breakpoint *b = &t->breakpoint[i];

		if (b->reg >= 0 && watched >> b->reg & 1) {
			t->hit = b;
			t->why = b->type <= BREAK_HARDWARE ? WHY_BREAKPOINT : WHY_WATCH;
			return true;
		}
	}
	return false;
}

bool target_stopped(struct target *t)
{
	const struct guest_cpu *cpu = &t->guest->cpu;
	const struct engine_exit *x = &cpu->v.exit;
	bool stepped = t->borrowed_tf;

	if (stepped)
		return_tf(t);
	if (x->kind != ENGINE_EXIT_TRAP)
		return false;
	if (x->vector == VECTOR_BP && x->software)
		return hit_int3(t);
	if (x->vector != VECTOR_DB)
		return false;
	/* The guest layer has to end its own step first; the stop comes after. */
	if (hit_register(t, x->watched))
		return !cpu->low_step;
	if (stepped)
		t->why = WHY_STEP;
	return stepped;
}
