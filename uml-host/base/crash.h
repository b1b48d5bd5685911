/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When uml-host itself crashes: its own stack, through libunwind.
 */
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

#include <stdint.h>

/* Prints the caller's stack on stderr. */
void print_backtrace(void);

/* Has SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT of uml-host print its stack
 * and registers, run the cleanups and then kill it as they would have. */
void catch_crashes(void);

/* What else is worth telling: fn(arg) is called at the end of a crash report.  It
 * must be async-signal-safe and print by crash_text() and crash_hex() only.
 * NULL: nothing any more. */
void crash_set_note(void (*fn)(void *arg), void *arg);
void crash_text(const char *text);
void crash_hex(uint64_t value);		/* as 0x1f */

#endif
