/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random numbers from the host.  Wants --rng.  "pci": by PCI.
 */
#include <guest-rt/virtio.h>

#define BYTES 64u

static struct virtio_device rng;
static uint8_t first[BYTES], second[BYTES];

static void draw(uint8_t *to)
{
	const struct virtio_piece piece = { to, BYTES, true };

	memset(to, 0, BYTES);
	virtio_add(&rng.queue[0], &piece, 1);
	virtio_kick(&rng.queue[0]);
	CHECK(virtio_wait(&rng.queue[0]).len == BYTES);
}

int guest_main(void)
{
	unsigned int i, differ = 0;

	virtio_open();
	CHECK(virtio_find(&rng, VIRTIO_ID_RNG, 0));
	CHECK(!virtio_find(&(struct virtio_device){ 0 }, VIRTIO_ID_RNG, 1));
	virtio_start(&rng, 0);
	draw(first);
	draw(second);
	for (i = 0; i < BYTES; i++)
		differ += first[i] != second[i];
	CHECK(differ > BYTES / 2);
	virtio_reset(&rng);
	printf("rng: %u bytes, twice\n", BYTES);
	return 0;
}
