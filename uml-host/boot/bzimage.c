/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bzImage kernels.  The protected-mode part goes to 1 MiB and decompresses
 * itself; the setup header is copied into boot_params, which the original
 * launcher did not do and newer decompressors need (ABI 3.2).
 */
#include <stdio.h>
#include <string.h>

#include "boot/boot.h"

#define SETUP_SECTS 0x1f1u
#define MAGIC 0x202u		/* "HdrS" */
#define HEADER_END 0x201u	/* length of the header after 0x202 */
#define VERSION 0x206u
#define LOADFLAGS 0x211u
#define LOADED_HIGH 1u
#define CODE32_START 0x214u
#define LOAD_ADDRESS 0x100000u
#define SECTOR 512u

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

const char *boot_bzimage(struct boot_file file, struct boot_ram ram,
			 struct boot_result *result, char text[BOOT_TEXT])
{
	uint32_t sectors, skip, header_end, entry;
	size_t bytes;

	if (file.size < MAGIC + 0x70 || memcmp(file.bytes + MAGIC, "HdrS", 4) != 0)
		return "is neither an ELF file nor a bzImage";
	if (!(file.bytes[LOADFLAGS] & LOADED_HIGH))
		return "is a zImage, loaded low; build a bzImage";
	/* 0 means 4, for the sake of very old kernels. */
	sectors = file.bytes[SETUP_SECTS] ? file.bytes[SETUP_SECTS] : 4;
	skip = (sectors + 1) * SECTOR;
	if (file.size <= skip)
		return "is truncated: a bzImage with nothing after its setup part";
	bytes = file.size - skip;
	if (LOAD_ADDRESS + (uint64_t)bytes > ram.bytes) {
		snprintf(text, BOOT_TEXT, "needs %zu MiB of memory and more to unpack itself, the guest has %u; give it more with -m",
			 (LOAD_ADDRESS + bytes + 0xfffff) >> 20, ram.bytes >> 20);
		return text;
	}
	entry = get32(file.bytes + CODE32_START);
	if (entry < LOAD_ADDRESS || entry - LOAD_ADDRESS >= bytes)
		return "has its 32-bit entry point outside the image";
	header_end = MAGIC + file.bytes[HEADER_END];
	if (header_end > BOOT_PARAMS_BYTES || header_end > file.size)
		header_end = MAGIC;
	memcpy(ram.base + SETUP_SECTS, file.bytes + SETUP_SECTS, header_end - SETUP_SECTS);
	memcpy(ram.base + LOAD_ADDRESS, file.bytes + skip, bytes);
	result->kind = BOOT_BZIMAGE;
	result->entry = entry;
	result->low = LOAD_ADDRESS;
	result->high = LOAD_ADDRESS + (uint32_t)bytes;
	memcpy(&result->setup_version, file.bytes + VERSION, sizeof(result->setup_version));
	return NULL;
}
