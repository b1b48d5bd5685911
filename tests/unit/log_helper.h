/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the log share: making events, and catching what is printed
 * in an anonymous file.  Rows are found by name, so that no test depends on the
 * order of the hypercall table.
 */
#ifndef TESTS_UNIT_LOG_HELPER_H
#define TESTS_UNIT_LOG_HELPER_H

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log/internal.h"

/* The first row of that name. */
static inline uint8_t row_of(const char *name)
{
	for (uint8_t i = 0; i < HCALL_ROWS; i++)
		if (hcall_table[i].name && !strcmp(hcall_table[i].name, name))
			return i;
	cr_assert_fail("no row is called %s", name);
	return 0;
}

/* A direct hypercall from 0x100a2c that took 31 microseconds. */
static inline struct guest_event call(const char *name, uint32_t a, uint32_t b,
				      uint32_t c, uint32_t d)
{
	struct guest_event e = {
		.kind = EVENT_HCALL, .cause = CAUSE_INT, .row = row_of(name), .cpl = 1,
		.arg = { a, b, c, d }, .eip = 0x100a2c,
		.start_ns = 5000000000, .end_ns = 5000031999,
	};

	e.nr = hcall_table[e.row].nr;
	return e;
}

static inline struct guest_event with_text(struct guest_event e, const char *text)
{
	size_t len = strlen(text);

	e.text_more = len > EVENT_TEXT;
	e.text_len = (uint8_t)(len > EVENT_TEXT ? EVENT_TEXT : len);
	memcpy(e.text, text, e.text_len);
	return e;
}

/* How a test logs: into a file nobody sees, plain ASCII unless told. */
static inline struct log_options test_options(void)
{
	struct log_options o = LOG_OPTIONS_INIT;

	o.fd = memfd_create("log", 0);
	o.color = LOG_COLOR_NEVER;
	o.charset = LOG_CHARSET_ASCII;
	return o;
}

/* Everything in the file so far; cut to the buffer, always a string. */
static inline const char *contents(int fd)
{
	static char buf[16384];
	ssize_t n = pread(fd, buf, sizeof(buf) - 1, 0);

	cr_assert_geq(n, 0);
	buf[n] = '\0';
	return buf;
}

/* What the log prints for one event. */
static inline const char *logged(struct log_options o, const struct guest_event *e)
{
	struct log *log = log_open(&o);

	log_event(log, e);
	cr_assert(log_close(log));
	return contents(o.fd);
}

#endif
