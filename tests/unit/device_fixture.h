/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's driver, as far as devices can tell: memory with a bus in it, rings
 * filled from here, interrupts waited for with a deadline.
 */
#ifndef DEVICE_FIXTURE_H
#define DEVICE_FIXTURE_H

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "device/internal.h"
#include "lguest/device.h"

#define RIG_RAM (1u << 20)
#define RIG_BYTES (2u << 20)
#define RIG_PAGES (RIG_BYTES / 4096)
#define RIG_DEADLINE_S 20

struct rig {
	uint8_t *memory;
	uint32_t guards[RIG_PAGES];	/* 0: a device has written that page */
	struct device_bus *bus;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int irqs[32];		/* how often each was raised */
	unsigned int complaints;
	char complaint[256];
	bool quit;
	uint32_t heap;			/* next free guest-physical byte */
};

/* A bus without devices yet; then rig_start once they are added. */
void rig_open(struct rig *r);
void rig_start(struct rig *r, enum device_form form);
void rig_close(struct rig *r);

/* `len` bytes of guest RAM, zeroed, at 64 byte steps; and where that is. */
uint32_t rig_alloc(struct rig *r, uint32_t len);
void *rig_at(struct rig *r, uint32_t address);

unsigned int rig_irqs(struct rig *r, unsigned int irq);
/* Waits until irq was raised more than `before` times. */
void rig_await_irq(struct rig *r, unsigned int irq, unsigned int before);
void rig_await_complaint(struct rig *r);
/* Something the test waits for has changed. */
void rig_changed(struct rig *r);
void rig_await(struct rig *r, bool (*done)(void *arg), void *arg, const char *what);

/* The nth record of the page, form B or E; NULL: there is none. */
struct lguest_device *rig_record(struct rig *r, unsigned int nth);
uint32_t rig_record_address(struct rig *r, unsigned int nth);
/* Writes a status and notifies, as Z' to C do. */
void rig_status(struct rig *r, unsigned int nth, uint8_t status);
/* Reset to DRIVER_OK, accepting `features`. */
void rig_probe(struct rig *r, unsigned int nth, uint32_t features);

struct driver_queue {
	struct rig *rig;
	uint32_t address;	/* of the ring */
	uint16_t num, irq;
	struct virtq_desc *desc;
	struct virtq_avail *avail;
	struct virtq_used *used;
	uint16_t next_desc;	/* descriptors are taken in a circle */
	uint16_t avail_idx, seen;
	unsigned int irqs_before;
};

struct driver_queue rig_queue(struct rig *r, unsigned int nth, unsigned int queue);

/* A piece of a chain to be. */
struct piece {
	uint32_t address, len;
	bool write;
};

/* Puts a chain in; returns its head.  No kick. */
uint16_t driver_add(struct driver_queue *q, const struct piece *pieces, unsigned int n);
/* Makes `head` available, whatever it is. */
void driver_offer(struct driver_queue *q, uint16_t head);
void driver_kick(struct driver_queue *q);
/* Has the device used one more? */
bool driver_has_used(struct driver_queue *q);
/* Waits for it; with no interrupt wanted, too. */
struct virtq_used_elem driver_wait(struct driver_queue *q);

/* A temporary file of `bytes`; gone when the test ends or makes another. */
const char *temporary_file(size_t bytes);

#endif
