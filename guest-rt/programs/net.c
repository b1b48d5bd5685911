/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network device: finds its neighbour 192.168.77.1 by ARP and has it echo
 * packets of all lengths, one by one and many at once.  Wants
 * --tunnet=192.168.77.1:MAC.
 *
 * On the command line: "user", its neighbour is 10.0.2.2 of --net=user; "pci", by PCI; "merge", packets may take several buffers,
 * and buffers are small.
 */
#include <guest-rt/virtio.h>
#include <virtio/net.h>

static uint32_t host_ip = 0xc0a84d01u, our_ip = 0xc0a84d02u;

#define BUFFERS 64u
#define BUFFER_BYTES 1600u
#define SMALL_BYTES 200u		/* of a buffer, with "merge" */
#define FRAME_MAX 1514u
#define PAYLOAD_MAX (FRAME_MAX - sizeof(struct echo))
#define AT_ONCE 7u			/* 64 small buffers hold as many */

struct ethernet {
	uint8_t to[6], from[6];
	uint16_t type;
} __attribute__((packed));

struct arp {
	struct ethernet ethernet;
	uint16_t hardware, protocol;
	uint8_t hardware_len, protocol_len;
	uint16_t operation;
	uint8_t sender_mac[6];
	uint32_t sender_ip;
	uint8_t target_mac[6];
	uint32_t target_ip;
} __attribute__((packed));

struct echo {
	struct ethernet ethernet;
	uint8_t version, service;
	uint16_t length, ip_id, fragment;
	uint8_t ttl, protocol;
	uint16_t ip_checksum;
	uint32_t source, destination;
	uint8_t type, code;
	uint16_t checksum, id, sequence;
	uint8_t payload[];
} __attribute__((packed));

#define TYPE_IP 0x0800
#define TYPE_ARP 0x0806
#define IP_BYTES 20u
#define ECHO_BYTES 8u		/* without payload */
#define ECHO_REQUEST 8
#define ECHO_ID 0x4c47

static struct virtio_device net;
static uint32_t header_bytes, buffer_bytes;
static bool merge;
static uint8_t our_mac[6], host_mac[6];
static uint8_t buffer[BUFFERS][BUFFER_BYTES];
static uint16_t buffer_of[VIRTIO_QUEUE_MAX];	/* by the name of its chain */
static uint8_t frame[FRAME_MAX];		/* what came last */

static uint16_t swap16(unsigned int x) { return (uint16_t)(x << 8 | x >> 8); }
static uint32_t swap32(uint32_t x) { return __builtin_bswap32(x); }

/* --- buffers ------------------------------------------------------------------------ */

static void post(uint16_t i)
{
	/* Header and packet in one where packets may be merged, else apart, as
	 * older devices want it. */
	const struct virtio_piece piece[2] = {
		{ buffer[i], merge ? buffer_bytes : header_bytes, true },
		{ buffer[i] + header_bytes, buffer_bytes - header_bytes, true },
	};
	uint16_t name = virtio_add(&net.queue[VIRTIO_NET_RX], piece, merge ? 1 : 2);

	buffer_of[name] = i;
}

/* The next packet into `frame`; its length. */
static uint32_t receive(void)
{
	struct virtio_queue *q = &net.queue[VIRTIO_NET_RX];
	struct virtio_net_hdr_v1 header;
	uint32_t at = 0, skip = header_bytes;
	unsigned int left = 1;
	bool first = true;

	for (; left; left--, first = false, skip = 0) {
		struct virtq_used_elem used = virtio_wait(q);
		uint16_t i = buffer_of[used.id];

		CHECK(used.len > skip && used.len <= buffer_bytes);
		if (first) {
			memcpy(&header, buffer[i], header_bytes);
			CHECK(!header.hdr.flags && header.hdr.gso_type == VIRTIO_NET_GSO_NONE);
			left = merge ? header.num_buffers : 1;
			CHECK(left && (!net.transport->modern || merge || header.num_buffers == 1));
		}
		CHECK(at + used.len - skip <= FRAME_MAX);
		memcpy(frame + at, buffer[i] + skip, used.len - skip);
		at += used.len - skip;
		/* No more than are needed, but all of those. */
		CHECK(left == 1 || used.len == buffer_bytes);
		post(i);
	}
	virtio_kick(q);
	return at;
}

static void send(const void *bytes, uint32_t len)
{
	static const struct virtio_net_hdr_v1 header;
	struct virtio_queue *q = &net.queue[VIRTIO_NET_TX];
	const struct virtio_piece piece[2] = {
		{ &header, header_bytes, false }, { bytes, len, false },
	};

	virtio_add(q, piece, 2);
	virtio_kick(q);
	virtio_wait(q);
}

/* --- ARP --------------------------------------------------------------------------------- */

static void find_host(void)
{
	struct arp request = {
		.ethernet = { .type = swap16(TYPE_ARP) },
		.hardware = swap16(1), .protocol = swap16(TYPE_IP),
		.hardware_len = 6, .protocol_len = 4, .operation = swap16(1),
		.sender_ip = swap32(our_ip), .target_ip = swap32(host_ip),
	};
	struct arp reply;

	memset(request.ethernet.to, 0xff, 6);
	memcpy(request.ethernet.from, our_mac, 6);
	memcpy(request.sender_mac, our_mac, 6);
	send(&request, sizeof(request));
	/* Others may have something to say as well. */
	do {
		receive();
		memcpy(&reply, frame, sizeof(reply));
	} while (reply.ethernet.type != swap16(TYPE_ARP) || reply.operation != swap16(2));
	CHECK(!memcmp(reply.ethernet.to, our_mac, 6) && reply.sender_ip == swap32(host_ip));
	memcpy(host_mac, reply.sender_mac, 6);
	printf("net: the host answers\n");
}

/* --- echoes --------------------------------------------------------------------------------- */

static uint16_t checksum(const void *bytes, uint32_t n)
{
	const uint8_t *at = bytes;
	uint32_t sum = 0, i;

	for (i = 0; i < n; i++)
		sum += i & 1 ? at[i] : (uint32_t)at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return swap16(~sum & 0xffff);
}

static uint8_t payload_byte(unsigned int sequence, uint32_t i)
{
	return (uint8_t)(i * 13 + sequence * 31);
}

static void ask(unsigned int sequence, uint32_t len)
{
	static uint8_t bytes[FRAME_MAX];
	struct echo *e = (struct echo *)bytes;
	uint32_t i;

	*e = (struct echo){
		.ethernet = { .type = swap16(TYPE_IP) }, .version = 0x45,
		.length = swap16(IP_BYTES + ECHO_BYTES + len), .ttl = 64, .protocol = 1,
		.source = swap32(our_ip), .destination = swap32(host_ip),
		.type = ECHO_REQUEST, .id = swap16(ECHO_ID), .sequence = swap16(sequence),
	};
	memcpy(e->ethernet.to, host_mac, 6);
	memcpy(e->ethernet.from, our_mac, 6);
	for (i = 0; i < len; i++)
		e->payload[i] = payload_byte(sequence, i);
	e->ip_checksum = checksum(&e->version, IP_BYTES);
	e->checksum = checksum(&e->type, ECHO_BYTES + len);
	send(bytes, sizeof(*e) + len);
}

static void answered(unsigned int sequence, uint32_t len)
{
	const struct echo *e = (const struct echo *)frame;
	uint32_t got, i;

	do
		got = receive();
	while (e->ethernet.type != swap16(TYPE_IP) || e->protocol != 1 || e->type != 0);
	/* A short frame may be filled up. */
	CHECK(got >= sizeof(*e) + len && e->length == swap16(IP_BYTES + ECHO_BYTES + len));
	CHECK(e->id == swap16(ECHO_ID) && e->sequence == swap16(sequence));
	CHECK(!checksum(&e->version, IP_BYTES) && !checksum(&e->type, ECHO_BYTES + len));
	for (i = 0; i < len; i++)
		CHECK(e->payload[i] == payload_byte(sequence, i));
}

static void echoes(void)
{
	static const uint32_t lengths[] = { 0, 1, 2, 17, 100, 145, 146, 147, 500, 1000, 1471, PAYLOAD_MAX };
	unsigned int i, k, sequence = 0;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		ask(sequence, lengths[i]);
		answered(sequence++, lengths[i]);
	}
	printf("net: echoes of all lengths\n");
	for (i = 0; i < 20; i++) {
		for (k = 0; k < AT_ONCE; k++)
			ask(sequence + k, PAYLOAD_MAX - k);
		for (k = 0; k < AT_ONCE; k++)
			answered(sequence++, PAYLOAD_MAX - k);
	}
	printf("net: many at once\n");
}

int guest_main(void)
{
	uint16_t i;

	if (guest_option("user")) {
		host_ip = 0x0a000202;
		our_ip = 0x0a00020f;
	}
	virtio_open();
	CHECK(virtio_find(&net, VIRTIO_ID_NET, 0));
	virtio_start(&net, VIRTIO_FEATURE(VIRTIO_NET_F_MAC) |
		     (guest_option("merge") ? VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF) : 0));
	CHECK(net.accepted & VIRTIO_FEATURE(VIRTIO_NET_F_MAC));
	merge = net.accepted & VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF);
	CHECK(merge == guest_option("merge"));
	header_bytes = net.transport->modern || merge ? sizeof(struct virtio_net_hdr_v1) :
						       sizeof(struct virtio_net_hdr);
	buffer_bytes = merge ? SMALL_BYTES : BUFFER_BYTES;
	net.transport->read_config(&net, offsetof(struct virtio_net_config, mac), our_mac, 6);
	for (i = 0; i < BUFFERS; i++)
		post(i);
	virtio_kick(&net.queue[VIRTIO_NET_RX]);
	find_host();
	echoes();
	virtio_reset(&net);
	return 0;
}
