/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The summary of -c and -C: where the hypercalls went, and the time in them.
 *
 * Counting happens for every event of a guest that makes a hundred thousand
 * of them a second: additions only.  Time is that between entry and "handled"
 * in the supervisor, the host's part of the stop is not in it.
 */
#include <stdio.h>
#include <string.h>

#include "log/internal.h"

#define RULE "------ ----------- ----------- --------- --------- ----------------"

void summary_count(struct summary *s, const struct guest_event *e)
{
	struct summary_call *c;
	uint64_t ns = 0;

	switch (e->kind) {
	case EVENT_TRAP:
		s->trap[e->vector]++;
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
	c = &s->call[e->row < HCALL_ROWS ? e->row : HCALL_ROWS];
	if (e->start_ns && e->end_ns > e->start_ns)
		ns = e->end_ns - e->start_ns;
	if (c->calls == 0 || ns < c->min_ns)
		c->min_ns = ns;
	if (ns > c->max_ns)
		c->max_ns = ns;
	c->calls++;
	c->ns += ns;
	if (e->end == END_KILLED)
		c->killed++;
	if (e->cause == CAUSE_ASYNC) {
		s->async++;
		s->waited_ns += e->wait_ns;
	}
}

static const char *call_name(unsigned int row)
{
	if (row >= HCALL_ROWS)
		return "(unknown)";
	return hcall_table[row].name ? hcall_table[row].name : "?";
}

/* What a larger number of puts a row further up. */
static uint64_t sort_value(const struct summary_call *c, enum log_sort sort)
{
	switch (sort) {
	case LOG_SORT_TIME: return c->ns;
	case LOG_SORT_MIN: return c->min_ns;
	case LOG_SORT_MAX: return c->max_ns;
	case LOG_SORT_AVG: return c->calls ? c->ns / c->calls : 0;
	case LOG_SORT_CALLS: return c->calls;
	case LOG_SORT_KILLED: return c->killed;
	default: return 0;
	}
}

static bool comes_before(const struct summary *s, enum log_sort sort,
			 unsigned int a, unsigned int b)
{
	if (sort == LOG_SORT_NAME)
		return strcmp(call_name(a), call_name(b)) < 0;
	return sort_value(&s->call[a], sort) > sort_value(&s->call[b], sort);
}

/* Rows that were called, in order; equal ones stay in the table's.  Returns
 * how many there are.  Twenty rows: sorting by insertion will do. */
static unsigned int sorted_rows(const struct summary *s, enum log_sort sort,
				uint8_t order[HCALL_ROWS + 1])
{
	unsigned int n = 0;

	for (unsigned int row = 0; row <= HCALL_ROWS; row++) {
		unsigned int place = n;

		if (s->call[row].calls == 0)
			continue;
		for (; place > 0 && comes_before(s, sort, row, order[place - 1]); place--)
			order[place] = order[place - 1];
		order[place] = (uint8_t)row;
		n++;
	}
	return n;
}

/* "  62.50    0.000031          31         1           LGUEST_INIT" */
static void put_row(struct line *line, const struct summary_call *c, uint64_t all_ns,
		    const char *name)
{
	char killed[24] = "";
	/* In hundredths of a percent; right for the first 21 days of handling. */
	uint64_t share = all_ns ? (c->ns * 10000 + all_ns / 2) / all_ns : 0;
	uint64_t us = c->ns / 1000;

	if (c->killed)
		snprintf(killed, sizeof(killed), "%llu", (unsigned long long)c->killed);
	line_reset(line);
	line_printf(line, "%3llu.%02llu %4llu.%06llu %11llu %9llu %9s %s",
		    (unsigned long long)(share / 100), (unsigned long long)(share % 100),
		    (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000),
		    (unsigned long long)(c->calls ? us / c->calls : 0),
		    (unsigned long long)c->calls, killed, name);
	line_end(line);
}

static void put_text(struct line *line, const char *text, summary_emit_fn *emit,
		     void *arg)
{
	line_reset(line);
	line_puts(line, text);
	line_end(line);
	emit(arg, line);
}

static void print_calls(const struct summary *s, enum log_sort sort, struct line *line,
			summary_emit_fn *emit, void *arg)
{
	struct summary_call total = { 0 };
	uint8_t order[HCALL_ROWS + 1];
	unsigned int n = sorted_rows(s, sort, order);

	for (unsigned int i = 0; i < n; i++) {
		total.calls += s->call[order[i]].calls;
		total.killed += s->call[order[i]].killed;
		total.ns += s->call[order[i]].ns;
	}
	put_text(line, "% time     seconds  usecs/call     calls    killed hypercall",
		 emit, arg);
	put_text(line, RULE, emit, arg);
	for (unsigned int i = 0; i < n; i++) {
		put_row(line, &s->call[order[i]], total.ns, call_name(order[i]));
		emit(arg, line);
	}
	put_text(line, RULE, emit, arg);
	put_row(line, &total, total.ns, "total");
	emit(arg, line);
}

/* "      112 trap 14 #PF" */
static void print_traps(const struct summary *s, struct line *line,
			summary_emit_fn *emit, void *arg)
{
	for (unsigned int v = 0; v < 256; v++) {
		const char *name = decode_vector(v);

		if (s->trap[v] == 0)
			continue;
		line_reset(line);
		line_printf(line, "%9llu ", (unsigned long long)s->trap[v]);
		line_printf(line, v < 32 ? "trap %u" : "trap 0x%x", v);
		if (name)
			line_printf(line, " %s", name);
		line_end(line);
		emit(arg, line);
	}
	for (unsigned int irq = 0; irq < 256; irq++) {
		if (s->irq[irq] == 0)
			continue;
		line_reset(line);
		line_printf(line, "%9llu irq %u", (unsigned long long)s->irq[irq], irq);
		line_end(line);
		emit(arg, line);
	}
}

void summary_print(const struct summary *s, enum log_sort sort, struct line *line,
		   summary_emit_fn *emit, void *arg)
{
	bool color = line->color;

	line->color = false;
	print_calls(s, sort, line, emit, arg);
	print_traps(s, line, emit, arg);
	if (s->async) {
		line_reset(line);
		line_printf(line, "%9llu async",
			    (unsigned long long)s->async);
		if (s->waited_ns) {
			line_puts(line, ", waited ");
			line_seconds(line, s->waited_ns);
			line_puts(line, " s in all");
		}
		line_end(line);
		emit(arg, line);
	}
	if (s->rewrites) {
		line_reset(line);
		line_printf(line, "%9llu vmcall rewritten",
			    (unsigned long long)s->rewrites);
		line_end(line);
		emit(arg, line);
	}
	line->color = color;
}
