/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls of the monitor, which has no library: each returns what the
 * kernel does, -errno on failure.
 */
#ifndef MONITOR_SYSCALL_H
#define MONITOR_SYSCALL_H

#include <stdint.h>
#include <sys/syscall.h>

static inline long syscall6(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
			    uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#define SYSCALL_ARG(x) ((uint64_t)(uintptr_t)(x))

static inline long syscall3(long nr, uint64_t a, uint64_t b, uint64_t c)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

static inline bool syscall_failed(long result)
{
	return result < 0 && result >= -4095;
}

#endif
