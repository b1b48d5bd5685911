/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stops of guest code: see exit.h.
 */
#include "engine/exit.h"
#include "engine/rewrite.h"

void exit_trap(struct engine_exit *x, unsigned int vector, uint32_t error)
{
	x->kind = ENGINE_EXIT_TRAP;
	x->vector = (uint8_t)vector;
	x->error = error;
	x->address = 0;
	x->software = x->gate = false;
	x->watched = 0;
}

void exit_system_call(struct engine_vcpu *v, uint64_t rip, uint32_t resumed_eip,
		      engine_fetch_fn *fetch, void *owner)
{
	uint8_t byte[2];

	/* AMD's syscall and Intel's sysenter leave RIP at a landing pad of the
	 * vDSO, far above the guest, and where they stood is lost; sometimes
	 * ECX still knows.  Neither exists on the virtual CPU: #UD. */
	if (rip >> 32) {
		if (fetch(owner, v->space, v->regs.ecx - 2, byte, 2) == 2 && byte[0] == 0x0f)
			v->regs.eip = v->regs.ecx - 2;
		else
			v->regs.eip = resumed_eip;
		exit_trap(&v->exit, VECTOR_UD, 0);
		return;
	}
	if (fetch(owner, v->space, v->regs.eip - 2, byte, 2) != 2 || byte[0] != 0xcd) {
		v->regs.eip -= 2;
		exit_trap(&v->exit, VECTOR_UD, 0);
		return;
	}
	exit_trap(&v->exit, 0x80, 0);
	v->exit.software = true;
}

const char *vmcall_behaviour_name(enum vmcall_behaviour behaviour)
{
	static const char *const name[] = {
		[VMCALL_UNKNOWN] = "unknown",
		[VMCALL_SIGILL] = "SIGILL",
		[VMCALL_SIGSEGV] = "SIGSEGV",
		[VMCALL_SILENT] = "swallowed",
	};

	return name[behaviour];
}

void vmcall_simulate(enum vmcall_behaviour host, struct engine_vcpu *v)
{
	struct engine_exit *x = &v->exit;

	if (host == VMCALL_UNKNOWN || x->kind != ENGINE_EXIT_TRAP ||
	    (x->vector != VECTOR_UD && x->vector != VECTOR_GP) ||
	    !rewrite_is_vmcall(x->insn, x->insn_len))
		return;
	switch (host) {
	case VMCALL_SIGILL:
		x->vector = VECTOR_UD;
		break;
	case VMCALL_SIGSEGV:
		x->vector = VECTOR_GP;
		break;
	default:
		/* What KVM does for a caller outside ring 0. */
		v->regs.eax = (uint32_t)-1;
		v->regs.eip += REWRITE_BYTES;
		x->kind = ENGINE_EXIT_KICK;
	}
}
