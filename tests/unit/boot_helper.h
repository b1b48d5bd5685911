/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of boot/ share: good images made in memory, changed a little
 * by each test, in memory that ends at a page nobody may touch.
 */
#ifndef TESTS_UNIT_BOOT_HELPER_H
#define TESTS_UNIT_BOOT_HELPER_H

#include <criterion/criterion.h>
#include <elf.h>
#include <string.h>
#include <sys/mman.h>

#include "boot/boot.h"

#define MIB (1u << 20)
#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* Zeroed bytes whose end is the end of what can be touched. */
static inline uint8_t *guarded(size_t bytes)
{
	size_t whole = (bytes + 4095) & ~(size_t)4095;
	uint8_t *p = mmap(NULL, whole + 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(p, MAP_FAILED);
	cr_assert_eq(mprotect(p + whole, 4096, PROT_NONE), 0);
	return p + whole - bytes;
}

static inline void release(const uint8_t *p, size_t bytes)
{
	size_t whole = (bytes + 4095) & ~(size_t)4095;

	cr_assert_eq(munmap((void *)(p + bytes - whole), whole + 4096), 0);
}

static inline struct boot_ram ram_of(uint32_t mib)
{
	return (struct boot_ram){ guarded(mib * MIB), mib * MIB };
}

/* The same file, cut or filled up with zeroes to `size`, at a guard page. */
static inline struct boot_file resized(struct boot_file file, size_t size)
{
	uint8_t *bytes = guarded(size);

	memcpy(bytes, file.bytes, size < file.size ? size : file.size);
	return (struct boot_file){ bytes, size };
}

static inline uint8_t *at(struct boot_file file, uint32_t offset)
{
	return (uint8_t *)file.bytes + offset;
}

/* Puts the low `width` bytes of `value` into a file. */
struct patch {
	uint32_t offset;
	uint8_t width;		/* 0: no patch */
	uint64_t value;
};

static inline void apply(struct boot_file file, const struct patch *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].width)
			memcpy(at(file, p[i].offset), &p[i].value, p[i].width);
}

static inline void put16(uint8_t *p, uint16_t v) { memcpy(p, &v, sizeof(v)); }
static inline void put32(uint8_t *p, uint32_t v) { memcpy(p, &v, sizeof(v)); }
static inline void put64(uint8_t *p, uint64_t v) { memcpy(p, &v, sizeof(v)); }

/* Bytes that differ from their neighbours, and never are 0. */
static inline void fill(uint8_t *p, size_t bytes, unsigned int salt)
{
	for (size_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)((i * 7 + salt + i / 256) % 255 + 1);
}

static inline bool all_zero(const void *p, size_t bytes)
{
	const uint8_t *b = p;

	return bytes == 0 || (b[0] == 0 && memcmp(b, b + 1, bytes - 1) == 0);
}

/* --- a good ELF: text at 1 MiB, data and bss at 1 MiB + 0x2000 -------------------- */

#define ELF_SIZE 0x3234u
#define ELF_TEXT 0x1000u	/* offsets in the file */
#define ELF_TEXT_BYTES 0x1800u
#define ELF_DATA 0x3000u
#define ELF_DATA_BYTES 0x234u
#define TEXT_START 0x100000u	/* physical */
#define DATA_START 0x102000u
#define DATA_MEMORY 0x1000u
#define ELF_ENTRY 0x100010u

/* Where in the file field `field` of program header `i` is. */
#define PHDR(i, field) ((uint32_t)(sizeof(Elf32_Ehdr) + (i) * sizeof(Elf32_Phdr) + \
				   offsetof(Elf32_Phdr, field)))
#define EHDR(field) ((uint32_t)offsetof(Elf32_Ehdr, field))

static inline struct boot_file good_elf(void)
{
	struct boot_file file = { guarded(ELF_SIZE), ELF_SIZE };
	const Elf32_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = EM_386, .e_version = EV_CURRENT,
		.e_entry = ELF_ENTRY, .e_phoff = sizeof(Elf32_Ehdr),
		.e_ehsize = sizeof(Elf32_Ehdr), .e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = 3,
	};
	/* Virtual addresses are elsewhere, as in a kernel: they do not count. */
	const Elf32_Phdr p[3] = {
		{ .p_type = PT_LOAD, .p_offset = ELF_TEXT, .p_vaddr = 0xc0100000,
		  .p_paddr = TEXT_START, .p_filesz = ELF_TEXT_BYTES,
		  .p_memsz = ELF_TEXT_BYTES, .p_flags = PF_R | PF_X, .p_align = 4096 },
		{ .p_type = PT_LOAD, .p_offset = ELF_DATA, .p_vaddr = 0xc0102000,
		  .p_paddr = DATA_START, .p_filesz = ELF_DATA_BYTES,
		  .p_memsz = DATA_MEMORY, .p_flags = PF_R | PF_W, .p_align = 4096 },
		{ .p_type = PT_NOTE, .p_offset = 0xffffffff, .p_filesz = 0xffffffff },
	};

	memcpy(at(file, 0), &h, sizeof(h));
	memcpy(at(file, sizeof(h)), p, sizeof(p));
	fill(at(file, ELF_TEXT), ELF_TEXT_BYTES, 1);
	fill(at(file, ELF_DATA), ELF_DATA_BYTES, 2);
	return file;
}

/* --- a good bzImage -------------------------------------------------------------- */

#define BZ_SETUP 1536u		/* setup_sects is 2 */
#define BZ_BODY 0x2340u
#define BZ_SIZE (BZ_SETUP + BZ_BODY)
#define BZ_HEADER_BYTES 0x66u	/* up to 0x268, as Linux 3.10 has it */
#define BZ_START 0x100000u
#define BZ_INIT_SIZE 0x180000u	/* needed from BZ_PREF on */
#define BZ_PREF 0x200000u
#define BZ_VERSION_AT 0x500u
#define BZ_VERSION "3.10.99 (builder@host) #2 Fri Nov 27"

static inline struct boot_file good_bzimage(void)
{
	struct boot_file file = { guarded(BZ_SIZE), BZ_SIZE };
	uint8_t *h = at(file, 0);

	fill(h, BZ_SIZE, 3);
	h[BP_SETUP_SECTS] = 2;
	put32(h + BP_SYSSIZE, BZ_BODY / 16);
	h[BP_HEADER_BYTES] = BZ_HEADER_BYTES;
	memcpy(h + BP_MAGIC, "HdrS", 4);
	put16(h + BP_VERSION, 0x020c);
	put16(h + BP_KERNEL_VERSION, BZ_VERSION_AT - 0x200);
	h[BP_LOADFLAGS] = 1;
	put32(h + BP_CODE32_START, BZ_START);
	put32(h + BP_KERNEL_ALIGNMENT, 0x400000);
	h[BP_RELOCATABLE] = 0;
	put16(h + BP_XLOADFLAGS, 0);
	put32(h + BP_CMDLINE_SIZE, 2047);
	put64(h + BP_PREF_ADDRESS, BZ_PREF);
	put32(h + BP_INIT_SIZE, BZ_INIT_SIZE);
	memcpy(h + BZ_VERSION_AT, BZ_VERSION, sizeof(BZ_VERSION));
	return file;
}

/* --- refusals -------------------------------------------------------------------- */

struct refusal {
	const char *name;
	size_t size;		/* of the file; 0: as it is */
	struct patch patch[4];	/* after it got that size */
	const char *expected;	/* part of the message */
};

/* Each row is refused, with its message, and leaves no trace. */
static inline void check_refusals(struct boot_file (*good)(void), uint32_t mib,
				  const struct refusal *row, size_t n)
{
	struct boot_ram ram = ram_of(mib);

	for (size_t i = 0; i < n; i++, row++) {
		struct boot_file file = good();
		struct boot_result result = { 0 };
		char text[BOOT_TEXT];
		const char *error;

		if (row->size)
			file = resized(file, row->size);
		apply(file, row->patch, NR(row->patch));
		error = boot_image(file, ram, &result, text);
		cr_expect(error, "%s: was accepted", row->name);
		if (error)
			cr_expect(strstr(error, row->expected), "%s: '%s' has no '%s'",
				  row->name, error, row->expected);
		cr_expect(all_zero(&result, sizeof(result)), "%s: result written", row->name);
		cr_expect(all_zero(ram.base, ram.bytes), "%s: memory written", row->name);
		release(file.bytes, file.size);
	}
}

#endif
