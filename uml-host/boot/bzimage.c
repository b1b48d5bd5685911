/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bzImage kernels.  The protected-mode part goes to 1 MiB and decompresses
 * itself; the setup header is copied into boot_params, which the original
 * launcher did not do and newer decompressors need (ABI 3.2).  Nothing of the
 * setup part's code is ever run.
 */
#include <stdio.h>

#include "boot/boot.h"

#define LOAD_ADDRESS 0x100000u
#define SECTOR 512u

/* What the header says, decoded. */
struct bzimage {
	uint32_t setup_bytes;	/* before the protected-mode part */
	uint32_t bytes;		/* of that part */
	uint32_t entry;
	uint32_t header_end;	/* in boot_params */
	uint64_t needs;		/* end of the memory it takes at first */
};

/* Is it a kernel a guest can be? */
static const char *check_kind(struct boot_file file, char text[BOOT_TEXT])
{
	const uint8_t *h = file.bytes;
	uint16_t version;

	if (file.size < BP_HEADER_END || memcmp(h + BP_MAGIC, "HdrS", 4) != 0)
		return "is neither an ELF file nor a bzImage";
	if (!(h[BP_LOADFLAGS] & BOOT_LOADED_HIGH))
		return "is a zImage, loaded low; build a bzImage";
	version = boot_get16(h + BP_VERSION);
	if (version < BOOT_VERSION_SUBARCH) {
		snprintf(text, BOOT_TEXT, "has boot protocol %u.%02u; lguest guests have at least 2.07, which is Linux 2.6.24",
			 version >> 8, version & 0xffu);
		return text;
	}
	if (version >= 0x020c && boot_get16(h + BP_XLOADFLAGS) & BOOT_KERNEL_64)
		return "is a 64-bit kernel; guests are 32-bit x86";
	return NULL;
}

/* Where does the file's protected-mode part begin, and is it all there? */
static const char *check_size(struct boot_file file, struct bzimage *z)
{
	uint64_t promised = boot_get32(file.bytes + BP_SYSSIZE) * 16ull;

	/* 0 means 4, for the sake of very old boot loaders. */
	z->setup_bytes = (file.bytes[BP_SETUP_SECTS] ? file.bytes[BP_SETUP_SECTS] : 4u) * SECTOR +
			 SECTOR;
	if (file.size <= z->setup_bytes)
		return "is truncated: a bzImage with nothing after its setup part";
	/* Until 2.6.29 the last unit was not filled up. */
	if (file.size - z->setup_bytes + 15 < promised)
		return "is truncated: a bzImage shorter than its header says";
	return NULL;
}

/* The memory a kernel wants free from the address it unpacks itself to (Linux
 * boot protocol, init_size); without it nothing is known but the image. */
static const char *check_memory(const uint8_t *h, struct boot_ram ram,
				struct bzimage *z, char text[BOOT_TEXT])
{
	uint64_t alignment = boot_get32(h + BP_KERNEL_ALIGNMENT);
	uint64_t start, end;

	z->needs = LOAD_ADDRESS + (uint64_t)z->bytes;
	if (boot_get16(h + BP_VERSION) < 0x020a)
		return boot_fits(z->needs, ram, " and more to unpack itself", text);
	if (!alignment)
		alignment = BOOT_DEFAULT_ALIGNMENT;
	if (alignment & (alignment - 1))
		return "is damaged: its alignment is no power of two";
	start = h[BP_RELOCATABLE] ? (LOAD_ADDRESS + alignment - 1) & ~(alignment - 1) :
				    boot_get64(h + BP_PREF_ADDRESS);
	if (start > UINT32_MAX)
		return "is damaged: it wants to run above 4 GiB";
	end = start + boot_get32(h + BP_INIT_SIZE);
	if (end > z->needs)
		z->needs = end;
	return boot_fits(z->needs, ram, " to unpack itself", text);
}

static const char *decode(struct boot_file file, struct boot_ram ram,
			  struct bzimage *z, char text[BOOT_TEXT])
{
	const uint8_t *h = file.bytes;
	const char *error = check_kind(file, text);

	if (!error)
		error = check_size(file, z);
	if (!error)
		error = boot_fits(LOAD_ADDRESS + (uint64_t)(file.size - z->setup_bytes),
				  ram, " and more to unpack itself", text);
	if (error)
		return error;
	/* What fits into memory fits 32 bits. */
	z->bytes = (uint32_t)(file.size - z->setup_bytes);
	z->entry = boot_get32(h + BP_CODE32_START);
	if (z->entry < LOAD_ADDRESS || z->entry - LOAD_ADDRESS >= z->bytes)
		return "has its 32-bit entry point outside the image";
	z->header_end = BP_MAGIC + h[BP_HEADER_BYTES];
	/* Other fields of boot_params come next. */
	if (z->header_end > BP_HEADER_END)
		z->header_end = BP_HEADER_END;
	return check_memory(h, ram, z, text);
}

static void copy_version(struct boot_file file, const struct bzimage *z,
			 struct boot_result *result)
{
	uint32_t at = boot_get16(file.bytes + BP_KERNEL_VERSION);

	/* 0: there is none. */
	if (at && at + 0x200 < z->setup_bytes)
		boot_copy_version(result->version, file.bytes + at + 0x200,
				  z->setup_bytes - at - 0x200);
}

const char *boot_bzimage(struct boot_file file, struct boot_ram ram,
			 struct boot_result *result, char text[BOOT_TEXT])
{
	struct bzimage z;
	const char *error = decode(file, ram, &z, text);

	if (error)
		return error;
	memcpy(ram.base + BP_SETUP_SECTS, file.bytes + BP_SETUP_SECTS,
	       z.header_end - BP_SETUP_SECTS);
	memcpy(ram.base + LOAD_ADDRESS, file.bytes + z.setup_bytes, z.bytes);
	result->kind = BOOT_BZIMAGE;
	result->entry = z.entry;
	result->low = LOAD_ADDRESS;
	result->high = (uint32_t)z.needs;
	result->setup_version = boot_get16(file.bytes + BP_VERSION);
	copy_version(file, &z, result);
	return NULL;
}
