/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The filters of processes that run guest code: what is allowed works, everything
 * else is a SIGSYS.
 */
#include <criterion/criterion.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <asm/ldt.h>

#include "sandbox/sandbox.h"

/* What a confined child tries; returns its exit status. */
enum trial {
	MAP_GUEST, MAP_HIGH, MAP_NO_FILE, MAP_OTHER_FD, MAP_PRIVATELY, UNMAP_LOW, UNMAP_HIGH,
	LDT, EXIT, WRITE, OPEN, PROTECT, SIGNAL, INT80, PTRACE_, CLONE_, X32,
	TIME, VSYSCALL, SIGNAL_SELF, SOCKET_, FUTEX_ELSEWHERE, FUTEX_OTHER_OP, CLOCK_OF_PROCESS,
};

/* Memory that two filters let a process sleep on. */
#define SHARED 0x0f0000000000ull
#define SHARED_BYTES 0x20000ull

static long raw(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c),
			 "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return ret;
}

static long try(enum trial t)
{
	struct user_desc desc = { .entry_number = 6, .limit = 0xfffff, .seg_32bit = 1,
				  .limit_in_pages = 1, .useable = 1 };
	long shared = MAP_SHARED | MAP_FIXED;

	switch (t) {
	case MAP_GUEST: return raw(SYS_mmap, 0x10000000, 4096, 7, shared, 3, 0) == 0x10000000;
	case MAP_HIGH: return raw(SYS_mmap, 0x200000000, 4096, 3, shared, 3, 0);
	case MAP_NO_FILE: return raw(SYS_mmap, 0x10000000, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	case MAP_OTHER_FD: return raw(SYS_mmap, 0x10000000, 4096, 3, shared, 4, 0);
	case MAP_PRIVATELY: return raw(SYS_mmap, 0x10000000, 4096, 3, MAP_PRIVATE | MAP_FIXED, 3, 0);
	case UNMAP_LOW: return raw(SYS_munmap, 0, 0x100000000, 0, 0, 0, 0) == 0;
	case UNMAP_HIGH: return raw(SYS_munmap, 0x200000000, 4096, 0, 0, 0, 0);
	case LDT: return raw(SYS_modify_ldt, 0x11, (long)&desc, sizeof(desc), 0, 0, 0) == 0;
	case EXIT: return 1;
	case WRITE: return raw(SYS_write, 1, (long)"x", 1, 0, 0, 0);
	case OPEN: return raw(SYS_openat, -100, (long)"/etc/passwd", 0, 0, 0, 0);
	case PROTECT: return raw(SYS_mprotect, 0x10000000, 4096, 7, 0, 0, 0);
	case SIGNAL: return raw(SYS_kill, getppid(), 0, 0, 0, 0, 0);
	case PTRACE_: return raw(SYS_ptrace, 0, 0, 0, 0, 0, 0);
	case CLONE_: return raw(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0);
	case X32: return raw(0x40000000 | SYS_munmap, 0, 4096, 0, 0, 0, 0);
	case TIME: return raw(SYS_time, 0, 0, 0, 0, 0, 0);
	/* time() of the vsyscall page; where there is none it is a SIGSEGV. */
	case VSYSCALL: return ((long (*)(void *))0xffffffffff600400)(NULL);
	case SIGNAL_SELF: return raw(SYS_tgkill, getpid(), getpid(), 0, 0, 0, 0);
	case SOCKET_: return raw(SYS_socket, 1, 1, 0, 0, 0, 0);
	case FUTEX_ELSEWHERE: return raw(SYS_futex, SHARED + SHARED_BYTES, FUTEX_WAKE_BITSET, 1, 0, 0, 0);
	/* The CPU clock of process 1: ~1 * 8 + 2. */
	case CLOCK_OF_PROCESS: return raw(SYS_clock_gettime, -14, (long)&desc, 0, 0, 0, 0);
	case FUTEX_OTHER_OP: return raw(SYS_futex, SHARED + 8, FUTEX_LOCK_PI, 0, 0, 0, 0);
	case INT80: {
		long ret;

		__asm__ volatile("int $0x80" : "=a"(ret) : "a"(20));
		return ret;
	}
	}
	return 0;
}

static size_t stub(struct sock_filter *program) { return sandbox_stub_filter(program, 1024); }
static size_t vcpu(struct sock_filter *program)
{
	return sandbox_vcpu_filter(program, 1024, SHARED, SHARED_BYTES);
}
static size_t view(struct sock_filter *program)
{
	return sandbox_view_filter(program, 1024, SHARED, SHARED_BYTES);
}
static size_t mapper(struct sock_filter *program)
{
	return sandbox_mapper_filter(program, 1024, SHARED, SHARED_BYTES);
}

static int confined_by(size_t (*filter)(struct sock_filter *), enum trial t)
{
	struct sock_filter program[1024];
	struct sock_fprog fprog = { .filter = program };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int ram = memfd_create("ram", 0), other = memfd_create("other", 0);

		if (ftruncate(ram, 1 << 20) || ftruncate(other, 1 << 20))
			_exit(9);
		dup2(ram, SANDBOX_STUB_RAM_FD);
		dup2(other, 4);
		fprog.len = (unsigned short)filter(program);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) != 0)
			_exit(9);
		raw(SYS_exit_group, try(t) ? 0 : 8, 0, 0, 0, 0, 0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static int confined(enum trial t)
{
	return confined_by(stub, t);
}

Test(sandbox_seccomp, allowed)
{
	static const enum trial trials[] = { MAP_GUEST, UNMAP_LOW, LDT, EXIT };
	size_t i;

	for (i = 0; i < sizeof(trials) / sizeof(trials[0]); i++) {
		int status = confined(trials[i]);

		cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0,
			  "trial %d: status 0x%x", trials[i], status);
	}
}

Test(sandbox_seccomp, forbidden)
{
	static const enum trial trials[] = {
		MAP_HIGH, MAP_NO_FILE, MAP_OTHER_FD, MAP_PRIVATELY, UNMAP_HIGH, WRITE, OPEN,
		PROTECT, SIGNAL, INT80, PTRACE_, CLONE_, X32,
	};
	size_t i;

	for (i = 0; i < sizeof(trials) / sizeof(trials[0]); i++) {
		int status = confined(trials[i]);

		cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
			  "trial %d: status 0x%x", trials[i], status);
	}
}

static void on_sigsys(int signal)
{
	(void)signal;
	_exit(7);
}

/* What guest code can reach past PTRACE_SYSEMU stops; it does not kill. */
Test(sandbox_seccomp, vsyscalls_are_a_signal)
{
	int status;

#ifdef __SANITIZE_ADDRESS__
	cr_skip_test("the sanitizers' own calls are what the filter refuses");
#endif
	signal(SIGSYS, on_sigsys);
	signal(SIGSEGV, on_sigsys);
	status = confined(VSYSCALL);
	/* A handler returns by a call that is forbidden, _exit is not. */
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7, "status 0x%x", status);
}

static void all_forbidden(size_t (*filter)(struct sock_filter *), const char *name,
		   const enum trial *trials, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		int status = confined_by(filter, trials[i]);

		cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
			  "%s, trial %d: status 0x%x", name, trials[i], status);
	}
}

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* The processes of the direct engine: no files, no sockets, no signals, no
 * memory but the guest's. */
Test(sandbox_seccomp, the_direct_engines_processes)
{
	static const enum trial all[] = {
		MAP_HIGH, MAP_NO_FILE, MAP_OTHER_FD, MAP_PRIVATELY, UNMAP_HIGH, WRITE, OPEN,
		PROTECT, SIGNAL, SIGNAL_SELF, INT80, PTRACE_, CLONE_, X32, SOCKET_,
		FUTEX_ELSEWHERE, FUTEX_OTHER_OP, CLOCK_OF_PROCESS,
	};
	/* A view can map nothing at all. */
	static const enum trial views[] = { MAP_GUEST, UNMAP_LOW, LDT };

	all_forbidden(vcpu, "vcpu", all, COUNT(all));
	all_forbidden(view, "view", all, COUNT(all));
	all_forbidden(view, "view", views, COUNT(views));
	all_forbidden(mapper, "mapper", all, COUNT(all));
}
