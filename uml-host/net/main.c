/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uml-host-net: the TCP/IP stack of --net=user (libslirp), between a socket that
 * carries Ethernet frames and ordinary sockets of the host.  See
 * device/user_net.h for how it is started.
 *
 * Frames are a hostile guest's, and so is this process once a mistake in the
 * stack lets them in.  It has nothing of the guest or of the supervisor but
 * that socket, and locks itself in before the first frame (sandbox/net.c).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <slirp/libslirp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "device/user_net.h"
#include "net/reassemble.h"
#include "sandbox/sandbox.h"

#define GUESTS_FD STDIN_FILENO
#define TIMERS 8
#define FRAMES_AT_ONCE 64
#define FULL_MS 20	/* a guest that takes nothing for so long loses the frame */
#define RESOLVER "/etc/resolv.conf"

struct timer {
	SlirpTimerId id;
	void *opaque;
	int64_t expires;	/* ms of the monotonic clock; -1: not set */
	bool used;
};

struct stack {
	Slirp *slirp;
	struct timer timer[TIMERS];
	struct pollfd *fd;
	size_t fds, room;
};

/* Nobody is sent anything after this: the supervisor says the line. */
static _Noreturn void give_up(const char *line)
{
	send(GUESTS_FD, line, strlen(line), MSG_NOSIGNAL);
	exit(1);
}

/* --- what the stack asks of us ---------------------------------------------------- */

static ssize_t to_guest(const void *frame, size_t len, void *opaque)
{
	struct pollfd p = { .fd = GUESTS_FD, .events = POLLOUT };

	(void)opaque;
	while (send(GUESTS_FD, frame, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno == EINTR)
			continue;
		if (errno == EPIPE || errno == ECONNRESET)
			exit(0);
		if (errno != EAGAIN || poll(&p, 1, FULL_MS) <= 0)
			break;		/* lost, as frames may be */
	}
	return (ssize_t)len;
}

static void guest_error(const char *message, void *opaque)
{
	/* The guest's own affair, and its words: nothing to print. */
	(void)message;
	(void)opaque;
}

static int64_t clock_ns(void *opaque)
{
	struct timespec t;

	(void)opaque;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void *timer_new(SlirpTimerId id, void *cb_opaque, void *opaque)
{
	struct stack *s = opaque;
	size_t i;

	for (i = 0; i < TIMERS; i++)
		if (!s->timer[i].used) {
			s->timer[i] = (struct timer){ id, cb_opaque, -1, true };
			return &s->timer[i];
		}
	abort();	/* the stack makes one, when it starts */
}

static void timer_free(void *timer, void *opaque)
{
	(void)opaque;
	((struct timer *)timer)->used = false;
}

static void timer_mod(void *timer, int64_t expires, void *opaque)
{
	(void)opaque;
	((struct timer *)timer)->expires = expires;
}

static void descriptor(int fd, void *opaque)
{
	(void)fd;
	(void)opaque;
}

static void notify(void *opaque)
{
	/* There is one thread: whatever happened, it is about to look. */
	(void)opaque;
}

static const SlirpCb callbacks = {
	.send_packet = to_guest, .guest_error = guest_error, .clock_get_ns = clock_ns,
	.timer_free = timer_free, .timer_mod = timer_mod, .timer_new_opaque = timer_new,
	.register_poll_fd = descriptor, .unregister_poll_fd = descriptor, .notify = notify,
};

/* --- the loop ------------------------------------------------------------------------- */

static int add_poll(int fd, int events, void *opaque)
{
	struct stack *s = opaque;
	short wanted = (short)((events & SLIRP_POLL_IN ? POLLIN : 0) |
			       (events & SLIRP_POLL_OUT ? POLLOUT : 0) |
			       (events & SLIRP_POLL_PRI ? POLLPRI : 0));

	if (s->fds == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		s->fd = realloc(s->fd, s->room * sizeof(*s->fd));
		if (!s->fd)
			abort();
	}
	s->fd[s->fds] = (struct pollfd){ .fd = fd, .events = wanted };
	return (int)s->fds++;
}

static int get_revents(int index, void *opaque)
{
	const struct stack *s = opaque;
	int got = s->fd[index].revents;

	return (got & POLLIN ? SLIRP_POLL_IN : 0) | (got & POLLOUT ? SLIRP_POLL_OUT : 0) |
	       (got & POLLPRI ? SLIRP_POLL_PRI : 0) | (got & POLLERR ? SLIRP_POLL_ERR : 0) |
	       (got & POLLHUP ? SLIRP_POLL_HUP : 0);
}

static void run_timers(struct stack *s, int64_t now_ms)
{
	size_t i;

	for (i = 0; i < TIMERS; i++) {
		struct timer *t = &s->timer[i];

		if (!t->used || t->expires < 0 || t->expires > now_ms)
			continue;
		t->expires = -1;
		slirp_handle_timer(s->slirp, t->id, t->opaque);
	}
}

static uint32_t next_timer(const struct stack *s, int64_t now_ms, uint32_t timeout)
{
	size_t i;

	for (i = 0; i < TIMERS; i++) {
		int64_t left = s->timer[i].expires - now_ms;

		if (s->timer[i].used && s->timer[i].expires >= 0 && left < (int64_t)timeout)
			timeout = left > 0 ? (uint32_t)left : 0;
	}
	return timeout;
}

static void input(struct stack *s, const uint8_t *frame, size_t len)
{
	frame = reassemble(frame, &len, clock_ns(s) / 1000000);
	if (frame)
		slirp_input(s->slirp, frame, (int)len);
}

/* False: the other end is gone. */
static bool from_guest(struct stack *s)
{
	static uint8_t frame[USER_NET_FRAME_MAX];
	int i;

	for (i = 0; i < FRAMES_AT_ONCE; i++) {
		ssize_t n = recv(GUESTS_FD, frame, sizeof(frame), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		if (n == 0)
			return false;
		if ((size_t)n <= sizeof(frame))
			input(s, frame, (size_t)n);
	}
	return true;
}

static void loop(struct stack *s)
{
	/* The stack reads the clock here alone: what it opened before it had, it
	 * would take for expired. */
	slirp_pollfds_poll(s->slirp, 1, get_revents, s);
	for (;;) {
		uint32_t timeout = 1000;
		int n;

		s->fds = 0;
		add_poll(GUESTS_FD, SLIRP_POLL_IN, s);
		slirp_pollfds_fill(s->slirp, &timeout, add_poll, s);
		timeout = next_timer(s, clock_ns(s) / 1000000, timeout);
		n = poll(s->fd, s->fds, (int)timeout);
		if (n < 0 && errno != EINTR)
			abort();
		if (n > 0 && s->fd[0].revents && !from_guest(s))
			return;
		slirp_pollfds_poll(s->slirp, n < 0, get_revents, s);
		run_timers(s, clock_ns(s) / 1000000);
	}
}

/* --- the start --------------------------------------------------------------------------- */

static struct in_addr dotted(const char *text)
{
	struct in_addr a;

	inet_pton(AF_INET, text, &a);
	return a;
}

static void forward(Slirp *slirp, const struct user_net_spec *spec)
{
	char line[200], host[INET_ADDRSTRLEN];
	unsigned int i;

	for (i = 0; i < spec->forwards; i++) {
		const struct user_net_forward *f = &spec->forward[i];
		struct in_addr guest = f->guest.s_addr ? f->guest : dotted("10.0.2.15");

		if (slirp_add_hostfwd(slirp, f->udp, f->host, f->host_port, guest,
				      f->guest_port) == 0)
			continue;
		snprintf(line, sizeof(line), "cannot listen on %s port %s:%u: %s",
			 f->udp ? "udp" : "tcp",
			 inet_ntop(AF_INET, &f->host, host, sizeof(host)), f->host_port,
			 strerror(errno));
		give_up(line);
	}
}

int main(int argc, char **argv)
{
	static struct stack stack;
	struct user_net_spec spec;
	SlirpConfig config = {
		.version = 4, .in_enabled = true,
		.vnetwork = dotted("10.0.2.0"), .vnetmask = dotted("255.255.255.0"),
		.vhost = dotted("10.0.2.2"), .vdhcp_start = dotted("10.0.2.15"),
		.vnameserver = dotted("10.0.2.3"), .vhostname = "uml-host",
	};
	const char *wrong;

	if (argc != 2) {
		fputs("uml-host-net: started by uml-host, for --net=user\n", stderr);
		return 2;
	}
	wrong = user_net_parse(argv[1], &spec);
	if (wrong)
		give_up(wrong);
	signal(SIGPIPE, SIG_IGN);
	config.restricted = spec.restricted;
	stack.slirp = slirp_new(&config, &callbacks, &stack);
	if (!stack.slirp)
		give_up("the TCP/IP stack does not start");
	forward(stack.slirp, &spec);
	wrong = sandbox_enter_net(RESOLVER);
	if (wrong)
		give_up(wrong);
	if (send(GUESTS_FD, USER_NET_READY, strlen(USER_NET_READY), MSG_NOSIGNAL) < 0)
		return 1;
	loop(&stack);
	return 0;
}
