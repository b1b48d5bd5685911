/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The jail of the network process: ordinary Internet sockets, memory, time, and
 * one file to read.  It parses a hostile guest's packets, and once a mistake in
 * that lets them in it is the guest's.
 *
 * What is not allowed fails with EPERM: the TCP/IP stack takes that as any
 * other failure of its host.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/sandbox.h"

#define SOCKETS_MAX 2048	/* one for each connection of the guest */
#define MEMORY_MAX (1ul << 30)	/* bytes; a connection buffers some 256 KiB */
#define SOCKET_TYPE 0xfu	/* of socket(2)'s second argument, without flags */

/* The stack itself does not bound its sockets.  A guest that fills this loses
 * its network, not its host's memory. */
static bool limit(__rlimit_resource_t what, rlim_t most)
{
	struct rlimit now;

	if (getrlimit(what, &now) != 0)
		return false;
	if (now.rlim_max > most)
		now.rlim_max = most;
	now.rlim_cur = now.rlim_max;
	return setrlimit(what, &now) == 0;
}

/* No file but this one.  A host without Landlock has the filter below. */
static bool lock_files(const char *readable)
{
	const struct landlock_ruleset_attr all = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
				     LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	};
	struct landlock_path_beneath_attr file = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
	};
	int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
	bool locked;

	if (rules < 0)
		return true;
	file.parent_fd = open(readable, O_PATH | O_CLOEXEC);
	if (file.parent_fd >= 0) {
		syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &file, 0);
		close(file.parent_fd);
	}
	locked = syscall(SYS_landlock_restrict_self, rules, 0) == 0;
	close(rules);
	return locked;
}

static int allow(scmp_filter_ctx filter, int call, unsigned int n,
		 const struct scmp_arg_cmp *args)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, n, args);
}

/* One argument that may have any of these values. */
static int allow_values(scmp_filter_ctx filter, int call, unsigned int arg,
			const scmp_datum_t *value, size_t n)
{
	int failed = 0;

	for (size_t i = 0; i < n && !failed; i++) {
		const struct scmp_arg_cmp is = SCMP_CMP(arg, SCMP_CMP_EQ, value[i]);

		failed = allow(filter, call, 1, &is);
	}
	return failed;
}

static int allow_sockets(scmp_filter_ctx filter)
{
	static const scmp_datum_t family[] = { AF_INET, AF_INET6 }, type[] = { SOCK_STREAM, SOCK_DGRAM };
	int failed = 0;

	for (size_t i = 0; i < 4 && !failed; i++) {
		const struct scmp_arg_cmp is[] = {
			SCMP_A0(SCMP_CMP_EQ, family[i / 2]),
			SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_TYPE, type[i % 2]),
		};

		failed = allow(filter, SCMP_SYS(socket), 2, is);
	}
	return failed;
}

static bool lock_calls(void)
{
	static const int calls[] = {
		/* sockets that are there */
		SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(bind), SCMP_SYS(connect),
		SCMP_SYS(getpeername), SCMP_SYS(getsockname), SCMP_SYS(getsockopt),
		SCMP_SYS(listen), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg),
		SCMP_SYS(sendto), SCMP_SYS(setsockopt), SCMP_SYS(shutdown),
		SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(read), SCMP_SYS(write),
		SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(close),
		/* memory, time, the end */
		SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
		SCMP_SYS(futex), SCMP_SYS(getrandom), SCMP_SYS(clock_gettime),
		SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(restart_syscall),
		SCMP_SYS(rt_sigreturn), SCMP_SYS(exit), SCMP_SYS(exit_group),
		/* the file that is read */
		SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(lseek),
	};
	static const scmp_datum_t commands[] = { F_GETFD, F_SETFD, F_GETFL, F_SETFL };
	static const scmp_datum_t requests[] = { FIONREAD, FIONBIO };
	/* Nothing that could run, nothing to write to. */
	const struct scmp_arg_cmp data = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	const struct scmp_arg_cmp reading =
		SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, 0);
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int failed = !filter;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && !failed; i++)
		failed = allow(filter, calls[i], 0, NULL);
	failed = failed || allow_sockets(filter) ||
		 allow_values(filter, SCMP_SYS(fcntl), 1, commands, 4) ||
		 allow_values(filter, SCMP_SYS(ioctl), 1, requests, 2) ||
		 allow(filter, SCMP_SYS(mmap), 1, &data) ||
		 allow(filter, SCMP_SYS(openat), 1, &reading) || seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return !failed;
}

const char *sandbox_enter_net(const char *readable)
{
	if (!limit(RLIMIT_NOFILE, SOCKETS_MAX) || !limit(RLIMIT_DATA, MEMORY_MAX))
		return "cannot limit the network process";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return "cannot give up privileges of the network process";
	if (!lock_files(readable))
		return "cannot shut the network process off from files";
	if (!lock_calls())
		return "cannot filter the system calls of the network process";
	return NULL;
}
