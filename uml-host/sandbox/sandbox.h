/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the processes of uml-host may still do once they have started.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

/* Descriptor of guest memory in a stub: the only one it may map. */
#define SANDBOX_STUB_RAM_FD 3
/* The pipe between the mappers, which write to it, and their monitor. */
#define SANDBOX_ANSWERS_FD 4

/*
 * Writes the seccomp program of a stub process into `program`, at most `max`
 * instructions; returns how many.  Dies if it cannot be made.
 *
 * Allowed are mmap of guest memory at a fixed place below 4 GiB, munmap below
 * 4 GiB, modify_ldt and exit.  Anything else, and every call of another
 * architecture (int $0x80, x32), kills the process.
 */
size_t sandbox_stub_filter(struct sock_filter *program, size_t max);

/*
 * The same for the vCPU process of the direct engine, whose monitor shares the
 * channel [channel, channel + bytes) with the supervisor; `bytes` is a power of
 * two and `channel` a multiple of it.
 *
 * Allowed are what a stub may, futexes in the channel, reading what mappers answer,
 * its own timers, the system's clocks, FS and GS bases, and the return from a signal.  Anything else, and every call of another
 * architecture, is a SIGSYS: guest code makes them too.
 */
size_t sandbox_vcpu_filter(struct sock_filter *program, size_t max, uint64_t channel,
			   uint64_t bytes);

/*
 * The same for a user view of the direct engine, where guest programs run: futexes
 * in its slice [slice, slice + bytes) and the return from a signal.  Everything else
 * is a SIGSYS, for the monitor to look at.
 */
size_t sandbox_view_filter(struct sock_filter *program, size_t max, uint64_t slice,
			   uint64_t bytes);

/*
 * And for its mapper, which runs no guest code: what a stub may, a futex in the
 * slice, and writing to its descriptor.  Anything else kills it.
 */
size_t sandbox_mapper_filter(struct sock_filter *program, size_t max, uint64_t slice,
			     uint64_t bytes);

/*
 * Locks the calling process in for good: limits of memory and sockets,
 * no_new_privs, no file but `readable` (by Landlock, where the host has it), and
 * no system call but those that ordinary Internet sockets, memory and time take.
 * Returns NULL, or one line that says what could not be done.
 */
const char *sandbox_enter_net(const char *readable);

#endif
