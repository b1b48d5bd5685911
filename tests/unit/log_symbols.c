/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for addresses, and stacks by frame pointers. */
#include <stdio.h>
#include <stdlib.h>

#include "log_helper.h"

static const char map[] =
	"00000010 A a_constant\n"
	"c0100000 t local_one\n"
	"c0100000 T _text\n"
	"c0100100 t same_rank\n"
	"c0100100 t and_another\n"
	"c0100200 D with\x1b" "control\n"
	"c0100300 B _end\n";

/* A file of these bytes; its name holds while the test runs. */
static const char *file_of(const char *text, size_t len)
{
	static char path[64];
	int fd = memfd_create("symbols", 0);

	cr_assert_eq(write(fd, text, len), (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static const char *name_of(const struct symbols *s, uint32_t address)
{
	static struct line line;

	line_reset(&line);
	symbols_put(s, &line, address);
	line.buf[line.len] = '\0';
	return line.buf;
}

Test(log_symbols, system_map)
{
	struct symbols *s = symbols_open(file_of(map, sizeof(map) - 1), false);

	cr_expect_str_eq(name_of(s, 0x10), "");
	cr_expect_str_eq(name_of(s, 0xc00fffff), "");
	cr_expect_str_eq(name_of(s, 0xc0100000), "<_text>");
	cr_expect_str_eq(name_of(s, 0xc01000ff), "<_text+0xff>");
	cr_expect_str_eq(name_of(s, 0xc0100100), "<same_rank>");
	cr_expect_str_eq(name_of(s, 0xc0100201), "<with\\x1bcontrol+0x1>");
	cr_expect_str_eq(name_of(s, 0xc0100300), "<_end>");
	/* Nobody knows what is behind the end. */
	cr_expect_str_eq(name_of(s, 0xc0100301), "");
	cr_expect_str_eq(name_of(NULL, 0xc0100000), "");
	symbols_close(s);
}

Test(log_symbols, no_symbols_where_they_are_optional)
{
	cr_expect_null(symbols_open(file_of("hello\n", 6), true));
	cr_expect_null(symbols_open("/nonexistent/vmlinux", true));
}

Test(log_symbols, no_symbols, .exit_code = 1) { symbols_open(file_of("hello\n", 6), false); }
Test(log_symbols, no_file, .exit_code = 1) { symbols_open("/nonexistent/vmlinux", false); }
Test(log_symbols, wrong_class, .exit_code = 1) { symbols_open("/proc/self/exe", false); }

Test(log_symbols, names_in_the_log)
{
	struct log_options o = test_options();
	struct guest_event e = call("SET_PTE", 0x1000, 0xc0100004, 0x67, 0);
	struct guest_event trap = {
		.kind = EVENT_TRAP, .vector = 14, .address = 0xc0100101, .handler = 0xc0100000,
		.eip = 0xc0100104,
	};
	struct log *log;

	o.trace = (const char *const[]) { "all" };
	o.nr_trace = 1;
	o.symbols = file_of(map, sizeof(map) - 1);
	o.show_eip = true;
	log = log_open(&o);
	log_event(log, &e);
	e = call("LOAD_IDT_ENTRY", 14, 0x600100, 0xc0108e00, 0);
	log_event(log, &e);
	log_event(log, &trap);
	log_close(log);
	cr_assert_str_eq(contents(o.fd),
		"[00100a2c] SET_PTE(pgdir=0x1000, vaddr=0xc0100004<_text+0x4>, pte=0x67<P|RW|US|A|D>)\n"
		"[00100a2c] LOAD_IDT_ENTRY(vector=0xe, offset=0xc0100100<same_rank>, type=interrupt gate, dpl=0)\n"
		"[c0100104<same_rank+0x4>] --- trap 14 #PF {cr2=0xc0100101<same_rank+0x1>} -> 0xc0100000<_text> ---\n");
}

/* --- frame pointers -------------------------------------------------------------- */

/* Guest memory of 16 words at 0x1000. */
static uint32_t words[16];

static size_t read_words(void *context, uint32_t address, void *to, size_t len)
{
	(void)context;
	if (address < 0x1000 || address - 0x1000 > sizeof(words) - len)
		return 0;
	memcpy(to, (const char *)words + (address - 0x1000), len);
	return len;
}

static struct log_stack walk(uint32_t ebp, unsigned int limit)
{
	struct unwinder *u = unwinder_open(NULL, limit, read_words, NULL);
	struct guest_event e = { .kind = EVENT_TRAP, .eip = 0x100 };
	struct log_stack stack;

	e.reg[EVENT_EBP] = ebp;
	unwinder_walk(u, &e, &stack);
	unwinder_close(u);
	return stack;
}

Test(log_symbols, chain_of_frames)
{
	struct log_stack s;

	words[0] = 0x1010, words[1] = 0x200;
	words[4] = 0x1020, words[5] = 0x300;
	words[8] = 0, words[9] = 0x400;
	s = walk(0x1000, 64);
	cr_assert_eq(s.n, 4);
	cr_expect(s.frame[0] == 0x100 && s.frame[1] == 0x200 && s.frame[2] == 0x300 &&
		  s.frame[3] == 0x400);
	cr_expect_eq(walk(0x1000, 2).n, 2);
	cr_expect_eq(walk(0x1000, 1).n, 1);
}

/* Whatever a guest puts there: the walk ends. */
Test(log_symbols, hostile_frames, .timeout = 10)
{
	words[0] = 0x1000, words[1] = 0x200;		/* to itself */
	cr_expect_eq(walk(0x1000, 64).n, 2);
	words[4] = 0x1000, words[5] = 0x300;		/* back and forth */
	words[0] = 0x1010;
	cr_expect_eq(walk(0x1000, 64).n, 3);
	cr_expect_eq(walk(0, 64).n, 1);
	cr_expect_eq(walk(0x1001, 64).n, 1);
	cr_expect_eq(walk(0xfffffffc, 64).n, 1);
	cr_expect_eq(walk(0x103c, 64).n, 1);		/* half a frame */
	for (unsigned int i = 0; i < 16; i++)
		words[i] = 0x1000 + 4 * i + 4;
	cr_expect_eq(walk(0x1000, 8).n, 8);
}

/* JSON has the stack, and it comes back. */
Test(log_symbols, stack_in_json)
{
	struct log_options o = test_options();
	struct guest_event e = call("HALT", 0, 0, 0, 0), back;
	struct log_stack s = { .n = 2, .frame = { 0xc0100101, 0xc0100005 } };
	struct log_header header = { 0 };
	char error[LOG_READ_ERROR], *line;
	struct log *log;

	o.symbols = file_of(map, sizeof(map) - 1);
	o.stack_limit = 64;
	log = log_open(&o);
	log_event_with_stack(log, &e, &s);
	log_close(log);
	cr_assert_str_eq(contents(o.fd), "HALT()\n > same_rank+0x1 [0xc0100101]\n"
			 " > _text+0x5 [0xc0100005]\n");
	o.fd = memfd_create("json", 0);
	o.format = LOG_FORMAT_JSON;
	log = log_open(&o);
	log_event_with_stack(log, &e, &s);
	log_close(log);
	memset(&s, 0, sizeof(s));
	line = strchr(contents(o.fd), '\n') + 1;
	header.version = 1;
	cr_assert(log_read(line, strlen(line), &header, &back, &s, error), "%s", error);
	cr_assert(s.n == 2 && s.frame[0] == 0xc0100101 && s.frame[1] == 0xc0100005);
}
