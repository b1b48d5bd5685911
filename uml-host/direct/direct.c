/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The direct engine, the supervisor's side.  The guest and its monitor are one
 * process; here it is started, its questions are answered, and it is ended.
 *
 * Nothing that process says is believed: a question is copied first, the copy
 * checked by whoever answers it, as a device checks its guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/die.h"
#include "base/program.h"
#include "direct/internal.h"
#include "monitor/signals.h"

/* Events are looked at that often, if there is no other reason; and where nobody wants
 * any. */
#define DRAIN_NS 5000000
#define IDLE_NS 1000000000
#define LOOK_NS 100000000	/* and so is the wish to stop */

extern const unsigned char monitor_image[], monitor_image_end[];
extern const unsigned char view_image[], view_image_end[];

/* Futexes lie in memory shared between processes. */
void futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void futex_wait(uint32_t *word, uint32_t value, uint64_t ns)
{
	const struct timespec t = {
		.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000),
	};

	syscall(SYS_futex, word, FUTEX_WAIT, value, ns ? &t : NULL, NULL, 0);
}

void ring(struct direct *d)
{
	__atomic_add_fetch(&d->channel->bell, 1, __ATOMIC_SEQ_CST);
	futex_wake(&d->channel->bell);
}

uint32_t read_bell(struct direct *d)
{
	return __atomic_load_n(&d->channel->bell, __ATOMIC_SEQ_CST);
}

enum channel_request wait_request(struct direct *d, uint32_t bell)
{
	struct channel *c = d->channel;
	uint32_t request = __atomic_load_n(&c->request, __ATOMIC_SEQ_CST);

	if (request == CHANNEL_NONE && !atomic_load(&d->gone)) {
		/* Not for ever: who can write the bell can undo that it rang. */
		futex_wait(&c->bell, bell, LOOK_NS);
		request = __atomic_load_n(&c->request, __ATOMIC_SEQ_CST);
	}
	/* What no monitor asks is not asked by one. */
	return request < NR_CHANNEL_REQUESTS ? (enum channel_request)request : CHANNEL_END;
}

static void answer(struct direct *d)
{
	__atomic_store_n(&d->channel->request, CHANNEL_NONE, __ATOMIC_SEQ_CST);
	futex_wake(&d->channel->request);
}

void start_thread(pthread_t *thread, void *(*run)(void *), struct direct *d)
{
	sigset_t all, old;

	/* Signals are for the threads that expect them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	errno = pthread_create(thread, NULL, run, d);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (errno)
		die_errno("cannot start a thread");
}

bool stops(const struct direct *d)
{
	return d->owner->stop && d->owner->stop(d->owner->context);
}

/* Of placement: the vCPU process, the views, their mappers. */
static pid_t process(void *direct, unsigned int i)
{
	struct direct *d = direct;

	if (i == 0)
		return atomic_load(&d->pid);
	return i <= VIEWS ? atomic_load(&d->view_pid[i - 1]) :
			    atomic_load(&d->mapper_pid[i - 1 - VIEWS]);
}

/* Where guest code runs, as the channel says: RUNNING_NONE, or one that there can be. */
static uint32_t running(struct direct *d)
{
	uint32_t where = __atomic_load_n(&d->channel->running, __ATOMIC_SEQ_CST);

	return where < RUNNING_VIEW(VIEWS) ? where : RUNNING_NONE;
}

static pid_t running_process(void *direct)
{
	uint32_t where = running(direct);

	return where == RUNNING_NONE ? 0 : process(direct, where - RUNNING_KERNEL);
}

/* One for each view: near the usual limit, and a process may have more if it says so. */
static void allow_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static void kick(void *direct)
{
	direct_kick(direct);
}

/* The system calls of guest programs are of 32 bits and no host call: a filter of ours sees
 * them.  One that we found here and that kills for what it does not know, or for another
 * architecture's, goes before it (seccomp(2), precedence). */
static bool is_killed_for_calls(void)
{
	long nobody_s = 0x7fff;
	int status = 0;
	pid_t child;

	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != SECCOMP_MODE_FILTER)
		return false;
	child = fork();
	if (child == 0) {
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		__asm__ volatile("int $0x80" : "+a"(nobody_s) : : "r8", "r9", "r10", "r11", "memory");
		_exit(0);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return child > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

bool direct_possible(void)
{
	const uint32_t action = SECCOMP_RET_TRAP;
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (self < 0)
		return false;
	close(self);
	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0 &&
	       !is_killed_for_calls();
}

struct direct *direct_open(const struct direct_config *config)
{
	struct direct *d = calloc(1, sizeof(*d));
	unsigned int i;

	if (!d)
		die("out of memory");
	d->config = *config;
	/* The other engine's timer: somebody else's means nothing here either. */
	signal(SIGALRM, SIG_IGN);
	allow_descriptors();
	/* Mappers are children of views, and ours when those end: nobody else may wait for
	 * them. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	for (i = 0; i <= VIEWS; i++)
		atomic_init(&d->pidfd[i], -1);
	pthread_mutex_init(&d->ends, NULL);
	pthread_mutex_init(&d->turn, NULL);
	d->image_fd = program_file(MONITOR_NAME, monitor_image,
				   (size_t)(monitor_image_end - monitor_image));
	d->view_image_fd = program_file(VIEW_NAME, view_image,
					(size_t)(view_image_end - view_image));
	d->filters_fd = view_filters();
	cleanup_add(process_kill_all, d);
	d->placement = (struct placement){
		.wanted = config->cpu, .processes = 2 * VIEWS + 1,
		.process = process, .running = running_process, .owner = d,
	};
	placement_open(&d->placement);
	process_start(d, 0);
	d->turns = turns_open(config->turns, &d->channel->turn, &d->placement, kick, d);
	placement_watch(&d->placement);
	return d;
}

void direct_close(struct direct *d)
{
	placement_close(&d->placement);
	turns_close(d->turns);
	process_stop(d);
	cleanup_remove(process_kill_all, d);
	munmap(d->channel, MONITOR_CHANNEL_BYTES);
	munmap(d->views, MONITOR_VIEWS_BYTES);
	pthread_mutex_destroy(&d->ends);
	pthread_mutex_destroy(&d->turn);
	close(d->image_fd);
	close(d->view_image_fd);
	close(d->filters_fd);
	free(d);
}

/* --- from other threads ---------------------------------------------------------- */

/* By descriptor: a number may be somebody else's by now.  Without a process it fails. */
static void kick_process(struct direct *d, unsigned int nr)
{
	atomic_fetch_add(&d->kicking, 1);
	syscall(SYS_pidfd_send_signal, atomic_load(&d->pidfd[nr]), SIGNAL_KICK, NULL, 0);
	atomic_fetch_sub(&d->kicking, 1);
}

void direct_kick(struct direct *d)
{
	struct channel *c = d->channel;
	uint32_t where;

	/* The order matters: the monitor publishes `running` before it looks at
	 * `kicked`, so one of the two sees the other. */
	__atomic_store_n(&c->kicked, 1, __ATOMIC_SEQ_CST);
	where = running(d);
	if (where != RUNNING_NONE)
		kick_process(d, where == RUNNING_KERNEL ? VIEWS : where - RUNNING_VIEW(0));
	if (__atomic_load_n(&c->waiting, __ATOMIC_SEQ_CST))
		futex_wake(&c->kicked);
	/* And the owner, who may want to stop. */
	ring(d);
}

void direct_raise_irq(struct direct *d, unsigned int irq)
{
	guest_raise_irq(d->config.shared, irq);
}

/* Who hands out events shall look. */
static void ring_drainer(struct direct *d)
{
	__atomic_add_fetch(&d->channel->events_bell, 1, __ATOMIC_SEQ_CST);
	futex_wake(&d->channel->events_bell);
}

void direct_set_trace(struct direct *d, uint32_t rows, uint32_t kinds)
{
	__atomic_store_n(&d->config.shared->trace_rows, rows, __ATOMIC_RELAXED);
	__atomic_store_n(&d->config.shared->trace_kinds, kinds, __ATOMIC_RELAXED);
	ring_drainer(d);
}

/* --- answers ------------------------------------------------------------------------ */

/* The state as it stands, for whoever is asked about it. */
static void look(struct direct *d)
{
	pthread_mutex_lock(&d->turn);
	guest_import(d->config.own, d->config.shared);
	pthread_mutex_unlock(&d->turn);
}

/* Hands out the events that are there.  They may say anything. */
static void drain_events(struct direct *d)
{
	const struct guest_owner *owner = d->owner;
	struct channel *c = d->channel;
	uint32_t head, tail, n;
	struct guest_event event;

	pthread_mutex_lock(&d->turn);
	head = __atomic_load_n(&c->head, __ATOMIC_ACQUIRE);
	tail = c->tail;
	for (n = 0; tail != head && n < CHANNEL_EVENTS; n++) {
		guest_import_event(&event, &c->event[tail % CHANNEL_EVENTS]);
		__atomic_store_n(&c->tail, ++tail, __ATOMIC_RELEASE);
		if (owner->event)
			owner->event(owner->context, &event);
	}
	pthread_mutex_unlock(&d->turn);
}

static bool is_watched(const struct guest *g)
{
	return __atomic_load_n(&g->trace_rows, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&g->trace_kinds, __ATOMIC_RELAXED) || g->stats.timed;
}

static void *drain(void *arg)
{
	struct direct *d = arg;
	struct channel *c = d->channel;

	placement_leave(&d->placement);
	for (;;) {
		/* Before it is asked whether this is over: who says so rings then. */
		uint32_t bell = __atomic_load_n(&c->events_bell, __ATOMIC_SEQ_CST);

		if (atomic_load(&d->over))
			return NULL;
		/* Whoever sums up on another thread wants its counters now. */
		look(d);
		drain_events(d);
		futex_wait(&c->events_bell, bell, is_watched(d->config.own) ? DRAIN_NS : IDLE_NS);
	}
}

static void serve_access(struct direct *d, const struct guest_owner *owner, bool port)
{
	struct channel *c = d->channel;
	struct guest_access access = *(volatile struct guest_access *)&c->access;
	bool (*serve)(void *, const struct guest_access *, uint32_t *) =
		port ? owner->port : owner->mmio;
	uint32_t value = 0;
	uint8_t write;

	memcpy(&write, &access.write, 1);
	access.write = write != 0;
	c->known = (access.width == 1 || access.width == 2 || access.width == 4) && serve &&
		   serve(owner->context, &access, &value);
	c->value = value;
}

static void serve_console(struct direct *d, const struct guest_owner *owner)
{
	struct channel *c = d->channel;
	uint32_t n = *(volatile uint32_t *)&c->text_len;
	uint8_t text[CHANNEL_TEXT];

	if (n > CHANNEL_TEXT)
		n = CHANNEL_TEXT;
	memcpy(text, c->text, n);
	if (owner->console)
		owner->console(owner->context, text, n);
}

/* The guest goes on no more, and it was not its monitor that said so in good faith. */
static void tampered(struct direct *d)
{
	const struct guest_event *last;

	kill_guest(d->config.own, "its monitor was tampered with");
	last = trace_peek(d->config.own);
	if (last && d->owner->event)
		d->owner->event(d->owner->context, last);
}

#define END_TEXT(id, what) [MONITOR_END_##id] = what,
static const char *const end_text[NR_MONITOR_ENDS] = { MONITOR_END_LIST(END_TEXT) };

/* The monitor ended, and its guest is not over. */
static void monitor_failed(struct direct *d)
{
	uint32_t why = *(volatile uint32_t *)&d->channel->end;

	if (why < NR_MONITOR_ENDS && end_text[why])
		die("%s", end_text[why]);
	tampered(d);
}

/* The vCPU process is gone.  A monitor is killed by others, or where memory runs out;
 * it does not end by itself or by what it does. */
static void vanished(struct direct *d)
{
	siginfo_t how = { 0 };

	if (waitid(P_PID, (id_t)atomic_load(&d->pid), &how, WEXITED | WNOWAIT) != 0 ||
	    (how.si_code == CLD_KILLED && how.si_status == SIGKILL))
		die("the process that ran the guest was killed from outside");
	tampered(d);
}

/* Answers one question.  False: there are no more. */
static bool serve(struct direct *d, const struct guest_owner *owner, enum channel_request request)
{
	struct channel *c = d->channel;
	uint32_t address = *(volatile uint32_t *)&c->address;
	enum view_result view;

	drain_events(d);
	switch (request) {
	case CHANNEL_NONE:
		return true;
	case CHANNEL_VIEW:
		view = view_start(d, address % VIEWS);
		c->known = view == VIEW_RUNS;
		return view != VIEW_OVER || stops(d);
	case CHANNEL_END_VIEW:
		view_end(d, address % VIEWS);
		break;
	case CHANNEL_KICK:
		direct_kick(d);
		break;
	case CHANNEL_NOTIFY:
		c->known = owner->notify && owner->notify(owner->context, gpa(address));
		break;
	case CHANNEL_PORT:
	case CHANNEL_MMIO:
		serve_access(d, owner, request == CHANNEL_PORT);
		break;
	case CHANNEL_CONSOLE:
		serve_console(d, owner);
		break;
	case CHANNEL_INITIALISED:
		if (owner->initialised)
			owner->initialised(owner->context);
		break;
	case CHANNEL_END:
		return false;
	default:
		break;
	}
	return true;
}

/* The guest's state, all of it new. */
static void hand_over(struct direct *d)
{
	const struct guest *own = d->config.own;
	struct guest *shared = d->config.shared;

	if (fallocate(d->config.guest_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		      (off_t)d->config.guest_bytes) != 0)
		die_errno("cannot clear the guest's state");
	memcpy(shared, own, offsetof(struct guest, space));
	shared->ram_offset = (int64_t)d->config.guest_bytes;
}

void direct_run(struct direct *d, const struct guest_owner *owner, bool each_event)
{
	struct channel *c;
	bool goes_on = true, gone = false;

	if (!d->fresh) {
		process_stop(d);
		process_start(d, 0);
	}
	d->fresh = false;
	c = d->channel;
	hand_over(d);
	d->owner = owner;
	c->each_event = each_event;
	atomic_store(&d->over, false);
	if (!each_event)
		start_thread(&d->drainer, drain, d);
	answer(d);
	for (;;) {
		/* Before the owner is asked: who makes it say yes rings then. */
		uint32_t bell = read_bell(d);
		enum channel_request request;

		if (!goes_on || gone || stops(d))
			break;
		request = wait_request(d, bell);
		gone = request == CHANNEL_NONE && atomic_load(&d->gone);
		if (each_event || request == CHANNEL_NONE || request == CHANNEL_INITIALISED)
			look(d);
		goes_on = serve(d, owner, request);
		if (request != CHANNEL_NONE && goes_on)
			answer(d);
	}
	atomic_store(&d->over, true);
	if (!each_event) {
		ring_drainer(d);
		pthread_join(d->drainer, NULL);
	}
	look(d);
	drain_events(d);
	/* Not the guest's end: the monitor's. */
	if (d->config.own->end != END_RUNNING)
		return;
	if (gone)
		vanished(d);
	else if (!goes_on)
		monitor_failed(d);
}

enum vmcall_behaviour direct_vmcall(const struct direct *d)
{
	return d->config.simulate ? d->config.simulate : d->vmcall;
}

const struct engine_counters *direct_counters(struct direct *d)
{
	d->counters = *(volatile struct engine_counters *)&d->channel->counters;
	return &d->counters;
}

uint64_t direct_floor_ns(struct direct *d, unsigned int rounds)
{
	process_stop(d);
	process_start(d, rounds);
	return d->floor_ns;
}
