/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of a guest: because it broke a rule, or because it asked for it.
 * The first reason wins.  Nothing here returns an error: callers carry on, and
 * the run loop ends the guest before it executes another instruction.
 */
#include <stdarg.h>
#include <string.h>

#include "guest/guest.h"

struct writer {
	char *at, *end;
};

static void put(struct writer *w, char c)
{
	if (w->at < w->end)
		*w->at++ = c;
}

static void put_number(struct writer *w, uint32_t value, uint32_t base)
{
	char digit[10];
	unsigned int n = 0;

	do {
		digit[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n)
		put(w, digit[--n]);
}

/* The few conversions reasons need; the guest layer has no stdio. */
static void format(struct writer *w, const char *fmt, va_list args)
{
	for (; *fmt; fmt++) {
		const char *s;
		int value;

		if (*fmt != '%') {
			put(w, *fmt);
			continue;
		}
		switch (*++fmt) {
		case 's':
			for (s = va_arg(args, const char *); *s; s++)
				put(w, *s);
			break;
		case 'c':
			put(w, (char)va_arg(args, int));
			break;
		case 'u':
			put_number(w, va_arg(args, uint32_t), 10);
			break;
		case 'd':
			value = va_arg(args, int);
			if (value < 0)
				put(w, '-');
			put_number(w, value < 0 ? 0u - (uint32_t)value : (uint32_t)value, 10);
			break;
		case 'x':
			put_number(w, va_arg(args, uint32_t), 16);
			break;
		case '%':
			put(w, '%');
			break;
		default:
			return;
		}
	}
}

static void announce(struct guest *g)
{
	struct guest_event *event = trace_begin(g, EVENT_END);
	size_t n = strlen(g->reason);

	if (!event)
		return;
	event->end = g->end;
	event->text_len = (uint8_t)(n < EVENT_TEXT ? n : EVENT_TEXT);
	event->text_more = n > EVENT_TEXT;
	memcpy(event->text, g->reason, event->text_len);
}

/*
 * Tour 120: What breaks a rule ends here.  The first reason stays, callers simply
 * carry on, and the run loop sees to it that the guest does not.
 */
void kill_guest(struct guest *g, const char *fmt, ...)
{
	struct writer w = { g->reason, g->reason + sizeof(g->reason) - 1 };
	va_list args;

	if (g->end != END_RUNNING)
		return;
	g->end = END_KILLED;
	va_start(args, fmt);
	format(&w, fmt, args);
	va_end(args);
	*w.at = '\0';
	announce(g);
}

void end_guest(struct guest *g, enum guest_end end, const uint8_t *reason,
	       uint32_t len)
{
	if (g->end != END_RUNNING)
		return;
	g->end = (uint8_t)end;
	if (len > sizeof(g->reason) - 1)
		len = sizeof(g->reason) - 1;
	memcpy(g->reason, reason, len);
	g->reason[len] = '\0';
	announce(g);
}
