/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest programs, in processes of their own: handing a program over to its view
 * and taking it back.
 *
 * A view's own page is written by whoever runs there, perhaps a program in
 * 64-bit mode: every word of it is read once and checked.  What such a program
 * can gain is what it has anyway, its own registers and memory.
 */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "engine/calls.h"
#include "engine/clock.h"
#include "monitor/monitor.h"

/* A view that is kicked and does not stop, or has orders and does not answer, is given
 * up after that time. */
#define PATIENCE_NS 5000000000ull
/* How long a mapper is listened to before somebody looks whether it is there. */
#define LISTEN_NS 100000000ull

/* How long a view runs before somebody looks whether it should. */
#define LOOK_NS 1000000000ull

static int fpu_at = -1;	/* where guest code ran last, whose registers they are: a view, or -1 */
static bool started[GUEST_TABLES];	/* it has a process */
static bool owed[GUEST_TABLES];	/* its mapper has not said yet that its last order is done */

#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))

static struct view_page *page_of(unsigned int view)
{
	return (struct view_page *)(MONITOR_VIEWS + (uint64_t)view * VIEW_SLICE_BYTES);
}

static struct view_orders *orders_of(unsigned int view)
{
	return (struct view_orders *)(MONITOR_VIEWS + (uint64_t)view * VIEW_SLICE_BYTES +
				      VIEW_OWN_BYTES);
}

/* `bytes` at an address of the view's process, or NULL if they are not all in
 * what it shares. */
static void *in_view(unsigned int view, uint64_t address, uint64_t bytes)
{
	uint64_t offset = address - VIEW_SLICE;

	if (offset % 8 || offset < sizeof(struct view_page) || offset > VIEW_OWN_BYTES - bytes)
		return NULL;
	return (char *)page_of(view) + offset;
}

/* The frame of guest code's last stop there. */
static ucontext_t *frame_of(unsigned int view)
{
	return in_view(view, READ_ONCE(page_of(view)->frame), sizeof(ucontext_t));
}

/* By what we know ourselves: its page says what it likes. */
bool view_exists(unsigned int view)
{
	return started[view];
}

/* --- mapping ------------------------------------------------------------------ */

/* Its process is of no use any more. */
static void give_up(unsigned int view)
{
	channel()->address = view;
	monitor_request(CHANNEL_END_VIEW);
	started[view] = owed[view] = false;
}

/* One word of a mapper, or false: none came in time, or nobody is there to say one. */
static bool hear(unsigned int view, uint64_t *word)
{
	struct pollfd answers = { .fd = MONITOR_FD_ANSWERS, .events = POLLIN };
	unsigned int i;

	for (i = 0; i < PATIENCE_NS / LISTEN_NS;) {
		long heard = syscall3(SYS_poll, SYSCALL_ARG(&answers), 1, LISTEN_NS / 1000000);

		if (heard == 1)
			return syscall3(SYS_read, MONITOR_FD_ANSWERS, SYSCALL_ARG(word),
					sizeof(*word)) == sizeof(*word);
		/* A signal is no time that has passed. */
		i += heard == 0;
		if (READ_ONCE(page_of(view)->turn) == VIEW_TURN_DEAD)
			break;
	}
	return false;
}

/* A word has the view's number in it, and whether it says success. */
#define VIEWS_OF_WORDS (2u * GUEST_TABLES)

/* Whoever is waited for, all mappers speak on one pipe. */
static void note_answer(uint64_t word)
{
	unsigned int view = word / 2 % GUEST_TABLES;

	if ((word & ~1ull) == orders_of(view)->done)
		owed[view] = false;
}

/* The first `n` calls are for its mapper now.  Every order has words of its own to be
 * answered with: one that comes late, of a mapper that was given up, is not taken
 * for another's. */
static void give_orders(unsigned int view, uint32_t n, bool then_run)
{
	struct view_orders *orders = orders_of(view);
	static uint64_t last;

	channel()->counters.operations += n;
	channel()->counters.batches++;
	last += VIEWS_OF_WORDS;
	orders->done = last | view << 1;
	orders->failed = orders->done | 1;
	orders->count = n;
	orders->then_run = then_run;
	__atomic_add_fetch(&orders->sequence, 1, __ATOMIC_SEQ_CST);
	monitor_wake(&orders->sequence, FUTEX_BITSET_MATCH_ANY);
}

/* Has the mapper of a view make the first `n` calls. */
static long order(void *context, uint32_t n)
{
	unsigned int view = *(unsigned int *)context;
	struct view_orders *orders = orders_of(view);
	uint64_t word;

	if (!view_exists(view))
		return 0;
	give_orders(view, n, false);
	while (hear(view, &word)) {
		note_answer(word);
		if (word == orders->done)
			return 0;
		if (word == orders->failed)
			return -ENOMEM;
	}
	/* What is not there has nothing mapped. */
	give_up(view);
	return 0;
}

/* A program can say that it has stopped while its mapper is at work: its orders must not
 * change under it. */
static void settle(unsigned int view)
{
	uint64_t word;

	while (owed[view]) {
		if (!hear(view, &word)) {
			give_up(view);
			return;
		}
		note_answer(word);
	}
}

long view_update(struct space *s, unsigned int view)
{
	const struct call_target there = {
		.op = orders_of(view)->op, .max = VIEW_MAX_OPS, .at = VIEW_ORDERS + VIEW_O_OPS,
		.ram_fd = VIEW_FD_RAM, .make = order, .context = &view,
	};

	settle(view);
	return calls_update(s, &there);
}

/* The host has no process for another view: one that is there goes, rather one that has
 * nothing mapped.  False: there is none but this. */
static bool make_room(struct guest *g, unsigned int view)
{
	unsigned int i, victim = GUEST_TABLES;

	for (i = 0; i < GUEST_TABLES; i++) {
		if (i == view || (int)i == fpu_at || !view_exists(i))
			continue;
		victim = i;
		if (!g->space[guest_user_space(i)].mapped)
			break;
	}
	if (victim == GUEST_TABLES)
		return false;
	space_clear(&g->space[guest_user_space(victim)]);
	give_up(victim);
	g->cpu.v.crowded = true;
	return true;
}

void view_ready(struct guest *g, unsigned int view)
{
	struct channel *c = channel();

	if (view_exists(view) && READ_ONCE(page_of(view)->turn) != VIEW_TURN_DEAD)
		return;
	do {
		c->address = view;
		monitor_request(CHANNEL_VIEW);
	} while (!c->known && make_room(g, view));
	if (!c->known)
		monitor_end(MONITOR_END_PROCESSES);
	started[view] = true;
	owed[view] = false;
	space_renew(&g->space[guest_user_space(view)]);
}

/* --- the FPU -------------------------------------------------------------------- */

/* FXSAVE's layout, then XSAVE's word that says which components are not in their
 * initial state (Intel SDM 1, 13.4).  What the kernel keeps for itself lies
 * between, and the vector registers of 64-bit mode. */
#define FXSAVE_MXCSR 24
#define FXSAVE_MXCSR_MASK 28
#define FXSAVE_REGISTERS 416
#define FXSAVE_MAGIC 464	/* struct _fpx_sw_bytes */
#define FXSAVE_BYTES 512
#define XSTATE_X87_SSE 3u

static uint8_t *fpu_of(int view)
{
	ucontext_t *frame;

	if (view < 0)
		return entry_fpu();
	frame = frame_of((unsigned int)view);
	return frame ? in_view((unsigned int)view,
			       SYSCALL_ARG(READ_ONCE(frame->uc_mcontext.fpregs)),
			       FXSAVE_BYTES + sizeof(uint64_t)) : NULL;
}

/*
 * x87 and SSE registers follow execution, whatever the guest says of CR0.TS.
 * AVX's upper halves stay with the process, as in the other engine.
 */
void view_fpu_follows(int view)
{
	uint32_t magic, mxcsr, mask;
	uint64_t parts, keep;
	uint8_t *from, *to;

	if (view == fpu_at)
		return;
	from = fpu_of(fpu_at);
	to = fpu_of(view);
	fpu_at = view;
	if (!from || !to)
		return;
	memcpy(&mask, to + FXSAVE_MXCSR_MASK, sizeof(mask));
	memcpy(to, from, FXSAVE_REGISTERS);
	/* Bits that must be 0 would fault when it is loaded. */
	memcpy(&mxcsr, to + FXSAVE_MXCSR, sizeof(mxcsr));
	mxcsr &= mask ? mask : 0xffbf;
	memcpy(to + FXSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
	memcpy(to + FXSAVE_MXCSR_MASK, &mask, sizeof(mask));
	memcpy(&magic, to + FXSAVE_MAGIC, sizeof(magic));
	if (magic != FP_XSTATE_MAGIC1)
		return;
	memcpy(&parts, from + FXSAVE_BYTES, sizeof(parts));
	memcpy(&keep, to + FXSAVE_BYTES, sizeof(keep));
	parts = (keep & ~(uint64_t)XSTATE_X87_SSE) | (parts & XSTATE_X87_SSE);
	memcpy(to + FXSAVE_BYTES, &parts, sizeof(parts));
}

/* --- running ----------------------------------------------------------------------- */

/* Bits of EFLAGS that a signal return leaves alone. */
#define EFLAGS_KEPT (EFLAGS_NT | EFLAGS_ID)

static void registers_in(const struct engine_vcpu *v, greg_t *r)
{
	const struct engine_regs *g = &v->regs;
	/* A flat one, or in the LDT for one instruction: what it says was
	 * written just now. */
	uint16_t ss = g->ss | 3u;

	r[REG_RAX] = g->eax;
	r[REG_RBX] = g->ebx;
	r[REG_RCX] = g->ecx;
	r[REG_RDX] = g->edx;
	r[REG_RSI] = g->esi;
	r[REG_RDI] = g->edi;
	r[REG_RBP] = g->ebp;
	r[REG_RSP] = g->esp;
	r[REG_RIP] = g->eip;
	r[REG_EFL] = g->eflags;
	/* The kernel takes CS and SS from there, the other two it ignores. */
	r[REG_CSGSFS] = (greg_t)(HOST_CS32 | (uint64_t)ss << 48);
}

static void segments_in(const struct engine_vcpu *v, struct view_page *p)
{
	p->ds = v->regs.ds;
	p->es = v->regs.es;
	p->fs = v->regs.fs;
	p->gs = v->regs.gs;
	p->fs_base = v->fs_base;
	p->gs_base = v->gs_base;
	p->flags = (v->regs.eflags & EFLAGS_KEPT) | EFLAGS_FIXED;
}

static void segments_out(struct engine_vcpu *v, const struct view_page *p)
{
	v->regs.ds = (uint16_t)READ_ONCE(p->ds);
	v->regs.es = (uint16_t)READ_ONCE(p->es);
	v->regs.fs = (uint16_t)READ_ONCE(p->fs);
	v->regs.gs = (uint16_t)READ_ONCE(p->gs);
	v->fs_base = (uint32_t)READ_ONCE(p->fs_base);
	v->gs_base = (uint32_t)READ_ONCE(p->gs_base);
}

static bool is_others_turn(struct view_page *p, uint32_t *turn)
{
	*turn = __atomic_load_n(&p->turn, __ATOMIC_SEQ_CST);
	return *turn == VIEW_TURN_GUEST || *turn == VIEW_TURN_MAPPER;
}

/* Sleeps until it is the monitor's turn, or that time; false: the time came. */
static bool wait_turn(struct view_page *p, uint64_t until_ns)
{
	const struct timespec until = {
		.tv_sec = (time_t)(until_ns / 1000000000),
		.tv_nsec = (long)(until_ns % 1000000000),
	};
	uint32_t turn;
	long result = 0;

	__atomic_store_n(&p->monitor_sleeps, 1, __ATOMIC_SEQ_CST);
	while (result != -ETIMEDOUT && is_others_turn(p, &turn))
		result = syscall6(SYS_futex, SYSCALL_ARG(&p->turn), FUTEX_WAIT_BITSET, turn,
				  until_ns ? SYSCALL_ARG(&until) : 0, 0, VIEW_BIT_MONITOR);
	__atomic_store_n(&p->monitor_sleeps, 0, __ATOMIC_SEQ_CST);
	return result != -ETIMEDOUT;
}

/* A program can see to it that a stop wakes nobody.  So somebody looks, whether or not
 * there is a deadline. */
static uint64_t look_at(uint64_t deadline)
{
	uint64_t soon = engine_clock_ns() + LOOK_NS;

	return deadline && deadline < soon ? deadline : soon;
}

static bool is_due(uint64_t deadline)
{
	return READ_ONCE(channel()->kicked) || (deadline && deadline <= engine_clock_ns());
}

/* Waits for its stop; has it kicked in time, and ended if that does not help. */
static void wait_for_stop(struct view_page *p, unsigned int view, uint64_t deadline)
{
	uint32_t turn;

	while (!wait_turn(p, look_at(deadline)))
		if (is_due(deadline))
			break;
	if (!is_others_turn(p, &turn))
		return;
	monitor_request(CHANNEL_KICK);
	while (!wait_turn(p, engine_clock_ns() + PATIENCE_NS)) {
		channel()->address = view;
		monitor_request(CHANNEL_END_VIEW);
	}
}

/* False if it was another's turn, and that of a view whose process is gone must not be
 * overwritten: nobody says it twice. */
static bool pass_turn(struct view_page *p, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(&p->turn, &from, to, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static bool start(struct view_page *p)
{
	if (!pass_turn(p, VIEW_TURN_MONITOR, VIEW_TURN_GUEST))
		return false;
	if (READ_ONCE(p->guest_sleeps))
		monitor_wake(&p->turn, VIEW_BIT_GUEST);
	return true;
}

struct start {
	unsigned int view;
	bool started;
};

static long order_and_start(void *context, uint32_t n)
{
	struct start *s = context;

	s->started = pass_turn(page_of(s->view), VIEW_TURN_MONITOR, VIEW_TURN_MAPPER);
	if (s->started) {
		give_orders(s->view, n, true);
		owed[s->view] = true;
	}
	return 0;
}

/* Guest code may run in the view: with what its space wants, if that is only more than
 * it has.  Then the mapper hands on the turn itself and nobody waits for it.  False:
 * there is no process. */
static bool start_with(struct space *s, unsigned int view)
{
	struct start to = { .view = view };
	const struct call_target there = {
		.op = orders_of(view)->op, .max = VIEW_MAX_OPS, .at = VIEW_ORDERS + VIEW_O_OPS,
		.ram_fd = VIEW_FD_RAM, .make = order_and_start, .context = &to,
	};

	settle(view);
	if (s->removes ||
	    s->nr_ops + SPACE_LDT_ENTRIES > VIEW_MAX_OPS) {
		if (view_update(s, view))
			monitor_end(MONITOR_END_MAPPING);
	} else {
		calls_update(s, &there);
	}
	return to.started || start(page_of(view));
}

void view_run(struct guest *g, unsigned int view, uint64_t deadline)
{
	struct view_page *p = page_of(view);
	struct engine_vcpu *v = &g->cpu.v;
	ucontext_t *frame = view_exists(view) ? frame_of(view) : NULL;
	greg_t gregs[NGREG];

	if (frame) {
		view_fpu_follows((int)view);
		registers_in(v, frame->uc_mcontext.gregs);
		memset(&frame->uc_sigmask, 0, sizeof(uint64_t));
		segments_in(v, p);
		if (start_with(&g->space[v->space], view))
			wait_for_stop(p, view, deadline);
		/* Once more, from nothing. */
		if (pass_turn(p, VIEW_TURN_FAILED, VIEW_TURN_MONITOR)) {
			space_clear(&g->space[v->space]);
			return;
		}
		frame = READ_ONCE(p->turn) == VIEW_TURN_MONITOR ? frame_of(view) : NULL;
	}
	/* Its process is gone, or says nothing that makes sense: whatever it
	 * was, no program of 32-bit mode did that. */
	if (!frame) {
		fpu_at = -1;
		give_up(view);
		v->exit.kind = ENGINE_EXIT_LONG_MODE;
		return;
	}
	memcpy(gregs, frame->uc_mcontext.gregs, sizeof(gregs));
	monitor_registers_out(v, gregs);
	segments_out(v, p);
	monitor_classify(g, &(struct stop){
		.signal = (int)READ_ONCE(p->signal), .code = (int)READ_ONCE(p->code),
		.gregs = gregs, .view = true,
	});
}
