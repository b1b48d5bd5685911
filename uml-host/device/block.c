/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block device: requests on an image file or a block device of the host.
 *
 * Every write is in the host's page cache when the guest is told so, and on
 * disk when a flush or barrier after it is.  Whatever goes wrong on the host
 * (a full disk, a bad sector, a place past the end) is an I/O error for the
 * guest, never the end of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/fs.h>
#include <unistd.h>

#include "base/die.h"
#include "device/internal.h"
#include "virtio/block.h"

/* Segments of a request: a ring less header and status. */
#define SEG_MAX 254u

struct block {
	struct virtio_device device;
	int fd;
	bool readonly;
	uint64_t bytes;
	char id[VIRTIO_BLOCK_ID_BYTES];
	struct iovec part[VQ_MAX_SEGMENTS];	/* what is still to do */
};

static struct block *block_of(struct virtio_device *d)
{
	return (struct block *)d;
}

/* --- requests -------------------------------------------------------------------- */

/* Moves the data between guest and image, all of it, or fails. */
static uint8_t transfer(struct block *b, const struct iovec *iov, unsigned int n,
			size_t bytes, uint64_t sector, bool write)
{
	uint64_t at = sector * VIRTIO_BLOCK_SECTOR;
	size_t done = 0;

	/* The sum of guest numbers may wrap, the division does not. */
	if (bytes > b->bytes || sector > (b->bytes - bytes) / VIRTIO_BLOCK_SECTOR)
		return VIRTIO_BLOCK_IOERR;
	while (done < bytes) {
		int pieces = (int)iov_part(iov, n, done, bytes - done, b->part);
		off_t where = (off_t)(at + done);
		ssize_t moved = write ? pwritev(b->fd, b->part, pieces, where) :
					preadv(b->fd, b->part, pieces, where);

		if (moved < 0 && errno == EINTR)
			continue;
		/* 0: somebody made the image shorter. */
		if (moved <= 0)
			return VIRTIO_BLOCK_IOERR;
		done += (size_t)moved;
	}
	return VIRTIO_BLOCK_OK;
}

static uint8_t flush(struct block *b)
{
	if (b->readonly || fdatasync(b->fd) == 0)
		return VIRTIO_BLOCK_OK;
	return VIRTIO_BLOCK_IOERR;
}

/* A chain taken apart. */
struct request {
	struct virtio_block_header header;
	size_t header_bytes;
	size_t out_bytes, in_bytes;	/* of data, without header and status */
};

static uint8_t block_write(struct block *b, const struct vq_chain *c, const struct request *r)
{
	struct iovec data[VQ_MAX_SEGMENTS];
	unsigned int n = iov_part(c->iov, c->nr_out, r->header_bytes, r->out_bytes, data);

	if (b->readonly)
		return VIRTIO_BLOCK_IOERR;
	return transfer(b, data, n, r->out_bytes, r->header.sector, true);
}

/* Does it; bytes written into the chain, before the status, go to *len. */
static uint8_t execute(struct block *b, struct vq_chain *c, const struct request *r,
		       uint32_t *len)
{
	uint8_t status;

	switch (r->header.type & ~VIRTIO_BLOCK_BARRIER) {
	case VIRTIO_BLOCK_IN:
		status = transfer(b, chain_in(c), c->nr_in, r->in_bytes,
				  r->header.sector, false);
		if (status == VIRTIO_BLOCK_OK)
			*len = (uint32_t)r->in_bytes;
		return status;
	case VIRTIO_BLOCK_OUT:
		return block_write(b, c, r);
	case VIRTIO_BLOCK_FLUSH:
		return flush(b);
	case VIRTIO_BLOCK_GET_ID:
		*len = (uint32_t)iov_write(chain_in(c), c->nr_in, 0, b->id,
					   r->in_bytes < sizeof(b->id) ? r->in_bytes :
									 sizeof(b->id));
		return VIRTIO_BLOCK_OK;
	default:
		/* SCSI commands among them: no guest needs one. */
		return VIRTIO_BLOCK_UNSUPPORTED;
	}
}

/* A barrier: what came before is on disk before it, and it before the rest.
 * Generations up to S ask for the first half only; both are right for all. */
static uint8_t execute_barrier(struct block *b, struct vq_chain *c,
			       const struct request *r, uint32_t *len)
{
	uint8_t status = flush(b);

	if (status == VIRTIO_BLOCK_OK)
		status = execute(b, c, r, len);
	if (status == VIRTIO_BLOCK_OK)
		status = flush(b);
	return status;
}

static int64_t block_handle(struct virtqueue *q, struct vq_chain *c)
{
	struct block *b = block_of(q->device);
	struct request r = { .header_bytes = sizeof(r.header) };
	uint32_t len = 0;
	uint8_t status;

	/* Z: eight bytes more, which nobody uses (ABI 8.5). */
	if (b->device.form == DEVICE_FORM_Z)
		r.header_bytes = VIRTIO_BLOCK_HEADER_Z;
	if (c->out_bytes < r.header_bytes || !c->in_bytes) {
		virtio_broken(&b->device, "makes a request without header or status");
		return HANDLE_LATER;
	}
	/* The one copy of the header, wherever its bytes stand. */
	iov_read(c->iov, c->nr_out, 0, &r.header, sizeof(r.header));
	r.out_bytes = c->out_bytes - r.header_bytes;
	r.in_bytes = c->in_bytes - 1;
	status = r.header.type & VIRTIO_BLOCK_BARRIER ? execute_barrier(b, c, &r, &len) :
							execute(b, c, &r, &len);
	iov_write(chain_in(c), c->nr_in, r.in_bytes, &status, 1);
	return (int64_t)len + 1;
}

static void block_destroy(struct virtio_device *d)
{
	struct block *b = block_of(d);

	close(b->fd);
	free(b);
}

static const struct virtio_ops block_ops = {
	.name = "block",
	.handle = block_handle,
	.destroy = block_destroy,
};

/* --- the image --------------------------------------------------------------------- */

/* One writer or many readers.  The lock belongs to the open file, so it ends
 * with us however we end. */
static void lock_image(int fd, const char *path, bool readonly)
{
	struct flock lock = {
		.l_type = readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET,
	};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return;
	if (errno == EAGAIN || errno == EACCES)
		die("%s: in use by another guest%s", path,
		    readonly ? " that writes to it" : "; give it as FILE,ro to share it");
	/* A file system without such locks may have the older kind. */
	if (flock(fd, (readonly ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
		return;
	if (errno == EWOULDBLOCK)
		die("%s: in use by another guest", path);
	warn("%s: its file system cannot lock it, so nobody keeps a second writer off", path);
}

static uint64_t image_bytes(int fd, const char *path)
{
	uint64_t bytes = 0;
	struct stat st;

	if (fstat(fd, &st) != 0)
		die_errno("%s", path);
	if (S_ISBLK(st.st_mode)) {
		if (ioctl(fd, BLKGETSIZE64, &bytes) != 0)
			die_errno("%s: cannot tell its size", path);
	} else if (S_ISREG(st.st_mode)) {
		bytes = (uint64_t)st.st_size;
	} else {
		die("%s: neither a file nor a block device", path);
	}
	if (!bytes)
		die("%s: is empty", path);
	if (bytes % VIRTIO_BLOCK_SECTOR)
		die("%s: %llu bytes are no whole number of 512-byte sectors", path,
		    (unsigned long long)bytes);
	return bytes;
}

static int open_image(const char *path, bool readonly)
{
	/* Not blocking: the name may be that of a fifo. */
	int flags = (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, fd;
	struct stat st;

	/* A disk of the host has a writer that takes no locks: who mounted it.
	 * Only there O_EXCL means anything without O_CREAT (open(2)). */
	if (!readonly && stat(path, &st) == 0 && S_ISBLK(st.st_mode))
		flags |= O_EXCL;
	fd = open(path, flags);
	if (fd < 0 && errno == EBUSY)
		die("%s: in use: mounted, or another guest's", path);
	if (fd < 0)
		die_errno("cannot open %s%s", path,
			  !readonly && (errno == EACCES || errno == EROFS || errno == EPERM) ?
			  " for writing (FILE,ro only reads it)" : "");
	return fd;
}

void bus_add_block(struct device_bus *bus, const char *path, bool readonly)
{
	struct block *b = calloc(1, sizeof(*b));
	struct virtio_block_config config = { .seg_max = SEG_MAX };

	if (!b)
		die("out of memory");
	b->fd = open_image(path, readonly);
	b->bytes = image_bytes(b->fd, path);
	lock_image(b->fd, path, readonly);
	b->readonly = readonly;
	config.capacity = b->bytes / VIRTIO_BLOCK_SECTOR;
	virtio_init(&b->device, bus, &block_ops, VIRTIO_ID_BLOCK, 1);
	snprintf(b->id, sizeof(b->id), "uml-host-%u", b->device.nr);
	memcpy(b->device.config, &config, sizeof(config));
	b->device.page_config_len = sizeof(config);
	b->device.config_len = VIRTIO_MAX_CONFIG;
	b->device.offered = VIRTIO_FEATURE(VIRTIO_BLOCK_F_BARRIER) |
			    VIRTIO_FEATURE(VIRTIO_BLOCK_F_FLUSH) |
			    VIRTIO_FEATURE(VIRTIO_BLOCK_F_SEG_MAX);
	b->device.legacy = VIRTIO_FEATURE(VIRTIO_BLOCK_F_BARRIER);
	if (readonly)
		b->device.offered |= VIRTIO_FEATURE(VIRTIO_BLOCK_F_RO);
	virtio_start_threads(&b->device);
}
