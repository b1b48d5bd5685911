/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lguest bus page behind RAM: records back to back, rings placed by the
 * host, NOTIFY for everything that happens.
 */
#include <guest-rt/virtio.h>
#include <lguest/device.h>

static volatile struct lguest_device *record_of(struct virtio_device *d)
{
	return (volatile struct lguest_device *)d->record;
}

static volatile uint8_t *features_of(struct virtio_device *d)
{
	return d->record + sizeof(struct lguest_device) +
	       record_of(d)->num_vq * sizeof(struct lguest_vq);
}

static bool find(struct virtio_device *d, unsigned int nth)
{
	d->record = (volatile uint8_t *)virtio_ram();
	for (; record_of(d)->type; d->record = features_of(d) + 2 * record_of(d)->feature_len +
	     record_of(d)->config_len)
		if (record_of(d)->type == d->type && !nth--)
			return true;
	return false;
}

static void notify(uint32_t what)
{
	hcall1(LHCALL_NOTIFY, what);
}

static uint8_t status(struct virtio_device *d)
{
	return record_of(d)->status;
}

/* E tells of a reset and of failure only, and of features by itself. */
static void set_status(struct virtio_device *d, uint8_t value)
{
	record_of(d)->status = value;
	if (GUEST_ABI != GUEST_ABI_E || !value || value & VIRTIO_STATUS_FAILED)
		notify((uint32_t)d->record);
}

static uint64_t offered(struct virtio_device *d)
{
	const volatile uint8_t *at = features_of(d);
	uint32_t bits = 0;
	unsigned int i;

	for (i = 0; i < record_of(d)->feature_len && i < 4; i++)
		bits |= (uint32_t)at[i] << 8 * i;
	return bits;
}

static void accept(struct virtio_device *d)
{
	volatile uint8_t *at = features_of(d) + record_of(d)->feature_len;
	unsigned int i;

	for (i = 0; i < record_of(d)->feature_len && i < 4; i++)
		at[i] = (uint8_t)(d->accepted >> 8 * i);
	if (GUEST_ABI == GUEST_ABI_E)
		notify((uint32_t)d->record);
}

static bool open_queue(struct virtio_device *d, struct virtio_queue *q)
{
	const volatile struct lguest_vq *vq = (void *)(d->record + sizeof(struct lguest_device) +
						       q->index * sizeof(struct lguest_vq));

	if (q->index >= record_of(d)->num_vq)
		return false;
	q->num = vq->num;
	q->irq = vq->irq;
	q->name = vq->pfn << 12;
	q->desc = (void *)q->name;
	q->avail = (void *)(q->name + virtq_avail_offset(q->num));
	q->used = (void *)(q->name + virtq_used_offset(q->num));
	return true;
}

static void kick(struct virtio_queue *q)
{
	notify(q->name);
}

static void read_config(struct virtio_device *d, unsigned int offset, void *to, size_t n)
{
	const volatile uint8_t *at = features_of(d) + 2 * record_of(d)->feature_len + offset;
	uint8_t *byte = to;

	CHECK(offset + n <= record_of(d)->config_len);
	while (n--)
		*byte++ = *at++;
}

/* An interrupt is one queue's. */
static bool interrupted(struct virtio_device *d)
{
	(void)d;
	return true;
}

const struct virtio_transport virtio_page = {
	.name = "bus page", .find = find, .status = status, .set_status = set_status,
	.offered = offered, .accept = accept, .open_queue = open_queue, .kick = kick,
	.read_config = read_config, .interrupted = interrupted,
};
