/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ways in and out of guest code, in the vCPU process: start.S and entry.c.
 */
#ifndef MONITOR_ENTRY_H
#define MONITOR_ENTRY_H

/* The host's code segments of both sizes. */
#define HOST_CS32 0x23
#define HOST_CS64 0x33

/* One region: the monitor's stack, then room for the frames of signals. */
#define ENTRY_STACK_BYTES 0x10000
#define ENTRY_FRAMES_BYTES 0x20000

/* Offsets in struct entry_state, for the assembler. */
#define ENTRY_FPU 0
#define ENTRY_FPU_PARTS 8
#define ENTRY_RIP 16
#define ENTRY_CS 24
#define ENTRY_FLAGS 32
#define ENTRY_RSP 40
#define ENTRY_SS 48
#define ENTRY_EAX 56
#define ENTRY_EBX 60
#define ENTRY_ECX 64
#define ENTRY_EDX 68
#define ENTRY_ESI 72
#define ENTRY_EDI 76
#define ENTRY_EBP 80
#define ENTRY_WHICH 84

/* What entry_go returns beside the numbers of signals. */
#define ENTRY_NONE 0
#define ENTRY_GATE 65

#ifndef __ASSEMBLER__
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

struct entry_state {
	uint64_t fpu;		/* FXSAVE or XSAVE image to load; 0: the registers are right */
	uint64_t fpu_parts;	/* XSAVE's components; 0: it is FXSAVE's */
	uint64_t rip, cs, flags, rsp, ss;	/* as IRETQ takes them */
	uint32_t eax, ebx, ecx, edx, esi, edi, ebp;
	uint32_t gate;		/* GATE_FOR_…, of what came by one */
};

_Static_assert(offsetof(struct entry_state, fpu) == ENTRY_FPU &&
	       offsetof(struct entry_state, fpu_parts) == ENTRY_FPU_PARTS &&
	       offsetof(struct entry_state, rip) == ENTRY_RIP &&
	       offsetof(struct entry_state, cs) == ENTRY_CS &&
	       offsetof(struct entry_state, flags) == ENTRY_FLAGS &&
	       offsetof(struct entry_state, rsp) == ENTRY_RSP &&
	       offsetof(struct entry_state, ss) == ENTRY_SS &&
	       offsetof(struct entry_state, eax) == ENTRY_EAX &&
	       offsetof(struct entry_state, ebp) == ENTRY_EBP &&
	       offsetof(struct entry_state, gate) == ENTRY_WHICH, "start.S");

/* What the last signal that found guest code left behind. */
extern ucontext_t *entry_frame;
extern siginfo_t *entry_info;

/* Catches every signal from now on.  0, or -errno. */
long entry_prepare(void);
/* Runs `code`, one of those below, until its signal; returns that. */
int entry_try(void (*code)(void));
void entry_try_vmcall(void);	/* and a breakpoint behind it */
void entry_try_int_1f(void);
void entry_try_nothing(void);	/* the breakpoint */

/* Where guest code goes on; filled by who calls entry_run.  And what it brought to a
 * gate: its registers, but RIP is the word its call pushed. */
extern struct entry_state entry_to, entry_from;
/* Runs it.  A signal's number, ENTRY_GATE or ENTRY_NONE. */
int entry_run(void);

/* The FPU image of guest code that ran here last: up to date, and loaded the next
 * time.  NULL: none has run. */
uint8_t *entry_fpu(void);

/* Writes the code of the gates, one page, to `page`. */
void entry_make_gates(void *page);

#endif
#endif
