/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest talks to, and the map of this room for the others.
 *
 * One virtio core serves every device; how a guest finds a device and tells it
 * something is the business of a transport.  The lguest bus page is one, the
 * PCI bus of the youngest guests the other; the devices are the same.
 *
 * Devices work in threads of their own, except that console output is done
 * before a NOTIFY returns: guests up to 2.6.30 spin until it is (ABI 11.9).
 *
 * Everything a guest writes into rings, records and registers is hostile.  A
 * driver that breaks the rules gets a device that stands still until it is
 * reset, and the user one line about it; it is never our crash, and never work
 * without bound.
 */
#ifndef DEVICE_DEVICE_H
#define DEVICE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <termios.h>

/* Guest memory as devices see it: guest-physical 0 to `bytes`, RAM and the
 * spare pages above it.  Only memory.c turns an address into a pointer. */
struct device_memory {
	uint8_t *base;		/* page-aligned */
	uint32_t bytes;
	/* A word for each page, which becomes 0 when a device has written there, before
	 * the guest can know.  NULL: nobody wants to be told. */
	uint32_t *guards;
};

/* How a generation of guests talks to its devices. */
enum device_form {
	DEVICE_FORM_Z,	/* Z: old records, 128 entries, no features, headers 8/24 */
	DEVICE_FORM_B,	/* Z', A, S, B: new records; interrupts when nothing is left */
	DEVICE_FORM_E,	/* C, D, E, F, and whoever is not known */
};

struct bus_config {
	struct device_memory memory;
	uint32_t ram_bytes;	/* the device page is here, rings above it */
	/* Makes virtual IRQ `irq` pending.  Called from any thread, also from
	 * inside bus_notify; must not call back into the bus. */
	void (*raise_irq)(void *context, unsigned int irq);
	/* One line, without newline, about a driver that broke the rules, at
	 * most one per device and boot, from any thread.  NULL: warn(). */
	void (*complain)(void *context, const char *line);
	void *context;
};

struct device_bus;

/* --- bus.c: the devices of one guest ----------------------------------------- */

/* Threads get the CPUs the caller may use now: call it before the engine pins
 * the vCPU thread.  Dies if there is no memory. */
struct device_bus *bus_create(const struct bus_config *config);

/*
 * The order of adding is the order the guest finds them in, and of their IRQs
 * from 1 upward, one per queue (on PCI one per device, the console's first);
 * the console is added last.  All of them die() or end as a usage_error() with
 * one clear line if the thing cannot be had.
 */

struct console_config {
	int in_fd, out_fd;	/* not closed by the bus; in_fd -1: no input */
	bool escapes;		/* Ctrl-a x and its friends mean something */
	/* The user wants to leave.  Called in the input thread; must not
	 * destroy the bus, but may call bus_unblock. */
	void (*quit)(void *context);
	/* Ctrl-a h.  NULL: terminal_help on stderr. */
	void (*help)(void *context);
	/* Ctrl-a s, Ctrl-a t: in the input thread.  NULL: nothing happens. */
	void (*stats)(void *context);
	void (*trace)(void *context);
	void *context;
};
void bus_add_console(struct device_bus *bus, const struct console_config *config);

/* An image file or block device.  Locked against a second writer; a read-only
 * one is opened read-only and shares it with other readers. */
void bus_add_block(struct device_bus *bus, const char *path, bool readonly);

void bus_add_rng(struct device_bus *bus);

/* A network device over `backend`, which the bus closes in the end.  mac NULL:
 * the guest chooses one. */
struct net_backend;
void bus_add_net(struct device_bus *bus, struct net_backend *backend,
		 const uint8_t mac[6]);

/* The old launcher's --tunnet: IPADDRESS[:MAC], bridge:NAME[:MAC], and
 * tap:NAME[:MAC] for an interface made beforehand, which needs no privilege. */
void bus_add_net_tap(struct device_bus *bus, const char *spec);

/* A network without privileges: user[,hostfwd=…][,mac=MAC][,restrict], see
 * device/user_net.h.  Starts a process of its own. */
void bus_add_net_user(struct device_bus *bus, const char *spec);

/* Power on: every device quiet, the page written in form E.  Call it once RAM
 * is loaded, at the start and again after each restart. */
void bus_reset(struct device_bus *bus);

/* The generation has become known, at LGUEST_INIT; the guest has not scanned
 * its devices yet.  Rewrites the page in that form. */
void bus_set_form(struct device_bus *bus, enum device_form form);

/* NOTIFY(address), from the vCPU thread: false if it names no device and no
 * queue, so that it is early console text (ABI 8.3). */
bool bus_notify(struct device_bus *bus, uint32_t address);

/* Names what a NOTIFY of this address is for: "console out", "block 1 requests",
 * "rng status".  False if it would be early console text.  Changes nothing. */
#define BUS_NAME 24u
bool bus_name(const struct device_bus *bus, uint32_t address, char name[BUS_NAME]);

/* No device touches guest memory any more, until bus_reset.  From the vCPU
 * thread. */
void bus_quiesce(struct device_bus *bus);

/* Console output that waits for its reader waits no longer and is dropped from
 * now on.  Any thread; async-signal-safe. */
void bus_unblock(struct device_bus *bus);

/* Ends all threads, closes everything.  Flushes nothing: what a guest did not
 * flush is the host's page cache's to keep. */
void bus_destroy(struct device_bus *bus);

/* --- pci.c: the PCI bus of generation F ------------------------------------------ */

/*
 * The same devices as on the page, for whoever looks for them there; a device
 * belongs to the transport its driver resets it by.  A guest that has used the
 * page, or is of generation Z to B, sees no PCI bus.  All from the vCPU thread.
 */

/* Guest-physical addresses of the registers: [start, end), no RAM behind them,
 * whole pages. */
uint32_t bus_pci_start(const struct device_bus *bus);
uint32_t bus_pci_end(const struct device_bus *bus);

/* Port I/O of configuration mechanism #1, ports 0xCF8 to 0xCFF; width 1, 2 or 4
 * bytes.  False, and *value untouched, if there is no such port. */
bool bus_pci_out(struct device_bus *bus, uint16_t port, unsigned int width,
		 uint32_t value);
bool bus_pci_in(struct device_bus *bus, uint16_t port, unsigned int width,
		uint32_t *value);

/* An access of 1, 2 or 4 bytes to a register.  False, and *value untouched, if
 * no device is there. */
bool bus_mmio_write(struct device_bus *bus, uint32_t address, unsigned int width,
		    uint32_t value);
bool bus_mmio_read(struct device_bus *bus, uint32_t address, unsigned int width,
		   uint32_t *value);

/* --- what a network back end is ------------------------------------------------ */

struct net_backend_ops {
	/* One packet, after `header_bytes` of struct virtio_net_hdr.  Both never
	 * block: -1 with EAGAIN when it must wait.  recv returns the bytes of the
	 * packet and its header, more than fit if it was cut; 0: no more, ever,
	 * and the back end says why. */
	ssize_t (*send)(struct net_backend *backend, const struct iovec *iov, int n);
	ssize_t (*recv)(struct net_backend *backend, const struct iovec *iov, int n);
	/* What the guest agreed to, of `features`.  NULL: all the same. */
	void (*agreed)(struct net_backend *backend, uint64_t features);
	void (*close)(struct net_backend *backend);
};

struct net_backend {
	const struct net_backend_ops *ops;
	int fd;			/* readable: recv has something; writable: send may go */
	uint64_t features;	/* offloads it can really do, VIRTIO_NET_F_* bits */
	unsigned int header_bytes;	/* 0 or 10 */
};

/* A hardware address as text.  Returns NULL, or what is wrong with it. */
const char *net_parse_mac(const char *text, uint8_t mac[6]);

/* --- tap.c: the back end of --tunnet -------------------------------------------- */

enum tap_kind { TAP_ADDRESS, TAP_BRIDGE, TAP_NAME };

struct tap_spec {
	enum tap_kind kind;
	char name[16];		/* of bridge or tap */
	uint32_t address;	/* IPv4, network order */
	bool has_mac;
	uint8_t mac[6];
};

/* NULL, or what is wrong with it. */
const char *tap_parse(const char *text, struct tap_spec *spec);
/* Dies with a hint if it may not be had. */
struct net_backend *tap_open(const struct tap_spec *spec);

/* --- terminal.c: raw mode -------------------------------------------------------- */

struct terminal {
	int fd;
	bool raw;
	struct termios saved;
};

/* Raw mode, undone by terminal_restore and however the program ends.  False,
 * and nothing done, where fd is no terminal or we are in the background.  The
 * struct stays where it is until terminal_restore. */
bool terminal_raw(struct terminal *terminal, int fd);
void terminal_restore(struct terminal *terminal);

extern const char terminal_help[];

/* --- escape.c: keys that are not the guest's -------------------------------------- */

struct escape {
	bool prefix;		/* Ctrl-a was the last key */
	unsigned int interrupts;/* Ctrl-C in a row, up to 2 */
	uint64_t first_ns, second_ns;	/* when the last two came */
};

enum escape_action {
	ESCAPE_NONE, ESCAPE_QUIT, ESCAPE_HELP, ESCAPE_STATS, ESCAPE_TRACE,
};

/* Takes one key at CLOCK_MONOTONIC `now_ns`; puts what the guest shall get,
 * 0 to 2 bytes, into `out`, and its number into `n`. */
enum escape_action escape_key(struct escape *escape, uint8_t key, uint64_t now_ns,
			      uint8_t out[2], unsigned int *n);

#endif
