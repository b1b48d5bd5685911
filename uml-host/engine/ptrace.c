/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ptrace engine: a supervisor traces stub processes, one per address space
 * in use, and runs guest code in them in 32-bit compatibility mode.
 *
 * This file is the run loop's half: resume, wait, say what happened, and the
 * kicks and timers that interrupt it.  Starting and feeding stubs is in
 * stub.c, turning a signal into an x86 vector in classify.c.  It must never
 * let guest code run under anything but PTRACE_SYSEMU.
 */
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/die.h"
#include "engine/clock.h"
#include "engine/ptrace.h"

/* The stop signal of a kick.  Not SIGALRM or SIGCHLD, which have meanings to
 * the supervisor itself; the stub never sees it. */
#define KICK_SIGNAL SIGUSR1

static void timer_expired(int signal, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)signal;
	(void)context;
	/* One that somebody sent knows no engine. */
	if (info->si_code == SI_TIMER)
		engine_kick(info->si_value.sival_ptr);
	errno = saved;
}

/* A timer that signals the vCPU thread, whose handler kicks.  A timer of the
 * stub's own would need a batch to set. */
static void open_timer(struct engine *e)
{
	struct sigaction action = {
		.sa_sigaction = timer_expired,
		/* waitpid goes on by itself. */
		.sa_flags = SA_SIGINFO | SA_RESTART,
	};
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGALRM,
		.sigev_value.sival_ptr = e,
	};

	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (sigaction(SIGALRM, &action, NULL) != 0 ||
	    timer_create(CLOCK_MONOTONIC, &event, &e->timer) != 0)
		die_errno("cannot make a timer");
}

/* What does vmcall do on this host?  Run one and look. */
static enum vmcall_behaviour probe_vmcall(struct engine *e)
{
	struct user_regs_struct regs = {
		.rip = e->stub[0].probe, .cs = 0x33, .ss = 0x2b,
		.rax = 0xffff, .orig_rax = (unsigned long long)-1,
	};
	int signal = stub_run(e, &e->stub[0], &regs);

	switch (signal) {
	case SIGILL: return VMCALL_SIGILL;
	case SIGSEGV: return VMCALL_SIGSEGV;
	default: return VMCALL_SILENT;
	}
}

static pid_t stub_process(void *engine, unsigned int i)
{
	return ((struct engine *)engine)->stub[i].pid;
}

static pid_t running_process(void *engine)
{
	return atomic_load(&((struct engine *)engine)->running);
}

static void kick(void *engine)
{
	engine_kick(engine);
}

static void wake_turn(uint32_t *turn)
{
	syscall(SYS_futex, turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void sleep_on_turn(uint32_t *turn, uint32_t value, uint64_t until)
{
	const struct timespec time = {
		.tv_sec = (time_t)(until / 1000000000), .tv_nsec = (long)(until % 1000000000),
	};

	syscall(SYS_futex, turn, FUTEX_WAIT_BITSET, value, &time, NULL, FUTEX_BITSET_MATCH_ANY);
}

struct engine *engine_open(const struct engine_config *config)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (!e)
		die("out of memory");
	e->config = *config;
	e->stub = calloc(config->nr_spaces, sizeof(*e->stub));
	if (!e->stub)
		die("out of memory");
	e->current = -1;
	if (sem_init(&e->sleep, 0, 0) != 0)
		die_errno("cannot make a semaphore");
	e->placement = (struct placement){
		.wanted = config->cpu, .processes = config->nr_spaces,
		.process = stub_process, .running = running_process, .owner = e,
	};
	placement_open(&e->placement);
	stubs_open(e);
	open_timer(e);
	e->vmcall = probe_vmcall(e);
	e->turns = turns_open(config->turns, &e->turn, &e->placement, kick, e);
	placement_watch(&e->placement);
	return e;
}

enum vmcall_behaviour engine_vmcall(const struct engine *e)
{
	return e->config.simulate ? e->config.simulate : e->vmcall;
}

const struct engine_counters *engine_counters(const struct engine *e)
{
	return &e->counters;
}

void engine_kick(struct engine *e)
{
	pid_t pid;

	/* The order matters: engine_run publishes `running` before it looks at
	 * `kicked`, so one of the two sees the other. */
	atomic_store(&e->kicked, true);
	pid = atomic_load(&e->running);
	if (pid > 0)
		syscall(SYS_tgkill, pid, pid, KICK_SIGNAL);
	if (atomic_load(&e->waiting))
		sem_post(&e->sleep);
}

void engine_wait(struct engine *e, uint64_t deadline)
{
	struct timespec until = {
		.tv_sec = (time_t)(deadline / 1000000000),
		.tv_nsec = (long)(deadline % 1000000000),
	};

	turn_leave(&e->turn, wake_turn);
	atomic_store(&e->waiting, true);
	while (!atomic_exchange(&e->kicked, false)) {
		int failed = deadline ?
			sem_clockwait(&e->sleep, CLOCK_MONOTONIC, &until) :
			sem_wait(&e->sleep);

		if (failed && errno == ETIMEDOUT)
			break;
	}
	atomic_store(&e->waiting, false);
	while (sem_trywait(&e->sleep) == 0)
		;
}

void engine_set_timer(struct engine *e, uint64_t deadline)
{
	struct itimerspec when = {
		.it_value.tv_sec = (time_t)(deadline / 1000000000),
		.it_value.tv_nsec = (long)(deadline % 1000000000),
	};

	if (timer_settime(e->timer, TIMER_ABSTIME, &when, NULL) != 0)
		die_errno("cannot set a timer");
}

/* The processor lets ring 3 load DS, ES, FS and GS with any privilege level
 * requested; ptrace takes only 3, which names the same segment, and 0. */
static uint16_t host_selector(uint16_t selector)
{
	return (selector & ~3u) ? selector | 3u : 0;
}

/*
 * Tour 20: That kernel believes it is in ring 1.  It is in ring 3, in 32-bit
 * compatibility mode, in a host process whose low 4 GiB are all its own: its
 * integer registers are the processor's, CS is the host's flat 0x23.
 */
/* Registers of the guest as the host processor needs them.  CS is always the
 * host's own flat compatibility segment. */
static void registers_in(const struct engine_vcpu *v, struct user_regs_struct *r)
{
	const struct engine_regs *g = &v->regs;

	*r = (struct user_regs_struct){
		.rax = g->eax, .rbx = g->ebx, .rcx = g->ecx, .rdx = g->edx,
		.rsi = g->esi, .rdi = g->edi, .rbp = g->ebp, .rsp = g->esp,
		.rip = g->eip, .eflags = g->eflags,
		/* Not in a system call: nothing to restart. */
		.orig_rax = (unsigned long long)-1,
		.cs = HOST_CS32, .ss = host_selector(g->ss),
		.ds = host_selector(g->ds), .es = host_selector(g->es),
		.fs = host_selector(g->fs), .gs = host_selector(g->gs),
		/* With FSGSBASE the bases are not derived from selectors. */
		.fs_base = v->fs_base, .gs_base = v->gs_base,
	};
}

static void registers_out(struct engine_vcpu *v, const struct user_regs_struct *r)
{
	v->regs = (struct engine_regs){
		.eax = (uint32_t)r->rax, .ebx = (uint32_t)r->rbx,
		.ecx = (uint32_t)r->rcx, .edx = (uint32_t)r->rdx,
		.esi = (uint32_t)r->rsi, .edi = (uint32_t)r->rdi,
		.ebp = (uint32_t)r->rbp, .esp = (uint32_t)r->rsp,
		.eip = (uint32_t)r->rip, .eflags = (uint32_t)r->eflags,
		.ds = (uint16_t)r->ds, .es = (uint16_t)r->es,
		.fs = (uint16_t)r->fs, .gs = (uint16_t)r->gs,
		.ss = (uint16_t)r->ss,
	};
	v->fs_base = (uint32_t)r->fs_base;
	v->gs_base = (uint32_t)r->gs_base;
}

/*
 * Tour 40: We trace the stub, and resume it with PTRACE_SYSEMU: whatever system call
 * the guest makes, by whatever instruction, stops before the host has done
 * anything for it.
 */
/* Resumes guest code in `stub` and waits for its next stop.  False: it was
 * not resumed because a kick came first. */
static bool resume_guest(struct engine *e, struct stub *stub, int *status)
{
	struct user_regs_struct regs;

	registers_in(e->config.vcpu, &regs);
	e->resumed_eip = e->config.vcpu->regs.eip;
	if (ptrace(PTRACE_SETREGS, stub->pid, NULL, &regs) != 0)
		return stub_gone(e, stub, status);
	atomic_store(&e->running, stub->pid);
	if (atomic_exchange(&e->kicked, false)) {
		atomic_store(&e->running, 0);
		return false;
	}
	/* SYSEMU: no system call of guest code, 32- or 64-bit, is executed. */
	if (ptrace(PTRACE_SYSEMU, stub->pid, NULL, NULL) != 0)
		return stub_gone(e, stub, status);
	stub_wait(stub, status);
	atomic_store(&e->running, 0);
	e->counters.stops++;
	return true;
}

void engine_run(struct engine *e)
{
	struct engine_vcpu *v = e->config.vcpu;
	struct user_regs_struct regs;
	struct stub *stub;
	int status;

	v->exit.kind = ENGINE_EXIT_KICK;
	v->exit.insn_len = 0;
	turn_await(&e->turn, wake_turn, sleep_on_turn);
	stub = stub_enter(e, v->space);
	if (!resume_guest(e, stub, &status))
		return;
	if (!WIFSTOPPED(status)) {
		v->exit.kind = ENGINE_EXIT_GONE;
		return;
	}
	if (ptrace(PTRACE_GETREGS, stub->pid, NULL, &regs) != 0) {
		v->exit.kind = ENGINE_EXIT_GONE;
		return;
	}
	registers_out(v, &regs);
	classify_stop(e, stub, WSTOPSIG(status), &regs);
}

uint64_t engine_floor_ns(struct engine *e, unsigned int rounds)
{
	struct user_regs_struct regs = {
		.rip = e->stub[0].floor, .cs = 0x33, .ss = 0x2b,
		.orig_rax = (unsigned long long)-1,
	};
	struct stub *stub = stub_enter(e, 0);
	uint64_t start;
	unsigned int i;
	int status = 0;

	ptrace(PTRACE_SETREGS, stub->pid, NULL, &regs);
	start = engine_clock_ns();
	for (i = 0; i < rounds; i++) {
		ptrace(PTRACE_SYSEMU, stub->pid, NULL, NULL);
		stub_wait(stub, &status);
		if (!WIFSTOPPED(status))
			die("the stub process is gone");
		ptrace(PTRACE_GETREGS, stub->pid, NULL, &regs);
		ptrace(PTRACE_SETREGS, stub->pid, NULL, &regs);
	}
	return (engine_clock_ns() - start) / (rounds ? rounds : 1);
}

void engine_close(struct engine *e)
{
	placement_close(&e->placement);
	turns_close(e->turns);
	timer_delete(e->timer);
	stubs_close(e);
	sem_destroy(&e->sleep);
	free(e->stub);
	free(e);
}
