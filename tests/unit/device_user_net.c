/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --net=user: what may be said. */
#include "device_fixture.h"

#include <arpa/inet.h>

#include "device/user_net.h"

static const struct {
	const char *text;
	const char *wrong;		/* part of the message; NULL: right */
	unsigned int forwards;
} cases[] = {
	{ "user", NULL, 0 },
	{ "user,restrict", NULL, 0 },
	{ "user,mac=02:00:00:00:00:01", NULL, 0 },
	{ "user,hostfwd=tcp::1-:65535", NULL, 1 },
	{ "user,hostfwd=udp:0.0.0.0:53-10.0.2.20:53,restrict,hostfwd=tcp::80-:80", NULL, 2 },
	{ "", "is called user", 0 },
	{ "users", "is called user", 0 },
	{ "user,", "the options are", 0 },
	{ "user,restricted", "the options are", 0 },
	{ "user,hostfwd", "the options are", 0 },
	{ "user,hostfwd=", "the options are", 0 },
	{ "user,hostfwd=tcp", "say hostfwd=", 0 },
	{ "user,hostfwd=icmp::1-:1", "say hostfwd=", 0 },
	{ "user,hostfwd=tcp::1:1", "say hostfwd=", 0 },
	{ "user,hostfwd=tcp::1-1", "say hostfwd=", 0 },
	{ "user,hostfwd=tcp::0-:1", "say hostfwd=", 0 },
	{ "user,hostfwd=tcp::1-:65536", "say hostfwd=", 0 },
	{ "user,hostfwd=tcp::1-:000001", "say hostfwd=", 0 },
	{ "user,hostfwd=tcp::-1-:1", "say hostfwd=", 0 },
	{ "user,hostfwd=tcp:: 1-:1", "say hostfwd=", 0 },
	{ "user,hostfwd=tcp:1.2.3:1-:1", "say hostfwd=", 0 },
	{ "user,hostfwd=tcp:1111111111111111111.2.3.4:1-:1", "say hostfwd=", 0 },
	{ "user,mac=02:00:00:00:00", "six hexadecimal bytes", 0 },
	{ "user,mac=02:00:00:00:00:01:02:03:04:05:06:07:08:09", "six hexadecimal bytes", 0 },
	{ "user,mac=03:00:00:00:00:01", "must be even", 0 },
};

Test(device_user_net, what_may_be_said)
{
	struct user_net_spec spec;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *wrong = user_net_parse(cases[i].text, &spec);

		if (cases[i].wrong)
			cr_assert(wrong && strstr(wrong, cases[i].wrong), "'%s': %s",
				  cases[i].text, wrong ? wrong : "taken");
		else
			cr_assert(!wrong && spec.forwards == cases[i].forwards, "'%s': %s",
				  cases[i].text, wrong ? wrong : "forwards");
	}
}

Test(device_user_net, ports_and_addresses)
{
	struct user_net_spec spec;

	cr_assert_null(user_net_parse("user,hostfwd=udp::5-:6,mac=02:00:00:00:00:0a,"
				      "hostfwd=tcp:0.0.0.0:80-10.0.2.20:8080", &spec));
	cr_assert(spec.forward[0].udp && !spec.forward[1].udp && !spec.restricted);
	/* Not the whole world's, unless it is said. */
	cr_assert_eq(spec.forward[0].host.s_addr, htonl(INADDR_LOOPBACK));
	cr_assert_eq(spec.forward[1].host.s_addr, htonl(INADDR_ANY));
	cr_assert_eq(spec.forward[0].guest.s_addr, 0);
	cr_assert_eq(spec.forward[1].guest.s_addr, htonl(0x0a000214));
	cr_assert(spec.forward[0].host_port == 5 && spec.forward[0].guest_port == 6);
	cr_assert(spec.forward[1].host_port == 80 && spec.forward[1].guest_port == 8080);
	cr_assert(spec.has_mac && spec.mac[5] == 10);
}

Test(device_user_net, too_many_forwards)
{
	struct user_net_spec spec;
	char text[4096] = "user";
	size_t i;

	for (i = 0; i < USER_NET_FORWARDS; i++)
		strcat(text, ",hostfwd=tcp::1-:1");
	cr_assert_null(user_net_parse(text, &spec));
	strcat(text, ",hostfwd=tcp::1-:1");
	cr_assert_not_null(user_net_parse(text, &spec));
}
