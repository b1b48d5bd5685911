/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The seccomp programs of the processes that run guest code, made by libseccomp
 * and exported: those have no library to load them with.
 *
 * For a stub of the ptrace engine it is the second line of defence.  The first is
 * PTRACE_SYSEMU, under which no system call of guest code is executed; this one
 * holds for the moments in which the stub's own calls are.  For the vCPU process
 * of the direct engine it is the first.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <linux/futex.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/die.h"
#include "sandbox/sandbox.h"

#define HIGH_HALF 0xffffffff00000000ull
#define LOW_4G 0x100000000ull

static void add_rule(scmp_filter_ctx ctx, uint32_t action, int call, unsigned int n,
		     const struct scmp_arg_cmp *args)
{
	int error = seccomp_rule_add_exact_array(ctx, action, call, n, args);

	if (error) {
		errno = -error;
		die_errno("cannot make the seccomp filter of a guest's process");
	}
}

static void allow(scmp_filter_ctx ctx, int call, unsigned int n,
		  const struct scmp_arg_cmp *args)
{
	add_rule(ctx, SCMP_ACT_ALLOW, call, n, args);
}

/* The vsyscall page: guest code that found its way into 64-bit mode can call
 * it, and the host then makes these three without PTRACE_SYSEMU having a say.
 * A signal stops it, as any other call of guest code; to kill the process would
 * let a guest program end its kernel. */
static void stop_vsyscalls(scmp_filter_ctx ctx)
{
	add_rule(ctx, SCMP_ACT_TRAP, SCMP_SYS(gettimeofday), 0, NULL);
	add_rule(ctx, SCMP_ACT_TRAP, SCMP_SYS(time), 0, NULL);
	add_rule(ctx, SCMP_ACT_TRAP, SCMP_SYS(getcpu), 0, NULL);
}

static void allow_mappings(scmp_filter_ctx ctx)
{
	/* addr < 4 GiB, shared and fixed, of guest memory.  A filter cannot add:
	 * a range may end anywhere below 8 GiB, where nothing of the stub is. */
	const struct scmp_arg_cmp map[] = {
		SCMP_A0(SCMP_CMP_MASKED_EQ, HIGH_HALF, 0),
		SCMP_A1(SCMP_CMP_LE, LOW_4G),
		SCMP_A2(SCMP_CMP_LE, PROT_READ | PROT_WRITE | PROT_EXEC),
		SCMP_A3(SCMP_CMP_EQ, MAP_SHARED | MAP_FIXED),
		SCMP_A4(SCMP_CMP_EQ, SANDBOX_STUB_RAM_FD),
	};
	const struct scmp_arg_cmp unmap[] = {
		SCMP_A0(SCMP_CMP_MASKED_EQ, HIGH_HALF, 0),
		SCMP_A1(SCMP_CMP_LE, LOW_4G),
	};

	allow(ctx, SCMP_SYS(mmap), 5, map);
	allow(ctx, SCMP_SYS(munmap), 2, unmap);
	allow(ctx, SCMP_SYS(modify_ldt), 0, NULL);
}

/* Makes the filter a program: libseccomp 2.5 exports to a descriptor only. */
static size_t export_filter(scmp_filter_ctx ctx, struct sock_filter *program, size_t max)
{
	int fd = memfd_create("uml-host-filter", MFD_CLOEXEC);
	ssize_t n;

	if (fd < 0 || seccomp_export_bpf(ctx, fd) != 0)
		die_errno("cannot export the seccomp filter of a guest's process");
	n = pread(fd, program, max * sizeof(*program), 0);
	if (n <= 0 || (size_t)n == max * sizeof(*program))
		die("the seccomp filter of a guest's process does not fit");
	close(fd);
	seccomp_release(ctx);
	return (size_t)n / sizeof(*program);
}

static scmp_filter_ctx make_filter(uint32_t action)
{
	scmp_filter_ctx ctx = seccomp_init(action);

	/* The same in the wrong architecture. */
	if (!ctx || seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, action))
		die("cannot make the seccomp filter of a guest's process");
	return ctx;
}

/*
 * Tour 250: And should all of the above be wrong somewhere: a stub can map guest memory
 * below 4 GiB, unmap it, change its descriptors and end.  The kernel kills it
 * for anything else.
 */
size_t sandbox_stub_filter(struct sock_filter *program, size_t max)
{
	scmp_filter_ctx ctx = make_filter(SCMP_ACT_KILL_PROCESS);

	allow_mappings(ctx);
	allow(ctx, SCMP_SYS(exit), 0, NULL);
	allow(ctx, SCMP_SYS(exit_group), 0, NULL);
	stop_vsyscalls(ctx);
	return export_filter(ctx, program, max);
}

static void allow_futex(scmp_filter_ctx ctx, uint64_t start, uint64_t bytes, uint64_t op)
{
	const struct scmp_arg_cmp futex[] = {
		SCMP_A0(SCMP_CMP_MASKED_EQ, ~(bytes - 1), start),
		SCMP_A1(SCMP_CMP_EQ, op),
	};

	allow(ctx, SCMP_SYS(futex), 2, futex);
}

size_t sandbox_vcpu_filter(struct sock_filter *program, size_t max, uint64_t channel,
			   uint64_t bytes)
{
	/* A call of guest code, in whatever mode, is a trap to look at. */
	scmp_filter_ctx ctx = make_filter(SCMP_ACT_TRAP);
	const struct scmp_arg_cmp monotonic[] = { SCMP_A0(SCMP_CMP_EQ, CLOCK_MONOTONIC) };
	const struct scmp_arg_cmp realtime[] = { SCMP_A0(SCMP_CMP_EQ, CLOCK_REALTIME) };
	const struct scmp_arg_cmp fs[] = { SCMP_A0(SCMP_CMP_EQ, ARCH_SET_FS) };
	const struct scmp_arg_cmp answers[] = { SCMP_A0(SCMP_CMP_EQ, SANDBOX_ANSWERS_FD) };
	const struct scmp_arg_cmp gs[] = { SCMP_A0(SCMP_CMP_EQ, ARCH_SET_GS) };

	allow(ctx, SCMP_SYS(rt_sigreturn), 0, NULL);
	allow_futex(ctx, channel, bytes, FUTEX_WAIT_BITSET);
	allow_futex(ctx, channel, bytes, FUTEX_WAKE_BITSET);
	allow_mappings(ctx);
	/* Its own timers only: there is no call that makes more. */
	allow(ctx, SCMP_SYS(timer_settime), 0, NULL);
	/* These clocks only: others are of processes, whoever's they are. */
	allow(ctx, SCMP_SYS(clock_gettime), 1, monotonic);
	allow(ctx, SCMP_SYS(clock_gettime), 1, realtime);
	allow(ctx, SCMP_SYS(clock_nanosleep), 1, monotonic);
	allow(ctx, SCMP_SYS(arch_prctl), 1, fs);
	allow(ctx, SCMP_SYS(arch_prctl), 1, gs);
	allow(ctx, SCMP_SYS(poll), 0, NULL);
	allow(ctx, SCMP_SYS(read), 1, answers);
	return export_filter(ctx, program, max);
}

size_t sandbox_view_filter(struct sock_filter *program, size_t max, uint64_t slice,
			   uint64_t bytes)
{
	scmp_filter_ctx ctx = make_filter(SCMP_ACT_TRAP);

	allow(ctx, SCMP_SYS(rt_sigreturn), 0, NULL);
	allow_futex(ctx, slice, bytes, FUTEX_WAIT_BITSET);
	allow_futex(ctx, slice, bytes, FUTEX_WAKE_BITSET);
	return export_filter(ctx, program, max);
}

size_t sandbox_mapper_filter(struct sock_filter *program, size_t max, uint64_t slice,
			     uint64_t bytes)
{
	const struct scmp_arg_cmp answers[] = { SCMP_A0(SCMP_CMP_EQ, SANDBOX_ANSWERS_FD) };
	scmp_filter_ctx ctx = make_filter(SCMP_ACT_KILL_PROCESS);

	allow_futex(ctx, slice, bytes, FUTEX_WAIT_BITSET);
	allow_futex(ctx, slice, bytes, FUTEX_WAKE_BITSET);
	allow_mappings(ctx);
	allow(ctx, SCMP_SYS(write), 1, answers);
	return export_filter(ctx, program, max);
}
