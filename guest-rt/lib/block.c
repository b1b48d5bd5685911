/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block requests, in three pieces as guests up to C make them: header, data,
 * status.
 */
#include <guest-rt/virtio.h>

#define STATUS_NONE 0x55	/* no device writes that */

void block_submit(struct virtio_device *d, struct block_request *r, uint32_t type,
		  uint64_t sector, const void *data, uint32_t bytes)
{
	bool write = (type & ~VIRTIO_BLOCK_BARRIER) != VIRTIO_BLOCK_OUT;
	struct virtio_piece piece[3] = { { &r->header, sizeof(r->header), false } };
	unsigned int n = 1;

	r->header = (struct virtio_block_header){ .type = type, .sector = sector };
	r->status = STATUS_NONE;
	if (bytes)
		piece[n++] = (struct virtio_piece){ data, bytes, write };
	piece[n++] = (struct virtio_piece){ &r->status, 1, true };
	virtio_add(&d->queue[0], piece, n);
	virtio_kick(&d->queue[0]);
}

uint8_t block_request(struct virtio_device *d, uint32_t type, uint64_t sector,
		      const void *data, uint32_t bytes, uint32_t *written)
{
	struct block_request r;

	block_submit(d, &r, type, sector, data, bytes);
	*written = virtio_wait(&d->queue[0]).len;
	CHECK(r.status != STATUS_NONE);
	return r.status;
}

uint64_t block_capacity(struct virtio_device *d)
{
	uint64_t sectors;

	d->transport->read_config(d, offsetof(struct virtio_block_config, capacity), &sectors,
				  sizeof(sectors));
	return sectors;
}
