/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of this room share, and its map from within: memory and rings,
 * the virtio core, the two transports.  Nothing outside uml-host/device and its
 * unit tests includes this.
 *
 * Threads.  A queue belongs to one thread: its own, or the vCPU's.  Whoever
 * looks at a queue's ring, or at guest memory its chains name, holds that
 * queue's lock; who changes what all queues share (reset, features, form) holds
 * the locks of all of them, taken in order.  A lock is held for one request at
 * a time, so a reset waits for at most one.  Nobody waits for a descriptor with
 * a lock held, except console output, which the guest waits for anyway.
 */
#ifndef DEVICE_INTERNAL_H
#define DEVICE_INTERNAL_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "device/device.h"
#include "virtio/ring.h"
#include "virtio/virtio.h"

struct virtio_device;
struct pci_function;

/* --- memory.c: the one door to guest memory ---------------------------------- */

/* len bytes at guest-physical `address`, or NULL if any of them is beyond. */
void *dev_ptr(const struct device_memory *memory, uint64_t address, uint64_t len);
/* What dev_ptr gave has been written.  Said before the guest is told. */
void dev_written(const struct device_memory *memory, const void *p, size_t len);
void dev_iov_written(const struct device_memory *memory, const struct iovec *iov, unsigned int n);

/* --- iov.c: bytes scattered over a list ---------------------------------------- */

size_t iov_bytes(const struct iovec *iov, unsigned int n);
/* Copies up to len bytes out of, or into, the list from byte `skip` on; returns
 * how many. */
size_t iov_read(const struct iovec *iov, unsigned int n, size_t skip, void *to,
		size_t len);
size_t iov_write(const struct iovec *iov, unsigned int n, size_t skip,
		 const void *from, size_t len);
/* The part of the list from byte `skip` on, at most `len` bytes, into `part`
 * (room for n); returns how many pieces. */
unsigned int iov_part(const struct iovec *iov, unsigned int n, size_t skip,
		      size_t len, struct iovec *part);

/* --- virtqueue.c: a ring --------------------------------------------------------- */

#define VQ_MAX_ENTRIES 256u
#define VQ_MAX_SEGMENTS 256u	/* of one chain, whatever tables it uses */

struct vq_chain {
	uint16_t head;
	unsigned int nr_out, nr_in;	/* pieces the device reads, then writes */
	size_t out_bytes, in_bytes;
	struct iovec iov[VQ_MAX_SEGMENTS];	/* none of them is empty */
};

static inline struct iovec *chain_in(struct vq_chain *c) { return c->iov + c->nr_out; }

struct virtqueue {
	struct virtio_device *device;
	unsigned int index;
	unsigned int irq;	/* of the bus page */
	uint32_t page;		/* where the bus page puts it, guest-physical */
	bool silent;		/* no guest has a use for its interrupt */
	bool threaded;		/* has a thread; else served in the kick */

	/* Where the transport put it; NULL: nowhere yet. */
	uint16_t num;
	struct virtq_desc *desc;
	struct virtq_avail *avail;
	struct virtq_used *used;

	/* Set by the vCPU thread, by a kick without the lock. */
	atomic_bool live;

	pthread_mutex_t lock;
	/* Under it: */
	uint16_t next_avail, next_used;	/* free running, ours alone */
	uint16_t popped;	/* chains taken and not given back; the last is below */
	uint16_t filled;	/* of them, how many stand in the used ring, unpublished */
	bool unsignalled;	/* used entries the guest was not told of */
	uint64_t unsignalled_ns;/* since when */
	struct vq_chain chain;

	/* Its thread. */
	pthread_t thread;
	int kick_fd;		/* eventfd */
	atomic_bool stop;
	bool starved;		/* the ring was empty when last looked at */
};

/* Places the tables.  False, and unplaced, if num is no power of two up to
 * VQ_MAX_ENTRIES, or a table is misaligned or beyond memory. */
bool vq_place(struct virtqueue *q, uint32_t num, uint64_t desc, uint64_t avail,
	      uint64_t used);
/* Forgets positions. */
void vq_forget(struct virtqueue *q);
/* Takes the next chain into q->chain.  False: none there, or the driver broke
 * the rules and the device is broken now. */
bool vq_pop(struct virtqueue *q);
/* Puts all back as if never taken. */
void vq_unpop(struct virtqueue *q);
/* Gives the chain back, with len bytes written into it; but the guest sees it,
 * and others before it, only with the vq_push of one more. */
void vq_fill(struct virtqueue *q, uint32_t len);
/* Gives it back; the device wrote len bytes into it. */
void vq_push(struct virtqueue *q, uint32_t len);
/* Interrupts for what was pushed since, if the guest wants to know. */
void vq_signal(struct virtqueue *q);
/* Kicks not needed, while somebody looks at the ring anyway. */
void vq_notify_off(struct virtqueue *q);
/* Kicks needed again.  True: the guest has added something meanwhile, look. */
bool vq_notify_on(struct virtqueue *q);

/* --- virtio.c: what all devices share --------------------------------------------- */

#define VIRTIO_MAX_QUEUES 2u
#define VIRTIO_MAX_CONFIG 36u

#define HANDLE_LATER (-1)	/* not now: the chain goes back */
#define HANDLE_MORE (-2)	/* not before the guest has added one more: vq_notify_on said no */

/* What a queue's thread waits for beside kicks. */
struct queue_wait {
	int fd;			/* -1: nothing */
	short events;
	int timeout_ms;		/* -1: for ever */
};

/* A kind of device.  All but handle and destroy may be NULL. */
struct virtio_ops {
	const char *name;
	/* Kicks before DRIVER_OK mean nothing yet: what was agreed on decides how
	 * buffers look, and generations up to B tell that after their probe. */
	bool patient;
	/* One chain, under the lock: bytes written into it, or HANDLE_…. */
	int64_t (*handle)(struct virtqueue *q, struct vq_chain *c);
	/* In the queue's thread, without the lock. */
	struct queue_wait (*wait)(struct virtqueue *q);
	void (*gather)(struct virtqueue *q, short revents);
	/* The driver has agreed to d->accepted; all locks held. */
	void (*agreed)(struct virtio_device *d);
	/* The guest writes into its configuration; the vCPU thread. */
	void (*configure)(struct virtio_device *d, unsigned int offset,
			  unsigned int width, uint32_t value);
	/* Threads are gone. */
	void (*destroy)(struct virtio_device *d);
};

/* How a guest knows of a device. */
struct virtio_transport {
	/* A queue has used entries; under its lock, in any thread. */
	void (*interrupt)(struct virtqueue *q);
	/* The device gave up; under a queue's lock, in any thread. */
	void (*broken)(struct virtio_device *d);
	/* Rings and features of a device back to the start; all locks held. */
	void (*reset)(struct virtio_device *d);
	bool modern;		/* virtio 1.0 */
};

struct virtio_device {
	struct device_bus *bus;
	const struct virtio_ops *ops;
	const struct virtio_transport *transport;
	uint8_t type;		/* VIRTIO_ID_* */
	uint8_t nr;		/* which one of its kind, from 0 */
	uint8_t nr_queues;
	/* Device configuration: on PCI all of it, on the page the first bytes. */
	uint8_t config_len, page_config_len;
	uint8_t config[VIRTIO_MAX_CONFIG];
	uint64_t offered;	/* by the back end, in any form */
	uint64_t legacy;	/* of these, what virtio 1.0 has no more */
	/* Under all locks: */
	enum device_form form;
	uint64_t accepted;
	/* The vCPU thread's alone: the driver said FAILED. */
	bool failed;
	atomic_bool broken;	/* until reset */
	atomic_bool complained;	/* until power on */
	struct virtqueue queue[VIRTIO_MAX_QUEUES];
	/* page.c: guest-physical addresses in the device page, 0: not there. */
	uint32_t record, accepted_at;
	struct pci_function *pci;	/* pci.c: its registers */
};

/* Fills in a device of a kind and hangs it into the bus.  The caller sets
 * config, offered and queue properties, then starts its threads. */
void virtio_init(struct virtio_device *d, struct device_bus *bus,
		 const struct virtio_ops *ops, uint8_t type, uint8_t nr_queues);
void virtio_start_threads(struct virtio_device *d);
/* Ends its threads and the device. */
void virtio_destroy(struct virtio_device *d);

void virtio_lock(struct virtio_device *d);	/* all queues */
void virtio_unlock(struct virtio_device *d);

/* From the vCPU thread: */
void virtio_reset(struct virtio_device *d);
void virtio_agree(struct virtio_device *d, uint64_t accepted);
void virtio_live(struct virtio_device *d);	/* all placed queues are looked at */
void virtio_kick(struct virtqueue *q);

/* "the guest's driver of X N …": to the user, unless he had one already. */
void virtio_complain(struct virtio_device *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The same, and the device is broken: the driver did what none may do.  Under a
 * queue's lock. */
void virtio_broken(struct virtio_device *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The features a driver may accept, as the transport and form have it. */
uint64_t virtio_offers(const struct virtio_device *d);

uint64_t device_now_ns(void);	/* CLOCK_MONOTONIC */

/* --- bus.c ---------------------------------------------------------------------------- */

#define BUS_MAX_DEVICES 31u	/* 31 IRQs, and as many PCI devices */
#define BUS_MAX_IRQ 31u

struct device_bus {
	struct bus_config config;
	struct virtio_device *device[BUS_MAX_DEVICES];
	unsigned int nr_devices;
	enum device_form form;
	bool page_used;		/* the guest knows the page: no PCI bus for it */
	cpu_set_t cpus;		/* for threads */
	int unblock_fd;		/* eventfd: console output shall not wait */
	uint32_t pci_address;	/* what port 0xCF8 holds */
	uint32_t pci_end;	/* behind the last register */
	struct pci_function *pci[BUS_MAX_DEVICES + 1];	/* by device number; 0: the bridge */
};

/* --- page.c: the lguest bus page -------------------------------------------------------- */

extern const struct virtio_transport page_transport;

/* Writes the page in the bus's form, places all rings there. */
void page_build(struct device_bus *bus);
/* Whether all the devices fit in; NULL or what does not. */
const char *page_misfit(const struct device_bus *bus);
/* The driver wrote its status and notified. */
void page_status(struct virtio_device *d);
/* It notified a queue. */
void page_kick(struct virtqueue *q);
/* The guest uses a device by the page that it used by PCI before. */
void page_attach(struct virtio_device *d);

/* --- pci.c: finding devices on the PCI bus -------------------------------------------------- */

/* Numbers the devices and places their registers; nobody has used them yet. */
void pci_build(struct device_bus *bus);
void pci_free(struct device_bus *bus);

/* --- pci_virtio.c: the registers of a device, virtio 1.0 ------------------------------------- */

extern const struct virtio_transport pci_transport;

#define PCI_COMMON 0u		/* offsets of its parts in BAR 0 */
#define PCI_COMMON_BYTES 56u
#define PCI_NOTIFY 56u
#define PCI_ISR 58u
#define PCI_CONFIG 60u

struct pci_function {
	struct virtio_device *device;
	unsigned int irq;
	uint32_t bar, bar_size;	/* where registers are; a power of two */
	/* Configuration space, as far as it can be written. */
	uint32_t bar_register, cache_line;
	uint32_t window_bar, window_offset, window_length;
	/* Registers. */
	uint32_t device_select, driver_select;
	uint64_t driver_features;
	uint16_t queue_select;
	_Atomic uint8_t status;	/* NEEDS_RESET may come from a thread */
	_Atomic uint8_t isr;
	struct {
		uint16_t size, enabled;
		uint64_t desc, avail, used;
	} queue[VIRTIO_MAX_QUEUES];
};

/* Bytes of registers that mean something. */
uint32_t pci_register_bytes(const struct pci_function *f);
/* Any width of 1, 2 or 4 at any offset; what is no register reads as ones. */
uint32_t pci_register_read(struct pci_function *f, uint32_t offset, unsigned int width);
void pci_register_write(struct pci_function *f, uint32_t offset, unsigned int width,
			uint32_t value);
/* As after power on. */
void pci_registers_reset(struct pci_function *f);
/* The guest touched a register: the device is on this transport from now on. */
void pci_attach(struct pci_function *f);

#endif
