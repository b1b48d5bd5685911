/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text format: which line an event becomes, to the last character. */
#include <stdlib.h>

#include "log_helper.h"

static struct guest_event trap(uint8_t vector, bool has_error, uint32_t error)
{
	return (struct guest_event) {
		.kind = EVENT_TRAP, .vector = vector, .has_error = has_error,
		.error = error, .address = 0xb7fff000, .handler = 0xc010334c,
		.cpl = 3, .eip = 0x8048000,
	};
}

static struct guest_event end(uint8_t how, const char *text)
{
	struct guest_event e = { .kind = EVENT_END, .end = how };

	return with_text(e, text);
}

static struct guest_event killed(struct guest_event e, const char *why)
{
	e.end = END_KILLED;
	return with_text(e, why);
}

static struct guest_event by(struct guest_event e, uint8_t cause, uint64_t wait_ns)
{
	e.cause = cause;
	e.wait_ns = wait_ns;
	return e;
}

static struct guest_event unknown(uint32_t nr)
{
	struct guest_event e = {
		.kind = EVENT_HCALL, .row = HCALL_ROWS, .nr = nr,
		.arg = { 1, 0xdeadbeef, 0, 4 },
	};

	return killed(e, "there is no such call");
}

struct line_case {
	struct guest_event event;
	const char *line;
};

static void check_lines(struct log_options options, const struct line_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		options.fd = memfd_create("log", 0);
		cr_expect_str_eq(logged(options, &cases[i].event), cases[i].line,
				 "case %zu: %s, wanted %s", i, contents(options.fd),
				 cases[i].line);
		close(options.fd);
	}
}
#define CHECK_LINES(options, cases) \
	check_lines(options, cases, sizeof(cases) / sizeof(cases[0]))

Test(log_text, hypercalls)
{
	const struct line_case cases[] = {
		{ call("LGUEST_INIT", 0x1234000, 0, 0, 0), "LGUEST_INIT(data=0x1234000)\n" },
		{ call("FLUSH_ASYNC", 1, 2, 3, 4), "FLUSH_ASYNC()\n" },
		{ call("HALT", 0, 0, 0, 0), "HALT()\n" },
		{ with_text(call("SHUTDOWN", 0x12c0f, 1, 0, 0), "Power down"),
		  "SHUTDOWN(reason=\"Power down\"@0x12c0f, how=POWEROFF)\n" },
		{ call("SHUTDOWN", 0x40000000, 2, 0, 0),
		  "SHUTDOWN(reason=0x40000000, how=RESTART)\n" },
		{ with_text(call("NOTIFY", 0x123000, 0, 0, 0), "Linux version"),
		  "NOTIFY(addr=0x123000<early console \"Linux version\">)\n" },
		{ call("NOTIFY", 0x4002000, 0, 0, 0), "NOTIFY(addr=0x4002000)\n" },
		{ call("SET_STACK", 0x69, 0xc02fe000, 2, 0),
		  "SET_STACK(ss=0x69, esp=0xc02fe000, pages=2)\n" },
	};

	CHECK_LINES(test_options(), cases);
}

Test(log_text, ends_of_calls)
{
	const struct line_case cases[] = {
		{ killed(call("SET_STACK", 0x69, 0xc02fe000, 9, 0),
			 "9 stack pages, at most 2"),
		  "SET_STACK(ss=0x69, esp=0xc02fe000, pages=9)"
		  " = KILLED (9 stack pages, at most 2)\n" },
		{ killed(call("HALT", 0, 0, 0, 0), ""), "HALT() = KILLED\n" },
		/* The reason is not the text of the argument. */
		{ killed(call("SHUTDOWN", 0xfffffff0, 1, 0, 0), "reason outside memory"),
		  "SHUTDOWN(reason=0xfffffff0, how=POWEROFF)"
		  " = KILLED (reason outside memory)\n" },
		{ unknown(99), "hcall_99(0x1, 0xdeadbeef, 0x0, 0x4)"
			       " = KILLED (there is no such call)\n" },
		{ unknown(0xc0de0000), "hcall_0xc0de0000(0x1, 0xdeadbeef, 0x0, 0x4)"
				       " = KILLED (there is no such call)\n" },
	};

	CHECK_LINES(test_options(), cases);
}

Test(log_text, causes)
{
	struct log_options o = test_options();
	const struct line_case usual[] = {
		{ by(call("HALT", 0, 0, 0, 0), CAUSE_REWRITTEN, 0),
		  "HALT() [vmcall->int 0x1f at 0x00100a2c]\n" },
		{ by(call("HALT", 0, 0, 0, 0), CAUSE_VMCALL, 0), "HALT()\n" },
		{ by(call("HALT", 0, 0, 0, 0), CAUSE_ASYNC, 0), "HALT() [async]\n" },
		{ by(call("HALT", 0, 0, 0, 0), CAUSE_ASYNC, 210999), "HALT() [async]\n" },
	};
	const struct line_case verbose[] = {
		{ by(call("HALT", 0, 0, 0, 0), CAUSE_VMCALL, 0),
		  "HALT() [vmcall at 0x00100a2c]\n" },
		{ { .kind = EVENT_REWRITE, .eip = 0xc0100000 },
		  "--- vmcall->int 0x1f at 0xc0100000 ---\n" },
	};

	CHECK_LINES(o, usual);
	o.verbose = true;
	CHECK_LINES(o, verbose);
}

/* The rewriting shows once: in the call's line, or with -q not at all. */
Test(log_text, rewrite_is_shown_once)
{
	struct log_options o = test_options();
	const struct line_case usual[] = { { { .kind = EVENT_REWRITE, .eip = 1 }, "" } };
	const struct line_case quiet[] = {
		{ by(call("HALT", 0, 0, 0, 0), CAUSE_REWRITTEN, 0), "HALT()\n" },
	};

	CHECK_LINES(o, usual);
	o.quiet = 1;
	CHECK_LINES(o, quiet);
}

Test(log_text, time_comes_before_notes)
{
	struct log_options o = test_options();
	struct guest_event untimed = call("HALT", 0, 0, 0, 0);
	const struct line_case cases[] = {
		{ by(call("LGUEST_INIT", 0x1234000, 0, 0, 0), CAUSE_REWRITTEN, 0),
		  "LGUEST_INIT(data=0x1234000) <0.000031>"
		  " [vmcall→int 0x1f at 0x00100a2c]\n" },
		{ killed(call("HALT", 0, 0, 0, 0), "why"),
		  "HALT() = KILLED (why) <0.000031>\n" },
		{ untimed, "HALT() <0.000031>\n" },
		{ by(call("HALT", 0, 0, 0, 0), CAUSE_ASYNC, 210999),
		  "HALT() <0.000031> [async, waited at most 0.000210]\n" },
	};

	o.show_time = true;
	o.charset = LOG_CHARSET_UTF8;
	CHECK_LINES(o, cases);

	untimed.start_ns = 0;
	cr_assert_str_eq(logged(o, &untimed), "HALT()\n");
}

Test(log_text, traps_and_interrupts)
{
	static const char *const all[] = { "trace=all" };
	struct log_options o = test_options();
	const struct line_case cases[] = {
		{ trap(14, true, 6),
		  "--- trap 14 #PF {cr2=0xb7fff000, err=W|U} -> 0xc010334c ---\n" },
		{ trap(14, true, 0),
		  "--- trap 14 #PF {cr2=0xb7fff000, err=0} -> 0xc010334c ---\n" },
		{ trap(13, true, 0xfa),
		  "--- trap 13 #GP {err=0xfa<IDT 0x1f>} -> 0xc010334c ---\n" },
		{ trap(6, false, 0), "--- trap 6 #UD -> 0xc010334c ---\n" },
		{ trap(0x80, false, 0), "--- trap 0x80 syscall -> 0xc010334c ---\n" },
		{ trap(0x81, false, 0), "--- trap 0x81 -> 0xc010334c ---\n" },
		{ { .kind = EVENT_IRQ, .vector = 0, .handler = 0xc0103000 },
		  "--- irq 0 (vector 0x20) -> 0xc0103000 ---\n" },
		{ { .kind = EVENT_IRQ, .vector = 31, .handler = 0xc0103000 },
		  "--- irq 31 (vector 0x3f) -> 0xc0103000 ---\n" },
	};
	const struct line_case verbose[] = {
		{ trap(6, false, 0), "--- trap 6 #UD {cpl=3} -> 0xc010334c ---\n" },
		{ trap(14, true, 7),
		  "--- trap 14 #PF {cr2=0xb7fff000, err=P|W|U, cpl=3} -> 0xc010334c ---\n" },
	};

	o.trace = all;
	o.nr_trace = 1;
	CHECK_LINES(o, cases);
	o.verbose = true;
	CHECK_LINES(o, verbose);
}

Test(log_text, ends)
{
	const struct line_case cases[] = {
		{ end(END_POWEROFF, "Power down"), "+++ guest powered off: Power down +++\n" },
		{ end(END_RESTART, "Restart"), "+++ guest asked for restart: Restart +++\n" },
		{ end(END_CRASH, "Kernel panic"), "+++ guest crashed: Kernel panic +++\n" },
		{ end(END_KILLED, "bad \"gate\""), "+++ guest killed: bad \"gate\" +++\n" },
		{ end(END_RESTART, ""), "+++ guest asked for restart +++\n" },
		{ end(END_RUNNING, ""), "+++ guest stopped +++\n" },
		{ end(200, "what?"), "+++ guest ended: what? +++\n" },
	};
	struct log_options o = test_options();
	struct guest_event e = end(END_POWEROFF, "Power down");

	CHECK_LINES(o, cases);
	o.quiet = 2;
	cr_assert_str_eq(logged(o, &e), "");
}

Test(log_text, prefixes)
{
	struct log_options o = test_options();
	const struct line_case cases[] = {
		{ call("HALT", 0, 0, 0, 0), "[10] [00100a2c] HALT()\n" },
		{ call("TS", 8, 0, 0, 0), "[ 8] [00100a2c] TS(ts=set)\n" },
		{ by(call("HALT", 0, 0, 0, 0), CAUSE_ASYNC, 0),
		  "[10] [????????] HALT() [async]\n" },
		{ end(END_POWEROFF, "x"), "[00000000] +++ guest powered off: x +++\n" },
	};

	o.show_eip = o.show_nr = true;
	CHECK_LINES(o, cases);
}

Test(log_text, relative_time)
{
	struct log_options o = test_options();
	struct guest_event e = call("HALT", 0, 0, 0, 0);
	struct log *log;

	o.stamp = LOG_STAMP_RELATIVE;
	log = log_open(&o);
	log_event(log, &e);
	e.start_ns += 1500000;
	log_event(log, &e);
	e.start_ns -= 1000000;	/* a ring call may have begun earlier */
	log_event(log, &e);
	log_close(log);
	cr_assert_str_eq(contents(o.fd), "     0.000000 HALT()\n"
					 "     0.001500 HALT()\n"
					 "     0.000000 HALT()\n");
}

/* 15 March 2009, 02:37:52 UTC, told with every -t. */
Test(log_text, wall_clock)
{
	static const struct { enum log_stamp stamp; const char *line; } cases[] = {
		{ LOG_STAMP_SECOND, "02:37:52 HALT()\n" },
		{ LOG_STAMP_MICRO, "02:37:52.000123 HALT()\n" },
		{ LOG_STAMP_EPOCH, "1237084672.000123 HALT()\n" },
	};
	struct guest_event e = call("HALT", 0, 0, 0, 0);

	setenv("TZ", "UTC", 1);
	for (size_t i = 0; i < 3; i++) {
		struct log_options o = test_options();
		struct log *log;

		o.stamp = cases[i].stamp;
		log = log_open(&o);
		log->wall_offset_ns = 1237084672000123000 - (int64_t)e.start_ns;
		log_event(log, &e);
		log_close(log);
		cr_expect_str_eq(contents(o.fd), cases[i].line);
	}
}

/* Whatever the guest says, only printable ASCII and newlines of ours get out. */
Test(log_text, guest_cannot_write_to_the_terminal)
{
	static const char *const all[] = { "all" };
	struct log_options o = test_options();
	uint8_t kinds[] = { EVENT_HCALL, EVENT_END, EVENT_TRAP, EVENT_IRQ };
	struct log *log;
	const char *out;

	o.trace = all;
	o.nr_trace = 1;
	o.string_limit = 1000;
	log = log_open(&o);
	for (unsigned int c = 0; c < 256; c++) {
		for (unsigned int k = 0; k < sizeof(kinds); k++) {
			struct guest_event e = call("SHUTDOWN", 1, 1, 0, 0);

			memset(e.text, (int)c, EVENT_TEXT);
			e.text_len = 255;	/* lies */
			e.kind = kinds[k];
			e.end = (uint8_t)(c % 5);
			log_event(log, &e);
			log->output.len = 0;	/* look at the line itself */
			out = log->line.buf;
			for (size_t i = 0; i + 1 < log->line.len; i++)
				cr_assert(out[i] >= 0x20 && out[i] < 0x7f,
					  "kind %u lets byte 0x%02x out", kinds[k], c);
			cr_assert_leq(log->line.len, LINE_SIZE);
		}
	}
	log_close(log);
}

/* A record that claims more text than it has is not read past its text. */
Test(log_text, text_is_never_longer_than_its_place)
{
	struct log_options o = test_options();
	struct guest_event e = end(END_CRASH, "");
	char want[EVENT_TEXT + 64] = "+++ guest crashed: ";
	size_t head = strlen(want);

	memset(e.text, 'x', EVENT_TEXT);
	memset(e.pad, 'Q', sizeof(e.pad));
	e.text_len = EVENT_TEXT + 8;
	memset(want + head, 'x', EVENT_TEXT);
	strcpy(want + head + EVENT_TEXT, " +++\n");
	cr_assert_str_eq(logged(o, &e), want);
	e.kind = EVENT_HCALL;
	e.end = END_RUNNING;
	e.row = row_of("NOTIFY");
	o.fd = memfd_create("log", 0);
	o.string_limit = 1000;
	cr_assert_not(strchr(logged(o, &e), 'Q'));
}

Test(log_text, random_records_are_harmless)
{
	static const char *const all[] = { "all" };
	struct log_options o = test_options();
	struct guest_event e;
	uint8_t *raw = (uint8_t *)&e;
	uint32_t seed = 1;
	struct log *log;

	o.trace = all;
	o.nr_trace = 1;
	o.verbose = o.show_time = o.show_eip = o.show_nr = true;
	for (unsigned int values = 0; values < 3; values++) {
		o.values = (enum log_values)values;
		o.fd = memfd_create("log", 0);
		log = log_open(&o);
		for (unsigned int n = 0; n < 20000; n++) {
			for (size_t i = 0; i < sizeof(e); i++) {
				seed = seed * 1664525 + 1013904223;
				raw[i] = (uint8_t)(seed >> 24);
			}
			e.kind = (uint8_t)(n % 8);
			e.row = (uint8_t)(n % (HCALL_ROWS + 2));
			/* Every bit pattern is fine but this: bool is a promise. */
			e.has_error = n & 1;
			e.pae = n & 2;
			log_event(log, &e);
			cr_assert_leq(log->line.len, LINE_SIZE);
		}
		cr_assert(log_close(log));
		close(o.fd);
	}
}

Test(log_text, color_surrounds_but_never_changes)
{
	struct log_options o = test_options();
	struct guest_event e = killed(call("HALT", 0, 0, 0, 0), "why");

	o.color = LOG_COLOR_ALWAYS;
	cr_assert_str_eq(logged(o, &e), "\033[36mHALT\033[0m() = "
					"\033[1;31mKILLED (why)\033[0m\n");
}

Test(log_text, auto_color_needs_a_terminal)
{
	struct log_options o = test_options();
	struct guest_event e = call("HALT", 0, 0, 0, 0);

	unsetenv("NO_COLOR");
	setenv("TERM", "xterm", 1);
	o.color = LOG_COLOR_AUTO;
	cr_assert_str_eq(logged(o, &e), "HALT()\n");
}

Test(log_text, arrow_follows_the_locale)
{
	struct log_options o = test_options();
	struct log *log;

	o.charset = LOG_CHARSET_LOCALE;
	setenv("LC_ALL", "C", 1);
	log = log_open(&o);
	cr_expect_str_eq(log->arrow, "->");
	log_close(log);
	setenv("LC_ALL", "C.UTF-8", 1);
	log = log_open(&o);
	cr_expect_str_eq(log->arrow, "→");
	log_close(log);
}

Test(log_text, formats)
{
	cr_assert_eq(log_format_parse("text"), LOG_FORMAT_TEXT);
}

Test(log_text, unknown_format, .exit_code = 2)
{
	log_format_parse("xml");
}

/* The kernel's own way: since its first instruction, and anew after a restart. */
Test(log_text, clock_of_the_guest)
{
	struct log_options o = test_options();
	struct guest_event start = { .kind = EVENT_START, .start_ns = 4000000000 };
	struct guest_event e = call("HALT", 0, 0, 0, 0);
	struct log *log;

	o.guest_clock = true;
	o.stamp = LOG_STAMP_MICRO;
	log = log_open(&o);
	log_event(log, &start);
	log_event(log, &e);
	start.start_ns = 5000000000;
	log_event(log, &start);
	log_event(log, &e);
	log_close(log);
	cr_assert_str_eq(contents(o.fd), "[    1.000000] HALT()\n[    0.000000] HALT()\n");
}

Test(log_text, notify_names_its_device)
{
	struct guest_event e = call("NOTIFY", 0x400a000, 0, 0, 0);

	strcpy(e.device, "console out");
	cr_expect_str_eq(logged(test_options(), &e), "NOTIFY(addr=0x400a000<console out>)\n");
	/* From a foreign log: anything. */
	strcpy(e.device, "\033[31m");
	cr_expect_str_eq(logged(test_options(), &e), "NOTIFY(addr=0x400a000<\\x1b[31m>)\n");
}
