/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio block device: one queue of requests.  A request is a header the
 * device reads, the data, and as its last byte a status the device writes.
 *
 * Source: lguest guests of Linux 2.6.24 (Z) to 4.9 (F); virtio 1.0, clause 5.2.
 */
#ifndef VIRTIO_BLOCK_H
#define VIRTIO_BLOCK_H

#include <stdint.h>

#define VIRTIO_BLOCK_SECTOR 512u

/* Numbers of feature bits. */
#define VIRTIO_BLOCK_F_BARRIER 0	/* Z' to C */
#define VIRTIO_BLOCK_F_SEG_MAX 2
#define VIRTIO_BLOCK_F_RO 5
#define VIRTIO_BLOCK_F_FLUSH 9		/* from 2.6.32 on */

/* Request types. */
#define VIRTIO_BLOCK_IN 0		/* the guest reads */
#define VIRTIO_BLOCK_OUT 1
#define VIRTIO_BLOCK_SCSI 2
#define VIRTIO_BLOCK_FLUSH 4
#define VIRTIO_BLOCK_GET_ID 8
#define VIRTIO_BLOCK_BARRIER 0x80000000u	/* added to any of them */

#define VIRTIO_BLOCK_ID_BYTES 20u

/* The status byte. */
#define VIRTIO_BLOCK_OK 0
#define VIRTIO_BLOCK_IOERR 1
#define VIRTIO_BLOCK_UNSUPPORTED 2

/* Z' and later; Z has a u64 id after it that nobody uses. */
struct virtio_block_header {
	uint32_t type;
	uint32_t ioprio;
	uint64_t sector;
};
#define VIRTIO_BLOCK_HEADER_Z 24u

_Static_assert(sizeof(struct virtio_block_header) == 16, "16 bytes from Z' on");

struct virtio_block_config {
	uint64_t capacity;	/* sectors of 512 bytes */
	uint32_t size_max;	/* bytes of a segment, 0: any */
	uint32_t seg_max;	/* segments of a request */
	uint16_t cylinders;	/* unused geometry */
	uint8_t heads, sectors;
	uint32_t blk_size;
};

_Static_assert(sizeof(struct virtio_block_config) == 24, "24 bytes on the bus page");

#endif
