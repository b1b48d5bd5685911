/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The entropy device: random bytes of the host's kernel, as many as the guest
 * has room for.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/die.h"
#include "device/internal.h"

/* Enough for any request of a real driver (64 bytes); a chain may have more
 * room than anybody needs random bytes. */
#define RNG_MAX 65536u

static int64_t rng_handle(struct virtqueue *q, struct vq_chain *c)
{
	struct iovec part[VQ_MAX_SEGMENTS];
	unsigned int n, i;
	uint32_t done = 0;

	(void)q;
	n = iov_part(chain_in(c), c->nr_in, 0, RNG_MAX, part);
	for (i = 0; i < n; i++) {
		char *to = part[i].iov_base;
		size_t left = part[i].iov_len;

		while (left) {
			ssize_t got = getrandom(to, left, 0);

			if (got < 0 && errno != EINTR)
				die_errno("the host has no random bytes");
			if (got > 0) {
				to += got;
				left -= (size_t)got;
				done += (uint32_t)got;
			}
		}
	}
	return done;
}

static void rng_destroy(struct virtio_device *d)
{
	free(d);
}

static const struct virtio_ops rng_ops = {
	.name = "rng",
	.handle = rng_handle,
	.destroy = rng_destroy,
};

void bus_add_rng(struct device_bus *bus)
{
	struct virtio_device *d = calloc(1, sizeof(*d));

	if (!d)
		die("out of memory");
	virtio_init(d, bus, &rng_ops, VIRTIO_ID_RNG, 1);
	virtio_start_threads(d);
}
