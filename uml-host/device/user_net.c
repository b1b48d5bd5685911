/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The user-mode back end: a network without privileges.  A TCP/IP stack in a
 * process of its own makes ordinary sockets of what the guest sends; this file
 * starts that process and passes frames.  The process has none of the guest's
 * memory and can do little but use sockets (net/main.c).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "device/internal.h"
#include "device/user_net.h"

#define PROGRAM "uml-host-net"
#define START_MS 10000	/* a process needs to start, at most */

/* --- what the user says ------------------------------------------------------------ */

static bool parse_port(const char *text, size_t len, uint16_t *port)
{
	char digits[6];
	long value;

	if (!len || len >= sizeof(digits) || strspn(text, "0123456789") < len)
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	value = strtol(digits, NULL, 10);
	*port = (uint16_t)value;
	return value >= 1 && value <= 65535;
}

/* "[ADDRESS]:PORT" of `len` characters. */
static bool parse_end(const char *text, size_t len, struct in_addr *address, uint16_t *port)
{
	const char *colon = memchr(text, ':', len);
	char dotted[INET_ADDRSTRLEN];
	size_t n;

	if (!colon)
		return false;
	n = (size_t)(colon - text);
	if (n >= sizeof(dotted))
		return false;
	memcpy(dotted, text, n);
	dotted[n] = '\0';
	address->s_addr = 0;
	if (n && inet_pton(AF_INET, dotted, address) != 1)
		return false;
	return parse_port(colon + 1, len - n - 1, port);
}

static const char *parse_forward(const char *text, size_t len, struct user_net_spec *spec)
{
	static const char wrong[] = "say hostfwd=tcp:[ADDRESS]:PORT-[ADDRESS]:PORT, or udp:";
	struct user_net_forward *f = &spec->forward[spec->forwards];
	const char *dash;

	if (spec->forwards == USER_NET_FORWARDS)
		return "too many hostfwd, at most 64";
	if (len < 4 || (strncmp(text, "tcp:", 4) != 0 && strncmp(text, "udp:", 4) != 0))
		return wrong;
	f->udp = text[0] == 'u';
	text += 4;
	len -= 4;
	dash = memchr(text, '-', len);
	if (!dash || !parse_end(text, (size_t)(dash - text), &f->host, &f->host_port) ||
	    !parse_end(dash + 1, len - (size_t)(dash - text) - 1, &f->guest, &f->guest_port))
		return wrong;
	/* Without an address, for this machine alone. */
	if (text[0] == ':')
		f->host.s_addr = htonl(INADDR_LOOPBACK);
	spec->forwards++;
	return NULL;
}

const char *user_net_parse(const char *text, struct user_net_spec *spec)
{
	const char *wrong = NULL;

	memset(spec, 0, sizeof(*spec));
	if (strncmp(text, "user", 4) != 0 || (text[4] != '\0' && text[4] != ','))
		return "the network without privileges is called user";
	for (text += 4; !wrong && *text == ','; text += strcspn(text, ",")) {
		size_t len = strcspn(++text, ",");

		if (len > 8 && strncmp(text, "hostfwd=", 8) == 0)
			wrong = parse_forward(text + 8, len - 8, spec);
		else if (len > 4 && strncmp(text, "mac=", 4) == 0) {
			char mac[32] = "";

			memcpy(mac, text + 4, len - 4 < sizeof(mac) ? len - 4 : sizeof(mac) - 1);
			wrong = net_parse_mac(mac, spec->mac);
			spec->has_mac = true;
		} else if (len == 8 && strncmp(text, "restrict", 8) == 0)
			spec->restricted = true;
		else
			wrong = "the options are hostfwd=…, mac=… and restrict";
	}
	return wrong;
}

/* --- frames ---------------------------------------------------------------------------- */

struct user_net {
	struct net_backend backend;
	pid_t pid;
	pthread_t watcher;
	atomic_bool closing;	/* its end is ours */
};

static ssize_t user_send(struct net_backend *b, const struct iovec *iov, int n)
{
	const struct msghdr message = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n };

	return sendmsg(b->fd, &message, MSG_NOSIGNAL);
}

static ssize_t user_recv(struct net_backend *b, const struct iovec *iov, int n)
{
	struct msghdr message = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n };
	ssize_t got = recvmsg(b->fd, &message, 0);

	/* It died with frames of ours unread. */
	if (got < 0 && errno == ECONNRESET)
		return 0;
	if (got < 0 || !(message.msg_flags & MSG_TRUNC))
		return got;
	errno = EMSGSIZE;
	return -1;
}

static void user_close(struct net_backend *b)
{
	struct user_net *u = (struct user_net *)b;

	atomic_store(&u->closing, true);
	kill(u->pid, SIGKILL);
	pthread_join(u->watcher, NULL);
	close(b->fd);
	while (waitpid(u->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(u);
}

static const struct net_backend_ops user_ops = {
	.send = user_send,
	.recv = user_recv,
	.close = user_close,
};

/* --- the process -------------------------------------------------------------------------- */

/* Beside this program, as in a build directory, or where it is installed. */
static void find_program(char *path)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		if (snprintf(path, PATH_MAX, "%s/" PROGRAM, dirname(self)) < PATH_MAX &&
		    access(path, X_OK) == 0)
			return;
	}
	snprintf(path, PATH_MAX, "%s/" PROGRAM, UML_HOST_LIBEXEC);
}

/* In the child, where other threads' locks may be held for ever: system calls
 * only. */
static _Noreturn void become(const char *path, const char *text, int fd, pid_t parent)
{
	char *const argv[] = { (char *)PROGRAM, (char *)text, NULL };
	char *const environment[] = { NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A group of its own: Ctrl-C at the terminal is the guest's affair. */
	setpgid(0, 0);
	if (getppid() == parent && dup2(fd, STDIN_FILENO) == STDIN_FILENO &&
	    close_range(STDERR_FILENO + 1, ~0U, 0) == 0)
		execve(path, argv, environment);
	_exit(127);
}

static void await_ready(int fd, const char *path)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char line[256];
	ssize_t n;

	while (poll(&p, 1, START_MS) < 0 && errno == EINTR)
		;
	n = recv(fd, line, sizeof(line) - 1, MSG_DONTWAIT);
	if (n <= 0)
		die("the network process %s did not start", path);
	line[n] = '\0';
	if (strcmp(line, USER_NET_READY) != 0)
		die("--net=user: %s", line);
}

/* Says at once how the process ended, whether or not the guest uses its network.
 * It stays a zombie until user_close(), so that its number remains its own. */
static void *watch(void *arg)
{
	struct user_net *u = arg;
	siginfo_t end;

	while (waitid(P_PID, (id_t)u->pid, &end, WEXITED | WNOWAIT) != 0)
		if (errno != EINTR)
			return NULL;
	if (atomic_load(&u->closing))
		return NULL;
	if (end.si_code == CLD_EXITED)
		warn("the network process " PROGRAM " (%d) ended with status %d: the guest goes on without",
		     (int)u->pid, end.si_status);
	else
		warn("the network process " PROGRAM " (%d) was ended by signal %d (%s): the guest goes on without",
		     (int)u->pid, end.si_status, strsignal(end.si_status));
	return NULL;
}

static void start_watcher(struct user_net *u)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	errno = pthread_create(&u->watcher, NULL, watch, u);
	if (errno)
		die_errno("cannot start a thread for the network process");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static struct net_backend *user_open(const char *text)
{
	struct user_net *u = calloc(1, sizeof(*u));
	pid_t self = getpid();
	char path[PATH_MAX];
	int pair[2];

	if (!u)
		die("out of memory");
	find_program(path);
	if (access(path, X_OK) != 0)
		die("there is no %s: it is built where libslirp is installed", path);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		die_errno("cannot make sockets for the network");
	u->pid = fork();
	if (u->pid < 0)
		die_errno("cannot start the network process");
	if (u->pid == 0)
		become(path, text, pair[1], self);
	close(pair[1]);
	await_ready(pair[0], path);
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0)
		die_errno("cannot set up the network's socket");
	u->backend = (struct net_backend){ .ops = &user_ops, .fd = pair[0] };
	start_watcher(u);
	return &u->backend;
}

void bus_add_net_user(struct device_bus *bus, const char *text)
{
	/* Locally administered; the address DHCP gives, 10.0.2.15, in the rest. */
	static const uint8_t usual[6] = { 0x02, 0x00, 10, 0, 2, 15 };
	struct user_net_spec spec;
	const char *wrong = user_net_parse(text, &spec);

	if (wrong)
		usage_error("--net=%s: %s", text, wrong);
	bus_add_net(bus, user_open(text), spec.has_mac ? spec.mac : usual);
}
