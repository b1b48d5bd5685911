/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What vmcall does on a host, and making it look so on another.
 */
#ifndef ENGINE_VMCALL_H
#define ENGINE_VMCALL_H

#include "engine/engine.h"

/* Makes a stop at `vmcall` look as on the host that is simulated; does nothing
 * for VMCALL_UNKNOWN.  Tests run on every kind of host this way. */
void vmcall_simulate(enum vmcall_behaviour host, struct engine_vcpu *v);

#endif
