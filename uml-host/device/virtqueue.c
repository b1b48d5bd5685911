/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring, as the device side walks it.
 *
 * The ring lives in guest memory and the guest may scribble over it at any
 * moment.  So: positions are kept on our side and never read back; each word
 * of the ring is loaded once, checked, and only the copy is used; every loop
 * ends by a count of ours.  What no correct driver does breaks the device.
 *
 * Ordering against the guest (virtio 1.0, 2.4.13 and 2.4.14): a load of the
 * avail index acquires, a store of the used index releases; where each side
 * writes one word and then reads the other's (index and flags), both accesses
 * are sequentially consistent, which on x86 puts a full barrier between them.
 */
#include "device/internal.h"

/* Little endian in the ring, and so is every host this runs on. */
#define ring_load(p, order) __atomic_load_n(p, order)
#define ring_store(p, value, order) __atomic_store_n(p, value, order)

bool vq_place(struct virtqueue *q, uint32_t num, uint64_t desc, uint64_t avail,
	      uint64_t used)
{
	const struct device_memory *memory = &q->device->bus->config.memory;

	q->desc = NULL;
	if (!num || num > VQ_MAX_ENTRIES || (num & (num - 1)))
		return false;
	/* Alignments of virtio 1.0, 2.4. */
	if (desc % 16 || avail % 2 || used % 4)
		return false;
	/* The last, optional word of each ring is never used: not required. */
	q->avail = dev_ptr(memory, avail, virtq_avail_bytes(num) - 2);
	q->used = dev_ptr(memory, used, virtq_used_bytes(num) - 2);
	if (!q->avail || !q->used)
		return false;
	q->desc = dev_ptr(memory, desc, virtq_desc_bytes(num));
	q->num = (uint16_t)num;
	return q->desc;
}

void vq_forget(struct virtqueue *q)
{
	q->next_avail = 0;
	q->next_used = 0;
	q->popped = q->filled = 0;
	q->unsignalled = false;
}

/* --- taking ------------------------------------------------------------------- */

/* The one copy of a descriptor. */
static struct virtq_desc load_desc(const struct virtq_desc *d)
{
	return (struct virtq_desc){
		.addr = ring_load(&d->addr, __ATOMIC_RELAXED),
		.len = ring_load(&d->len, __ATOMIC_RELAXED),
		.flags = ring_load(&d->flags, __ATOMIC_RELAXED),
		.next = ring_load(&d->next, __ATOMIC_RELAXED),
	};
}

/* Adds what a descriptor names to the chain. */
static bool add_segment(struct virtqueue *q, const struct virtq_desc *d)
{
	struct virtio_device *dev = q->device;
	const struct device_memory *memory = &dev->bus->config.memory;
	struct vq_chain *c = &q->chain;
	unsigned int n = c->nr_out + c->nr_in;
	bool write = d->flags & VIRTQ_DESC_WRITE;
	void *p = dev_ptr(memory, d->addr, d->len);

	if (!p) {
		virtio_broken(dev, "names %u bytes at 0x%llx in queue %u, beyond memory",
			      d->len, (unsigned long long)d->addr, q->index);
		return false;
	}
	/* virtio 1.0, 2.4.4.2: what the device reads comes first. */
	if (!write && c->nr_in) {
		virtio_broken(dev, "has a readable buffer behind a writable one in queue %u",
			      q->index);
		return false;
	}
	if (!d->len)
		return true;
	/* More bytes than memory has: they overlap, and would be endless work. */
	if (n == VQ_MAX_SEGMENTS ||
	    d->len > memory->bytes - (c->out_bytes + c->in_bytes)) {
		virtio_broken(dev, "has a chain that is too long in queue %u", q->index);
		return false;
	}
	c->iov[n] = (struct iovec){ .iov_base = p, .iov_len = d->len };
	if (write) {
		c->nr_in++;
		c->in_bytes += d->len;
	} else {
		c->nr_out++;
		c->out_bytes += d->len;
	}
	return true;
}

/* An indirect descriptor, checked: where its table is and how many it has. */
static const struct virtq_desc *indirect_table(struct virtqueue *q,
					       const struct virtq_desc *d,
					       unsigned int *num)
{
	struct virtio_device *dev = q->device;
	const struct virtq_desc *table;

	if (!(virtio_offers(dev) & VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC))) {
		virtio_broken(dev, "uses an indirect table in queue %u, which was not offered",
			      q->index);
		return NULL;
	}
	/* virtio 1.0, 2.4.5.3.1: the last of its chain.  The alignment is for our
	 * single loads; every driver's allocator gives it. */
	if (d->flags & VIRTQ_DESC_NEXT || !d->len || d->len % 16 ||
	    d->len / 16 > VQ_MAX_SEGMENTS || d->addr % 8) {
		virtio_broken(dev, "has an indirect table of %u bytes, flags 0x%x, in queue %u",
			      d->len, d->flags, q->index);
		return NULL;
	}
	table = dev_ptr(&dev->bus->config.memory, d->addr, d->len);
	if (!table)
		virtio_broken(dev, "has an indirect table beyond memory in queue %u", q->index);
	*num = d->len / 16;
	return table;
}

/* Collects the chain that starts at `i`.  Each table is walked for at most as
 * many steps as it has entries: a chain that is longer goes in circles. */
static bool walk(struct virtqueue *q, unsigned int i)
{
	const struct virtq_desc *table = q->desc;
	unsigned int num = q->num, steps = 0;
	bool indirect = false;

	for (;;) {
		struct virtq_desc d;

		if (i >= num || steps++ == num) {
			virtio_broken(q->device, i >= num ?
				      "has a chain to descriptor %u, which is none, in queue %u" :
				      "has a chain in circles at descriptor %u in queue %u",
				      i, q->index);
			return false;
		}
		d = load_desc(&table[i]);
		if (d.flags & VIRTQ_DESC_INDIRECT) {
			if (indirect) {
				virtio_broken(q->device, "has an indirect table in an "
					      "indirect table in queue %u", q->index);
				return false;
			}
			table = indirect_table(q, &d, &num);
			if (!table)
				return false;
			indirect = true;
			i = steps = 0;
			continue;
		}
		if (!add_segment(q, &d))
			return false;
		if (!(d.flags & VIRTQ_DESC_NEXT))
			return true;
		i = d.next;
	}
}

bool vq_pop(struct virtqueue *q)
{
	struct vq_chain *c = &q->chain;
	uint16_t idx, waiting;
	unsigned int head;

	if (!q->desc || atomic_load(&q->device->broken))
		return false;
	idx = ring_load(&q->avail->idx, __ATOMIC_ACQUIRE);
	waiting = (uint16_t)(idx - q->next_avail);
	if (!waiting)
		return false;
	/* What is taken and not given back still counts. */
	if (waiting > q->num - q->popped) {
		virtio_broken(q->device, "has queue %u at index %u, %u ahead of us",
			      q->index, idx, waiting);
		return false;
	}
	head = ring_load(&q->avail->ring[q->next_avail % q->num], __ATOMIC_RELAXED);
	c->head = (uint16_t)head;
	c->nr_out = c->nr_in = 0;
	c->out_bytes = c->in_bytes = 0;
	if (!walk(q, head))
		return false;
	q->next_avail++;
	q->popped++;
	return true;
}

/* The device has written into its chain, or may have. */
static void chain_written(struct virtqueue *q)
{
	const struct vq_chain *c = &q->chain;

	dev_iov_written(&q->device->bus->config.memory, c->iov + c->nr_out, c->nr_in);
}

static void used_written(struct virtqueue *q)
{
	dev_written(&q->device->bus->config.memory, q->used, virtq_used_bytes(q->num) - 2);
}

void vq_unpop(struct virtqueue *q)
{
	chain_written(q);
	used_written(q);
	q->next_avail = (uint16_t)(q->next_avail - q->popped);
	q->popped = q->filled = 0;
}

/* --- giving back ----------------------------------------------------------------- */

void vq_fill(struct virtqueue *q, uint32_t len)
{
	uint16_t at = (uint16_t)(q->next_used + q->filled++);
	struct virtq_used_elem *e = &q->used->ring[at % q->num];

	chain_written(q);
	ring_store(&e->id, q->chain.head, __ATOMIC_RELAXED);
	ring_store(&e->len, len, __ATOMIC_RELAXED);
}

void vq_push(struct virtqueue *q, uint32_t len)
{
	vq_fill(q, len);
	q->next_used = (uint16_t)(q->next_used + q->filled);
	q->popped = q->filled = 0;
	/* Who sees the index knows of what stands before it; but it is a word of the
	 * guest's memory, too. */
	used_written(q);
	/* Against the load of the avail flags in vq_signal. */
	ring_store(&q->used->idx, q->next_used, __ATOMIC_SEQ_CST);
	used_written(q);
	if (!q->unsignalled) {
		q->unsignalled = true;
		q->unsignalled_ns = device_now_ns();
	}
}

/* May an interrupt be left out that the guest does not want?  Z: yes, nothing
 * else counts.  Z' to B: not when nothing is in flight.  Later: not then
 * either, if NOTIFY_ON_EMPTY was agreed on (ABI 8.4). */
static bool always_when_empty(const struct virtqueue *q)
{
	const struct virtio_device *d = q->device;

	if (q->silent || d->form == DEVICE_FORM_Z)
		return false;
	return d->form == DEVICE_FORM_B ||
	       d->accepted & VIRTIO_FEATURE(VIRTIO_F_NOTIFY_ON_EMPTY);
}

void vq_signal(struct virtqueue *q)
{
	uint16_t flags;

	if (!q->unsignalled)
		return;
	q->unsignalled = false;
	flags = ring_load(&q->avail->flags, __ATOMIC_SEQ_CST);
	if (flags & VIRTQ_AVAIL_NO_INTERRUPT &&
	    !(always_when_empty(q) && !q->popped &&
	      ring_load(&q->avail->idx, __ATOMIC_RELAXED) == q->next_avail))
		return;
	q->device->transport->interrupt(q);
}

/* --- kicks ------------------------------------------------------------------------- */

void vq_notify_off(struct virtqueue *q)
{
	ring_store(&q->used->flags, VIRTQ_USED_NO_NOTIFY, __ATOMIC_RELAXED);
	used_written(q);
}

bool vq_notify_on(struct virtqueue *q)
{
	ring_store(&q->used->flags, 0, __ATOMIC_SEQ_CST);
	used_written(q);
	return ring_load(&q->avail->idx, __ATOMIC_SEQ_CST) != q->next_avail;
}
