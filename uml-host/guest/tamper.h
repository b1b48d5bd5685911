/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tampering: what --inject does to chosen hypercalls.  Plain data, as all of a
 * guest's state; the words of the command line become it in log/inject.c.
 */
#ifndef GUEST_TAMPER_H
#define GUEST_TAMPER_H

#include <stdbool.h>
#include <stdint.h>

#define TAMPER_RULES 16u
#define TAMPER_BYTES 32u
#define TAMPER_REASON 64u

/* Bytes put into guest memory.  arg 1 to 4: where that argument points to, a
 * virtual address if the argument is one; 0: at guest-physical `address`. */
struct tamper_poke {
	uint8_t arg;
	uint8_t len;		/* 0: none */
	uint32_t address;
	uint8_t byte[TAMPER_BYTES];
};

struct tamper_rule {
	/* Bit r: calls of row r of hcall_table, made directly or found in the
	 * ring; bit HCALL_ROWS: calls of no row. */
	uint32_t calls, async;
	/* Of the calls that match, by number from 1: first, first + step, … up
	 * to last.  `seen` counts them. */
	uint32_t first, last, step, seen;
	bool skip;		/* the call is not made */
	bool kill;		/* the guest is killed instead, for `reason` */
	bool sets_eax;		/* afterwards EAX is `eax`: no real host does that */
	bool raises;		/* afterwards IRQ `irq` is pending */
	uint8_t irq;
	uint32_t eax;
	uint64_t delay_enter_ns, delay_exit_ns;
	struct tamper_poke poke_enter, poke_exit;
	char reason[TAMPER_REASON];
};

struct tamper {
	uint32_t rules;
	struct tamper_rule rule[TAMPER_RULES];
};

#endif
