/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading a guest, from file names to an entry point.  The only file here that
 * may end the program: the parsers return what is wrong.
 */
#include <stdio.h>

#include "base/die.h"
#include "boot/boot.h"

/* A vmlinux with debug information is far larger than what is loaded. */
#define IMAGE_MAX (1u << 30)

/* What people give instead of an image, by the file's first bytes. */
static const struct {
	const char *magic;
	size_t bytes;
	const char *error;
} other_files[] = {
#define PACKED(how) "is compressed with " how ": unpack it, or use the bzImage (an initrd goes to --initrd=)"
	{ "\x1f\x8b", 2, PACKED("gzip") },
	{ "BZh", 3, PACKED("bzip2") },
	{ "\xfd" "7zXZ", 5, PACKED("xz") },
	{ "\x5d\0\0", 3, PACKED("lzma") },
	{ "\x28\xb5\x2f\xfd", 4, PACKED("zstd") },
	{ "\x02\x21\x4c\x18", 4, PACKED("lz4") },
	{ "\x89LZO", 4, PACKED("lzop") },
#undef PACKED
	{ "07070", 5, "is a cpio archive: give it with --initrd=, and a kernel as the guest" },
	{ "#!", 2, "is a script: give an ELF program, a vmlinux or a bzImage" },
};

static bool begins(struct boot_file file, const char *magic, size_t bytes)
{
	return file.size >= bytes && memcmp(file.bytes, magic, bytes) == 0;
}

const char *boot_image(struct boot_file file, struct boot_ram ram,
		       struct boot_result *result, char text[BOOT_TEXT])
{
	size_t i;

	if (begins(file, "\177ELF", 4))
		return boot_elf(file, ram, result, text);
	for (i = 0; i < sizeof(other_files) / sizeof(other_files[0]); i++)
		if (begins(file, other_files[i].magic, other_files[i].bytes))
			return other_files[i].error;
	return boot_bzimage(file, ram, result, text);
}

const char *boot_fits(uint64_t end, struct boot_ram ram, const char *what,
		      char text[BOOT_TEXT])
{
	unsigned long long mib = (end + 0xfffff) >> 20;

	if (end <= ram.bytes)
		return NULL;
	if (end > UINT32_MAX)
		snprintf(text, BOOT_TEXT, "needs %llu MiB of memory%s, more than a 32-bit guest can have",
			 mib, what);
	else
		snprintf(text, BOOT_TEXT, "needs %llu MiB of memory%s, the guest has %u; give it more with -m",
			 mib, what, ram.bytes >> 20);
	return text;
}

void boot_copy_version(char version[BOOT_VERSION], const uint8_t *from, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes && i < BOOT_VERSION - 1; i++) {
		/* It goes to a terminal. */
		if (from[i] < ' ' || from[i] > '~')
			break;
		version[i] = (char)from[i];
	}
	version[i] = '\0';
}

static void load_image(const char *path, struct boot_ram ram, struct boot_result *result)
{
	struct boot_file file;
	char text[BOOT_TEXT];
	const char *error = boot_read(path, IMAGE_MAX, "an image may have; strip it",
				      &file, text);

	if (!error)
		error = boot_image(file, ram, result, text);
	if (error)
		die("%s: %s", path, error);
	boot_free(&file);
}

static void load_initrd(const char *path, struct boot_ram ram, struct boot_result *result)
{
	struct boot_file file;
	char text[BOOT_TEXT];
	const char *error = boot_read(path, ram.bytes,
				      "of guest memory; give the guest more with -m",
				      &file, text);

	if (!error)
		error = boot_initrd(file, ram, result, text);
	if (error)
		die("%s: %s", path, error);
	boot_free(&file);
}

void boot_load(const struct boot_config *config, struct boot_ram ram,
	       struct boot_result *result)
{
	const char *line = config->command_line ? config->command_line : "";
	char text[BOOT_TEXT];
	const char *error;

	*result = (struct boot_result){ 0 };
	load_image(config->image, ram, result);
	error = boot_params(line, ram, result, text);
	if (error)
		die("%s: %s", config->image, error);
	if (config->initrd)
		load_initrd(config->initrd, ram, result);
}
