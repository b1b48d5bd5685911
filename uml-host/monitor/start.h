/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel puts on a new program's stack: arguments, environment, and the
 * auxiliary vector behind them.
 */
#ifndef MONITOR_START_H
#define MONITOR_START_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

#define HWCAP2_FSGSBASE 2u

/* argv[1]; "" if there is none. */
static inline const char *start_argument(const uint64_t *stack)
{
	return stack[0] > 1 ? (const char *)stack[2] : "";
}

/* The entry `type` of the auxiliary vector, or 0. */
static inline uint64_t start_auxiliary(const uint64_t *stack, uint64_t type)
{
	const uint64_t *at = stack + 1 + stack[0] + 1;
	const Elf64_auxv_t *a;

	while (*at)
		at++;
	for (a = (const Elf64_auxv_t *)(at + 1); a->a_type != AT_NULL; a++)
		if (a->a_type == type)
			return a->a_un.a_val;
	return 0;
}

/* May rdfsbase and its like be used? */
static inline bool start_has_fsgsbase(const uint64_t *stack)
{
	return start_auxiliary(stack, AT_HWCAP2) & HWCAP2_FSGSBASE;
}

#endif
