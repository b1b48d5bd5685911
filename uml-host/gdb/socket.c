/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket: listening, one peer at a time, bytes in and out.
 *
 * There is no thread and no polling.  The descriptors announce themselves by SIGIO
 * to the thread that runs the guest, whose handler kicks the engine.  A Unix socket
 * is for its owner alone; TCP is for this host unless an address is given.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/die.h"
#include "gdb/internal.h"

#define SEND_SECONDS 5

/* Whom SIGIO is for: signal handlers get no arguments. */
static struct gdb_socket *_Atomic sigio_socket;

static void on_sigio(int signal)
{
	struct gdb_socket *s = sigio_socket;
	int saved = errno;

	(void)signal;
	if (s) {
		atomic_store(&s->signalled, true);
		engine_kick(s->engine);
	}
	errno = saved;
}

/* Not blocking, and SIGIO to this thread. */
static void announce(int fd)
{
	const struct f_owner_ex owner = { F_OWNER_TID, gettid() };

	if (fcntl(fd, F_SETOWN_EX, &owner) != 0 ||
	    fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK | O_ASYNC) != 0)
		die_errno("--gdb: cannot watch a socket");
}

/* --- addresses -------------------------------------------------------------------------- */

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Splits "tcp:HOST:PORT"; false if there is no port from 0 to 65535. */
static bool split(const char *where, char host[256], const char **port)
{
	const char *at = where + strlen("tcp:"), *colon = strrchr(at, ':');
	size_t digits, len = colon ? (size_t)(colon - at) : 0;
	unsigned int number = 0;

	*port = colon ? colon + 1 : at;
	digits = strspn(*port, "0123456789");
	if (!digits || digits > 5 || (*port)[digits] || (colon && !len) || len > 255)
		return false;
	sscanf(*port, "%u", &number);
	/* [::1]: the brackets are not the address's. */
	if (len > 2 && at[0] == '[' && at[len - 1] == ']')
		at++, len -= 2;
	snprintf(host, 256, "%.*s", (int)(colon ? len : strlen("127.0.0.1")),
		 colon ? at : "127.0.0.1");
	return number <= 65535;
}

const char *gdb_check_address(const char *where)
{
	char host[256];
	const char *port, *path = where + strlen("unix:");

	if (has_prefix(where, "unix:")) {
		if (!*path)
			return "give the path of a socket";
		return strlen(path) < sizeof(((struct sockaddr_un *)0)->sun_path) ? NULL :
		       "the path is too long for a socket";
	}
	if (has_prefix(where, "tcp:"))
		return split(where, host, &port) ? NULL : "give a port from 0 to 65535";
	return "give unix:PATH, tcp:PORT or tcp:HOST:PORT";
}

static void remove_socket(void *path)
{
	unlink(path);
}

static int listen_unix(struct gdb_socket *s, const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(name.sun_path, path, sizeof(name.sun_path) - 1);
	/* On Linux the file gets the mode that the socket has when it is bound:
	 * at no time can anybody else connect. */
	if (fd < 0 || fchmod(fd, 0600) != 0 ||
	    bind(fd, (struct sockaddr *)&name, sizeof(name)) != 0)
		die_errno("--gdb: cannot make the socket '%s'", path);
	s->path = path;
	cleanup_add(remove_socket, (void *)(uintptr_t)path);
	warn("gdb: target remote %s", path);
	return fd;
}

static int listen_tcp(const char *where)
{
	const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	struct sockaddr_storage bound;
	socklen_t size = sizeof(bound);
	struct addrinfo *to;
	char host[256], service[8];
	const char *port;
	int fd, error, on = 1;

	split(where, host, &port);
	error = getaddrinfo(host, port, &hints, &to);
	if (error)
		die("--gdb: '%s': %s", host, gai_strerror(error));
	fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, to->ai_addr, to->ai_addrlen) != 0 ||
	    getsockname(fd, (struct sockaddr *)&bound, &size) != 0)
		die_errno("--gdb: cannot listen at '%s', port %s", host, port);
	freeaddrinfo(to);
	/* Port 0 is any: which? */
	if (getnameinfo((struct sockaddr *)&bound, size, NULL, 0, service, sizeof(service),
			NI_NUMERICSERV) != 0)
		die("--gdb: no name for a port");
	warn("gdb: target remote %s%s%s:%s", strchr(host, ':') ? "[" : "", host,
	     strchr(host, ':') ? "]" : "", service);
	return fd;
}

void socket_open(struct gdb_socket *s, const char *where)
{
	const struct sigaction action = { .sa_handler = on_sigio, .sa_flags = SA_RESTART };

	s->client = -1;
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	sigio_socket = s;
	if (s->wake < 0 || sigaction(SIGIO, &action, NULL) != 0)
		die_errno("--gdb: cannot watch sockets");
	s->listener = has_prefix(where, "unix:") ? listen_unix(s, where + strlen("unix:")) :
						   listen_tcp(where);
	announce(s->listener);
	if (listen(s->listener, 16) != 0)
		die_errno("--gdb: cannot listen");
}

void socket_close(struct gdb_socket *s)
{
	sigio_socket = NULL;
	socket_drop(s);
	close(s->listener);
	close(s->wake);
	if (s->path) {
		cleanup_remove(remove_socket, (void *)(uintptr_t)s->path);
		unlink(s->path);
	}
}

/* --- the peer ----------------------------------------------------------------------------- */

bool socket_accept(struct gdb_socket *s)
{
	bool first = false;
	int fd, on = 1;

	while ((fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (s->client >= 0) {
			close(fd);
			continue;
		}
		announce(fd);
		/* Fails for a Unix socket, which does not wait anyway. */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		s->client = fd;
		s->at = s->len = 0;
		first = true;
	}
	return first;
}

void socket_drop(struct gdb_socket *s)
{
	if (s->client >= 0)
		close(s->client);
	s->client = -1;
	s->at = s->len = 0;
}

int socket_byte(struct gdb_socket *s)
{
	ssize_t n;

	if (s->at < s->len)
		return s->in[s->at++];
	if (s->client < 0)
		return -1;
	do
		n = recv(s->client, s->in, sizeof(s->in), 0);
	while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		socket_drop(s);
	if (n <= 0)
		return -1;
	s->len = (size_t)n;
	s->at = 1;
	return s->in[0];
}

void socket_sleep(struct gdb_socket *s)
{
	struct pollfd fd[3] = {
		{ s->wake, POLLIN, 0 }, { s->listener, POLLIN, 0 }, { s->client, POLLIN, 0 },
	};

	/* A signal is a reason to look, too. */
	poll(fd, 3, -1);
}

void socket_send(struct gdb_socket *s, const void *from, size_t n)
{
	const char *at = from;

	while (n && s->client >= 0) {
		struct pollfd fd[2] = { { s->wake, POLLIN, 0 }, { s->client, POLLOUT, 0 } };
		ssize_t sent = send(s->client, at, n, MSG_NOSIGNAL);

		if (sent > 0) {
			at += sent;
			n -= (size_t)sent;
		} else if (errno == EAGAIN) {
			int ready;

			do
				ready = poll(fd, 2, SEND_SECONDS * 1000);
			while (ready < 0 && errno == EINTR);
			if (ready == 0 || atomic_load(&s->leaving))
				socket_drop(s);
		} else if (errno != EINTR) {
			socket_drop(s);
		}
	}
}
