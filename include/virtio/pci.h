/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio over PCI, version 1: how a driver finds the parts of a device in its
 * BARs, and the registers common to all.  Little endian.
 *
 * Source: virtio 1.0, clause 4.1; lguest guests of Linux 4.4 and 4.9 (F).
 */
#ifndef VIRTIO_PCI_H
#define VIRTIO_PCI_H

#include <stdint.h>

#define VIRTIO_PCI_VENDOR 0x1af4
#define VIRTIO_PCI_DEVICE 0x1040	/* plus VIRTIO_ID_* */

/* Kinds of part. */
#define VIRTIO_PCI_CAP_COMMON 1
#define VIRTIO_PCI_CAP_NOTIFY 2
#define VIRTIO_PCI_CAP_ISR 3
#define VIRTIO_PCI_CAP_DEVICE 4
#define VIRTIO_PCI_CAP_WINDOW 5		/* BARs through configuration space */

/* A vendor capability in configuration space names a part. */
struct virtio_pci_cap {
	uint8_t id;		/* 9 */
	uint8_t next;
	uint8_t len;		/* bytes of this capability */
	uint8_t type;
	uint8_t bar, pad[3];
	uint32_t offset, length;/* in that BAR */
};

_Static_assert(sizeof(struct virtio_pci_cap) == 16, "16 bytes; NOTIFY and WINDOW add 4");

struct virtio_pci_common {
	uint32_t device_feature_select;	/* which 32 bits */
	uint32_t device_feature;
	uint32_t driver_feature_select;
	uint32_t driver_feature;
	uint16_t msix_config;
	uint16_t num_queues;
	uint8_t device_status;
	uint8_t config_generation;
	uint16_t queue_select;
	uint16_t queue_size;	/* 0: no such queue */
	uint16_t queue_msix_vector;
	uint16_t queue_enable;
	uint16_t queue_notify_off;
	uint32_t queue_desc_lo, queue_desc_hi;
	uint32_t queue_avail_lo, queue_avail_hi;
	uint32_t queue_used_lo, queue_used_hi;
};

_Static_assert(sizeof(struct virtio_pci_common) == 56, "56 bytes");

#define VIRTIO_PCI_NO_VECTOR 0xffff

#define VIRTIO_PCI_ISR_QUEUE 1
#define VIRTIO_PCI_ISR_CONFIG 2

#endif
