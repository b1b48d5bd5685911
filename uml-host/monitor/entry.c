/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In and out of guest code: what a signal found, and whose FPU registers those in
 * the processor are.
 */
#include <string.h>

#include "monitor/entry.h"
#include "monitor/monitor.h"
#include "monitor/signals.h"

#define LOW_4G 0x100000000ull
#define FXSAVE_SW 464	/* struct _fpx_sw_bytes in a frame's FPU image */

/* start.S */
int entry_go(void);
void entry_handler(int signal, siginfo_t *info, void *frame);
void entry_restorer(void);
extern const char entry_gates[], entry_gates_end[];
extern const char entry_begin[], entry_end[], entry_aborted[];
/* The linker's: all code, and what of it stands for guest code. */
extern const char __executable_start[], etext[];
extern const char __start_entry_tried[], __stop_entry_tried[];
int entry_signal(int signal, siginfo_t *info, ucontext_t *frame);	/* from start.S */

uint8_t entry_stacks[ENTRY_STACK_BYTES + ENTRY_FRAMES_BYTES] __attribute__((aligned(64)));
struct entry_state entry_to, entry_from;
uint32_t entry_interrupted;	/* a signal found the monitor at work */
ucontext_t *entry_frame;
siginfo_t *entry_info;
static bool fpu_live;	/* the registers are guest code's; otherwise its image is */

static bool is_within(uint64_t at, const char *start, const char *end)
{
	return at >= (uintptr_t)start && at < (uintptr_t)end;
}

/* Code of ours that went wrong.  A single step of the guest's ends here, too. */
static bool is_fault(int signal, const siginfo_t *info)
{
	return signal != SIGTRAP && monitor_is_fault(signal, info->si_code);
}

/* In a gate nothing of its own happens: a signal there goes on into the monitor. */
static bool found_gate(uint64_t rip, bool fault)
{
	return !fault && rip >> 12 == GUEST_GATES >> 12;
}

/* Where did it find the processor?  The monitor runs above 4 GiB in 64-bit mode, the
 * vDSO included.  Guest code can get there too, but there only faults are its. */
static bool found_monitor(const greg_t *r, bool fault)
{
	uint64_t rip = (uint64_t)r[REG_RIP];

	if ((uint16_t)r[REG_CSGSFS] != HOST_CS64 || rip < LOW_4G ||
	    is_within(rip, __start_entry_tried, __stop_entry_tried))
		return false;
	return !fault || is_within(rip, __executable_start, etext);
}

/*
 * Called for every signal.  One that found guest code is its stop: its number.
 * One that found the monitor must not be lost, though guest code shall not see it:
 * noted, and 0, which goes on where it was, or away from the way out.
 */
int entry_signal(int signal, siginfo_t *info, ucontext_t *frame)
{
	greg_t *r = frame->uc_mcontext.gregs;
	bool fault = is_fault(signal, info);

	if (!found_monitor(r, fault) && !found_gate((uint64_t)r[REG_RIP], fault)) {
		entry_frame = frame;
		entry_info = info;
		fpu_live = false;
		return signal;
	}
	/* The host has no frame for what it touched, or somebody else's hand is in here. */
	if (fault)
		monitor_end(signal == SIGBUS && info->si_code == BUS_ADRERR ? MONITOR_END_MEMORY :
									      MONITOR_END_GUEST);
	entry_interrupted = 1;
	if (is_within((uint64_t)r[REG_RIP], entry_begin, entry_end)) {
		r[REG_RIP] = (greg_t)(uintptr_t)entry_aborted;
		r[REG_EFL] = EFLAGS_FIXED;
	}
	return 0;
}

void entry_make_gates(void *page)
{
	memcpy(page, entry_gates, (size_t)(entry_gates_end - entry_gates));
}

long entry_prepare(void)
{
	return catch_signals(entry_handler, entry_restorer, entry_stacks, sizeof(entry_stacks),
			     0, SA_NODEFER);
}

/* Which components an image has: the kernel says so in what it keeps for itself;
 * 0: it is FXSAVE's. */
static uint64_t fpu_parts(const uint8_t *image)
{
	struct _fpx_sw_bytes sw;

	memcpy(&sw, image + FXSAVE_SW, sizeof(sw));
	return sw.magic1 == FP_XSTATE_MAGIC1 ? sw.xstate_bv : 0;
}

static uint8_t *image(void)
{
	return entry_frame ? (uint8_t *)entry_frame->uc_mcontext.fpregs : NULL;
}

uint8_t *entry_fpu(void)
{
	uint8_t *fpu = image();
	uint64_t parts;

	if (fpu_live && fpu) {
		parts = fpu_parts(fpu);
		if (parts)
			__asm__ volatile("xsave64 (%0)" : : "r"(fpu), "a"((uint32_t)parts),
					 "d"((uint32_t)(parts >> 32)) : "memory");
		else
			__asm__ volatile("fxsave64 (%0)" : : "r"(fpu) : "memory");
	}
	fpu_live = false;
	return fpu;
}

int entry_run(void)
{
	int how;

	entry_to.fpu = fpu_live ? 0 : SYSCALL_ARG(image());
	entry_to.fpu_parts = entry_to.fpu ? fpu_parts(image()) : 0;
	how = entry_go();
	if (how == ENTRY_GATE)
		fpu_live = true;
	else if (how == ENTRY_NONE)
		entry_interrupted = 0;
	return how;
}

int entry_try(void (*code)(void))
{
	int how;

	entry_to.rip = (uintptr_t)code;
	entry_to.cs = HOST_CS64;
	entry_to.flags = EFLAGS_FIXED;
	entry_to.rsp = 0;
	entry_to.ss = ENGINE_FLAT_DS;
	/* Until it is its own and not somebody's who sent one. */
	do
		how = entry_run();
	while (how == ENTRY_NONE || !monitor_is_fault(how, entry_info->si_code));
	return how;
}
