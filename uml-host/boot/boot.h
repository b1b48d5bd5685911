/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading a guest: image, initrd, command line and boot_params go into guest
 * memory as the old launcher put them.  The map of this room.
 *
 *	boot.c		the order of things
 *	image.c		files into memory, and what kind they are
 *	elf.c		32-bit ELF programs: guest-rt, vmlinux
 *	bzimage.c	compressed kernels
 *	params.c	boot_params, command line, e820, initrd
 *
 * Files are read, never mapped: what is patched in memory must not reach them,
 * and somebody may write them while we look.  Every number of a header is
 * checked against the file and the memory before it is used.
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Guest-physical 0 and up. */
struct boot_ram {
	uint8_t *base;
	uint32_t bytes;		/* whole MiB */
};

struct boot_config {
	const char *image;
	const char *initrd;	/* NULL: none */
	const char *command_line;	/* NULL: empty */
};

enum boot_kind { BOOT_ELF, BOOT_BZIMAGE };

struct boot_result {
	enum boot_kind kind;
	uint32_t entry;		/* physical EIP */
	uint32_t initrd_start, initrd_bytes;	/* bytes: rounded up to pages */
	uint16_t setup_version;	/* boot protocol of a bzImage, 0 for an ELF */
	uint32_t low, high;	/* guest-physical range the image was loaded to */
};

/* A file in memory. */
struct boot_file {
	const uint8_t *bytes;
	size_t size;
};

/* Loads everything into zeroed `ram`.  What is wrong with a file is said in one
 * line and ends the program with status 1 (die). */
void boot_load(const struct boot_config *config, struct boot_ram ram,
	       struct boot_result *result);

/* The parsers: NULL when all is well, else what is wrong, for the line above.
 * They touch `ram` only where the result says, and only if all is well with
 * the headers. `text` gets messages with numbers in them. */
#define BOOT_TEXT 160
const char *boot_elf(struct boot_file file, struct boot_ram ram,
		     struct boot_result *result, char text[BOOT_TEXT]);
const char *boot_bzimage(struct boot_file file, struct boot_ram ram,
			 struct boot_result *result, char text[BOOT_TEXT]);
const char *boot_params(const struct boot_config *config, struct boot_ram ram,
			struct boot_file initrd, struct boot_result *result,
			char text[BOOT_TEXT]);

/* Reads a whole regular file of at most `max` bytes; NULL when all is well.
 * Free with boot_free. */
const char *boot_read(const char *path, size_t max, struct boot_file *file,
		      char text[BOOT_TEXT]);
void boot_free(struct boot_file *file);

/* boot_params, and the longest command line that is passed on, its NUL
 * included: what every kernel copies. */
#define BOOT_PARAMS_BYTES 4096u
#define BOOT_COMMAND_LINE_MAX 2048u

#endif
