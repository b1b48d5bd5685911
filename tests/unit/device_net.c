/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network device over a pair of sockets that keeps packets apart. */
#include "device_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "virtio/net.h"

static struct rig rig;
static struct driver_queue rx, tx;
static int peer;		/* the other end of the wire */
static uint64_t agreed;

struct pair {
	struct net_backend backend;
	bool closed;
};

static ssize_t pair_send(struct net_backend *b, const struct iovec *iov, int n)
{
	return writev(b->fd, iov, n);
}

static ssize_t pair_recv(struct net_backend *b, const struct iovec *iov, int n)
{
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n };

	/* As a tap: the true length, even if it did not fit. */
	return recvmsg(b->fd, &m, MSG_TRUNC);
}

static void pair_agreed(struct net_backend *b, uint64_t features)
{
	(void)b;
	agreed = features;
}

static void pair_close(struct net_backend *b)
{
	close(b->fd);
	((struct pair *)b)->closed = true;
}

static const struct net_backend_ops pair_ops = {
	.send = pair_send, .recv = pair_recv, .agreed = pair_agreed, .close = pair_close,
};

static struct pair pair;

static void open_net(enum device_form form, unsigned int header, uint32_t features)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };
	int fds[2];

	cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	peer = fds[1];
	cr_assert(fcntl(peer, F_SETFL, 0) == 0);
	pair = (struct pair){
		.backend = { .ops = &pair_ops, .fd = fds[0], .header_bytes = header },
	};
	if (header)
		pair.backend.features = 0x3b83 | 1u << 20;	/* and one that is none */
	rig_open(&rig);
	bus_add_net(rig.bus, &pair.backend, mac);
	rig_start(&rig, form);
	if (form == DEVICE_FORM_Z)
		return;
	rig_probe(&rig, 0, features);
	rx = rig_queue(&rig, 0, VIRTIO_NET_RX);
	tx = rig_queue(&rig, 0, VIRTIO_NET_TX);
}

static void give_buffer(uint32_t at, uint32_t header, uint32_t len)
{
	struct piece p[2] = { { at, header, true }, { at + header, len, true } };

	driver_add(&rx, p, 2);
	driver_kick(&rx);
}

Test(device_net, record)
{
	static const uint8_t want[] = {
		1, 2, 4, 8, 7,
		0, 1, 1, 0, 0x01, 0x01, 0, 0,
		0, 1, 2, 0, 0x04, 0x01, 0, 0,
		/* what the back end has, MAC, MRG_RXBUF; NOTIFY_ON_EMPTY, ANY_LAYOUT,
		 * INDIRECT */
		0xa3, 0xbb, 0, 0x19,
		0, 0, 0, 0,
		2, 0, 0, 0, 0, 1, 1, 0, 0,
	};

	open_net(DEVICE_FORM_E, 10, 0);
	cr_assert_arr_eq(rig.memory + RIG_RAM, want, sizeof(want));
	rig_close(&rig);
	cr_assert(pair.closed);
	/* Without a back end that can, nothing is offered. */
	open_net(DEVICE_FORM_E, 0, 0);
	cr_assert_eq(rig.memory[RIG_RAM + 5 + 16], 0x20);
	cr_assert_eq(rig.memory[RIG_RAM + 5 + 17], 0x80);
	rig_close(&rig);
}

Test(device_net, agreement_reaches_the_back_end)
{
	open_net(DEVICE_FORM_E, 10, 0xffffffff);
	cr_assert_eq(agreed, 0x3b83);
	rig_probe(&rig, 0, 1);
	cr_assert_eq(agreed, 1);
	rig_status(&rig, 0, 0);
	cr_assert_eq(agreed, 0);
	rig_close(&rig);
}

struct net_case {
	const char *name;
	enum device_form form;
	unsigned int guest, backend;	/* bytes of header */
};

static const struct net_case cases[] = {
	{ "Z, tap", DEVICE_FORM_Z, 8, 10 },
	{ "Z, plain", DEVICE_FORM_Z, 8, 0 },
	{ "B, tap", DEVICE_FORM_B, 10, 10 },
	{ "E, tap", DEVICE_FORM_E, 10, 10 },
	{ "E, plain", DEVICE_FORM_E, 10, 0 },
};

static void queues_of_z(void)
{
	rx = (struct driver_queue){ .rig = &rig, .num = 128, .irq = 1, .address = RIG_RAM + 4096 };
	tx = (struct driver_queue){ .rig = &rig, .num = 128, .irq = 2, .address = RIG_RAM + 3 * 4096 };
	rx.desc = rig_at(&rig, rx.address);
	rx.avail = rig_at(&rig, rx.address + 2048);
	rx.used = rig_at(&rig, rx.address + 4096);
	tx.desc = rig_at(&rig, tx.address);
	tx.avail = rig_at(&rig, tx.address + 2048);
	tx.used = rig_at(&rig, tx.address + 4096);
}

/* A packet each way, with the headers of every generation and back end. */
Test(device_net, packets)
{
	static const char packet[] = "to whom it may concern: this is a packet, sixty bytes or so";
	const size_t len = sizeof(packet);
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct net_case *c = &cases[i];
		uint8_t wire[256] = { 0 }, zero[16] = { 0 };
		uint32_t buffer;
		struct piece p[2];

		open_net(c->form, c->backend, 0x83);
		if (c->form == DEVICE_FORM_Z)
			queues_of_z();
		/* From the wire; the header says the checksum is missing. */
		buffer = rig_alloc(&rig, 2048);
		memset(rig_at(&rig, buffer), 0xee, 2048);
		give_buffer(buffer, c->guest, 1514);
		if (c->backend)
			memcpy(wire, "\1\0\0\0\0\0\20\0\6\0", 10);
		memcpy(wire + c->backend, packet, len);
		cr_assert_eq(write(peer, wire, c->backend + len), (ssize_t)(c->backend + len));
		cr_assert_eq(driver_wait(&rx).len, c->guest + len, "%s", c->name);
		rig_await_irq(&rig, rx.irq, 0);
		cr_assert_arr_eq(rig_at(&rig, buffer + c->guest), packet, len, "%s", c->name);
		cr_assert_arr_eq(rig_at(&rig, buffer), c->backend && c->guest == 10 ? wire : zero,
				 c->guest, "%s", c->name);
		/* To the wire. */
		memset(rig_at(&rig, buffer), 0, c->guest);
		p[0] = (struct piece){ buffer, c->guest, false };
		p[1] = (struct piece){ buffer + c->guest, (uint32_t)len, false };
		driver_add(&tx, p, 2);
		driver_kick(&tx);
		cr_assert_eq(driver_wait(&tx).len, 0, "%s", c->name);
		cr_assert_eq(read(peer, wire, sizeof(wire)), (ssize_t)(c->backend + len), "%s", c->name);
		cr_assert_arr_eq(wire, zero, c->backend, "%s", c->name);
		cr_assert_arr_eq(wire + c->backend, packet, len, "%s", c->name);
		rig_close(&rig);
		close(peer);
	}
}

static void send_with(uint8_t flags, uint8_t gso)
{
	struct virtio_net_hdr h = { .flags = flags, .gso_type = gso };
	uint32_t at = rig_alloc(&rig, 100);
	struct piece p = { at, 70, false };

	memcpy(rig_at(&rig, at), &h, sizeof(h));
	driver_add(&tx, &p, 1);
	driver_kick(&tx);
	driver_wait(&tx);
}

/* What was not agreed to does not get out. */
Test(device_net, drops_what_was_not_agreed_to)
{
	uint8_t wire[256];

	open_net(DEVICE_FORM_E, 10, 0);
	send_with(VIRTIO_NET_HDR_NEEDS_CSUM, 0);
	send_with(0, VIRTIO_NET_GSO_TCPV4);
	send_with(0, 0);
	cr_assert_eq(recv(peer, wire, sizeof(wire), 0), 70);
	cr_assert(wire[0] == 0 && wire[1] == 0);
	cr_assert_eq(recv(peer, wire, sizeof(wire), MSG_DONTWAIT), -1);
	rig_close(&rig);
	open_net(DEVICE_FORM_E, 10, 0x801);
	send_with(VIRTIO_NET_HDR_NEEDS_CSUM, VIRTIO_NET_GSO_TCPV4);
	cr_assert_eq(recv(peer, wire, sizeof(wire), 0), 70);
	cr_assert(wire[0] == 1 && wire[1] == 1);
	rig_close(&rig);
}

/* A packet that does not fit is lost, the next one takes its buffer. */
Test(device_net, too_long_packets)
{
	static uint8_t big[4000];
	uint32_t buffer;

	open_net(DEVICE_FORM_E, 10, 0);
	buffer = rig_alloc(&rig, 2048);
	cr_assert_eq(write(peer, big, sizeof(big)), (ssize_t)sizeof(big));
	cr_assert_eq(write(peer, big, 10 + 100), 110);
	give_buffer(buffer, 10, 1514);
	cr_assert_eq(driver_wait(&rx).len, 110);
	rig_close(&rig);
}

#define MRG (1u << VIRTIO_NET_F_MRG_RXBUF)

static void one_buffer(uint32_t at, uint32_t len)
{
	struct piece p = { at, len, true };

	driver_add(&rx, &p, 1);
}

/* Spread over buffers: all of them at once, or none yet. */
Test(device_net, merged)
{
	static uint8_t big[3000];
	uint32_t at;
	struct virtio_net_hdr_v1 *h;
	unsigned int i;

	open_net(DEVICE_FORM_E, 10, MRG);
	for (i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i / 7);
	memset(big, 0, 10);
	at = rig_alloc(&rig, 8192);
	h = rig_at(&rig, at);
	/* Two buffers are not enough: nothing is used; the third completes it. */
	one_buffer(at, 1000);
	one_buffer(at + 1000, 1000);
	driver_kick(&rx);
	cr_assert_eq(write(peer, big, sizeof(big)), (ssize_t)sizeof(big));
	cr_assert_eq(write(peer, big, 10 + 60), 70);
	one_buffer(at + 2000, 2000);
	one_buffer(at + 4000, 12 + 60);
	one_buffer(at + 5000, 12);
	one_buffer(at + 6000, 60);
	driver_kick(&rx);
	cr_assert_eq(driver_wait(&rx).len, 1000);
	/* The others were used in the same moment. */
	cr_assert(driver_has_used(&rx));
	cr_assert_eq(driver_wait(&rx).len, 1000);
	cr_assert(driver_has_used(&rx));
	cr_assert_eq(driver_wait(&rx).len, 3000 + 2 - 2000);
	cr_assert_eq(h->num_buffers, 3);
	cr_assert_eq(h->hdr.gso_type, 0);
	cr_assert_arr_eq((uint8_t *)h + 12, big + 10, sizeof(big) - 10);
	/* The next fits exactly; the one after it has its header alone in one. */
	cr_assert_eq(driver_wait(&rx).len, 72);
	cr_assert_eq(((struct virtio_net_hdr_v1 *)rig_at(&rig, at + 4000))->num_buffers, 1);
	cr_assert_eq(write(peer, big, 10 + 60), 70);
	cr_assert_eq(driver_wait(&rx).len, 12);
	cr_assert_eq(driver_wait(&rx).len, 60);
	cr_assert_eq(((struct virtio_net_hdr_v1 *)rig_at(&rig, at + 5000))->num_buffers, 2);
	cr_assert_eq(rig.complaints, 0);
	/* Its header is 12 bytes when it sends, too. */
	send_with(0, 0);
	cr_assert_eq(read(peer, big, sizeof(big)), 68);
	rig_close(&rig);
}

/* Many, while the guest keeps giving buffers one by one. */
Test(device_net, merged_one_by_one)
{
	static uint8_t packet[4000], got[4100];
	unsigned int i;
	uint32_t at;

	open_net(DEVICE_FORM_E, 0, MRG);
	at = rig_alloc(&rig, 8 * 512);
	for (i = 0; i < 40; i++) {
		uint32_t n = 12 + 100 * i + 60, slot = 0, have = 0;

		memset(packet, (int)i, sizeof(packet));
		cr_assert_eq(write(peer, packet, n - 12), (ssize_t)n - 12);
		while (have < n && slot < 8) {
			one_buffer(at + 512 * slot++, 512);
			driver_kick(&rx);
			have += 512;
		}
		for (have = 0; have < n;) {
			uint32_t len = driver_wait(&rx).len;

			memcpy(got + have, rig_at(&rig, at + have / 512 * 512), len);
			have += len;
		}
		cr_assert_eq(have, n);
		cr_assert_arr_eq(got + 12, packet, n - 12);
	}
	rig_close(&rig);
}

/* A guest with buffers too small for a packet it gets no more than a ring of. */
Test(device_net, merged_never_enough)
{
	static uint8_t big[3000];
	uint32_t at;
	unsigned int i;

	open_net(DEVICE_FORM_E, 0, MRG);
	at = rig_alloc(&rig, 256);
	cr_assert_eq(write(peer, big, sizeof(big)), (ssize_t)sizeof(big));
	one_buffer(at, 12);
	for (i = 1; i < 256; i++)
		one_buffer(at, 1);
	driver_kick(&rx);
	/* More than the ring has cannot be in flight.  It takes the place of the first, which the
	 * device may not have seen yet. */
	one_buffer(at, 12);
	bus_notify(rig.bus, rx.address);
	rig_await_complaint(&rig);
	cr_assert(strstr(rig.complaint, "ahead of us"), "%s", rig.complaint);
	cr_assert_not(driver_has_used(&rx));
	rig_close(&rig);
}

/* ABI 8.2: Z' to B probe, kick, and only then write what they accept. */
Test(device_net, probe_first)
{
	uint8_t packet[60] = { 0 };
	uint32_t at, mrg = MRG;

	open_net(DEVICE_FORM_B, 0, 0);
	rig_status(&rig, 0, 0);
	rig_status(&rig, 0, 1);
	rig_status(&rig, 0, 3);
	rx = rig_queue(&rig, 0, VIRTIO_NET_RX);
	at = rig_alloc(&rig, 256);
	one_buffer(at, 256);
	cr_assert_eq(write(peer, packet, 60), 60);
	driver_kick(&rx);
	/* A device that did not wait would use it about now. */
	poll(NULL, 0, 30);
	cr_assert_not(driver_has_used(&rx));
	memcpy(rig.memory + RIG_RAM + 5 + 16 + 4, &mrg, 4);
	rig_status(&rig, 0, 7);
	cr_assert_eq(driver_wait(&rx).len, 72);
	rig_close(&rig);
}

/* C writes it first, but tells only at DRIVER_OK, after its probe kicked. */
Test(device_net, features_first)
{
	uint8_t packet[60] = { 0 };
	uint32_t at, mrg = MRG;

	open_net(DEVICE_FORM_E, 0, 0);
	rig_status(&rig, 0, 0);
	rig_status(&rig, 0, 1);
	rig_status(&rig, 0, 3);
	rx = rig_queue(&rig, 0, VIRTIO_NET_RX);
	memcpy(rig.memory + RIG_RAM + 5 + 16 + 4, &mrg, 4);
	at = rig_alloc(&rig, 256);
	one_buffer(at, 256);
	driver_kick(&rx);
	cr_assert_eq(write(peer, packet, 60), 60);
	cr_assert_eq(driver_wait(&rx).len, 72);
	rig_close(&rig);
}

/* Packets wait for buffers, and in order. */
Test(device_net, packets_wait)
{
	uint8_t packet[60] = { 0 };
	uint32_t buffer;
	unsigned int i;

	open_net(DEVICE_FORM_E, 0, 0);
	buffer = rig_alloc(&rig, 2048);
	for (i = 0; i < 20; i++) {
		packet[0] = (uint8_t)i;
		cr_assert_eq(write(peer, packet, sizeof(packet)), 60);
	}
	for (i = 0; i < 20; i++) {
		give_buffer(buffer, 10, 1514);
		cr_assert_eq(driver_wait(&rx).len, 70);
		cr_assert_eq(*(uint8_t *)rig_at(&rig, buffer + 10), i);
	}
	rig_close(&rig);
}

/* A wire that is full holds senders up and loses nothing. */
Test(device_net, full_wire)
{
	const unsigned int packets = 200;
	uint8_t wire[8192];
	unsigned int i, sent = 0;
	uint32_t at;

	open_net(DEVICE_FORM_E, 0, 0);
	at = rig_alloc(&rig, 8000);
	for (i = 0; i < packets; i++) {
		struct piece p = { at, 4000, false };

		driver_add(&tx, &p, 1);
	}
	driver_kick(&tx);
	for (i = 0; i < packets; i++)
		cr_assert_eq(read(peer, wire, sizeof(wire)), 3990);
	while (sent < packets) {
		driver_wait(&tx);
		sent++;
	}
	rig_close(&rig);
}

/* The wire is cut: no endless loop, the guest goes on. */
Test(device_net, end_of_the_wire)
{
	uint32_t buffer;

	open_net(DEVICE_FORM_E, 0, 0);
	buffer = rig_alloc(&rig, 2048);
	give_buffer(buffer, 10, 1514);
	close(peer);
	signal(SIGPIPE, SIG_IGN);
	send_with(0, 0);
	cr_assert_not(driver_has_used(&rx));
	rig_close(&rig);
}

/* NOTIFY_ON_EMPTY: with it the sender hears of its last packet in any case. */
Test(device_net, notify_on_empty)
{
	open_net(DEVICE_FORM_E, 0, 1u << VIRTIO_F_NOTIFY_ON_EMPTY);
	__atomic_store_n(&tx.avail->flags, VIRTQ_AVAIL_NO_INTERRUPT, __ATOMIC_SEQ_CST);
	send_with(0, 0);
	rig_await_irq(&rig, tx.irq, 0);
	rig_close(&rig);
	open_net(DEVICE_FORM_E, 0, 0);
	__atomic_store_n(&tx.avail->flags, VIRTQ_AVAIL_NO_INTERRUPT, __ATOMIC_SEQ_CST);
	send_with(0, 0);
	bus_quiesce(rig.bus);
	cr_assert_eq(rig_irqs(&rig, tx.irq), 0);
	rig_close(&rig);
}
