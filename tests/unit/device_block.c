/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The block device on temporary files. */
#include "device_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "virtio/block.h"

#define SECTORS 64u

static struct rig rig;
static struct driver_queue q;
static const char *image;

static void open_block(enum device_form form, bool readonly)
{
	char sector[512];
	unsigned int i;
	int fd;

	image = temporary_file(SECTORS * 512);
	fd = open(image, O_WRONLY | O_CLOEXEC);
	for (i = 0; i < SECTORS; i++) {
		memset(sector, 'A' + (int)i, sizeof(sector));
		cr_assert_eq(write(fd, sector, 512), 512);
	}
	close(fd);
	rig_open(&rig);
	bus_add_block(rig.bus, image, readonly);
	rig_start(&rig, form);
	if (form == DEVICE_FORM_Z)
		return;
	rig_probe(&rig, 0, VIRTIO_FEATURE(VIRTIO_BLOCK_F_FLUSH));
	q = rig_queue(&rig, 0, 0);
}

static uint8_t image_byte(unsigned int at)
{
	uint8_t byte = 0;
	int fd = open(image, O_RDONLY | O_CLOEXEC);

	cr_assert_eq(pread(fd, &byte, 1, at), 1);
	close(fd);
	return byte;
}

struct result { uint8_t status; uint32_t used_len; uint32_t data; };

/* One request of three descriptors, as 2.6 guests make them. */
static struct result request(uint32_t type, uint64_t sector, uint32_t bytes, char fill)
{
	struct virtio_block_header h = { .type = type, .sector = sector };
	uint32_t header = rig_alloc(&rig, sizeof(h)), status = rig_alloc(&rig, 1);
	bool out = (type & ~VIRTIO_BLOCK_BARRIER) == VIRTIO_BLOCK_OUT;
	struct result r = { .data = rig_alloc(&rig, bytes) };
	struct piece p[3] = {
		{ header, sizeof(h), false }, { r.data, bytes, !out }, { status, 1, true },
	};

	memcpy(rig_at(&rig, header), &h, sizeof(h));
	memset(rig_at(&rig, r.data), fill, bytes);
	*(uint8_t *)rig_at(&rig, status) = 0xee;
	if (!bytes)
		p[1] = p[2];
	driver_add(&q, p, bytes ? 3 : 2);
	driver_kick(&q);
	r.used_len = driver_wait(&q).len;
	r.status = *(uint8_t *)rig_at(&rig, status);
	return r;
}

struct block_case {
	const char *name;
	uint32_t type;
	uint64_t sector;
	uint32_t bytes;
	bool readonly;
	uint8_t status;
	uint32_t used_len;
};

static const struct block_case cases[] = {
	{ "read", 0, 3, 512, .status = 0, .used_len = 513 },
	{ "read of several", 0, 0, 4096, .status = 0, .used_len = 4097 },
	{ "read of all", 0, 0, SECTORS * 512, .status = 0, .used_len = SECTORS * 512 + 1 },
	{ "read of the last", 0, SECTORS - 1, 512, .status = 0, .used_len = 513 },
	{ "read over the end", 0, SECTORS - 1, 1024, .status = 1, .used_len = 1 },
	{ "read past the end", 0, SECTORS, 512, .status = 1, .used_len = 1 },
	{ "read far out", 0, UINT64_MAX, 512, .status = 1, .used_len = 1 },
	{ "read that wraps", 0, (1ull << 55) + 1, 512, .status = 1, .used_len = 1 },
	{ "read of more than all", 0, 0, SECTORS * 512 + 512, .status = 1, .used_len = 1 },
	{ "write", 1, 3, 512, .status = 0, .used_len = 1 },
	{ "write past the end", 1, SECTORS, 512, .status = 1, .used_len = 1 },
	{ "write over the end", 1, SECTORS - 1, 1024, .status = 1, .used_len = 1 },
	{ "write of more than all", 1, 0, SECTORS * 512 + 512, .status = 1, .used_len = 1 },
	{ "write read-only", 1, 3, 512, true, .status = 1, .used_len = 1 },
	{ "read read-only", 0, 3, 512, true, .status = 0, .used_len = 513 },
	{ "flush", 4, 0, 0, .status = 0, .used_len = 1 },
	{ "flush read-only", 4, 0, 0, true, .status = 0, .used_len = 1 },
	{ "scsi", 2, 0, 64, .status = 2, .used_len = 1 },
	{ "scsi out", 3, 0, 64, .status = 2, .used_len = 1 },
	{ "id", 8, 0, 20, .status = 0, .used_len = 21 },
	{ "id, short", 8, 0, 4, .status = 0, .used_len = 5 },
	{ "id, long", 8, 0, 64, .status = 0, .used_len = 21 },
	{ "unknown", 77, 0, 512, .status = 2, .used_len = 1 },
	{ "barrier write", 0x80000001, 3, 512, .status = 0, .used_len = 1 },
	{ "barrier read", 0x80000000, 3, 512, .status = 0, .used_len = 513 },
	{ "bare barrier of scsi", 0x80000002, 0, 0, .status = 2, .used_len = 1 },
};

Test(device_block, requests)
{
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct block_case *c = &cases[i];
		struct result r;
		struct stat st;

		open_block(DEVICE_FORM_E, c->readonly);
		r = request(c->type, c->sector, c->bytes, '#');
		cr_assert_eq(r.status, c->status, "%s: status %u", c->name, r.status);
		cr_assert_eq(r.used_len, c->used_len, "%s: %u", c->name, r.used_len);
		cr_assert_eq(rig.complaints, 0, "%s: %s", c->name, rig.complaint);
		/* What a write changed, and all others left alone. */
		cr_assert_eq(image_byte(3 * 512), (c->type & 0x7fffffff) == 1 && !c->status ?
			     '#' : 'A' + 3, "%s", c->name);
		cr_assert_eq(image_byte(4 * 512), 'A' + 4, "%s", c->name);
		cr_assert(stat(image, &st) == 0 && st.st_size == SECTORS * 512, "%s", c->name);
		rig_await_irq(&rig, q.irq, 0);
		rig_close(&rig);
	}
}

Test(device_block, data)
{
	struct result r;
	const char *data;

	open_block(DEVICE_FORM_E, false);
	r = request(VIRTIO_BLOCK_IN, 5, 1024, 0);
	data = rig_at(&rig, r.data);
	cr_assert(data[0] == 'F' && data[511] == 'F' && data[512] == 'G' && data[1023] == 'G');
	r = request(VIRTIO_BLOCK_GET_ID, 0, 20, 'x');
	cr_assert_str_eq(rig_at(&rig, r.data), "uml-host-0");
	rig_close(&rig);
}

/* E takes any layout: header in three pieces, status at the end of the data. */
Test(device_block, any_layout)
{
	struct virtio_block_header h = { .type = VIRTIO_BLOCK_IN, .sector = 1 };
	uint32_t header, data;
	struct piece p[5];
	char *bytes;

	open_block(DEVICE_FORM_E, false);
	header = rig_alloc(&rig, 16);
	data = rig_alloc(&rig, 2048);
	memcpy(rig_at(&rig, header), &h, sizeof(h));
	bytes = rig_at(&rig, data);
	memset(bytes, 0xee, 2048);
	p[0] = (struct piece){ header, 3, false };
	p[1] = (struct piece){ header + 3, 0, false };
	p[2] = (struct piece){ header + 3, 13, false };
	p[3] = (struct piece){ data, 100, true };
	p[4] = (struct piece){ data + 100, 924 + 1, true };
	driver_add(&q, p, 5);
	driver_kick(&q);
	cr_assert_eq(driver_wait(&q).len, 1025);
	cr_assert(bytes[0] == 'B' && bytes[511] == 'B' && bytes[1023] == 'C');
	cr_assert(bytes[1024] == 0 && (uint8_t)bytes[1025] == 0xee);
	rig_close(&rig);
}

/* The old form: a header of 24 bytes, ring of 128. */
Test(device_block, generation_z)
{
	struct virtio_block_header h = { .type = VIRTIO_BLOCK_OUT, .sector = 2 };
	uint32_t header, data, status;
	struct piece p[3];

	open_block(DEVICE_FORM_Z, false);
	q = (struct driver_queue){ .rig = &rig, .num = 128, .irq = 1, .address = RIG_RAM + 4096 };
	q.desc = rig_at(&rig, q.address);
	q.avail = rig_at(&rig, q.address + 2048);
	q.used = rig_at(&rig, q.address + 4096);
	header = rig_alloc(&rig, 24);
	data = rig_alloc(&rig, 512);
	status = rig_alloc(&rig, 1);
	memcpy(rig_at(&rig, header), &h, sizeof(h));
	memset((char *)rig_at(&rig, header) + 16, 0x77, 8);
	memset(rig_at(&rig, data), 'z', 512);
	*(uint8_t *)rig_at(&rig, status) = 0xee;
	p[0] = (struct piece){ header, 24, false };
	p[1] = (struct piece){ data, 512, false };
	p[2] = (struct piece){ status, 1, true };
	driver_add(&q, p, 3);
	driver_kick(&q);
	cr_assert_eq(driver_wait(&q).len, 1);
	cr_assert_eq(*(uint8_t *)rig_at(&rig, status), 0);
	cr_assert_eq(image_byte(1024), 'z');
	cr_assert_eq(image_byte(1024 + 511), 'z');
	cr_assert_eq(image_byte(1024 + 512), 'A' + 3);
	rig_close(&rig);
}

/* A whole ring of requests in flight at once. */
Test(device_block, many_at_once)
{
	uint32_t header[85], data[85], status;
	unsigned int i;

	open_block(DEVICE_FORM_E, false);
	status = rig_alloc(&rig, 85);
	for (i = 0; i < 85; i++) {
		struct virtio_block_header h = { .type = VIRTIO_BLOCK_IN, .sector = i % SECTORS };
		struct piece p[3];

		header[i] = rig_alloc(&rig, 16);
		data[i] = rig_alloc(&rig, 512);
		memcpy(rig_at(&rig, header[i]), &h, sizeof(h));
		p[0] = (struct piece){ header[i], 16, false };
		p[1] = (struct piece){ data[i], 512, true };
		p[2] = (struct piece){ status + i, 1, true };
		driver_add(&q, p, 3);
	}
	driver_kick(&q);
	for (i = 0; i < 85; i++) {
		cr_assert_eq(driver_wait(&q).id, i * 3);
		cr_assert_eq(*(char *)rig_at(&rig, data[i] + 77), (char)('A' + i % SECTORS));
	}
	rig_close(&rig);
}

/* A full disk is the guest's I/O error, nothing else; and a flush that fails, as
 * on this device, is not passed over. */
Test(device_block, full_disk)
{
	struct result r;
	int fd;

	open_block(DEVICE_FORM_E, false);
	fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	cr_assert(fd >= 0);
	/* The image's descriptor is the one after the event descriptors. */
	for (int i = 3; i < 64; i++) {
		char name[64] = "", link[32];

		snprintf(link, sizeof(link), "/proc/self/fd/%d", i);
		if (readlink(link, name, sizeof(name) - 1) > 0 && strcmp(name, image) == 0)
			cr_assert(dup3(fd, i, O_CLOEXEC) == i);
	}
	r = request(VIRTIO_BLOCK_OUT, 0, 512, 'x');
	cr_assert_eq(r.status, 1);
	cr_assert_eq(request(VIRTIO_BLOCK_FLUSH, 0, 0, 0).status, 1);
	cr_assert_eq(request(VIRTIO_BLOCK_IN, 0, 512, 0).status, 0);
	cr_assert_eq(request(VIRTIO_BLOCK_IN | VIRTIO_BLOCK_BARRIER, 0, 512, 0).status, 1);
	rig_close(&rig);
}

/* --- durability ------------------------------------------------------------------- */

/* Stands in for the C library's: killing the program shows nothing, because the
 * host's page cache survives it. */
static atomic_uint syncs;
static atomic_int sync_error;

int fdatasync(int fd)
{
	syncs++;
	if (sync_error) {
		errno = sync_error;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static unsigned int syncs_of(uint32_t type, uint8_t status)
{
	unsigned int before = syncs;

	cr_assert_eq(request(type, 1, type == VIRTIO_BLOCK_FLUSH ? 0 : 512, 'x').status, status);
	return syncs - before;
}

Test(device_block, flushes_reach_the_disk)
{
	static const int errors[] = { EIO, ENOSPC, EDQUOT };
	unsigned int i;

	open_block(DEVICE_FORM_B, false);
	cr_assert_eq(syncs_of(VIRTIO_BLOCK_OUT, 0), 0);
	cr_assert_eq(syncs_of(VIRTIO_BLOCK_FLUSH, 0), 1);
	/* Before it and after it. */
	cr_assert_eq(syncs_of(VIRTIO_BLOCK_OUT | VIRTIO_BLOCK_BARRIER, 0), 2);
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		sync_error = errors[i];
		cr_assert_eq(syncs_of(VIRTIO_BLOCK_FLUSH, 1), 1);
		cr_assert_eq(syncs_of(VIRTIO_BLOCK_OUT | VIRTIO_BLOCK_BARRIER, 1), 1);
	}
	sync_error = 0;
	rig_close(&rig);
}

/* --- images that will not do ------------------------------------------------------ */

/* Status and message of a child that opens `path`. */
static void expect_refusal(const char *path, bool readonly, const char *want)
{
	char text[512] = "";
	int fds[2], status;
	size_t n = 0;
	pid_t pid;

	cr_assert(pipe(fds) == 0);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		dup2(fds[1], 2);
		bus_add_block(rig.bus, path, readonly);
		_exit(0);
	}
	close(fds[1]);
	for (ssize_t got; (got = read(fds[0], text + n, sizeof(text) - 1 - n)) > 0;)
		n += (size_t)got;
	close(fds[0]);
	waitpid(pid, &status, 0);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1, "status 0x%x", status);
	cr_assert(strstr(text, want), "%s", text);
}

Test(device_block, refusals)
{
	const char *file;

	rig_open(&rig);
	expect_refusal("/nowhere/at/all", false, "No such file");
	expect_refusal("/", true, "neither a file nor a block device");
	expect_refusal("/dev/null", true, "neither a file nor a block device");
	file = temporary_file(0);
	expect_refusal(file, false, "is empty");
	cr_assert(truncate(file, 1000) == 0);
	expect_refusal(file, false, "1000 bytes are no whole number");
	rig_close(&rig);
}

Test(device_block, one_writer_or_many_readers)
{
	/* A child inherits our lock's file but opens its own. */
	open_block(DEVICE_FORM_E, false);
	expect_refusal(image, false, "in use by another guest");
	expect_refusal(image, true, "in use by another guest that writes");
	rig_close(&rig);
	rig_open(&rig);
	bus_add_block(rig.bus, image, true);
	/* The lock is the open file's, so a second one in this process counts. */
	bus_add_block(rig.bus, image, true);
	expect_refusal(image, false, "in use by another guest; give it as FILE,ro");
	rig_close(&rig);
}
