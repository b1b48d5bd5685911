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
#include <virtio/block.h>

#define SECTORS 128u
#define AT_ONCE 20u

static struct virtio_device block;
static struct virtio_queue *const q = &block.queue[0];
static volatile unsigned int interrupts;

struct request {
	struct virtio_block_header header;
	uint8_t data[1024];
	volatile uint8_t status;
};

static struct request one, many[AT_ONCE];

static void submit(struct request *r, uint32_t type, uint64_t sector, uint32_t bytes)
{
	bool write = (type & ~VIRTIO_BLOCK_BARRIER) != VIRTIO_BLOCK_OUT;
	struct virtio_piece piece[3] = { { &r->header, sizeof(r->header), false } };
	unsigned int n = 1;

	r->header = (struct virtio_block_header){ .type = type, .sector = sector };
	r->status = 0x55;
	if (bytes)
		piece[n++] = (struct virtio_piece){ r->data, bytes, write };
	piece[n++] = (struct virtio_piece){ &r->status, 1, true };
	virtio_add(q, piece, n);
	virtio_kick(q);
}

/* Does it and returns the status; *len is what the device says it wrote. */
static uint8_t request(uint32_t type, uint64_t sector, uint32_t bytes, uint32_t *len)
{
	submit(&one, type, sector, bytes);
	*len = virtio_wait(q).len;
	return one.status;
}

/* What must come of it: `written` bytes and the status. */
static void expect(uint32_t type, uint64_t sector, uint32_t bytes, uint8_t status,
		   uint32_t written)
{
	uint32_t len;
	uint8_t got = request(type, sector, bytes, &len);

	if (got != status || len != written)
		guest_panic("request %u at sector 0x%x, %u bytes: status %u length %u, "
			    "wanted %u %u", (unsigned int)type, (unsigned int)sector,
			    (unsigned int)bytes, got, (unsigned int)len, status,
			    (unsigned int)written);
}

static void fill(uint8_t *to, unsigned int seed)
{
	unsigned int i;

	for (i = 0; i < sizeof(one.data); i++)
		to[i] = (uint8_t)(i * 7 + seed);
}

static bool is_filled(const uint8_t *from, unsigned int seed)
{
	unsigned int i;

	for (i = 0; i < sizeof(one.data); i++)
		if (from[i] != (uint8_t)(i * 7 + seed))
			return false;
	return true;
}

static uint32_t capacity(void)
{
	struct virtio_block_config c;

	block.transport->read_config(&block, 0, &c, offsetof(struct virtio_block_config, cylinders));
	CHECK(c.seg_max >= 126);
	return (uint32_t)c.capacity;
}

static void reads_and_refusals(void)
{
	expect(VIRTIO_BLOCK_IN, 0, 1024, VIRTIO_BLOCK_OK, 1025);
	memset(one.data, 0, 32);
	expect(VIRTIO_BLOCK_GET_ID, 0, VIRTIO_BLOCK_ID_BYTES, VIRTIO_BLOCK_OK,
	       VIRTIO_BLOCK_ID_BYTES + 1);
	CHECK(!strncmp((char *)one.data, "uml-host-", 9));
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
	fill(one.data, 0);
	expect(VIRTIO_BLOCK_OUT, 3, 1024, VIRTIO_BLOCK_OK, 1);
	memset(one.data, 0, sizeof(one.data));
	expect(VIRTIO_BLOCK_IN, 3, 1024, VIRTIO_BLOCK_OK, 1025);
	CHECK(is_filled(one.data, 0));
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
		submit(&many[i], VIRTIO_BLOCK_OUT, 10 + 2 * i, 1024);
	}
	for (i = 0; i < AT_ONCE; i++)
		CHECK(virtio_wait(q).len == 1);
	for (i = 0; i < AT_ONCE; i++) {
		CHECK(many[i].status == VIRTIO_BLOCK_OK);
		memset(many[i].data, 0, sizeof(many[i].data));
		submit(&many[i], VIRTIO_BLOCK_IN, 10 + 2 * i, 1024);
	}
	for (i = 0; i < AT_ONCE; i++)
		virtio_wait(q);
	for (i = 0; i < AT_ONCE; i++)
		CHECK(many[i].status == VIRTIO_BLOCK_OK && is_filled(many[i].data, i));
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
	submit(&one, VIRTIO_BLOCK_IN, 3, 1024);
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

	head = virtio_add(q, (struct virtio_piece[]){ { &one.header, 16, false },
						      { one.data, 512, true },
						      { &one.status, 1, true } }, 3);
	q->desc[q->desc[head].next].next = head;
	virtio_kick(q);
	/* By PCI one can see that it gave up. */
	while (block.transport->modern &&
	       !(block.transport->status(&block) & VIRTIO_STATUS_NEEDS_RESET))
		__asm__ volatile("pause");
	virtio_start(&block, block.accepted);
	expect(VIRTIO_BLOCK_IN, 3, 1024, VIRTIO_BLOCK_OK, 1025);
	CHECK(is_filled(one.data, 0));
	printf("block: still there after a broken chain and a reset\n");
}

static void read_only(void)
{
	CHECK(block.accepted & VIRTIO_FEATURE(VIRTIO_BLOCK_F_RO));
	reads_and_refusals();
	fill(one.data, 1);
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
	uint32_t step = capacity() / 64, i, len;
	bool kept[64];
	unsigned int failed = 0;

	for (i = 0; i < 64; i++) {
		uint8_t status;

		fill(one.data, i);
		status = request(VIRTIO_BLOCK_OUT, i * step, 1024, &len);
		CHECK(len == 1 && (status == VIRTIO_BLOCK_OK || status == VIRTIO_BLOCK_IOERR));
		kept[i] = status == VIRTIO_BLOCK_OK;
		failed += !kept[i];
	}
	CHECK(failed && failed < 64);
	for (i = 0; i < 64; i++) {
		expect(VIRTIO_BLOCK_IN, i * step, 1024, VIRTIO_BLOCK_OK, 1025);
		CHECK(!kept[i] || is_filled(one.data, i));
	}
	expect(VIRTIO_BLOCK_FLUSH, 0, 0, VIRTIO_BLOCK_OK, 1);
	printf("block: a full disk is an I/O error\n");
}

int guest_main(void)
{
	gdt_load();
	idt_load();
	lguest_data.blocked_interrupts = ~0u;
	virtio_open();
	CHECK(virtio_find(&block, VIRTIO_ID_BLOCK, 0));
	virtio_start(&block, VIRTIO_FEATURE(VIRTIO_BLOCK_F_BARRIER) |
		     VIRTIO_FEATURE(VIRTIO_BLOCK_F_FLUSH) | VIRTIO_FEATURE(VIRTIO_BLOCK_F_RO) |
		     VIRTIO_FEATURE(VIRTIO_BLOCK_F_SEG_MAX));
	if (guest_option("full")) {
		full();
		return 0;
	}
	CHECK(capacity() == SECTORS);
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
