/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio drivers, whatever the transport: finding and starting a device, and
 * the ring.
 */
#include <guest-rt/virtio.h>

/* What may lie behind RAM: the device page and its rings, then the registers. */
#define BEHIND_RAM (2u << 20)
#define REGISTERS_AT (1u << 20)
#define PTE_UNCACHED 0x18u	/* PWT PCD: as a kernel maps registers */

#define E820_SIZE 0x2d8		/* of the first e820 entry, in boot_params */

static struct page_tables tables;
static uint32_t behind[2][1024] __attribute__((aligned(4096)));
static const struct virtio_transport *transport;

struct page_tables *virtio_tables(void) { return &tables; }

uint32_t virtio_ram(void)
{
	static uint32_t size;

	/* In assembler: to a compiler so low an address is a null pointer. */
	if (!size)
		__asm__ volatile("movl (%1), %0" : "=r"(size) : "r"(E820_SIZE));
	return size;
}

void virtio_open(void)
{
	uint32_t ram = virtio_ram(), at;

	CHECK(ram >= 8u << 20);
	gdt_load();
	idt_load();
	lguest_data.blocked_interrupts = ~0u;
	tables_init(&tables);
	for (at = ram; at < ram + BEHIND_RAM; at += 4096)
		behind[(at >> 22) - (ram >> 22)][at >> 12 & 1023] =
			at | PTE_KERNEL | (at - ram < REGISTERS_AT ? 0 : PTE_UNCACHED);
	tables.top[ram >> 22] = guest_pa(behind[0]) | 0x63;
	tables.top[(ram >> 22) + 1] = guest_pa(behind[1]) | 0x63;
	tables_load(&tables);
	transport = !GUEST_HAS_NOTIFY || guest_option("pci") ? &virtio_pci : &virtio_page;
}

bool virtio_find(struct virtio_device *d, unsigned int type, unsigned int nth)
{
	*d = (struct virtio_device){ .transport = transport, .type = type };
	return transport->find(d, nth);
}

void virtio_reset(struct virtio_device *d)
{
	d->transport->set_status(d, 0);
	CHECK(d->transport->status(d) == 0);
}

static void add_status(struct virtio_device *d, uint8_t bit)
{
	d->transport->set_status(d, d->transport->status(d) | bit);
}

/* All of a ring is free, each entry names the next. */
static void open_queues(struct virtio_device *d)
{
	unsigned int i, k;

	for (i = 0; i < VIRTIO_QUEUES; i++) {
		struct virtio_queue *q = &d->queue[i];

		q->device = d;
		q->index = i;
		q->num = 0;
		if (!d->transport->open_queue(d, q))
			continue;
		CHECK(q->num && q->num <= VIRTIO_QUEUE_MAX && q->irq >= 1 && q->irq < 32);
		for (k = 0; k < q->num; k++)
			q->desc[k].next = (uint16_t)(k + 1);
		q->free_head = q->seen = 0;
		q->nr_free = (uint16_t)q->num;
	}
}

void virtio_start(struct virtio_device *d, uint64_t wanted)
{
	/* Up to B a driver's probe comes before the features are written. */
	bool probe_first = GUEST_ABI <= GUEST_ABI_B;

	virtio_reset(d);
	add_status(d, VIRTIO_STATUS_ACKNOWLEDGE);
	add_status(d, VIRTIO_STATUS_DRIVER);
	d->accepted = d->transport->offered(d) & wanted;
	if (probe_first)
		open_queues(d);
	d->transport->accept(d);
	if (d->transport->modern) {
		add_status(d, VIRTIO_STATUS_FEATURES_OK);
		CHECK(d->transport->status(d) & VIRTIO_STATUS_FEATURES_OK);
	}
	if (!probe_first)
		open_queues(d);
	add_status(d, VIRTIO_STATUS_DRIVER_OK);
}

/* --- the ring --------------------------------------------------------------------- */

static void barrier(void)
{
	__asm__ volatile("" : : : "memory");
}

/* A later load may not come before an earlier store. */
static void full_barrier(void)
{
	__asm__ volatile("lock; addl $0, (%%esp)" : : : "memory");
}

uint16_t virtio_add(struct virtio_queue *q, const struct virtio_piece *piece, unsigned int n)
{
	uint16_t head = q->free_head, at = head;
	unsigned int i;

	CHECK(n && n <= q->nr_free);
	for (i = 0; i < n; i++) {
		volatile struct virtq_desc *d = &q->desc[at];

		d->addr = guest_pa(piece[i].at);
		d->len = piece[i].len;
		d->flags = (uint16_t)((piece[i].write ? VIRTQ_DESC_WRITE : 0) |
				      (i + 1 < n ? VIRTQ_DESC_NEXT : 0));
		at = d->next;
	}
	q->free_head = at;
	q->nr_free = (uint16_t)(q->nr_free - n);
	q->avail->ring[q->avail->idx % q->num] = head;
	barrier();
	q->avail->idx++;
	return head;
}

void virtio_kick(struct virtio_queue *q)
{
	full_barrier();
	if (!(q->used->flags & VIRTQ_USED_NO_NOTIFY))
		q->device->transport->kick(q);
}

/* Gives the entries of a buffer back. */
static void release(struct virtio_queue *q, uint16_t head)
{
	uint16_t at = head;
	unsigned int n = 1;

	while (q->desc[at].flags & VIRTQ_DESC_NEXT) {
		at = q->desc[at].next;
		n++;
	}
	q->desc[at].next = q->free_head;
	q->free_head = head;
	q->nr_free = (uint16_t)(q->nr_free + n);
}

bool virtio_used(struct virtio_queue *q, struct virtq_used_elem *used)
{
	if (q->used->idx == q->seen)
		return false;
	barrier();
	used->id = q->used->ring[q->seen % q->num].id;
	used->len = q->used->ring[q->seen % q->num].len;
	q->seen++;
	CHECK(used->id < q->num);
	release(q, (uint16_t)used->id);
	return true;
}

struct virtq_used_elem virtio_wait(struct virtio_queue *q)
{
	struct virtq_used_elem used;

	while (!virtio_used(q, &used))
		__asm__ volatile("pause");
	return used;
}
