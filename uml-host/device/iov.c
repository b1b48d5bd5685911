/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes scattered over a list of pieces.  The lists are ours, checked when
 * they were made; the bytes are the guest's.
 */
#include <string.h>

#include "device/internal.h"

size_t iov_bytes(const struct iovec *iov, unsigned int n)
{
	size_t bytes = 0;

	while (n--)
		bytes += iov++->iov_len;
	return bytes;
}

unsigned int iov_part(const struct iovec *iov, unsigned int n, size_t skip,
		      size_t len, struct iovec *part)
{
	unsigned int pieces = 0;

	for (; n && len; n--, iov++) {
		size_t here = iov->iov_len;

		if (skip >= here) {
			skip -= here;
			continue;
		}
		here -= skip;
		if (here > len)
			here = len;
		part[pieces].iov_base = (char *)iov->iov_base + skip;
		part[pieces++].iov_len = here;
		len -= here;
		skip = 0;
	}
	return pieces;
}

/* One walk for both directions: `flat` is read or written. */
static size_t iov_copy(const struct iovec *iov, unsigned int n, size_t skip,
		       char *flat, size_t len, bool out)
{
	size_t done = 0;

	for (; n && done < len; n--, iov++) {
		struct iovec piece;

		if (!iov_part(iov, 1, skip, len - done, &piece)) {
			skip -= iov->iov_len;
			continue;
		}
		skip = 0;
		if (out)
			memcpy(piece.iov_base, flat + done, piece.iov_len);
		else
			memcpy(flat + done, piece.iov_base, piece.iov_len);
		done += piece.iov_len;
	}
	return done;
}

size_t iov_read(const struct iovec *iov, unsigned int n, size_t skip, void *to,
		size_t len)
{
	return iov_copy(iov, n, skip, to, len, false);
}

size_t iov_write(const struct iovec *iov, unsigned int n, size_t skip,
		 const void *from, size_t len)
{
	/* Only read, in this direction. */
	return iov_copy(iov, n, skip, (char *)(uintptr_t)from, len, true);
}
