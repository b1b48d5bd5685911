/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes of guest programs, one for each page table: see monitor/view.h for
 * what runs in them.  They are the supervisor's children, started when the monitor
 * asks for them.
 *
 * A view's page is shared with the monitor and with whoever runs there, so what it
 * says is hearsay; how a process ended the kernel says.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "base/program.h"
#include "direct/internal.h"
#include "engine/clock.h"
#include "sandbox/sandbox.h"

#define START_NS 5000000000ull	/* a view that takes longer to start does not */
#define SLICE_NS 20000000ull	/* how long it is waited for at a time */

struct view_page *view_page(struct direct *d, unsigned int view)
{
	return (struct view_page *)(d->views + (size_t)view * VIEW_SLICE_BYTES);
}

static struct view_orders *view_orders(struct direct *d, unsigned int view)
{
	return (struct view_orders *)(d->views + (size_t)view * VIEW_SLICE_BYTES + VIEW_OWN_BYTES);
}

/* Wakes a monitor that waits for this view. */
void view_tell_dead(struct direct *d, unsigned int view)
{
	__atomic_store_n(&view_page(d, view)->turn, VIEW_TURN_DEAD, __ATOMIC_SEQ_CST);
	futex_wake(&view_page(d, view)->turn);
}

/* Ends the process of a view, if it has one, and its mapper.  Returns its status as
 * of waitpid: how it ended if it had done so by itself. */
int view_end(struct direct *d, unsigned int view)
{
	int status = 0;
	pid_t pid;

	pthread_mutex_lock(&d->ends);
	pid = atomic_exchange(&d->view_pid[view], 0);
	atomic_store(&d->mapper_pid[view], 0);
	pthread_mutex_unlock(&d->ends);
	if (pid <= 0)
		return 0;
	process_retire(d, view);
	/* The two are a group: what the page they share says of the mapper does not matter. */
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	/* Its mapper is our child now.  It must not see the orders of its successor. */
	while (waitpid(-pid, NULL, __WALL) > 0 || errno == EINTR)
		;
	view_tell_dead(d, view);
	return status;
}

_Noreturn static void become_view(struct direct *d, unsigned int view, pid_t parent)
{
	const int fds[] = { d->config.ram_fd, d->answers[1], d->views_fd, d->filters_fd };
	char number[] = { (char)('0' + view / 100), (char)('0' + view / 10 % 10),
			  (char)('0' + view % 10), '\0' };

	program_detach(parent, false);
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
int view_filters(void)
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

/* Has the process its filter?  Its page can say that it has, the kernel knows.  1, 0, or
 * -1: the host has no descriptor to look by. */
static int is_confined(pid_t pid)
{
	char path[64], line[256];
	unsigned int mode = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Seccomp: %u", &mode) == 1)
			break;
	fclose(f);
	return mode == SECCOMP_MODE_FILTER;
}

/* Its mapper, as its page says, has to be on its CPU.  The monitor shares that page, so only
 * a child of the view is believed in. */
static void find_mapper(struct direct *d, unsigned int view, pid_t pid)
{
	pid_t mapper = (pid_t)*(volatile uint64_t *)&view_page(d, view)->mapper;

	if (mapper > 0 && is_child_of(mapper, pid))
		atomic_store(&d->mapper_pid[view], mapper);
}

/* Processes, descriptors, memory: what can be there again when others end. */
static bool is_shortage(int error)
{
	return error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE ||
	       error == ENOSPC;
}

static enum view_result no_process(int error)
{
	if (is_shortage(error))
		return VIEW_CROWDED;
	errno = error;
	die_errno("cannot start a process for the guest's programs");
}

/* A view did not start.  It ends by itself where the host does not let it; only
 * where it had to be ended was it the monitor's doing. */
static enum view_result view_failed(struct direct *d, unsigned int view)
{
	int64_t failed = *(volatile int64_t *)&view_page(d, view)->failed;
	int status = view_end(d, view);

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return VIEW_OVER;
	return no_process(failed < 0 && failed >= -4095 ? (int)-failed : EPROTO);
}

static enum view_result view_unwatched(struct direct *d, unsigned int view)
{
	int error = errno;

	view_end(d, view);
	return no_process(error);
}

/* The monitor may play with the page they share: nothing here waits for ever, or believes
 * more of it than whose turn it is.  A kick that found the process before it has its
 * filter would leave a frame in that page, and whoever changes it there runs what it
 * likes, with all the user's rights: so nobody can kick it until it has. */
enum view_result view_start(struct direct *d, unsigned int view)
{
	struct view_page *p = view_page(d, view);
	uint64_t until = engine_clock_ns() + START_NS;
	pid_t parent = getpid(), pid;
	int fd, confined;

	view_end(d, view);
	memset(p, 0, sizeof(*p));
	view_orders(d, view)->sequence = 0;
	p->turn = VIEW_TURN_GUEST;
	p->monitor_sleeps = 1;
	pid = fork();
	if (pid < 0)
		return no_process(errno);
	if (pid == 0)
		become_view(d, view, parent);
	atomic_store(&d->view_pid[view], pid);
	fd = process_watch(d, pid, view);
	if (fd < 0)
		return view_unwatched(d, view);
	while (__atomic_load_n(&p->turn, __ATOMIC_SEQ_CST) == VIEW_TURN_GUEST &&
	       engine_clock_ns() < until && !stops(d))
		futex_wait(&p->turn, VIEW_TURN_GUEST, SLICE_NS);
	confined = __atomic_load_n(&p->turn, __ATOMIC_SEQ_CST) == VIEW_TURN_MONITOR ?
			is_confined(pid) : 0;
	if (confined <= 0) {
		close(fd);
		return confined ? view_unwatched(d, view) : view_failed(d, view);
	}
	atomic_store(&d->pidfd[view], fd);
	find_mapper(d, view, pid);
	return VIEW_RUNS;
}
