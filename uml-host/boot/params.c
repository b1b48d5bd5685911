/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot_params at guest-physical 0, the command line behind it, the initrd at
 * the top of memory (ABI 3.2, 3.3).  The setup header of a bzImage is there
 * already; what the launcher decides comes over it, and what no kernel's build
 * decides is cleared.
 */
#include <stdio.h>

#include "boot/boot.h"
#include "lguest/hypercall.h"

#define LOADER_UNKNOWN 0xffu
#define E820_RAM 1u

static void put16(uint8_t *p, uint16_t v) { memcpy(p, &v, sizeof(v)); }
static void put32(uint8_t *p, uint32_t v) { memcpy(p, &v, sizeof(v)); }
static void put64(uint8_t *p, uint64_t v) { memcpy(p, &v, sizeof(v)); }

/* Bytes of the longest command line this guest takes, without its NUL. */
static uint32_t command_line_max(const uint8_t *p, const struct boot_result *result)
{
	uint32_t max = BOOT_COMMAND_LINE_MAX - 1;

	if (result->kind == BOOT_BZIMAGE) {
		uint32_t own = boot_get32(p + BP_CMDLINE_SIZE);

		if (own && own < max)
			max = own;
	}
	return max;
}

/* Where the guest's own things must end: old generations find page tables of
 * the host's right below the initrd (ABI 3.5), one page for every 4 MiB, the
 * top level, and one more for PAE. */
static uint32_t boot_tables(struct boot_ram ram)
{
	return ((ram.bytes + 0x3fffff) / 0x400000 + 2) * 4096;
}

const char *boot_params(const char *command_line, struct boot_ram ram,
			struct boot_result *result, char text[BOOT_TEXT])
{
	size_t length = strlen(command_line);
	uint8_t *p = ram.base;
	uint32_t max = command_line_max(p, result);

	if (length > max) {
		snprintf(text, BOOT_TEXT, "the command line has %zu characters, this guest takes at most %u",
			 length, max);
		return text;
	}
	memcpy(p + LGUEST_COMMAND_LINE, command_line, length + 1);
	put32(p + BP_CMD_LINE_PTR, LGUEST_COMMAND_LINE);
	p[BP_E820_ENTRIES] = 1;
	put64(p + BP_E820_MAP, 0);
	put64(p + BP_E820_MAP + 8, ram.bytes);
	put32(p + BP_E820_MAP + 16, E820_RAM);
	put32(p + BP_HARDWARE_SUBARCH, LGUEST_HARDWARE_SUBARCH);
	p[BP_LOADFLAGS] |= BOOT_KEEP_SEGMENTS;
	if (boot_get16(p + BP_VERSION) < BOOT_VERSION_SUBARCH)
		put16(p + BP_VERSION, BOOT_VERSION_SUBARCH);
	/* Decompressors since 2.6.31 align by it and take no zero. */
	if (!boot_get32(p + BP_KERNEL_ALIGNMENT))
		put32(p + BP_KERNEL_ALIGNMENT, BOOT_DEFAULT_ALIGNMENT);
	/* A boot loader's to say, whatever the file has there. */
	p[BP_TYPE_OF_LOADER] = 0;
	put32(p + BP_RAMDISK_IMAGE, 0);
	put32(p + BP_RAMDISK_SIZE, 0);
	put64(p + BP_SETUP_DATA, 0);
	return NULL;
}

const char *boot_initrd(struct boot_file initrd, struct boot_ram ram,
			struct boot_result *result, char text[BOOT_TEXT])
{
	uint64_t bytes = (initrd.size + 4095ull) & ~4095ull;
	const char *error;

	error = boot_fits(bytes + boot_tables(ram) + result->high, ram,
			  " together with the guest's image", text);
	if (error)
		return error;
	result->initrd_bytes = (uint32_t)bytes;
	result->initrd_start = ram.bytes - (uint32_t)bytes;
	memcpy(ram.base + result->initrd_start, initrd.bytes, initrd.size);
	ram.base[BP_TYPE_OF_LOADER] = LOADER_UNKNOWN;
	put32(ram.base + BP_RAMDISK_IMAGE, result->initrd_start);
	put32(ram.base + BP_RAMDISK_SIZE, result->initrd_bytes);
	return NULL;
}
