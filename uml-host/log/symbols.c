/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names for guest addresses: from the symbol table of an ELF file (a vmlinux, a
 * program of the runtime), or from a System.map; source lines from the DWARF of
 * an ELF file.
 *
 * The file is the user's, not the guest's, but it may be any file: what is read
 * from it is checked by libelf and libdw, and names are escaped like guest text.
 */
#include <ctype.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "log/internal.h"

struct symbol {
	uint32_t address, size;	/* size 0: up to the next one */
	uint8_t rank;		/* of several at one address the highest is shown */
	uint32_t order;		/* in the file: the first of equals is shown */
	char *name;
};

struct symbols {
	const char *path;
	struct symbol *symbol;
	size_t n, room;
	int fd;
	Dwfl *dwfl;		/* for source lines; NULL: there are none */
};

static void add_symbol(struct symbols *s, const struct symbol *symbol)
{
	if (s->n == s->room) {
		s->room = s->room ? 2 * s->room : 4096;
		s->symbol = realloc(s->symbol, s->room * sizeof(*s->symbol));
		if (!s->symbol)
			die("no memory for the symbols of %s", s->path);
	}
	s->symbol[s->n] = *symbol;
	s->symbol[s->n].order = (uint32_t)s->n;
	s->symbol[s->n].name = strdup(symbol->name);
	if (!s->symbol[s->n++].name)
		die("no memory for the symbols of %s", s->path);
}

/* --- an ELF file --------------------------------------------------------------- */

static void add_elf_symbol(struct symbols *s, Elf *elf, const GElf_Shdr *section,
			   const GElf_Sym *sym)
{
	unsigned int type = GELF_ST_TYPE(sym->st_info);
	const char *name = elf_strptr(elf, section->sh_link, sym->st_name);
	struct symbol symbol = {
		.address = (uint32_t)sym->st_value, .size = (uint32_t)sym->st_size,
	};

	if (!name || !*name || sym->st_shndx == SHN_UNDEF || sym->st_shndx == SHN_ABS ||
	    (type != STT_FUNC && type != STT_OBJECT && type != STT_NOTYPE))
		return;
	symbol.rank = (uint8_t)((type == STT_FUNC ? 4 : 0) + (sym->st_size ? 2 : 0) +
				(GELF_ST_BIND(sym->st_info) != STB_LOCAL));
	symbol.name = (char *)(uintptr_t)name;
	add_symbol(s, &symbol);
}

static void read_elf(struct symbols *s, Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	GElf_Sym sym;

	if (gelf_getclass(elf) != ELFCLASS32)
		die("%s: symbols of a 64-bit program; guests are 32-bit x86", s->path);
	while ((section = elf_nextscn(elf, section))) {
		Elf_Data *data;
		size_t n;

		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_SYMTAB ||
		    !header.sh_entsize || !(data = elf_getdata(section, NULL)))
			continue;
		n = header.sh_size / header.sh_entsize;
		for (size_t i = 0; i < n && i <= INT32_MAX; i++)
			if (gelf_getsym(data, (int)i, &sym))
				add_elf_symbol(s, elf, &header, &sym);
	}
}

/* --- System.map: "c0100000 T _text" ------------------------------------------------ */

static void read_map(struct symbols *s)
{
	int fd = dup(s->fd);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	char *line = NULL;
	size_t size = 0;

	if (!file)
		die_errno("cannot read %s", s->path);
	rewind(file);
	while (getline(&line, &size, file) > 0) {
		struct symbol symbol = { 0 };
		unsigned long address;
		char *end, *name;

		errno = 0;
		address = strtoul(line, &end, 16);
		if (end == line || errno || address > UINT32_MAX || end[0] != ' ' || !end[1] ||
		    end[2] != ' ')
			break;
		name = end + 3;
		name[strcspn(name, " \t\r\n")] = '\0';
		/* Absolute ones are constants. */
		if (!*name || toupper((unsigned char)end[1]) == 'A')
			continue;
		symbol.address = (uint32_t)address;
		symbol.rank = isupper((unsigned char)end[1]) ? 1 : 0;
		symbol.name = name;
		add_symbol(s, &symbol);
	}
	free(line);
	fclose(file);
}

/* --- both ---------------------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Debug information of other files is never looked for: not on this machine, not
 * on the network. */
static int no_other_file(Dwfl_Module *module, void **data, const char *name, GElf_Addr base,
			 const char *file, const char *link, GElf_Word crc, char **path)
{
	(void)module; (void)data; (void)name; (void)base; (void)file; (void)link; (void)crc;
	*path = NULL;
	return -1;
}

Dwfl *symbols_dwfl(const char *path)
{
	static const Dwfl_Callbacks callbacks = {
		.find_debuginfo = no_other_file, .section_address = dwfl_offline_section_address,
	};
	Dwfl *dwfl = dwfl_begin(&callbacks);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	/* libdw closes the descriptor if it takes the file. */
	if (!dwfl || fd < 0 || !dwfl_report_elf(dwfl, "guest", path, fd, 0, true)) {
		if (fd >= 0)
			close(fd);
		dwfl_end(dwfl);
		return NULL;
	}
	dwfl_report_end(dwfl, NULL, NULL);
	return dwfl;
}

struct symbols *symbols_open(const char *path, bool optional)
{
	struct symbols *s = calloc(1, sizeof(*s));
	Elf *elf;

	if (!s)
		die("no memory for the symbols of %s", path);
	s->path = path;
	s->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0 && optional) {
		free(s);
		return NULL;
	}
	if (s->fd < 0)
		die_errno("cannot read symbols from %s", path);
	elf_version(EV_CURRENT);
	elf = elf_begin(s->fd, ELF_C_READ_MMAP, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF) {
		read_elf(s, elf);
		s->dwfl = symbols_dwfl(path);
	} else {
		read_map(s);
	}
	elf_end(elf);
	if (!s->n && optional) {
		symbols_close(s);
		return NULL;
	}
	if (!s->n)
		die("%s has no symbols; name a vmlinux that is not stripped, or a System.map", path);
	qsort(s->symbol, s->n, sizeof(*s->symbol), by_address);
	return s;
}

const char *symbols_find(const struct symbols *s, uint32_t address, uint32_t *offset)
{
	size_t low = 0, high = s ? s->n : 0, first;
	const struct symbol *found;

	/* The last symbol that is not above the address … */
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (s->symbol[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	/* … and the best of those with its address. */
	for (first = low - 1; first && s->symbol[first - 1].address == s->symbol[low - 1].address;)
		first--;
	found = &s->symbol[first];
	*offset = address - found->address;
	/* Behind the last one there may be anything. */
	if (found->size ? *offset >= found->size : low == s->n && *offset)
		return NULL;
	return found->name;
}

void symbols_put(const struct symbols *s, struct line *line, uint32_t address)
{
	uint32_t offset;
	const char *name = symbols_find(s, address, &offset);

	if (!name)
		return;
	line_puts(line, "<");
	line_escaped(line, (const uint8_t *)name, strlen(name));
	if (offset)
		line_printf(line, "+0x%x", offset);
	line_puts(line, ">");
}

const char *symbols_source(const struct symbols *s, uint32_t address, int *number)
{
	Dwfl_Module *module;
	Dwfl_Line *line;

	if (!s || !s->dwfl)
		return NULL;
	module = dwfl_addrmodule(s->dwfl, address);
	line = module ? dwfl_module_getsrc(module, address) : NULL;
	return line ? dwfl_lineinfo(line, NULL, number, NULL, NULL, NULL) : NULL;
}

void symbols_close(struct symbols *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		free(s->symbol[i].name);
	free(s->symbol);
	dwfl_end(s->dwfl);
	close(s->fd);
	free(s);
}
