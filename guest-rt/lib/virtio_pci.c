/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio 1.0 over PCI: parts found by the capabilities of the device, registers
 * in the first BAR, rings in memory of ours, one interrupt for the device.
 */
#include <guest-rt/pci.h>
#include <guest-rt/virtio.h>
#include <virtio/pci.h>

#define RINGS 8u	/* of all devices together */

static uint8_t ring_memory[RINGS][3 * 4096] __attribute__((aligned(4096)));
static unsigned int rings_taken;

#define COMMON(d, field) ((d)->common + offsetof(struct virtio_pci_common, field))

/* --- registers: each as wide as it is ------------------------------------------------ */

static uint32_t read8(uint32_t at) { return *(volatile uint8_t *)at; }
static uint32_t read16(uint32_t at) { return *(volatile uint16_t *)at; }
static uint32_t read32(uint32_t at) { return *(volatile uint32_t *)at; }
static void write8(uint32_t at, uint32_t value) { *(volatile uint8_t *)at = (uint8_t)value; }
static void write16(uint32_t at, uint32_t value) { *(volatile uint16_t *)at = (uint16_t)value; }
static void write32(uint32_t at, uint32_t value) { *(volatile uint32_t *)at = value; }

/* --- finding it ------------------------------------------------------------------------ */

/* As a kernel does: all ones tell the size, then the address goes back. */
static uint32_t bar_address(unsigned int slot)
{
	uint32_t bar = pci_read(slot, PCI_BAR0, 4), size;

	pci_write(slot, PCI_BAR0, 4, UINT32_MAX);
	size = -(pci_read(slot, PCI_BAR0, 4) & ~0xfu);
	pci_write(slot, PCI_BAR0, 4, bar);
	CHECK(!(bar & 0xf) && size >= sizeof(struct virtio_pci_common) && !(bar & (size - 1)) &&
	      !(size & (size - 1)) && pci_read(slot, PCI_BAR0, 4) == bar);
	return bar;
}

static uint32_t part(struct virtio_device *d, unsigned int type, uint32_t bar)
{
	unsigned int at = pci_virtio_capability(d->slot, type);

	CHECK(!at || pci_read(d->slot, at + 4, 1) == 0);
	return at ? bar + pci_read(d->slot, at + 8, 4) : 0;
}

static bool find(struct virtio_device *d, unsigned int nth)
{
	uint32_t id = VIRTIO_PCI_VENDOR | (VIRTIO_PCI_DEVICE + d->type) << 16, bar;

	for (d->slot = 0; d->slot < PCI_SLOTS; d->slot++)
		if (pci_read(d->slot, PCI_ID, 4) == id && !nth--)
			break;
	if (d->slot == PCI_SLOTS)
		return false;
	pci_write(d->slot, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	bar = bar_address(d->slot);
	d->common = part(d, VIRTIO_PCI_CAP_COMMON, bar);
	d->notify = part(d, VIRTIO_PCI_CAP_NOTIFY, bar);
	d->isr = part(d, VIRTIO_PCI_CAP_ISR, bar);
	d->config = part(d, VIRTIO_PCI_CAP_DEVICE, bar);
	CHECK(d->common && d->notify && d->isr);
	return true;
}

/* --- driving it -------------------------------------------------------------------------- */

static uint8_t status(struct virtio_device *d)
{
	return (uint8_t)read8(COMMON(d, device_status));
}

static void set_status(struct virtio_device *d, uint8_t value)
{
	write8(COMMON(d, device_status), value);
}

static uint64_t offered(struct virtio_device *d)
{
	uint64_t bits;

	write32(COMMON(d, device_feature_select), 1);
	bits = (uint64_t)read32(COMMON(d, device_feature)) << 32;
	write32(COMMON(d, device_feature_select), 0);
	bits |= read32(COMMON(d, device_feature));
	CHECK(bits & VIRTIO_FEATURE(VIRTIO_F_VERSION_1));
	return bits;
}

static void accept(struct virtio_device *d)
{
	d->accepted |= VIRTIO_FEATURE(VIRTIO_F_VERSION_1);
	write32(COMMON(d, driver_feature_select), 0);
	write32(COMMON(d, driver_feature), (uint32_t)d->accepted);
	write32(COMMON(d, driver_feature_select), 1);
	write32(COMMON(d, driver_feature), (uint32_t)(d->accepted >> 32));
}

/* Its memory stays the queue's: a driver may start again and again. */
static void place(struct virtio_queue *q)
{
	uint8_t *ring = (uint8_t *)(uintptr_t)q->desc;

	if (!ring) {
		CHECK(rings_taken < RINGS);
		ring = ring_memory[rings_taken++];
	}
	memset(ring, 0, sizeof(ring_memory[0]));
	q->desc = (void *)ring;
	q->avail = (void *)(ring + virtq_avail_offset(q->num));
	q->used = (void *)(ring + virtq_used_offset(q->num));
}

static void write_address(uint32_t lo, const volatile void *p)
{
	write32(lo, guest_pa(p));
	write32(lo + 4, 0);
}

static bool open_queue(struct virtio_device *d, struct virtio_queue *q)
{
	write16(COMMON(d, queue_select), q->index);
	q->num = read16(COMMON(d, queue_size));
	if (q->index >= read16(COMMON(d, num_queues)) || !q->num)
		return false;
	CHECK(!read16(COMMON(d, queue_enable)));
	q->irq = pci_read(d->slot, PCI_INTERRUPT_LINE, 1);
	place(q);
	write_address(COMMON(d, queue_desc_lo), q->desc);
	write_address(COMMON(d, queue_avail_lo), q->avail);
	write_address(COMMON(d, queue_used_lo), q->used);
	write16(COMMON(d, queue_enable), 1);
	return true;
}

/* All queues have the same address to be notified at: the multiplier is 0. */
static void kick(struct virtio_queue *q)
{
	write16(q->device->notify, q->index);
}

static void read_config(struct virtio_device *d, unsigned int offset, void *to, size_t n)
{
	uint8_t *byte = to;

	CHECK(d->config);
	while (n--)
		*byte++ = (uint8_t)read8(d->config + offset++);
}

/* Reading tells why and makes it quiet. */
static bool interrupted(struct virtio_device *d)
{
	return read8(d->isr) & VIRTIO_PCI_ISR_QUEUE;
}

const struct virtio_transport virtio_pci = {
	.name = "PCI", .modern = true, .find = find, .status = status,
	.set_status = set_status, .offered = offered, .accept = accept,
	.open_queue = open_queue, .kick = kick, .read_config = read_config,
	.interrupted = interrupted,
};
