/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio drivers: one core for rings and buffers, two transports.  The lguest
 * bus page (up to E) and PCI with virtio 1.0 (C and later, the only one in F)
 * look the same to a program.
 */
#ifndef GUEST_RT_VIRTIO_H
#define GUEST_RT_VIRTIO_H

#include <guest-rt/user.h>
#include <virtio/block.h>
#include <virtio/ring.h>
#include <virtio/virtio.h>

struct virtio_device;

#define VIRTIO_QUEUES 2u	/* of a device, at most */
#define VIRTIO_QUEUE_MAX 256u	/* entries */

struct virtio_queue {
	struct virtio_device *device;
	unsigned int index, num, irq;
	uint32_t name;		/* the bus page: what NOTIFY names it by */
	volatile struct virtq_desc *desc;
	volatile struct virtq_avail *avail;
	volatile struct virtq_used *used;
	uint16_t free_head, nr_free, seen;
};

/* How a driver reaches a device. */
struct virtio_transport {
	const char *name;
	bool modern;		/* virtio 1.0 */
	bool (*find)(struct virtio_device *d, unsigned int nth);
	uint8_t (*status)(struct virtio_device *d);
	void (*set_status)(struct virtio_device *d, uint8_t status);
	uint64_t (*offered)(struct virtio_device *d);
	void (*accept)(struct virtio_device *d);	/* d->accepted */
	/* Fills in a queue.  False: there is none of that number. */
	bool (*open_queue)(struct virtio_device *d, struct virtio_queue *q);
	void (*kick)(struct virtio_queue *q);
	void (*read_config)(struct virtio_device *d, unsigned int offset, void *to, size_t n);
	/* In an interrupt handler: was it this device?  Quiets it. */
	bool (*interrupted)(struct virtio_device *d);
};

struct virtio_device {
	const struct virtio_transport *transport;
	unsigned int type;
	uint64_t accepted;
	struct virtio_queue queue[VIRTIO_QUEUES];
	volatile uint8_t *record;	/* the bus page */
	unsigned int slot;		/* PCI: */
	uint32_t common, notify, isr, config;	/* where its registers are */
};

/* --- virtio.c ------------------------------------------------------------------- */

/* Loads GDT and IDT, blocks all interrupts, maps kernel memory, the bus page and
 * the PCI registers 1:1 and decides for a transport: PCI in F or with the word
 * "pci" on the command line. */
void virtio_open(void);
/* The tables virtio_open made. */
struct page_tables *virtio_tables(void);
/* Where RAM ends. */
uint32_t virtio_ram(void);

/* The nth device of a kind, from 0.  False: there is none. */
bool virtio_find(struct virtio_device *d, unsigned int type, unsigned int nth);
/* From reset to DRIVER_OK in the order the generation has, with those of the
 * features wanted that are offered. */
void virtio_start(struct virtio_device *d, uint64_t wanted);
void virtio_reset(struct virtio_device *d);

/* A piece of a buffer; those the device writes come last. */
struct virtio_piece {
	const volatile void *at;
	uint32_t len;
	bool write;
};

/* Puts a buffer into the ring; returns what names it.  The guest crashes if the
 * ring is full. */
uint16_t virtio_add(struct virtio_queue *q, const struct virtio_piece *piece, unsigned int n);
void virtio_kick(struct virtio_queue *q);
/* Takes a used buffer.  False: there is none. */
bool virtio_used(struct virtio_queue *q, struct virtq_used_elem *used);
/* Waits for one, looking all the time. */
struct virtq_used_elem virtio_wait(struct virtio_queue *q);

/* --- block.c -------------------------------------------------------------------- */

struct block_request {
	struct virtio_block_header header;
	volatile uint8_t status;
};

/* Puts a request into the ring.  `data` is read or written as the type says;
 * without bytes there is none. */
void block_submit(struct virtio_device *d, struct block_request *r, uint32_t type,
		  uint64_t sector, const void *data, uint32_t bytes);
/* The same, waited for; nothing else may be in the ring.  Returns the status;
 * *written is how many bytes the device says it wrote, the status among them. */
uint8_t block_request(struct virtio_device *d, uint32_t type, uint64_t sector,
		      const void *data, uint32_t bytes, uint32_t *written);
/* Sectors of 512 bytes. */
uint64_t block_capacity(struct virtio_device *d);

extern const struct virtio_transport virtio_page;	/* virtio_page.c */
extern const struct virtio_transport virtio_pci;	/* virtio_pci.c */

#endif
