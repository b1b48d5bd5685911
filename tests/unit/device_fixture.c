/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's driver, as far as devices can tell.
 */
#include "device_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void on_irq(void *context, unsigned int irq)
{
	struct rig *r = context;

	pthread_mutex_lock(&r->lock);
	if (irq < 32)
		r->irqs[irq]++;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

static void on_complaint(void *context, const char *line)
{
	struct rig *r = context;

	pthread_mutex_lock(&r->lock);
	r->complaints++;
	snprintf(r->complaint, sizeof(r->complaint), "%s", line);
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

void rig_open(struct rig *r)
{
	struct bus_config config = {
		.ram_bytes = RIG_RAM, .raise_irq = on_irq, .complain = on_complaint,
		.context = r,
	};

	memset(r, 0, sizeof(*r));
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	r->memory = aligned_alloc(4096, RIG_BYTES);
	cr_assert(r->memory);
	memset(r->memory, 0, RIG_BYTES);
	r->heap = 0x1000;
	config.memory = (struct device_memory){
		.base = r->memory, .bytes = RIG_BYTES, .guards = r->guards,
	};
	r->bus = bus_create(&config);
}

void rig_start(struct rig *r, enum device_form form)
{
	bus_reset(r->bus);
	bus_set_form(r->bus, form);
}

void rig_close(struct rig *r)
{
	bus_destroy(r->bus);
	free(r->memory);
}

uint32_t rig_alloc(struct rig *r, uint32_t len)
{
	uint32_t at = r->heap;

	r->heap += (len + 63) & ~63u;
	cr_assert_leq(r->heap, RIG_RAM);
	memset(r->memory + at, 0, len);
	return at;
}

void *rig_at(struct rig *r, uint32_t address)
{
	cr_assert_lt(address, RIG_BYTES);
	return r->memory + address;
}

/* --- waiting --------------------------------------------------------------------- */

unsigned int rig_irqs(struct rig *r, unsigned int irq)
{
	unsigned int n;

	pthread_mutex_lock(&r->lock);
	n = r->irqs[irq];
	pthread_mutex_unlock(&r->lock);
	return n;
}

void rig_changed(struct rig *r)
{
	pthread_mutex_lock(&r->lock);
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

/* Looks again at every change, and now and then for those nobody announces. */
void rig_await(struct rig *r, bool (*done)(void *arg), void *arg, const char *what)
{
	struct timespec end, next;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += RIG_DEADLINE_S;
	while (!done(arg)) {
		clock_gettime(CLOCK_MONOTONIC, &next);
		cr_assert(next.tv_sec <= end.tv_sec, "waited in vain for %s", what);
		next.tv_nsec += 2000000;
		if (next.tv_nsec >= 1000000000) {
			next.tv_sec++;
			next.tv_nsec -= 1000000000;
		}
		pthread_mutex_lock(&r->lock);
		pthread_cond_clockwait(&r->changed, &r->lock, CLOCK_MONOTONIC, &next);
		pthread_mutex_unlock(&r->lock);
	}
}

struct irq_wait { struct rig *r; unsigned int irq, before; };

static bool irq_came(void *arg)
{
	struct irq_wait *w = arg;

	return rig_irqs(w->r, w->irq) > w->before;
}

void rig_await_irq(struct rig *r, unsigned int irq, unsigned int before)
{
	struct irq_wait w = { r, irq, before };

	rig_await(r, irq_came, &w, "an interrupt");
}

static bool complaint_came(void *arg)
{
	struct rig *r = arg;
	bool came;

	pthread_mutex_lock(&r->lock);
	came = r->complaints;
	pthread_mutex_unlock(&r->lock);
	return came;
}

void rig_await_complaint(struct rig *r)
{
	rig_await(r, complaint_came, r, "a complaint");
}

/* --- the page ----------------------------------------------------------------------- */

uint32_t rig_record_address(struct rig *r, unsigned int nth)
{
	uint32_t at = RIG_RAM;

	for (;;) {
		struct lguest_device d;

		memcpy(&d, r->memory + at, sizeof(d));
		cr_assert(d.type, "the page has no device %u", nth);
		if (!nth--)
			return at;
		at += (uint32_t)sizeof(d) + 8u * d.num_vq + 2u * d.feature_len + d.config_len;
	}
}

struct lguest_device *rig_record(struct rig *r, unsigned int nth)
{
	return rig_at(r, rig_record_address(r, nth));
}

void rig_status(struct rig *r, unsigned int nth, uint8_t status)
{
	uint32_t at = rig_record_address(r, nth);

	__atomic_store_n(&rig_record(r, nth)->status, status, __ATOMIC_RELAXED);
	cr_assert(bus_notify(r->bus, at));
}

void rig_probe(struct rig *r, unsigned int nth, uint32_t features)
{
	struct lguest_device *d = rig_record(r, nth);
	uint8_t *accepted = (uint8_t *)(d + 1) + 8 * d->num_vq + d->feature_len;

	rig_status(r, nth, 0);
	rig_status(r, nth, 1);
	rig_status(r, nth, 3);
	memcpy(accepted, &features, d->feature_len);
	rig_status(r, nth, 7);
}

/* --- rings ------------------------------------------------------------------------------ */

struct driver_queue rig_queue(struct rig *r, unsigned int nth, unsigned int queue)
{
	struct lguest_device *d = rig_record(r, nth);
	struct driver_queue q = { .rig = r };
	struct lguest_vq vq;

	cr_assert_lt(queue, d->num_vq);
	memcpy(&vq, (uint8_t *)(d + 1) + 8 * queue, sizeof(vq));
	q.address = vq.pfn * 4096;
	q.num = vq.num;
	q.irq = vq.irq;
	q.desc = rig_at(r, q.address);
	q.avail = rig_at(r, q.address + virtq_avail_offset(q.num));
	q.used = rig_at(r, q.address + virtq_used_offset(q.num));
	return q;
}

/* What one side stores the other loads at the same time. */
#define put(p, value) __atomic_store_n(p, value, __ATOMIC_RELAXED)

void driver_offer(struct driver_queue *q, uint16_t head)
{
	put(&q->avail->ring[q->avail_idx++ % q->num], head);
	__atomic_store_n(&q->avail->idx, q->avail_idx, __ATOMIC_SEQ_CST);
}

uint16_t driver_add(struct driver_queue *q, const struct piece *pieces, unsigned int n)
{
	uint16_t head = q->next_desc;
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct virtq_desc *d = &q->desc[q->next_desc];
		uint16_t next = (uint16_t)((q->next_desc + 1) % q->num);

		put(&d->addr, pieces[i].address);
		put(&d->len, pieces[i].len);
		put(&d->flags, (uint16_t)((pieces[i].write ? VIRTQ_DESC_WRITE : 0) |
					  (i + 1 < n ? VIRTQ_DESC_NEXT : 0)));
		put(&d->next, next);
		q->next_desc = next;
	}
	q->irqs_before = rig_irqs(q->rig, q->irq);
	driver_offer(q, head);
	return head;
}

void driver_kick(struct driver_queue *q)
{
	if (!(__atomic_load_n(&q->used->flags, __ATOMIC_SEQ_CST) & VIRTQ_USED_NO_NOTIFY))
		cr_assert(bus_notify(q->rig->bus, q->address));
}

bool driver_has_used(struct driver_queue *q)
{
	return __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) != q->seen;
}

static bool has_used(void *arg)
{
	return driver_has_used(arg);
}

struct virtq_used_elem driver_wait(struct driver_queue *q)
{
	struct virtq_used_elem *e = &q->used->ring[q->seen % q->num];
	struct virtq_used_elem copy;

	rig_await(q->rig, has_used, q, "a used buffer");
	copy.id = __atomic_load_n(&e->id, __ATOMIC_RELAXED);
	copy.len = __atomic_load_n(&e->len, __ATOMIC_RELAXED);
	q->seen++;
	return copy;
}

/* --- files ------------------------------------------------------------------------------ */

static char temporary_name[64];
static pid_t temporary_owner;

static void remove_temporary(void)
{
	/* Children of a test end, too. */
	if (getpid() == temporary_owner)
		unlink(temporary_name);
}

const char *temporary_file(size_t bytes)
{
	int fd;

	if (temporary_owner)
		remove_temporary();
	else
		atexit(remove_temporary);
	temporary_owner = getpid();
	snprintf(temporary_name, sizeof(temporary_name), "/tmp/uml-host-test-XXXXXX");
	fd = mkstemp(temporary_name);
	cr_assert(fd >= 0);
	cr_assert(ftruncate(fd, (off_t)bytes) == 0);
	close(fd);
	return temporary_name;
}
