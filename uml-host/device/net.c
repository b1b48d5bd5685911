/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network device: packets between the guest's buffers and a back end, each
 * behind the header its generation knows.  What a packet says never matters
 * here; what a header says is passed on only where both sides agreed to it.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "device/internal.h"
#include "virtio/net.h"

/* What a back end may claim, and the guest then may agree to. */
#define OFFLOADS (VIRTIO_FEATURE(VIRTIO_NET_F_CSUM) | \
		  VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM) | \
		  VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO4) | \
		  VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO6) | \
		  VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_ECN) | \
		  VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO4) | \
		  VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO6) | \
		  VIRTIO_FEATURE(VIRTIO_NET_F_HOST_ECN))

#define PACKET_MAX 65600u	/* the largest a kernel puts together, and its frame */
#define DROP_MAX 64	/* packets too long for the guest, dropped in one go */

struct net {
	struct virtio_device device;
	struct net_backend *backend;
	bool ended;		/* the receiving thread's: nothing comes any more */
	bool full;		/* the sending thread's: the back end takes none */
	/* Under the receiving queue's lock: a packet that waits for buffers to be spread
	 * over, with its header; packet_bytes 0: none. */
	struct virtio_net_hdr packet_hdr;
	size_t packet_bytes;
	uint8_t packet[PACKET_MAX];
	struct iovec rx[VQ_MAX_SEGMENTS + 1], tx[VQ_MAX_SEGMENTS + 1];
};

static struct net *net_of(struct virtio_device *d)
{
	return (struct net *)d;
}

/* The guest has agreed to packets spread over several buffers. */
static bool merges(const struct virtio_device *d)
{
	return d->accepted & VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF);
}

static size_t header_bytes(const struct virtio_device *d)
{
	if (d->transport->modern || merges(d))
		return sizeof(struct virtio_net_hdr_v1);
	return d->form == DEVICE_FORM_Z ? sizeof(struct virtio_net_hdr_z) :
					  sizeof(struct virtio_net_hdr);
}

static struct queue_wait net_wait(struct virtqueue *q)
{
	struct net *net = net_of(q->device);
	struct queue_wait wait = { .fd = -1, .timeout_ms = -1 };

	if (q->starved)
		return wait;
	if (q->index == VIRTIO_NET_RX && !net->ended) {
		wait.fd = net->backend->fd;
		wait.events = POLLIN;
	} else if (q->index == VIRTIO_NET_TX && net->full) {
		wait.fd = net->backend->fd;
		wait.events = POLLOUT;
	}
	return wait;
}

/* --- receiving, a buffer for each packet ------------------------------------------ */

/* The back end's header into the guest's buffer, in the guest's form.  Z agreed
 * to nothing, so for it all fields are zero, as a plain packet has them. */
static void write_header(const struct virtio_device *d, struct vq_chain *c,
			 const struct virtio_net_hdr *from)
{
	struct virtio_net_hdr_v1 hdr = { .num_buffers = 1 };

	if (d->form != DEVICE_FORM_Z || d->transport->modern)
		hdr.hdr = *from;
	iov_write(chain_in(c), c->nr_in, 0, &hdr, header_bytes(d));
}

static void receive_failed(struct net *net, ssize_t got)
{
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* Said to be readable for ever: not to be asked again. */
	net->ended = true;
	if (got < 0)
		warn("net %u receives no more: %s", net->device.nr, strerror(errno));
}

static int64_t net_receive(struct net *net, struct vq_chain *c)
{
	const struct virtio_device *d = &net->device;
	struct net_backend *backend = net->backend;
	size_t mine = header_bytes(d), theirs = backend->header_bytes;
	size_t room = c->in_bytes - mine;
	int tries;

	if (c->in_bytes <= mine) {
		virtio_broken(&net->device, "gives a buffer without room for a packet");
		return HANDLE_LATER;
	}
	for (tries = 0; tries < DROP_MAX; tries++) {
		struct virtio_net_hdr hdr = { 0 };
		unsigned int n = theirs ? 1 : 0;
		ssize_t got;

		net->rx[0] = (struct iovec){ .iov_base = &hdr, .iov_len = theirs };
		n += iov_part(chain_in(c), c->nr_in, mine, room, net->rx + n);
		got = backend->ops->recv(backend, net->rx, (int)n);
		/* Did not fit, in the words of one kernel or another. */
		if (got < 0 && (errno == EFAULT || errno == EMSGSIZE))
			continue;
		if (got <= 0) {
			receive_failed(net, got);
			return HANDLE_LATER;
		}
		if ((size_t)got <= theirs || (size_t)got - theirs > room)
			continue;
		write_header(d, c, &hdr);
		return (int64_t)(mine + (size_t)got - theirs);
	}
	return HANDLE_LATER;
}

/* --- receiving, packets over as many buffers as they take -------------------------- */

/* Gets the next packet.  False: there is none. */
static bool fetch_packet(struct net *net)
{
	struct net_backend *backend = net->backend;
	const struct iovec iov[2] = {
		{ .iov_base = &net->packet_hdr, .iov_len = backend->header_bytes },
		{ .iov_base = net->packet, .iov_len = sizeof(net->packet) },
	};
	unsigned int skip = backend->header_bytes ? 0 : 1;
	int tries;

	for (tries = 0; tries < DROP_MAX; tries++) {
		ssize_t got;

		memset(&net->packet_hdr, 0, sizeof(net->packet_hdr));
		got = backend->ops->recv(backend, iov + skip, 2 - (int)skip);
		if (got < 0 && (errno == EFAULT || errno == EMSGSIZE))
			continue;
		if (got <= 0) {
			receive_failed(net, got);
			return false;
		}
		net->packet_bytes = (size_t)got - backend->header_bytes;
		if ((size_t)got > backend->header_bytes && net->packet_bytes <= PACKET_MAX)
			return true;
		net->packet_bytes = 0;
	}
	return false;
}

/* The chain after this one.  False: none, and a kick tells of the next; or the
 * device is broken. */
static bool next_chain(struct virtqueue *q)
{
	while (!vq_pop(q)) {
		if (atomic_load(&q->device->broken) || !vq_notify_on(q))
			return false;
		vq_notify_off(q);
	}
	return true;
}

static int64_t net_receive_merged(struct net *net, struct virtqueue *q, struct vq_chain *c)
{
	const size_t mine = sizeof(struct virtio_net_hdr_v1);
	struct iovec count_at[sizeof(uint16_t)];
	unsigned int pieces;
	uint16_t buffers = 1;
	size_t at = mine, done = 0;

	if (c->in_bytes < mine) {
		virtio_broken(&net->device, "gives a buffer without room for a header");
		return HANDLE_LATER;
	}
	if (!net->packet_bytes && !fetch_packet(net))
		return HANDLE_LATER;
	write_header(&net->device, c, &net->packet_hdr);
	/* The guest's memory, not ours: it holds when c is another chain. */
	pieces = iov_part(chain_in(c), c->nr_in, sizeof(struct virtio_net_hdr),
			  sizeof(buffers), count_at);
	for (;;) {
		size_t n = iov_write(chain_in(c), c->nr_in, at, net->packet + done,
				     net->packet_bytes - done);

		done += n;
		if (done == net->packet_bytes) {
			net->packet_bytes = 0;
			iov_write(count_at, pieces, 0, &buffers, sizeof(buffers));
			/* Its chain has been handed back already, perhaps. */
			dev_iov_written(&net->device.bus->config.memory, count_at, pieces);
			return (int64_t)(at + n);
		}
		vq_fill(q, (uint32_t)(at + n));
		if (!next_chain(q))
			return HANDLE_MORE;
		if (!c->in_bytes) {
			virtio_broken(&net->device, "gives a buffer without room for a packet");
			return HANDLE_LATER;
		}
		buffers++;
		at = 0;
	}
}

/* --- sending ------------------------------------------------------------------------ */

/* The header for the back end.  False: it cannot do what it asks for. */
static bool read_header(const struct net *net, const struct vq_chain *c,
			struct virtio_net_hdr *hdr)
{
	const struct virtio_device *d = &net->device;
	uint64_t tso = VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO4) |
		       VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO6);

	memset(hdr, 0, sizeof(*hdr));
	if (d->form == DEVICE_FORM_Z && !d->transport->modern)
		return true;
	iov_read(c->iov, c->nr_out, 0, hdr, sizeof(*hdr));
	if (hdr->flags & VIRTIO_NET_HDR_NEEDS_CSUM &&
	    !(d->accepted & VIRTIO_FEATURE(VIRTIO_NET_F_CSUM)))
		return false;
	return hdr->gso_type == VIRTIO_NET_GSO_NONE || d->accepted & tso;
}

static int64_t net_send(struct net *net, struct vq_chain *c)
{
	struct net_backend *backend = net->backend;
	size_t mine = header_bytes(&net->device);
	unsigned int n = backend->header_bytes ? 1 : 0;
	struct virtio_net_hdr hdr;

	net->full = false;
	if (c->out_bytes <= mine) {
		virtio_broken(&net->device, "sends a buffer without a packet");
		return HANDLE_LATER;
	}
	if (!read_header(net, c, &hdr))
		return 0;
	net->tx[0] = (struct iovec){ .iov_base = &hdr, .iov_len = backend->header_bytes };
	n += iov_part(c->iov, c->nr_out, mine, c->out_bytes - mine, net->tx + n);
	while (backend->ops->send(backend, net->tx, (int)n) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			break;	/* lost, as packets may be: interface down, bad header */
		net->full = true;
		return HANDLE_LATER;
	}
	return 0;
}

/* --- both ---------------------------------------------------------------------------- */

static int64_t net_handle(struct virtqueue *q, struct vq_chain *c)
{
	struct net *net = net_of(q->device);

	if (q->index == VIRTIO_NET_TX)
		return net_send(net, c);
	return merges(q->device) ? net_receive_merged(net, q, c) : net_receive(net, c);
}

static void net_agreed(struct virtio_device *d)
{
	struct net_backend *backend = net_of(d)->backend;

	/* What waits was made for another agreement. */
	net_of(d)->packet_bytes = 0;
	if (backend->ops->agreed)
		backend->ops->agreed(backend, d->accepted & OFFLOADS);
}

static void net_destroy(struct virtio_device *d)
{
	struct net *net = net_of(d);

	net->backend->ops->close(net->backend);
	free(net);
}

static const struct virtio_ops net_ops = {
	.name = "net",
	.patient = true,
	.handle = net_handle,
	.wait = net_wait,
	.agreed = net_agreed,
	.destroy = net_destroy,
};

void bus_add_net(struct device_bus *bus, struct net_backend *backend,
		 const uint8_t mac[6])
{
	struct virtio_net_config config = { .status = 1, .max_queue_pairs = 1 };
	struct net *net = calloc(1, sizeof(*net));

	if (!net)
		die("out of memory");
	net->backend = backend;
	virtio_init(&net->device, bus, &net_ops, VIRTIO_ID_NET, 2);
	net->device.offered = (backend->features & OFFLOADS) |
			      VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF) |
			      VIRTIO_FEATURE(VIRTIO_F_NOTIFY_ON_EMPTY) |
			      VIRTIO_FEATURE(VIRTIO_F_ANY_LAYOUT) |
			      VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC);
	if (mac) {
		memcpy(config.mac, mac, 6);
		net->device.offered |= VIRTIO_FEATURE(VIRTIO_NET_F_MAC);
	}
	memcpy(net->device.config, &config, sizeof(config));
	net->device.config_len = sizeof(config);
	/* mac and status: B and C have these, A less, E more (ABI 8.5); nobody
	 * reads what is not offered. */
	net->device.page_config_len = 8;
	virtio_start_threads(&net->device);
}

const char *net_parse_mac(const char *text, uint8_t mac[6])
{
	int i;

	for (i = 0; i < 6; i++) {
		char *end;
		unsigned long byte = strtoul(text, &end, 16);

		/* strtoul would also take a sign or blanks. */
		if (!isxdigit((unsigned char)text[0]) || end - text > 2 || *end != (i < 5 ? ':' : '\0'))
			return "a hardware address is six hexadecimal bytes, as 02:00:00:00:00:01";
		mac[i] = (uint8_t)byte;
		text = end + 1;
	}
	if (mac[0] & 1)
		return "the first byte of a hardware address must be even: odd ones are groups";
	return NULL;
}

void bus_add_net_tap(struct device_bus *bus, const char *text)
{
	struct tap_spec spec;
	const char *wrong = tap_parse(text, &spec);

	if (wrong)
		usage_error("--tunnet=%s: %s", text, wrong);
	bus_add_net(bus, tap_open(&spec), spec.has_mac ? spec.mac : NULL);
}
