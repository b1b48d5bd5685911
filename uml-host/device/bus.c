/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The devices of one guest, as a list in the order the guest finds them.  It
 * knows nothing of what a device does; it hands NOTIFYs to the one they name
 * and puts all of them to rest together.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/die.h"
#include "device/internal.h"

struct device_bus *bus_create(const struct bus_config *config)
{
	struct device_bus *bus = calloc(1, sizeof(*bus));

	if (!bus)
		die("out of memory");
	bus->config = *config;
	bus->form = DEVICE_FORM_E;
	if (!dev_ptr(&config->memory, config->ram_bytes, 2 * VIRTQ_ALIGN) ||
	    config->ram_bytes % VIRTQ_ALIGN)
		die("no room for the device page");
	bus->unblock_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bus->unblock_fd < 0)
		die_errno("cannot make an event descriptor");
	if (sched_getaffinity(0, sizeof(bus->cpus), &bus->cpus) != 0)
		die_errno("cannot tell which CPUs there are");
	return bus;
}

void bus_reset(struct device_bus *bus)
{
	unsigned int i;

	bus_set_form(bus, DEVICE_FORM_E);
	for (i = 0; i < bus->nr_devices; i++)
		atomic_store(&bus->device[i]->complained, false);
}

void bus_set_form(struct device_bus *bus, enum device_form form)
{
	bus->form = form;
	bus->page_used = false;
	page_build(bus);
	pci_build(bus);
}

void bus_quiesce(struct device_bus *bus)
{
	unsigned int i;

	for (i = 0; i < bus->nr_devices; i++)
		virtio_reset(bus->device[i]);
}

/*
 * Tour 200: NOTIFY is for devices: a ring in guest memory has something in it.  What
 * stands there is as hostile as the rest, and read once like the rest.
 */
/* ABI 8.3.  Z to B name a queue by its frame, later ones exactly.  The device, and
 * its queue, or NULL for its record; NULL if it is neither. */
static struct virtio_device *find(const struct device_bus *bus, uint32_t address,
				  struct virtqueue **queue)
{
	unsigned int i, j;

	*queue = NULL;
	if (address < bus->config.ram_bytes)
		return NULL;
	for (i = 0; i < bus->nr_devices; i++) {
		struct virtio_device *d = bus->device[i];

		if (!d->record)
			continue;
		if (d->record == address)
			return d;
		for (j = 0; j < d->nr_queues; j++) {
			if (d->queue[j].page / VIRTQ_ALIGN != address / VIRTQ_ALIGN)
				continue;
			*queue = &d->queue[j];
			return d;
		}
	}
	return NULL;
}

bool bus_notify(struct device_bus *bus, uint32_t address)
{
	struct virtqueue *q;
	struct virtio_device *d = find(bus, address, &q);

	if (!d)
		return false;
	bus->page_used = true;
	if (q)
		page_kick(q);
	else
		page_status(d);
	return true;
}

bool bus_name(const struct device_bus *bus, uint32_t address, char name[BUS_NAME])
{
	static const char *const queue_name[][2] = {
		[VIRTIO_ID_NET] = { "in", "out" }, [VIRTIO_ID_CONSOLE] = { "in", "out" },
	};
	struct virtqueue *q;
	const struct virtio_device *d = find(bus, address, &q);
	const char *what = q ? "requests" : "status";
	char nr[8] = "";

	if (!d)
		return false;
	if (q && d->type < sizeof(queue_name) / sizeof(queue_name[0]) && q->index < 2 &&
	    queue_name[d->type][q->index])
		what = queue_name[d->type][q->index];
	if (d->nr)
		snprintf(nr, sizeof(nr), " %u", d->nr);
	snprintf(name, BUS_NAME, "%.8s%s %s", d->ops->name, nr, what);
	return true;
}

void bus_unblock(struct device_bus *bus)
{
	const uint64_t one = 1;

	if (write(bus->unblock_fd, &one, sizeof(one)) < 0)
		return;
}

void bus_destroy(struct device_bus *bus)
{
	unsigned int i;

	bus_unblock(bus);
	for (i = 0; i < bus->nr_devices; i++)
		virtio_destroy(bus->device[i]);
	pci_free(bus);
	close(bus->unblock_fd);
	free(bus);
}
