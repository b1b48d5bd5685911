/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the supervisor and the monitor of the direct engine share: addresses in
 * the monitor's process, descriptors it starts with, and the channel: requests and
 * a ring of events.
 *
 * The monitor runs in the guest's own process.  A guest kernel that leaves its
 * 32 bits can write everything the monitor can write, so for the supervisor all
 * of the channel is hostile: it copies a word, checks the copy, uses the copy.
 */
#ifndef MONITOR_CHANNEL_H
#define MONITOR_CHANNEL_H

#include <linux/filter.h>
#include <stdint.h>

#include "guest/guest.h"
#include "monitor/view.h"

/* Descriptors: frames stay open, the others are closed once mapped. */
#define MONITOR_FD_RAM 3
#define MONITOR_FD_ANSWERS 4	/* a pipe: what the mappers of views say */
#define MONITOR_FD_CHANNEL 5
#define MONITOR_FD_GUEST 6
#define MONITOR_FD_VIEWS 7

/* Far above what a 32-bit pointer reaches.  The channel's size is a power of two
 * and its address a multiple, so that a filter can name it by mask; the slices of the
 * user views follow it.  Behind the guest's state lies its memory, as in the
 * supervisor. */
#define MONITOR_CHANNEL 0x0f0000000000ull
#define MONITOR_CHANNEL_BYTES (64ull << 20)
#define MONITOR_VIEWS (MONITOR_CHANNEL + MONITOR_CHANNEL_BYTES)
#define MONITOR_VIEWS_BYTES (GUEST_TABLES * VIEW_SLICE_BYTES)
#define MONITOR_SHARED_BYTES (MONITOR_CHANNEL_BYTES + MONITOR_VIEWS_BYTES)
#define MONITOR_GUEST 0x0e0000000000ull

#define MONITOR_NAME "uml-host-vcpu"

#define CHANNEL_EVENTS 1024u	/* a power of two */
#define CHANNEL_FILTER 512u
#define CHANNEL_TEXT EVENT_TEXT

/* What the monitor asks of the supervisor, and waits for. */
enum channel_request {
	CHANNEL_NONE,
	CHANNEL_READY,		/* set up; errno and step if it could not */
	CHANNEL_NOTIFY,		/* address; answer: known */
	CHANNEL_PORT,		/* access; answer: known, value */
	CHANNEL_MMIO,
	CHANNEL_CONSOLE,	/* text */
	CHANNEL_INITIALISED,
	CHANNEL_VIEW,		/* address: a user view to start; answer: known, it runs */
	CHANNEL_KICK,		/* a user view runs on after its time */
	CHANNEL_END_VIEW,	/* address: a user view that does not stop */
	CHANNEL_EVENTS_FULL,	/* answered when the ring of events is empty */
	CHANNEL_END,		/* the guest is over, or the monitor: `end` says why */
	NR_CHANNEL_REQUESTS
};

struct channel {
	/* For the monitor, written before it starts. */
	uint64_t guest_bytes, ram_bytes;
	uint64_t filter_len;
	struct sock_filter filter[CHANNEL_FILTER];
	uint32_t simulate;	/* enum vmcall_behaviour */
	uint32_t each_event;	/* every event is waited for: somebody looks at memory */

	/* Requests: the monitor fills them in, sets `request`, rings; the
	 * supervisor answers by CHANNEL_NONE. */
	uint32_t bell;		/* a futex the supervisor sleeps on */
	uint32_t request;	/* a futex the monitor sleeps on */
	uint32_t address, value, known;
	struct guest_access access;
	uint32_t text_len;
	uint8_t text[CHANNEL_TEXT];
	uint32_t end;		/* enum monitor_end */
	int32_t failed_errno;
	uint32_t failed_step;

	/* Kicks: somebody wants the guest to stop. */
	uint32_t kicked;	/* a futex a halted CPU sleeps on */
	uint32_t waiting;	/* it does */
	uint32_t running;	/* where guest code runs, or is about to: see below */

	struct engine_counters counters;
	uint32_t floor_rounds;	/* of a bare stop to measure, 0: none */
	uint32_t vmcall;	/* enum vmcall_behaviour, as probed */
	uint64_t floor_ns;

	uint32_t turn;		/* a futex: enum turn */
	uint32_t events_bell;	/* a futex for who hands events out */
	uint32_t head, tail;	/* events: next to write, next to read */
	struct guest_event event[CHANNEL_EVENTS];
};

/* channel.running */
#define RUNNING_NONE 0u
#define RUNNING_KERNEL 1u
#define RUNNING_VIEW(i) (2 + (i))

_Static_assert(MONITOR_VIEWS_BYTES == MONITOR_CHANNEL_BYTES, "both in one window");
_Static_assert(sizeof(struct channel) <= MONITOR_CHANNEL_BYTES, "fits its window");

/* Why a monitor ends that still has its guest. */
#define MONITOR_END_LIST(X)					\
	X(MEMORY, "the host has no memory left for the guest")	\
	X(PROCESSES, "the host has no process left for the guest's programs") \
	X(MAPPING, "cannot map guest memory in the guest's process") \
	X(TIMER, "cannot set a timer")

#define MONITOR_END_ENUM_(id, what) MONITOR_END_##id,
enum monitor_end { MONITOR_END_GUEST, MONITOR_END_LIST(MONITOR_END_ENUM_) NR_MONITOR_ENDS };
#undef MONITOR_END_ENUM_

/* Steps of the monitor's start, for the error line. */
#define MONITOR_STEP_LIST(X)					\
	X(EXEC, "cannot execute the monitor from memory")	\
	X(DESCRIPTORS, "cannot pass descriptors to the monitor") \
	X(MAP, "the monitor cannot map guest memory")		\
	X(SIGNALS, "the monitor cannot catch signals")		\
	X(TIMER, "the monitor cannot make a timer")		\
	X(FILTER, "the monitor cannot lock itself in")

#define MONITOR_STEP_ENUM_(id, what) MONITOR_STEP_##id,
enum monitor_step { MONITOR_STEP_NONE, MONITOR_STEP_LIST(MONITOR_STEP_ENUM_) NR_MONITOR_STEPS };
#undef MONITOR_STEP_ENUM_

#endif
