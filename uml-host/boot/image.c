/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files into memory.  Only regular files: a FIFO or a device has no size to
 * check headers against.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static const char *check(const struct stat *st, size_t max, char text[BOOT_TEXT])
{
	if (S_ISDIR(st->st_mode))
		return "is a directory";
	if (!S_ISREG(st->st_mode))
		return "is not a regular file";
	if (st->st_size == 0)
		return "is empty";
	if ((uint64_t)st->st_size > max) {
		snprintf(text, BOOT_TEXT, "has %llu MiB, more than the %zu MiB of guest memory; give the guest more with -m",
			 ((unsigned long long)st->st_size + 0xfffff) >> 20, max >> 20);
		return text;
	}
	return NULL;
}

const char *boot_read(const char *path, size_t max, struct boot_file *file,
		      char text[BOOT_TEXT])
{
	/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	const char *error;
	uint8_t *bytes;
	struct stat st;

	*file = (struct boot_file){ 0 };
	if (fd < 0)
		return strerror(errno);
	error = fstat(fd, &st) ? strerror(errno) : check(&st, max, text);
	if (!error) {
		bytes = malloc((size_t)st.st_size);
		error = bytes ? read_all(fd, bytes, (size_t)st.st_size) : "does not fit into memory";
		if (error)
			free(bytes);
		else
			*file = (struct boot_file){ bytes, (size_t)st.st_size };
	}
	close(fd);
	return error;
}

void boot_free(struct boot_file *file)
{
	free((void *)file->bytes);
	*file = (struct boot_file){ 0 };
}
