/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stub processes of the ptrace engine: how one is started, how it is given a
 * batch of system calls to make, how all of them end.
 *
 * A stub is executed, not just forked: it must not inherit the supervisor's
 * heap, thread state or descriptors.  Every stub must be gone when the
 * supervisor is, whatever ended it.
 */
#include <cpuid.h>
#include <errno.h>
#include <linux/filter.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <elf.h>

#include "base/die.h"
#include "base/program.h"
#include "engine/calls.h"
#include "engine/ptrace.h"
#include "sandbox/sandbox.h"

extern const unsigned char stub_image[], stub_image_end[];

/* The steps of a child on its way to become a stub, for the error line. */
enum { STEP_NONE, STEP_TRACE, STEP_DESCRIPTORS, STEP_EXEC };

static const char *const step_failed[] = {
	[STEP_TRACE] = "this system does not allow ptrace",
	[STEP_DESCRIPTORS] = "cannot pass descriptors to the stub process",
	[STEP_EXEC] = "cannot execute the stub process from memory",
};

static void kill_stubs(void *arg)
{
	struct engine *e = arg;
	unsigned int i;
	int saved = errno;

	for (i = 0; i < e->config.nr_spaces; i++)
		if (e->stub[i].pid > 0)
			kill(e->stub[i].pid, SIGKILL);
	errno = saved;
}

void stub_wait(struct stub *stub, int *status)
{
	while (waitpid(stub->pid, status, __WALL) < 0)
		if (errno != EINTR)
			die_errno("cannot wait for the stub process");
	if (!WIFSTOPPED(*status))
		stub->pid = 0;
}

bool stub_gone(struct engine *e, struct stub *stub, int *status)
{
	if (errno != ESRCH)
		die_errno("cannot control the stub process");
	e->counters.stops++;
	stub_wait(stub, status);
	return true;
}

_Noreturn static void child_failed(struct stub_channel *channel, uint64_t step)
{
	channel->failed_errno = (uint64_t)errno;
	channel->failed_step = step;
	_exit(1);
}

/*
 * Tour 30: The process it runs in is a stub: executed anew from a few hundred bytes
 * of assembly, with guest memory for its only file and no library: nothing
 * of ours is in it to be found.  Its program lies above 4 GiB, where no 32-bit pointer
 * reaches.
 */
/* The child's way into the stub program.  Only async-signal-safe calls: the
 * supervisor may have threads. */
_Noreturn static void become_stub(struct engine *e, struct stub_channel *channel,
				  int channel_fd, pid_t parent)
{
	const int fds[] = { e->config.ram_fd, channel_fd };
	int failed;

	program_detach(parent, true);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		child_failed(channel, STEP_TRACE);
	failed = program_become(e->image_fd, STUB_NAME, NULL, fds, 2);
	child_failed(channel, failed == PROGRAM_EXEC ? STEP_EXEC : STEP_DESCRIPTORS);
}

/* The stub's seccomp program travels in the space of the operations. */
static void put_filter(struct stub_channel *channel)
{
	size_t max = sizeof(channel->op) / (sizeof(struct sock_filter));

	channel->filter_len = sandbox_stub_filter((struct sock_filter *)channel->op, max);
	channel->filter = STUB_CHANNEL + STUB_OPS;
}

/* A channel for a stub that has none; false, and errno: the host has no room. */
static bool open_channel(struct stub *stub, int *fd)
{
	void *channel = MAP_FAILED;

	*fd = memfd_create("uml-host-channel", MFD_CLOEXEC);
	if (*fd >= 0 && ftruncate(*fd, STUB_CHANNEL_BYTES) == 0)
		channel = mmap(NULL, STUB_CHANNEL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	stub->channel = channel == MAP_FAILED ? NULL : channel;
	stub->fpu = malloc(STUB_FPU_BYTES);
	stub->fpu_bytes = 0;
	return stub->channel && stub->fpu;
}

static void close_channel(struct stub *stub)
{
	if (stub->channel)
		munmap(stub->channel, STUB_CHANNEL_BYTES);
	stub->channel = NULL;
	free(stub->fpu);
	stub->fpu = NULL;
}

/* False, and errno: the host has no room for another process. */
static bool spawn(struct engine *e, struct stub *stub)
{
	pid_t parent = getpid();
	struct stub_channel *channel;
	struct user_regs_struct regs;
	int fd, status, error;

	if (open_channel(stub, &fd)) {
		put_filter(stub->channel);
		stub->pid = fork();
	} else {
		stub->pid = -1;
	}
	channel = stub->channel;
	if (stub->pid == 0)
		become_stub(e, channel, fd, parent);
	error = errno;
	close(fd);
	if (stub->pid < 0) {
		stub->pid = 0;
		close_channel(stub);
		errno = error;
		return false;
	}

	/* The stop of execveat. */
	stub_wait(stub, &status);
	if (!WIFSTOPPED(status)) {
		errno = (int)channel->failed_errno;
		if (channel->failed_step)
			die_errno("%s", step_failed[channel->failed_step & 3]);
		die("the stub process ended as it started");
	}
	if (ptrace(PTRACE_SETOPTIONS, stub->pid, NULL,
		   PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD) != 0)
		die_errno("this system does not allow ptrace");
	do {
		if (ptrace(PTRACE_CONT, stub->pid, NULL, NULL) != 0)
			die_errno("cannot start the stub process");
		stub_wait(stub, &status);
	} while (WIFSTOPPED(status) && WSTOPSIG(status) == SIGUSR1);
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP ||
	    ptrace(PTRACE_GETREGS, stub->pid, NULL, &regs) != 0)
		die("the stub process ended as it started");
	if (regs.rax) {
		errno = -(int)regs.rax;
		die_errno("the stub process cannot set itself up");
	}
	stub->run_batch = channel->run_batch;
	stub->probe = channel->probe;
	stub->floor = channel->floor;
	return true;
}

static void end_stub(struct stub *stub)
{
	/* Other threads must not find a number that may be somebody else's soon. */
	pid_t pid = atomic_exchange(&stub->pid, 0);
	int status = 0;

	if (pid > 0)
		kill(pid, SIGKILL);
	while (pid > 0 && (waitpid(pid, &status, __WALL) < 0 ? errno == EINTR : WIFSTOPPED(status)))
		;
	close_channel(stub);
}

/* The host has no process for another space: one that is there goes, rather one that
 * has nothing mapped.  False: there is none. */
static bool make_room(struct engine *e, unsigned int space)
{
	unsigned int i, victim = e->config.nr_spaces;

	for (i = 0; i < e->config.nr_spaces; i++) {
		if (i == space || (int)i == e->current || !e->stub[i].pid)
			continue;
		victim = i;
		if (!e->config.spaces[i].mapped)
			break;
	}
	if (victim == e->config.nr_spaces)
		return false;
	end_stub(&e->stub[victim]);
	space_renew(&e->config.spaces[victim]);
	e->config.vcpu->crowded = true;
	return true;
}

/* Are protection keys on, so that guest code can use WRPKRU? */
static bool has_protection_keys(void)
{
	unsigned int eax, ebx, ecx, edx;

	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ecx & bit_OSPKE);
}

void stubs_open(struct engine *e)
{
	e->image_fd = program_file(STUB_NAME, stub_image, (size_t)(stub_image_end - stub_image));
	e->protection_keys = has_protection_keys();
	cleanup_add(kill_stubs, e);
	if (!spawn(e, &e->stub[0]))
		die_errno("cannot start a stub process");
}

void stubs_close(struct engine *e)
{
	unsigned int i;

	kill_stubs(e);
	for (i = 0; i < e->config.nr_spaces; i++)
		end_stub(&e->stub[i]);
	cleanup_remove(kill_stubs, e);
	close(e->image_fd);
}

int stub_run(struct engine *e, struct stub *stub, struct user_regs_struct *regs)
{
	int status;

	if (ptrace(PTRACE_SETREGS, stub->pid, NULL, regs) != 0)
		die_errno("cannot control the stub process");
	do {
		/* The stub's own code: its system calls are meant to happen. */
		if (ptrace(PTRACE_CONT, stub->pid, NULL, NULL) != 0)
			die_errno("cannot control the stub process");
		stub_wait(stub, &status);
		if (!WIFSTOPPED(status))
			die("a stub process was killed from outside");
		/* A kick that came now is for the guest: keep it. */
		if (WSTOPSIG(status) == SIGUSR1)
			atomic_store(&e->kicked, true);
	} while (WSTOPSIG(status) == SIGUSR1 || WSTOPSIG(status) == SIGCONT);
	return WSTOPSIG(status);
}

/*
 * Tour 160: Now it happens.  The queue becomes an array of system calls, and the stub,
 * resumed for once as itself, makes them all in a row: one round trip, however
 * many there are.
 */
struct batch {
	struct engine *engine;
	struct stub *stub;
};

/* Has the stub make the first `n` calls of its channel. */
static long run_batch(void *context, uint32_t n)
{
	struct engine *e = ((struct batch *)context)->engine;
	struct stub *stub = ((struct batch *)context)->stub;
	struct user_regs_struct regs = {
		.rip = stub->run_batch, .cs = HOST_CS64, .ss = HOST_DS,
		.rbx = STUB_CHANNEL + STUB_OPS,
		.rbp = STUB_CHANNEL + STUB_OPS + (uint64_t)n * CALL_BYTES,
		.r12 = e->protection_keys,
		.orig_rax = (unsigned long long)-1,
	};
	uint32_t i;

	for (i = 0; i < n; i++)
		stub->channel->op[i].result = INT64_MIN;
	if (stub_run(e, stub, &regs) != SIGTRAP)
		die("the stub process failed in a batch of mapping changes");
	e->counters.batches++;
	e->counters.operations += n;
	for (i = 0; i < n; i++) {
		int64_t result = stub->channel->op[i].result;

		if (result == INT64_MIN)
			die("the stub process did not finish a batch");
		if (result < 0 && result >= -4095)
			return result;
	}
	return 0;
}

/* XSAVE's layout: x87 and SSE registers first, as FXSAVE stores them, then the
 * word that says which components are not in their initial state (Intel SDM 1,
 * 13.4). */
#define FXSAVE_BYTES 512
#define XSTATE_X87_SSE 3u

static uint64_t *xstate_components(struct stub *stub)
{
	return (uint64_t *)(stub->fpu + FXSAVE_BYTES);
}

/*
 * The x87 and SSE registers follow execution from stub to stub, whatever the
 * guest says of CR0.TS.  What a guest kernel of that age does not know of, the
 * upper halves of AVX registers above all, it cannot switch; but its programs
 * find it by CPUID.  It stays with the stub, which is to say with the address
 * space, and begins in its initial state.
 *
 * Most changes of view leave the registers alone, so each stub's are remembered
 * as it was left: what it still has is not written again.
 */
static void move_fpu(struct engine *e, struct stub *from, struct stub *to)
{
	struct iovec io = { .iov_base = from->fpu, .iov_len = STUB_FPU_BYTES };
	uint64_t components;

	if (ptrace(PTRACE_GETREGSET, from->pid, (void *)NT_X86_XSTATE, &io) != 0)
		die_errno("cannot read the FPU state of a stub process");
	if (io.iov_len == STUB_FPU_BYTES)
		die("the FPU state of this processor is larger than %d bytes", STUB_FPU_BYTES);
	from->fpu_bytes = io.iov_len;
	if (to->fpu_bytes != from->fpu_bytes) {
		memcpy(to->fpu, from->fpu, io.iov_len);
		*xstate_components(to) = 0;
	}
	components = (*xstate_components(to) & ~(uint64_t)XSTATE_X87_SSE) |
		     (*xstate_components(from) & XSTATE_X87_SSE);
	if (to->fpu_bytes == from->fpu_bytes && *xstate_components(to) == components &&
	    memcmp(to->fpu, from->fpu, FXSAVE_BYTES) == 0)
		return;
	memcpy(to->fpu, from->fpu, FXSAVE_BYTES);
	*xstate_components(to) = components;
	to->fpu_bytes = io.iov_len;
	io.iov_base = to->fpu;
	if (ptrace(PTRACE_SETREGSET, to->pid, (void *)NT_X86_XSTATE, &io) != 0)
		die_errno("cannot set the FPU state of a stub process");
	e->counters.fpu_moves++;
}

struct stub *stub_enter(struct engine *e, unsigned int space)
{
	struct stub *stub = &e->stub[space];
	struct batch batch = { e, stub };
	struct call_target target = {
		.max = STUB_MAX_OPS, .at = STUB_CHANNEL + STUB_OPS, .ram_fd = STUB_FD_RAM,
		.make = run_batch, .context = &batch,
	};
	long result;

	if (!stub->pid) {
		while (!spawn(e, stub))
			if (!make_room(e, space))
				die_errno("cannot start a stub process");
		debug_enter(e, stub);
	}
	target.op = stub->channel->op;
	result = calls_update(&e->config.spaces[space], &target);
	if (result) {
		errno = (int)-result;
		die_errno("cannot map guest memory in the stub process");
	}
	if (e->current != (int)space) {
		if (e->current >= 0 && e->stub[e->current].pid)
			move_fpu(e, &e->stub[e->current], stub);
		e->current = (int)space;
	}
	return stub;
}
