/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest for unit tests.
 */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>

#include "guest_fixture.h"
#include "lguest/lguest_data.h"

static size_t state_bytes(void)
{
	return (GUEST_BYTES + 0xfff) & ~(size_t)0xfff;
}

static size_t all_bytes(void)
{
	const uint32_t visible = (FIXTURE_MEM >> GUEST_PAGE_SHIFT) + FIXTURE_SPARE;

	return state_bytes() +
	       (size_t)(visible + GUEST_HIDDEN_PAGES + guest_guard_pages(visible)) * GUEST_PAGE_SIZE;
}

struct guest *fixture_new(void)
{
	struct guest_setup setup = {
		.mem_bytes = FIXTURE_MEM, .spare_pages = FIXTURE_SPARE,
		.ram_offset = (int64_t)state_bytes(), .entry = 0x100000,
		.gens = GENS_ALL,
	};
	struct guest *g = mmap(NULL, all_bytes(), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	guest_init(g, &setup);
	return g;
}

void fixture_free(struct guest *g)
{
	munmap(g, all_bytes());
}

uint8_t *fixture_ram(struct guest *g)
{
	return (uint8_t *)g + g->ram_offset;
}

void fixture_put32(struct guest *g, uint32_t pa, uint32_t value)
{
	memcpy(fixture_ram(g) + pa, &value, sizeof(value));
}

uint32_t fixture_get32(struct guest *g, uint32_t pa)
{
	uint32_t value;

	memcpy(&value, fixture_ram(g) + pa, sizeof(value));
	return value;
}

void fixture_put_data(struct guest *g, enum generation gen, uint32_t pa)
{
	uint8_t *at = fixture_ram(g) + pa;

#define FILL(type)							\
	do {								\
		struct type d = { .blocked_interrupts = 1,		\
			.kernel_address = 0xc0000000, .syscall_vec = 0x80 };	\
		memset(d.hcall_status, 0xff, sizeof(d.hcall_status));	\
		memcpy(at, &d, sizeof(d));				\
	} while (0)
	if (gen <= GENERATION_B)
		FILL(lguest_data_z);
	else if (gen <= GENERATION_D)
		FILL(lguest_data_c);
	else if (gen == GENERATION_E)
		FILL(lguest_data_e);
	else
		FILL(lguest_data_f);
}

void fixture_call(struct guest *g, uint32_t eax, uint32_t ebx, uint32_t ecx,
		  uint32_t edx, uint32_t esi)
{
	struct engine_regs *r = &g->cpu.v.regs;

	r->eax = eax;
	r->ebx = ebx;
	r->ecx = ecx;
	r->edx = edx;
	r->esi = esi;
	g->cpu.v.exit = (struct engine_exit){
		.kind = ENGINE_EXIT_TRAP, .vector = VECTOR_GP, .error = 0xfa,
	};
	guest_handle_exit(g);
}

struct guest *fixture_started(enum generation gen)
{
	struct guest *g = fixture_new();

	fixture_put_data(g, gen, FIXTURE_DATA);
	g->lg.gens = g->lg.forced_gens = (uint16_t)(1u << gen);
	if (GENS_OLD_REGS >> gen & 1)
		fixture_call(g, LHCALL_LGUEST_INIT, 0, 0, FIXTURE_DATA, 0);
	else
		fixture_call(g, LHCALL_LGUEST_INIT, FIXTURE_DATA, 0, 0, 0);
	return g;
}

struct guest *fixture_paged(enum generation gen)
{
	struct guest *g = fixture_started(gen);

	fixture_put32(g, FIXTURE_TOP, FIXTURE_TABLE | 0x67);
	fixture_put32(g, FIXTURE_TOP + 768 * 4, FIXTURE_TABLE | 0x63);
	fixture_call(g, LHCALL_NEW_PGTABLE, FIXTURE_TOP, 0, 0, 0);
	cr_assert_eq(g->end, END_RUNNING, "%s", g->reason);
	cr_assert_eq(g->mm.mode, MM_TABLES);
	cr_assert_not(g->mm.pae);
	return g;
}

void fixture_gate(struct guest *g, unsigned int vector, uint32_t offset,
		  unsigned int type, unsigned int dpl)
{
	const uint32_t arg[4] = {
		vector, 0x600000 | (offset & 0xffff),
		(offset & 0xffff0000) | 0x8000 | dpl << 13 | type << 8,
	};

	hcall_load_idt_entry(g, arg);
}
