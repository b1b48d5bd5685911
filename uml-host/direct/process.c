/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vCPU process, in which guest and monitor run: what it shares with the
 * supervisor, how it starts, and how all processes of the guest end.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "base/program.h"
#include "direct/internal.h"
#include "sandbox/sandbox.h"

#define CLOSING (VIEWS + 1)	/* among the ends of processes: the watcher's own */

void process_kill_all(void *arg)
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

int process_watch(struct direct *d, pid_t pid, unsigned int nr)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLONESHOT, .data.u64 = nr | (uint64_t)pid << 32,
	};
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd >= 0 && epoll_ctl(d->ends_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

void process_retire(struct direct *d, unsigned int nr)
{
	int fd = atomic_exchange(&d->pidfd[nr], -1);

	/* Who kicks may have read that number: it must not become another's under him. */
	while (atomic_load(&d->kicking))
		sched_yield();
	if (fd >= 0)
		close(fd);
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
				view_tell_dead(d, nr);
			pthread_mutex_unlock(&d->ends);
			continue;
		}
		atomic_store(&d->gone, true);
		ring(d);
	}
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

void process_stop(struct direct *d)
{
	const uint64_t one = 1;
	pid_t pid = atomic_load(&d->pid);
	unsigned int i;

	if (!pid)
		return;
	if (write(d->closing_fd, &one, sizeof(one)) != sizeof(one))
		die_errno("cannot stop a thread");
	pthread_join(d->watcher, NULL);
	process_kill_all(d);
	for (i = 0; i < VIEWS; i++)
		view_end(d, i);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	process_retire(d, VIEWS);
	atomic_store(&d->pid, 0);
	close(d->ends_fd);
	close(d->closing_fd);
	close(d->views_fd);
	close(d->answers[0]);
	close(d->answers[1]);
}

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

	d->views_fd = share("uml-host-views", MONITOR_VIEWS_BYTES, &views);
	d->channel = channel;
	d->views = views;
	if (pipe2(d->answers, O_CLOEXEC) != 0)
		die_errno("cannot make a pipe");
	return channel_fd;
}

#define STEP_FAILED(id, what) [MONITOR_STEP_##id] = what,
static const char *const step_failed[NR_MONITOR_STEPS] = {
	[MONITOR_STEP_NONE] = "the guest's process ended as it started",
	MONITOR_STEP_LIST(STEP_FAILED)
};

_Noreturn static void become_monitor(struct direct *d, int channel_fd, pid_t parent)
{
	const int fds[] = { d->config.ram_fd, d->answers[0], channel_fd, d->config.guest_fd,
			    d->views_fd };
	int failed;

	program_detach(parent, false);
	failed = program_become(d->image_fd, MONITOR_NAME, NULL, fds, 5);
	d->channel->failed_errno = errno;
	d->channel->failed_step = failed == PROGRAM_EXEC ? MONITOR_STEP_EXEC :
							   MONITOR_STEP_DESCRIPTORS;
	_exit(1);
}

void process_start(struct direct *d, uint32_t floor_rounds)
{
	pid_t parent = getpid(), pid;
	struct channel *c;
	uint32_t step;
	int fd = make_shared(d), watched;

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
	watched = process_watch(d, pid, VIEWS);
	if (watched < 0)
		die_errno("cannot watch a guest's process");
	atomic_store(&d->pidfd[VIEWS], watched);
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
