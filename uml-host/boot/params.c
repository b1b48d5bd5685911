/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot_params at guest-physical 0, the command line behind it, the initrd at
 * the top of memory (ABI 3.3).  The setup header of a bzImage is there already;
 * what the launcher decides comes over it.
 */
#include <stdio.h>
#include <string.h>

#include "boot/boot.h"
#include "lguest/hypercall.h"

/* Offsets in boot_params. */
#define E820_ENTRIES 0x1e8u
#define HDR_MAGIC 0x202u
#define HDR_VERSION 0x206u
#define TYPE_OF_LOADER 0x210u
#define LOADFLAGS 0x211u
#define RAMDISK_IMAGE 0x218u
#define RAMDISK_SIZE 0x21cu
#define CMD_LINE_PTR 0x228u
#define KERNEL_ALIGNMENT 0x230u
#define HARDWARE_SUBARCH 0x23cu
#define E820_MAP 0x2d0u

#define KEEP_SEGMENTS 0x40u
#define LOADER_UNKNOWN 0xffu
#define E820_RAM 1u
/* The first version with hardware_subarch: the kernel asks for it. */
#define VERSION_WITH_SUBARCH 0x0207u
#define DEFAULT_ALIGNMENT 0x1000000u

static uint8_t *put16(uint8_t *p, uint16_t v) { return memcpy(p, &v, sizeof(v)); }
static uint8_t *put32(uint8_t *p, uint32_t v) { return memcpy(p, &v, sizeof(v)); }
static uint8_t *put64(uint8_t *p, uint64_t v) { return memcpy(p, &v, sizeof(v)); }

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static const char *put_initrd(struct boot_ram ram, struct boot_file initrd,
			      struct boot_result *result, char text[BOOT_TEXT])
{
	uint64_t bytes = (initrd.size + 4095) & ~4095ull;

	if (bytes + result->high > ram.bytes) {
		snprintf(text, BOOT_TEXT, "initrd of %zu KiB does not fit above the guest image; give the guest more memory with -m",
			 (initrd.size + 1023) >> 10);
		return text;
	}
	result->initrd_bytes = (uint32_t)bytes;
	result->initrd_start = ram.bytes - (uint32_t)bytes;
	memcpy(ram.base + result->initrd_start, initrd.bytes, initrd.size);
	ram.base[TYPE_OF_LOADER] = LOADER_UNKNOWN;
	put32(ram.base + RAMDISK_IMAGE, result->initrd_start);
	put32(ram.base + RAMDISK_SIZE, result->initrd_bytes);
	return NULL;
}

const char *boot_params(const struct boot_config *config, struct boot_ram ram,
			struct boot_file initrd, struct boot_result *result,
			char text[BOOT_TEXT])
{
	const char *line = config->command_line ? config->command_line : "";
	uint8_t *p = ram.base;

	if (strlen(line) >= BOOT_COMMAND_LINE_MAX) {
		snprintf(text, BOOT_TEXT, "the guest's command line has %zu characters, at most %u are possible",
			 strlen(line), BOOT_COMMAND_LINE_MAX - 1);
		return text;
	}
	strcpy((char *)p + LGUEST_COMMAND_LINE, line);
	put32(p + CMD_LINE_PTR, LGUEST_COMMAND_LINE);
	p[E820_ENTRIES] = 1;
	put64(p + E820_MAP, 0);
	put64(p + E820_MAP + 8, ram.bytes);
	put32(p + E820_MAP + 16, E820_RAM);
	put32(p + HARDWARE_SUBARCH, LGUEST_HARDWARE_SUBARCH);
	p[LOADFLAGS] |= KEEP_SEGMENTS;
	memcpy(p + HDR_MAGIC, "HdrS", 4);
	if (get16(p + HDR_VERSION) < VERSION_WITH_SUBARCH)
		put16(p + HDR_VERSION, VERSION_WITH_SUBARCH);
	/* Decompressors since 2.6.31 align by it and take no zero. */
	if (!get32(p + KERNEL_ALIGNMENT))
		put32(p + KERNEL_ALIGNMENT, DEFAULT_ALIGNMENT);
	return initrd.bytes ? put_initrd(ram, initrd, result, text) : NULL;
}
