/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading a guest: image, initrd, command line and boot_params go into guest
 * memory as the old launcher put them.  The map of this room.
 *
 *	boot.c		the order of things, and what kind an image is
 *	image.c		files into memory
 *	elf.c		32-bit ELF programs: guest-rt, vmlinux
 *	bzimage.c	compressed kernels
 *	params.c	boot_params, command line, e820, initrd
 *
 * Files are read, never mapped: what is patched in memory must not reach them,
 * and somebody may write them while we look.  Every number of a header is
 * checked against the file and the memory before it is used, and nothing is
 * written to guest memory before everything is checked.
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Guest-physical 0 and up. */
struct boot_ram {
	uint8_t *base;
	uint32_t bytes;		/* whole MiB, at least one */
};

struct boot_config {
	const char *image;
	const char *initrd;	/* NULL: none */
	const char *command_line;	/* words joined by blanks; NULL: empty */
};

enum boot_kind { BOOT_ELF, BOOT_BZIMAGE };

struct boot_range {
	uint32_t start, bytes;	/* guest-physical */
};

#define BOOT_SEGMENTS 16u	/* loadable segments of an ELF */
#define BOOT_VERSION 128u

struct boot_result {
	enum boot_kind kind;
	uint32_t entry;		/* physical EIP */
	uint32_t initrd_start, initrd_bytes;	/* bytes: rounded up to pages */
	uint16_t setup_version;	/* boot protocol of a bzImage, 0 for an ELF */
	/* Guest-physical range the guest needs to start: image, bss, and the
	 * room a bzImage asks for to unpack itself. */
	uint32_t low, high;
	/* What came from an ELF file, so where its vmcall sites can be.  Not
	 * only segments marked executable: the first code of a Linux kernel
	 * lies in one that is not. */
	struct boot_range loaded[BOOT_SEGMENTS];
	unsigned int nr_loaded;
	/* The release a Linux kernel calls itself, and who built it when: "3.10.99
	 * (root@vm) …".  Printable ASCII; empty if there is none. */
	char version[BOOT_VERSION];
};

/* A file in memory. */
struct boot_file {
	const uint8_t *bytes;
	size_t size;
};

/* Loads everything into zeroed `ram`.  A file that cannot be what it should be
 * ends the program with status 1, and so does a command line or an initrd too
 * long (die): one line says the file's name, what is wrong and what would be
 * right. */
void boot_load(const struct boot_config *config, struct boot_ram ram,
	       struct boot_result *result);

/* The parsers, in the order of boot_load, for a zeroed `result`: NULL when all
 * is well, else what is wrong, for the line above.  They touch `ram` and `result`
 * only if all is well.  `text` gets messages with numbers in them. */
#define BOOT_TEXT 160
const char *boot_image(struct boot_file file, struct boot_ram ram,
		       struct boot_result *result, char text[BOOT_TEXT]);
const char *boot_params(const char *command_line, struct boot_ram ram,
			struct boot_result *result, char text[BOOT_TEXT]);
const char *boot_initrd(struct boot_file initrd, struct boot_ram ram,
			struct boot_result *result, char text[BOOT_TEXT]);

/* The two kinds boot_image tells apart. */
const char *boot_elf(struct boot_file file, struct boot_ram ram,
		     struct boot_result *result, char text[BOOT_TEXT]);
const char *boot_bzimage(struct boot_file file, struct boot_ram ram,
			 struct boot_result *result, char text[BOOT_TEXT]);

/* Reads a whole regular file of at most `max` bytes; NULL when all is well.
 * `limit` ends the message about a larger one: what has `max`, what to do.
 * Free with boot_free. */
const char *boot_read(const char *path, size_t max, const char *limit,
		      struct boot_file *file, char text[BOOT_TEXT]);
void boot_free(struct boot_file *file);

/* NULL if `end` bytes from guest-physical 0 fit into memory, else the message. */
const char *boot_fits(uint64_t end, struct boot_ram ram, const char *what,
		      char text[BOOT_TEXT]);

/* Copies the printable start of `from`, at most `bytes`, up to a NUL or newline. */
void boot_copy_version(char version[BOOT_VERSION], const uint8_t *from, size_t bytes);

/* boot_params, and the longest command line that is passed on, its NUL
 * included: what every kernel copies. */
#define BOOT_PARAMS_BYTES 4096u
#define BOOT_COMMAND_LINE_MAX 2048u

/*
 * Offsets in boot_params.  From SETUP_SECTS on this is the setup header, which
 * has the same offsets in a bzImage file (Linux boot protocol; ABI 3.3).
 */
#define BP_E820_ENTRIES 0x1e8u
#define BP_SETUP_SECTS 0x1f1u
#define BP_SYSSIZE 0x1f4u		/* 16-byte units after the setup part */
#define BP_HEADER_BYTES 0x201u		/* bytes of the header after 0x202 */
#define BP_MAGIC 0x202u			/* "HdrS" */
#define BP_VERSION 0x206u
#define BP_KERNEL_VERSION 0x20eu	/* of a string, less 0x200 */
#define BP_TYPE_OF_LOADER 0x210u
#define BP_LOADFLAGS 0x211u
#define BP_CODE32_START 0x214u
#define BP_RAMDISK_IMAGE 0x218u
#define BP_RAMDISK_SIZE 0x21cu
#define BP_CMD_LINE_PTR 0x228u
#define BP_KERNEL_ALIGNMENT 0x230u
#define BP_RELOCATABLE 0x234u
#define BP_XLOADFLAGS 0x236u		/* from 2.12 on */
#define BP_CMDLINE_SIZE 0x238u		/* without the NUL */
#define BP_HARDWARE_SUBARCH 0x23cu
#define BP_SETUP_DATA 0x250u
#define BP_PREF_ADDRESS 0x258u		/* from 2.10 on, as the next */
#define BP_INIT_SIZE 0x260u
#define BP_HEADER_END 0x290u		/* no header reaches farther */
#define BP_E820_MAP 0x2d0u

#define BOOT_LOADED_HIGH 1u		/* loadflags */
#define BOOT_KEEP_SEGMENTS 0x40u
#define BOOT_KERNEL_64 1u		/* xloadflags */
/* hardware_subarch exists since then, and kernels ask for it (ABI 3.3). */
#define BOOT_VERSION_SUBARCH 0x0207u
/* Where nothing else is said; launchers of E and F set it (ABI 3.3). */
#define BOOT_DEFAULT_ALIGNMENT 0x1000000u

static inline uint16_t boot_get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t boot_get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t boot_get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

#endif
