/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The jail of the network process: what it needs works, the rest is EPERM.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/sandbox.h"

/* Sanitizers map memory and write files by themselves, which a filter refuses. */
#ifdef __SANITIZE_ADDRESS__
#define UNSANITIZED() cr_skip_test("sanitizers need what the filter refuses")
#else
#define UNSANITIZED() do { } while (0)
#endif

static char readable[64], secret[64];

static long stream(void) { return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }
static long datagram(void) { return socket(AF_INET6, SOCK_DGRAM, 0); }
static long read_file(void) { return open(readable, O_RDONLY); }
static long flags(void) { return fcntl(0, F_GETFL); }
static long memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED ? -1 : 0;
}

static long raw_socket(void) { return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); }
static long unix_socket(void) { return socket(AF_UNIX, SOCK_STREAM, 0); }
static long netlink(void) { return socket(AF_NETLINK, SOCK_DGRAM, 0); }
static long write_file(void) { return open(readable, O_WRONLY); }
static long make_file(void) { return open(readable, O_RDONLY | O_CREAT | O_TRUNC, 0600); }
static long owner(void) { return fcntl(0, F_SETOWN, getppid()); }
static long duplicate(void) { return fcntl(0, F_DUPFD, 10); }
static long code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED ? -1 : 0;
}
static long make_code(void) { return mprotect((void *)0x10000, 4096, PROT_EXEC); }
static long process(void) { return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
static long program(void) { return execl("/bin/true", "true", (char *)NULL); }
static long signal_other(void) { return syscall(SYS_kill, 1, 0); }
static long trace(void) { return ptrace(PTRACE_TRACEME, 0, NULL, NULL); }
static long read_secret(void) { return open(secret, O_RDONLY); }

/* What a jailed child gets: 0, or the errno; -1: it could not be jailed. */
static int jailed(long (*act)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (sandbox_enter_net(readable))
			_exit(255);
		errno = 0;
		_exit(act() < 0 ? errno : 0);
	}
	cr_assert(waitpid(pid, &status, 0) == pid);
	cr_assert(WIFEXITED(status), "status 0x%x", status);
	return WEXITSTATUS(status) == 255 ? -1 : WEXITSTATUS(status);
}

static void make_files(void)
{
	int fd;

	strcpy(readable, "/tmp/uml-host-readable.XXXXXX");
	strcpy(secret, "/tmp/uml-host-secret.XXXXXX");
	fd = mkstemp(readable);
	cr_assert(fd >= 0);
	close(fd);
	fd = mkstemp(secret);
	cr_assert(fd >= 0);
	close(fd);
}

static void remove_files(void)
{
	unlink(readable);
	unlink(secret);
}

Test(sandbox_net, allowed, .init = make_files, .fini = remove_files)
{
	UNSANITIZED();
	static long (*const act[])(void) = { stream, datagram, read_file, flags, memory };

	for (size_t i = 0; i < sizeof(act) / sizeof(act[0]); i++) {
		int error = jailed(act[i]);

		/* A host may have no IPv6 at all. */
		cr_expect(!error || (act[i] == datagram && error == EAFNOSUPPORT),
			  "act %zu: %s", i, strerror(error));
	}
}

Test(sandbox_net, forbidden, .init = make_files, .fini = remove_files)
{
	static long (*const act[])(void) = {
		raw_socket, unix_socket, netlink, write_file, make_file, owner, duplicate, code,
		make_code, process, program, signal_other, trace,
	};

	for (size_t i = 0; i < sizeof(act) / sizeof(act[0]); i++)
		cr_expect_eq(jailed(act[i]), EPERM, "act %zu", i);
}

/* Where the host has Landlock; the filter alone cannot look at names. */
Test(sandbox_net, other_files, .init = make_files, .fini = remove_files)
{
	UNSANITIZED();
	bool landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;

	cr_assert_eq(jailed(read_secret), landlock ? EACCES : 0);
}

static long many_sockets(void)
{
	for (int i = 0; i < 4096; i++)
		if (socket(AF_INET, SOCK_DGRAM, 0) < 0)
			return errno == EMFILE && i < 2048 ? 0 : -1;
	errno = ERANGE;
	return -1;
}

static long huge(void)
{
	return mmap(NULL, 2ul << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED && errno == ENOMEM ? 0 : -1;
}

Test(sandbox_net, limited, .init = make_files, .fini = remove_files)
{
	UNSANITIZED();
	cr_expect_eq(jailed(many_sockets), 0);
	cr_expect_eq(jailed(huge), 0);
}
