/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values into words: flags, gates, descriptors, durations, escapes. */
#include "log_helper.h"

/* A line as a string; the next call overwrites it. */
static struct line line;

static const char *text(void)
{
	line.buf[line.len] = '\0';
	return line.buf;
}

static const char *arguments(enum log_values values, const struct guest_event *e)
{
	struct argument_style style = { .values = values, .string_limit = 32 };

	line_reset(&line);
	put_arguments(&line, &style, &hcall_table[e->row], e);
	return text();
}

Test(log_decode, page_table_entries)
{
	static const struct { uint32_t low, high; const char *words; } cases[] = {
		{ 0x5a3067, 0, "P|RW|US|A|D" },
		{ 0x5a3001, 0, "P" },
		{ 0x1ff, 0, "P|RW|US|PWT|PCD|A|D|PSE|G" },
		{ 0xe01, 0, "P|0xe00" },
		{ 0x001, 0x80000000, "P|NX" },
		{ 0x5a3066, 0, "not present" },
		{ 0, 1, "not present" },
		{ 0, 0, "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		line_reset(&line);
		decode_pte(&line, cases[i].low, cases[i].high);
		cr_expect_str_eq(text(), cases[i].words);
	}
}

Test(log_decode, gates)
{
	static const struct { uint32_t low, high; const char *words; } cases[] = {
		{ 0x00603450, 0xc010ef00, "offset=0xc0103450, type=trap gate, dpl=3" },
		{ 0x00600000, 0xc0108e00, "offset=0xc0100000, type=interrupt gate, dpl=0" },
		{ 0x00f80000, 0x00008500, "offset=0x0, type=task gate, dpl=0" },
		{ 0x00600001, 0x00000e00,
		  "offset=0x1, type=interrupt gate, dpl=0, not present" },
		{ 0, 0x8000, "offset=0x0, type=0x0, dpl=0" },
		{ 0, 0, "empty" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		line_reset(&line);
		decode_gate(&line, NULL, cases[i].low, cases[i].high);
		cr_expect_str_eq(text(), cases[i].words);
	}
}

Test(log_decode, descriptors)
{
	static const struct { uint32_t low, high; const char *words; } cases[] = {
		{ 0x0000ffff, 0x00cf9a00, "base=0x0, limit=4 GiB, type=code 32-bit, dpl=0" },
		{ 0x0000ffff, 0x00cff200, "base=0x0, limit=4 GiB, type=data 32-bit, dpl=3" },
		{ 0x5678ffff, 0x12409a34,
		  "base=0x12345678, limit=64 KiB, type=code 32-bit, dpl=0" },
		{ 0x0000ffff, 0x00009e00,
		  "base=0x0, limit=64 KiB, type=conforming code 16-bit, dpl=0" },
		{ 0x0000ffff, 0x00af9a00, "base=0x0, limit=4 GiB, type=code 64-bit, dpl=0" },
		{ 0x0000ffff, 0x00cf9800,
		  "base=0x0, limit=4 GiB, type=execute-only code 32-bit, dpl=0" },
		{ 0x00000fff, 0x00409600,
		  "base=0x0, limit=4 KiB, type=expand-down data 32-bit, dpl=0" },
		{ 0x00000013, 0x00409000,
		  "base=0x0, limit=20 bytes, type=read-only data 32-bit, dpl=0" },
		{ 0x00000000, 0x00409200,
		  "base=0x0, limit=1 byte, type=data 32-bit, dpl=0" },
		{ 0x00000067, 0x00008900, "base=0x0, limit=104 bytes, type=TSS, dpl=0" },
		{ 0x0000ffff, 0x00cf7200,
		  "base=0x0, limit=4 GiB, type=data 32-bit, dpl=3, not present" },
		{ 0, 0, "empty" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		line_reset(&line);
		decode_descriptor(&line, cases[i].low, cases[i].high);
		cr_expect_str_eq(text(), cases[i].words);
	}
}

Test(log_decode, durations_keep_every_digit)
{
	static const struct { uint64_t ns; const char *words; } cases[] = {
		{ 0, "0 ns" }, { 100, "100 ns" }, { 999, "999 ns" }, { 1000, "1 us" },
		{ 1001, "1.001 us" }, { 4000000, "4 ms" }, { 3999250, "3.99925 ms" },
		{ 1000000000, "1 s" }, { 1000000001, "1.000000001 s" },
		{ 4294967295, "4.294967295 s" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		line_reset(&line);
		decode_ns(&line, cases[i].ns);
		cr_expect_str_eq(text(), cases[i].words);
	}
}

Test(log_decode, error_codes)
{
	static const struct { unsigned int vector; uint32_t error; const char *words; } cases[] = {
		{ 14, 0, "0" }, { 14, 7, "P|W|U" }, { 14, 0x14, "U|F" }, { 14, 0x8, "RSVD" },
		{ 14, 0x20, "0x20" }, { 13, 0, "0x0" }, { 13, 0xfa, "0xfa<IDT 0x1f>" },
		{ 13, 0x68, "0x68<GDT 13>" }, { 11, 0x15, "0x15<LDT 2, external>" },
		{ 13, 0xffff0000, "0xffff0000" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		line_reset(&line);
		decode_error(&line, cases[i].vector, cases[i].error);
		cr_expect_str_eq(text(), cases[i].words);
	}
}

Test(log_decode, selectors)
{
	static const struct { uint32_t selector; const char *words; } cases[] = {
		{ 0x69, "GDT 13, rpl 1" }, { 0x7b, "GDT 15, rpl 3" }, { 0x0f, "LDT 1, rpl 3" },
		{ 0, "null" }, { 3, "null" }, { 0x10069, "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		line_reset(&line);
		decode_selector(&line, cases[i].selector);
		cr_expect_str_eq(text(), cases[i].words);
	}
}

/* One call, the three ways of -X. */
struct argument_case {
	struct guest_event event;
	const char *abbrev, *raw, *verbose;
};

static void check_arguments(const struct argument_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct guest_event *e = &cases[i].event;

		cr_expect_str_eq(arguments(LOG_VALUES_ABBREV, e), cases[i].abbrev,
				 "%s, wanted %s", text(), cases[i].abbrev);
		cr_expect_str_eq(arguments(LOG_VALUES_RAW, e), cases[i].raw,
				 "%s, wanted %s", text(), cases[i].raw);
		cr_expect_str_eq(arguments(LOG_VALUES_VERBOSE, e), cases[i].verbose,
				 "%s, wanted %s", text(), cases[i].verbose);
	}
}
#define CHECK_ARGUMENTS(cases) check_arguments(cases, sizeof(cases) / sizeof(cases[0]))

static struct guest_event pae(struct guest_event e)
{
	e.pae = true;
	return e;
}

Test(log_decode, arguments_of_memory)
{
	const struct argument_case cases[] = {
		{ call("SET_PTE", 0x1000, 0xb7fff000, 0x5a3067, 0x77),
		  "pgdir=0x1000, vaddr=0xb7fff000, pte=0x5a3067<P|RW|US|A|D>",
		  "pgdir=0x1000, vaddr=0xb7fff000, pte=0x5a3067",
		  "pgdir=0x1000, vaddr=0xb7fff000, pte=0x5a3067<P|RW|US|A|D>" },
		{ pae(call("SET_PTE", 0x1020, 0xb7fff000, 0x5a3067, 0x80000001)),
		  "pgdir=0x1020, vaddr=0xb7fff000, pte=0x80000001005a3067<P|RW|US|A|D|NX>",
		  "pgdir=0x1020, vaddr=0xb7fff000, pte=0x5a3067, pte_hi=0x80000001",
		  "pgdir=0x1020, vaddr=0xb7fff000, pte=0x80000001005a3067<P|RW|US|A|D|NX>" },
		{ call("SET_PTE", 0x1000, 0xfff00000, 0, 0),
		  "pgdir=0x1000, vaddr=0xfff00000, pte=0x0",
		  "pgdir=0x1000, vaddr=0xfff00000, pte=0x0",
		  "pgdir=0x1000, vaddr=0xfff00000, pte=0x0" },
		{ call("FLUSH_TLB", 0, 0, 0, 0), "scope=user", "scope=0", "scope=0<user>" },
		{ call("FLUSH_TLB", 1, 0, 0, 0), "scope=all", "scope=1", "scope=1<all>" },
		{ call("FLUSH_TLB", 7, 0, 0, 0), "scope=7", "scope=7", "scope=7" },
		{ call("SET_PGD", 0x1000, 768, 0, 0), "pgdir=0x1000, index=768",
		  "pgdir=0x1000, index=768", "pgdir=0x1000, index=768" },
		{ call("NEW_PGTABLE", 0x257000, 0, 0, 0), "pgdir=0x257000", "pgdir=0x257000",
		  "pgdir=0x257000" },
	};

	CHECK_ARGUMENTS(cases);
}

Test(log_decode, arguments_of_tables)
{
	const struct argument_case cases[] = {
		{ call("LOAD_IDT_ENTRY", 0x80, 0x00603450, 0xc010ef00, 0),
		  "vector=0x80, offset=0xc0103450, type=trap gate, dpl=3",
		  "vector=0x80, lo=0x603450, hi=0xc010ef00",
		  "vector=0x80<syscall>, lo=0x603450, hi=0xc010ef00"
		  "<offset=0xc0103450, type=trap gate, dpl=3>" },
		{ call("LOAD_IDT_ENTRY", 0xffffffff, 0, 0, 0),
		  "vector=0xffffffff, empty", "vector=0xffffffff, lo=0x0, hi=0x0",
		  "vector=0xffffffff, lo=0x0, hi=0x0<empty>" },
		{ call("LOAD_GDT_ENTRY", 12, 0x0000ffff, 0x00cf9a00, 0),
		  "index=12, base=0x0, limit=4 GiB, type=code 32-bit, dpl=0",
		  "index=12, lo=0xffff, hi=0xcf9a00",
		  "index=12, lo=0xffff, hi=0xcf9a00"
		  "<base=0x0, limit=4 GiB, type=code 32-bit, dpl=0>" },
		{ call("SET_STACK", 0x69, 0xc02fe000, 2, 0),
		  "ss=0x69, esp=0xc02fe000, pages=2", "ss=0x69, esp=0xc02fe000, pages=2",
		  "ss=0x69<GDT 13, rpl 1>, esp=0xc02fe000, pages=2" },
	};

	CHECK_ARGUMENTS(cases);
}

Test(log_decode, arguments_of_the_rest)
{
	const struct argument_case cases[] = {
		{ call("SET_CLOCKEVENT", 4000000, 0, 0, 0), "delta=4 ms", "delta=4000000",
		  "delta=4000000<4 ms>" },
		{ call("SET_CLOCKEVENT", 0, 0, 0, 0), "delta=off", "delta=0", "delta=0<off>" },
		{ call("TS", 8, 0, 0, 0), "ts=set", "ts=8", "ts=8<set>" },
		{ call("TS", 0, 0, 0, 0), "ts=clear", "ts=0", "ts=0<clear>" },
		{ call("TS", 1, 0, 0, 0), "ts=1", "ts=1", "ts=1" },
		{ with_text(call("SHUTDOWN", 0x1000, 1, 0, 0), "Power down"),
		  "reason=\"Power down\"@0x1000, how=POWEROFF", "reason=0x1000, how=1",
		  "reason=0x1000<\"Power down\">, how=1<POWEROFF>" },
		{ call("SHUTDOWN", 0, 3, 0, 0), "reason=0x0, how=3", "reason=0x0, how=3",
		  "reason=0x0, how=3" },
	};

	CHECK_ARGUMENTS(cases);
}

Test(log_decode, escapes)
{
	static const struct { const char *raw; size_t len; const char *words; } cases[] = {
		{ "plain", 5, "\"plain\"" },
		{ "\n\t\r\v\f", 5, "\"\\n\\t\\r\\v\\f\"" },
		{ "\033[2J", 4, "\"\\x1b[2J\"" },
		{ "a\0b", 3, "\"a\\x00b\"" },
		{ "\x7f\x80\xff", 3, "\"\\x7f\\x80\\xff\"" },
		{ "\xc3\xa4", 2, "\"\\xc3\\xa4\"" },
		{ "\\ \"", 3, "\"\\\\ \\\"\"" },
		{ "", 0, "\"\"" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		line_reset(&line);
		line_quoted(&line, (const uint8_t *)cases[i].raw, cases[i].len, false, 99, LINE_ESCAPES_WORDS);
		cr_expect_str_eq(text(), cases[i].words);
	}
}

Test(log_decode, string_limit)
{
	static const struct { size_t limit; bool more; const char *words; } cases[] = {
		{ 5, false, "\"hello\"" }, { 4, false, "\"hell\"..." },
		{ 0, false, "\"\"..." }, { 9, true, "\"hello\"..." },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		line_reset(&line);
		line_quoted(&line, (const uint8_t *)"hello", 5, cases[i].more, cases[i].limit, LINE_ESCAPES_WORDS);
		cr_expect_str_eq(text(), cases[i].words);
	}
}

Test(log_decode, line_never_overflows)
{
	struct { struct line line; char guard[64]; } box;

	memset(&box, 0x55, sizeof(box));
	line_reset(&box.line);
	for (unsigned int i = 0; i < 100; i++) {
		line_puts(&box.line, "some forty bytes of text, so it gets full");
		line_printf(&box.line, "%0100u", i);
	}
	line_end(&box.line);
	cr_assert_eq(box.line.len, LINE_SIZE);
	cr_assert_eq(box.line.buf[LINE_SIZE - 1], '\n');
	for (size_t i = 0; i < sizeof(box.guard); i++)
		cr_assert_eq(box.guard[i], 0x55);
}
