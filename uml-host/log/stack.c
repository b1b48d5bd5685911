/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -k: the guest's stack under an event.  It is walked in the vCPU thread, while
 * the guest stands still, and only addresses go on to the writer.
 *
 * libdw follows the call frame information of the guest's ELF file; where there
 * is none, or it ends after a step, the chain of frame pointers is followed.
 * Both read guest memory through one function, and what they read may be
 * anything: a walk ends at the limit, whatever the guest has built.
 */
#include <elfutils/libdwfl.h>
#include <stdlib.h>

#include "base/die.h"
#include "log/internal.h"

struct unwinder {
	log_memory_fn *read;
	void *context;
	unsigned int limit;
	Dwfl *dwfl;		/* NULL: frame pointers only */
	/* Of the walk being made. */
	const struct guest_event *event;
	struct log_stack *stack;
};

#define TID 1	/* libdw wants some */

static bool add_frame(struct unwinder *u, uint32_t address)
{
	if (u->stack->n == u->limit)
		return false;
	u->stack->frame[u->stack->n++] = address;
	return true;
}

/* --- libdw -------------------------------------------------------------------- */

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread)
{
	(void)dwfl;
	if (*thread)
		return 0;
	*thread = arg;
	return TID;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread)
{
	(void)dwfl;
	*thread = arg;
	return tid == TID;
}

static bool memory_read(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *result, void *arg)
{
	const struct unwinder *u = arg;
	uint32_t word;

	(void)dwfl;
	if (address > UINT32_MAX ||
	    u->read(u->context, (uint32_t)address, &word, sizeof(word)) != sizeof(word))
		return false;
	*result = word;
	return true;
}

/* DWARF numbers the registers of i386 as the processor does, EIP is the ninth. */
static bool set_registers(Dwfl_Thread *thread, void *arg)
{
	const struct unwinder *u = arg;
	Dwarf_Word regs[9];

	for (unsigned int i = 0; i < 8; i++)
		regs[i] = u->event->reg[i];
	regs[8] = u->event->eip;
	return dwfl_thread_state_registers(thread, 0, 9, regs);
}

static int one_frame(Dwfl_Frame *frame, void *arg)
{
	Dwarf_Addr pc;

	if (!dwfl_frame_pc(frame, &pc, NULL) || !pc || !add_frame(arg, (uint32_t)pc))
		return DWARF_CB_ABORT;
	return DWARF_CB_OK;
}

/* --- frame pointers ------------------------------------------------------------- */

static void by_frame_pointers(struct unwinder *u)
{
	uint32_t ebp = u->event->reg[EVENT_EBP], word[2];

	u->stack->n = 0;
	add_frame(u, u->event->eip);
	/* A chain leads upwards, or it is none. */
	while (ebp && !(ebp & 3) && u->read(u->context, ebp, word, sizeof(word)) == sizeof(word) &&
	       word[1] && add_frame(u, word[1]) && word[0] > ebp)
		ebp = word[0];
}

/* --- from outside ------------------------------------------------------------------ */

struct unwinder *unwinder_open(const char *elf, unsigned int limit, log_memory_fn *read,
			       void *context)
{
	static const Dwfl_Thread_Callbacks callbacks = {
		.next_thread = next_thread, .get_thread = get_thread,
		.memory_read = memory_read, .set_initial_registers = set_registers,
	};
	struct unwinder *u = calloc(1, sizeof(*u));

	if (!u)
		die("no memory for stacks");
	u->read = read;
	u->context = context;
	u->limit = limit < LOG_STACK_MAX ? limit : LOG_STACK_MAX;
	u->dwfl = elf ? symbols_dwfl(elf) : NULL;
	if (u->dwfl && !dwfl_attach_state(u->dwfl, NULL, TID, &callbacks, u)) {
		dwfl_end(u->dwfl);
		u->dwfl = NULL;
	}
	return u;
}

void unwinder_walk(struct unwinder *u, const struct guest_event *event,
		   struct log_stack *stack)
{
	u->event = event;
	u->stack = stack;
	stack->n = 0;
	if (u->dwfl)
		dwfl_getthread_frames(u->dwfl, TID, one_frame, u);
	if (stack->n < 2 && stack->n < u->limit)
		by_frame_pointers(u);
}

void unwinder_close(struct unwinder *u)
{
	if (!u)
		return;
	dwfl_end(u->dwfl);
	free(u);
}
