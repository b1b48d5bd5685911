/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The summary of -c and -C: where the hypercalls and traps went, and the time
 * in them.
 *
 * Counting happens for every event of a guest that makes a hundred thousand
 * of them a second: additions only.  Time is that between entry and "handled"
 * in the supervisor, the host's part of the stop is not in it.
 *
 * Median and 99th percentile come from a histogram with 16 buckets to each
 * power of two: they are right to three percent, the rest to the nanosecond.
 */
#include <stdio.h>
#include <string.h>

#include "log/internal.h"

/* Buckets 0 to 15 hold one value each, then 16 to each power of two. */
static unsigned int bucket_of(uint64_t ns)
{
	unsigned int power;

	if (ns < 16)
		return (unsigned int)ns;
	power = 63 - (unsigned int)__builtin_clzll(ns);
	if (power - 4 >= SUMMARY_BUCKETS / 16 - 1)
		return SUMMARY_BUCKETS - 1;
	return 16 * (power - 3) + (ns >> (power - 4) & 15);
}

/* The middle of a bucket. */
static uint64_t bucket_ns(unsigned int bucket)
{
	unsigned int shift = bucket / 16;

	if (shift == 0)
		return bucket;
	return ((16ull + bucket % 16) << (shift - 1)) + ((1ull << (shift - 1)) >> 1);
}

static void count_row(struct summary_row *row, const struct guest_event *e)
{
	uint64_t ns = 0;

	if (e->start_ns && e->end_ns > e->start_ns)
		ns = e->end_ns - e->start_ns;
	if (row->calls == 0 || ns < row->min_ns)
		row->min_ns = ns;
	if (ns > row->max_ns)
		row->max_ns = ns;
	row->calls++;
	row->ns += ns;
	row->bucket[bucket_of(ns)]++;
}

void summary_count(struct summary *s, const struct guest_event *e)
{
	struct summary_row *row;

	switch (e->kind) {
	case EVENT_TRAP:
		count_row(&s->trap[e->vector], e);
		return;
	case EVENT_IRQ:
		s->irq[e->vector]++;
		return;
	case EVENT_REWRITE:
		s->rewrites++;
		return;
	case EVENT_HCALL:
		break;
	default:
		return;
	}
	row = &s->call[e->row < HCALL_ROWS ? e->row : HCALL_ROWS];
	count_row(row, e);
	if (e->end == END_KILLED)
		row->killed++;
	if (e->cause == CAUSE_ASYNC) {
		s->async++;
		s->waited_ns += e->wait_ns;
	}
}

/* The value that `percent` of all are not above. */
uint64_t summary_percentile(const struct summary_row *row, unsigned int percent)
{
	/* Rounded up: with one value, that one. */
	uint64_t wanted = (row->calls * percent + 99) / 100, seen = 0;
	unsigned int bucket = 0;
	uint64_t ns;

	if (!row->calls)
		return 0;
	for (; bucket < SUMMARY_BUCKETS - 1; bucket++) {
		seen += row->bucket[bucket];
		if (seen >= wanted)
			break;
	}
	ns = bucket_ns(bucket);
	if (ns < row->min_ns)
		ns = row->min_ns;
	return ns > row->max_ns ? row->max_ns : ns;
}

/* --- one section: all hypercalls, or all traps --------------------------------- */

struct section {
	const struct log_options *options;
	const char *title;
	const struct summary_row *rows;
	unsigned int nr_rows;
	/* Puts the name of row `index` into `name`. */
	void (*name)(char name[SUMMARY_NAME], unsigned int index);
};

static void call_name(char name[SUMMARY_NAME], unsigned int row)
{
	snprintf(name, SUMMARY_NAME, "%s", row >= HCALL_ROWS ? "(unknown)" :
		 hcall_table[row].name ? hcall_table[row].name : "?");
}

static void trap_name(char name[SUMMARY_NAME], unsigned int vector)
{
	const char *known = decode_vector(vector);

	snprintf(name, SUMMARY_NAME, vector < 32 ? "%u%s%s" : "0x%x%s%s", vector,
		 known ? " " : "", known ? known : "");
}

/* What a larger number of puts a row further up. */
static uint64_t sort_value(const struct summary_row *row, enum log_sort sort)
{
	switch (sort) {
	case LOG_SORT_TIME: return row->ns;
	case LOG_SORT_MIN: return row->min_ns;
	case LOG_SORT_MAX: return row->max_ns;
	case LOG_SORT_AVG: return row->calls ? row->ns / row->calls : 0;
	case LOG_SORT_MEDIAN: return summary_percentile(row, 50);
	case LOG_SORT_P99: return summary_percentile(row, 99);
	case LOG_SORT_CALLS: return row->calls;
	case LOG_SORT_KILLED: return row->killed;
	default: return 0;
	}
}

static bool comes_before(const struct section *s, unsigned int a, unsigned int b)
{
	enum log_sort sort = s->options->sort;
	char x[SUMMARY_NAME], y[SUMMARY_NAME];

	if (sort != LOG_SORT_NAME)
		return sort_value(&s->rows[a], sort) > sort_value(&s->rows[b], sort);
	s->name(x, a);
	s->name(y, b);
	return strcmp(x, y) < 0;
}

/* Rows that were called, in order; equal ones stay in the table's.  Returns
 * how many there are.  Some twenty rows: sorting by insertion will do. */
static unsigned int sorted_rows(const struct section *s, uint8_t order[256])
{
	unsigned int n = 0;

	for (unsigned int row = 0; row < s->nr_rows; row++) {
		unsigned int place = n;

		if (s->rows[row].calls == 0)
			continue;
		for (; place > 0 && comes_before(s, row, order[place - 1]); place--)
			order[place] = order[place - 1];
		order[place] = (uint8_t)row;
		n++;
	}
	return n;
}

/* --- columns ------------------------------------------------------------------- */

#define COLUMN_HEAD_(id, name, head, width) [LOG_COLUMN_##id] = { head, width },
static const struct {
	const char *head;
	int width;
} column[] = { LOG_COLUMN_LIST(COLUMN_HEAD_) };
#undef COLUMN_HEAD_

static const uint8_t default_columns[] = {
	LOG_COLUMN_SHARE, LOG_COLUMN_TIME, LOG_COLUMN_MIN, LOG_COLUMN_MEDIAN, LOG_COLUMN_P99,
	LOG_COLUMN_MAX, LOG_COLUMN_CALLS, LOG_COLUMN_KILLED, LOG_COLUMN_NAME,
};

static const uint8_t *columns_of(const struct log_options *o, unsigned int *n)
{
	*n = o->nr_columns ? o->nr_columns : sizeof(default_columns);
	return o->nr_columns ? o->columns : default_columns;
}

static void put_us(char *cell, size_t size, uint64_t ns)
{
	snprintf(cell, size, "%llu.%02llu", (unsigned long long)(ns / 1000),
		 (unsigned long long)(ns % 1000 / 10));
}

static void put_cell(char *cell, size_t size, enum log_column id,
		     const struct summary_row *row, uint64_t all_ns, const char *name)
{
	/* In hundredths of a percent; right for the first 21 days of handling. */
	uint64_t share = all_ns ? (row->ns * 10000 + all_ns / 2) / all_ns : 0;
	uint64_t us = row->ns / 1000;

	cell[0] = '\0';
	switch (id) {
	case LOG_COLUMN_SHARE:
		snprintf(cell, size, "%llu.%02llu", (unsigned long long)(share / 100),
			 (unsigned long long)(share % 100));
		break;
	case LOG_COLUMN_TIME:
		snprintf(cell, size, "%llu.%06llu", (unsigned long long)(us / 1000000),
			 (unsigned long long)(us % 1000000));
		break;
	case LOG_COLUMN_MIN: put_us(cell, size, row->min_ns); break;
	case LOG_COLUMN_MAX: put_us(cell, size, row->max_ns); break;
	case LOG_COLUMN_AVG: put_us(cell, size, row->calls ? row->ns / row->calls : 0); break;
	case LOG_COLUMN_MEDIAN: put_us(cell, size, summary_percentile(row, 50)); break;
	case LOG_COLUMN_P99: put_us(cell, size, summary_percentile(row, 99)); break;
	case LOG_COLUMN_CALLS:
		snprintf(cell, size, "%llu", (unsigned long long)row->calls);
		break;
	case LOG_COLUMN_KILLED:
		if (row->killed)
			snprintf(cell, size, "%llu", (unsigned long long)row->killed);
		break;
	default:
		snprintf(cell, size, "%s", name);
	}
}

/* Numbers to the right, names to the left; nothing behind the last word. */
static void put_column(struct line *line, const char *cell, unsigned int i, unsigned int n,
		       enum log_column id)
{
	bool name = id == LOG_COLUMN_NAME;

	line_printf(line, "%s%*s", i ? " " : "",
		    name ? i + 1 < n ? -column[id].width : 0 : column[id].width, cell);
}

static void put_rule(const struct section *s, struct line *line)
{
	static const char dashes[] = "----------------";
	unsigned int n;
	const uint8_t *ids = columns_of(s->options, &n);

	line_reset(line);
	for (unsigned int i = 0; i < n; i++)
		line_printf(line, "%s%.*s", i ? " " : "", column[ids[i]].width, dashes);
	line_end(line);
}

static void put_head(const struct section *s, struct line *line)
{
	unsigned int n;
	const uint8_t *ids = columns_of(s->options, &n);

	line_reset(line);
	for (unsigned int i = 0; i < n; i++)
		put_column(line, ids[i] == LOG_COLUMN_NAME ? s->title : column[ids[i]].head,
			   i, n, ids[i]);
	line_end(line);
}

/* " 60.00   0.000060    10.0    20.0    30.0    30.0        3        SET_PTE" */
static void put_row(const struct section *s, struct line *line,
		    const struct summary_row *row, uint64_t all_ns, const char *name)
{
	unsigned int n;
	const uint8_t *ids = columns_of(s->options, &n);
	char cell[SUMMARY_NAME + 8];

	line_reset(line);
	for (unsigned int i = 0; i < n; i++) {
		put_cell(cell, sizeof(cell), ids[i], row, all_ns, name);
		put_column(line, cell, i, n, ids[i]);
	}
	line_end(line);
}

static void add_total(struct summary_row *total, const struct summary_row *row)
{
	if (!total->calls || row->min_ns < total->min_ns)
		total->min_ns = row->min_ns;
	if (row->max_ns > total->max_ns)
		total->max_ns = row->max_ns;
	total->calls += row->calls;
	total->killed += row->killed;
	total->ns += row->ns;
	for (unsigned int i = 0; i < SUMMARY_BUCKETS; i++)
		total->bucket[i] += row->bucket[i];
}

static void print_section(const struct section *s, struct line *line,
			  summary_emit_fn *emit, void *arg)
{
	struct summary_row total = { 0 };
	uint8_t order[256];
	unsigned int n = sorted_rows(s, order);
	char name[SUMMARY_NAME];

	for (unsigned int i = 0; i < n; i++)
		add_total(&total, &s->rows[order[i]]);
	put_head(s, line);
	emit(arg, line);
	put_rule(s, line);
	emit(arg, line);
	for (unsigned int i = 0; i < n; i++) {
		s->name(name, order[i]);
		put_row(s, line, &s->rows[order[i]], total.ns, name);
		emit(arg, line);
	}
	put_rule(s, line);
	emit(arg, line);
	put_row(s, line, &total, total.ns, "total");
	emit(arg, line);
}

/* --- what is only counted -------------------------------------------------------- */

static void put_count(struct line *line, uint64_t count, const char *what)
{
	line_reset(line);
	line_printf(line, "%9llu %s", (unsigned long long)count, what);
}

static void print_counts(const struct summary *s, struct line *line,
			 summary_emit_fn *emit, void *arg)
{
	char what[16];

	for (unsigned int irq = 0; irq < 256; irq++) {
		if (s->irq[irq] == 0)
			continue;
		snprintf(what, sizeof(what), "irq %u", irq);
		put_count(line, s->irq[irq], what);
		line_end(line);
		emit(arg, line);
	}
	if (s->async) {
		put_count(line, s->async, "async");
		if (s->waited_ns) {
			line_puts(line, ", waited at most ");
			line_seconds(line, s->waited_ns);
			line_puts(line, " s in all");
		}
		line_end(line);
		emit(arg, line);
	}
	if (s->rewrites) {
		put_count(line, s->rewrites, "vmcall rewritten");
		line_end(line);
		emit(arg, line);
	}
}

void summary_print(struct log *log, summary_emit_fn *emit, void *arg)
{
	const struct summary *s = &log->summary;
	const struct log_options *o = &log->opt;
	struct line *line = &log->line;
	const struct section calls = {
		.options = o, .title = "hypercall", .rows = s->call,
		.nr_rows = HCALL_ROWS + 1, .name = call_name,
	};
	const struct section traps = {
		.options = o, .title = "trap", .rows = s->trap, .nr_rows = 256,
		.name = trap_name,
	};
	struct log_stops stops;
	bool color = line->color;

	line->color = false;
	print_section(&calls, line, emit, arg);
	for (unsigned int v = 0; v < 256; v++) {
		if (!s->trap[v].calls)
			continue;
		print_section(&traps, line, emit, arg);
		break;
	}
	print_counts(s, line, emit, arg);
	stops_take(log, &stops);
	if (stops.n)
		stops_print(line, &stops, emit, arg);
	line->color = color;
}
