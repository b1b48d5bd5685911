/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a debugger needs of the ptrace engine: the processor's debug registers in
 * every stub, and the x87 and SSE registers.  The host's kernel checks what is
 * put there; it must never be code of the stub itself, so addresses are 32 bits.
 */
#include <string.h>
#include <sys/ptrace.h>

#include "engine/ptrace.h"

_Static_assert(sizeof(struct user_fpregs_struct) == ENGINE_FPU_BYTES, "FXSAVE");

static bool poke(struct stub *stub, unsigned int n, unsigned long value)
{
	size_t offset = offsetof(struct user, u_debugreg) + n * sizeof(value);

	return ptrace(PTRACE_POKEUSER, stub->pid, (void *)offset, (void *)value) == 0;
}

static bool set(struct engine *e, struct stub *stub)
{
	unsigned int i;
	bool done = poke(stub, 7, 0);

	/* The kernel checks an address with what is enabled: that comes last. */
	for (i = 0; i < 4 && e->dr7; i++)
		if (e->dr7 >> (2 * i) & 3)
			done = done && poke(stub, i, e->debug_address[i]);
	return done && (!e->dr7 || poke(stub, 7, e->dr7));
}

bool engine_set_debug(struct engine *e, const uint32_t address[4], uint32_t dr7)
{
	bool done = true;
	unsigned int i;

	if (!dr7 && !e->dr7)
		return true;
	memcpy(e->debug_address, address, sizeof(e->debug_address));
	e->dr7 = dr7;
	for (i = 0; i < e->config.nr_spaces; i++)
		if (e->stub[i].pid > 0)
			done = set(e, &e->stub[i]) && done;
	if (!done && dr7)
		engine_set_debug(e, address, 0);
	return done;
}

void debug_enter(struct engine *e, struct stub *stub)
{
	/* It worked in the first stub; at worst a breakpoint is missed here. */
	if (e->dr7)
		set(e, stub);
}

uint8_t debug_watched(struct engine *e, struct stub *stub)
{
	size_t offset = offsetof(struct user, u_debugreg) + 6 * sizeof(long);
	long dr6;

	if (!e->dr7)
		return 0;
	dr6 = ptrace(PTRACE_PEEKUSER, stub->pid, (void *)offset, NULL);
	poke(stub, 6, 0);
	return (uint8_t)(dr6 & 15);
}

bool engine_read_fpu(struct engine *e, uint8_t fpu[ENGINE_FPU_BYTES])
{
	return e->current >= 0 &&
	       ptrace(PTRACE_GETFPREGS, e->stub[e->current].pid, NULL, fpu) == 0;
}

bool engine_write_fpu(struct engine *e, const uint8_t fpu[ENGINE_FPU_BYTES])
{
	return e->current >= 0 &&
	       ptrace(PTRACE_SETFPREGS, e->stub[e->current].pid, NULL, fpu) == 0;
}
