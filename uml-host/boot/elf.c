/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 32-bit ELF programs.  Segments go to their physical addresses (ABI 3.2);
 * everything is checked before the first byte is copied.  Sections and symbols
 * are never looked at: a file may lack them, or lie.
 */
#include <elf.h>
#include <stdio.h>

#include "boot/boot.h"
#include "engine/space.h"

#define MAX_HEADERS 64

struct segments {
	Elf32_Phdr at[BOOT_SEGMENTS];	/* PT_LOAD, not empty, checked */
	unsigned int n;
};

static const char *check_ident(const uint8_t ident[EI_NIDENT])
{
	if (ident[EI_CLASS] == ELFCLASS64)
		return "is a 64-bit ELF file; guests are 32-bit x86";
	if (ident[EI_CLASS] != ELFCLASS32)
		return "is an ELF file of no known class; guests are 32-bit x86";
	if (ident[EI_DATA] != ELFDATA2LSB)
		return "is a big-endian ELF file; guests are 32-bit x86";
	return NULL;
}

static const char *check_type(uint16_t type)
{
	switch (type) {
	case ET_EXEC:
		return NULL;
	case ET_REL:
		return "is an ELF object, not linked to an executable (ET_EXEC) yet";
	case ET_DYN:
		return "is a shared or position-independent ELF file; link it static at a fixed address (ET_EXEC)";
	case ET_CORE:
		return "is a core dump, not an ELF executable (ET_EXEC)";
	default:
		return "is no ELF executable (ET_EXEC)";
	}
}

static const char *check_header(const Elf32_Ehdr *h, size_t size)
{
	const char *error;

	if (size < EI_NIDENT)
		return "is truncated: its ELF header is incomplete";
	error = check_ident(h->e_ident);
	if (error)
		return error;
	if (size < sizeof(*h))
		return "is truncated: its ELF header is incomplete";
	if (h->e_machine != EM_386)
		return "is an ELF file for another machine; guests are 32-bit x86";
	error = check_type(h->e_type);
	if (error)
		return error;
	if (h->e_phnum == 0)
		return "has no ELF program headers, so nothing to load";
	if (h->e_phentsize != sizeof(Elf32_Phdr))
		return "has ELF program headers of a wrong size";
	if (h->e_phnum > MAX_HEADERS)
		return "has too many ELF program headers";
	if ((uint64_t)h->e_phoff + h->e_phnum * sizeof(Elf32_Phdr) > size)
		return "is truncated: its ELF program headers are incomplete";
	return NULL;
}

static const char *check_segment(const Elf32_Phdr *p, size_t size)
{
	if (p->p_filesz > p->p_memsz)
		return "has an ELF segment with more bytes in the file than in memory";
	/* The offset of a segment without bytes in the file means nothing. */
	if (p->p_filesz && (uint64_t)p->p_offset + p->p_filesz > size)
		return "is truncated: an ELF segment lies beyond its end";
	/* boot_params and the command line are there. */
	if (p->p_memsz && p->p_paddr < BOOT_PARAMS_BYTES + BOOT_COMMAND_LINE_MAX)
		return "has an ELF segment below 0x1800, where boot_params and the command line are";
	return NULL;
}

static const char *collect(struct boot_file file, const Elf32_Ehdr *h,
			   struct segments *s)
{
	unsigned int i;

	for (i = 0; i < h->e_phnum; i++) {
		const char *error;
		Elf32_Phdr p;

		memcpy(&p, file.bytes + h->e_phoff + i * sizeof(p), sizeof(p));
		if (p.p_type != PT_LOAD)
			continue;
		error = check_segment(&p, file.size);
		if (error)
			return error;
		if (p.p_memsz == 0)
			continue;
		if (s->n == BOOT_SEGMENTS)
			return "has too many loadable ELF segments, more than 16";
		s->at[s->n++] = p;
	}
	return s->n ? NULL : "has no loadable ELF segment, so nothing to run";
}

static const char *check_memory(const struct segments *s, struct boot_ram ram,
				char text[BOOT_TEXT])
{
	uint64_t end = 0;
	unsigned int i;

	for (i = 0; i < s->n; i++) {
		const Elf32_Phdr *p = &s->at[i];

		if ((uint64_t)p->p_paddr + p->p_memsz > end)
			end = (uint64_t)p->p_paddr + p->p_memsz;
	}
	return boot_fits(end, ram, "", text);
}

/* From here on every segment lies in memory: no sum wraps around. */
static bool overlap(const Elf32_Phdr *p, uint32_t start, uint32_t bytes)
{
	return start < p->p_paddr + p->p_memsz && p->p_paddr < start + bytes;
}

static const char *check_overlaps(const struct segments *s)
{
	unsigned int i, k;

	for (i = 0; i < s->n; i++)
		for (k = 0; k < i; k++)
			if (overlap(&s->at[k], s->at[i].p_paddr, s->at[i].p_memsz))
				return "has overlapping ELF segments";
	return NULL;
}

static const char *check_entry(const struct segments *s, uint32_t entry)
{
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (overlap(&s->at[i], entry, 1))
			break;
	if (i == s->n)
		return "has its ELF entry point outside every segment; it must be a physical address";
	/* vm.mmap_min_addr: no ordinary process can map that. */
	if (entry < SPACE_FIRST_PAGE * 4096u)
		return "has its ELF entry point below 64 KiB, where this host cannot run code";
	return NULL;
}

/* The banner every Linux kernel prints begins with its name and release. */
static void find_version(const uint8_t *from, size_t bytes, struct boot_result *result)
{
	static const char banner[] = "Linux version ";
	const size_t length = sizeof(banner) - 1;
	const uint8_t *end = from + bytes;
	const uint8_t *p = from;

	while ((p = memmem(p, (size_t)(end - p), banner, length))) {
		p += length;
		/* There are formats too: "Linux version %s". */
		if (p < end && *p >= '0' && *p <= '9') {
			boot_copy_version(result->version, p, (size_t)(end - p));
			return;
		}
	}
}

static void load(struct boot_file file, const struct segments *s, struct boot_ram ram,
		 struct boot_result *result)
{
	unsigned int i;

	result->low = UINT32_MAX;
	for (i = 0; i < s->n; i++) {
		const Elf32_Phdr *p = &s->at[i];

		if (p->p_paddr < result->low)
			result->low = p->p_paddr;
		if (p->p_paddr + p->p_memsz > result->high)
			result->high = p->p_paddr + p->p_memsz;
		if (!p->p_filesz)
			continue;
		/* Memory starts as zeroes: no bss to clear. */
		memcpy(ram.base + p->p_paddr, file.bytes + p->p_offset, p->p_filesz);
		result->loaded[result->nr_loaded++] =
			(struct boot_range){ p->p_paddr, p->p_filesz };
		if (!result->version[0])
			find_version(file.bytes + p->p_offset, p->p_filesz, result);
	}
}

const char *boot_elf(struct boot_file file, struct boot_ram ram,
		     struct boot_result *result, char text[BOOT_TEXT])
{
	struct segments s = { .n = 0 };
	Elf32_Ehdr h = { 0 };
	const char *error;

	memcpy(&h, file.bytes, file.size < sizeof(h) ? file.size : sizeof(h));
	error = check_header(&h, file.size);
	if (!error)
		error = collect(file, &h, &s);
	if (!error)
		error = check_memory(&s, ram, text);
	if (!error)
		error = check_overlaps(&s);
	if (!error)
		error = check_entry(&s, h.e_entry);
	if (error)
		return error;
	result->kind = BOOT_ELF;
	result->entry = h.e_entry;
	load(file, &s, ram, result);
	return NULL;
}
