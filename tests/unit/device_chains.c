/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hostile rings: what no correct driver puts there breaks the device, once and
 * with a line about it, touches nothing else, and is mended by a reset.
 */
#include "device_fixture.h"

#include <unistd.h>

#include "virtio/block.h"
#include "virtio/net.h"

static struct rig rig;
static struct driver_queue q;

#define NEXT VIRTQ_DESC_NEXT
#define WRITE VIRTQ_DESC_WRITE
#define INDIRECT VIRTQ_DESC_INDIRECT
#define TABLE 0x8000u		/* where indirect tables are */

struct chain_case {
	const char *name;
	const char *complaint;		/* part of it; NULL: it is all right */
	struct virtq_desc desc[4];	/* of the ring */
	struct virtq_desc table[4];	/* at TABLE, every entry behind repeats the last */
	uint16_t head;
	uint16_t ahead;			/* how far the index jumps; 0: by one */
};

/* On the rng, whose buffers are all writable. */
static const struct chain_case rng_cases[] = {
	{ .name = "good", .desc = { { 0x4000, 64, WRITE, 0 } } },
	{ .name = "good chain", .desc = { { 0x4000, 64, WRITE | NEXT, 1 }, { 0x5000, 64, WRITE, 0 } } },
	{ .name = "overlapping is the guest's own affair",
	  .desc = { { 0x4000, 64, WRITE | NEXT, 1 }, { 0x4000, 64, WRITE, 0 } } },
	{ .name = "zero length", .desc = { { 0x4000, 0, WRITE | NEXT, 1 }, { 0x4000, 64, WRITE, 0 } } },
	{ .name = "only zero length", .desc = { { 0x4000, 0, WRITE, 0 } } },
	{ .name = "all of memory", .desc = { { 0, RIG_BYTES, WRITE, 0 } } },
	{ .name = "last byte", .desc = { { RIG_BYTES - 1, 1, WRITE, 0 } } },
	{ .name = "readable where nothing is read", .desc = { { 0x4000, 64, 0, 0 } } },
	{ .name = "circle of one", .complaint = "in circles", .desc = { { 0x4000, 1, WRITE | NEXT, 0 } } },
	{ .name = "circle of two", .complaint = "in circles",
	  .desc = { { 0x4000, 1, WRITE | NEXT, 1 }, { 0x4000, 1, WRITE | NEXT, 0 } } },
	{ .name = "circle of nothing", .complaint = "in circles",
	  .desc = { { 0x4000, 0, WRITE | NEXT, 1 }, { 0x4000, 0, WRITE | NEXT, 0 } } },
	{ .name = "next is none", .complaint = "descriptor 256, which is none",
	  .desc = { { 0x4000, 64, WRITE | NEXT, 256 } } },
	{ .name = "next far out", .complaint = "descriptor 65535, which is none",
	  .desc = { { 0x4000, 64, WRITE | NEXT, 65535 } } },
	{ .name = "head is none", .complaint = "descriptor 256, which is none", .head = 256 },
	{ .name = "head far out", .complaint = "descriptor 65535, which is none", .head = 65535 },
	{ .name = "beyond memory", .complaint = "beyond memory", .desc = { { RIG_BYTES, 1, WRITE, 0 } } },
	{ .name = "over the end", .complaint = "beyond memory",
	  .desc = { { RIG_BYTES - 1, 2, WRITE, 0 } } },
	{ .name = "huge", .complaint = "beyond memory", .desc = { { 0, 0xffffffff, WRITE, 0 } } },
	{ .name = "above 4 GiB", .complaint = "beyond memory",
	  .desc = { { 1ull << 32, 64, WRITE, 0 } } },
	{ .name = "wraps", .complaint = "beyond memory",
	  .desc = { { UINT64_MAX - 15, 64, WRITE, 0 } } },
	{ .name = "more than memory", .complaint = "too long",
	  .desc = { { 0, RIG_BYTES, WRITE | NEXT, 1 }, { 0, 1, WRITE, 0 } } },
	{ .name = "wrong order", .complaint = "readable buffer behind a writable",
	  .desc = { { 0x4000, 64, WRITE | NEXT, 1 }, { 0x5000, 64, 0, 0 } } },
	{ .name = "indirect was not offered", .complaint = "not offered",
	  .desc = { { TABLE, 16, INDIRECT, 0 } } },
	{ .name = "index jumps", .complaint = "257 ahead of us", .ahead = 257 },
	{ .name = "index goes back", .complaint = "65535 ahead of us", .ahead = 65535 },
};

/* On the net device's sending queue, which was offered indirect tables. */
static const struct chain_case net_cases[] = {
	{ .name = "good", .desc = { { TABLE, 32, INDIRECT, 0 } },
	  .table = { { 0x4000, 10, NEXT, 1 }, { 0x5000, 60, 0, 0 } } },
	{ .name = "behind another", .desc = { { 0x4000, 10, NEXT, 1 }, { TABLE, 16, INDIRECT, 0 } },
	  .table = { { 0x5000, 60, 0, 0 } } },
	{ .name = "as long as allowed", .desc = { { TABLE, 4096, INDIRECT, 0 } },
	  .table = { { 0x4000, 10, NEXT, 3 }, { 0 }, { 0 }, { 0x5000, 60, 0, 0 } } },
	{ .name = "nested", .complaint = "in an indirect table", .desc = { { TABLE, 32, INDIRECT, 0 } },
	  .table = { { 0x4000, 10, NEXT, 1 }, { TABLE, 16, INDIRECT, 0 } } },
	{ .name = "of itself", .complaint = "in an indirect table", .desc = { { TABLE, 16, INDIRECT, 0 } },
	  .table = { { TABLE, 16, INDIRECT, 0 } } },
	{ .name = "and goes on", .complaint = "indirect table of 16 bytes",
	  .desc = { { TABLE, 16, INDIRECT | NEXT, 1 }, { 0x4000, 60, 0, 0 } },
	  .table = { { 0x5000, 60, 0, 0 } } },
	{ .name = "empty", .complaint = "indirect table of 0 bytes", .desc = { { TABLE, 0, INDIRECT, 0 } } },
	{ .name = "odd", .complaint = "indirect table of 24 bytes", .desc = { { TABLE, 24, INDIRECT, 0 } } },
	{ .name = "misaligned", .complaint = "indirect table of 16 bytes",
	  .desc = { { TABLE + 4, 16, INDIRECT, 0 } } },
	{ .name = "too long", .complaint = "indirect table of 4112 bytes",
	  .desc = { { TABLE, 4112, INDIRECT, 0 } } },
	{ .name = "huge", .complaint = "indirect table of 4294967280 bytes",
	  .desc = { { TABLE, 0xfffffff0, INDIRECT, 0 } } },
	{ .name = "beyond memory", .complaint = "indirect table beyond memory",
	  .desc = { { RIG_BYTES - 16, 32, INDIRECT, 0 } } },
	{ .name = "circle", .complaint = "in circles", .desc = { { TABLE, 32, INDIRECT, 0 } },
	  .table = { { 0x4000, 1, NEXT, 1 }, { 0x4000, 1, NEXT, 0 } } },
	{ .name = "next is none", .complaint = "descriptor 2, which is none",
	  .desc = { { TABLE, 32, INDIRECT, 0 } }, .table = { { 0x4000, 10, NEXT, 2 } } },
	{ .name = "no packet", .complaint = "without a packet", .desc = { { 0x4000, 10, 0, 0 } } },
	{ .name = "half a header", .complaint = "without a packet", .desc = { { 0x4000, 3, 0, 0 } } },
	{ .name = "nothing", .complaint = "without a packet", .desc = { { 0x4000, 0, 0, 0 } } },
};

/* On the block device. */
static const struct chain_case block_cases[] = {
	{ .name = "no status", .complaint = "without header or status",
	  .desc = { { 0x4000, 16, 0, 0 } } },
	{ .name = "no header", .complaint = "without header or status",
	  .desc = { { 0x4000, 512, WRITE, 0 } } },
	{ .name = "short header", .complaint = "without header or status",
	  .desc = { { 0x4000, 15, NEXT, 1 }, { 0x5000, 1, WRITE, 0 } } },
	{ .name = "status of no bytes", .complaint = "without header or status",
	  .desc = { { 0x4000, 16, NEXT, 1 }, { 0x5000, 0, WRITE, 0 } } },
	{ .name = "flush", .desc = { { 0x4000, 16, NEXT, 1 }, { 0x5000, 1, WRITE, 0 } },
	  .table = { { 0 } } },
};

/* A back end that takes everything and has nothing. */
static ssize_t null_send(struct net_backend *b, const struct iovec *iov, int n)
{
	(void)b;
	return (ssize_t)iov_bytes(iov, (unsigned int)n);
}

static ssize_t null_recv(struct net_backend *b, const struct iovec *iov, int n)
{
	(void)b, (void)iov, (void)n;
	return -1;
}

static void null_close(struct net_backend *b) { (void)b; }

static const struct net_backend_ops null_ops = {
	.send = null_send, .recv = null_recv, .close = null_close,
};

enum kind { RNG, NET, BLOCK };

static void open_device(enum kind kind)
{
	static struct net_backend null = { .ops = &null_ops, .fd = -1 };

	rig_open(&rig);
	if (kind == RNG)
		bus_add_rng(rig.bus);
	else if (kind == NET)
		bus_add_net(rig.bus, &null, NULL);
	else
		bus_add_block(rig.bus, temporary_file(4096), false);
	rig_start(&rig, DEVICE_FORM_E);
	rig_probe(&rig, 0, 0xffffffff);
	q = rig_queue(&rig, 0, kind == NET ? VIRTIO_NET_TX : 0);
}

static void offer(const struct chain_case *c)
{
	struct virtq_desc *table = rig_at(&rig, TABLE);
	unsigned int i;

	memcpy(q.desc, c->desc, sizeof(c->desc));
	for (i = 0; i < 300; i++)
		table[i] = c->table[i < 4 ? i : 3];
	if (c->ahead)
		q.avail_idx = (uint16_t)(c->ahead - 1);
	driver_offer(&q, c->head);
	driver_kick(&q);
}

/* A device that broke does nothing more, then does again. */
static void expect_broken(enum kind kind, const struct chain_case *c)
{
	struct piece p = { 0x4000, 64, kind == RNG };

	rig_await_complaint(&rig);
	cr_assert(strstr(rig.complaint, c->complaint), "%s: %s", c->name, rig.complaint);
	/* The status byte is the driver's alone. */
	cr_assert_not(rig_record(&rig, 0)->status & VIRTIO_STATUS_NEEDS_RESET, "%s", c->name);
	cr_assert_not(driver_has_used(&q), "%s", c->name);
	cr_assert_eq(rig_irqs(&rig, q.irq), 0, "%s", c->name);
	if (kind == BLOCK)
		return;
	rig_probe(&rig, 0, 0);
	q = rig_queue(&rig, 0, kind == NET ? VIRTIO_NET_TX : 0);
	driver_add(&q, &p, 1);
	driver_kick(&q);
	driver_wait(&q);
	/* And breaks again without another line. */
	offer(c->ahead ? &rng_cases[8] : c);
	bus_quiesce(rig.bus);
	cr_assert_eq(rig.complaints, 1, "%s", c->name);
}

static void run(enum kind kind, const struct chain_case *cases, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const struct chain_case *c = &cases[i];

		open_device(kind);
		if (kind == BLOCK)
			((struct virtio_block_header *)rig_at(&rig, 0x4000))->type = VIRTIO_BLOCK_FLUSH;
		offer(c);
		if (c->complaint) {
			expect_broken(kind, c);
		} else {
			driver_wait(&q);
			cr_assert_eq(rig.complaints, 0, "%s: %s", c->name, rig.complaint);
		}
		rig_close(&rig);
	}
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

Test(device_chains, rng) { run(RNG, rng_cases, COUNT(rng_cases)); }
Test(device_chains, net) { run(NET, net_cases, COUNT(net_cases)); }
Test(device_chains, block) { run(BLOCK, block_cases, COUNT(block_cases)); }

/* The most a chain can have is all of the ring, and one indirect table more
 * is too much. */
Test(device_chains, longest)
{
	struct virtq_desc *table;
	unsigned int i;

	open_device(NET);
	for (i = 0; i < 256; i++)
		q.desc[i] = (struct virtq_desc){ 0x4000, 16, i < 255 ? NEXT : 0, (uint16_t)(i + 1) };
	driver_offer(&q, 0);
	driver_kick(&q);
	driver_wait(&q);
	table = rig_at(&rig, TABLE);
	table[0] = (struct virtq_desc){ 0x4000, 16, NEXT, 1 };
	table[1] = (struct virtq_desc){ 0x4000, 16, 0, 0 };
	q.desc[255] = (struct virtq_desc){ TABLE, 32, INDIRECT, 0 };
	driver_offer(&q, 0);
	driver_kick(&q);
	rig_await_complaint(&rig);
	cr_assert(strstr(rig.complaint, "too long"), "%s", rig.complaint);
	rig_close(&rig);
}

/* Rings full of noise, at many seeds: nothing happens to us. */
Test(device_chains, noise)
{
	unsigned int seed, i;

	for (seed = 1; seed <= 60; seed++) {
		enum kind kind = (enum kind)(seed % 3);
		uint32_t x = seed * 2654435761u;

		open_device(kind);
		bus_quiesce(rig.bus);
		for (i = 0; i < 12288 / 4; i++) {
			x = x * 1664525 + 1013904223;
			((uint32_t *)q.desc)[i] = x >> (x >> 28);
		}
		/* Flags and indices that get further than the first check. */
		for (i = 0; i < 256; i++) {
			q.desc[i].addr &= RIG_BYTES - 1;
			q.desc[i].len &= 0xffff;
			q.desc[i].next &= 0xff;
			q.avail->ring[i] &= 0xff;
		}
		__atomic_store_n(&q.avail->idx, (uint16_t)(seed * 4), __ATOMIC_SEQ_CST);
		bus_notify(rig.bus, q.address);
		bus_quiesce(rig.bus);
		rig_close(&rig);
	}
}

struct place_case {
	uint32_t num;
	uint64_t desc, avail, used;
	bool fits;
};

static const struct place_case places[] = {
	{ 256, 0x1000, 0x2000, 0x3000, true },
	{ 1, 0x10, 0x22, 0x34, true },
	{ 0, 0x1000, 0x2000, 0x3000, false },
	{ 3, 0x1000, 0x2000, 0x3000, false },
	{ 512, 0x1000, 0x4000, 0x6000, false },
	{ 0x80000000, 0x1000, 0x4000, 0x6000, false },
	{ 256, 0x1008, 0x2000, 0x3000, false },
	{ 256, 0x1000, 0x2001, 0x3000, false },
	{ 256, 0x1000, 0x2000, 0x3002, false },
	{ 256, RIG_BYTES - 4096, 0x2000, 0x3000, true },
	{ 256, RIG_BYTES - 4080, 0x2000, 0x3000, false },
	{ 256, 0x1000, RIG_BYTES - 514, 0x3000, false },
	{ 256, 0x1000, 0x2000, RIG_BYTES - 2048, false },
	{ 256, 1ull << 32, 0x2000, 0x3000, false },
	{ 256, UINT64_MAX - 15, 0x2000, 0x3000, false },
};

Test(device_chains, places)
{
	size_t i;

	open_device(RNG);
	bus_quiesce(rig.bus);
	for (i = 0; i < COUNT(places); i++) {
		const struct place_case *p = &places[i];

		cr_assert_eq(vq_place(&rig.bus->device[0]->queue[0], p->num, p->desc,
				      p->avail, p->used), p->fits, "place %zu", i);
	}
	bus_reset(rig.bus);
	rig_close(&rig);
}

struct memory_case { uint64_t address, len; bool there; };

static const struct memory_case memory_cases[] = {
	{ 0, 0, true }, { 0, RIG_BYTES, true }, { RIG_BYTES, 0, true },
	{ RIG_BYTES - 1, 1, true }, { RIG_BYTES - 1, 2, false }, { RIG_BYTES, 1, false },
	{ RIG_BYTES + 1, 0, false }, { 1, UINT64_MAX, false }, { UINT64_MAX, 1, false },
	{ UINT64_MAX, 2, false }, { 1ull << 32, 1, false },
};

Test(device_chains, door)
{
	static uint8_t byte;
	const struct device_memory memory = { .base = &byte, .bytes = RIG_BYTES };
	size_t i;

	for (i = 0; i < COUNT(memory_cases); i++) {
		const struct memory_case *c = &memory_cases[i];

		cr_assert_eq(dev_ptr(&memory, c->address, c->len) != NULL, c->there, "case %zu", i);
	}
}
