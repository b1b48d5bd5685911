/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading a guest, from file names to an entry point.
 */
#include <string.h>

#include "base/die.h"
#include "boot/boot.h"

static void load_image(const char *path, struct boot_ram ram, struct boot_result *result)
{
	struct boot_file file;
	char text[BOOT_TEXT];
	/* A vmlinux with debug information is far larger than what is loaded. */
	const char *error = boot_read(path, 1u << 30, &file, text);

	if (error)
		die("%s: %s", path, error);
	if (file.size >= 4 && memcmp(file.bytes, "\177ELF", 4) == 0)
		error = boot_elf(file, ram, result, text);
	else if (file.size >= 2 && memcmp(file.bytes, "\x1f\x8b", 2) == 0)
		error = "is compressed with gzip: unpack it, or use the bzImage";
	else
		error = boot_bzimage(file, ram, result, text);
	if (error)
		die("%s: %s", path, error);
	boot_free(&file);
}

void boot_load(const struct boot_config *config, struct boot_ram ram,
	       struct boot_result *result)
{
	struct boot_file initrd = { 0 };
	char text[BOOT_TEXT];
	const char *error;

	*result = (struct boot_result){ 0 };
	load_image(config->image, ram, result);
	if (config->initrd) {
		error = boot_read(config->initrd, ram.bytes, &initrd, text);
		if (error)
			die("%s: %s", config->initrd, error);
	}
	error = boot_params(config, ram, initrd, result, text);
	if (error)
		die("%s", error);
	boot_free(&initrd);
}
