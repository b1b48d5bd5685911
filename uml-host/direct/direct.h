/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The direct engine, the supervisor's side: the guest's process, in which the
 * monitor runs guest and guest layer (monitor/), and the answers to what it asks
 * for.
 *
 * Whoever runs in that process may be a guest that has taken it over.  The
 * guest's state there is never used here: what is needed of it is copied into a
 * state of the supervisor's own and checked (direct_look).
 */
#ifndef DIRECT_DIRECT_H
#define DIRECT_DIRECT_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/guest.h"

struct direct_config {
	struct guest *own;	/* the supervisor's; guest memory lies ram_offset behind it */
	struct guest *shared;	/* the guest's state, also mapped by the monitor */
	int guest_fd, ram_fd;	/* of `shared` and of guest memory */
	uint64_t guest_bytes, ram_bytes;	/* their sizes */
	int cpu;		/* host CPU to pin to, or ENGINE_CPU_… */
	enum turns_when turns;	/* with others on that CPU */
	enum vmcall_behaviour simulate;
};

struct direct;

/* Has this host what the engine needs and the ptrace engine does not? */
bool direct_possible(void);

/* Starts the guest's process.  Dies if the host does not let us. */
struct direct *direct_open(const struct direct_config *config);

/* Runs the guest whose initial state is in `own` until it ends or the owner
 * stops it; how it ended is then in `own`.  Events are handed out soon, not at
 * once; `each_event`: the guest waits for every one, for who looks at its memory.
 * A second run starts a new process. */
void direct_run(struct direct *d, const struct guest_owner *owner, bool each_event);

/* Makes the guest stop and look for interrupts, and direct_run for its owner's
 * wish to stop.  Any thread and any signal handler may call it. */
void direct_kick(struct direct *d);
/* Makes virtual IRQ `irq` (0..31) pending.  Any thread may call it. */
void direct_raise_irq(struct direct *d, unsigned int irq);
/* Which events are wanted, while it runs: see struct guest. */
void direct_set_trace(struct direct *d, uint32_t rows, uint32_t kinds);

enum vmcall_behaviour direct_vmcall(const struct direct *d);
const struct engine_counters *direct_counters(struct direct *d);
/* ns of one bare stop and resume on `int $0x1f`, of `rounds`; for an engine that
 * has not run anything. */
uint64_t direct_floor_ns(struct direct *d, unsigned int rounds);

/* Ends its processes and frees it. */
void direct_close(struct direct *d);

#endif
