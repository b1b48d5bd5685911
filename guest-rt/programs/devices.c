/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lguest bus from the guest's side: finds the devices on the page behind
 * RAM, and uses the console, a block device and the random numbers, by polling
 * and by interrupt.  Wants --block=FILE of 64 KiB and --rng.
 */
#include <guest-rt/user.h>
#include <lguest/device.h>
#include <virtio/ring.h>

#define NEXT VIRTQ_DESC_NEXT
#define WRITE VIRTQ_DESC_WRITE
#define NO_INTERRUPT VIRTQ_AVAIL_NO_INTERRUPT

enum { NET = 1, BLOCK, CONSOLE, RNG };

struct queue {
	uint32_t address;	/* guest-physical, names the queue in NOTIFY */
	unsigned int num, irq;
	volatile struct virtq_desc *desc;
	volatile struct virtq_avail *avail;
	volatile struct virtq_used *used;
	uint16_t seen;
};

static struct page_tables tables;
static uint32_t device_table[1024] __attribute__((aligned(4096)));
static uint32_t mem;
static volatile uint32_t interrupts;

/* RAM ends where the one e820 entry of boot_params says. */
static uint32_t memory_size(void)
{
	uint32_t size;

	__asm__ volatile("movl (%1), %0" : "=r"(size) : "r"(0x2d8));
	return size;
}

/* The page and the rings are memory like any other: mapped 1:1. */
static void map_devices(void)
{
	unsigned int i;

	tables_init(&tables);
	for (i = 0; i < 256; i++)
		device_table[(mem >> 12 & 1023) + i] = (mem + i * 4096) | PTE_KERNEL;
	tables.top[mem >> 22] = guest_pa(device_table) | 0x63;
	tables_load(&tables);
}

static void on_irq(struct trap_frame *frame)
{
	interrupts |= 1u << (frame->vector - LGUEST_IRQ_VECTOR);
}

/* The record of a device, status set step by step as a driver does. */
static volatile uint8_t *find(unsigned int type)
{
	volatile uint8_t *at = (volatile uint8_t *)mem;

	while (*at && *at != type)
		at += 5 + 8 * at[1] + 2 * at[2] + at[3];
	CHECK(*at == type);
	return at;
}

static void set_status(volatile uint8_t *record, uint8_t status)
{
	record[4] = status;
	hcall1(LHCALL_NOTIFY, (uint32_t)record);
}

static struct queue open_queue(volatile uint8_t *record, unsigned int nr)
{
	const volatile struct lguest_vq *c = (void *)(record + 5 + 8 * nr);
	struct queue q = { .address = c->pfn << 12, .num = c->num, .irq = c->irq };
	uint32_t end = q.num * 16 + 4 + q.num * 2;

	q.desc = (void *)q.address;
	q.avail = (void *)(q.address + q.num * 16);
	q.used = (void *)(q.address + ((end + 4095) & ~4095u));
	CHECK(q.num == 256 && q.irq >= 1 && q.irq < 32);
	return q;
}

static void buffer(struct queue *q, unsigned int i, const volatile void *p, uint32_t len,
		   uint16_t flags)
{
	q->desc[i].addr = guest_pa(p);
	q->desc[i].len = len;
	q->desc[i].flags = flags;
	q->desc[i].next = (uint16_t)(i + 1);
}

/* Gives the chain at descriptor 0 to the device. */
static void offer(struct queue *q)
{
	q->avail->ring[q->avail->idx % q->num] = 0;
	__asm__ volatile("" : : : "memory");
	q->avail->idx++;
	hcall1(LHCALL_NOTIFY, q->address);
}

static uint32_t wait_used(struct queue *q)
{
	while (q->used->idx == q->seen)
		__asm__ volatile("pause");
	return q->used->ring[q->seen++ % q->num].len;
}

/* --- console ---------------------------------------------------------------------- */

static void console(void)
{
	static const char text[] = "through the console device\n";
	volatile uint8_t *record = find(CONSOLE);
	struct queue out = open_queue(record, 1);

	set_status(record, 0);
	set_status(record, 7);
	out.avail->flags = NO_INTERRUPT;
	buffer(&out, 0, text, 10, NEXT);
	buffer(&out, 1, text + 10, sizeof(text) - 11, 0);
	offer(&out);
	/* Old drivers spin without making another call: it is done by now. */
	CHECK(out.used->idx == 1);
}

/* --- block ------------------------------------------------------------------------- */

static struct { uint32_t type, prio; uint64_t sector; } header;
static uint8_t data[1024];
static uint8_t status;

static uint8_t request(struct queue *q, uint32_t type, uint32_t sector, uint32_t bytes,
		       uint32_t *written)
{
	header.type = type;
	header.sector = sector;
	status = 0x55;
	buffer(q, 0, &header, sizeof(header), NEXT);
	buffer(q, 1, data, bytes, NEXT | (type == 1 ? 0 : WRITE));
	buffer(q, 2, &status, 1, WRITE);
	if (!bytes)
		q->desc[0].next = 2;
	offer(q);
	*written = wait_used(q);
	return status;
}

static void block(void)
{
	volatile uint8_t *record = find(BLOCK);
	struct queue q = open_queue(record, 0);
	const volatile uint64_t *sectors = (void *)(record + 5 + 8 + 2 * record[2]);
	uint32_t written;
	unsigned int i;

	set_status(record, 0);
	set_status(record, 7);
	CHECK((uint32_t)*sectors == 128);
	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	CHECK(request(&q, 1, 3, sizeof(data), &written) == 0 && written == 1);
	memset(data, 0, sizeof(data));
	CHECK(request(&q, 0, 3, sizeof(data), &written) == 0 && written == sizeof(data) + 1);
	for (i = 0; i < sizeof(data); i++)
		CHECK(data[i] == (uint8_t)(i * 7));
	CHECK(request(&q, 4, 0, 0, &written) == 0);			/* flush */
	CHECK(request(&q, 8, 0, 20, &written) == 0);			/* its name */
	CHECK(request(&q, 0, 128, 512, &written) == 1);			/* behind the end */
	CHECK(request(&q, 0, 127, 1024, &written) == 1);
	CHECK(request(&q, 1, 0x7fffffff, 512, &written) == 1);
	CHECK(request(&q, 2, 0, 512, &written) == 2);			/* SCSI */
	CHECK(interrupts == 0);		/* blocked so far */
	/* Now by interrupt. */
	lguest_data.blocked_interrupts = ~(1u << q.irq);
	irq_enable();
	CHECK(request(&q, 0, 0, 512, &written) == 0);
	while (!(interrupts & 1u << q.irq))
		__asm__ volatile("pause");
	irq_disable();
	printf("block: read, write, flush, name, refusals, interrupt\n");
}

static void rng(void)
{
	volatile uint8_t *record = find(RNG);
	struct queue q = open_queue(record, 0);
	unsigned int i, differ = 0;

	set_status(record, 0);
	set_status(record, 7);
	memset(data, 0, sizeof(data));
	buffer(&q, 0, data, 64, WRITE);
	offer(&q);
	CHECK(wait_used(&q) == 64);
	for (i = 1; i < 64; i++)
		differ += data[i] != data[0];
	CHECK(differ > 16);
	printf("rng: 64 bytes\n");
}

/* A chain with a loop: the device stands still until it is reset, no more. */
static void broken_driver(void)
{
	volatile uint8_t *record = find(BLOCK);
	struct queue q = open_queue(record, 0);
	uint32_t written;

	set_status(record, 0);
	set_status(record, 7);
	buffer(&q, 0, &header, sizeof(header), NEXT);
	buffer(&q, 1, data, 512, NEXT | WRITE);
	q.desc[1].next = 0;
	offer(&q);
	set_status(record, 0);
	q.seen = 0;
	set_status(record, 7);
	CHECK(request(&q, 0, 3, 512, &written) == 0);
	printf("block: still there after a broken chain and a reset\n");
}

int guest_main(void)
{
	unsigned int irq;

	gdt_load();
	idt_load();
	lguest_data.blocked_interrupts = ~0u;
	for (irq = 0; irq < 16; irq++)
		trap_set_handler(LGUEST_IRQ_VECTOR + irq, on_irq);
	mem = memory_size();
	map_devices();
	console();
	block();
	rng();
	broken_driver();
	return 0;
}
