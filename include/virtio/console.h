/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio console: queue 0 brings what was typed to the guest, queue 1 takes
 * what it prints.  Bytes, no headers.
 *
 * Source: lguest guests of Linux 2.6.24 to 4.9; virtio 1.0, clause 5.3.
 */
#ifndef VIRTIO_CONSOLE_H
#define VIRTIO_CONSOLE_H

#include <stdint.h>

#define VIRTIO_CONSOLE_IN 0
#define VIRTIO_CONSOLE_OUT 1

#define VIRTIO_CONSOLE_F_EMERG_WRITE 2	/* PCI only: emerg_wr prints one byte */

struct virtio_console_config {
	uint16_t cols, rows;
	uint32_t max_ports;
	uint32_t emerg_wr;
};

_Static_assert(sizeof(struct virtio_console_config) == 12, "12 bytes in F");

#endif
