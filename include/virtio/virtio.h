/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every virtio device has: its kind, its status byte, and the feature bits
 * that belong to the ring and not to one kind of device.
 *
 * Source: virtio as lguest guests of Linux 2.6.24 to 4.13 speak it; the bits of
 * version 1 stand in the OASIS standard, clauses 2.1 and 6.
 */
#ifndef VIRTIO_VIRTIO_H
#define VIRTIO_VIRTIO_H

/* Kinds of device. */
#define VIRTIO_ID_NET 1
#define VIRTIO_ID_BLOCK 2
#define VIRTIO_ID_CONSOLE 3
#define VIRTIO_ID_RNG 4

/* Status byte: the driver adds bits, 0 resets the device. */
#define VIRTIO_STATUS_ACKNOWLEDGE 0x01
#define VIRTIO_STATUS_DRIVER 0x02
#define VIRTIO_STATUS_DRIVER_OK 0x04
#define VIRTIO_STATUS_FEATURES_OK 0x08	/* version 1 only */
#define VIRTIO_STATUS_NEEDS_RESET 0x40	/* set by the device: it gave up */
#define VIRTIO_STATUS_FAILED 0x80

/* Numbers of feature bits. */
#define VIRTIO_F_NOTIFY_ON_EMPTY 24
#define VIRTIO_F_ANY_LAYOUT 27
#define VIRTIO_F_INDIRECT_DESC 28
#define VIRTIO_F_EVENT_IDX 29
#define VIRTIO_F_VERSION_1 32

#define VIRTIO_FEATURE(nr) (1ull << (nr))

/* What version 1 has no more. */
#define VIRTIO_F_LEGACY (VIRTIO_FEATURE(VIRTIO_F_NOTIFY_ON_EMPTY) | \
			 VIRTIO_FEATURE(VIRTIO_F_ANY_LAYOUT))

#endif
