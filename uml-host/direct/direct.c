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
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "base/program.h"
#include "direct/direct.h"
#include "engine/clock.h"
#include "engine/placement.h"
#include "monitor/channel.h"
#include "monitor/signals.h"
#include "sandbox/sandbox.h"

#define DRAIN_NS 5000000	/* events are looked at that often, if there is no other reason */

#define START_NS 5000000000ull	/* a process that takes longer to start does not */
#define SLICE_NS 20000000ull	/* how long it is waited for at a time */
#define VIEWS GUEST_TABLES
#define CLOSING (VIEWS + 1)	/* among the ends of processes: the watcher's own */

extern const unsigned char monitor_image[], monitor_image_end[];
extern const unsigned char view_image[], view_image_end[];

struct direct {
	struct direct_config config;
	int image_fd, view_image_fd, filters_fd;
	struct channel *channel;
	/* What the user views share with the monitor, and the answers of their
	 * mappers to it. */
	char *views;
	int views_fd, done_fd;
	atomic_int pid;		/* the vCPU process, 0: none */
	atomic_int view_pid[VIEWS], mapper_pid[VIEWS];
	pthread_mutex_t ends;	/* held to tell the end of one of them */
	bool fresh;		/* it has not run its guest yet */
	enum vmcall_behaviour vmcall;
	uint64_t floor_ns;
	struct engine_counters counters;

	/* A thread that hands out events, on whatever CPU is idle, and what it and
	 * the thread of direct_run do by turns. */
	pthread_t drainer;
	pthread_mutex_t turn;
	atomic_bool over;
	const struct guest_owner *owner;

	/* A thread that waits for the end of processes. */
	pthread_t watcher;
	int closing_fd;		/* eventfd */
	int ends_fd;		/* epoll of their pidfds */
	atomic_bool gone;
	int pidfd[VIEWS + 1];	/* 0: none */
	struct placement placement;
};

/* Futexes lie in memory shared between processes. */
static void futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void futex_wait(uint32_t *word, uint32_t value, uint64_t ns)
{
	const struct timespec t = {
		.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000),
	};

	syscall(SYS_futex, word, FUTEX_WAIT, value, ns ? &t : NULL, NULL, 0);
}

static void ring(struct direct *d)
{
	__atomic_add_fetch(&d->channel->bell, 1, __ATOMIC_SEQ_CST);
	futex_wake(&d->channel->bell);
}

/* --- the process --------------------------------------------------------------- */

static void kill_all(void *arg)
{
	struct direct *d = arg;
	pid_t pid = atomic_load(&d->pid);
	unsigned int i;

	if (pid > 0)
		kill(pid, SIGKILL);
	for (i = 0; i < VIEWS; i++)
		if ((pid = atomic_load(&d->view_pid[i])) > 0)
			kill(pid, SIGKILL);
}

_Noreturn static void become_monitor(struct direct *d, int channel_fd, pid_t parent)
{
	const int fds[] = { d->config.ram_fd, d->done_fd, channel_fd, d->config.guest_fd,
			    d->views_fd };
	int failed;

	program_detach(parent);
	failed = program_become(d->image_fd, MONITOR_NAME, NULL, fds, 5);
	d->channel->failed_errno = errno;
	d->channel->failed_step = failed == PROGRAM_EXEC ? MONITOR_STEP_EXEC :
							   MONITOR_STEP_DESCRIPTORS;
	_exit(1);
}

/* --- user views ------------------------------------------------------------------ */

static struct view_page *view_page(struct direct *d, unsigned int view)
{
	return (struct view_page *)(d->views + (size_t)view * VIEW_SLICE_BYTES);
}

/* Wakes a monitor that waits for this view. */
static void tell_dead(struct direct *d, unsigned int view)
{
	__atomic_store_n(&view_page(d, view)->turn, VIEW_TURN_DEAD, __ATOMIC_SEQ_CST);
	futex_wake(&view_page(d, view)->turn);
}

static void end_view(struct direct *d, unsigned int view)
{
	pid_t pid;

	pthread_mutex_lock(&d->ends);
	pid = atomic_exchange(&d->view_pid[view], 0);
	atomic_store(&d->mapper_pid[view], 0);
	pthread_mutex_unlock(&d->ends);
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	tell_dead(d, view);
}

/* Looks out for the end of a process; `nr` says which: a view, or VIEWS. */
static void watch_process(struct direct *d, pid_t pid, unsigned int nr)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLONESHOT, .data.u64 = nr | (uint64_t)pid << 32,
	};
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0 || epoll_ctl(d->ends_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		die_errno("cannot watch a guest's process");
	/* An old one of the view, whose end has been seen. */
	if (d->pidfd[nr])
		close(d->pidfd[nr]);
	d->pidfd[nr] = fd;
}

static void *watch(void *arg)
{
	struct direct *d = arg;
	struct epoll_event event;
	uint32_t nr;

	for (;;) {
		if (epoll_wait(d->ends_fd, &event, 1, -1) != 1)
			continue;
		if (event.data.u64 == CLOSING)
			return NULL;
		nr = (uint32_t)event.data.u64;
		if (nr < VIEWS) {
			pthread_mutex_lock(&d->ends);
			/* Its successor may be there already. */
			if (atomic_load(&d->view_pid[nr]) == (pid_t)(event.data.u64 >> 32))
				tell_dead(d, nr);
			pthread_mutex_unlock(&d->ends);
			continue;
		}
		atomic_store(&d->gone, true);
		ring(d);
	}
}

static void start_thread(pthread_t *thread, void *(*run)(void *), struct direct *d)
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

static void start_watching(struct direct *d)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = CLOSING };

	atomic_store(&d->gone, false);
	d->closing_fd = eventfd(0, EFD_CLOEXEC);
	d->ends_fd = epoll_create1(EPOLL_CLOEXEC);
	if (d->closing_fd < 0 || d->ends_fd < 0 ||
	    epoll_ctl(d->ends_fd, EPOLL_CTL_ADD, d->closing_fd, &event) != 0)
		die_errno("cannot watch the guest's process");
	start_thread(&d->watcher, watch, d);
}

static void stop_process(struct direct *d)
{
	const uint64_t one = 1;
	pid_t pid = atomic_load(&d->pid);
	unsigned int i;

	if (!pid)
		return;
	if (write(d->closing_fd, &one, sizeof(one)) != sizeof(one))
		die_errno("cannot stop a thread");
	pthread_join(d->watcher, NULL);
	kill_all(d);
	for (i = 0; i < VIEWS; i++)
		end_view(d, i);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	atomic_store(&d->pid, 0);
	for (i = 0; i <= VIEWS; i++)
		if (d->pidfd[i])
			close(d->pidfd[i]);
	memset(d->pidfd, 0, sizeof(d->pidfd));
	close(d->ends_fd);
	close(d->closing_fd);
	close(d->views_fd);
	close(d->done_fd);
}

_Noreturn static void become_view(struct direct *d, unsigned int view, pid_t parent)
{
	const int fds[] = { d->config.ram_fd, d->done_fd, d->views_fd, d->filters_fd };
	char number[] = { (char)('0' + view / 10), (char)('0' + view % 10), '\0' };

	program_detach(parent);
	program_become(d->view_image_fd, VIEW_NAME, number, fds, 4);
	view_page(d, view)->failed = -errno;
	_exit(1);
}

static void put_filter(int fd, uint64_t at,
		       size_t (*make)(struct sock_filter *, size_t, uint64_t, uint64_t))
{
	struct view_filter f = { .program = at + offsetof(struct view_filter, filter) };

	f.len = make(f.filter, VIEW_FILTER, VIEW_SLICE, VIEW_SLICE_BYTES);
	if (pwrite(fd, &f, sizeof(f), (off_t)(at - VIEW_MAPPER_FILTER)) != sizeof(f))
		die_errno("cannot write the filters of the guest's processes");
}

/* The filters of all views, which nobody can change any more. */
static int make_filters(void)
{
	int fd = memfd_create("uml-host-filters", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, 2 * VIEW_FILTER_BYTES) != 0)
		die_errno("cannot make the filters of the guest's processes");
	put_filter(fd, VIEW_MAPPER_FILTER, sandbox_mapper_filter);
	put_filter(fd, VIEW_GUEST_FILTER, sandbox_view_filter);
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		die_errno("cannot seal the filters of the guest's processes");
	return fd;
}

static bool is_child_of(pid_t pid, pid_t parent)
{
	char path[64];
	int found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%*d (%*[^)]) %*c %d", &found) != 1)
		found = 0;
	if (f)
		fclose(f);
	return found == parent;
}

static bool stops(const struct direct *d)
{
	return d->owner->stop && d->owner->stop(d->owner->context);
}

/* Waits until a new view and its mapper are there.  The monitor shares the page,
 * and may play with it: nothing here waits for ever, or believes it. */
static bool await_view(struct direct *d, unsigned int view, pid_t pid)
{
	struct view_page *p = view_page(d, view);
	struct pollfd done = { .fd = d->done_fd, .events = POLLIN };
	uint64_t until = engine_clock_ns() + START_NS, answer;
	const struct iovec to = { &answer, sizeof(answer) };
	pid_t mapper;

	while (__atomic_load_n(&p->turn, __ATOMIC_SEQ_CST) == VIEW_TURN_GUEST &&
	       engine_clock_ns() < until && !stops(d))
		futex_wait(&p->turn, VIEW_TURN_GUEST, SLICE_NS);
	if (__atomic_load_n(&p->turn, __ATOMIC_SEQ_CST) != VIEW_TURN_MONITOR || p->failed) {
		errno = (int)-p->failed;
		return false;
	}
	errno = ETIMEDOUT;
	while (poll(&done, 1, (int)(SLICE_NS / 1000000)) == 0 && engine_clock_ns() < until &&
	       !stops(d))
		;
	if (preadv2(d->done_fd, &to, 1, -1, RWF_NOWAIT) != sizeof(answer))
		return false;
	mapper = (pid_t)p->mapper;
	if (mapper > 0 && is_child_of(mapper, pid))
		atomic_store(&d->mapper_pid[view], mapper);
	return true;
}

/* Starts the process of a view; false if it did not get as far as its first stop. */
static bool start_view(struct direct *d, unsigned int view)
{
	struct view_page *p = view_page(d, view);
	pid_t parent = getpid(), pid;

	end_view(d, view);
	memset(p, 0, sizeof(*p));
	p->turn = VIEW_TURN_GUEST;
	pid = fork();
	if (pid < 0)
		die_errno("cannot start a process for the guest's programs");
	if (pid == 0)
		become_view(d, view, parent);
	atomic_store(&d->view_pid[view], pid);
	watch_process(d, pid, view);
	return await_view(d, view, pid);
}

/* --- start ------------------------------------------------------------------------- */

/* A memory file of `bytes`, mapped where the one before it was, if there was one:
 * other threads may be looking. */
static int share(const char *name, size_t bytes, void **at)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		die_errno("cannot make what the guest's processes share");
	*at = mmap(*at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | (*at ? MAP_FIXED : 0), fd, 0);
	if (*at == MAP_FAILED)
		die_errno("cannot map what the guest's processes share");
	return fd;
}

static int make_shared(struct direct *d)
{
	void *channel = d->channel, *views = d->views;
	int channel_fd = share("uml-host-channel", MONITOR_CHANNEL_BYTES, &channel);
	unsigned int i;

	d->views_fd = share("uml-host-views", MONITOR_VIEWS_BYTES, &views);
	d->channel = channel;
	d->views = views;
	d->done_fd = eventfd(0, EFD_CLOEXEC);
	if (d->done_fd < 0)
		die_errno("cannot make an event descriptor");
	for (i = 0; i < VIEWS; i++)
		view_page(d, i)->turn = VIEW_TURN_DEAD;
	return channel_fd;
}

static uint32_t read_bell(struct direct *d)
{
	return __atomic_load_n(&d->channel->bell, __ATOMIC_SEQ_CST);
}

/* The question that stands, or CHANNEL_NONE; waits until the bell has rung since it
 * was read. */
static enum channel_request wait_request(struct direct *d, uint32_t bell)
{
	struct channel *c = d->channel;
	uint32_t request = __atomic_load_n(&c->request, __ATOMIC_SEQ_CST);

	if (request == CHANNEL_NONE && !atomic_load(&d->gone)) {
		futex_wait(&c->bell, bell, 0);
		request = __atomic_load_n(&c->request, __ATOMIC_SEQ_CST);
	}
	return request < NR_CHANNEL_REQUESTS ? (enum channel_request)request : CHANNEL_NONE;
}

static void answer(struct direct *d)
{
	__atomic_store_n(&d->channel->request, CHANNEL_NONE, __ATOMIC_SEQ_CST);
	futex_wake(&d->channel->request);
}

#define STEP_FAILED(id, what) [MONITOR_STEP_##id] = what,
static const char *const step_failed[NR_MONITOR_STEPS] = {
	[MONITOR_STEP_NONE] = "the guest's process ended as it started",
	MONITOR_STEP_LIST(STEP_FAILED)
};

static void start_process(struct direct *d, uint32_t floor_rounds)
{
	pid_t parent = getpid(), pid;
	struct channel *c;
	uint32_t step;
	int fd;

	fd = make_shared(d);
	c = d->channel;
	c->guest_bytes = d->config.guest_bytes;
	c->ram_bytes = d->config.ram_bytes;
	c->simulate = d->config.simulate;
	c->floor_rounds = floor_rounds;
	c->filter_len = sandbox_vcpu_filter(c->filter, CHANNEL_FILTER, MONITOR_CHANNEL,
					    MONITOR_SHARED_BYTES);
	pid = fork();
	if (pid < 0)
		die_errno("cannot start a guest's process");
	if (pid == 0)
		become_monitor(d, fd, parent);
	close(fd);
	atomic_store(&d->pid, pid);
	start_watching(d);
	watch_process(d, pid, VIEWS);
	while (wait_request(d, read_bell(d)) != CHANNEL_READY && !atomic_load(&d->gone))
		;
	step = c->failed_step;
	if (step || c->request != CHANNEL_READY) {
		errno = c->failed_errno;
		if (step && step < NR_MONITOR_STEPS)
			die_errno("%s", step_failed[step]);
		die("%s", step_failed[MONITOR_STEP_NONE]);
	}
	d->vmcall = (enum vmcall_behaviour)(c->vmcall <= VMCALL_SILENT ? c->vmcall : VMCALL_UNKNOWN);
	d->floor_ns = c->floor_ns;
	d->fresh = true;
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

static pid_t running_process(void *direct)
{
	struct direct *d = direct;
	uint32_t where = __atomic_load_n(&d->channel->running, __ATOMIC_SEQ_CST);

	return where >= RUNNING_KERNEL && where < RUNNING_VIEW(VIEWS) ?
	       process(d, where - RUNNING_KERNEL) : 0;
}

struct direct *direct_open(const struct direct_config *config)
{
	struct direct *d = calloc(1, sizeof(*d));

	if (!d)
		die("out of memory");
	d->config = *config;
	/* The other engine's timer: somebody else's means nothing here either. */
	signal(SIGALRM, SIG_IGN);
	pthread_mutex_init(&d->ends, NULL);
	pthread_mutex_init(&d->turn, NULL);
	d->image_fd = program_file(MONITOR_NAME, monitor_image,
				   (size_t)(monitor_image_end - monitor_image));
	d->view_image_fd = program_file(VIEW_NAME, view_image,
					(size_t)(view_image_end - view_image));
	d->filters_fd = make_filters();
	cleanup_add(kill_all, d);
	d->placement = (struct placement){
		.wanted = config->cpu, .processes = 2 * VIEWS + 1,
		.process = process, .running = running_process, .owner = d,
	};
	placement_open(&d->placement);
	start_process(d, 0);
	placement_watch(&d->placement);
	return d;
}

void direct_close(struct direct *d)
{
	placement_close(&d->placement);
	stop_process(d);
	cleanup_remove(kill_all, d);
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

void direct_kick(struct direct *d)
{
	struct channel *c = d->channel;
	pid_t pid;

	/* The order matters: the monitor publishes `running` before it looks at
	 * `kicked`, so one of the two sees the other. */
	__atomic_store_n(&c->kicked, 1, __ATOMIC_SEQ_CST);
	pid = running_process(d);
	if (pid > 0)
		kill(pid, SIGNAL_KICK);
	if (__atomic_load_n(&c->waiting, __ATOMIC_SEQ_CST))
		futex_wake(&c->kicked);
	/* And the owner, who may want to stop. */
	ring(d);
}

void direct_raise_irq(struct direct *d, unsigned int irq)
{
	guest_raise_irq(d->config.shared, irq);
}

void direct_set_trace(struct direct *d, uint32_t rows, uint32_t kinds)
{
	__atomic_store_n(&d->config.shared->trace_rows, rows, __ATOMIC_RELAXED);
	__atomic_store_n(&d->config.shared->trace_kinds, kinds, __ATOMIC_RELAXED);
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

static void *drain(void *arg)
{
	struct direct *d = arg;
	struct channel *c = d->channel;

	placement_leave(&d->placement);
	while (!atomic_load(&d->over)) {
		uint32_t bell = __atomic_load_n(&c->events_bell, __ATOMIC_SEQ_CST);

		drain_events(d);
		futex_wait(&c->events_bell, bell, DRAIN_NS);
	}
	return NULL;
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

/* The monitor's own end.  It says why in one of a few texts; in any other words it
 * is not the monitor that speaks. */
static void monitor_failed(struct direct *d)
{
	static const char *const texts[] = {
		"the host has no memory left for the guest",
		"cannot map guest memory in the vCPU process",
		"cannot set a timer",
	};
	uint32_t n = *(volatile uint32_t *)&d->channel->text_len;
	const struct guest_event *last;
	char text[CHANNEL_TEXT + 1];
	size_t i;

	if (n > CHANNEL_TEXT)
		n = CHANNEL_TEXT;
	memcpy(text, d->channel->text, n);
	text[n] = '\0';
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(text, texts[i]) == 0)
			die("%s", texts[i]);
	kill_guest(d->config.own, "its monitor was tampered with");
	last = trace_peek(d->config.own);
	if (last && d->owner->event)
		d->owner->event(d->owner->context, last);
}

/* Answers one question.  False: there are no more. */
static bool serve(struct direct *d, const struct guest_owner *owner, enum channel_request request)
{
	struct channel *c = d->channel;

	uint32_t address = *(volatile uint32_t *)&c->address;

	drain_events(d);
	switch (request) {
	case CHANNEL_NONE:
		return true;
	case CHANNEL_VIEW:
		if (!start_view(d, address % VIEWS) && !stops(d))
			die_errno("cannot start a process for the guest's programs");
		break;
	case CHANNEL_END_VIEW:
		end_view(d, address % VIEWS);
		break;
	case CHANNEL_KICK:
		direct_kick(d);
		break;
	case CHANNEL_NOTIFY:
		c->known = owner->notify &&
			   owner->notify(owner->context, gpa(address));
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
	bool goes_on = true;
	uint32_t bell;

	if (!d->fresh) {
		stop_process(d);
		start_process(d, 0);
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
		enum channel_request request;

		/* Before the owner is asked: who makes it say yes rings then. */
		bell = read_bell(d);
		if (!goes_on || stops(d))
			break;
		request = wait_request(d, bell);

		if (request == CHANNEL_NONE && atomic_load(&d->gone))
			die("the process that ran the guest was killed from outside");
		if (each_event || request == CHANNEL_NONE || request == CHANNEL_INITIALISED)
			look(d);
		goes_on = serve(d, owner, request);
		if (request != CHANNEL_NONE && goes_on)
			answer(d);
	}
	atomic_store(&d->over, true);
	if (!each_event)
		pthread_join(d->drainer, NULL);
	look(d);
	drain_events(d);
	/* Not the guest's end: the monitor's. */
	if (!goes_on && d->config.own->end == END_RUNNING)
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
	stop_process(d);
	start_process(d, rounds);
	return d->floor_ns;
}
