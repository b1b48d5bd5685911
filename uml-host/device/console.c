/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The console.  What the guest prints is written before its NOTIFY returns, in
 * the vCPU thread; what is typed waits in a thread of its own until the guest
 * has a buffer for it.
 *
 * A reader that does not read holds the guest up, as a slow terminal does, but
 * never our own end: bus_unblock().  Keys of ours work even when the guest
 * takes none.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "device/internal.h"
#include "virtio/console.h"

#define CONSOLE_TYPED 512u	/* keys kept for a guest that takes none */
#define RETRY_MS 300		/* in the background: is it ours again? */

/* A pipe that polls as writable takes this much without blocking. */
#define WRITE_MAX 4096u

struct console {
	struct virtio_device device;
	struct console_config config;
	/* The input thread's alone. */
	struct escape escape;
	bool ended;		/* end of input */
	bool background;	/* the terminal is another job's for now */
	unsigned int typed_len;
	uint8_t typed[CONSOLE_TYPED];
};

static struct console *console_of(struct virtio_device *d)
{
	return (struct console *)d;
}

/* --- output -------------------------------------------------------------------- */

/* Waits until out_fd takes something.  False: the program is ending. */
static bool can_write(struct console *c)
{
	struct pollfd fds[2] = {
		{ .fd = c->config.out_fd, .events = POLLOUT },
		{ .fd = c->device.bus->unblock_fd, .events = POLLIN },
	};

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			die_errno("cannot wait for the console");
	return !fds[1].revents;
}

static void console_write(struct console *c, const uint8_t *text, size_t len)
{
	while (len && can_write(c)) {
		ssize_t n = write(c->config.out_fd, text, len < WRITE_MAX ? len : WRITE_MAX);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			die_errno("cannot write the guest's console");
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
}

static int64_t console_output(struct console *c, struct vq_chain *chain)
{
	unsigned int i;

	for (i = 0; i < chain->nr_out; i++)
		console_write(c, chain->iov[i].iov_base, chain->iov[i].iov_len);
	/* Up to B the launcher said how much it took (ABI 8.5), later nothing. */
	return c->device.form == DEVICE_FORM_E ? 0 : (int64_t)chain->out_bytes;
}

static void console_configure(struct virtio_device *d, unsigned int offset,
			      unsigned int width, uint32_t value)
{
	const uint8_t byte = (uint8_t)value;

	(void)width;
	if (offset == offsetof(struct virtio_console_config, emerg_wr))
		console_write(console_of(d), &byte, 1);
}

/* --- input ----------------------------------------------------------------------- */

/* A pipe is left alone while the guest takes nothing; a terminal never, its
 * user may want to leave. */
static struct queue_wait console_wait(struct virtqueue *q)
{
	struct console *c = console_of(q->device);
	struct queue_wait wait = { .fd = -1, .events = POLLIN, .timeout_ms = -1 };

	if (q->index != VIRTIO_CONSOLE_IN || c->ended)
		return wait;
	if (c->background)
		wait.timeout_ms = RETRY_MS;
	else if (c->config.escapes || (!c->typed_len && !q->starved))
		wait.fd = c->config.in_fd;
	return wait;
}

static void show_help(struct console *c)
{
	if (c->config.help)
		c->config.help(c->config.context);
	else if (write(STDERR_FILENO, terminal_help, strlen(terminal_help)) < 0)
		return;
}

/* One byte typed: for the guest, for us, or lost because neither takes it. */
static void typed(struct console *c, uint8_t key)
{
	uint8_t out[2] = { key };
	unsigned int n = 1, i;
	enum escape_action action = ESCAPE_NONE;

	if (c->config.escapes)
		action = escape_key(&c->escape, key, device_now_ns(), out, &n);
	for (i = 0; i < n && c->typed_len < CONSOLE_TYPED; i++)
		c->typed[c->typed_len++] = out[i];
	if (action == ESCAPE_HELP)
		show_help(c);
	if (action == ESCAPE_STATS && c->config.stats)
		c->config.stats(c->config.context);
	if (action == ESCAPE_TRACE && c->config.trace)
		c->config.trace(c->config.context);
	if (action == ESCAPE_QUIT && c->config.quit)
		c->config.quit(c->config.context);
}

static void console_gather(struct virtqueue *q, short revents)
{
	struct console *c = console_of(q->device);
	uint8_t bytes[CONSOLE_TYPED / 2];
	ssize_t n, i;

	c->background = false;
	if (!revents)
		return;
	n = read(c->config.in_fd, bytes, sizeof(bytes));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	/* Reading another job's terminal fails like this, with SIGTTIN blocked. */
	if (n < 0 && errno == EIO && tcgetpgrp(c->config.in_fd) > 0 &&
	    tcgetpgrp(c->config.in_fd) != getpgrp()) {
		c->background = true;
		return;
	}
	/* No more input: the guest sees a user who types nothing. */
	if (n <= 0)
		c->ended = true;
	for (i = 0; i < n; i++)
		typed(c, bytes[i]);
}

static int64_t console_input(struct console *c, struct vq_chain *chain)
{
	size_t n;

	if (!chain->in_bytes) {
		virtio_broken(&c->device, "gives a buffer without room for input");
		return HANDLE_LATER;
	}
	if (!c->typed_len)
		return HANDLE_LATER;
	n = iov_write(chain_in(chain), chain->nr_in, 0, c->typed, c->typed_len);
	c->typed_len -= (unsigned int)n;
	memmove(c->typed, c->typed + n, c->typed_len);
	return (int64_t)n;
}

/* --- both --------------------------------------------------------------------------- */

static int64_t console_handle(struct virtqueue *q, struct vq_chain *chain)
{
	struct console *c = console_of(q->device);

	return q->index == VIRTIO_CONSOLE_IN ? console_input(c, chain) :
					       console_output(c, chain);
}

static void console_destroy(struct virtio_device *d)
{
	free(console_of(d));
}

static const struct virtio_ops console_ops = {
	.name = "console",
	.handle = console_handle,
	.wait = console_wait,
	.gather = console_gather,
	.configure = console_configure,
	.destroy = console_destroy,
};

void bus_add_console(struct device_bus *bus, const struct console_config *config)
{
	struct console *c = calloc(1, sizeof(*c));

	if (!c)
		die("out of memory");
	c->config = *config;
	c->ended = config->in_fd < 0;
	virtio_init(&c->device, bus, &console_ops, VIRTIO_ID_CONSOLE, 2);
	c->device.config_len = sizeof(struct virtio_console_config);
	c->device.offered = VIRTIO_FEATURE(VIRTIO_CONSOLE_F_EMERG_WRITE);
	/* No guest has a callback there: an interrupt would be a stray one. */
	c->device.queue[VIRTIO_CONSOLE_OUT].silent = true;
	c->device.queue[VIRTIO_CONSOLE_OUT].threaded = false;
	virtio_start_threads(&c->device);
}
