/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When uml-host itself crashes: its own stack, through libunwind.
 */
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

/* Prints the caller's stack on stderr. */
void print_backtrace(void);

/* Has SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT of uml-host print its stack
 * and registers, run the cleanups and then kill it as they would have. */
void catch_crashes(void);

#endif
