/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the log goes: a file or a command, by the buffer; standard error, by the
 * line or by what has gathered.
 *
 * Own buffer instead of stdio, because what is buffered has to reach the file
 * on every way out, and the cleanups of die.h may run in a signal handler.
 * This file never stops a guest: a log that cannot be written any more says so
 * once and goes quiet.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "log/internal.h"

/* A pipe that polls as writable takes this much without blocking. */
#define PIPE_WRITE 4096u
#define LOOK_MS 100	/* how often a blocked writer looks whether it shall stop */

static int open_file(const char *path, bool append)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY;
	int fd = open(path, flags | (append ? O_APPEND : O_TRUNC), 0666);

	if (fd < 0)
		die_errno("cannot write the log to %s", path);
	return fd;
}

/* -o '|command': its standard input is the log.  It is waited for in the end. */
static int open_command(struct output *output, const char *command)
{
	extern char **environ;
	char sh[] = "sh", c[] = "-c", word[4096];
	char *const argv[] = { sh, c, word, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t signals;
	int fds[2], error;

	if (!command[strspn(command, " \t")])
		usage_error("-o '|': which command?");
	if (strlen(command) >= sizeof(word))
		usage_error("-o '|...': the command is too long");
	strcpy(word, command);
	if (pipe2(fds, O_CLOEXEC) < 0)
		die_errno("cannot make a pipe to %s", command);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[0], STDIN_FILENO);
	/* Somebody may have us ignore SIGPIPE; the command shall not. */
	posix_spawnattr_init(&attr);
	sigemptyset(&signals);
	sigaddset(&signals, SIGPIPE);
	posix_spawnattr_setsigdefault(&attr, &signals);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	error = posix_spawn(&output->command, "/bin/sh", &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	if (error) {
		errno = error;
		die_errno("cannot start %s", command);
	}
	close(fds[0]);
	return fds[1];
}

/* Somebody may be watching a terminal or a pipe; nobody watches a file. */
static bool is_regular(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* Waits until the reader takes something.  False: nobody waits for that any more. */
static bool can_write(const struct output *output)
{
	struct pollfd fd = { .fd = output->fd, .events = POLLOUT };

	if (output->regular)
		return true;
	while (poll(&fd, 1, atomic_load(&output->given_up) ? 0 : LOOK_MS) <= 0) {
		if (!atomic_load(&output->given_up))
			continue;
		errno = EAGAIN;
		return false;
	}
	return true;
}

/* Async-signal-safe.  A signal in the middle of it may have some bytes written
 * twice; none is lost. */
static void write_out(void *arg)
{
	struct output *output = arg;
	size_t done = 0;

	while (!output->failed && done < output->len) {
		size_t left = output->len - done;
		ssize_t n;

		if (!can_write(output)) {
			output->failed = true;
			break;
		}
		if (!output->regular && left > PIPE_WRITE)
			left = PIPE_WRITE;
		n = write(output->fd, output->buf + done, left);
		if (n >= 0) {
			done += (size_t)n;
			atomic_fetch_add(&output->written, (uint64_t)n);
		} else if (errno != EINTR && errno != EAGAIN) {
			output->failed = true;
		}
	}
	output->len = 0;
}

void output_open(struct output *output, const struct log_options *options)
{
	output->len = 0;
	output->failed = false;
	output->own_fd = options->path != NULL;
	output->fd = options->fd;
	output->name = options->path ? options->path :
		       options->fd == STDOUT_FILENO ? "standard output" : "standard error";
	if (options->path && (options->path[0] == '|' || options->path[0] == '!'))
		output->fd = open_command(output, options->path + 1);
	else if (options->path)
		output->fd = open_file(options->path, options->append);
	output->regular = is_regular(output->fd);
	output->by_line = !options->path || !output->regular;
	cleanup_add(write_out, output);
}

void output_last_words(struct output *output)
{
	write_out(output);
}

void output_flush(struct output *output)
{
	if (output->failed)
		return;
	write_out(output);
	if (output->failed)
		warn("the log ends here: cannot write to %s: %s", output->name,
		     errno == EAGAIN ? "nobody reads it" : strerror(errno));
}

void output_line(struct output *output, const struct line *line)
{
	if (output->failed)
		return;
	if (line->len > OUTPUT_SIZE - output->len)
		output_flush(output);
	memcpy(output->buf + output->len, line->buf, line->len);
	output->len += line->len;
	if (output->by_line)
		output_flush(output);
}

/* The end of its input is a command's sign to finish. */
static void wait_for_command(struct output *output)
{
	int status;

	while (waitpid(output->command, &status, 0) < 0)
		if (errno != EINTR)
			return;
	if (WIFSIGNALED(status))
		warn("%s was ended by signal %d", output->name, WTERMSIG(status));
	else if (WEXITSTATUS(status))
		warn("%s ended with status %d", output->name, WEXITSTATUS(status));
	if (status)
		output->failed = true;
}

bool output_close(struct output *output)
{
	output_flush(output);
	cleanup_remove(write_out, output);
	/* A network file system may report a full disk only now. */
	if (output->own_fd && close(output->fd) < 0 && !output->failed) {
		output->failed = true;
		warn("the log is incomplete: cannot write to %s: %s", output->name,
		     strerror(errno));
	}
	if (output->command)
		wait_for_command(output);
	return !output->failed;
}
