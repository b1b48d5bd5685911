/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine's contract inside the guest's own process: mapping changes are
 * system calls of its own, running guest code is an IRETQ, and the next signal, or
 * what comes by a gate, is the stop.
 */
#include <errno.h>
#include <linux/futex.h>
#include <time.h>
#include <asm/prctl.h>

#include "engine/calls.h"
#include "engine/turns.h"
#include "monitor/monitor.h"

/* What of EFLAGS is code's own to change at ring 3. */
#define EFLAGS_STATUS 0xcd5u	/* CF, PF, AF, ZF, SF, DF, OF */
#define EFLAGS_OWN (EFLAGS_STATUS | EFLAGS_TF | EFLAGS_NT | EFLAGS_RF | EFLAGS_AC | EFLAGS_ID)

static struct monitor_hardware hardware;
uint32_t monitor_resumed_eip;
static uint64_t deadline, armed;	/* of the timer, wanted and set; CLOCK_MONOTONIC ns, 0: off */
static bool ldt_changed;	/* since the segment registers were last loaded */

void monitor_prepare(const struct monitor_hardware *found)
{
	hardware = *found;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){
		.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000),
	};
}

/* --- mappings ---------------------------------------------------------------- */

/* One at a time: it is a call of our own. */
static struct host_call own_call;

static long make_call(void *context, uint32_t n)
{
	const struct host_call *op = context;
	long result = syscall6((long)op->nr, op->arg[0], op->arg[1], op->arg[2], op->arg[3],
			       op->arg[4], op->arg[5]);

	(void)n;
	channel()->counters.operations++;
	channel()->counters.batches++;
	return syscall_failed(result) ? result : 0;
}

/* Carries out a space's changes in this process, or has a user view's mapper do it. */
static void update_space(struct space *s, unsigned int space)
{
	const struct call_target here = {
		.op = &own_call, .max = 1, .at = SYSCALL_ARG(&own_call), .ram_fd = MONITOR_FD_RAM,
		.make = make_call, .context = &own_call,
	};
	long result;

	if (is_view(space)) {
		result = view_update(s, view_of(space));
	} else {
		ldt_changed |= s->ldt_stale != 0;
		result = calls_update(s, &here);
	}
	if (result)
		monitor_end(MONITOR_END_MAPPING);
}

/* --- registers ---------------------------------------------------------------- */

#define READ_SEGMENT(name) ({ uint16_t s_; __asm__ volatile("mov %%" name ", %0" : "=r"(s_)); s_; })
#define LOAD_SEGMENT(name, sel) __asm__ volatile("mov %0, %%" name : : "r"(sel) : "memory")

/* Would loading this into a data segment register fault?  What LAR tells are the
 * second word of the descriptor (Intel SDM 2, LAR). */
static bool is_data_selector(uint16_t selector)
{
	const uint32_t present = 0x8000, segment = 0x1000, code = 0x800, readable = 0x200;
	uint32_t rights = 0;
	bool ok;

	__asm__("lar %2, %1" : "=@ccz"(ok), "+r"(rights) : "r"((uint32_t)selector));
	return ok && (rights & present) && (rights & segment) &&
	       (!(rights & code) || (rights & readable));
}

static bool needs_load(uint16_t now, uint16_t wanted)
{
	return now != wanted || ((wanted & 4) && ldt_changed);
}

/* A selector that means nothing any more becomes the null one, as in the kernel. */
static uint16_t loadable(uint16_t selector)
{
	return selector > 3 && is_data_selector(selector) ? selector : 0;
}

static void load_segments(const struct engine_vcpu *v)
{
	if (needs_load(READ_SEGMENT("ds"), v->regs.ds))
		LOAD_SEGMENT("ds", loadable(v->regs.ds));
	if (needs_load(READ_SEGMENT("es"), v->regs.es))
		LOAD_SEGMENT("es", loadable(v->regs.es));
	if (needs_load(READ_SEGMENT("fs"), v->regs.fs))
		LOAD_SEGMENT("fs", loadable(v->regs.fs));
	if (needs_load(READ_SEGMENT("gs"), v->regs.gs))
		LOAD_SEGMENT("gs", loadable(v->regs.gs));
	ldt_changed = false;
	if (hardware.fsgsbase) {
		uint64_t base;

		__asm__ volatile("rdfsbase %0" : "=r"(base));
		if (base != v->fs_base)
			__asm__ volatile("wrfsbase %0" : : "r"((uint64_t)v->fs_base));
		__asm__ volatile("rdgsbase %0" : "=r"(base));
		if (base != v->gs_base)
			__asm__ volatile("wrgsbase %0" : : "r"((uint64_t)v->gs_base));
		return;
	}
	/* Without those instructions a base is its descriptor's. */
	if (!(v->regs.fs & 4))
		syscall3(SYS_arch_prctl, ARCH_SET_FS, v->fs_base, 0);
	if (!(v->regs.gs & 4))
		syscall3(SYS_arch_prctl, ARCH_SET_GS, v->gs_base, 0);
}

static void registers_in(const struct engine_vcpu *v)
{
	const struct engine_regs *g = &v->regs;

	entry_to.eax = g->eax;
	entry_to.ebx = g->ebx;
	entry_to.ecx = g->ecx;
	entry_to.edx = g->edx;
	entry_to.esi = g->esi;
	entry_to.edi = g->edi;
	entry_to.ebp = g->ebp;
	entry_to.rsp = g->esp;
	entry_to.rip = g->eip;
	entry_to.flags = (g->eflags & EFLAGS_OWN) | EFLAGS_FIXED;
	entry_to.cs = HOST_CS32;
	/* A flat one, or in the LDT for one instruction: what it says was
	 * written just now. */
	entry_to.ss = g->ss | 3u;
}

void monitor_registers_out(struct engine_vcpu *v, const greg_t *r)
{
	v->regs = (struct engine_regs){
		.eax = (uint32_t)r[REG_RAX], .ebx = (uint32_t)r[REG_RBX],
		.ecx = (uint32_t)r[REG_RCX], .edx = (uint32_t)r[REG_RDX],
		.esi = (uint32_t)r[REG_RSI], .edi = (uint32_t)r[REG_RDI],
		.ebp = (uint32_t)r[REG_RBP], .esp = (uint32_t)r[REG_RSP],
		.eip = (uint32_t)r[REG_RIP], .eflags = (uint32_t)r[REG_EFL],
		.ss = (uint16_t)((uint64_t)r[REG_CSGSFS] >> 48),
	};
}

static void read_segments(struct engine_vcpu *v)
{
	v->regs.ds = READ_SEGMENT("ds");
	v->regs.es = READ_SEGMENT("es");
	v->regs.fs = READ_SEGMENT("fs");
	v->regs.gs = READ_SEGMENT("gs");
	if (hardware.fsgsbase) {
		uint64_t base;

		__asm__ volatile("rdfsbase %0" : "=r"(base));
		v->fs_base = (uint32_t)base;
		__asm__ volatile("rdgsbase %0" : "=r"(base));
		v->gs_base = (uint32_t)base;
	}
}

/* --- running -------------------------------------------------------------------- */

/* The order matters: `running` is published before `kicked` is looked at, and
 * who kicks does it the other way round, so one of the two sees the other. */
static bool is_kicked(struct channel *c, uint32_t where)
{
	__atomic_store_n(&c->running, where, __ATOMIC_SEQ_CST);
	return __atomic_exchange_n(&c->kicked, 0, __ATOMIC_SEQ_CST);
}

/* The timer is this process's: where guest code runs elsewhere, the wait for it
 * has the deadline. */
static void arm_timer(void)
{
	const struct itimerspec when = { .it_value = timespec_of(deadline) };

	if (armed == deadline)
		return;
	armed = deadline;
	if (syscall_failed(syscall6(SYS_timer_settime, (uint64_t)hardware.timer, TIMER_ABSTIME,
				    SYSCALL_ARG(&when), 0, 0, 0)))
		monitor_end(MONITOR_END_TIMER);
}

/* A program in 64-bit mode can say that it has stopped, and run on beside its
 * kernel.  So what the kernel took from programs goes before it goes on, not
 * when they do. */
static void take_from_views(struct guest *g)
{
	unsigned int i;

	for (i = 0; i < GUEST_TABLES / 64; i++) {
		uint64_t *taken = &g->mm.taken[i];

		while (*taken) {
			unsigned int view = 64 * i + (unsigned int)__builtin_ctzll(*taken);
			unsigned int space = guest_user_space(view);

			*taken &= *taken - 1;
			if (view_exists(view))
				update_space(&g->space[space], space);
		}
	}
}

static void registers_from_gate(struct engine_vcpu *v)
{
	struct engine_regs *g = &v->regs;

	g->eax = entry_from.eax;
	g->ebx = entry_from.ebx;
	g->ecx = entry_from.ecx;
	g->edx = entry_from.edx;
	g->esi = entry_from.esi;
	g->edi = entry_from.edi;
	g->ebp = entry_from.ebp;
	g->esp = (uint32_t)entry_from.rsp;
	g->eip = (uint32_t)entry_from.rip;
	g->eflags = (uint32_t)entry_from.flags;
}

static void run_here(struct guest *g)
{
	struct engine_vcpu *v = &g->cpu.v;
	int signal;

	view_fpu_follows(-1);
	registers_in(v);
	load_segments(v);
	signal = entry_run();
	if (signal == ENTRY_NONE)
		return;
	if (signal == ENTRY_GATE) {
		registers_from_gate(v);
		read_segments(v);
		guest_came_by_gate(g, entry_from.gate);
		return;
	}
	monitor_registers_out(v, entry_frame->uc_mcontext.gregs);
	read_segments(v);
	monitor_classify(g, &(struct stop){
		.signal = signal, .code = entry_info->si_code,
		.gregs = entry_frame->uc_mcontext.gregs,
	});
}

static void wake_turn(uint32_t *turn)
{
	monitor_wake(turn, FUTEX_BITSET_MATCH_ANY);
}

static void sleep_on_turn(uint32_t *turn, uint32_t value, uint64_t until_ns)
{
	const struct timespec until = timespec_of(until_ns);

	syscall6(SYS_futex, SYSCALL_ARG(turn), FUTEX_WAIT_BITSET, value, SYSCALL_ARG(&until), 0,
		 FUTEX_BITSET_MATCH_ANY);
}

void engine_run(struct engine *engine)
{
	struct channel *c = channel();
	struct guest *g = monitored();
	struct engine_vcpu *v = &g->cpu.v;
	bool elsewhere = is_view(v->space);

	(void)engine;
	v->exit.kind = ENGINE_EXIT_KICK;
	v->exit.insn_len = 0;
	turn_await(&c->turn, wake_turn, sleep_on_turn);
	if (elsewhere)
		view_ready(g, view_of(v->space));
	else
		arm_timer();
	if (g->views == VIEWS_ONE_KERNEL)
		take_from_views(g);
	if (!elsewhere)
		update_space(&g->space[v->space], v->space);
	monitor_resumed_eip = v->regs.eip;
	if (!is_kicked(c, elsewhere ? RUNNING_VIEW(view_of(v->space)) : RUNNING_KERNEL)) {
		if (elsewhere)
			view_run(g, view_of(v->space), deadline);
		else
			run_here(g);
		c->counters.stops++;
	}
	__atomic_store_n(&c->running, RUNNING_NONE, __ATOMIC_SEQ_CST);
}

void engine_wait(struct engine *engine, uint64_t until_ns)
{
	struct timespec until = timespec_of(until_ns);
	struct channel *c = channel();

	(void)engine;
	turn_leave(&c->turn, wake_turn);
	__atomic_store_n(&c->waiting, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_exchange_n(&c->kicked, 0, __ATOMIC_SEQ_CST)) {
		/* Until an absolute time of CLOCK_MONOTONIC. */
		long result = syscall6(SYS_futex, SYSCALL_ARG(&c->kicked), FUTEX_WAIT_BITSET, 0,
				       until_ns ? SYSCALL_ARG(&until) : 0, 0,
				       FUTEX_BITSET_MATCH_ANY);

		if (result == -ETIMEDOUT)
			break;
	}
	__atomic_store_n(&c->waiting, 0, __ATOMIC_SEQ_CST);
}

void engine_set_timer(struct engine *engine, uint64_t when)
{
	(void)engine;
	deadline = when;
}
