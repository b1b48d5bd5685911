/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct lguest_data: finding out which generation a guest is, LGUEST_INIT,
 * and every field the host reads or writes later.
 *
 * The struct lies in guest memory and the guest may scribble over it at any
 * time: what must not change (addresses, the no-interrupt range) is read once,
 * at INIT.
 */
#include <stddef.h>
#include <string.h>

#include "engine/clock.h"
#include "guest/guest.h"
#include "lguest/lguest_data.h"

#define NONE 0xffffu

/* Where each field is.  One row per struct of lguest/lguest_data.h. */
struct layout {
	uint16_t gens;
	uint16_t size, status, calls, entry_bytes;
	uint16_t irq_pending, reserve_mem, tsc_khz, pgdir;
	uint16_t noirq_start, noirq_end, kernel_address, syscall_vec;
};

#define COMMON(type, entry)							\
	.size = sizeof(struct type),						\
	.status = offsetof(struct type, hcall_status),				\
	.calls = offsetof(struct type, hcalls), .entry_bytes = sizeof(struct entry),\
	.reserve_mem = offsetof(struct type, reserve_mem),			\
	.tsc_khz = offsetof(struct type, tsc_khz),				\
	.kernel_address = offsetof(struct type, kernel_address),		\
	.syscall_vec = offsetof(struct type, syscall_vec)

#define RANGE(type)								\
	.noirq_start = offsetof(struct type, noirq_start),			\
	.noirq_end = offsetof(struct type, noirq_end)

static const struct layout layouts[] = {
	{ .gens = GENS_TO_B, COMMON(lguest_data_z, lguest_hcall4), RANGE(lguest_data_z),
	  .irq_pending = NONE, .pgdir = offsetof(struct lguest_data_z, pgdir) },
	{ .gens = GEN(C) | GEN(D), COMMON(lguest_data_c, lguest_hcall5),
	  RANGE(lguest_data_c),
	  .irq_pending = offsetof(struct lguest_data_c, irq_pending),
	  .pgdir = offsetof(struct lguest_data_c, pgdir) },
	{ .gens = GEN(E), COMMON(lguest_data_e, lguest_hcall5), RANGE(lguest_data_e),
	  .irq_pending = offsetof(struct lguest_data_e, irq_pending), .pgdir = NONE },
	{ .gens = GEN(F), COMMON(lguest_data_f, lguest_hcall5),
	  .noirq_start = offsetof(struct lguest_data_f, noirq_iret), .noirq_end = NONE,
	  .irq_pending = offsetof(struct lguest_data_f, irq_pending), .pgdir = NONE },
};

_Static_assert(sizeof(layouts) / sizeof(layouts[0]) == GUEST_LAYOUTS, "guest.h knows");

/* The same place in every layout. */
#define IRQ_ENABLED offsetof(struct lguest_data_z, irq_enabled)
#define BLOCKED offsetof(struct lguest_data_z, blocked_interrupts)
#define CR2 offsetof(struct lguest_data_z, cr2)
#define TIME offsetof(struct lguest_data_z, time)

/* What the host keeps for itself at the top of the guest's address space: whole
 * top-level slots, room for its low-memory window. */
#define RESERVE_MEM (4u << 20)

static gpa_t field(const struct guest *g, uint32_t offset)
{
	return gpa(g->lg.data.v + offset);
}

static const struct layout *layout_of(const struct guest *g)
{
	return &layouts[g->lg.layout];
}

/* Could a struct lguest_data of this layout lie at `data`?  It is untouched
 * before INIT, so its ring is free and its constants are the linker's
 * (ABI 10.2).  `strict`: the system-call vector is the usual one as well. */
static bool plausible(struct guest *g, const struct layout *l, uint32_t data, bool strict)
{
	const uint8_t *bytes = guest_bytes(g, gpa(data), l->size);
	uint32_t kernel_address, vector, i;

	if (!bytes)
		return false;
	for (i = 0; i < LGUEST_RING_SIZE; i++)
		if (bytes[l->status + i] != LGUEST_RING_FREE)
			return false;
	if (l->irq_pending != NONE) {
		memcpy(&i, bytes + l->irq_pending, sizeof(i));
		if (i != 0)
			return false;
	}
	memcpy(&kernel_address, bytes + l->kernel_address, sizeof(kernel_address));
	memcpy(&vector, bytes + l->syscall_vec, sizeof(vector));
	return !(kernel_address & ~GUEST_PAGE_MASK) && kernel_address >= 0x40000000 &&
	       (!strict || vector == LGUEST_SYSCALL_VECTOR);
}

/* Generations of `mask` whose lguest_data fits what the registers name. */
static uint16_t matching(struct guest *g, uint16_t mask, bool strict)
{
	const struct engine_regs *r = &g->cpu.v.regs;
	uint16_t found = 0;
	unsigned int i;

	for (i = 0; i < GUEST_LAYOUTS; i++) {
		uint16_t old = layouts[i].gens & GENS_OLD_REGS & mask;
		uint16_t new = layouts[i].gens & mask & (uint16_t)~GENS_OLD_REGS;

		if (old && plausible(g, &layouts[i], r->edx, strict))
			found |= old;
		if (new && plausible(g, &layouts[i], r->ebx, strict))
			found |= new;
	}
	/* Both conventions fit: only new guests load the new register with an
	 * address at this point. */
	if (found & (uint16_t)~GENS_OLD_REGS)
		found &= (uint16_t)~GENS_OLD_REGS;
	return found;
}

/* Is `text` at `at`?  Only within memory. */
static bool text_at(struct guest *g, uint32_t at, const char *text, uint32_t n)
{
	const char *bytes = guest_bytes(g, gpa(at), n);

	return bytes && memcmp(bytes, text, n) == 0;
}

/* Z and Z' look the same until the device page is scanned, except for the
 * version text every kernel carries uncompressed by now (ABI 10.2, 1b). */
static uint16_t z_by_version(struct guest *g)
{
	static const char text[] = "Linux version 2.6.2";
	uint32_t at, n = sizeof(text) - 1;

	for (at = 0; at + n < g->mem_bytes; at++) {
		const char *digit;

		if (!text_at(g, at, text, n))
			continue;
		digit = guest_bytes(g, gpa(at + n), 1);
		return *digit <= '5' ? GEN(Z) : GEN(ZP);
	}
	return GEN(Z) | GEN(ZP);
}

/* Z and Z' read pgdir right after the trap, A loads its stack (ABI 10.2, 1a). */
static uint16_t old_by_code(struct guest *g)
{
	uint32_t pgdir = g->cpu.v.regs.edx + layouts[0].pgdir;
	uint32_t eip = g->cpu.v.regs.eip;
	uint8_t load[6] = { 0x8b, 0x35 };

	memcpy(load + 2, &pgdir, sizeof(pgdir));
	if (text_at(g, eip, (const char *)load, sizeof(load)))
		return z_by_version(g);
	if (text_at(g, eip, "\xbc", 1))
		return GEN(A);
	return GENS_OLD_REGS;
}

void guest_detect(struct guest *g, bool vmcall)
{
	uint16_t mask = vmcall ? GEN(S) | GEN(B) | GEN(C) :
				 GENS_OLD_REGS | GEN(D) | GEN(E) | GEN(F);
	uint16_t found;
	unsigned int i;

	/* --abi beats what the instruction says. */
	if (g->lg.forced_gens != GENS_ALL)
		mask = g->lg.forced_gens;
	found = matching(g, mask, true);
	if (!found)
		found = matching(g, mask, false);
	/* Nothing fits: INIT will say what is wrong with the likeliest. */
	if (!found)
		found = mask & GENS_OLD_REGS && !g->cpu.v.regs.ebx ?
			mask & GENS_OLD_REGS : mask & (uint16_t)~GENS_OLD_REGS;
	if (!found)
		found = mask;
	if (found & GENS_OLD_REGS && (found & old_by_code(g)))
		found &= old_by_code(g);
	g->lg.gens = found;
	g->lg.old_registers = (found & GENS_OLD_REGS) != 0;
	for (i = 0; i < GUEST_LAYOUTS; i++)
		if (layouts[i].gens & found) {
			g->lg.layout = (uint8_t)i;
			break;
		}
}

/* The constants of the image, checked and remembered. */
static bool read_constants(struct guest *g)
{
	const struct layout *l = layout_of(g);
	uint32_t vector = guest_read32(g, field(g, l->syscall_vec));

	if (vector != LGUEST_SYSCALL_VECTOR) {
		kill_guest(g, "system-call vector 0x%x in lguest_data, only 0x80 is possible",
			   vector);
		return false;
	}
	g->lg.noirq_start = guest_read32(g, field(g, l->noirq_start));
	g->lg.noirq_end = l->noirq_end == NONE ? g->lg.noirq_start + 1 :
			  guest_read32(g, field(g, l->noirq_end));
	g->lg.kernel_address = guest_read32(g, field(g, l->kernel_address));
	if (g->lg.kernel_address & ~GUEST_PAGE_MASK) {
		kill_guest(g, "kernel_address 0x%x is not page aligned",
			   g->lg.kernel_address);
		return false;
	}
	if (g->lg.kernel_address >= 0u - RESERVE_MEM) {
		kill_guest(g, "kernel_address 0x%x lies in the reserved top of memory",
			   g->lg.kernel_address);
		return false;
	}
	return true;
}

/* The order is that of the original host (ABI 2.2). */
void hcall_lguest_init(struct guest *g, const uint32_t arg[4])
{
	const struct layout *l = layout_of(g);

	if (g->lg.initialised) {
		kill_guest(g, "LGUEST_INIT a second time");
		return;
	}
	if (!guest_bytes(g, gpa(arg[0]), l->size)) {
		kill_guest(g, "lguest_data at 0x%x is outside memory", arg[0]);
		return;
	}
	g->lg.data = gpa(arg[0]);
	guest_write32(g, field(g, l->tsc_khz), g->tsc_khz);
	if (!read_constants(g))
		return;
	g->lg.initialised = true;
	guest_update_time(g);
	g->lg.reserve_mem = RESERVE_MEM;
	guest_write32(g, field(g, l->reserve_mem), RESERVE_MEM);
	if (l->pgdir != NONE)
		guest_write32(g, field(g, l->pgdir), guest_build_boot_tables(g));
	guest_drop_shadows(g);
}

struct ring_place guest_ring_place(const struct guest *g)
{
	const struct layout *l = layout_of(g);

	return (struct ring_place){ field(g, l->status), field(g, l->calls),
				    l->entry_bytes };
}

uint32_t guest_irq_enabled_address(const struct guest *g)
{
	/* All kernels have it in their linear map. */
	return g->lg.initialised ? g->lg.kernel_address + field(g, IRQ_ENABLED).v : 0;
}

uint32_t guest_irq_enabled(struct guest *g)
{
	/* Only bit 9 counts: guests store whole EFLAGS images there (ABI 5.4). */
	if (!g->lg.initialised)
		return 0;
	return guest_read32(g, field(g, IRQ_ENABLED)) & EFLAGS_IF;
}

void guest_set_irq_enabled(struct guest *g, uint32_t value)
{
	if (g->lg.initialised)
		guest_write32(g, field(g, IRQ_ENABLED), value);
}

uint32_t guest_blocked_interrupts(struct guest *g)
{
	return guest_read32(g, field(g, BLOCKED));
}

void guest_set_irq_pending(struct guest *g, uint32_t value)
{
	if (layout_of(g)->irq_pending != NONE)
		guest_write32(g, field(g, layout_of(g)->irq_pending), value);
}

void guest_set_cr2(struct guest *g, uint32_t address)
{
	if (g->lg.initialised)
		guest_write32(g, field(g, CR2), address);
}

void guest_update_time(struct guest *g)
{
	struct lguest_time time;

	engine_wall_clock(&time.tv_sec, &time.tv_nsec);
	guest_write(g, field(g, TIME), &time, sizeof(time));
}

bool guest_data_field(struct guest *g, unsigned int i, struct guest_field *field_out)
{
	const struct layout *l = layout_of(g);
	const struct {
		const char *name;
		uint32_t offset;
	} fields[] = {
		{ "irq_enabled", IRQ_ENABLED }, { "blocked_interrupts", BLOCKED }, { "cr2", CR2 },
		{ "time.sec", TIME }, { "irq_pending", l->irq_pending },
		{ "reserve_mem", l->reserve_mem }, { "tsc_khz", l->tsc_khz },
		{ "pgdir", l->pgdir }, { "noirq_start", l->noirq_start },
		{ "noirq_end", l->noirq_end }, { "kernel_address", l->kernel_address },
		{ "syscall_vec", l->syscall_vec },
	};
	unsigned int seen = 0;

	for (unsigned int k = 0; k < sizeof(fields) / sizeof(fields[0]); k++) {
		const void *at;

		if (fields[k].offset == NONE || seen++ != i)
			continue;
		/* It was inside memory at INIT, so it is now. */
		at = guest_bytes(g, field(g, fields[k].offset), sizeof(field_out->value));
		if (!at)
			return false;
		field_out->name = fields[k].name;
		memcpy(&field_out->value, at, sizeof(field_out->value));
		return true;
	}
	return false;
}
