/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the supervisor and a stub process share: fixed descriptors, fixed
 * addresses and the batch of operations.  Also included by stub_main.S.
 *
 * A stub is a host process whose low 4 GiB belong to the guest.  It has no
 * memory of its own that matters: its text is read-only, and each batch gets
 * everything it needs from registers and from the operation array, which the
 * supervisor writes while the stub is stopped.  So guest code that finds its
 * way above 4 GiB meets nothing worth changing.
 */
#ifndef ENGINE_STUB_H
#define ENGINE_STUB_H

#include "engine/calls.h"

#define STUB_FD_RAM 3		/* the guest's frames */
#define STUB_FD_CHANNEL 4	/* this stub's page of the channel */

/* Far above what a 32-bit pointer reaches; the stub's image is linked at
 * 0x100000000000, this is a gap below it. */
#define STUB_CHANNEL 0x0f0000000000
#define STUB_CHANNEL_BYTES 0x10000

#define STUB_NAME "uml-host-stub"

/* Offsets in struct stub_channel, for the assembler. */
#define STUB_OPS 64
#define STUB_FILTER_LEN 8
#define STUB_PROBE 24
#define STUB_FLOOR 32
#define STUB_MAX_OPS 511

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

struct stub_channel {
	/* Set by the stub as it starts: where it runs a batch.  Read once. */
	uint64_t run_batch;
	uint64_t filter_len;	/* struct sock_fprog for the stub itself */
	uint64_t filter;
	uint64_t probe;		/* code: vmcall, for the start only */
	uint64_t floor;		/* code: int $0x1f, to measure a bare stop */
	/* Written by the child before it becomes the stub, if it fails to. */
	uint64_t failed_step, failed_errno;
	uint64_t reserved;
	struct host_call op[STUB_MAX_OPS];
	/* A seccomp program, used only while the stub starts, lies in op[]. */
};

_Static_assert(offsetof(struct stub_channel, op) == STUB_OPS, "stub_main.S");
_Static_assert(offsetof(struct stub_channel, filter_len) == STUB_FILTER_LEN, "stub_main.S");
_Static_assert(sizeof(struct stub_channel) <= STUB_CHANNEL_BYTES, "fits its window");
#endif

#endif
