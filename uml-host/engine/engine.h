/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract between guest state and execution.
 *
 * An engine runs 32-bit guest code on the host processor until something
 * happens that the guest layer has to see, and makes the host mappings that
 * the guest layer asked for.  It knows nothing of hypercalls, descriptor
 * tables or interrupts: it deals in registers, x86 vectors and mappings.
 *
 * The state both sides look at (struct engine_vcpu, struct space) holds no
 * pointers, so that it can live in memory shared between processes.
 *
 * Implementations: ptrace.c (a supervisor traces stub processes).
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/space.h"
#include "engine/turns.h"

/* The integer registers of the guest, as the host processor holds them.  The
 * guest's CS and SS are virtual; the host's CS is always 0x23. */
struct engine_regs {
	uint32_t eax, ebx, ecx, edx, esi, edi, ebp, esp;
	uint32_t eip, eflags;
	uint16_t ds, es, fs, gs, ss;	/* host selectors */
};

/* x86 vectors an engine reports. */
enum {
	VECTOR_DE = 0, VECTOR_DB = 1, VECTOR_NMI = 2, VECTOR_BP = 3,
	VECTOR_OF = 4, VECTOR_BR = 5, VECTOR_UD = 6, VECTOR_NM = 7,
	VECTOR_DF = 8, VECTOR_TS = 10, VECTOR_NP = 11, VECTOR_SS = 12,
	VECTOR_GP = 13, VECTOR_PF = 14, VECTOR_MF = 16, VECTOR_AC = 17,
	VECTOR_XF = 19,
};

/* Page-fault error code bits (Intel SDM 3A, 4.7). */
#define PF_PRESENT 1u	/* the page was mapped, the access not allowed */
#define PF_WRITE 2u
#define PF_USER 4u
#define PF_FETCH 16u

#define ENGINE_INSN_MAX 15	/* the longest x86 instruction, bytes */

enum engine_exit_kind {
	ENGINE_EXIT_TRAP,	/* vector, error and address are valid */
	ENGINE_EXIT_KICK,	/* engine_kick() was called; nothing else happened */
	ENGINE_EXIT_LONG_MODE,	/* the code was found in 64-bit mode */
	ENGINE_EXIT_GONE,	/* the process that ran the guest no longer exists */
	ENGINE_EXIT_NO_MAPPINGS,/* the host refused a mapping: too many of them */
};

struct engine_exit {
	uint8_t kind;		/* enum engine_exit_kind */
	uint8_t vector;
	/* The instruction is a software interrupt: no error code belongs to it. */
	bool software;
	bool gate;		/* no trap happened: code called what it stands for */
	uint8_t insn_len;	/* valid bytes of insn; 0 if they were not needed */
	uint32_t error;		/* x86 error code, 0 where the vector has none */
	uint32_t address;	/* faulting address of VECTOR_PF */
	uint8_t watched;	/* of VECTOR_DB: bit n = register n of engine_set_debug */
	uint8_t insn[ENGINE_INSN_MAX + 1];	/* bytes at EIP */
};

/* What a guest and its engine share about the one virtual CPU. */
struct engine_vcpu {
	struct engine_regs regs;
	uint32_t fs_base, gs_base;	/* bytes; bases of the loaded FS, GS */
	uint16_t space;			/* index of the space to run in */
	/* The host had no process for that space until another space lost its own:
	 * better to use fewer. */
	bool crowded;
	struct engine_exit exit;
};

/* What `vmcall` does on this host, in compatibility mode at ring 3. */
enum vmcall_behaviour {
	VMCALL_UNKNOWN,		/* not probed yet */
	VMCALL_SIGILL,		/* #UD: real processors outside virtual machines */
	VMCALL_SIGSEGV,		/* #GP: AMD and some Intel virtual machines */
	VMCALL_SILENT,		/* swallowed by an outer hypervisor, EAX changed */
};

/* Reads guest code for the engine: at most `len` bytes at linear address `va`
 * of space `space` into `buf`; returns how many could be read. */
typedef size_t engine_fetch_fn(void *owner, unsigned int space, uint32_t va,
			       void *buf, size_t len);

#define ENGINE_CPU_AUTO (-1)	/* a CPU that is idle, now and later */
#define ENGINE_CPU_NONE (-2)	/* wherever the host's scheduler likes */

struct engine_config {
	struct engine_vcpu *vcpu;
	struct space *spaces;		/* array of nr_spaces */
	unsigned int nr_spaces;
	int ram_fd;			/* sealed memfd with the guest's frames */
	uint64_t ram_bytes;
	int cpu;			/* host CPU to pin to, or ENGINE_CPU_… */
	enum turns_when turns;		/* with others on that CPU */
	enum vmcall_behaviour simulate;	/* VMCALL_UNKNOWN: what the host really does */
	engine_fetch_fn *fetch;
	void *owner;			/* first argument of fetch */
};

/* The host's flat data segment, and its LDT entry n as a selector. */
#define ENGINE_FLAT_DS 0x2bu
#define ENGINE_LDT_SELECTOR(n) (((n) << 3) | 7u)

struct engine;

/* Starts what is needed to run guest code.  Never returns NULL: if the host
 * does not let us, it ends the program with a clear line (die). */
struct engine *engine_open(const struct engine_config *config);

/* Applies the mapping changes queued in the current space, runs guest code
 * there until it stops, and fills vcpu->regs and vcpu->exit. */
void engine_run(struct engine *engine);

/* Makes engine_run or engine_wait return soon with ENGINE_EXIT_KICK.  Any
 * thread and any signal handler may call it. */
void engine_kick(struct engine *engine);

/* Sleeps until engine_kick or until CLOCK_MONOTONIC is deadline (ns, 0: no
 * deadline).  For a halted virtual CPU. */
void engine_wait(struct engine *engine, uint64_t deadline);

/* Asks for a kick when CLOCK_MONOTONIC is deadline (ns); 0 cancels. */
void engine_set_timer(struct engine *engine, uint64_t deadline);

/* For a debugger: the processor's own debug registers, as DR0 to DR3 and DR7 are
 * laid out, for guest code in every space (Intel SDM 3B, 17.2).  False: the host
 * does not take them, and none is set.  Call it between two engine_run. */
bool engine_set_debug(struct engine *engine, const uint32_t address[4], uint32_t dr7);

/* The x87 and SSE registers, as FXSAVE of 64-bit mode stores them.  False: no
 * code has run yet, or the host refuses the values. */
#define ENGINE_FPU_BYTES 512
bool engine_read_fpu(struct engine *engine, uint8_t fpu[ENGINE_FPU_BYTES]);
bool engine_write_fpu(struct engine *engine, const uint8_t fpu[ENGINE_FPU_BYTES]);

/* Ends every process of the engine and frees it. */
void engine_close(struct engine *engine);

/* What vmcall does here: the measured value, or the simulated one. */
enum vmcall_behaviour engine_vmcall(const struct engine *engine);
const char *vmcall_behaviour_name(enum vmcall_behaviour behaviour);

/* Host events counted since engine_open, for statistics and benchmarks. */
struct engine_counters {
	uint64_t stops;		/* times guest code stopped */
	uint64_t batches;	/* stub operation batches */
	uint64_t operations;	/* operations in them */
	uint64_t fpu_moves;	/* FPU states written into another stub */
};
const struct engine_counters *engine_counters(const struct engine *engine);

/* The floor of this engine: ns of one bare stop and resume on `int $0x1f`,
 * with nothing decoded or serviced in between.  Runs `rounds` of them. */
uint64_t engine_floor_ns(struct engine *engine, unsigned int rounds);

#endif
