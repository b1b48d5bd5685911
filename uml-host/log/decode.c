/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values into words: page-table flags, gates, segment descriptors, selectors,
 * durations, error codes.  Which argument is which kind of value is told in
 * arguments.c.
 *
 * Every printer is total: the words come from the guest and may be anything.
 * Nothing here judges whether a value is legal; that is the guest layer's
 * business, and the log has to show what was asked for either way.
 */
#include <lguest/hypercall.h>

#include "log/internal.h"

struct flag {
	uint32_t bit;
	const char *name;
};

/* Page-table entry, low word (Intel SDM 3A, 4.3). */
static const struct flag pte_flags[] = {
	{ 0x001, "P" }, { 0x002, "RW" }, { 0x004, "US" }, { 0x008, "PWT" },
	{ 0x010, "PCD" }, { 0x020, "A" }, { 0x040, "D" }, { 0x080, "PSE" },
	{ 0x100, "G" }, { 0, NULL },
};

/* Error code of a page fault (Intel SDM 3A, 4.7). */
static const struct flag fault_flags[] = {
	{ 0x01, "P" }, { 0x02, "W" }, { 0x04, "U" }, { 0x08, "RSVD" },
	{ 0x10, "F" }, { 0, NULL },
};

/* Types of gates and of system segments (Intel SDM 3A, 3.5). */
static const char *const system_type[16] = {
	[0x1] = "16-bit TSS", [0x2] = "LDT", [0x3] = "busy 16-bit TSS",
	[0x4] = "16-bit call gate", [0x5] = "task gate",
	[0x6] = "16-bit interrupt gate", [0x7] = "16-bit trap gate",
	[0x9] = "TSS", [0xb] = "busy TSS", [0xc] = "call gate",
	[0xe] = "interrupt gate", [0xf] = "trap gate",
};

static const char *const vector_name[32] = {
	[0] = "#DE", [1] = "#DB", [2] = "NMI", [3] = "#BP", [4] = "#OF",
	[5] = "#BR", [6] = "#UD", [7] = "#NM", [8] = "#DF", [10] = "#TS",
	[11] = "#NP", [12] = "#SS", [13] = "#GP", [14] = "#PF", [16] = "#MF",
	[17] = "#AC", [18] = "#MC", [19] = "#XF",
};

const char *decode_vector(unsigned int vector)
{
	if (vector == LGUEST_SYSCALL_VECTOR)
		return "syscall";
	return vector < 32 ? vector_name[vector] : NULL;
}

/* "A|B|0x400": names, then what has none as a number; "0" for nothing. */
static void put_flags(struct line *line, const struct flag *flags, uint32_t value)
{
	const char *bar = "";

	for (; flags->name; flags++) {
		if (!(value & flags->bit))
			continue;
		line_printf(line, "%s%s", bar, flags->name);
		value &= ~flags->bit;
		bar = "|";
	}
	if (value)
		line_printf(line, "%s0x%x", bar, value);
	else if (!*bar)
		line_puts(line, "0");
}

/* Error code that names a selector (Intel SDM 3A, 6.13). */
static void put_selector_error(struct line *line, uint32_t error)
{
	line_printf(line, "0x%x", error);
	if (!error || error >> 16)
		return;
	if (error & 2)
		line_printf(line, "<IDT 0x%x", error >> 3);
	else
		line_printf(line, "<%s %u", error & 4 ? "LDT" : "GDT", error >> 3);
	line_puts(line, error & 1 ? ", external>" : ">");
}

void decode_error(struct line *line, unsigned int vector, uint32_t error)
{
	if (vector == 14)
		put_flags(line, fault_flags, error);
	else
		put_selector_error(line, error);
}

/* The largest unit that leaves something before the point, then every digit. */
void decode_ns(struct line *line, uint64_t ns)
{
	static const struct { uint64_t ns; int digits; const char *name; } unit[] = {
		{ 1000000000, 9, "s" }, { 1000000, 6, "ms" }, { 1000, 3, "us" },
	};

	for (unsigned int i = 0; i < sizeof(unit) / sizeof(unit[0]); i++) {
		uint64_t rest = ns % unit[i].ns;
		int digits = unit[i].digits;

		if (ns < unit[i].ns)
			continue;
		line_printf(line, "%llu", (unsigned long long)(ns / unit[i].ns));
		for (; rest && rest % 10 == 0; rest /= 10)
			digits--;
		if (rest)
			line_printf(line, ".%0*llu", digits, (unsigned long long)rest);
		line_printf(line, " %s", unit[i].name);
		return;
	}
	line_printf(line, "%llu ns", (unsigned long long)ns);
}

/* Bytes in the largest unit that divides them. */
static void put_size(struct line *line, uint64_t bytes)
{
	static const char *const unit[] = { "bytes", "KiB", "MiB", "GiB" };
	unsigned int i = 0;

	while (i < 3 && bytes % 1024 == 0) {
		bytes /= 1024;
		i++;
	}
	line_printf(line, "%llu %s", (unsigned long long)bytes,
		    i == 0 && bytes == 1 ? "byte" : unit[i]);
}

void decode_pte(struct line *line, uint32_t low, uint32_t high)
{
	/* Nothing but bit 0 means anything to the processor then. */
	if (!(low & 1)) {
		if (low | high)
			line_puts(line, "not present");
		return;
	}
	put_flags(line, pte_flags, low & 0xfff);
	if (high & 0x80000000)
		line_puts(line, "|NX");
}

void decode_selector(struct line *line, uint32_t selector)
{
	if (selector >> 16)
		return;
	if (!(selector & ~3u))
		line_puts(line, "null");
	else
		line_printf(line, "%s %u, rpl %u", selector & 4 ? "LDT" : "GDT",
			    selector >> 3, selector & 3);
}

static void put_system_type(struct line *line, uint32_t high)
{
	unsigned int type = high >> 8 & 15;

	if (system_type[type])
		line_printf(line, "type=%s", system_type[type]);
	else
		line_printf(line, "type=0x%x", type);
}

static void put_dpl_and_present(struct line *line, uint32_t high)
{
	line_printf(line, ", dpl=%u", high >> 13 & 3);
	if (!(high & 0x8000))
		line_puts(line, ", not present");
}

/* lguest looks at bits 8 to 11 for the type, whatever bit 12 says. */
void decode_gate(struct line *line, const struct symbols *symbols, uint32_t low,
		 uint32_t high)
{
	uint32_t offset = (low & 0xffff) | (high & 0xffff0000);

	if (!(low | high)) {
		line_puts(line, "empty");
		return;
	}
	line_printf(line, "offset=0x%x", offset);
	symbols_put(symbols, line, offset);
	line_puts(line, ", ");
	put_system_type(line, high);
	put_dpl_and_present(line, high);
}

static void put_segment_type(struct line *line, uint32_t high)
{
	const char *size = high & 0x400000 ? "32-bit" : "16-bit";
	bool second = high & 0x200;	/* code: readable; data: writable */
	bool third = high & 0x400;	/* code: conforming; data: expand-down */

	if (!(high & 0x1000)) {
		put_system_type(line, high);
		return;
	}
	if (high & 0x800)
		line_printf(line, "type=%s%scode %s", second ? "" : "execute-only ",
			    third ? "conforming " : "",
			    high & 0x200000 ? "64-bit" : size);
	else
		line_printf(line, "type=%s%sdata %s", second ? "" : "read-only ",
			    third ? "expand-down " : "", size);
}

void decode_descriptor(struct line *line, uint32_t low, uint32_t high)
{
	uint32_t base = low >> 16 | (high & 0xff) << 16 | (high & 0xff000000);
	uint64_t bytes = ((low & 0xffff) | (high & 0xf0000)) + 1ull;

	if (!(low | high)) {
		line_puts(line, "empty");
		return;
	}
	if (high & 0x800000)
		bytes *= 4096;
	line_printf(line, "base=0x%x, limit=", base);
	put_size(line, bytes);
	line_puts(line, ", ");
	put_segment_type(line, high);
	put_dpl_and_present(line, high);
}
