/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A child that ends in one of the ways of base/, and what it left: its status
 * and its stderr. .
 */
#ifndef TESTS_UNIT_BASE_HELPER_H
#define TESTS_UNIT_BASE_HELPER_H

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct ending {
	int status;		/* as waitpid() gives it */
	char text[16384];	/* stderr, as a string */
};

/* Runs act(arg) in a child.  A child whose act returns exits with 99. */
static inline void end_of(struct ending *end, void (*act)(void *), void *arg)
{
	const struct rlimit no_core = { 0, 0 };
	size_t n = 0;
	ssize_t got;
	int fd[2];
	pid_t pid;

	cr_assert(pipe(fd) == 0);
	pid = fork();
	cr_assert(pid >= 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		/* Whoever runs the tests may have it. */
		unsetenv("UML_HOST_BACKTRACE");
		/* A shell ignores these for what it runs in the background. */
		signal(SIGINT, SIG_DFL);
		signal(SIGQUIT, SIG_DFL);
		dup2(fd[1], STDERR_FILENO);
		close(fd[0]);
		close(fd[1]);
		act(arg);
		_exit(99);
	}
	close(fd[1]);
	while (n < sizeof(end->text) - 1 &&
	       (got = read(fd[0], end->text + n, sizeof(end->text) - 1 - n)) > 0)
		n += (size_t)got;
	end->text[n] = '\0';
	close(fd[0]);
	cr_assert(waitpid(pid, &end->status, 0) == pid);
}

static inline bool exited(const struct ending *end, int status)
{
	return WIFEXITED(end->status) && WEXITSTATUS(end->status) == status;
}

/* A cleanup that says its name. */
static inline void say_name(void *name)
{
	if (write(STDERR_FILENO, name, strlen(name)) < 0)
		_exit(98);
}

#endif
