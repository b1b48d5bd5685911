/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest for unit tests: state and 16 MiB of memory side by side, no engine.
 */
#ifndef TESTS_GUEST_FIXTURE_H
#define TESTS_GUEST_FIXTURE_H

#include "guest/guest.h"

#define FIXTURE_MEM (16u << 20)
#define FIXTURE_SPARE 256u

/* A guest in its initial state, entry at 1 MiB. */
struct guest *fixture_new(void);
void fixture_free(struct guest *g);

/* Guest-physical memory. */
uint8_t *fixture_ram(struct guest *g);
void fixture_put32(struct guest *g, uint32_t pa, uint32_t value);
uint32_t fixture_get32(struct guest *g, uint32_t pa);

/* Writes an lguest_data of that generation's layout at `pa`, as a linker would. */
void fixture_put_data(struct guest *g, enum generation gen, uint32_t pa);

/* The guest makes a hypercall, as if by int $0x1f, with these registers. */
void fixture_call(struct guest *g, uint32_t eax, uint32_t ebx, uint32_t ecx,
		  uint32_t edx, uint32_t esi);

/* A guest of generation S, B, C, E or F after its LGUEST_INIT; lguest_data is
 * at FIXTURE_DATA. */
#define FIXTURE_DATA 0x200000u
struct guest *fixture_started(enum generation gen);

/* The same with page tables: one for addresses 0 to 4 MiB, seen again at 3 GiB, where
 * programs may not use it. */
#define FIXTURE_TOP 0x400000u
#define FIXTURE_TABLE 0x401000u
struct guest *fixture_paged(enum generation gen);

/* A present gate for `vector` that leads to `offset`. */
void fixture_gate(struct guest *g, unsigned int vector, uint32_t offset,
		  unsigned int type, unsigned int dpl);

#endif
