/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lguest bus page: the transport of generations Z to E.  It writes the
 * records the guest scans, places the rings above them, and understands the
 * status a driver writes.  After that the page is the guest's: nothing but
 * status and accepted features is ever read back from it.
 */
#include <string.h>

#include "base/die.h"
#include "device/internal.h"
#include "lguest/device.h"
#include "virtio/net.h"

#define PAGE 4096u

/* Entries of every ring, and the pages it takes. */
static uint32_t ring_entries(enum device_form form)
{
	return form == DEVICE_FORM_Z ? LGUEST_RING_ENTRIES_Z : LGUEST_RING_ENTRIES;
}

static uint32_t ring_bytes(enum device_form form)
{
	uint32_t num = ring_entries(form);
	uint32_t bytes = virtq_used_offset(num) + virtq_used_bytes(num);

	return (bytes + PAGE - 1) & ~(PAGE - 1);
}

/* Only these kinds have features on the page. */
static uint32_t feature_bytes(const struct virtio_device *d)
{
	return d->type == VIRTIO_ID_NET || d->type == VIRTIO_ID_BLOCK ? 4 : 0;
}

const char *page_misfit(const struct device_bus *bus)
{
	const struct bus_config *config = &bus->config;
	uint32_t queues = 0, records = 0, i;

	for (i = 0; i < bus->nr_devices; i++) {
		const struct virtio_device *d = bus->device[i];

		queues += d->nr_queues;
		/* The new form is the longer one. */
		records += (uint32_t)sizeof(struct lguest_device) +
			   d->nr_queues * (uint32_t)sizeof(struct lguest_vq) +
			   2 * feature_bytes(d) + VIRTIO_MAX_CONFIG;
	}
	if (queues > BUS_MAX_IRQ)
		return "their queues need more than 31 interrupts";
	if (records > PAGE)
		return "they do not fit into the device page";
	if (queues * ring_bytes(DEVICE_FORM_E) + PAGE > config->memory.bytes - config->ram_bytes)
		return "their rings do not fit above memory";
	return NULL;
}

/* --- writing it -------------------------------------------------------------------- */

/* A cursor over the page and over what is handed out with it. */
struct builder {
	uint8_t *at, *end;
	uint32_t next_ring;	/* guest-physical */
	unsigned int next_irq;
	uint32_t entries, ring_bytes;
};

static void put(struct builder *b, const void *bytes, size_t n)
{
	/* page_misfit() has made sure of it. */
	if (n > (size_t)(b->end - b->at))
		die("the device page overflows");
	memcpy(b->at, bytes, n);
	b->at += n;
}

static void put_u8(struct builder *b, uint8_t value) { put(b, &value, 1); }

/* Places a ring and describes it. */
static void put_queue(struct builder *b, struct virtqueue *q)
{
	const struct lguest_vq vq = {
		.num = (uint16_t)b->entries,
		.irq = (uint16_t)b->next_irq,
		.pfn = b->next_ring / PAGE,
	};

	q->page = b->next_ring;
	q->irq = b->next_irq++;
	b->next_ring += b->ring_bytes;
	put(b, &vq, sizeof(vq));
}

/* ABI 8.1. */
static void put_device(struct builder *b, struct virtio_device *d)
{
	const uint32_t features = (uint32_t)virtio_offers(d), none = 0;
	const struct lguest_device record = {
		.type = d->type, .num_vq = d->nr_queues,
		.feature_len = (uint8_t)feature_bytes(d),
		.config_len = d->page_config_len,
	};
	unsigned int i;

	put(b, &record, sizeof(record));
	for (i = 0; i < d->nr_queues; i++)
		put_queue(b, &d->queue[i]);
	put(b, &features, record.feature_len);
	d->accepted_at = d->record + (uint32_t)sizeof(record) +
			 d->nr_queues * (uint32_t)sizeof(struct lguest_vq) +
			 record.feature_len;
	put(b, &none, record.feature_len);
	put(b, d->config, d->page_config_len);
}

/* ABI 8.1a: queues first, then values; no features are offered. */
static void put_device_z(struct builder *b, struct virtio_device *d)
{
	struct lguest_device_z record = { .type = d->type };
	uint8_t *start = b->at;
	unsigned int i;

	d->accepted_at = 0;
	put(b, &record, sizeof(record));
	for (i = 0; i < d->nr_queues; i++) {
		put_u8(b, LGUEST_FIELD_VQ);
		put_u8(b, sizeof(struct lguest_vq));
		put_queue(b, &d->queue[i]);
	}
	if (d->type == VIRTIO_ID_NET && d->offered & VIRTIO_FEATURE(VIRTIO_NET_F_MAC)) {
		put_u8(b, LGUEST_FIELD_MAC);
		put_u8(b, 6);
		put(b, d->config, 6);
	}
	if (d->type == VIRTIO_ID_BLOCK) {
		const uint32_t seg_max = b->entries - 2;

		put_u8(b, LGUEST_FIELD_CAPACITY);
		put_u8(b, sizeof(uint64_t));
		put(b, d->config, sizeof(uint64_t));
		put_u8(b, LGUEST_FIELD_SEG_MAX);
		put_u8(b, sizeof(seg_max));
		put(b, &seg_max, sizeof(seg_max));
	}
	record.config_len = (uint8_t)(b->at - start - (ptrdiff_t)sizeof(record));
	memcpy(start, &record, sizeof(record));
}

/* The rings stand where page_build put them; everything else there is zero. */
static void place_rings(struct virtio_device *d)
{
	uint32_t num = ring_entries(d->form);
	unsigned int i;

	for (i = 0; i < d->nr_queues; i++) {
		struct virtqueue *q = &d->queue[i];

		q->desc = NULL;
		if (!d->record)
			continue;
		if (!vq_place(q, num, q->page, q->page + virtq_avail_offset(num),
			      q->page + virtq_used_offset(num)))
			die("a ring is misplaced");
	}
}

void page_build(struct device_bus *bus)
{
	const struct bus_config *config = &bus->config;
	uint8_t *page = dev_ptr(&config->memory, config->ram_bytes, PAGE);
	struct builder b = {
		.at = page, .end = page + PAGE,
		.next_ring = config->ram_bytes + PAGE, .next_irq = 1,
		.entries = ring_entries(bus->form), .ring_bytes = ring_bytes(bus->form),
	};
	unsigned int i;

	/* All quiet before the first record changes. */
	for (i = 0; i < bus->nr_devices; i++)
		virtio_reset(bus->device[i]);
	memset(page, 0, PAGE);
	for (i = 0; i < bus->nr_devices; i++) {
		struct virtio_device *d = bus->device[i];

		virtio_lock(d);
		d->record = config->ram_bytes + (uint32_t)(b.at - page);
		d->form = bus->form;
		d->transport = &page_transport;
		/* Z has no driver for it. */
		if (bus->form == DEVICE_FORM_Z && d->type == VIRTIO_ID_RNG)
			d->record = 0;
		else if (bus->form == DEVICE_FORM_Z)
			put_device_z(&b, d);
		else
			put_device(&b, d);
		place_rings(d);
		virtio_unlock(d);
		d->failed = false;
		virtio_reset(d);
	}
}

/* --- what the guest says ---------------------------------------------------------------- */

static uint64_t read_accepted(const struct virtio_device *d)
{
	const void *bytes;
	uint32_t bits;

	if (!d->accepted_at || !feature_bytes(d))
		return 0;
	bytes = dev_ptr(&d->bus->config.memory, d->accepted_at, sizeof(bits));
	memcpy(&bits, bytes, sizeof(bits));
	return bits;
}

static uint8_t read_status(const struct virtio_device *d)
{
	uint32_t at = d->record + (d->form == DEVICE_FORM_Z ?
				   (uint32_t)offsetof(struct lguest_device_z, status) :
				   (uint32_t)offsetof(struct lguest_device, status));

	return __atomic_load_n((const uint8_t *)dev_ptr(&d->bus->config.memory, at, 1),
			       __ATOMIC_RELAXED);
}

/* A driver between its first status and DRIVER_OK, and a device that has to
 * know what was agreed on before it looks at a ring. */
static bool is_probing(const struct virtio_device *d, uint8_t status)
{
	return d->ops->patient && d->form != DEVICE_FORM_Z && status &&
	       !(status & VIRTIO_STATUS_DRIVER_OK);
}

/* ABI 8.2.  Generations tell at different moments: any status but reset and
 * failure makes the device live, with the features accepted so far. */
void page_status(struct virtio_device *d)
{
	uint8_t status = read_status(d);

	if (d->transport != &page_transport)
		page_attach(d);
	if (!status || status & VIRTIO_STATUS_FAILED) {
		if (status)
			virtio_complain(d, "gave up");
		d->failed = status;
		virtio_reset(d);
		return;
	}
	d->failed = false;
	virtio_agree(d, read_accepted(d));
	if (!is_probing(d, status))
		virtio_live(d);
}

/* Drivers kick while they probe.  C and later have written what they accept by
 * then, but may not have told; Z' to B write it after that, so what they put in
 * has to wait for their DRIVER_OK, which they tell (ABI 8.2). */
void page_kick(struct virtqueue *q)
{
	struct virtio_device *d = q->device;

	if (d->transport != &page_transport)
		return;
	if (!atomic_load(&q->live) && is_probing(d, read_status(d))) {
		if (d->form == DEVICE_FORM_B)
			return;
		virtio_agree(d, read_accepted(d));
	}
	virtio_kick(q);
}

void page_attach(struct virtio_device *d)
{
	virtio_reset(d);
	virtio_lock(d);
	d->transport = &page_transport;
	d->form = d->bus->form;
	place_rings(d);
	virtio_unlock(d);
	virtio_reset(d);
}

/* --- the transport -------------------------------------------------------------------------- */

static void page_interrupt(struct virtqueue *q)
{
	const struct bus_config *config = &q->device->bus->config;

	config->raise_irq(config->context, q->irq);
}

/* Nothing to tell: guests of the bus know no bit for it, and the status byte is
 * theirs alone.  A bit of ours, set at the moment they write 0 to reset, would
 * have hidden the reset from us. */
static void page_broken(struct virtio_device *d)
{
	(void)d;
}

static void page_reset(struct virtio_device *d)
{
	const struct device_memory *memory = &d->bus->config.memory;
	unsigned int i;

	for (i = 0; i < d->nr_queues; i++) {
		void *ring = dev_ptr(memory, d->queue[i].page, ring_bytes(d->form));

		if (d->queue[i].desc && ring)
			memset(ring, 0, ring_bytes(d->form));
	}
	if (d->accepted_at)
		memset(dev_ptr(memory, d->accepted_at, feature_bytes(d)), 0, feature_bytes(d));
}

const struct virtio_transport page_transport = {
	.interrupt = page_interrupt,
	.broken = page_broken,
	.reset = page_reset,
};
