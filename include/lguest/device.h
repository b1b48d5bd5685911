/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lguest device page: one page right above RAM that lists the devices as
 * packed records, back to back from its start; a type of 0 ends the list.  The
 * rings stand in the pages above it.  There are two forms of record.
 *
 * New form (Z' to E): struct lguest_device, then num_vq times struct
 * lguest_vq, then feature_len bytes offered, feature_len bytes accepted by the
 * guest, then config_len bytes.
 *
 * Old form (Z, which is 2.6.24): struct lguest_device_z, then config_len bytes
 * of fields: a tag byte, a length byte, the bytes.  A guest that has used a
 * field sets bit 7 of its tag.
 *
 * Source: lguest guests of Linux 2.6.24 and 2.6.28 to 3.15.
 */
#ifndef LGUEST_DEVICE_H
#define LGUEST_DEVICE_H

#include <stdint.h>

struct lguest_device {
	uint8_t type;		/* VIRTIO_ID_*, 0: no more */
	uint8_t num_vq;
	uint8_t feature_len;	/* bytes of one of the two bitmaps */
	uint8_t config_len;
	uint8_t status;		/* the guest writes it and makes NOTIFY */
};

struct lguest_vq {
	uint16_t num;		/* ring entries */
	uint16_t irq;
	uint32_t pfn;		/* frame number of the ring */
} __attribute__((packed));

struct lguest_device_z {
	uint8_t type;
	uint8_t config_len;	/* bytes of all fields */
	uint8_t status;		/* the guest writes it and tells nobody */
};

_Static_assert(sizeof(struct lguest_device) == 5, "5 bytes, no padding");
_Static_assert(sizeof(struct lguest_vq) == 8, "8 bytes, no padding");
_Static_assert(sizeof(struct lguest_device_z) == 3, "3 bytes, no padding");

/* Tags of the old form. */
#define LGUEST_FIELD_VQ 2		/* struct lguest_vq */
#define LGUEST_FIELD_FEATURES 0x40	/* offered, accepted */
#define LGUEST_FIELD_MAC 0x41		/* net: 6 bytes */
#define LGUEST_FIELD_CAPACITY 0x41	/* block: u64, sectors of 512 bytes */
#define LGUEST_FIELD_SEG_MAX 0x43	/* block: u32 */
#define LGUEST_FIELD_USED 0x80

#define LGUEST_RING_ENTRIES 256u	/* of every queue, Z' to E */
#define LGUEST_RING_ENTRIES_Z 128u

#endif
