/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI configuration space.  A port instruction faults, and the host plays the
 * bus; so nothing here needs a device to be found first.
 */
#include <guest-rt/pci.h>
#include <virtio/pci.h>

#define PORT_ADDRESS 0xcf8u
#define PORT_DATA 0xcfcu
#define ENABLE 0x80000000u

#define CAP_VENDOR 9u
/* A list is at most as long as there is room for; a longer one goes in circles. */
#define CAPS_MAX 48u

static uint16_t select(unsigned int slot, unsigned int offset)
{
	uint32_t address = ENABLE | slot << 11 | (offset & 0xfc);

	__asm__ volatile("outl %0, %w1" : : "a"(address), "d"(PORT_ADDRESS));
	return (uint16_t)(PORT_DATA + (offset & 3));
}

uint32_t pci_read(unsigned int slot, unsigned int offset, unsigned int width)
{
	uint16_t port = select(slot, offset);
	uint32_t value = 0;

	if (width == 1)
		__asm__ volatile("inb %w1, %b0" : "+a"(value) : "d"(port));
	else if (width == 2)
		__asm__ volatile("inw %w1, %w0" : "+a"(value) : "d"(port));
	else
		__asm__ volatile("inl %w1, %0" : "=a"(value) : "d"(port));
	return value;
}

void pci_write(unsigned int slot, unsigned int offset, unsigned int width, uint32_t value)
{
	uint16_t port = select(slot, offset);

	if (width == 1)
		__asm__ volatile("outb %b0, %w1" : : "a"(value), "d"(port));
	else if (width == 2)
		__asm__ volatile("outw %w0, %w1" : : "a"(value), "d"(port));
	else
		__asm__ volatile("outl %0, %w1" : : "a"(value), "d"(port));
}

unsigned int pci_virtio_capability(unsigned int slot, unsigned int type)
{
	unsigned int at, n;

	if (!(pci_read(slot, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES))
		return 0;
	at = pci_read(slot, PCI_CAPABILITIES, 1) & 0xfc;
	for (n = 0; at && n < CAPS_MAX; n++) {
		uint32_t head = pci_read(slot, at, 4);

		if ((head & 0xff) == CAP_VENDOR && head >> 24 == type)
			return at;
		at = head >> 8 & 0xfc;
	}
	return 0;
}
