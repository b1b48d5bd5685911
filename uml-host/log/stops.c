/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why the guest stopped and where its time went: the last table of -c, and that
 * of run --stats.  Somebody else has counted.
 */
#include <stdio.h>

#include "log/internal.h"

#define RULE "------ ---------- --------- --------- ---------------"

static uint64_t sum_ns(const struct log_stops *s)
{
	uint64_t ns = 0;

	for (unsigned int i = 0; i < s->n; i++)
		ns += s->row[i].ns;
	return ns;
}

static void put_text(struct line *line, const char *text, summary_emit_fn *emit, void *arg)
{
	line_reset(line);
	line_puts(line, text);
	line_end(line);
	emit(arg, line);
}

/* " 60.00   0.000060     20.00         3 hypercalls" */
static void put_stop_row(struct line *line, const struct log_stop_row *row, uint64_t all_ns)
{
	/* In hundredths of a percent. */
	uint64_t share = all_ns ? (row->ns * 10000 + all_ns / 2) / all_ns : 0;
	uint64_t us = row->ns / 1000, mean = row->count ? row->ns / row->count : 0;

	line_reset(line);
	if (all_ns)
		line_printf(line, "%3llu.%02llu %3llu.%06llu ",
			    (unsigned long long)(share / 100), (unsigned long long)(share % 100),
			    (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000));
	if (all_ns && row->count)
		line_printf(line, "%6llu.%02llu ", (unsigned long long)(mean / 1000),
			    (unsigned long long)(mean % 1000 / 10));
	else if (all_ns)
		line_printf(line, "%10s", "");
	if (row->count)
		line_printf(line, "%9llu ", (unsigned long long)row->count);
	else
		line_printf(line, "%10s", "");
	line_puts(line, row->name);
	line_end(line);
}

void stops_print(struct line *line, const struct log_stops *s, summary_emit_fn *emit, void *arg)
{
	struct log_stop_row total = { .name = "total" };
	const uint64_t all_ns = total.ns = sum_ns(s);
	/* Without times their columns are not there. */
	const size_t skip = all_ns ? 0 : sizeof("------ ---------- --------- ") - 1;

	put_text(line, &"% time    seconds   us/stop     stops cause"[skip], emit, arg);
	put_text(line, &RULE[skip], emit, arg);
	for (unsigned int i = 0; i < s->n; i++) {
		if (!s->row[i].count && !s->row[i].ns)
			continue;
		total.count += s->row[i].count;
		put_stop_row(line, &s->row[i], all_ns);
		emit(arg, line);
	}
	put_text(line, &RULE[skip], emit, arg);
	put_stop_row(line, &total, all_ns);
	emit(arg, line);
	if (!s->gates)
		return;
	line_reset(line);
	line_printf(line, "%9llu of the stops by gates: a jump, no trap",
		    (unsigned long long)s->gates);
	line_end(line);
	emit(arg, line);
}

static void write_line(void *arg, const struct line *line)
{
	fwrite(line->buf, 1, line->len, arg);
}

void log_print_stops(FILE *to, const struct log_stops *stops)
{
	struct line line = { .color = false };

	stops_print(&line, stops, write_line, to);
}
