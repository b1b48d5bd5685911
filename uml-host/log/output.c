/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the log goes: a file, by the buffer; standard error, by the line.
 *
 * Own buffer instead of stdio, because what is buffered has to reach the file
 * on every way out, and the cleanups of die.h may run in a signal handler.
 * This file never stops a guest: a log that cannot be written any more says so
 * once and goes quiet.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "log/internal.h"

static int open_file(const char *path, bool append)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY;
	int fd;

	/* strace would start a command here; we have no business doing so. */
	if (path[0] == '|' || path[0] == '!')
		usage_error("-o %s: a log cannot be piped to a command; name a file, "
			    "or ./%s if it is one", path, path);
	fd = open(path, flags | (append ? O_APPEND : O_TRUNC), 0666);
	if (fd < 0)
		die_errno("cannot write the log to %s", path);
	return fd;
}

/* Somebody may be watching a terminal or a pipe; nobody watches a file. */
static bool is_regular(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* Async-signal-safe: write() only.  A signal in the middle of it may have some
 * bytes written twice; none is lost. */
static void write_out(void *arg)
{
	struct output *output = arg;
	size_t done = 0;

	while (!output->failed && done < output->len) {
		ssize_t n = write(output->fd, output->buf + done, output->len - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			output->failed = true;
	}
	output->len = 0;
}

void output_open(struct output *output, const struct log_options *options)
{
	output->len = 0;
	output->failed = false;
	output->own_fd = options->path != NULL;
	if (options->path) {
		output->name = options->path;
		output->fd = open_file(options->path, options->append);
		output->by_line = !is_regular(output->fd);
	} else {
		output->name = "standard error";
		output->fd = options->fd;
		output->by_line = true;
	}
	cleanup_add(write_out, output);
}

void output_flush(struct output *output)
{
	if (output->failed)
		return;
	write_out(output);
	if (output->failed)
		warn("the log ends here: cannot write to %s: %s", output->name,
		     strerror(errno));
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
	return !output->failed;
}
