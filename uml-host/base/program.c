/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs executed from memory files.  Between fork and execve only
 * async-signal-safe calls: the parent may have threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/die.h"
#include "base/program.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U	/* Linux 6.3 */
#endif

int program_file(const char *name, const void *image, size_t n)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_EXEC);

	/* Kernels before 6.3 do not know MFD_EXEC. */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC);
	if (fd < 0)
		die_errno("cannot make a memory file for %s", name);
	if (write(fd, image, n) != (ssize_t)n)
		die_errno("cannot write the program %s", name);
	return fd;
}

void program_detach(pid_t parent, bool own_session)
{
	const struct rlimit none = { 0, 0 };
	sigset_t all;

	/* Not in the terminal's process group: Ctrl-C is the supervisor's. */
	if (own_session)
		setsid();
	else
		setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	setrlimit(RLIMIT_CORE, &none);
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

static int out_of_the_way(int fd)
{
	int high = fcntl(fd, F_DUPFD, 32);

	/* So it says that there may be none so high. */
	if (high < 0 && errno == EINVAL)
		errno = EMFILE;
	return high;
}

int program_become(int image_fd, const char *name, const char *arg, const int *fds,
		   unsigned int nr_fds)
{
	char *const argv[] = { (char *)name, (char *)arg, NULL };
	static char *const envp[] = { NULL };
	int high[PROGRAM_MAX_FDS], image, after = PROGRAM_FIRST_FD + (int)nr_fds;
	unsigned int i;

	/* Out of the way first: the numbers wanted may be taken. */
	for (i = 0; i < nr_fds; i++)
		if ((high[i] = out_of_the_way(fds[i])) < 0)
			return PROGRAM_DESCRIPTORS;
	image = out_of_the_way(image_fd);
	if (image < 0)
		return PROGRAM_DESCRIPTORS;
	for (i = 0; i < nr_fds; i++)
		if (dup2(high[i], PROGRAM_FIRST_FD + (int)i) < 0)
			return PROGRAM_DESCRIPTORS;
	if (dup3(image, after, O_CLOEXEC) < 0 ||
	    close_range(0, PROGRAM_FIRST_FD - 1, 0) != 0 ||
	    close_range((unsigned int)after + 1, ~0U, 0) != 0)
		return PROGRAM_DESCRIPTORS;
	syscall(SYS_execveat, after, "", argv, envp, AT_EMPTY_PATH);
	return PROGRAM_EXEC;
}
