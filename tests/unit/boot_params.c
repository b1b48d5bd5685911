/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot_params, the command line, e820 and the initrd, byte for byte. */
#include <stdio.h>

#include "boot_helper.h"

#define RAM_MIB 8u
#define PAGE 4096u

/* Offsets are spelled out: they are the ABI (sheet, section 3.3). */
static void common_fields(uint8_t *p, const char *command_line)
{
	p[0x1e8] = 1;
	put32(p + 0x228, 0x1000);
	put32(p + 0x23c, 1);
	put64(p + 0x2d0, 0);
	put64(p + 0x2d8, RAM_MIB * MIB);
	put32(p + 0x2e0, 1);
	strcpy((char *)p + 0x1000, command_line);
}

Test(boot_params, of_an_elf)
{
	struct boot_ram ram = ram_of(RAM_MIB);
	uint8_t *expected = guarded(ram.bytes);
	struct boot_result r = { .kind = BOOT_ELF, .high = 0x103000 };
	char text[BOOT_TEXT];

	common_fields(expected, "console=hvc0 quiet");
	put16(expected + 0x206, 0x0207);
	expected[0x211] = 0x40;
	put32(expected + 0x230, 0x1000000);
	cr_assert_null(boot_params("console=hvc0 quiet", ram, &r, text));
	cr_expect_eq(memcmp(ram.base, expected, ram.bytes), 0);
	cr_expect_eq(r.initrd_bytes, 0);
}

/* The file's setup header stays, but for what a launcher has to say. */
Test(boot_params, of_a_bzimage)
{
	struct boot_ram ram = ram_of(RAM_MIB);
	struct boot_file file = good_bzimage();
	uint8_t *expected = guarded(2 * PAGE);
	struct boot_result r = { 0 };
	char text[BOOT_TEXT];

	memcpy(expected + 0x1f1, file.bytes + 0x1f1, 0x202 + BZ_HEADER_BYTES - 0x1f1);
	common_fields(expected, "");
	expected[0x210] = 0;
	expected[0x211] = 0x41;
	put32(expected + 0x218, 0);
	put32(expected + 0x21c, 0);
	put64(expected + 0x250, 0);
	cr_assert_null(boot_image(file, ram, &r, text));
	cr_assert_null(boot_params("", ram, &r, text));
	cr_expect_eq(memcmp(ram.base, expected, 2 * PAGE), 0);
	/* Kept: */
	cr_expect_eq(boot_get16(ram.base + 0x206), 0x020c);
	cr_expect_eq(boot_get32(ram.base + 0x230), 0x400000);
	cr_expect_eq(boot_get32(ram.base + 0x260), BZ_INIT_SIZE);
}

/* A decompressor that aligns by 0 never ends. */
Test(boot_params, missing_alignment)
{
	struct boot_ram ram = ram_of(RAM_MIB);
	struct boot_file file = good_bzimage();
	struct boot_result r = { 0 };
	char text[BOOT_TEXT];

	put32(at(file, 0x230), 0);
	cr_assert_null(boot_image(file, ram, &r, text));
	cr_assert_null(boot_params("", ram, &r, text));
	cr_expect_eq(boot_get32(ram.base + 0x230), 0x1000000);
}

static const char *line_of(size_t length)
{
	static char line[8192];

	memset(line, 'x', length);
	line[length] = '\0';
	return line;
}

/* For an ELF nothing says what the kernel takes, so it is what all take. */
Test(boot_params, command_line_length)
{
	static const struct { enum boot_kind kind; uint32_t own; size_t max; } rows[] = {
		{ BOOT_ELF, 255, 2047 },
		{ BOOT_BZIMAGE, 255, 255 },
		{ BOOT_BZIMAGE, 2047, 2047 },
		{ BOOT_BZIMAGE, 0xffffffff, 2047 },
		{ BOOT_BZIMAGE, 0, 2047 },
	};

	for (size_t i = 0; i < NR(rows); i++) {
		struct boot_ram ram = ram_of(RAM_MIB);
		struct boot_result r = { .kind = rows[i].kind };
		char text[BOOT_TEXT], expected[BOOT_TEXT];
		const char *error;

		put32(ram.base + 0x238, rows[i].own);
		error = boot_params(line_of(rows[i].max + 1), ram, &r, text);
		cr_assert(error, "row %zu: accepted", i);
		snprintf(expected, sizeof(expected),
			 "the command line has %zu characters, this guest takes at most %zu",
			 rows[i].max + 1, rows[i].max);
		cr_expect_str_eq(error, expected);
		cr_expect(all_zero(ram.base + 0x1000, PAGE));
		error = boot_params(line_of(rows[i].max), ram, &r, text);
		cr_assert(!error, "row %zu: %s", i, error ? error : "");
		cr_expect_str_eq((char *)ram.base + 0x1000, line_of(rows[i].max));
		cr_expect(all_zero(ram.base + 0x1800, PAGE));
		release(ram.base, ram.bytes);
	}
}

Test(boot_params, initrd_at_the_top)
{
	static const struct { size_t bytes; uint32_t rounded; } rows[] = {
		{ 1, PAGE }, { PAGE - 1, PAGE }, { PAGE, PAGE }, { PAGE + 1, 2 * PAGE },
		{ 3 * MIB + 5, 3 * MIB + PAGE },
	};

	for (size_t i = 0; i < NR(rows); i++) {
		struct boot_ram ram = ram_of(RAM_MIB);
		uint8_t *expected = guarded(ram.bytes);
		uint8_t *bytes = guarded(rows[i].bytes);
		struct boot_result r = { .high = 0x103000 };
		uint32_t start = ram.bytes - rows[i].rounded;
		char text[BOOT_TEXT];

		fill(bytes, rows[i].bytes, 9);
		memcpy(expected + start, bytes, rows[i].bytes);
		expected[0x210] = 0xff;
		put32(expected + 0x218, start);
		put32(expected + 0x21c, rows[i].rounded);
		cr_assert_null(boot_initrd((struct boot_file){ bytes, rows[i].bytes }, ram, &r, text));
		cr_expect_eq(memcmp(ram.base, expected, ram.bytes), 0, "row %zu", i);
		cr_expect_eq(r.initrd_start, start);
		cr_expect_eq(r.initrd_bytes, rows[i].rounded);
		release(bytes, rows[i].bytes);
		release(expected, ram.bytes);
		release(ram.base, ram.bytes);
	}
}

/* Below the initrd there is room for the boot page tables of old generations:
 * in 8 MiB two pages of entries, the top level, and one more for PAE. */
Test(boot_params, initrd_and_image_share_memory)
{
	struct boot_ram ram = ram_of(RAM_MIB);
	uint8_t *bytes = guarded(5 * PAGE);
	struct boot_file initrd = { bytes, 5 * PAGE };
	struct boot_result r = { .high = RAM_MIB * MIB - 9 * PAGE + 1 };
	char text[BOOT_TEXT];
	const char *error;

	fill(bytes, 5 * PAGE, 9);
	error = boot_initrd(initrd, ram, &r, text);
	cr_assert(error && strstr(error, "needs 9 MiB of memory together with the guest's image, the guest has 8"));
	cr_expect(all_zero(ram.base, ram.bytes));
	cr_expect_eq(r.initrd_bytes, 0);
	r.high--;
	cr_assert_null(boot_initrd(initrd, ram, &r, text));
	r.high = UINT32_MAX;
	cr_assert_not_null(boot_initrd(initrd, ram, &r, text));
}
