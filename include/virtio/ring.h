/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The split virtqueue: three tables in guest memory, all little endian.
 *
 * On the lguest bus the host places them in one run of pages, the used ring on
 * the page after the other two; on PCI the guest places each.
 *
 * Source: virtio 1.0, clause 2.4; the placement is that of lguest.
 */
#ifndef VIRTIO_RING_H
#define VIRTIO_RING_H

#include <stdint.h>

#define VIRTQ_DESC_NEXT 1	/* goes on at `next` */
#define VIRTQ_DESC_WRITE 2	/* the device writes here, else it reads */
#define VIRTQ_DESC_INDIRECT 4	/* names a table of descriptors */

#define VIRTQ_AVAIL_NO_INTERRUPT 1	/* avail flags: do not interrupt */
#define VIRTQ_USED_NO_NOTIFY 1		/* used flags: no need to notify */

struct virtq_desc {
	uint64_t addr;		/* guest-physical */
	uint32_t len;		/* bytes */
	uint16_t flags;
	uint16_t next;
};

struct virtq_avail {
	uint16_t flags;
	uint16_t idx;		/* where the driver puts the next one, ever growing */
	uint16_t ring[];	/* heads of chains; a u16 used_event may follow */
};

struct virtq_used_elem {
	uint32_t id;		/* head of the chain */
	uint32_t len;		/* bytes the device wrote into it */
};

struct virtq_used {
	uint16_t flags;
	uint16_t idx;
	struct virtq_used_elem ring[];	/* a u16 avail_event may follow */
};

_Static_assert(sizeof(struct virtq_desc) == 16, "a descriptor is 16 bytes");
_Static_assert(sizeof(struct virtq_used_elem) == 8, "a used entry is 8 bytes");

#define VIRTQ_ALIGN 4096u	/* of the used ring, on the lguest bus */

/* Bytes of each table for `num` entries, the optional last word included. */
static inline uint32_t virtq_desc_bytes(uint32_t num) { return 16 * num; }
static inline uint32_t virtq_avail_bytes(uint32_t num) { return 6 + 2 * num; }
static inline uint32_t virtq_used_bytes(uint32_t num) { return 6 + 8 * num; }

/* Where avail and used ring stand in a run placed as on the lguest bus. */
static inline uint32_t virtq_avail_offset(uint32_t num) { return virtq_desc_bytes(num); }

static inline uint32_t virtq_used_offset(uint32_t num)
{
	return (virtq_desc_bytes(num) + virtq_avail_bytes(num) + VIRTQ_ALIGN - 1) &
	       ~(VIRTQ_ALIGN - 1);
}

#endif
