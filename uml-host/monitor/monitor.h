/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The monitor of the direct engine: a freestanding 64-bit program in the guest's
 * own process, above the guest's 4 GiB.  It runs the guest layer there, so that
 * a hypercall is a jump, or a signal and an IRETQ, and no change of process.
 *
 *	start.S, entry.c the ways in and out of guest code
 *	main.c		setting up: mappings, signals, timer, the filter
 *	run.c		the engine's contract: run, wait, timer, kicks
 *	views.c		guest programs, in processes of their own
 *	fault.c		a signal and its frame become an x86 vector
 *	owner.c		what the guest wants from outside, asked of the supervisor
 *	clock.c		time, from the vDSO
 *	memory.c	memcpy and its like
 *
 * No thread-local storage, no floating point, no library.
 */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "monitor/channel.h"
#include "monitor/entry.h"
#include "monitor/syscall.h"

static inline struct channel *channel(void)
{
	return (struct channel *)MONITOR_CHANNEL;
}

static inline struct guest *monitored(void)
{
	return (struct guest *)MONITOR_GUEST;
}

/* run.c */
struct monitor_hardware {
	bool fsgsbase;		/* rdfsbase and its like may be used */
	int timer;		/* of timer_create */
};
extern uint32_t monitor_resumed_eip;	/* where guest code last went on */
void monitor_prepare(const struct monitor_hardware *hardware);
#define EFLAGS_ID 0x200000u

/* Integer registers of a signal frame; data segments are not in it. */
void monitor_registers_out(struct engine_vcpu *v, const greg_t *r);

/* The processor's own, not sent by anybody: a child that stops has a code, too. */
static inline bool monitor_is_fault(int signal, int code)
{
	return code > 0 && (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL ||
			    signal == SIGFPE || signal == SIGTRAP || signal == SIGSYS);
}

/* fault.c: fills v->exit; registers are in v already. */
struct stop {
	int signal, code;	/* and si_code */
	const greg_t *gregs;	/* of a user view: hostile */
	bool view;
};
void monitor_classify(struct guest *g, const struct stop *stop);

/* views.c: a user view has its table's number. */
static inline bool is_view(unsigned int space) { return guest_is_user_space(space); }
static inline unsigned int view_of(unsigned int space) { return guest_table_of(space); }
bool view_exists(unsigned int view);
/* There is a process for it.  A new one has nothing mapped. */
void view_ready(struct guest *g, unsigned int view);
/* Has its mapper make a space's changes, and waits for it.  0, or -errno. */
long view_update(struct space *s, unsigned int view);
/* Runs guest code there until it stops; it is kicked when CLOCK_MONOTONIC is
 * `deadline` (ns, 0: never). */
void view_run(struct guest *g, unsigned int view, uint64_t deadline);
/* FPU registers are wanted in that view, or in this process (-1). */
void view_fpu_follows(int view);

/* owner.c */
extern const struct guest_owner monitor_owner;
/* Wakes one who sleeps on the futex with one of these bits. */
void monitor_wake(uint32_t *word, uint32_t bits);
/* Tells the supervisor, and waits for its answer. */
void monitor_request(enum channel_request request);
/* The monitor's own end; the supervisor says why. */
_Noreturn void monitor_end(enum monitor_end why);

/* clock.c: `vdso` is the ELF image in memory, or NULL. */
void monitor_find_clock(const void *vdso);

#endif
