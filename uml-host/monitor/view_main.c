/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The start of a user view: its slice and its signals.  Afterwards none of this
 * runs again.  argv[1] is the number of the view.
 */
#include <elf.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "monitor/signals.h"
#include "monitor/start.h"
#include "monitor/view.h"

void view_main(const uint64_t *stack);	/* from view_start.S */

/* view_start.S */
void view_handler(int signal, siginfo_t *info, void *frame);
void view_restorer(void);
_Noreturn void view_go(void);

static struct view_page *page(void)
{
	return (struct view_page *)VIEW_SLICE;
}

/* The supervisor sees the process end, and looks why. */
static void check(long result)
{
	if (!syscall_failed(result))
		return;
	page()->failed = result;
	__builtin_trap();
}

static void map_all(uint64_t view)
{
	const uint64_t offset = view * VIEW_SLICE_BYTES;

	if (syscall_failed(syscall6(SYS_mmap, VIEW_SLICE, VIEW_OWN_BYTES, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_FIXED, VIEW_FD_VIEWS, offset)))
		__builtin_trap();
	check(syscall6(SYS_mmap, VIEW_ORDERS, VIEW_ORDERS_BYTES, PROT_READ,
		       MAP_SHARED | MAP_FIXED, VIEW_FD_VIEWS, offset + VIEW_OWN_BYTES));
	check(syscall3(SYS_close, VIEW_FD_VIEWS, 0, 0));
	check(syscall6(SYS_mmap, VIEW_MAPPER_FILTER, 2 * VIEW_FILTER_BYTES, PROT_READ,
		       MAP_SHARED | MAP_FIXED, VIEW_FD_FILTERS, 0));
	check(syscall3(SYS_close, VIEW_FD_FILTERS, 0, 0));
}

static uint64_t number(const char *text)
{
	uint64_t value = 0;

	for (; *text; text++)
		value = value * 10 + (uint64_t)(*text - '0');
	return value;
}

void view_main(const uint64_t *stack)
{
	const uint64_t all = ~0ull;

	map_all(number(start_argument(stack)));
	page()->has_bases = start_has_fsgsbase(stack);
	check(syscall6(SYS_prctl, PR_SET_NAME, SYSCALL_ARG(VIEW_NAME), 0, 0, 0, 0));
	check(catch_signals(view_handler, view_restorer,
			    (char *)VIEW_SLICE + VIEW_OWN_BYTES - VIEW_STACK_BYTES, VIEW_STACK_BYTES,
			    all, 0));
	check(syscall6(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0));
	/* The mapper takes no signals: it has no stack for them. */
	check(syscall6(SYS_rt_sigprocmask, SIG_SETMASK, SYSCALL_ARG(&all), 0, sizeof(all), 0, 0));
	view_go();
}
