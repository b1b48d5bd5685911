/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --net=user: what the user says, and what the process that carries it out is
 * told (device/user_net.c, net/main.c).
 *
 * That process, uml-host-net SPEC, has one end of a SOCK_SEQPACKET pair as its
 * standard input.  Its first message is the word "ready", or one line that says
 * why not; from then on each message is an Ethernet frame.  It ends when the
 * other end closes.
 */
#ifndef DEVICE_USER_NET_H
#define DEVICE_USER_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define USER_NET_FORWARDS 64
#define USER_NET_FRAME_MAX 65535u	/* bytes of one message */
#define USER_NET_READY "ready"

/* Connections to host:host_port go to guest:guest_port. */
struct user_net_forward {
	bool udp;
	struct in_addr host, guest;		/* network order; guest 0: the one DHCP gives */
	uint16_t host_port, guest_port;		/* 1 to 65535 */
};

struct user_net_spec {
	bool restricted;	/* the guest reaches nothing but what is forwarded */
	bool has_mac;
	uint8_t mac[6];
	unsigned int forwards;
	struct user_net_forward forward[USER_NET_FORWARDS];
};

/* user[,hostfwd=(tcp|udp):[ADDRESS]:PORT-[ADDRESS]:PORT]…[,restrict][,mac=MAC]
 * Returns NULL, or what is wrong with it. */
const char *user_net_parse(const char *text, struct user_net_spec *spec);

#endif
