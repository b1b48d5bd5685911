/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The monitor's start: its memory, its signals, its filter, and then the guest.
 */
#include <elf.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include "engine/clock.h"
#include "monitor/monitor.h"
#include "monitor/start.h"

_Noreturn static void fail(enum monitor_step step, long result)
{
	struct channel *c = channel();

	c->failed_errno = (int32_t)-result;
	c->failed_step = step;
	for (;;)
		monitor_request(CHANNEL_READY);
}

static void check(enum monitor_step step, long result)
{
	if (syscall_failed(result))
		fail(step, result);
}

static long map(uint64_t at, uint64_t bytes, int fd)
{
	return syscall6(SYS_mmap, at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			(uint64_t)fd, 0);
}

static void map_all(void)
{
	struct channel *c = channel();

	/* Where nothing can be said yet, nothing is. */
	if (syscall_failed(map(MONITOR_CHANNEL, MONITOR_CHANNEL_BYTES, MONITOR_FD_CHANNEL)))
		__builtin_trap();
	check(MONITOR_STEP_MAP, map(MONITOR_GUEST, c->guest_bytes, MONITOR_FD_GUEST));
	check(MONITOR_STEP_MAP, map(MONITOR_GUEST + c->guest_bytes, c->ram_bytes, MONITOR_FD_RAM));
	check(MONITOR_STEP_MAP, map(MONITOR_VIEWS, MONITOR_VIEWS_BYTES, MONITOR_FD_VIEWS));
	syscall3(SYS_close, MONITOR_FD_CHANNEL, 0, 0);
	syscall3(SYS_close, MONITOR_FD_GUEST, 0, 0);
	syscall3(SYS_close, MONITOR_FD_VIEWS, 0, 0);
}

static int make_timer(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	int timer = 0;

	check(MONITOR_STEP_TIMER,
	      syscall3(SYS_timer_create, CLOCK_MONOTONIC, SYSCALL_ARG(&event), SYSCALL_ARG(&timer)));
	return timer;
}

static void lock_in(void)
{
	struct channel *c = channel();
	const struct { uint64_t len; const struct sock_filter *filter; } program = {
		c->filter_len, c->filter,
	};

	check(MONITOR_STEP_FILTER, syscall6(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0));
	check(MONITOR_STEP_FILTER,
	      syscall3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, SYSCALL_ARG(&program)));
}

static enum vmcall_behaviour probe_vmcall(void)
{
	switch (entry_try(entry_try_vmcall)) {
	case SIGILL: return VMCALL_SIGILL;
	case SIGSEGV: return VMCALL_SIGSEGV;
	default: return VMCALL_SILENT;
	}
}

static uint64_t measure_floor(uint32_t rounds)
{
	uint64_t start = engine_clock_ns();
	uint32_t i;

	for (i = 0; i < rounds; i++)
		entry_try(entry_try_int_1f);
	return rounds ? (engine_clock_ns() - start) / rounds : 0;
}

void monitor_main(const uint64_t *stack);	/* from start.S */

void monitor_main(const uint64_t *stack)
{
	struct monitor_hardware hardware = { .fsgsbase = start_has_fsgsbase(stack) };
	struct channel *c = channel();

	map_all();
	monitor_find_clock((const void *)start_auxiliary(stack, AT_SYSINFO_EHDR));
	syscall6(SYS_prctl, PR_SET_NAME, SYSCALL_ARG(MONITOR_NAME), 0, 0, 0, 0);
	check(MONITOR_STEP_SIGNALS, entry_prepare());
	hardware.timer = make_timer();
	monitor_prepare(&hardware);
	lock_in();
	/* For its FPU registers, which a guest begins with. */
	entry_try(entry_try_nothing);
	c->vmcall = probe_vmcall();
	c->floor_ns = measure_floor(c->floor_rounds);
	c->failed_step = MONITOR_STEP_NONE;
	monitor_request(CHANNEL_READY);
	if (monitored()->gate_frame)
		entry_make_gates((char *)MONITOR_GUEST + c->guest_bytes +
				 ((uint64_t)monitored()->gate_frame << GUEST_PAGE_SHIFT));
	guest_run(monitored(), NULL, &monitor_owner);
	monitor_end(MONITOR_END_GUEST);
}
