/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the processes of uml-host may still do once they have started.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <linux/filter.h>
#include <stddef.h>

/* Descriptor of guest memory in a stub: the only one it may map. */
#define SANDBOX_STUB_RAM_FD 3

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
 * Locks the calling process in for good: limits of memory and sockets,
 * no_new_privs, no file but `readable` (by Landlock, where the host has it), and
 * no system call but those that ordinary Internet sockets, memory and time take.
 * Returns NULL, or one line that says what could not be done.
 */
const char *sandbox_enter_net(const char *readable);

#endif
