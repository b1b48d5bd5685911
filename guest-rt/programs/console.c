/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The console: the early one, output that is done when the kick returns, and
 * input, which is echoed until a '.' comes.  "pci": by PCI.
 */
#include <guest-rt/virtio.h>
#include <virtio/console.h>

#define BUFFERS 3u
#define BUFFER_BYTES 7u		/* small, so that input has to wait for them */

static struct virtio_device console;
static uint8_t typed[BUFFERS][BUFFER_BYTES];
static volatile unsigned int interrupts;

static void on_irq(struct trap_frame *frame)
{
	(void)frame;
	if (console.transport->interrupted(&console))
		interrupts++;
}

/* Old drivers spin on the ring without another call, so by then it is done. */
static void put(const struct virtio_piece *piece, unsigned int n)
{
	struct virtio_queue *out = &console.queue[VIRTIO_CONSOLE_OUT];
	struct virtq_used_elem used;
	uint32_t bytes = 0, i;

	for (i = 0; i < n; i++)
		bytes += piece[i].len;
	virtio_add(out, piece, n);
	virtio_kick(out);
	CHECK(virtio_used(out, &used));
	CHECK(used.len == (GUEST_ABI <= GUEST_ABI_B ? bytes : 0));
}

static void output(void)
{
	static const char text[] = "through the console device\n";
	const struct virtio_piece halves[] = {
		{ text, 10, false }, { text + 10, sizeof(text) - 11, false },
	};

	console.queue[VIRTIO_CONSOLE_OUT].avail->flags = VIRTQ_AVAIL_NO_INTERRUPT;
	put(halves, 2);
}

static void post(unsigned int i)
{
	const struct virtio_piece piece = { typed[i], BUFFER_BYTES, true };
	struct virtio_queue *in = &console.queue[VIRTIO_CONSOLE_IN];

	virtio_add(in, &piece, 1);
	virtio_kick(in);
}

/* What is in a buffer goes out again.  True: that was all. */
static bool echo(const uint8_t *text, uint32_t n)
{
	const struct virtio_piece piece = { text, n, false };

	CHECK(n >= 1 && n <= BUFFER_BYTES);
	put(&piece, 1);
	while (n && *text != '.') {
		text++;
		n--;
	}
	return n;
}

/* Nothing typed, nothing to do: the way an idle kernel waits. */
static void sleep_until_typed(void)
{
	struct virtio_queue *in = &console.queue[VIRTIO_CONSOLE_IN];

	irq_disable();
	if (in->used->idx == in->seen)
		hcall0(LHCALL_HALT);
	irq_disable();
}

static void input(void)
{
	struct virtio_queue *in = &console.queue[VIRTIO_CONSOLE_IN];
	struct virtq_used_elem used;
	unsigned int next;	/* buffers come back in their order */
	bool last = false;

	trap_set_handler(LGUEST_IRQ_VECTOR + in->irq, on_irq);
	lguest_data.blocked_interrupts = ~(1u << in->irq);
	for (next = 0; next < BUFFERS; next++)
		post(next);
	next = 0;
	while (!last) {
		sleep_until_typed();
		while (!last && virtio_used(in, &used)) {
			last = echo(typed[next], used.len);
			if (!last)
				post(next);
			next = (next + 1) % BUFFERS;
		}
	}
	/* The last one was perhaps seen before it was told. */
	irq_enable();
	while (!interrupts)
		__asm__ volatile("pause");
	irq_disable();
}

int guest_main(void)
{
	printf("early\n");
	virtio_open();
	CHECK(virtio_find(&console, VIRTIO_ID_CONSOLE, 0));
	virtio_start(&console, VIRTIO_FEATURE(VIRTIO_CONSOLE_F_EMERG_WRITE));
	output();
	input();
	virtio_reset(&console);
	return 0;
}
