/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ELF guests: what is loaded where, and what is refused. */
#include "boot_helper.h"

#define RAM_MIB 4u

static const char *load(struct boot_file file, struct boot_ram ram,
			struct boot_result *result)
{
	static char text[BOOT_TEXT];

	*result = (struct boot_result){ 0 };
	return boot_image(file, ram, result, text);
}

Test(boot_elf, segments_go_to_their_physical_addresses)
{
	struct boot_ram ram = ram_of(RAM_MIB);
	struct boot_file file = good_elf();
	uint8_t *expected = guarded(ram.bytes);
	struct boot_result r;

	fill(expected + TEXT_START, ELF_TEXT_BYTES, 1);
	fill(expected + DATA_START, ELF_DATA_BYTES, 2);
	cr_assert_null(load(file, ram, &r));
	cr_expect_eq(memcmp(ram.base, expected, ram.bytes), 0);
	cr_expect_eq(r.kind, BOOT_ELF);
	cr_expect_eq(r.entry, ELF_ENTRY);
	cr_expect_eq(r.low, TEXT_START);
	cr_expect_eq(r.high, DATA_START + DATA_MEMORY);
	cr_expect_eq(r.setup_version, 0);
	cr_expect_str_eq(r.version, "");
}

/* Both: code may lie in a segment that is not marked executable. */
Test(boot_elf, loaded_ranges)
{
	struct boot_ram ram = ram_of(RAM_MIB);
	struct boot_result r;

	cr_assert_null(load(good_elf(), ram, &r));
	cr_assert_eq(r.nr_loaded, 2);
	cr_expect_eq(r.loaded[0].start, TEXT_START);
	cr_expect_eq(r.loaded[0].bytes, ELF_TEXT_BYTES);
	cr_expect_eq(r.loaded[1].start, DATA_START);
	cr_expect_eq(r.loaded[1].bytes, ELF_DATA_BYTES);
}

Test(boot_elf, refusals)
{
	static const struct refusal rows[] = {
		{ "only the magic", 4, { { 0 } }, "truncated: its ELF header" },
		{ "half an identification", 15, { { 0 } }, "truncated: its ELF header" },
		{ "half a header", 51, { { 0 } }, "truncated: its ELF header" },
		{ "header only", 52, { { 0 } }, "truncated: its ELF program headers" },
		{ "half a program header", 52 + 31, { { 0 } }, "truncated: its ELF program headers" },
		{ "last byte of the program headers missing", 52 + 95, { { 0 } },
		  "truncated: its ELF program headers" },
		{ "last byte missing", ELF_SIZE - 1, { { 0 } }, "truncated: an ELF segment" },
		{ "64-bit", 0, { { EI_CLASS, 1, ELFCLASS64 } }, "64-bit" },
		{ "no class", 0, { { EI_CLASS, 1, 0 } }, "no known class" },
		{ "big-endian", 0, { { EI_DATA, 1, ELFDATA2MSB } }, "big-endian" },
		{ "for x86-64 (x32)", 0, { { EHDR(e_machine), 2, EM_X86_64 } }, "another machine" },
		{ "for ARM", 0, { { EHDR(e_machine), 2, EM_ARM } }, "another machine" },
		{ "object file", 0, { { EHDR(e_type), 2, ET_REL } }, "not linked" },
		{ "position-independent", 0, { { EHDR(e_type), 2, ET_DYN } }, "fixed address" },
		{ "core dump", 0, { { EHDR(e_type), 2, ET_CORE } }, "core dump" },
		{ "type 0", 0, { { EHDR(e_type), 2, ET_NONE } }, "ET_EXEC" },
		{ "no program headers", 0, { { EHDR(e_phnum), 2, 0 } }, "no ELF program headers" },
		{ "65 program headers", 0x8000, { { EHDR(e_phnum), 2, 65 } }, "too many" },
		{ "65535 program headers", 0, { { EHDR(e_phnum), 2, 0xffff } }, "too many" },
		{ "program headers too small", 0, { { EHDR(e_phentsize), 2, 31 } }, "wrong size" },
		{ "program headers of 64-bit size", 0, { { EHDR(e_phentsize), 2, 56 } }, "wrong size" },
		{ "no size of program headers", 0, { { EHDR(e_phentsize), 2, 0 } }, "wrong size" },
		{ "program headers at the end", 0, { { EHDR(e_phoff), 4, ELF_SIZE - 95 } },
		  "truncated: its ELF program headers" },
		{ "program headers far away", 0, { { EHDR(e_phoff), 4, 0xffffffff } },
		  "truncated: its ELF program headers" },
		{ "nothing to load", 0, { { PHDR(0, p_type), 4, PT_NOTE }, { PHDR(1, p_type), 4, PT_NULL } },
		  "no loadable" },
		{ "only empty segments", 0,
		  { { PHDR(0, p_filesz), 4, 0 }, { PHDR(0, p_memsz), 4, 0 },
		    { PHDR(1, p_filesz), 4, 0 }, { PHDR(1, p_memsz), 4, 0 } }, "no loadable" },
		{ "more in the file than in memory", 0, { { PHDR(0, p_memsz), 4, ELF_TEXT_BYTES - 1 } },
		  "more bytes in the file" },
		{ "empty in memory, not in the file", 0, { { PHDR(0, p_memsz), 4, 0 } },
		  "more bytes in the file" },
		{ "segment one byte beyond the file", 0, { { PHDR(0, p_offset), 4, ELF_SIZE - ELF_TEXT_BYTES + 1 } },
		  "truncated: an ELF segment" },
		{ "segment far beyond the file", 0, { { PHDR(0, p_offset), 4, 0xfffffff0 } },
		  "truncated: an ELF segment" },
		{ "file size that wraps around", 0,
		  { { PHDR(0, p_filesz), 4, 0xfffff800 }, { PHDR(0, p_memsz), 4, 0xfffff800 } },
		  "truncated: an ELF segment" },
		{ "one byte beyond memory", 0, { { PHDR(1, p_memsz), 4, RAM_MIB * MIB - DATA_START + 1 } },
		  "needs 5 MiB of memory, the guest has 4; give it more with -m" },
		{ "far beyond memory", 0, { { PHDR(1, p_paddr), 4, 0x10000000 } }, "needs 257 MiB" },
		/* The most any segment needs, not the first: say it once. */
		{ "both beyond memory", 0, { { PHDR(0, p_paddr), 4, 0x10000000 },
		  { PHDR(1, p_paddr), 4, 0x20000000 } }, "needs 513 MiB" },
		{ "linked at its virtual address", 0, { { PHDR(0, p_paddr), 4, 0xc0100000 } }, "needs 3074 MiB" },
		{ "end is 4 GiB", 0, { { PHDR(1, p_paddr), 4, 0xfffff000 } },
		  "needs 4096 MiB of memory, more than a 32-bit guest can have" },
		{ "address that wraps around", 0, { { PHDR(0, p_paddr), 4, 0xfffff000 } },
		  "needs 4097 MiB of memory, more than" },
		{ "size that wraps around", 0, { { PHDR(1, p_memsz), 4, 0xffffffff } },
		  "needs 4098 MiB of memory, more than" },
		{ "over boot_params", 0, { { PHDR(0, p_paddr), 4, 0 } }, "below 0x1800" },
		{ "over the last byte of the command line", 0, { { PHDR(0, p_paddr), 4, 0x17ff } }, "below 0x1800" },
		{ "twice the same address", 0, { { PHDR(1, p_paddr), 4, TEXT_START } }, "overlapping" },
		{ "one byte over the next", 0, { { PHDR(0, p_memsz), 4, DATA_START - TEXT_START + 1 } },
		  "overlapping" },
		{ "inside another", 0, { { PHDR(1, p_paddr), 4, TEXT_START + 4 }, { PHDR(1, p_memsz), 4, 0x300 } },
		  "overlapping" },
		{ "around another", 0, { { PHDR(1, p_paddr), 4, TEXT_START - 4 }, { PHDR(1, p_memsz), 4, 0x10000 } },
		  "overlapping" },
		{ "entry before the text", 0, { { EHDR(e_entry), 4, TEXT_START - 1 } }, "entry point outside" },
		{ "entry behind the data", 0, { { EHDR(e_entry), 4, DATA_START + DATA_MEMORY } },
		  "entry point outside" },
		{ "entry between segments", 0, { { EHDR(e_entry), 4, TEXT_START + ELF_TEXT_BYTES } },
		  "entry point outside" },
		{ "virtual entry", 0, { { EHDR(e_entry), 4, 0xc0100010 } }, "physical address" },
		{ "last possible entry", 0, { { EHDR(e_entry), 4, 0xffffffff } }, "entry point outside" },
		{ "no entry", 0, { { EHDR(e_entry), 4, 0 } }, "entry point outside" },
		{ "entry below 64 KiB", 0, { { PHDR(0, p_paddr), 4, 0xf000 }, { EHDR(e_entry), 4, 0xffff } },
		  "below 64 KiB" },
	};

	check_refusals(good_elf, RAM_MIB, rows, NR(rows));
}

/* The limits themselves are still fine. */
Test(boot_elf, just_possible)
{
	static const struct {
		const char *name;
		struct patch patch[4];
	} rows[] = {
		{ "up to the last byte of memory", { { PHDR(1, p_memsz), 4, RAM_MIB * MIB - DATA_START } } },
		{ "right behind the command line", { { PHDR(1, p_paddr), 4, 0x1800 } } },
		{ "segments that touch", { { PHDR(0, p_memsz), 4, DATA_START - TEXT_START } } },
		{ "segments out of order", { { PHDR(1, p_paddr), 4, 0x80000 } } },
		{ "first byte is the entry", { { EHDR(e_entry), 4, TEXT_START } } },
		{ "last byte is the entry", { { EHDR(e_entry), 4, TEXT_START + ELF_TEXT_BYTES - 1 } } },
		{ "entry at 64 KiB", { { PHDR(0, p_paddr), 4, 0xf000 }, { EHDR(e_entry), 4, 0x10000 } } },
		{ "an empty segment anywhere", { { PHDR(2, p_type), 4, PT_LOAD }, { PHDR(2, p_filesz), 4, 0 },
		  { PHDR(2, p_paddr), 4, 0xffffffff } } },
		{ "a bss without a place in the file", { { PHDR(1, p_filesz), 4, 0 },
		  { PHDR(1, p_offset), 4, 0xfffff000 } } },
	};
	struct boot_ram ram = ram_of(RAM_MIB);

	for (size_t i = 0; i < NR(rows); i++) {
		struct boot_file file = good_elf();
		struct boot_result r;
		const char *error;

		apply(file, rows[i].patch, NR(rows[i].patch));
		error = load(file, ram, &r);
		cr_expect(!error, "%s: %s", rows[i].name, error ? error : "");
		release(file.bytes, file.size);
	}
}

/* `loads` segments of 16 bytes among `headers` program headers. */
static struct boot_file many_segments(unsigned int headers, unsigned int loads)
{
	struct boot_file file = resized(good_elf(), 0x4000);

	memset(at(file, sizeof(Elf32_Ehdr)), 0, headers * sizeof(Elf32_Phdr));
	put16(at(file, EHDR(e_phnum)), (uint16_t)headers);
	put32(at(file, EHDR(e_entry)), TEXT_START);
	for (unsigned int i = 0; i < loads; i++) {
		put32(at(file, PHDR(i, p_type)), PT_LOAD);
		put32(at(file, PHDR(i, p_offset)), ELF_TEXT + i * 16);
		put32(at(file, PHDR(i, p_paddr)), TEXT_START + i * 16);
		put32(at(file, PHDR(i, p_filesz)), 16);
		put32(at(file, PHDR(i, p_memsz)), 16);
	}
	return file;
}

Test(boot_elf, number_of_segments)
{
	struct boot_ram ram = ram_of(RAM_MIB);
	struct boot_file file = many_segments(64, BOOT_SEGMENTS);
	struct boot_result r;
	const char *error;

	cr_assert_null(load(file, ram, &r));
	cr_expect_eq(r.nr_loaded, BOOT_SEGMENTS);
	cr_expect_eq(r.high, TEXT_START + BOOT_SEGMENTS * 16);
	cr_expect_eq(memcmp(ram.base + TEXT_START, file.bytes + ELF_TEXT, BOOT_SEGMENTS * 16), 0);
	error = load(many_segments(64, BOOT_SEGMENTS + 1), ram, &r);
	cr_assert(error && strstr(error, "too many loadable"));
}

Test(boot_elf, kernel_version)
{
	static const struct { const char *text, *version; } rows[] = {
		{ "Linux version 2.6.30.2 (me@host) (gcc 4.3) #1\n", "2.6.30.2 (me@host) (gcc 4.3) #1" },
		/* A format comes first. */
		{ "Linux version %s (%s)\n.Linux version 3.15.5 x", "3.15.5 x" },
		{ "Linux version %s", "" },
		{ "Linux version ", "" },
		{ "Linux version 4.4\033[2Jevil", "4.4" },
	};
	struct boot_ram ram = ram_of(RAM_MIB);

	for (size_t i = 0; i < NR(rows); i++) {
		struct boot_file file = good_elf();
		struct boot_result r;
		size_t n = strlen(rows[i].text) + 1;

		memcpy(at(file, ELF_TEXT + 99), rows[i].text, n);
		cr_assert_null(load(file, ram, &r));
		cr_expect_str_eq(r.version, rows[i].version);
		release(file.bytes, file.size);
	}
}

/* Cut by the end of the file, and by the room there is. */
Test(boot_elf, kernel_version_at_the_end)
{
	static const char banner[] = "Linux version 3.10";
	struct boot_ram ram = ram_of(RAM_MIB);
	struct boot_file file = good_elf();
	struct boot_result r;

	memcpy(at(file, ELF_SIZE - (sizeof(banner) - 1)), banner, sizeof(banner) - 1);
	cr_assert_null(load(file, ram, &r));
	cr_expect_str_eq(r.version, "3.10");
	memcpy(at(file, ELF_SIZE - 14), banner, 14);
	cr_assert_null(load(file, ram, &r));
	cr_expect_str_eq(r.version, "");
	memset(at(file, ELF_TEXT), '9', ELF_TEXT_BYTES);
	memcpy(at(file, ELF_TEXT), banner, sizeof(banner) - 1);
	cr_assert_null(load(file, ram, &r));
	cr_expect_eq(strlen(r.version), BOOT_VERSION - 1);
}
