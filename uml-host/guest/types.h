/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's numbers as C types: a guest-physical address, a guest-virtual
 * address and a guest frame number are all 32-bit words, and mixing them up is
 * the oldest bug of every hypervisor.  So each is a struct of its own, and only
 * guest/memory.c turns one into a host pointer.
 */
#ifndef GUEST_TYPES_H
#define GUEST_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUEST_PAGE_SHIFT 12
#define GUEST_PAGE_SIZE 4096u
#define GUEST_PAGE_MASK 0xfffff000u

typedef struct { uint32_t v; } gpa_t;	/* guest-physical address, bytes */
typedef struct { uint32_t v; } gva_t;	/* guest-virtual (= linear) address, bytes */
typedef struct { uint32_t v; } gfn_t;	/* guest frame number, pages */

static inline gpa_t gpa(uint32_t v) { return (gpa_t){ v }; }
static inline gva_t gva(uint32_t v) { return (gva_t){ v }; }
static inline gfn_t gfn(uint32_t v) { return (gfn_t){ v }; }
static inline gpa_t gfn_to_gpa(gfn_t f) { return gpa(f.v << GUEST_PAGE_SHIFT); }
static inline gfn_t gpa_to_gfn(gpa_t a) { return gfn(a.v >> GUEST_PAGE_SHIFT); }

#endif
