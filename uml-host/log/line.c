/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A line being built: bytes, escapes, colours.
 *
 * This is the only place where bytes of the guest become bytes for a terminal.
 * It must never pass on a control character or anything beyond ASCII, and
 * never write outside the line.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log/internal.h"

static const char *const color_sequence[] = {
	[LINE_PLAIN] = "\033[0m",
	[LINE_NAME] = "\033[36m",
	[LINE_NOTE] = "\033[2m",
	[LINE_TRAP] = "\033[33m",
	[LINE_GOOD] = "\033[32m",
	[LINE_BAD] = "\033[1;31m",
};

/* Bytes that can still be added; the newline has its place kept. */
static size_t line_room(const struct line *line)
{
	return LINE_SIZE - 1 - line->len;
}

void line_reset(struct line *line)
{
	line->len = 0;
}

void line_add(struct line *line, const char *bytes, size_t len)
{
	if (len > line_room(line))
		len = line_room(line);
	memcpy(line->buf + line->len, bytes, len);
	line->len += len;
}

void line_puts(struct line *line, const char *s)
{
	line_add(line, s, strlen(s));
}

void line_printf(struct line *line, const char *fmt, ...)
{
	/* vsnprintf wants a place for its NUL: the newline's will do. */
	size_t room = line_room(line);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line->buf + line->len, room + 1, fmt, ap);
	va_end(ap);
	if (n > 0)
		line->len += (size_t)n < room ? (size_t)n : room;
}

void line_color(struct line *line, enum line_color color)
{
	if (line->color)
		line_puts(line, color_sequence[color]);
}

void line_end(struct line *line)
{
	line->buf[line->len++] = '\n';
}

/* The escapes everybody knows; 0 where there is none. */
static char short_escape(uint8_t c, bool quoted, enum line_escapes escapes)
{
	if (escapes != LINE_ESCAPES_WORDS && c != '\\' && c != '"')
		return 0;
	switch (c) {
	case '\n': return 'n';
	case '\t': return 't';
	case '\r': return 'r';
	case '\v': return 'v';
	case '\f': return 'f';
	case '\\': return '\\';
	case '"': return quoted ? '"' : 0;
	default: return 0;
	}
}

static void line_escape(struct line *line, const uint8_t *text, size_t len, bool quoted,
			enum line_escapes escapes)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		uint8_t c = text[i];
		char esc[4] = { '\\', 'x', hex[c >> 4], hex[c & 15] };
		char known = short_escape(c, quoted, escapes);

		if (escapes == LINE_ESCAPES_ALL) {
			line_add(line, esc, 4);
		} else if (known) {
			esc[1] = known;
			line_add(line, esc, 2);
		} else if (c >= 0x20 && c < 0x7f) {
			line_add(line, (const char *)&text[i], 1);
		} else {
			line_add(line, esc, 4);
		}
	}
}

void line_escaped(struct line *line, const uint8_t *text, size_t len)
{
	line_escape(line, text, len, false, LINE_ESCAPES_WORDS);
}

void line_quoted(struct line *line, const uint8_t *text, size_t len, bool more,
		 size_t limit, enum line_escapes escapes)
{
	if (len > limit) {
		len = limit;
		more = true;
	}
	line_puts(line, "\"");
	line_escape(line, text, len, true, escapes);
	line_puts(line, more ? "\"..." : "\"");
}

void line_seconds(struct line *line, uint64_t ns)
{
	uint64_t us = ns / 1000;

	line_printf(line, "%llu.%06llu", (unsigned long long)(us / 1000000),
		    (unsigned long long)(us % 1000000));
}
