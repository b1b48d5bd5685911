/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TAP back end: an Ethernet interface of the host whose other end is the
 * guest.  The kernel does checksums and segmentation where the guest leaves
 * them to it, and only as far as this kernel can.
 *
 * Making an interface takes CAP_NET_ADMIN; using one that root has made for the
 * user takes nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/die.h"
#include "device/internal.h"
#include "virtio/net.h"

#define TAP_OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)

/* --- what the user says ------------------------------------------------------------ */

static const char *parse_name(const char *text, size_t len, struct tap_spec *spec)
{
	if (!len || len >= sizeof(spec->name) || strspn(text, ".") == len)
		return "an interface has a name of 1 to 15 characters";
	memcpy(spec->name, text, len);
	spec->name[len] = '\0';
	/* The kernel would number a name with % in it. */
	if (strpbrk(spec->name, "%/ "))
		return "a name of an interface has no %, / or blank in it";
	return NULL;
}

const char *tap_parse(const char *text, struct tap_spec *spec)
{
	const char *wrong = NULL, *rest = text;
	char address[INET_ADDRSTRLEN];
	size_t len;

	memset(spec, 0, sizeof(*spec));
	spec->kind = TAP_ADDRESS;
	if (strncmp(text, "bridge:", 7) == 0) {
		spec->kind = TAP_BRIDGE;
		rest = text + 7;
	} else if (strncmp(text, "tap:", 4) == 0) {
		spec->kind = TAP_NAME;
		rest = text + 4;
	}
	len = strcspn(rest, ":");
	if (spec->kind == TAP_ADDRESS) {
		if (len < sizeof(address)) {
			memcpy(address, rest, len);
			address[len] = '\0';
		}
		if (len >= sizeof(address) || inet_pton(AF_INET, address, &spec->address) != 1)
			wrong = "say IPADDRESS, bridge:NAME or tap:NAME, each with :MAC if you like";
	} else {
		wrong = parse_name(rest, len, spec);
	}
	if (!wrong && rest[len] == ':')
		wrong = net_parse_mac(rest + len + 1, spec->mac);
	spec->has_mac = rest[len] == ':';
	return wrong;
}

/* --- packets ------------------------------------------------------------------------- */

static ssize_t tap_send(struct net_backend *b, const struct iovec *iov, int n)
{
	return writev(b->fd, iov, n);
}

static ssize_t tap_recv(struct net_backend *b, const struct iovec *iov, int n)
{
	return readv(b->fd, iov, n);
}

/* What the kernel may leave undone in packets for the guest. */
static void tap_agreed(struct net_backend *b, uint64_t features)
{
	unsigned int offloads = 0;

	if (features & VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM)) {
		offloads = TUN_F_CSUM;
		if (features & VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO4))
			offloads |= TUN_F_TSO4;
		if (features & VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO6))
			offloads |= TUN_F_TSO6;
		if (offloads != TUN_F_CSUM && features & VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_ECN))
			offloads |= TUN_F_TSO_ECN;
	}
	/* It did all of them when we asked; less cannot fail. */
	if (b->features && ioctl(b->fd, TUNSETOFFLOAD, offloads) != 0)
		warn("the tap refuses offloads 0x%x: %s", offloads, strerror(errno));
}

static void tap_close(struct net_backend *b)
{
	close(b->fd);
	free(b);
}

static const struct net_backend_ops tap_ops = {
	.send = tap_send,
	.recv = tap_recv,
	.agreed = tap_agreed,
	.close = tap_close,
};

/* --- the interface ------------------------------------------------------------------------ */

static _Noreturn void refused(const char *what, const char *name)
{
	if (errno == EPERM || errno == EACCES)
		die("may not %s %s: needs CAP_NET_ADMIN, or a tap made for you before "
		    "(ip tuntap add mode tap user $USER name tap0) and --tunnet=tap:tap0",
		    what, name);
	if (errno == EBUSY)
		die("cannot %s %s: another program uses it", what, name);
	die_errno("cannot %s %s", what, name);
}

static void configure(const struct tap_spec *spec, const char *name)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die_errno("cannot make a socket to set up %s", name);
	if (spec->kind == TAP_BRIDGE) {
		memcpy(request.ifr_name, spec->name, sizeof(spec->name));
		request.ifr_ifindex = (int)if_nametoindex(name);
		if (ioctl(fd, SIOCBRADDIF, &request) != 0)
			refused("add an interface to the bridge", spec->name);
	} else {
		const struct sockaddr_in address = {
			.sin_family = AF_INET, .sin_addr = { spec->address },
		};

		memcpy(request.ifr_name, name, strlen(name));
		memcpy(&request.ifr_addr, &address, sizeof(address));
		if (ioctl(fd, SIOCSIFADDR, &request) != 0)
			refused("give an address to", name);
	}
	memset(&request, 0, sizeof(request));
	memcpy(request.ifr_name, name, strlen(name));
	if (ioctl(fd, SIOCGIFFLAGS, &request) != 0)
		refused("ask about", name);
	request.ifr_flags = (short)(request.ifr_flags | IFF_UP | IFF_RUNNING);
	if (ioctl(fd, SIOCSIFFLAGS, &request) != 0)
		refused("bring up", name);
	close(fd);
}

struct net_backend *tap_open(const struct tap_spec *spec)
{
	const char *wish = spec->kind == TAP_NAME ? spec->name : "tap%d";
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	struct net_backend *b = calloc(1, sizeof(*b));
	int header = sizeof(struct virtio_net_hdr);

	if (!b)
		die("out of memory");
	b->ops = &tap_ops;
	/* Asking for a name that is not there would make it. */
	if (spec->kind == TAP_NAME && !if_nametoindex(spec->name))
		die("there is no interface %s: make it with "
		    "ip tuntap add mode tap user $USER name %s", spec->name, spec->name);
	b->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (b->fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		die("this host has no /dev/net/tun: load the tun module");
	if (b->fd < 0)
		refused("open", "/dev/net/tun");
	memcpy(request.ifr_name, wish, strlen(wish));
	if (ioctl(b->fd, TUNSETIFF, &request) != 0)
		refused(spec->kind == TAP_NAME ? "use" : "make an interface", wish);
	if (ioctl(b->fd, TUNSETVNETHDRSZ, &header) != 0)
		die_errno("the tap has no packet headers of %d bytes", header);
	b->header_bytes = (unsigned int)header;
	if (ioctl(b->fd, TUNSETOFFLOAD, TAP_OFFLOADS) == 0)
		b->features = VIRTIO_FEATURE(VIRTIO_NET_F_CSUM) |
			      VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM) |
			      VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO4) |
			      VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO6) |
			      VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_ECN) |
			      VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO4) |
			      VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO6) |
			      VIRTIO_FEATURE(VIRTIO_NET_F_HOST_ECN);
	tap_agreed(b, 0);
	if (spec->kind != TAP_NAME)
		configure(spec, request.ifr_name);
	return b;
}
