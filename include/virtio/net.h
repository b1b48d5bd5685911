/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio network device: queue 0 receives, queue 1 transmits; each packet
 * has a header before it, 8 bytes in generation Z, 10 later, 12 on PCI or where
 * packets may take several buffers.
 *
 * Source: lguest guests of Linux 2.6.24 (Z) to 4.9 (F); virtio 1.0, clause 5.1.
 */
#ifndef VIRTIO_NET_H
#define VIRTIO_NET_H

#include <stdint.h>

#define VIRTIO_NET_RX 0
#define VIRTIO_NET_TX 1

/* Numbers of feature bits: HOST_ is what the guest may send, GUEST_ what it
 * can take. */
#define VIRTIO_NET_F_CSUM 0
#define VIRTIO_NET_F_GUEST_CSUM 1
#define VIRTIO_NET_F_MAC 5
#define VIRTIO_NET_F_GUEST_TSO4 7
#define VIRTIO_NET_F_GUEST_TSO6 8
#define VIRTIO_NET_F_GUEST_ECN 9
#define VIRTIO_NET_F_HOST_TSO4 11
#define VIRTIO_NET_F_HOST_TSO6 12
#define VIRTIO_NET_F_HOST_ECN 13
#define VIRTIO_NET_F_MRG_RXBUF 15	/* a packet may take several buffers */

#define VIRTIO_NET_HDR_NEEDS_CSUM 1	/* flags */

#define VIRTIO_NET_GSO_NONE 0		/* gso_type, Z' and later */
#define VIRTIO_NET_GSO_TCPV4 1
#define VIRTIO_NET_GSO_TCPV6 4
#define VIRTIO_NET_GSO_ECN 0x80

/* Generation Z. */
struct virtio_net_hdr_z {
	uint8_t flags, gso_type;
	uint16_t gso_size, csum_start, csum_offset;
};

/* Z' to E. */
struct virtio_net_hdr {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
};

/* F: version 1; earlier with MRG_RXBUF. */
struct virtio_net_hdr_v1 {
	struct virtio_net_hdr hdr;
	uint16_t num_buffers;
};

_Static_assert(sizeof(struct virtio_net_hdr_z) == 8, "8 bytes in Z");
_Static_assert(sizeof(struct virtio_net_hdr) == 10, "10 bytes from Z' on");
_Static_assert(sizeof(struct virtio_net_hdr_v1) == 12, "12 bytes in F");

struct virtio_net_config {
	uint8_t mac[6];
	uint16_t status;	/* 1: link up */
	uint16_t max_queue_pairs;
};

#endif
