/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that can be killed at any moment: writes a number into the next sector,
 * flushes, and prints the number, for ever.  What it has printed must be in the
 * image.  "pci": by PCI.
 */
#include <guest-rt/virtio.h>
#include <virtio/block.h>

#define WORDS (VIRTIO_BLOCK_SECTOR / 4)

static struct virtio_device block;
static uint32_t sector[WORDS];

static void request(uint32_t type, uint64_t at, const void *data, uint32_t bytes)
{
	static struct virtio_block_header header;
	static volatile uint8_t status;
	struct virtio_piece piece[3] = { { &header, sizeof(header), false } };
	unsigned int n = 1;

	header = (struct virtio_block_header){ .type = type, .sector = at };
	status = 0x55;
	if (bytes)
		piece[n++] = (struct virtio_piece){ data, bytes, false };
	piece[n++] = (struct virtio_piece){ &status, 1, true };
	virtio_add(&block.queue[0], piece, n);
	virtio_kick(&block.queue[0]);
	virtio_wait(&block.queue[0]);
	CHECK(status == VIRTIO_BLOCK_OK);
}

int guest_main(void)
{
	struct virtio_block_config config;
	uint32_t number, i;

	gdt_load();
	idt_load();
	lguest_data.blocked_interrupts = ~0u;
	virtio_open();
	CHECK(virtio_find(&block, VIRTIO_ID_BLOCK, 0));
	virtio_start(&block, VIRTIO_FEATURE(VIRTIO_BLOCK_F_BARRIER) |
		     VIRTIO_FEATURE(VIRTIO_BLOCK_F_FLUSH));
	block.transport->read_config(&block, 0, &config.capacity, sizeof(config.capacity));
	for (number = 1;; number++) {
		for (i = 0; i < WORDS; i++)
			sector[i] = number;
		request(VIRTIO_BLOCK_OUT, (number - 1) % (uint32_t)config.capacity, sector,
			sizeof(sector));
		request(VIRTIO_BLOCK_FLUSH, 0, NULL, 0);
		printf("%u\n", (unsigned int)number);
	}
}
