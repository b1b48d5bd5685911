/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A user view: the process in which guest programs of one page table run, and
 * what it shares with the monitor.  Also included by view_start.S.
 *
 * Whatever runs there can be a guest program in 64-bit mode.  So it holds no
 * memory of the guest kernel and none of the monitor, and its filter lets it
 * wait and return from a signal, nothing else: it cannot map anything.  That is
 * done by a second task in the same address space, the mapper, which runs no
 * guest code, has no stack, takes its orders from memory that is read-only there,
 * and answers through a descriptor that only it has.
 */
#ifndef MONITOR_VIEW_H
#define MONITOR_VIEW_H

/* Descriptors the process starts with; only the mapper keeps the first two. */
#define VIEW_FD_RAM 3
#define VIEW_FD_ANSWERS 4	/* a pipe to the monitor, for the mappers of all views */
#define VIEW_FD_VIEWS 5		/* the slices of all views */
#define VIEW_FD_FILTERS 6	/* sealed: the filters of both tasks */

/* In the view's process: its slice, what it may write, then what it may read.
 * A power of two long, at a multiple of it. */
#define VIEW_SLICE 0x0f0000000000
#define VIEW_SLICE_BYTES 0x20000
#define VIEW_OWN_BYTES 0x10000	/* struct view_page and the alternate stack */
#define VIEW_STACK_BYTES 0xe000	/* the alternate one, at its end */
#define VIEW_ORDERS (VIEW_SLICE + VIEW_OWN_BYTES)
#define VIEW_ORDERS_BYTES 0x10000

#define VIEW_NAME "uml-host-view"

/* Whose turn it is: a futex both sleep on, each with a bit of its own. */
#define VIEW_TURN_DEAD 0	/* there is no process */
#define VIEW_TURN_GUEST 1
#define VIEW_TURN_MONITOR 2
#define VIEW_TURN_MAPPER 3	/* then the guest's */
#define VIEW_TURN_FAILED 4	/* the mapper could not do what comes before that */
#define VIEW_BIT_MONITOR 1
#define VIEW_BIT_GUEST 2

/* Offsets in struct view_page and struct view_orders, for the assembler. */
#define VIEW_P_TURN 0
#define VIEW_P_SIGNAL 4
#define VIEW_P_CODE 8
#define VIEW_P_DS 16
#define VIEW_P_ES 20
#define VIEW_P_FS 24
#define VIEW_P_GS 28
#define VIEW_P_FS_BASE 32
#define VIEW_P_GS_BASE 40
#define VIEW_P_FRAME 48
#define VIEW_P_FLAGS 56
#define VIEW_P_HAS_BASES 64
#define VIEW_P_FAILED 72
#define VIEW_P_MAPPER 80
#define VIEW_P_MONITOR_SLEEPS 88
#define VIEW_P_GUEST_SLEEPS 92
#define VIEW_O_SEQUENCE 0
#define VIEW_O_COUNT 4
#define VIEW_O_DONE 8
#define VIEW_O_FAILED 16
#define VIEW_O_THEN_RUN 24
#define VIEW_O_OPS 64
#define VIEW_MAX_OPS 512
/* Behind the slice, and not shared with the monitor, which may be its guest's by
 * now and must not choose them. */
#define VIEW_MAPPER_FILTER (VIEW_SLICE + VIEW_SLICE_BYTES)
#define VIEW_GUEST_FILTER (VIEW_MAPPER_FILTER + VIEW_FILTER_BYTES)
#define VIEW_FILTER_BYTES 0x8000
#define VIEW_FILTER 1024	/* instructions */

#ifndef __ASSEMBLER__
#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/calls.h"

/* Written by both; for the monitor, hostile. */
struct view_page {
	uint32_t turn;		/* VIEW_TURN_… */
	uint32_t signal, code;	/* why guest code stopped; si_code */
	uint32_t reserved;
	/* Selectors as they were, and as they shall be. */
	uint32_t ds, es, fs, gs;
	uint64_t fs_base, gs_base;
	uint64_t frame;		/* the ucontext, an address in the view's process */
	uint64_t flags;		/* EFLAGS bits that a signal return keeps */
	uint64_t has_bases;	/* rdfsbase and its like may be used */
	int64_t failed;		/* setting up: -errno */
	uint64_t mapper;	/* its process ID, once it is there */
	uint32_t monitor_sleeps, guest_sleeps;	/* whom to wake at a change of turn */
};

/* Written by the monitor alone. */
struct view_orders {
	uint32_t sequence;	/* a futex the mapper sleeps on */
	uint32_t count;
	/* What the mapper says when it has made the calls, or when one of them
	 * failed.  Programs can neither write these words nor say them. */
	uint64_t done, failed;
	/* Lets guest code run then, which only got more; its word is heard later. */
	uint32_t then_run;
	uint8_t pad[VIEW_O_OPS - 28];
	struct host_call op[VIEW_MAX_OPS];
};

/* A filter as the kernel takes it: a struct sock_fprog and what it names. */
struct view_filter {
	uint64_t len, program;	/* the address in the view's process */
	struct sock_filter filter[VIEW_FILTER];
};

_Static_assert(offsetof(struct view_page, signal) == VIEW_P_SIGNAL &&
	       offsetof(struct view_page, code) == VIEW_P_CODE &&
	       offsetof(struct view_page, ds) == VIEW_P_DS &&
	       offsetof(struct view_page, gs) == VIEW_P_GS &&
	       offsetof(struct view_page, fs_base) == VIEW_P_FS_BASE &&
	       offsetof(struct view_page, gs_base) == VIEW_P_GS_BASE &&
	       offsetof(struct view_page, frame) == VIEW_P_FRAME &&
	       offsetof(struct view_page, flags) == VIEW_P_FLAGS &&
	       offsetof(struct view_page, has_bases) == VIEW_P_HAS_BASES &&
	       offsetof(struct view_page, failed) == VIEW_P_FAILED &&
	       offsetof(struct view_page, mapper) == VIEW_P_MAPPER &&
	       offsetof(struct view_page, monitor_sleeps) == VIEW_P_MONITOR_SLEEPS &&
	       offsetof(struct view_page, guest_sleeps) == VIEW_P_GUEST_SLEEPS, "view_start.S");
_Static_assert(offsetof(struct view_orders, count) == VIEW_O_COUNT &&
	       offsetof(struct view_orders, done) == VIEW_O_DONE &&
	       offsetof(struct view_orders, failed) == VIEW_O_FAILED &&
	       offsetof(struct view_orders, then_run) == VIEW_O_THEN_RUN &&
	       offsetof(struct view_orders, op) == VIEW_O_OPS, "view_start.S");
_Static_assert(sizeof(struct view_orders) <= VIEW_ORDERS_BYTES, "fits");
_Static_assert(sizeof(struct view_filter) <= VIEW_FILTER_BYTES, "fits");
#endif

#endif
