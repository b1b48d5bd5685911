/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small programs of our own that live in uml-host's image: put into a memory
 * file once, executed from there by a child that keeps a few descriptors and
 * nothing else.
 */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROGRAM_FIRST_FD 3	/* its first descriptor; 0 to 2 are closed */
#define PROGRAM_MAX_FDS 8u

/* A memory file with the `n` bytes of an ELF image.  Dies if the host has none. */
int program_file(const char *name, const void *image, size_t n);

/*
 * For a child of fork: leaves the terminal's process group, and the session too if it
 * shall be scheduled on its own where the host groups tasks by session; dies with
 * `parent`, dumps no core, takes every signal.  Async-signal-safe.
 */
void program_detach(pid_t parent, bool own_session);

/*
 * For a child of fork: becomes that program, with descriptors fds[0], fds[1], …
 * as 3, 4, …, one argument if `arg` is not NULL, and no environment.  Async-signal-safe.  Returns only if it fails:
 * PROGRAM_DESCRIPTORS or PROGRAM_EXEC, with errno.
 */
enum { PROGRAM_DESCRIPTORS = 1, PROGRAM_EXEC };
int program_become(int image_fd, const char *name, const char *arg, const int *fds,
		   unsigned int nr_fds);

#endif
