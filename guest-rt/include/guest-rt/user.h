/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page tables and user mode: enough to run a piece of code at ring 3 and see
 * how it ends.
 */
#ifndef GUEST_RT_USER_H
#define GUEST_RT_USER_H

#include <guest-rt/guest.h>

#define PTE_KERNEL 0x063u	/* P RW A D */
#define PTE_USER 0x067u		/* and US */

/* Two-level tables, as Linux makes them: the entry first, then the call. */
struct page_tables {
	uint32_t top[1024] __attribute__((aligned(4096)));
	uint32_t low[1024] __attribute__((aligned(4096)));	/* 0 to 4 MiB, 1:1 */
	uint32_t user[1024] __attribute__((aligned(4096)));	/* from USER_BASE */
};

#define USER_BASE 0x40000000u

/* Kernel memory below 4 MiB 1:1 and again at PAGE_OFFSET, nothing for the user. */
void tables_init(struct page_tables *t);
void tables_load(struct page_tables *t);
/* One user page: `page` counts from USER_BASE; pte 0 takes it away. */
void tables_set_user(struct page_tables *t, unsigned int page, uint32_t pte);

/* A piece of user code, from NAME_start to NAME_end. */
#define USER_CODE(name, text) \
	extern const uint8_t name##_start[], name##_end[]; \
	__asm__(".section .rodata\n" #name "_start:\n" text "\n" #name "_end:\n.previous")
/* Puts it at the start of a page that is no-ops otherwise. */
void user_load(uint8_t page[4096], const uint8_t *start, const uint8_t *end);

/* How a stay in user mode ended. */
struct user_end {
	uint32_t vector, error, cr2;
	struct trap_frame frame;
};

/* Runs user code at eip with stack esp until it traps with a vector that is not
 * handled below, and says how.  Interrupts are enabled in user mode. */
void user_run(uint32_t eip, uint32_t esp, struct user_end *end);
/* The same with flags, the virtual interrupt flag among them. */
void user_run_with(uint32_t eip, uint32_t esp, uint32_t eflags, struct user_end *end);

/* Called for every trap from user mode that has a handler: true goes on in user
 * mode, with the frame as the handler left it. */
typedef bool user_handler(struct trap_frame *frame);
void user_set_handler(unsigned int vector, user_handler *handler);

#endif
