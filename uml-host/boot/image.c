/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files into memory.  Only regular files: a FIFO or a device has no size to
 * check headers against, and opening a device can do things.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/boot.h"

static const char *read_all(int fd, uint8_t *to, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, to + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return strerror(errno);
		if (n == 0)
			return "became shorter while it was read";
		done += (size_t)n;
	}
	return NULL;
}

static const char *check_type(mode_t mode)
{
	if (S_ISDIR(mode))
		return "is a directory";
	if (!S_ISREG(mode))
		return "is not a regular file";
	return NULL;
}

static const char *check_size(off_t size, size_t max, const char *limit,
			      char text[BOOT_TEXT])
{
	if (size == 0)
		return "is empty";
	if ((uint64_t)size > max) {
		snprintf(text, BOOT_TEXT, "has %llu MiB, more than the %zu MiB %s",
			 ((unsigned long long)size + 0xfffff) >> 20, max >> 20, limit);
		return text;
	}
	return NULL;
}

/* A descriptor of a regular file, with what fstat says; -1 and `error` if not. */
static int open_regular(const char *path, struct stat *st, const char **error)
{
	int fd;

	/* Before it is opened: a watchdog starts by that, a tape rewinds. */
	*error = stat(path, st) ? strerror(errno) : check_type(st->st_mode);
	if (*error)
		return -1;
	/* O_NONBLOCK: should it have become a FIFO, do not wait for a writer. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	*error = fd < 0 || fstat(fd, st) ? strerror(errno) : check_type(st->st_mode);
	if (*error && fd >= 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

const char *boot_read(const char *path, size_t max, const char *limit,
		      struct boot_file *file, char text[BOOT_TEXT])
{
	const char *error;
	struct stat st;
	int fd;

	*file = (struct boot_file){ 0 };
	fd = open_regular(path, &st, &error);
	if (fd < 0)
		return error;
	error = check_size(st.st_size, max, limit, text);
	if (!error) {
		size_t size = (size_t)st.st_size;
		uint8_t *bytes = malloc(size);

		error = bytes ? read_all(fd, bytes, size) : "does not fit into this host's memory";
		if (error)
			free(bytes);
		else
			*file = (struct boot_file){ bytes, size };
	}
	close(fd);
	return error;
}

void boot_free(struct boot_file *file)
{
	free((void *)file->bytes);
	*file = (struct boot_file){ 0 };
}
