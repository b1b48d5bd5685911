/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI bus of generation F: configuration mechanism #1, the configuration
 * space of each device, and which device a register address belongs to.  Bus 0
 * has a host bridge as device 0, the console as device 1 (early boot output
 * looks for it there), then the others in their order (ABI 8.6).
 */
#include <stdlib.h>

#include "base/die.h"
#include "device/internal.h"
#include "virtio/pci.h"

#define PAGE 4096u
#define GAP (1u << 20)		/* between RAM and the registers: spare pages */

#define PORT_ADDRESS 0xcf8
#define PORT_DATA 0xcfc
#define PORT_END 0xd00

#define CONFIG_BYTES 0x98u	/* of a device; behind it is nothing */
#define CAP_COMMON 0x40u	/* where its capabilities stand */
#define CAP_NOTIFY 0x50u
#define CAP_ISR 0x64u
#define CAP_DEVICE 0x74u
#define CAP_WINDOW 0x84u
#define WINDOW_BAR (CAP_WINDOW + 4)
#define WINDOW_OFFSET (CAP_WINDOW + 8)
#define WINDOW_LENGTH (CAP_WINDOW + 12)
#define WINDOW_DATA (CAP_WINDOW + 16)

/* --- building it ------------------------------------------------------------------ */

static uint32_t power_of_two(uint32_t n)
{
	uint32_t size = 1;

	while (size < n)
		size *= 2;
	return size;
}

static void place(struct device_bus *bus, struct virtio_device *d, unsigned int nr,
		  uint32_t *next)
{
	struct pci_function *f = d->pci;

	if (!f)
		f = calloc(1, sizeof(*f));
	if (!f)
		die("out of memory");
	d->pci = f;
	*f = (struct pci_function){ .device = d, .irq = nr };
	f->bar_size = power_of_two(pci_register_bytes(f));
	f->bar = (*next + f->bar_size - 1) & ~(f->bar_size - 1);
	f->bar_register = f->bar;
	*next = f->bar + f->bar_size;
	pci_registers_reset(f);
	bus->pci[nr] = f;
}

void pci_build(struct device_bus *bus)
{
	uint32_t next = bus_pci_start(bus);
	unsigned int i, nr = 1, first = 0;

	bus->pci_address = 0;
	for (i = 0; i < bus->nr_devices; i++)
		if (bus->device[i]->type == VIRTIO_ID_CONSOLE)
			first = i;
	if (bus->nr_devices)
		place(bus, bus->device[first], nr++, &next);
	for (i = 0; i < bus->nr_devices; i++)
		if (i != first)
			place(bus, bus->device[i], nr++, &next);
	bus->pci_end = (next + PAGE - 1) & ~(PAGE - 1);
}

void pci_free(struct device_bus *bus)
{
	unsigned int i;

	for (i = 0; i <= BUS_MAX_DEVICES; i++)
		free(bus->pci[i]);
}

uint32_t bus_pci_start(const struct device_bus *bus) { return bus->config.ram_bytes + GAP; }
uint32_t bus_pci_end(const struct device_bus *bus) { return bus->pci_end; }

/* Generations up to B have no driver for it, and who uses the page shall not
 * find every device twice. */
static bool is_visible(const struct device_bus *bus)
{
	return bus->form == DEVICE_FORM_E && !bus->page_used;
}

/* --- configuration space ------------------------------------------------------------- */

/* Class and subclass by kind. */
static uint32_t class_code(const struct virtio_device *d)
{
	switch (d->type) {
	case VIRTIO_ID_NET:
		return 0x02000000;
	case VIRTIO_ID_BLOCK:
		return 0x01800000;
	case VIRTIO_ID_CONSOLE:
		return 0x07000000;
	default:
		return 0xff000000;
	}
}

struct capability { uint8_t at, next, len, type; uint32_t offset, length; };

static const struct capability capabilities[] = {
	{ CAP_COMMON, CAP_NOTIFY, 16, VIRTIO_PCI_CAP_COMMON, PCI_COMMON, PCI_COMMON_BYTES },
	{ CAP_NOTIFY, CAP_ISR, 20, VIRTIO_PCI_CAP_NOTIFY, PCI_NOTIFY, 2 },
	{ CAP_ISR, CAP_WINDOW, 16, VIRTIO_PCI_CAP_ISR, PCI_ISR, 1 },
	{ CAP_DEVICE, 0, 16, VIRTIO_PCI_CAP_DEVICE, PCI_CONFIG, 0 },
};

/* A dword of the capability list; length 0 means as much as the device has. */
static uint32_t capability_dword(const struct pci_function *f, uint32_t offset)
{
	uint32_t config_len = f->device->config_len;
	size_t i;

	if (offset == CAP_WINDOW)
		return 9 | (config_len ? CAP_DEVICE << 8 : 0) | 20 << 16 |
		       VIRTIO_PCI_CAP_WINDOW << 24;
	for (i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++) {
		const struct capability *c = &capabilities[i];

		if (c->type == VIRTIO_PCI_CAP_DEVICE && !config_len)
			continue;
		if (offset == c->at)
			return 9u | (uint32_t)c->next << 8 | (uint32_t)c->len << 16 |
			       (uint32_t)c->type << 24;
		if (offset == c->at + 8u)
			return c->offset;
		if (offset == c->at + 12u)
			return c->length ? c->length : config_len;
	}
	return 0;
}

/* May the window be used as it is set?  virtio 1.0, 4.1.4.7. */
static bool window_opens(const struct pci_function *f)
{
	uint32_t n = f->window_length, at = f->window_offset;

	return !f->window_bar && (n == 1 || n == 2 || n == 4) && at % n == 0 &&
	       at < pci_register_bytes(f) && n <= pci_register_bytes(f) - at;
}

static uint32_t config_dword(struct pci_function *f, uint32_t offset)
{
	switch (offset) {
	case 0x00:
		return VIRTIO_PCI_VENDOR | (VIRTIO_PCI_DEVICE + (uint32_t)f->device->type) << 16;
	case 0x04:
		return 0x00100000;	/* it has a capability list */
	case 0x08:
		return class_code(f->device) | 1;
	case 0x0c:
		return f->cache_line;
	case 0x10:
		return f->bar_register;
	case 0x2c:
		return 0x00400000;
	case 0x34:
		return CAP_COMMON;
	case 0x3c:
		return f->irq;
	case WINDOW_BAR:
		return f->window_bar;
	case WINDOW_OFFSET:
		return f->window_offset;
	case WINDOW_LENGTH:
		return f->window_length;
	case WINDOW_DATA:
		return window_opens(f) ?
		       pci_register_read(f, f->window_offset, f->window_length) : 0;
	default:
		return capability_dword(f, offset);
	}
}

/* What can be written, whole dwords: everything else is settled. */
static void config_write_dword(struct pci_function *f, uint32_t offset, uint32_t value)
{
	switch (offset) {
	case 0x0c:
		f->cache_line = value & 0xffff;
		break;
	case 0x10:
		/* Sizing: low bits read 0.  The registers stay where they are. */
		f->bar_register = value & ~(f->bar_size - 1);
		break;
	case WINDOW_BAR:
		f->window_bar = value & 0xff;
		break;
	case WINDOW_OFFSET:
		f->window_offset = value;
		break;
	case WINDOW_LENGTH:
		f->window_length = value;
		break;
	default:
		break;
	}
}

static void config_write(struct pci_function *f, uint32_t offset, unsigned int shift,
			 uint32_t mask, uint32_t value)
{
	if (offset == WINDOW_DATA) {
		/* The bytes written are the access, whatever their place. */
		if (window_opens(f))
			pci_register_write(f, f->window_offset, f->window_length,
					   value & (uint32_t)((1ull << 8 * f->window_length) - 1));
		return;
	}
	config_write_dword(f, offset, (config_dword(f, offset) & ~(mask << shift)) |
				      (value & mask) << shift);
}

/* --- ports --------------------------------------------------------------------------------- */

static uint32_t width_mask(unsigned int width)
{
	return width == 4 ? UINT32_MAX : (1u << (8 * width)) - 1;
}

static bool is_width(unsigned int width)
{
	return width == 1 || width == 2 || width == 4;
}

/* Configuration space as the address register selects it: a dword, or none. */
static bool selected(const struct device_bus *bus, struct pci_function **f, uint32_t *offset)
{
	uint32_t a = bus->pci_address, nr = a >> 11 & 31;

	*offset = a & 0xfc;
	*f = nr <= BUS_MAX_DEVICES ? bus->pci[nr] : NULL;
	/* Enabled, bus 0, function 0, and something is there. */
	return a >> 31 && !(a >> 16 & 0xff) && !(a >> 8 & 7) && (!nr || *f) &&
	       *offset < CONFIG_BYTES;
}

static uint32_t read_data(struct device_bus *bus)
{
	struct pci_function *f;
	uint32_t offset;

	if (!selected(bus, &f, &offset))
		return UINT32_MAX;
	if (!f)
		return offset == 0x08 ? 0x06000000 : 0;	/* the host bridge */
	return config_dword(f, offset);
}

static bool is_port(const struct device_bus *bus, uint16_t port, unsigned int width)
{
	/* An access may not go over from the one register to the other. */
	return is_visible(bus) && is_width(width) && port >= PORT_ADDRESS &&
	       port + width <= PORT_END && (port & 3) + width <= 4;
}

bool bus_pci_in(struct device_bus *bus, uint16_t port, unsigned int width, uint32_t *value)
{
	uint32_t dword;

	if (!is_port(bus, port, width))
		return false;
	dword = port < PORT_DATA ? bus->pci_address : read_data(bus);
	*value = dword >> 8 * (port & 3) & width_mask(width);
	return true;
}

bool bus_pci_out(struct device_bus *bus, uint16_t port, unsigned int width, uint32_t value)
{
	unsigned int shift = 8 * (port & 3u);
	uint32_t mask = width_mask(width), offset;
	struct pci_function *f;

	if (!is_port(bus, port, width))
		return false;
	if (port < PORT_DATA)
		bus->pci_address = (bus->pci_address & ~(mask << shift)) |
				   (value & mask) << shift;
	else if (selected(bus, &f, &offset) && f)
		config_write(f, offset, shift, mask, value);
	return true;
}

/* --- registers ------------------------------------------------------------------------------- */

static struct pci_function *at_address(struct device_bus *bus, uint32_t address)
{
	unsigned int i;

	for (i = 0; i <= BUS_MAX_DEVICES && is_visible(bus); i++) {
		struct pci_function *f = bus->pci[i];

		if (f && address - f->bar < f->bar_size)
			return f;
	}
	return NULL;
}

bool bus_mmio_read(struct device_bus *bus, uint32_t address, unsigned int width,
		   uint32_t *value)
{
	struct pci_function *f = at_address(bus, address);

	if (!f || !is_width(width))
		return false;
	*value = pci_register_read(f, address - f->bar, width);
	return true;
}

bool bus_mmio_write(struct device_bus *bus, uint32_t address, unsigned int width,
		    uint32_t value)
{
	struct pci_function *f = at_address(bus, address);

	if (!f || !is_width(width))
		return false;
	pci_register_write(f, address - f->bar, width, value & width_mask(width));
	return true;
}
