/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct lguest_data: the page of state a guest shares with its host.
 *
 * The guest names its guest-physical address in LGUEST_INIT.  The layout
 * changed three times; each struct below is one layout, named after the first
 * generation that has it.  All words are 32-bit little endian.
 *
 * Source: lguest guests of Linux 2.6.24 (Z) to 4.9 (F).
 */
#ifndef LGUEST_LGUEST_DATA_H
#define LGUEST_LGUEST_DATA_H

#include <stdint.h>
#include <lguest/hypercall.h>

/* One ring slot: EAX, EBX, ECX, EDX [, ESI], whatever they mean to the guest. */
struct lguest_hcall4 { uint32_t eax, ebx, ecx, edx; };
struct lguest_hcall5 { uint32_t eax, ebx, ecx, edx, esi; };

struct lguest_time { int32_t tv_sec, tv_nsec; };

/* Generations Z, Z', A, S and B: 1136 bytes. */
struct lguest_data_z {
	uint32_t irq_enabled;		/* 0x200 or 0, as EFLAGS.IF */
	uint32_t blocked_interrupts;	/* bit n set: virtual IRQ n is masked */
	uint32_t cr2;
	struct lguest_time time;	/* wall clock */
	uint8_t hcall_status[LGUEST_RING_SIZE];
	struct lguest_hcall4 hcalls[LGUEST_RING_SIZE];
	uint32_t reserve_mem;		/* bytes the guest leaves free at the top */
	uint32_t tsc_khz;		/* 0: do not use the TSC */
	uint32_t pgdir;			/* guest-physical address of the page directory */
	uint32_t noirq_start, noirq_end;
	uint32_t kernel_address;	/* PAGE_OFFSET */
	uint32_t syscall_vec;		/* 0x80 */
};

/* Generations C and D: 1396 bytes. */
struct lguest_data_c {
	uint32_t irq_enabled;
	uint32_t blocked_interrupts;
	uint32_t cr2;
	struct lguest_time time;
	uint32_t irq_pending;		/* 0x200: call SEND_INTERRUPTS when enabling */
	uint8_t hcall_status[LGUEST_RING_SIZE];
	struct lguest_hcall5 hcalls[LGUEST_RING_SIZE];
	uint32_t reserve_mem;
	uint32_t tsc_khz;
	uint32_t pgdir;
	uint32_t noirq_start, noirq_end;
	uint32_t kernel_address;
	uint32_t syscall_vec;
};

/* Generation E: 1392 bytes; the guest brings its own boot tables, no pgdir. */
struct lguest_data_e {
	uint32_t irq_enabled;
	uint32_t blocked_interrupts;
	uint32_t cr2;
	struct lguest_time time;
	uint32_t irq_pending;
	uint8_t hcall_status[LGUEST_RING_SIZE];
	struct lguest_hcall5 hcalls[LGUEST_RING_SIZE];
	uint32_t reserve_mem;
	uint32_t tsc_khz;
	uint32_t noirq_start, noirq_end;
	uint32_t kernel_address;
	uint32_t syscall_vec;
};

/* Generation F: 1388 bytes; one address instead of the no-interrupt range. */
struct lguest_data_f {
	uint32_t irq_enabled;
	uint32_t blocked_interrupts;
	uint32_t cr2;
	struct lguest_time time;
	uint32_t irq_pending;
	uint8_t hcall_status[LGUEST_RING_SIZE];
	struct lguest_hcall5 hcalls[LGUEST_RING_SIZE];
	uint32_t reserve_mem;
	uint32_t tsc_khz;
	uint32_t noirq_iret;
	uint32_t kernel_address;
	uint32_t syscall_vec;
};

_Static_assert(sizeof(struct lguest_data_z) == 0x470, "layout Z is 1136 bytes");
_Static_assert(sizeof(struct lguest_data_c) == 0x574, "layout C is 1396 bytes");
_Static_assert(sizeof(struct lguest_data_e) == 0x570, "layout E is 1392 bytes");
_Static_assert(sizeof(struct lguest_data_f) == 0x56c, "layout F is 1388 bytes");

#endif
