/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all devices share: their threads, the loop that serves a queue, and the
 * life of a device between a reset and the next.
 *
 * The guest has one CPU, and its status writes and kicks come in one thread.
 * So a device is made live there without a lock (a kick must never wait for a
 * request in work), and made quiet there with all of them.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/die.h"
#include "device/internal.h"

/* While requests keep coming, how long a finished one may wait for its
 * interrupt: one interrupt for several saves the guest several traps. */
#define SIGNAL_NS 300000

uint64_t device_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void virtio_init(struct virtio_device *d, struct device_bus *bus,
		 const struct virtio_ops *ops, uint8_t type, uint8_t nr_queues)
{
	unsigned int i;

	d->bus = bus;
	d->ops = ops;
	d->type = type;
	d->nr_queues = nr_queues;
	d->transport = &page_transport;
	d->form = DEVICE_FORM_E;
	for (i = 0; i < nr_queues; i++) {
		struct virtqueue *q = &d->queue[i];

		q->device = d;
		q->index = i;
		q->threaded = true;
		q->starved = true;
		pthread_mutex_init(&q->lock, NULL);
		q->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (q->kick_fd < 0)
			die_errno("cannot make an event descriptor for %s", ops->name);
	}
	for (i = 0; i < bus->nr_devices; i++)
		if (bus->device[i]->type == type)
			d->nr++;
	if (bus->nr_devices == BUS_MAX_DEVICES)
		usage_error("too many devices: at most %u", BUS_MAX_DEVICES);
	bus->device[bus->nr_devices++] = d;
	if (page_misfit(bus))
		usage_error("too many devices: %s", page_misfit(bus));
}

uint64_t virtio_offers(const struct virtio_device *d)
{
	if (d->transport->modern)
		return (d->offered & ~d->legacy & ~VIRTIO_F_LEGACY) |
		       VIRTIO_FEATURE(VIRTIO_F_VERSION_1);
	/* Z knows of none that mean the same today. */
	return d->form == DEVICE_FORM_Z ? 0 : d->offered;
}

void virtio_lock(struct virtio_device *d)
{
	unsigned int i;

	for (i = 0; i < d->nr_queues; i++)
		pthread_mutex_lock(&d->queue[i].lock);
}

void virtio_unlock(struct virtio_device *d)
{
	unsigned int i = d->nr_queues;

	while (i--)
		pthread_mutex_unlock(&d->queue[i].lock);
}

/* --- serving a queue ------------------------------------------------------------- */

/* One look at the ring, under the lock.  True: there may be more. */
static bool serve_one(struct virtqueue *q)
{
	struct virtio_device *d = q->device;
	int64_t len;

	if (!atomic_load(&q->live) || atomic_load(&d->broken) || !q->desc) {
		q->starved = true;
		return false;
	}
	if (q->threaded)
		vq_notify_off(q);
	if (!vq_pop(q)) {
		vq_signal(q);
		q->starved = true;
		if (atomic_load(&d->broken))
			return false;
		return vq_notify_on(q);
	}
	q->starved = false;
	len = d->ops->handle(q, &q->chain);
	if (len < 0) {
		vq_unpop(q);
		vq_signal(q);
		q->starved = len == HANDLE_MORE;
		return false;
	}
	vq_push(q, (uint32_t)len);
	if (device_now_ns() - q->unsignalled_ns > SIGNAL_NS)
		vq_signal(q);
	return true;
}

static void serve(struct virtqueue *q)
{
	bool more = true;

	while (more && !atomic_load(&q->stop)) {
		pthread_mutex_lock(&q->lock);
		more = serve_one(q);
		pthread_mutex_unlock(&q->lock);
	}
}

static void *queue_main(void *arg)
{
	struct virtqueue *q = arg;
	const struct virtio_ops *ops = q->device->ops;

	/* The thread that made us may be pinned to the guest's CPU by now. */
	sched_setaffinity(0, sizeof(q->device->bus->cpus), &q->device->bus->cpus);
	while (!atomic_load(&q->stop)) {
		struct queue_wait wait = { .fd = -1, .timeout_ms = -1 };
		struct pollfd fds[2];
		eventfd_t kicks;

		if (ops->wait)
			wait = ops->wait(q);
		fds[0] = (struct pollfd){ .fd = q->kick_fd, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = wait.fd, .events = wait.events };
		if (poll(fds, 2, wait.timeout_ms) < 0 && errno != EINTR)
			die_errno("%s cannot wait", ops->name);
		if (fds[0].revents)
			eventfd_read(q->kick_fd, &kicks);
		if (atomic_load(&q->stop))
			break;
		if (ops->gather)
			ops->gather(q, fds[1].revents);
		serve(q);
	}
	return NULL;
}

/* --- threads ------------------------------------------------------------------------ */

void virtio_start_threads(struct virtio_device *d)
{
	sigset_t all, old;
	unsigned int i;

	/* Signals are for the vCPU thread, except those our own faults raise. */
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGABRT);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (i = 0; i < d->nr_queues; i++) {
		struct virtqueue *q = &d->queue[i];

		if (!q->threaded)
			continue;
		errno = pthread_create(&q->thread, NULL, queue_main, q);
		if (errno)
			die_errno("cannot start a thread for %s", d->ops->name);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void virtio_destroy(struct virtio_device *d)
{
	unsigned int i;

	for (i = 0; i < d->nr_queues; i++) {
		struct virtqueue *q = &d->queue[i];

		atomic_store(&q->stop, true);
		eventfd_write(q->kick_fd, 1);
	}
	for (i = 0; i < d->nr_queues; i++) {
		struct virtqueue *q = &d->queue[i];

		if (q->threaded)
			pthread_join(q->thread, NULL);
		close(q->kick_fd);
		pthread_mutex_destroy(&q->lock);
	}
	d->ops->destroy(d);
}

/* --- the life of a device ------------------------------------------------------------- */

void virtio_reset(struct virtio_device *d)
{
	unsigned int i;

	virtio_lock(d);
	for (i = 0; i < d->nr_queues; i++) {
		atomic_store(&d->queue[i].live, false);
		vq_forget(&d->queue[i]);
	}
	d->accepted = 0;
	atomic_store(&d->broken, false);
	d->transport->reset(d);
	if (d->ops->agreed)
		d->ops->agreed(d);
	virtio_unlock(d);
}

void virtio_agree(struct virtio_device *d, uint64_t accepted)
{
	virtio_lock(d);
	accepted &= virtio_offers(d);
	if (accepted != d->accepted) {
		d->accepted = accepted;
		if (d->ops->agreed)
			d->ops->agreed(d);
	}
	virtio_unlock(d);
}

void virtio_kick(struct virtqueue *q)
{
	if (!q->desc || q->device->failed)
		return;
	atomic_store(&q->live, true);
	if (q->threaded)
		eventfd_write(q->kick_fd, 1);
	else
		serve(q);
}

void virtio_live(struct virtio_device *d)
{
	unsigned int i;

	for (i = 0; i < d->nr_queues; i++)
		virtio_kick(&d->queue[i]);
}

static void complain(struct virtio_device *d, const char *fmt, va_list args)
{
	const struct bus_config *config = &d->bus->config;
	char line[256];
	int n;

	if (atomic_exchange(&d->complained, true))
		return;
	n = snprintf(line, sizeof(line), "the guest's driver of %s %u ", d->ops->name, d->nr);
	vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, args);
	if (config->complain)
		config->complain(config->context, line);
	else
		warn("%s", line);
}

void virtio_complain(struct virtio_device *d, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	complain(d, fmt, args);
	va_end(args);
}

void virtio_broken(struct virtio_device *d, const char *fmt, ...)
{
	va_list args;

	if (atomic_exchange(&d->broken, true))
		return;
	d->transport->broken(d);
	va_start(args, fmt);
	complain(d, fmt, args);
	va_end(args);
}
