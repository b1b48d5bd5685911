/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block device: every request, answers to wrong ones, many at once, by
 * polling and by interrupt, and a driver that breaks the ring.  Wants
 * --block=FILE of 64 KiB.
 *
 * On the command line: "pci", by PCI; "ro", the image is read-only; "full", the
 * image may be of any size, and the host has no room for all of it.
 */
#include <guest-rt/virtio.h>

#define SECTORS 128u
#define AT_ONCE 20u

static struct virtio_device block;
static struct virtio_queue *const q = &block.queue[0];
static volatile unsigned int interrupts;

static uint8_t data[1024];
static struct { struct block_request request; uint8_t data[1024]; } many[AT_ONCE];

/* What must come of it: `written` bytes and the status. */
static void expect(uint32_t type, uint64_t sector, uint32_t bytes, uint8_t status,
		   uint32_t written)
{
	uint32_t len;
	uint8_t got = block_request(&block, type, sector, data, bytes, &len);

	if (got != status || len != written)
		guest_panic("request %u at sector 0x%x, %u bytes: status %u length %u, "
			    "wanted %u %u", (unsigned int)type, (unsigned int)sector,
			    (unsigned int)bytes, got, (unsigned int)len, status,
			    (unsigned int)written);
}

static void fill(uint8_t *to, unsigned int seed)
{
	unsigned int i;

	for (i = 0; i < sizeof(data); i++)
		to[i] = (uint8_t)(i * 7 + seed);
}

static bool is_filled(const uint8_t *from, unsigned int seed)
{
	unsigned int i;

	for (i = 0; i < sizeof(data); i++)
		if (from[i] != (uint8_t)(i * 7 + seed))
			return false;
	return true;
}

static void reads_and_refusals(void)
{
	expect(VIRTIO_BLOCK_IN, 0, 1024, VIRTIO_BLOCK_OK, 1025);
	memset(data, 0, 32);
	expect(VIRTIO_BLOCK_GET_ID, 0, VIRTIO_BLOCK_ID_BYTES, VIRTIO_BLOCK_OK,
	       VIRTIO_BLOCK_ID_BYTES + 1);
	CHECK(!strncmp((char *)data, "uml-host-", 9));
	/* Behind the end, partly, and where 64 bits end. */
	expect(VIRTIO_BLOCK_IN, SECTORS, 512, VIRTIO_BLOCK_IOERR, 1);
	expect(VIRTIO_BLOCK_IN, SECTORS - 1, 1024, VIRTIO_BLOCK_IOERR, 1);
	expect(VIRTIO_BLOCK_IN, UINT64_MAX, 512, VIRTIO_BLOCK_IOERR, 1);
	expect(VIRTIO_BLOCK_OUT, SECTORS, 512, VIRTIO_BLOCK_IOERR, 1);
	expect(VIRTIO_BLOCK_OUT, UINT64_MAX / 512, 512, VIRTIO_BLOCK_IOERR, 1);
	expect(VIRTIO_BLOCK_SCSI, 0, 512, VIRTIO_BLOCK_UNSUPPORTED, 1);
	expect(0x77, 0, 512, VIRTIO_BLOCK_UNSUPPORTED, 1);
	printf("block: reads, name, refusals\n");
}

static void writes(void)
{
	fill(data, 0);
	expect(VIRTIO_BLOCK_OUT, 3, 1024, VIRTIO_BLOCK_OK, 1);
	memset(data, 0, sizeof(data));
	expect(VIRTIO_BLOCK_IN, 3, 1024, VIRTIO_BLOCK_OK, 1025);
	CHECK(is_filled(data, 0));
	expect(VIRTIO_BLOCK_FLUSH, 0, 0, VIRTIO_BLOCK_OK, 1);
	if (block.accepted & VIRTIO_FEATURE(VIRTIO_BLOCK_F_BARRIER))
		expect(VIRTIO_BLOCK_OUT | VIRTIO_BLOCK_BARRIER, 5, 1024, VIRTIO_BLOCK_OK, 1);
	printf("block: write, flush\n");
}

/* All of them in the ring before the first is waited for. */
static void many_at_once(void)
{
	unsigned int i;

	for (i = 0; i < AT_ONCE; i++) {
		fill(many[i].data, i);
		block_submit(&block, &many[i].request, VIRTIO_BLOCK_OUT, 10 + 2 * i,
			     many[i].data, 1024);
	}
	for (i = 0; i < AT_ONCE; i++)
		CHECK(virtio_wait(q).len == 1);
	for (i = 0; i < AT_ONCE; i++) {
		CHECK(many[i].request.status == VIRTIO_BLOCK_OK);
		memset(many[i].data, 0, sizeof(many[i].data));
		block_submit(&block, &many[i].request, VIRTIO_BLOCK_IN, 10 + 2 * i,
			     many[i].data, 1024);
	}
	for (i = 0; i < AT_ONCE; i++)
		virtio_wait(q);
	for (i = 0; i < AT_ONCE; i++)
		CHECK(many[i].request.status == VIRTIO_BLOCK_OK && is_filled(many[i].data, i));
	printf("block: %u at once\n", AT_ONCE);
}

static void on_irq(struct trap_frame *frame)
{
	(void)frame;
	if (block.transport->interrupted(&block))
		interrupts++;
}

static void by_interrupt(void)
{
	struct virtq_used_elem used;

	CHECK(interrupts == 0);		/* blocked so far, */
	block.transport->interrupted(&block);	/* but raised */
	trap_set_handler(LGUEST_IRQ_VECTOR + q->irq, on_irq);
	irq_disable();
	lguest_data.blocked_interrupts = ~(1u << q->irq);
	block_submit(&block, &many[0].request, VIRTIO_BLOCK_IN, 3, data, 1024);
	while (!virtio_used(q, &used))
		hcall0(LHCALL_HALT);
	irq_enable();
	while (!interrupts)
		__asm__ volatile("pause");
	irq_disable();
	lguest_data.blocked_interrupts = ~0u;
	/* Told not to, it does not; the request after it would be late. */
	interrupts = 0;
	q->avail->flags = VIRTQ_AVAIL_NO_INTERRUPT;
	lguest_data.blocked_interrupts = ~(1u << q->irq);
	irq_enable();
	expect(VIRTIO_BLOCK_FLUSH, 0, 0, VIRTIO_BLOCK_OK, 1);
	expect(VIRTIO_BLOCK_FLUSH, 0, 0, VIRTIO_BLOCK_OK, 1);
	irq_disable();
	lguest_data.blocked_interrupts = ~0u;
	q->avail->flags = 0;
	/* Before the later ones an empty ring is told, whatever the flag says. */
	CHECK(interrupts == 0 || !block.transport->modern);
	printf("block: interrupts\n");
}

/* A chain with a loop: the device stands still until it is reset, no more. */
static void broken_driver(void)
{
	uint16_t head;

	head = virtio_add(q, (struct virtio_piece[]){ { &many[0].request.header, 16, false },
						      { data, 512, true },
						      { &many[0].request.status, 1, true } }, 3);
	q->desc[q->desc[head].next].next = head;
	virtio_kick(q);
	/* By PCI one can see that it gave up. */
	while (block.transport->modern &&
	       !(block.transport->status(&block) & VIRTIO_STATUS_NEEDS_RESET))
		__asm__ volatile("pause");
	virtio_start(&block, block.accepted);
	expect(VIRTIO_BLOCK_IN, 3, 1024, VIRTIO_BLOCK_OK, 1025);
	CHECK(is_filled(data, 0));
	printf("block: still there after a broken chain and a reset\n");
}

static void read_only(void)
{
	CHECK(block.accepted & VIRTIO_FEATURE(VIRTIO_BLOCK_F_RO));
	reads_and_refusals();
	fill(data, 1);
	expect(VIRTIO_BLOCK_OUT, 0, 1024, VIRTIO_BLOCK_IOERR, 1);
	expect(VIRTIO_BLOCK_OUT | VIRTIO_BLOCK_BARRIER, 0, 1024, VIRTIO_BLOCK_IOERR, 1);
	expect(VIRTIO_BLOCK_OUT, 0, 0, VIRTIO_BLOCK_IOERR, 1);
	expect(VIRTIO_BLOCK_FLUSH, 0, 0, VIRTIO_BLOCK_OK, 1);
	printf("block: read-only\n");
}

/* Writes here and there up to the end: some of that fails, and what did not can
 * be read, then and later. */
static void full(void)
{
	uint32_t step = (uint32_t)block_capacity(&block) / 64, i, len;
	bool kept[64];
	unsigned int failed = 0;

	for (i = 0; i < 64; i++) {
		uint8_t status;

		fill(data, i);
		status = block_request(&block, VIRTIO_BLOCK_OUT, i * step, data, 1024, &len);
		CHECK(len == 1 && (status == VIRTIO_BLOCK_OK || status == VIRTIO_BLOCK_IOERR));
		kept[i] = status == VIRTIO_BLOCK_OK;
		failed += !kept[i];
	}
	CHECK(failed && failed < 64);
	for (i = 0; i < 64; i++) {
		expect(VIRTIO_BLOCK_IN, i * step, 1024, VIRTIO_BLOCK_OK, 1025);
		CHECK(!kept[i] || is_filled(data, i));
	}
	expect(VIRTIO_BLOCK_FLUSH, 0, 0, VIRTIO_BLOCK_OK, 1);
	printf("block: a full disk is an I/O error\n");
}

int guest_main(void)
{
	virtio_open();
	CHECK(virtio_find(&block, VIRTIO_ID_BLOCK, 0));
	virtio_start(&block, VIRTIO_FEATURE(VIRTIO_BLOCK_F_BARRIER) |
		     VIRTIO_FEATURE(VIRTIO_BLOCK_F_FLUSH) | VIRTIO_FEATURE(VIRTIO_BLOCK_F_RO) |
		     VIRTIO_FEATURE(VIRTIO_BLOCK_F_SEG_MAX));
	if (guest_option("full")) {
		full();
		return 0;
	}
	CHECK(block_capacity(&block) == SECTORS);
	if (guest_option("ro")) {
		read_only();
	} else {
		reads_and_refusals();
		writes();
		many_at_once();
		by_interrupt();
		broken_driver();
	}
	virtio_reset(&block);
	return 0;
}
