/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI bus of generation F: configuration space through the ports of
 * mechanism #1.  Bus 0, function 0.
 */
#ifndef GUEST_RT_PCI_H
#define GUEST_RT_PCI_H

#include <guest-rt/guest.h>

#define PCI_ID 0x00u		/* vendor, device << 16 */
#define PCI_COMMAND 0x04u
#define PCI_COMMAND_MEMORY 2u
#define PCI_COMMAND_MASTER 4u
#define PCI_STATUS 0x06u
#define PCI_STATUS_CAPABILITIES 0x10u
#define PCI_BAR0 0x10u
#define PCI_CAPABILITIES 0x34u
#define PCI_INTERRUPT_LINE 0x3cu

#define PCI_SLOTS 32u

/* `width` is 1, 2 or 4 bytes, `offset` a multiple of it. */
uint32_t pci_read(unsigned int slot, unsigned int offset, unsigned int width);
void pci_write(unsigned int slot, unsigned int offset, unsigned int width, uint32_t value);
/* Where the virtio capability of a kind stands in configuration space; 0: none. */
unsigned int pci_virtio_capability(unsigned int slot, unsigned int type);

#endif
