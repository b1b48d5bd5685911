/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bzImage kernels: what is loaded where, and what is refused. */
#include "boot_helper.h"

#define RAM_MIB 8u

static const char *load(struct boot_file file, struct boot_ram ram,
			struct boot_result *result)
{
	static char text[BOOT_TEXT];

	*result = (struct boot_result){ 0 };
	return boot_image(file, ram, result, text);
}

Test(boot_bzimage, body_and_header)
{
	struct boot_ram ram = ram_of(RAM_MIB);
	struct boot_file file = good_bzimage();
	uint8_t *expected = guarded(ram.bytes);
	struct boot_result r;

	memcpy(expected + 0x1f1, file.bytes + 0x1f1, 0x202 + BZ_HEADER_BYTES - 0x1f1);
	memcpy(expected + BZ_START, file.bytes + BZ_SETUP, BZ_BODY);
	cr_assert_null(load(file, ram, &r));
	cr_expect_eq(memcmp(ram.base, expected, ram.bytes), 0);
	cr_expect_eq(r.kind, BOOT_BZIMAGE);
	cr_expect_eq(r.entry, BZ_START);
	cr_expect_eq(r.setup_version, 0x020c);
	cr_expect_eq(r.low, BZ_START);
	cr_expect_eq(r.high, BZ_PREF + BZ_INIT_SIZE);
	cr_expect_eq(r.nr_loaded, 0);
	cr_expect_str_eq(r.version, BZ_VERSION);
}

/* 0 setup sectors mean 4. */
Test(boot_bzimage, four_setup_sectors)
{
	struct boot_ram ram = ram_of(RAM_MIB);
	struct boot_file file = good_bzimage();
	uint32_t body = BZ_SIZE - 5 * 512;
	struct boot_result r;

	at(file, BP_SETUP_SECTS)[0] = 0;
	put32(at(file, BP_SYSSIZE), body / 16);
	cr_assert_null(load(file, ram, &r));
	cr_expect_eq(memcmp(ram.base + BZ_START, file.bytes + 5 * 512, body), 0);
	cr_expect(all_zero(ram.base + BZ_START + body, 4096));
}

/* A header that claims more than headers have stops before the fields that
 * follow it in boot_params; one that claims nothing has no fields. */
Test(boot_bzimage, header_length)
{
	static const struct { uint8_t bytes; uint32_t end; } rows[] = {
		{ 0xff, 0x290 }, { 0x8e, 0x290 }, { 0x8d, 0x28f }, { 0, 0x202 },
	};

	for (size_t i = 0; i < NR(rows); i++) {
		struct boot_ram ram = ram_of(RAM_MIB);
		struct boot_file file = good_bzimage();
		struct boot_result r;

		at(file, BP_HEADER_BYTES)[0] = rows[i].bytes;
		cr_assert_null(load(file, ram, &r));
		cr_expect(all_zero(ram.base, 0x1f1));
		cr_expect_eq(memcmp(ram.base + 0x1f1, file.bytes + 0x1f1, rows[i].end - 0x1f1), 0);
		cr_expect(all_zero(ram.base + rows[i].end, 0x1000 - rows[i].end));
		release(file.bytes, file.size);
		release(ram.base, ram.bytes);
	}
}

Test(boot_bzimage, refusals)
{
	static const struct refusal rows[] = {
		{ "a file of one byte", 1, { { 0 } }, "neither an ELF file nor a bzImage" },
		{ "shorter than a header", 0x28f, { { 0 } }, "neither an ELF file nor a bzImage" },
		{ "wrong magic", 0, { { BP_MAGIC, 1, 'h' } }, "neither an ELF file nor a bzImage" },
		{ "zImage", 0, { { BP_LOADFLAGS, 1, 0x80 } }, "zImage" },
		{ "old protocol", 0, { { BP_VERSION, 2, 0x0206 } }, "protocol 2.06; lguest guests have at least 2.07" },
		{ "64-bit kernel", 0, { { BP_XLOADFLAGS, 2, 0x0f } }, "64-bit kernel" },
		{ "setup part only", BZ_SETUP, { { 0 } }, "nothing after its setup part" },
		{ "half a setup part", BZ_SETUP - 512, { { 0 } }, "nothing after its setup part" },
		{ "setup part as long as the file", 0, { { BP_SETUP_SECTS, 1, 255 } }, "nothing after its setup part" },
		{ "16 bytes missing", BZ_SIZE - 16, { { 0 } }, "shorter than its header says" },
		{ "promises far too much", 0, { { BP_SYSSIZE, 4, 0xffffffff } }, "shorter than its header says" },
		{ "entry low", 0, { { BP_CODE32_START, 4, BZ_START - 1 } }, "entry point outside" },
		{ "entry 0", 0, { { BP_CODE32_START, 4, 0 } }, "entry point outside" },
		{ "entry behind the image", 0, { { BP_CODE32_START, 4, BZ_START + BZ_BODY } }, "entry point outside" },
		{ "entry far away", 0, { { BP_CODE32_START, 4, 0xffffffff } }, "entry point outside" },
		{ "image beyond memory", 7 * MIB + BZ_SETUP + 1, { { 0 } },
		  "needs 9 MiB of memory and more to unpack itself, the guest has 8" },
		{ "one byte too little to unpack", 0, { { BP_INIT_SIZE, 4, RAM_MIB * MIB - BZ_PREF + 1 } },
		  "needs 9 MiB of memory to unpack itself" },
		{ "unpacks far up", 0, { { BP_PREF_ADDRESS, 8, 0x1000000 } }, "needs 18 MiB" },
		{ "unpacks above 4 GiB", 0, { { BP_PREF_ADDRESS, 8, 0x100000000 } }, "above 4 GiB" },
		{ "unpacks to the end of the world", 0, { { BP_PREF_ADDRESS, 8, 0xffffffffffffffff } }, "above 4 GiB" },
		{ "needs 4 GiB", 0, { { BP_INIT_SIZE, 4, 0xffffffff } }, "more than a 32-bit guest can have" },
		{ "odd alignment", 0, { { BP_KERNEL_ALIGNMENT, 4, 0x300000 } }, "power of two" },
		{ "relocatable, aligned beyond memory", 0, { { BP_RELOCATABLE, 1, 1 },
		  { BP_KERNEL_ALIGNMENT, 4, 0x1000000 } }, "needs 18 MiB" },
		{ "relocatable, without alignment", 0, { { BP_RELOCATABLE, 1, 1 },
		  { BP_KERNEL_ALIGNMENT, 4, 0 } }, "needs 18 MiB" },
		{ "relocatable, largest alignment", 0, { { BP_RELOCATABLE, 1, 1 },
		  { BP_KERNEL_ALIGNMENT, 4, 0x80000000 } }, "needs 2050 MiB" },
	};

	check_refusals(good_bzimage, RAM_MIB, rows, NR(rows));
}

Test(boot_bzimage, just_possible)
{
	static const struct {
		const char *name;
		size_t size;
		struct patch patch[3];
		uint32_t high;
	} rows[] = {
		{ "last unit not filled up", BZ_SIZE - 15, { { 0 } }, BZ_PREF + BZ_INIT_SIZE },
		{ "something appended, a signature", BZ_SIZE + 999, { { 0 } }, BZ_PREF + BZ_INIT_SIZE },
		{ "up to the last byte of memory", 7 * MIB + BZ_SETUP, { { 0 } }, RAM_MIB * MIB },
		{ "unpacks up to the last byte", 0, { { BP_INIT_SIZE, 4, RAM_MIB * MIB - BZ_PREF } }, RAM_MIB * MIB },
		{ "last byte is the entry", 0, { { BP_CODE32_START, 4, BZ_START + BZ_BODY - 1 } },
		  BZ_PREF + BZ_INIT_SIZE },
		{ "oldest protocol: no init_size yet", 0, { { BP_VERSION, 2, 0x0207 },
		  { BP_INIT_SIZE, 4, 0xffffffff }, { BP_XLOADFLAGS, 2, 1 } }, BZ_START + BZ_BODY },
		{ "protocol before xloadflags", 0, { { BP_VERSION, 2, 0x020b }, { BP_XLOADFLAGS, 2, 1 } },
		  BZ_PREF + BZ_INIT_SIZE },
		{ "relocatable: aligned up from where it is loaded", 0, { { BP_RELOCATABLE, 1, 1 },
		  { BP_PREF_ADDRESS, 8, 0x5000000000 } }, 0x400000 + BZ_INIT_SIZE },
		{ "relocatable, aligned already", 0, { { BP_RELOCATABLE, 1, 1 },
		  { BP_KERNEL_ALIGNMENT, 4, 0x2000 } }, BZ_START + BZ_INIT_SIZE },
		{ "an init_size smaller than the image", 0, { { BP_INIT_SIZE, 4, 0 },
		  { BP_PREF_ADDRESS, 8, 0 } }, BZ_START + BZ_BODY },
	};

	for (size_t i = 0; i < NR(rows); i++) {
		struct boot_ram ram = ram_of(RAM_MIB);
		struct boot_file file = good_bzimage();
		struct boot_result r;
		const char *error;

		if (rows[i].size)
			file = resized(file, rows[i].size);
		apply(file, rows[i].patch, NR(rows[i].patch));
		error = load(file, ram, &r);
		cr_expect(!error, "%s: %s", rows[i].name, error ? error : "");
		cr_expect_eq(r.high, rows[i].high, "%s: high is 0x%x", rows[i].name, r.high);
		release(file.bytes, file.size);
		release(ram.base, ram.bytes);
	}
}

/* The kernel's name for itself comes from an offset in a hostile header. */
Test(boot_bzimage, kernel_version)
{
	static const struct { uint16_t at; const char *version; } rows[] = {
		{ BZ_VERSION_AT - 0x200, BZ_VERSION },
		{ 0, "" },
		/* The setup part ends the string, and holds it. */
		{ BZ_SETUP - 0x200 - 2, "AB" },
		{ BZ_SETUP - 0x200, "" },
		{ 0xffff, "" },
	};

	for (size_t i = 0; i < NR(rows); i++) {
		struct boot_ram ram = ram_of(RAM_MIB);
		struct boot_file file = good_bzimage();
		struct boot_result r;

		put16(at(file, BP_KERNEL_VERSION), rows[i].at);
		memcpy(at(file, BZ_SETUP - 2), "ABCDEF", 6);
		cr_assert_null(load(file, ram, &r));
		cr_expect_str_eq(r.version, rows[i].version);
		release(file.bytes, file.size);
		release(ram.base, ram.bytes);
	}
}

/* What people give by mistake. */
Test(boot_bzimage, other_files)
{
	static const struct { const char *bytes; size_t n; const char *expected; } rows[] = {
		{ "\x1f\x8b\x08", 3, "gzip: unpack it" },
		{ "BZh91AY", 7, "bzip2" },
		{ "\xfd" "7zXZ\0", 6, "xz" },
		{ "\x5d\0\0\x80", 4, "lzma" },
		{ "\x28\xb5\x2f\xfd", 4, "zstd" },
		{ "\x02\x21\x4c\x18", 4, "lz4" },
		{ "\x89LZO", 4, "lzop" },
		{ "070701", 6, "--initrd=" },
		{ "#!/bin/sh\n", 10, "script" },
		{ "this is no guest", 16, "neither an ELF file nor a bzImage" },
		{ "\x7f" "EL", 3, "neither an ELF file nor a bzImage" },
	};
	struct boot_ram ram = ram_of(1);

	for (size_t i = 0; i < NR(rows); i++) {
		struct boot_file given = { (const uint8_t *)rows[i].bytes, rows[i].n };
		struct boot_result r;
		const char *error = load(resized(given, given.size), ram, &r);

		cr_expect(error && strstr(error, rows[i].expected), "row %zu: %s", i,
			  error ? error : "accepted");
	}
}
