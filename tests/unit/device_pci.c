/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PCI transport: ports, configuration space, registers, a whole request. */
#include "device_fixture.h"

#include <fcntl.h>
#include <unistd.h>

#include "virtio/block.h"
#include "virtio/console.h"
#include "virtio/net.h"
#include "virtio/pci.h"

static struct rig rig;
static int out[2];

#define CONSOLE 1		/* device numbers */
#define BLOCK 2
#define RNG 3

#define BARS (RIG_RAM + (1u << 20))
#define BLOCK_BAR (BARS + 128)
#define RNG_BAR (BARS + 256)

static void open_all(void)
{
	struct console_config console = { .in_fd = -1 };

	cr_assert(pipe2(out, O_CLOEXEC) == 0);
	console.out_fd = out[1];
	rig_open(&rig);
	bus_add_block(rig.bus, temporary_file(8192), false);
	bus_add_rng(rig.bus);
	bus_add_console(rig.bus, &console);
	rig_start(&rig, DEVICE_FORM_E);
}

/* --- ports ------------------------------------------------------------------------ */

static uint32_t in(uint16_t port, unsigned int width)
{
	uint32_t value = 0x5a5a5a5a;

	cr_assert(bus_pci_in(rig.bus, port, width, &value));
	return value;
}

static void outp(uint16_t port, unsigned int width, uint32_t value)
{
	cr_assert(bus_pci_out(rig.bus, port, width, value));
}

static uint32_t config(unsigned int nr, unsigned int at, unsigned int width)
{
	outp(0xcf8, 4, 0x80000000u | nr << 11 | (at & 0xfcu));
	return in((uint16_t)(0xcfc + (at & 3)), width);
}

static void set_config(unsigned int nr, unsigned int at, unsigned int width, uint32_t value)
{
	outp(0xcf8, 4, 0x80000000u | nr << 11 | (at & 0xfcu));
	outp((uint16_t)(0xcfc + (at & 3)), width, value);
}

/* What the guest's kernel does to find mechanism #1 (ABI 8.6). */
Test(device_pci, probe)
{
	open_all();
	outp(0xcfb, 1, 1);
	cr_assert_eq(in(0xcf8, 4), 0x01000000);
	outp(0xcf8, 4, 0x80000000);
	cr_assert_eq(in(0xcf8, 4), 0x80000000);
	cr_assert_eq(in(0xcfb, 1), 0x80);
	cr_assert_eq(in(0xcfa, 2), 0x8000);
	/* The bridge: its class, and nothing else. */
	cr_assert_eq(config(0, 0x08, 4), 0x06000000);
	cr_assert_eq(config(0, 0x0a, 2), 0x0600);
	cr_assert_eq(config(0, 0x00, 4), 0);
	/* Absent: device, function, bus, offset, not enabled. */
	cr_assert_eq(config(4, 0, 4), 0xffffffff);
	cr_assert_eq(config(31, 0, 2), 0xffff);
	outp(0xcf8, 4, 0x80000100u | CONSOLE << 11);
	cr_assert_eq(in(0xcfc, 4), 0xffffffff);
	outp(0xcf8, 4, 0x80010000u | CONSOLE << 11);
	cr_assert_eq(in(0xcfc, 4), 0xffffffff);
	cr_assert_eq(config(CONSOLE, 0x98, 4), 0xffffffff);
	cr_assert_eq(config(CONSOLE, 0xfc, 1), 0xff);
	outp(0xcf8, 4, CONSOLE << 11);
	cr_assert_eq(in(0xcfc, 4), 0xffffffff);
	rig_close(&rig);
}

Test(device_pci, other_ports)
{
	uint32_t value = 1234;

	open_all();
	cr_assert_not(bus_pci_in(rig.bus, 0xcf7, 1, &value));
	cr_assert_not(bus_pci_in(rig.bus, 0xd00, 1, &value));
	cr_assert_not(bus_pci_in(rig.bus, 0xcfe, 4, &value));
	cr_assert_not(bus_pci_in(rig.bus, 0xcfa, 4, &value));
	cr_assert_not(bus_pci_in(rig.bus, 0xcfc, 3, &value));
	cr_assert_not(bus_pci_in(rig.bus, 0xcfc, 0, &value));
	cr_assert_not(bus_pci_out(rig.bus, 0x64, 1, 0xfe));
	cr_assert_eq(value, 1234);
	rig_close(&rig);
}

struct config_case { unsigned int nr, at; uint32_t value; };

static const struct config_case configs[] = {
	{ CONSOLE, 0x00, 0x10431af4 }, { CONSOLE, 0x04, 0x00100000 },
	{ CONSOLE, 0x08, 0x07000001 }, { CONSOLE, 0x0c, 0 },
	{ CONSOLE, 0x10, BARS }, { CONSOLE, 0x14, 0 }, { CONSOLE, 0x24, 0 },
	{ CONSOLE, 0x2c, 0x00400000 }, { CONSOLE, 0x30, 0 }, { CONSOLE, 0x34, 0x40 },
	{ CONSOLE, 0x3c, 1 },
	{ CONSOLE, 0x40, 0x01105009 }, { CONSOLE, 0x44, 0 }, { CONSOLE, 0x48, 0 },
	{ CONSOLE, 0x4c, 56 },
	{ CONSOLE, 0x50, 0x02146409 }, { CONSOLE, 0x54, 0 }, { CONSOLE, 0x58, 56 },
	{ CONSOLE, 0x5c, 2 }, { CONSOLE, 0x60, 0 },
	{ CONSOLE, 0x64, 0x03108409 }, { CONSOLE, 0x6c, 58 }, { CONSOLE, 0x70, 1 },
	{ CONSOLE, 0x74, 0x04100009 }, { CONSOLE, 0x7c, 60 }, { CONSOLE, 0x80, 12 },
	{ CONSOLE, 0x84, 0x05147409 }, { CONSOLE, 0x88, 0 }, { CONSOLE, 0x94, 0 },
	{ BLOCK, 0x00, 0x10421af4 }, { BLOCK, 0x08, 0x01800001 }, { BLOCK, 0x3c, 2 },
	{ BLOCK, 0x10, BLOCK_BAR }, { BLOCK, 0x80, 36 },
	{ RNG, 0x00, 0x10441af4 }, { RNG, 0x08, 0xff000001 }, { RNG, 0x3c, 3 },
	{ RNG, 0x10, RNG_BAR }, { RNG, 0x64, 0x03108409 }, { RNG, 0x74, 0 },
	{ RNG, 0x80, 0 }, { RNG, 0x84, 0x05140009 },
};

Test(device_pci, configuration)
{
	size_t i;

	open_all();
	for (i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
		const struct config_case *c = &configs[i];
		unsigned int byte;

		cr_assert_eq(config(c->nr, c->at, 4), c->value, "device %u at 0x%x: 0x%x", c->nr,
			     c->at, config(c->nr, c->at, 4));
		for (byte = 0; byte < 4; byte++)
			cr_assert_eq(config(c->nr, c->at + byte, 1), c->value >> 8 * byte & 0xff);
		/* Nearly nothing of it can be written. */
		if (c->at == 0x10 || c->at == 0x0c || c->at >= 0x88)
			continue;
		set_config(c->nr, c->at, 4, 0xffffffff);
		cr_assert_eq(config(c->nr, c->at, 4), c->value, "device %u at 0x%x", c->nr, c->at);
	}
	cr_assert_eq(bus_pci_start(rig.bus), BARS);
	cr_assert_eq(bus_pci_end(rig.bus), BARS + 4096);
	rig_close(&rig);
}

Test(device_pci, bar_sizing)
{
	uint32_t value;

	open_all();
	set_config(CONSOLE, 0x10, 4, 0xffffffff);
	cr_assert_eq(config(CONSOLE, 0x10, 4), 0xffffff80);
	set_config(RNG, 0x10, 4, 0xffffffff);
	cr_assert_eq(config(RNG, 0x10, 4), 0xffffffc0);
	set_config(CONSOLE, 0x10, 4, BARS);
	cr_assert_eq(config(CONSOLE, 0x10, 4), BARS);
	/* Registers stay where they were. */
	set_config(RNG, 0x10, 4, 0xe0000000);
	cr_assert_not(bus_mmio_read(rig.bus, 0xe0000000, 4, &value));
	cr_assert(bus_mmio_read(rig.bus, RNG_BAR, 4, &value));
	set_config(CONSOLE, 0x0c, 1, 0x10);
	set_config(CONSOLE, 0x0d, 1, 0x20);
	cr_assert_eq(config(CONSOLE, 0x0c, 4), 0x2010);
	rig_close(&rig);
}

/* A character at a time, before there is any driver. */
Test(device_pci, early_console)
{
	char text[8] = "";
	const char *c;

	open_all();
	for (c = "hello"; *c; c++) {
		set_config(CONSOLE, 0x88, 1, 0);
		set_config(CONSOLE, 0x8c, 4, 68);
		set_config(CONSOLE, 0x90, 4, 4);
		set_config(CONSOLE, 0x94, 4, (uint32_t)*c);
	}
	cr_assert_eq(read(out[0], text, sizeof(text)), 5);
	cr_assert_str_eq(text, "hello");
	/* Windows that do not open. */
	set_config(CONSOLE, 0x90, 4, 3);
	set_config(CONSOLE, 0x94, 4, 'x');
	set_config(CONSOLE, 0x90, 4, 4);
	set_config(CONSOLE, 0x8c, 4, 70);
	set_config(CONSOLE, 0x94, 4, 'x');
	set_config(CONSOLE, 0x8c, 4, 0xfffffffc);
	set_config(CONSOLE, 0x94, 4, 'x');
	cr_assert_eq(config(CONSOLE, 0x94, 4), 0);
	set_config(CONSOLE, 0x8c, 4, 68);
	set_config(CONSOLE, 0x88, 1, 1);
	set_config(CONSOLE, 0x94, 4, 'x');
	/* Misaligned; then one that does open: number of queues. */
	set_config(CONSOLE, 0x88, 1, 0);
	set_config(CONSOLE, 0x90, 4, 2);
	set_config(CONSOLE, 0x8c, 4, 17);
	cr_assert_eq(config(CONSOLE, 0x94, 4), 0);
	set_config(CONSOLE, 0x8c, 4, 18);
	set_config(CONSOLE, 0x90, 4, 2);
	cr_assert_eq(config(CONSOLE, 0x94, 2), 2);
	close(out[1]);
	rig_close(&rig);
	cr_assert_eq(read(out[0], text, sizeof(text)), 0);
}

/* --- registers ---------------------------------------------------------------------- */

static uint32_t get(uint32_t at, unsigned int width)
{
	uint32_t value = 0;

	cr_assert(bus_mmio_read(rig.bus, at, width, &value));
	return value;
}

static void set(uint32_t at, unsigned int width, uint32_t value)
{
	cr_assert(bus_mmio_write(rig.bus, at, width, value));
}

/* Status up to FEATURES_OK; true if the device keeps that. */
static bool agree(uint32_t bar, uint64_t features)
{
	set(bar + 20, 1, 0);
	set(bar + 20, 1, 1);
	set(bar + 20, 1, 3);
	set(bar + 8, 4, 0);
	set(bar + 12, 4, (uint32_t)features);
	set(bar + 8, 4, 1);
	set(bar + 12, 4, (uint32_t)(features >> 32));
	set(bar + 20, 1, 11);
	return get(bar + 20, 1) & VIRTIO_STATUS_FEATURES_OK;
}

#define V1 (1ull << 32)

/* A ring of `num` in guest RAM, enabled. */
static struct driver_queue setup(uint32_t bar, unsigned int nr, unsigned int index,
				 uint16_t num)
{
	struct driver_queue q = { .rig = &rig, .num = num, .irq = (uint16_t)nr };
	uint32_t desc = rig_alloc(&rig, virtq_desc_bytes(num));
	uint32_t avail = rig_alloc(&rig, virtq_avail_bytes(num));
	uint32_t used = rig_alloc(&rig, virtq_used_bytes(num));

	q.desc = rig_at(&rig, desc);
	q.avail = rig_at(&rig, avail);
	q.used = rig_at(&rig, used);
	set(bar + 22, 2, index);
	cr_assert_eq(get(bar + 24, 2), 256);
	cr_assert_eq(get(bar + 28, 2), 0);
	set(bar + 24, 2, num);
	set(bar + 32, 4, desc);
	set(bar + 36, 4, 0);
	set(bar + 40, 4, avail);
	set(bar + 44, 4, 0);
	set(bar + 48, 4, used);
	set(bar + 52, 4, 0);
	set(bar + 28, 2, 1);
	cr_assert_eq(get(bar + 28, 2), 1);
	cr_assert_eq(get(bar + 24, 2), num);
	return q;
}

Test(device_pci, block_request)
{
	struct virtio_block_header *h;
	uint32_t header, data, status;
	struct driver_queue q;
	struct piece p[3];

	open_all();
	cr_assert_eq(get(BLOCK_BAR + 60, 4), 16);	/* sectors */
	cr_assert_eq(get(BLOCK_BAR + 64, 4), 0);
	cr_assert_eq(get(BLOCK_BAR + 72, 4), 254);
	cr_assert_eq(get(BLOCK_BAR + 18, 2), 1);
	/* No BARRIER there, but FLUSH, SEG_MAX and VERSION_1. */
	set(BLOCK_BAR, 4, 0);
	cr_assert_eq(get(BLOCK_BAR + 4, 4), 0x204);
	set(BLOCK_BAR, 4, 1);
	cr_assert_eq(get(BLOCK_BAR + 4, 4), 1);
	set(BLOCK_BAR, 4, 2);
	cr_assert_eq(get(BLOCK_BAR + 4, 4), 0);
	cr_assert(agree(BLOCK_BAR, V1 | 0x204));
	q = setup(BLOCK_BAR, BLOCK, 0, 16);
	header = rig_alloc(&rig, 16);
	data = rig_alloc(&rig, 512);
	status = rig_alloc(&rig, 1);
	h = rig_at(&rig, header);
	h->type = VIRTIO_BLOCK_OUT;
	h->sector = 3;
	memset(rig_at(&rig, data), 'p', 512);
	p[0] = (struct piece){ header, 16, false };
	p[1] = (struct piece){ data, 512, false };
	p[2] = (struct piece){ status, 1, true };
	driver_add(&q, p, 3);
	/* Not before DRIVER_OK. */
	set(BLOCK_BAR + 56, 2, 0);
	cr_assert_not(atomic_load(&rig.bus->device[0]->queue[0].live));
	set(BLOCK_BAR + 20, 1, 15);
	cr_assert_eq(driver_wait(&q).len, 1);
	rig_await_irq(&rig, BLOCK, 0);
	/* Reading says why, and takes it back. */
	cr_assert_eq(get(BLOCK_BAR + 58, 1), 1);
	cr_assert_eq(get(BLOCK_BAR + 58, 1), 0);
	/* And reads it back, with the notify register. */
	h->type = VIRTIO_BLOCK_IN;
	memset(rig_at(&rig, data), 0, 512);
	p[1].write = true;
	driver_add(&q, p, 3);
	set(BLOCK_BAR + 56, 2, 0);
	cr_assert_eq(driver_wait(&q).len, 513);
	cr_assert_eq(*(char *)rig_at(&rig, data + 511), 'p');
	/* Reset: nothing is left. */
	set(BLOCK_BAR + 20, 1, 0);
	cr_assert_eq(get(BLOCK_BAR + 20, 1), 0);
	set(BLOCK_BAR + 22, 2, 0);
	cr_assert_eq(get(BLOCK_BAR + 28, 2), 0);
	cr_assert_eq(get(BLOCK_BAR + 24, 2), 256);
	cr_assert_eq(get(BLOCK_BAR + 32, 4), 0);
	cr_assert_eq(rig.complaints, 0);
	rig_close(&rig);
}

Test(device_pci, features)
{
	open_all();
	cr_assert(agree(RNG_BAR, V1));
	/* Settled now. */
	set(RNG_BAR + 8, 4, 0);
	set(RNG_BAR + 12, 4, 0xffffffff);
	cr_assert_eq(get(RNG_BAR + 12, 4), 0);
	/* Without version 1, or with what was not offered. */
	cr_assert_not(agree(RNG_BAR, 0));
	cr_assert_not(agree(RNG_BAR, V1 | 1));
	cr_assert_not(agree(BLOCK_BAR, V1 | 1));
	cr_assert_not(agree(RNG_BAR, V1 | 1ull << 63));
	cr_assert(agree(BLOCK_BAR, V1 | 0x200));
	cr_assert_eq(rig.bus->device[0]->accepted, V1 | 0x200);
	rig_close(&rig);
}

Test(device_pci, failed)
{
	struct driver_queue q;
	struct piece p;

	open_all();
	cr_assert(agree(RNG_BAR, V1));
	q = setup(RNG_BAR, RNG, 0, 16);
	set(RNG_BAR + 20, 1, 0x8b);
	cr_assert_eq(get(RNG_BAR + 20, 1), 0x8b);
	cr_assert_eq(rig.complaints, 1);
	p = (struct piece){ rig_alloc(&rig, 16), 16, true };
	driver_add(&q, &p, 1);
	set(RNG_BAR + 56, 2, 0);
	bus_quiesce(rig.bus);
	cr_assert_not(driver_has_used(&q));
	rig_close(&rig);
}

/* A ring where none can be, and then a hostile one: NEEDS_RESET, and told. */
Test(device_pci, broken)
{
	struct driver_queue q;

	open_all();
	cr_assert(agree(RNG_BAR, V1));
	set(RNG_BAR + 22, 2, 0);
	set(RNG_BAR + 32, 4, 0x1008);
	set(RNG_BAR + 28, 2, 1);
	cr_assert_eq(get(RNG_BAR + 28, 2), 0);
	cr_assert(get(RNG_BAR + 20, 1) & VIRTIO_STATUS_NEEDS_RESET);
	cr_assert(strstr(rig.complaint, "where no ring can be"), "%s", rig.complaint);
	cr_assert(agree(RNG_BAR, V1));
	cr_assert_not(get(RNG_BAR + 20, 1) & VIRTIO_STATUS_NEEDS_RESET);
	q = setup(RNG_BAR, RNG, 0, 16);
	set(RNG_BAR + 20, 1, 15);
	driver_offer(&q, 16);
	set(RNG_BAR + 56, 2, 0);
	rig_await_irq(&rig, RNG, 0);
	cr_assert_eq(get(RNG_BAR + 58, 1), VIRTIO_PCI_ISR_CONFIG);
	cr_assert_eq(get(RNG_BAR + 20, 1), 15 | VIRTIO_STATUS_NEEDS_RESET);
	/* The driver cannot wave it away. */
	set(RNG_BAR + 20, 1, 15);
	cr_assert_eq(get(RNG_BAR + 20, 1), 15 | VIRTIO_STATUS_NEEDS_RESET);
	rig_close(&rig);
}

/* Two queues at one notify register; a header of 12 bytes for packets. */
static uint8_t sent[64];
static size_t sent_len;

static ssize_t keep_send(struct net_backend *b, const struct iovec *iov, int n)
{
	(void)b;
	sent_len = iov_bytes(iov, (unsigned int)n);
	iov_read(iov, (unsigned int)n, 0, sent, sizeof(sent));
	return (ssize_t)sent_len;
}

static ssize_t no_recv(struct net_backend *b, const struct iovec *iov, int n)
{
	(void)b, (void)iov, (void)n;
	return 0;
}

static void no_close(struct net_backend *b) { (void)b; }

static const struct net_backend_ops keep_ops = {
	.send = keep_send, .recv = no_recv, .close = no_close,
};

Test(device_pci, net_header)
{
	static struct net_backend backend = { .ops = &keep_ops, .fd = -1 };
	struct driver_queue q;
	struct piece p;

	rig_open(&rig);
	bus_add_net(rig.bus, &backend, NULL);
	rig_start(&rig, DEVICE_FORM_E);
	set(BARS, 4, 0);
	/* MRG_RXBUF, INDIRECT; neither NOTIFY_ON_EMPTY nor ANY_LAYOUT. */
	cr_assert_eq(get(BARS + 4, 4), 0x10008000);
	cr_assert(agree(BARS, V1));
	q = setup(BARS, 1, VIRTIO_NET_TX, 16);
	set(BARS + 20, 1, 15);
	p = (struct piece){ rig_alloc(&rig, 64), 12 + 20, false };
	memset(rig_at(&rig, p.address + 12), 'n', 20);
	driver_add(&q, &p, 1);
	set(BARS + 56, 2, VIRTIO_NET_TX);
	driver_wait(&q);
	cr_assert_eq(sent_len, 20);
	cr_assert_eq(sent[0], 'n');
	rig_close(&rig);
}

/* --- one device, two transports ------------------------------------------------------ */

Test(device_pci, hidden_from_users_of_the_page)
{
	uint32_t value;

	open_all();
	bus_set_form(rig.bus, DEVICE_FORM_B);
	cr_assert_not(bus_pci_in(rig.bus, 0xcfc, 4, &value));
	cr_assert_not(bus_mmio_read(rig.bus, BARS, 4, &value));
	bus_set_form(rig.bus, DEVICE_FORM_E);
	cr_assert(bus_pci_in(rig.bus, 0xcfc, 4, &value));
	rig_status(&rig, 0, 0);
	cr_assert_not(bus_pci_in(rig.bus, 0xcfc, 4, &value));
	cr_assert_not(bus_pci_out(rig.bus, 0xcf8, 4, 0x80000000));
	cr_assert_not(bus_mmio_write(rig.bus, RNG_BAR, 4, 0));
	/* Until the next boot. */
	bus_reset(rig.bus);
	cr_assert(bus_pci_in(rig.bus, 0xcfc, 4, &value));
	rig_close(&rig);
}

Test(device_pci, changes_hands)
{
	struct driver_queue q;
	struct piece p;

	open_all();
	cr_assert(agree(RNG_BAR, V1));
	q = setup(RNG_BAR, RNG, 0, 16);
	set(RNG_BAR + 20, 1, 15);
	p = (struct piece){ rig_alloc(&rig, 16), 16, true };
	driver_add(&q, &p, 1);
	set(RNG_BAR + 56, 2, 0);
	driver_wait(&q);
	/* A kick by the page means nothing to it, its status does. */
	cr_assert(bus_notify(rig.bus, RIG_RAM + 4096 + 3 * 4096));
	rig_probe(&rig, 1, 0);
	q = rig_queue(&rig, 1, 0);
	driver_add(&q, &p, 1);
	driver_kick(&q);
	cr_assert_eq(driver_wait(&q).len, 16);
	rig_await_irq(&rig, q.irq, 0);
	rig_close(&rig);
}

/* Any write anywhere, at any width: nothing happens to us. */
Test(device_pci, noise)
{
	uint32_t x = 88172645, i;

	open_all();
	cr_assert(fcntl(out[0], F_SETFL, O_NONBLOCK) == 0);
	for (i = 0; i < 200000; i++) {
		unsigned int width = 1u << (x >> 8) % 3;
		char drain[256];
		uint32_t value;

		x = x * 1664525 + 1013904223;
		value = x >> (x >> 27);
		if (x >> 9 & 1) {
			uint32_t at = BARS + (x >> 12) % 400;

			bus_mmio_write(rig.bus, at, width, value % (x >> 10 & 1 ? 16 : ~0u));
			bus_mmio_read(rig.bus, at, width, &value);
		} else {
			bus_pci_out(rig.bus, 0xcf8, 4,
				    0x80000000u | (x >> 12) % 4 << 11 | (x >> 16 & 0xfc));
			bus_pci_out(rig.bus, (uint16_t)(0xcfc + (x >> 14 & 3)), width,
				    value % (x >> 10 & 1 ? 80 : ~0u));
			bus_pci_in(rig.bus, 0xcfc, 4, &value);
		}
		if (i % 64 == 0)
			while (read(out[0], drain, sizeof(drain)) > 0)
				;
	}
	rig_close(&rig);
}
