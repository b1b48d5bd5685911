/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Catching what guest code can raise, in a process without a library.
 */
#ifndef MONITOR_SIGNALS_H
#define MONITOR_SIGNALS_H

#include <signal.h>
#include <stdint.h>

#include "monitor/syscall.h"

/* As the kernel wants it, not the C library. */
struct kernel_sigaction {
	void (*handler)(int, siginfo_t *, void *);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};
#define KERNEL_SA_RESTORER 0x04000000ul

#define SIGNAL_KICK SIGUSR1
#define SIGRTMIN_KERNEL 32u

/* Has `handler` called, on the stack of `bytes` at `stack` and with the signals of
 * `mask` blocked, for all signals: faults, system calls that the filter traps,
 * kicks, timers, and what anybody sends, which shall not end the guest.  `flags` are
 * more of sigaction's.  0, or -errno. */
static inline long catch_signals(void (*handler)(int, siginfo_t *, void *),
				 void (*restorer)(void), void *stack, uint64_t bytes,
				 uint64_t mask, uint64_t flags)
{
	const struct kernel_sigaction action = {
		.handler = handler, .restorer = restorer, .mask = mask,
		.flags = SA_SIGINFO | SA_ONSTACK | KERNEL_SA_RESTORER | flags,
	};
	const stack_t alternate = { .ss_sp = stack, .ss_size = bytes };
	long result = syscall3(SYS_sigaltstack, SYSCALL_ARG(&alternate), 0, 0);
	uint64_t signal;

	for (signal = 1; signal < SIGRTMIN_KERNEL && !syscall_failed(result); signal++)
		if (signal != SIGKILL && signal != SIGSTOP)
			result = syscall6(SYS_rt_sigaction, signal, SYSCALL_ARG(&action), 0,
					  sizeof(action.mask), 0, 0);
	return result;
}

#endif
