/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one table of hypercalls: number, name, class, arguments, generations,
 * handler.  Dispatch, log, filters, summaries, help and the man page all read
 * it.  Several rows may share a number: generations renamed or changed calls.
 */
#ifndef GUEST_HCALLS_H
#define GUEST_HCALLS_H

#include <stdint.h>

struct guest;

/* Generations of the ABI, by age; see doc/INTERNALS. X(NAME, text) */
#define GENERATION_LIST(X)				\
	X(Z, "Z", "Linux 2.6.24")			\
	X(ZP, "Z'", "Linux 2.6.25 to 2.6.28")		\
	X(A, "A", "Linux 2.6.29")			\
	X(S, "S", "the vmcall patch of March 2009")	\
	X(B, "B", "Linux 2.6.30")			\
	X(C, "C", "Linux 2.6.31 to 2.6.33")		\
	X(D, "D", "Linux 2.6.34 to 3.0")		\
	X(E, "E", "Linux 3.1 to 4.0")			\
	X(F, "F", "Linux 4.1 to 4.13")

#define GENERATION_ENUM_(id, name, what) GENERATION_##id,
enum generation { GENERATION_LIST(GENERATION_ENUM_) NR_GENERATIONS };
#undef GENERATION_ENUM_

#define GEN(id) (1u << GENERATION_##id)
#define GENS_ALL ((1u << NR_GENERATIONS) - 1)
#define GENS_OLD_REGS (GEN(Z) | GEN(ZP) | GEN(A))	/* arguments in edx, ebx, ecx */
#define GENS_TO_S (GENS_OLD_REGS | GEN(S))
#define GENS_TO_B (GENS_TO_S | GEN(B))
#define GENS_FROM_C (GEN(C) | GEN(D) | GEN(E) | GEN(F))
#define GENS_FROM_B (GEN(B) | GENS_FROM_C)
#define GENS_TO_E (GENS_ALL & ~GEN(F))

extern const char *const generation_name[NR_GENERATIONS];
extern const char *const generation_what[NR_GENERATIONS];

/* Classes, as in `-e trace=%memory`. X(ID, "name", "what belongs to it") */
#define HCALL_CLASS_LIST(X)						\
	X(CONTROL, "control", "start, stop, the ring")			\
	X(MEMORY, "memory", "page tables")				\
	X(SEGMENT, "segment", "GDT and TLS")				\
	X(INTERRUPT, "interrupt", "IDT, stack, TS, interrupts")		\
	X(TIME, "time", "clock and halt")				\
	X(DEVICE, "device", "NOTIFY")

#define HCALL_CLASS_ENUM_(id, name, what) CLASS_##id,
enum hcall_class { HCALL_CLASS_LIST(HCALL_CLASS_ENUM_) NR_HCALL_CLASSES };
#undef HCALL_CLASS_ENUM_

extern const char *const hcall_class_name[NR_HCALL_CLASSES];

/* What an argument is, which decides how it is printed. */
enum hcall_arg_kind {
	ARG_NONE,
	ARG_GPA,	/* guest-physical address */
	ARG_GVA,	/* guest-virtual address */
	ARG_TABLE,	/* guest-physical address of a page table */
	ARG_INDEX,	/* plain number */
	ARG_COUNT,	/* plain number */
	ARG_SELECTOR,
	ARG_VECTOR,	/* IDT vector */
	ARG_GATE_LO, ARG_GATE_HI,	/* the two words of a gate */
	ARG_DESC_LO, ARG_DESC_HI,	/* the two words of a segment descriptor */
	ARG_PTE,	/* low word of a page-table entry */
	ARG_PTE_HI,	/* high word; shown only if the guest uses PAE */
	ARG_NS,		/* nanoseconds */
	ARG_TS,		/* CR0.TS: 0 or 8 */
	ARG_SCOPE,	/* 0: user part, else everything */
	ARG_HOW,	/* LGUEST_SHUTDOWN_* */
	ARG_TEXT,	/* guest-physical address of text; event.text has it */
	ARG_NOTIFY,	/* device record, queue or early console text */
};

struct hcall_arg {
	uint8_t kind;		/* enum hcall_arg_kind */
	const char *name;	/* "pgdir"; NULL ends the list */
};

/* Arguments of one call in ABI order: arg1, arg2, arg3, arg4. */
struct hcall_row {
	uint8_t nr;
	uint8_t class;		/* enum hcall_class */
	uint16_t gens;		/* bit mask: GEN(Z) | … */
	const char *name;	/* without LHCALL_ */
	struct hcall_arg arg[4];
	/* arg[0..3] as above; validates, then acts, or kills the guest. */
	void (*handler)(struct guest *g, const uint32_t arg[4]);
};

#define HCALL_ROWS 20u
extern const struct hcall_row hcall_table[HCALL_ROWS];

#endif
