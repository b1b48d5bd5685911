/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stops of guest code, as every engine tells them.  Pure functions.
 */
#ifndef ENGINE_EXIT_H
#define ENGINE_EXIT_H

#include "engine/engine.h"

/* A trap with that vector and error code; neither an address nor software. */
void exit_trap(struct engine_exit *x, unsigned int vector, uint32_t error);

/*
 * Guest code made a system call and the host did nothing for it: `int $0x80` is the
 * trap it was meant as, any other way is #UD.  EIP in `v` is behind it; `rip` is
 * all of it, `resumed_eip` where guest code last went on.
 */
void exit_system_call(struct engine_vcpu *v, uint64_t rip, uint32_t resumed_eip,
		      engine_fetch_fn *fetch, void *owner);

/* Makes a stop at `vmcall` look as on the host that is simulated; does nothing
 * for VMCALL_UNKNOWN.  Tests run on every kind of host this way. */
void vmcall_simulate(enum vmcall_behaviour host, struct engine_vcpu *v);

#endif
