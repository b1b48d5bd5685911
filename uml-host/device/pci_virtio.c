/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers of a virtio 1.0 device, as the guests of generation F drive
 * them: the second transport.  The original host stops a guest whose driver is
 * out of order; here such writes are ignored, and what cannot be ignored breaks
 * the device.
 */
#include <string.h>

#include "device/internal.h"
#include "virtio/pci.h"

uint32_t pci_register_bytes(const struct pci_function *f)
{
	return PCI_CONFIG + f->device->config_len;
}

void pci_registers_reset(struct pci_function *f)
{
	unsigned int i;

	f->device_select = f->driver_select = 0;
	f->driver_features = 0;
	f->queue_select = 0;
	atomic_store(&f->status, 0);
	atomic_store(&f->isr, 0);
	memset(f->queue, 0, sizeof(f->queue));
	for (i = 0; i < f->device->nr_queues; i++)
		f->queue[i].size = VQ_MAX_ENTRIES;
}

/* --- reading --------------------------------------------------------------------- */

static uint32_t half(uint64_t bits, uint32_t select)
{
	return select > 1 ? 0 : (uint32_t)(bits >> (32 * select));
}

/* All common registers as they read now: reading them changes nothing. */
static struct virtio_pci_common common(struct pci_function *f)
{
	const struct virtio_device *d = f->device;
	struct virtio_pci_common c = {
		.device_feature_select = f->device_select,
		.device_feature = half(virtio_offers(d), f->device_select),
		.driver_feature_select = f->driver_select,
		.driver_feature = half(f->driver_features, f->driver_select),
		.msix_config = VIRTIO_PCI_NO_VECTOR,
		.num_queues = d->nr_queues,
		.device_status = atomic_load(&f->status),
		.queue_select = f->queue_select,
		.queue_msix_vector = VIRTIO_PCI_NO_VECTOR,
	};

	if (f->queue_select < d->nr_queues) {
		unsigned int i = f->queue_select;

		c.queue_size = f->queue[i].size;
		c.queue_enable = f->queue[i].enabled;
		c.queue_desc_lo = (uint32_t)f->queue[i].desc;
		c.queue_desc_hi = (uint32_t)(f->queue[i].desc >> 32);
		c.queue_avail_lo = (uint32_t)f->queue[i].avail;
		c.queue_avail_hi = (uint32_t)(f->queue[i].avail >> 32);
		c.queue_used_lo = (uint32_t)f->queue[i].used;
		c.queue_used_hi = (uint32_t)(f->queue[i].used >> 32);
	}
	return c;
}

/* `width` bytes of `bytes` from offset on; what is behind the end as ones. */
static uint32_t part(const void *bytes, uint32_t len, uint32_t offset, unsigned int width)
{
	uint32_t value = UINT32_MAX;

	if (offset < len)
		memcpy(&value, (const char *)bytes + offset,
		       width < len - offset ? width : len - offset);
	return width == 4 ? value : value & ((1u << (8 * width)) - 1);
}

uint32_t pci_register_read(struct pci_function *f, uint32_t offset, unsigned int width)
{
	/* Features are those of this transport from the first look on. */
	pci_attach(f);
	if (offset < PCI_COMMON_BYTES) {
		struct virtio_pci_common c = common(f);

		return part(&c, sizeof(c), offset, width);
	}
	if (offset == PCI_ISR)
		return atomic_exchange(&f->isr, 0);
	if (offset >= PCI_CONFIG)
		return part(f->device->config, f->device->config_len, offset - PCI_CONFIG,
			    width);
	return part(NULL, 0, 0, width);
}

/* --- writing --------------------------------------------------------------------- */

static void write_features(struct pci_function *f, uint32_t value)
{
	uint64_t keep = f->driver_select ? UINT32_MAX : (uint64_t)UINT32_MAX << 32;

	/* virtio 1.0, 3.1.1: not once they are agreed on. */
	if (f->driver_select > 1 || atomic_load(&f->status) & VIRTIO_STATUS_FEATURES_OK)
		return;
	f->driver_features = (f->driver_features & keep) |
			     (uint64_t)value << (32 * f->driver_select);
}

/* Which of the bits the driver adds it may have. */
static uint8_t agree(struct pci_function *f, uint8_t status)
{
	struct virtio_device *d = f->device;

	if (!(status & VIRTIO_STATUS_FEATURES_OK) ||
	    atomic_load(&f->status) & VIRTIO_STATUS_FEATURES_OK)
		return status;
	/* virtio 1.0, 2.2.2 and 6.3: nothing that was not offered, and version 1. */
	if (f->driver_features & ~virtio_offers(d) ||
	    !(f->driver_features & VIRTIO_FEATURE(VIRTIO_F_VERSION_1)))
		return status & (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
	virtio_agree(d, f->driver_features);
	return status;
}

static void write_status(struct pci_function *f, uint8_t status)
{
	struct virtio_device *d = f->device;

	if (!status || status & VIRTIO_STATUS_FAILED) {
		if (status)
			virtio_complain(d, "gave up");
		d->failed = status;
		virtio_reset(d);
		atomic_store(&f->status, status);
		return;
	}
	d->failed = false;
	status = agree(f, status);
	/* The device's own bit is not the driver's to clear. */
	atomic_store(&f->status, status | (atomic_load(&d->broken) ?
					   VIRTIO_STATUS_NEEDS_RESET : 0));
	if (status & VIRTIO_STATUS_DRIVER_OK)
		virtio_live(d);
}

static void enable_queue(struct pci_function *f, unsigned int i)
{
	struct virtio_device *d = f->device;
	bool placed;

	virtio_lock(d);
	placed = vq_place(&d->queue[i], f->queue[i].size, f->queue[i].desc,
			  f->queue[i].avail, f->queue[i].used);
	if (!placed)
		virtio_broken(d, "puts queue %u where no ring can be", i);
	virtio_unlock(d);
	f->queue[i].enabled = placed;
}

static void set_low(uint64_t *to, uint32_t value)
{
	*to = (*to & ~(uint64_t)UINT32_MAX) | value;
}

static void set_high(uint64_t *to, uint32_t value)
{
	*to = (*to & UINT32_MAX) | (uint64_t)value << 32;
}

/* Registers of the selected queue. */
static void write_queue(struct pci_function *f, uint32_t offset, uint32_t value)
{
	unsigned int i = f->queue_select;

	/* None there, or in use: its place is settled. */
	if (i >= f->device->nr_queues || f->queue[i].enabled)
		return;
	switch (offset) {
	case offsetof(struct virtio_pci_common, queue_size):
		f->queue[i].size = (uint16_t)value;
		break;
	case offsetof(struct virtio_pci_common, queue_enable):
		if (value == 1)
			enable_queue(f, i);
		break;
	case offsetof(struct virtio_pci_common, queue_desc_lo):
		set_low(&f->queue[i].desc, value);
		break;
	case offsetof(struct virtio_pci_common, queue_desc_hi):
		set_high(&f->queue[i].desc, value);
		break;
	case offsetof(struct virtio_pci_common, queue_avail_lo):
		set_low(&f->queue[i].avail, value);
		break;
	case offsetof(struct virtio_pci_common, queue_avail_hi):
		set_high(&f->queue[i].avail, value);
		break;
	case offsetof(struct virtio_pci_common, queue_used_lo):
		set_low(&f->queue[i].used, value);
		break;
	case offsetof(struct virtio_pci_common, queue_used_hi):
		set_high(&f->queue[i].used, value);
		break;
	default:
		break;
	}
}

/* A register is written whole or not at all: its width by its offset. */
static unsigned int register_width(uint32_t offset)
{
	if (offset == offsetof(struct virtio_pci_common, device_status))
		return 1;
	if (offset >= offsetof(struct virtio_pci_common, msix_config) &&
	    offset < offsetof(struct virtio_pci_common, queue_desc_lo))
		return 2;
	return 4;
}

static void write_common(struct pci_function *f, uint32_t offset, uint32_t value)
{
	switch (offset) {
	case offsetof(struct virtio_pci_common, device_feature_select):
		f->device_select = value;
		break;
	case offsetof(struct virtio_pci_common, driver_feature_select):
		f->driver_select = value;
		break;
	case offsetof(struct virtio_pci_common, driver_feature):
		write_features(f, value);
		break;
	case offsetof(struct virtio_pci_common, device_status):
		write_status(f, (uint8_t)value);
		break;
	case offsetof(struct virtio_pci_common, queue_select):
		f->queue_select = (uint16_t)value;
		break;
	default:
		write_queue(f, offset, value);
		break;
	}
}

/* The queue is named by the value: the multiplier is 0 (ABI 8.6). */
static void notify(struct pci_function *f, uint32_t queue)
{
	if (queue < f->device->nr_queues &&
	    atomic_load(&f->status) & VIRTIO_STATUS_DRIVER_OK)
		virtio_kick(&f->device->queue[queue]);
}

void pci_register_write(struct pci_function *f, uint32_t offset, unsigned int width,
			uint32_t value)
{
	struct virtio_device *d = f->device;

	pci_attach(f);
	if (offset < PCI_COMMON_BYTES) {
		if (width == register_width(offset))
			write_common(f, offset, value);
		else
			virtio_complain(d, "writes %u bytes at register %u", width, offset);
	} else if (offset == PCI_NOTIFY) {
		notify(f, value & 0xffff);
	} else if (offset >= PCI_CONFIG && d->ops->configure) {
		d->ops->configure(d, offset - PCI_CONFIG, width, value);
	}
}

/* --- the transport ------------------------------------------------------------------- */

static void raise(struct pci_function *f, uint8_t why)
{
	const struct bus_config *config = &f->device->bus->config;

	atomic_fetch_or(&f->isr, why);
	config->raise_irq(config->context, f->irq);
}

static void pci_interrupt(struct virtqueue *q)
{
	raise(q->device->pci, VIRTIO_PCI_ISR_QUEUE);
}

/* virtio 1.0, 2.1.2: says so, if anybody can hear it. */
static void pci_broken(struct virtio_device *d)
{
	uint8_t before = atomic_fetch_or(&d->pci->status, VIRTIO_STATUS_NEEDS_RESET);

	if (before & VIRTIO_STATUS_DRIVER_OK)
		raise(d->pci, VIRTIO_PCI_ISR_CONFIG);
}

/* Rings are the guest's own memory: forgotten, not cleared. */
static void pci_reset(struct virtio_device *d)
{
	unsigned int i;

	for (i = 0; i < d->nr_queues; i++)
		d->queue[i].desc = NULL;
	pci_registers_reset(d->pci);
}

const struct virtio_transport pci_transport = {
	.interrupt = pci_interrupt,
	.broken = pci_broken,
	.reset = pci_reset,
	.modern = true,
};

void pci_attach(struct pci_function *f)
{
	struct virtio_device *d = f->device;

	if (d->transport == &pci_transport)
		return;
	virtio_reset(d);
	virtio_lock(d);
	d->transport = &pci_transport;
	d->form = DEVICE_FORM_E;
	virtio_unlock(d);
	virtio_reset(d);
}
