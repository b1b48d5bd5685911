/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the ptrace engine share; nobody else includes this.
 *
 *	ptrace.c	resume and wait, kicks, timer
 *	stub.c		stub processes: start, batches of operations, end
 *	classify.c	a stop signal becomes an x86 vector
 *	debug.c		debug registers and the FPU state, for a debugger
 */
#ifndef ENGINE_PTRACE_H
#define ENGINE_PTRACE_H

#include <semaphore.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <sys/user.h>
#include <time.h>

#include "engine/engine.h"
#include "engine/placement.h"
#include "engine/stub.h"
#include "engine/turns.h"

/* Flat segments of every x86-64 Linux process. */
#define HOST_CS32 0x23
#define HOST_CS64 0x33
#define HOST_DS 0x2b

struct stub {
	_Atomic pid_t pid;	/* 0: not started */
	struct stub_channel *channel;
	/* Addresses in the stub, read once while it was still ours alone. */
	uint64_t run_batch, probe, floor;
	/* FPU and vector registers as it was last left; 0 bytes: not known. */
	size_t fpu_bytes;
	unsigned char *fpu;
};

#define STUB_FPU_BYTES 16384	/* AMX is the largest so far, some 11 KiB */

struct engine {
	struct engine_config config;
	struct stub *stub;	/* by index of its space */
	int current;		/* space whose stub holds the FPU state, or -1 */
	uint32_t resumed_eip;	/* where guest code was last resumed */
	int image_fd;		/* the stub's ELF image */
	bool protection_keys;	/* guest code can use WRPKRU */
	timer_t timer;
	sem_t sleep;
	atomic_bool kicked;	/* a kick nobody has seen yet */
	atomic_bool waiting;	/* engine_wait sleeps */
	_Atomic pid_t running;	/* stub that runs guest code, or 0 */
	enum vmcall_behaviour vmcall;
	struct engine_counters counters;
	uint32_t debug_address[4], dr7;	/* debug.c; DR7 0: none in use */

	struct placement placement;
	struct turns *turns;
	uint32_t turn;		/* a futex: enum turn */
};

/* stub.c */
void stubs_open(struct engine *e);	/* dies if the host does not allow it */
void stubs_close(struct engine *e);
/* The stub of a space: started, its queue carried out, the FPU state in it. */
struct stub *stub_enter(struct engine *e, unsigned int space);
/* Runs 64-bit code of the stub itself until its next stop that is not a kick;
 * returns the signal.  Dies if the stub is gone. */
int stub_run(struct engine *e, struct stub *stub, struct user_regs_struct *regs);
void stub_wait(struct stub *stub, int *status);
/* A request failed: collects the status of the dead stub.  Always true. */
bool stub_gone(struct engine *e, struct stub *stub, int *status);

/* debug.c: a new stub gets the debug registers; which of them a trap is from. */
void debug_enter(struct engine *e, struct stub *stub);
uint8_t debug_watched(struct engine *e, struct stub *stub);

/* classify.c: fills e->config.vcpu->exit, and corrects its registers where the
 * host kernel changed them on the way. */
void classify_stop(struct engine *e, struct stub *stub, int signal,
		   const struct user_regs_struct *regs);

#endif
