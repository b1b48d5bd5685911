/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 32-bit ELF programs.  Segments go to their physical addresses (ABI 3.2);
 * everything is checked before the first byte is copied.
 */
#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "boot/boot.h"

#define MAX_SEGMENTS 64

struct segment {
	uint32_t offset, file_bytes, start, bytes;
};

struct segments {
	struct segment at[MAX_SEGMENTS];
	unsigned int n;
};

static const char *check_header(const Elf32_Ehdr *h, size_t size)
{
	if (size < EI_NIDENT || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
		return "is not an ELF file";
	if (h->e_ident[EI_CLASS] == ELFCLASS64)
		return "is a 64-bit ELF file; guests are 32-bit x86";
	if (h->e_ident[EI_CLASS] != ELFCLASS32)
		return "is an ELF file of no known class";
	if (h->e_ident[EI_DATA] != ELFDATA2LSB)
		return "is a big-endian ELF file; guests are 32-bit x86";
	if (size < sizeof(*h))
		return "is truncated: its ELF header is incomplete";
	if (h->e_machine != EM_386)
		return "is an ELF file for another machine; guests are 32-bit x86";
	if (h->e_type != ET_EXEC)
		return "is no ELF executable (ET_EXEC): link it static, at a fixed address";
	if (h->e_phentsize != sizeof(Elf32_Phdr))
		return "has ELF program headers of a wrong size";
	if (h->e_phnum == 0)
		return "has no ELF program headers, so nothing to load";
	if (h->e_phnum > MAX_SEGMENTS)
		return "has too many ELF program headers";
	if ((uint64_t)h->e_phoff + h->e_phnum * sizeof(Elf32_Phdr) > size)
		return "is truncated: its ELF program headers are incomplete";
	return NULL;
}

static const char *check_segment(const Elf32_Phdr *p, size_t size, struct boot_ram ram,
				 char text[BOOT_TEXT])
{
	uint64_t end = (uint64_t)p->p_paddr + p->p_memsz;

	if (p->p_filesz > p->p_memsz)
		return "has an ELF segment with more bytes in the file than in memory";
	if ((uint64_t)p->p_offset + p->p_filesz > size)
		return "is truncated: an ELF segment lies beyond its end";
	if (end > ram.bytes) {
		snprintf(text, BOOT_TEXT, "needs %llu MiB of memory, the guest has %u; give it more with -m",
			 (unsigned long long)((end + 0xfffff) >> 20), ram.bytes >> 20);
		return text;
	}
	/* boot_params and the command line are there. */
	if (p->p_paddr < BOOT_PARAMS_BYTES + BOOT_COMMAND_LINE_MAX)
		return "has an ELF segment below 0x1800, where boot_params and the command line are";
	return NULL;
}

static bool overlaps(const struct segments *s, uint32_t start, uint32_t bytes)
{
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (start < s->at[i].start + s->at[i].bytes &&
		    s->at[i].start < start + bytes)
			return true;
	return false;
}

static const char *collect(struct boot_file file, const Elf32_Ehdr *h,
			   struct boot_ram ram, struct segments *s, char text[BOOT_TEXT])
{
	unsigned int i;

	for (i = 0; i < h->e_phnum; i++) {
		const char *error;
		Elf32_Phdr p;

		memcpy(&p, file.bytes + h->e_phoff + i * sizeof(p), sizeof(p));
		if (p.p_type != PT_LOAD || p.p_memsz == 0)
			continue;
		error = check_segment(&p, file.size, ram, text);
		if (error)
			return error;
		if (overlaps(s, p.p_paddr, p.p_memsz))
			return "has overlapping ELF segments";
		s->at[s->n++] = (struct segment){ p.p_offset, p.p_filesz, p.p_paddr, p.p_memsz };
	}
	return s->n ? NULL : "has no loadable ELF segment, so nothing to run";
}

const char *boot_elf(struct boot_file file, struct boot_ram ram,
		     struct boot_result *result, char text[BOOT_TEXT])
{
	struct segments s = { .n = 0 };
	Elf32_Ehdr h = { 0 };
	const char *error;
	unsigned int i;

	memcpy(&h, file.bytes, file.size < sizeof(h) ? file.size : sizeof(h));
	error = check_header(&h, file.size);
	if (!error)
		error = collect(file, &h, ram, &s, text);
	if (error)
		return error;
	if (!overlaps(&s, h.e_entry, 1))
		return "has its ELF entry point outside every segment; it must be a physical address";
	result->kind = BOOT_ELF;
	result->entry = h.e_entry;
	result->low = UINT32_MAX;
	for (i = 0; i < s.n; i++) {
		const struct segment *seg = &s.at[i];

		/* Memory starts as zeroes: no bss to clear. */
		memcpy(ram.base + seg->start, file.bytes + seg->offset, seg->file_bytes);
		if (seg->start < result->low)
			result->low = seg->start;
		if (seg->start + seg->bytes > result->high)
			result->high = seg->start + seg->bytes;
	}
	return NULL;
}
