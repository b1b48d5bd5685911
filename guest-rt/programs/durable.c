/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that can be killed at any moment: writes a number into the next sector,
 * flushes, and prints the number, for ever.  What it has printed must be in the
 * image.  "pci": by PCI.
 */
#include <guest-rt/virtio.h>

#define WORDS (VIRTIO_BLOCK_SECTOR / 4)

static struct virtio_device block;
static uint32_t sector[WORDS];

static void request(uint32_t type, uint64_t at, uint32_t bytes)
{
	uint32_t written;

	CHECK(block_request(&block, type, at, sector, bytes, &written) == VIRTIO_BLOCK_OK);
}

int guest_main(void)
{
	uint32_t number, sectors, i;

	virtio_open();
	CHECK(virtio_find(&block, VIRTIO_ID_BLOCK, 0));
	virtio_start(&block, VIRTIO_FEATURE(VIRTIO_BLOCK_F_BARRIER) |
		     VIRTIO_FEATURE(VIRTIO_BLOCK_F_FLUSH));
	sectors = (uint32_t)block_capacity(&block);
	for (number = 1;; number++) {
		for (i = 0; i < WORDS; i++)
			sector[i] = number;
		request(VIRTIO_BLOCK_OUT, (number - 1) % sectors, sizeof(sector));
		request(VIRTIO_BLOCK_FLUSH, 0, 0);
		printf("%u\n", (unsigned int)number);
	}
}
