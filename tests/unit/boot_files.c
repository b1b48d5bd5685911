/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files into memory, the ones that are refused, and boot_load as a whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boot_helper.h"

static char dir[] = "/tmp/uml-host-unit.XXXXXX";

/* A path in the test's own directory; the next call but three reuses it. */
static const char *path(const char *name)
{
	static char paths[4][128];
	static unsigned int n;
	char *p = paths[n++ % 4];

	snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
	return p;
}

static void enter(void)
{
	cr_assert(mkdtemp(dir));
}

static void leave(void)
{
	static const char *const names[] = { "a", "b", "fifo", "socket", "link" };

	for (size_t i = 0; i < NR(names); i++)
		unlink(path(names[i]));
	rmdir(dir);
}

TestSuite(boot_files, .init = enter, .fini = leave);

static const char *write_file(const char *name, struct boot_file file)
{
	const char *p = path(name);
	int fd = open(p, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, file.bytes, file.size), (ssize_t)file.size);
	cr_assert_eq(close(fd), 0);
	return p;
}

static void refused(const char *name, size_t max, const char *expected)
{
	struct boot_file file = { (const uint8_t *)"x", 1 };
	char text[BOOT_TEXT];
	const char *error = boot_read(name, max, "there is room for", &file, text);

	cr_expect(error && strstr(error, expected), "%s: %s, not '%s'", name,
		  error ? error : "accepted", expected);
	cr_expect_null(file.bytes);
	cr_expect_eq(file.size, 0);
}

Test(boot_files, read_whole)
{
	struct boot_file given = good_elf(), file;
	char text[BOOT_TEXT];

	write_file("a", given);
	cr_assert_eq(symlink("a", path("link")), 0);
	cr_assert_null(boot_read(path("link"), given.size, "", &file, text));
	cr_assert_eq(file.size, given.size);
	cr_expect_eq(memcmp(file.bytes, given.bytes, given.size), 0);
	boot_free(&file);
	cr_expect_null(file.bytes);
}

Test(boot_files, refusals)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	refused(path("none"), MIB, "No such file");
	refused("", MIB, "No such file");
	refused(dir, MIB, "is a directory");
	refused("/dev/null", MIB, "not a regular file");
	refused("/dev/zero", MIB, "not a regular file");
	/* Nobody writes to it, and still nobody waits. */
	cr_assert_eq(mkfifo(path("fifo"), 0600), 0);
	refused(path("fifo"), MIB, "not a regular file");
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(address.sun_path, path("socket"));
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	refused(path("socket"), MIB, "not a regular file");
	write_file("a", (struct boot_file){ (const uint8_t *)"", 0 });
	refused(path("a"), MIB, "is empty");
	cr_assert_eq(symlink("link", path("link")), 0);
	refused(path("link"), MIB, strerror(ELOOP));
}

/* By its size, before anything is read. */
Test(boot_files, too_large)
{
	cr_assert_eq(close(open(path("a"), O_WRONLY | O_CREAT, 0600)), 0);
	cr_assert_eq(truncate(path("a"), 2 * MIB + 1), 0);
	refused(path("a"), 2 * MIB, "has 3 MiB, more than the 2 MiB there is room for");
	cr_assert_eq(truncate(path("a"), 1ll << 40), 0);
	refused(path("a"), 2 * MIB, "has 1048576 MiB, more than the 2 MiB there is room for");
}

Test(boot_files, no_permission)
{
	write_file("a", (struct boot_file){ (const uint8_t *)"x", 1 });
	cr_assert_eq(chmod(path("a"), 0), 0);
	cr_assert_eq(chmod(dir, 0755), 0);
	/* Root reads everything. */
	if (geteuid() == 0)
		cr_assert_eq(seteuid(65534), 0);
	refused(path("a"), MIB, "Permission denied");
	if (getuid() == 0)
		cr_assert_eq(seteuid(0), 0);
}

/* Files of sysfs claim a page and hold less, as if they were cut meanwhile. */
Test(boot_files, became_shorter)
{
	static const char file[] = "/sys/kernel/mm/transparent_hugepage/enabled";
	struct stat st;

	if (stat(file, &st) != 0 || st.st_size != 4096)
		cr_skip_test("no sysfs");
	refused(file, MIB, "became shorter");
}

/* --- boot_load ------------------------------------------------------------------- */

Test(boot_files, load)
{
	struct boot_ram ram = ram_of(4);
	struct boot_file elf = good_elf(), after;
	const char *image = write_file("a", elf);
	const char *initrd = write_file("b", (struct boot_file){ (const uint8_t *)"initrd", 6 });
	const struct boot_config config = { .image = image, .initrd = initrd };
	struct boot_result r;
	char text[BOOT_TEXT];

	memset(&r, 0xff, sizeof(r));
	boot_load(&config, ram, &r);
	cr_expect_eq(r.entry, ELF_ENTRY);
	cr_expect_eq(r.initrd_start, 4 * MIB - 4096);
	cr_expect_str_eq((char *)ram.base + r.initrd_start, "initrd");
	cr_expect_eq(memcmp(ram.base + TEXT_START, elf.bytes + ELF_TEXT, ELF_TEXT_BYTES), 0);
	cr_expect_eq(boot_get16(ram.base + 0x206), 0x0207);
	cr_expect_eq(ram.base[0x210], 0xff);
	cr_expect_str_eq((char *)ram.base + 0x1000, "");
	/* What the guest does to its memory stays there (ABI 4.1). */
	memset(ram.base, 0xcc, ram.bytes);
	cr_assert_null(boot_read(image, MIB, "", &after, text));
	cr_assert_eq(after.size, elf.size);
	cr_expect_eq(memcmp(after.bytes, elf.bytes, elf.size), 0);
	boot_free(&after);
}

/* What a process that loads this says at its end, and its exit status.  The
 * leak checker of a sanitized build may say something of its own after it. */
static int ending(const struct boot_config *config, char *said, size_t size)
{
	int fds[2], status;
	ssize_t n, all = 0;
	pid_t child;

	cr_assert_eq(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		struct boot_result r;

		dup2(fds[1], STDERR_FILENO);
		boot_load(config, ram_of(4), &r);
		_exit(0);
	}
	close(fds[1]);
	while ((n = read(fds[0], said + all, size - 1 - (size_t)all)) > 0)
		all += n;
	said[all] = '\0';
#ifdef __SANITIZE_ADDRESS__
	said[strcspn(said, "\n")] = '\0';
	strcat(said, "\n");
#endif
	close(fds[0]);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* One line, with the name of the file that is wrong, and status 1. */
Test(boot_files, load_refusals)
{
	const char *elf = write_file("a", good_elf());
	const char *text = write_file("b", (struct boot_file){ (const uint8_t *)"no guest", 8 });
	const char *none = path("none");
	char long_line[3000];
	const struct {
		struct boot_config config;
		const char *file, *expected;
	} rows[] = {
		{ { none, NULL, NULL }, none, ": No such file or directory\n" },
		{ { text, NULL, NULL }, text, ": is neither an ELF file nor a bzImage\n" },
		{ { elf, none, NULL }, none, ": No such file or directory\n" },
		{ { elf, dir, NULL }, dir, ": is a directory\n" },
		{ { elf, NULL, long_line }, elf, ": the command line has 2999 characters, this guest takes at most 2047\n" },
	};

	memset(long_line, 'x', sizeof(long_line) - 1);
	long_line[sizeof(long_line) - 1] = '\0';
	for (size_t i = 0; i < NR(rows); i++) {
		char said[1024], line[1024];

		cr_expect_eq(ending(&rows[i].config, said, sizeof(said)), 1);
		snprintf(line, sizeof(line), "uml-host: %s%s", rows[i].file, rows[i].expected);
		cr_expect_str_eq(said, line);
	}
}

Test(boot_files, load_initrd_too_large)
{
	const char *elf = write_file("a", good_elf());
	const struct boot_config config = { .image = elf, .initrd = path("b") };
	char said[1024];

	cr_assert_eq(close(open(config.initrd, O_WRONLY | O_CREAT, 0600)), 0);
	/* Larger than memory, and than what the image leaves of it. */
	cr_assert_eq(truncate(config.initrd, 5 * MIB), 0);
	cr_expect_eq(ending(&config, said, sizeof(said)), 1);
	cr_expect(strstr(said, "has 5 MiB, more than the 4 MiB of guest memory; give the guest more with -m\n"));
	cr_assert_eq(truncate(config.initrd, 3 * MIB), 0);
	cr_expect_eq(ending(&config, said, sizeof(said)), 1);
	cr_expect(strstr(said, "needs 5 MiB of memory together with the guest's image, the guest has 4"));
	cr_assert_eq(truncate(config.initrd, 2 * MIB), 0);
	cr_expect_eq(ending(&config, said, sizeof(said)), 0);
}
