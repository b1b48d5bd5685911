/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --tunnet: what may be said, and a real tap where one can be had. */
#include "device_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "virtio/net.h"

struct spec_case {
	const char *text;
	const char *wrong;		/* part of the message; NULL: right */
	enum tap_kind kind;
	const char *name;		/* or address */
	const char *mac;		/* 6 bytes, NULL: none */
};

static const struct spec_case cases[] = {
	{ "192.168.19.1", NULL, TAP_ADDRESS, "192.168.19.1", NULL },
	{ "192.168.19.1:02:00:00:00:0a:FF", NULL, TAP_ADDRESS, "192.168.19.1", "\2\0\0\0\12\377" },
	{ "bridge:br0", NULL, TAP_BRIDGE, "br0", NULL },
	{ "bridge:br0:2:0:0:0:0:1", NULL, TAP_BRIDGE, "br0", "\2\0\0\0\0\1" },
	{ "tap:tap0", NULL, TAP_NAME, "tap0", NULL },
	{ "tap:a23456789012345", NULL, TAP_NAME, "a23456789012345", NULL },
	{ "", "say IPADDRESS", 0, NULL, NULL },
	{ "eth0", "say IPADDRESS", 0, NULL, NULL },
	{ "1.2.3", "say IPADDRESS", 0, NULL, NULL },
	{ "1.2.3.256", "say IPADDRESS", 0, NULL, NULL },
	{ "1111111111111111111111111111111.2.3.4", "say IPADDRESS", 0, NULL, NULL },
	{ "bridge:", "1 to 15 characters", 0, NULL, NULL },
	{ "bridge::02:00:00:00:00:01", "1 to 15 characters", 0, NULL, NULL },
	{ "tap:a234567890123456", "1 to 15 characters", 0, NULL, NULL },
	{ "tap:..", "1 to 15 characters", 0, NULL, NULL },
	{ "tap:tap%d", "no %", 0, NULL, NULL },
	{ "tap:a/b", "no %", 0, NULL, NULL },
	{ "tap:tap0:", "six hexadecimal bytes", 0, NULL, NULL },
	{ "tap:tap0:02:00:00:00:00", "six hexadecimal bytes", 0, NULL, NULL },
	{ "tap:tap0:02:00:00:00:00:01:02", "six hexadecimal bytes", 0, NULL, NULL },
	{ "tap:tap0:02:00:00:00:00:0g", "six hexadecimal bytes", 0, NULL, NULL },
	{ "tap:tap0:002:00:00:00:00:01", "six hexadecimal bytes", 0, NULL, NULL },
	{ "tap:tap0:02:-1:00:00:00:01", "six hexadecimal bytes", 0, NULL, NULL },
	{ "tap:tap0:02: 1:00:00:00:01", "six hexadecimal bytes", 0, NULL, NULL },
	{ "tap:tap0:01:00:00:00:00:01", "must be even", 0, NULL, NULL },
};

Test(device_tap, specs)
{
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct spec_case *c = &cases[i];
		struct tap_spec spec;
		const char *wrong = tap_parse(c->text, &spec);

		if (c->wrong) {
			cr_assert(wrong && strstr(wrong, c->wrong), "%s: %s", c->text,
				  wrong ? wrong : "right");
			continue;
		}
		cr_assert_null(wrong, "%s: %s", c->text, wrong);
		cr_assert_eq(spec.kind, c->kind, "%s", c->text);
		if (c->kind == TAP_ADDRESS)
			cr_assert_eq(spec.address, inet_addr(c->name), "%s", c->text);
		else
			cr_assert_str_eq(spec.name, c->name);
		cr_assert_eq(spec.has_mac, c->mac != NULL, "%s", c->text);
		if (c->mac)
			cr_assert_arr_eq(spec.mac, c->mac, 6, "%s", c->text);
	}
}

/* A network of our own, or the test is skipped. */
static void own_network(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0 && unshare(CLONE_NEWNET) != 0)
		cr_skip_test("may not make a network namespace");
	if (access("/dev/net/tun", R_OK | W_OK) != 0)
		cr_skip_test("no /dev/net/tun");
}

#define ETHERTYPE_TEST 0x88b5

/* Both ways through a real tap, with a raw socket at the host's end. */
Test(device_tap, packets)
{
	static struct rig rig;
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE_TEST) };
	struct driver_queue rx, tx;
	uint8_t frame[80] = "\2\0\0\0\0\1\2\0\0\0\0\2\x88\xb5the frame", got[200];
	struct piece p;
	int fd;

	own_network();
	rig_open(&rig);
	bus_add_net_tap(rig.bus, "10.11.12.1:02:00:00:00:00:01");
	rig_start(&rig, DEVICE_FORM_E);
	/* Offloads are real there, so they are offered. */
	cr_assert_eq(rig.memory[RIG_RAM + 5 + 16], 0xa3);
	rig_probe(&rig, 0, 0x3ba3);
	rx = rig_queue(&rig, 0, VIRTIO_NET_RX);
	tx = rig_queue(&rig, 0, VIRTIO_NET_TX);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	cr_assert(fd >= 0);
	at.sll_ifindex = (int)if_nametoindex("tap0");
	cr_assert(at.sll_ifindex);
	cr_assert(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	/* Host to guest; the kernel sends packets of its own there, too. */
	p = (struct piece){ rig_alloc(&rig, 2048), 2048, true };
	cr_assert_eq(write(fd, frame, sizeof(frame)), (ssize_t)sizeof(frame));
	do {
		driver_add(&rx, &p, 1);
		driver_kick(&rx);
		driver_wait(&rx);
	} while (memcmp((uint8_t *)rig_at(&rig, p.address) + 10, frame, sizeof(frame)));
	/* Guest to host. */
	p = (struct piece){ rig_alloc(&rig, 200), 10 + sizeof(frame), false };
	memcpy((uint8_t *)rig_at(&rig, p.address) + 10, frame, sizeof(frame));
	driver_add(&tx, &p, 1);
	driver_kick(&tx);
	driver_wait(&tx);
	cr_assert_eq(read(fd, got, sizeof(got)), (ssize_t)sizeof(frame));
	cr_assert_arr_eq(got, frame, sizeof(frame));
	rig_close(&rig);
}

Test(device_tap, no_such_interface, .exit_code = 1)
{
	static struct rig rig;

	rig_open(&rig);
	bus_add_net_tap(rig.bus, "tap:none-there");
}

Test(device_tap, wrong_spec, .exit_code = 2)
{
	static struct rig rig;

	rig_open(&rig);
	bus_add_net_tap(rig.bus, "none-there");
}
