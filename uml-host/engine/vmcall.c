/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmcall as other hosts have it.
 */
#include <string.h>

#include "engine/rewrite.h"
#include "engine/vmcall.h"

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
