/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text format: one event, one line, as strace would print it.
 *
 *	NAME(arg=value, …) <seconds> [notes]	a hypercall
 *	NAME(…) = KILLED (reason)		one that ended the guest
 *	--- trap 14 #PF {…} → handler ---	a trap or an interrupt
 *	+++ guest powered off: reason +++	the end
 *
 * A rewritten call site is shown once: as a note on the first call made from
 * it.  The event of the rewriting itself is a line only with -v, because with
 * --rewrite=eager many sites are rewritten that are never run.
 */
#include <string.h>

#include "log/internal.h"

/* -t and -r show when a thing began, as in strace. */
static uint64_t event_ns(const struct guest_event *e)
{
	return e->start_ns;
}

/* localtime_r() is slow; a second has many events. */
static void put_clock(struct log *log, uint64_t wall_ns)
{
	time_t second = (time_t)(wall_ns / 1000000000);
	struct tm tm;

	if (second != log->clock_second) {
		log->clock_second = second;
		if (!localtime_r(&second, &tm) ||
		    !strftime(log->clock_text, sizeof(log->clock_text), "%H:%M:%S", &tm))
			strcpy(log->clock_text, "??:??:??");
	}
	line_puts(&log->line, log->clock_text);
}

/* The way a kernel numbers its messages: seconds since it began. */
static void put_guest_clock(struct log *log, uint64_t now)
{
	uint64_t us = now > log->origin_ns ? (now - log->origin_ns) / 1000 : 0;

	line_printf(&log->line, log->opt.stamp == LOG_STAMP_SECOND ? "[%5llu]" : "[%5llu.%06llu]",
		    (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000));
}

static void put_stamp(struct log *log, const struct guest_event *e)
{
	uint64_t now, wall, us;

	if (log->opt.stamp == LOG_STAMP_NONE)
		return;
	now = event_ns(e);
	wall = now + (uint64_t)log->wall_offset_ns;
	if (log->opt.guest_clock && log->opt.stamp != LOG_STAMP_RELATIVE)
		put_guest_clock(log, now);
	else switch (log->opt.stamp) {
	case LOG_STAMP_SECOND:
		put_clock(log, wall);
		break;
	case LOG_STAMP_MICRO:
		put_clock(log, wall);
		line_printf(&log->line, ".%06u", (unsigned int)(wall / 1000 % 1000000));
		break;
	case LOG_STAMP_EPOCH:
		line_seconds(&log->line, wall);
		break;
	default:
		/* An async call may carry a time before the line above it. */
		if (log->last_ns == 0 || now < log->last_ns)
			log->last_ns = now;
		us = (now - log->last_ns) / 1000;
		line_printf(&log->line, "%6llu.%06llu", (unsigned long long)(us / 1000000),
			    (unsigned long long)(us % 1000000));
		log->last_ns = now;
		break;
	}
	line_puts(&log->line, " ");
}

static void put_eip(struct log *log, uint32_t eip)
{
	line_printf(&log->line, "[%08x", eip);
	symbols_put(log->symbols, &log->line, eip);
	line_puts(&log->line, "] ");
}

static void put_prefix(struct log *log, const struct guest_event *e)
{
	line_reset(&log->line);
	put_stamp(log, e);
	if (log->opt.show_nr && e->kind == EVENT_HCALL)
		line_printf(&log->line, "[%2u] ", e->nr);
	if (log->opt.show_eip) {
		/* Whoever put a call into the ring is long gone from there. */
		if (e->kind == EVENT_HCALL && e->cause == CAUSE_ASYNC)
			line_puts(&log->line, "[????????] ");
		else
			put_eip(log, e->eip);
	}
}

static bool has_cause(const struct log *log, const struct guest_event *e)
{
	return e->cause == CAUSE_ASYNC ||
	       (e->cause == CAUSE_REWRITTEN && !log->hide_rewrite) ||
	       (e->cause == CAUSE_VMCALL && log->opt.verbose);
}

static void put_site(struct log *log, bool rewritten, uint32_t eip)
{
	if (rewritten)
		line_printf(&log->line, "vmcall%sint 0x1f at 0x%08x", log->arrow, eip);
	else
		line_printf(&log->line, "vmcall at 0x%08x", eip);
	symbols_put(log->symbols, &log->line, eip);
}

/* How the call came to the host, where that is not the usual way. */
static void put_cause(struct log *log, const struct guest_event *e)
{
	struct line *l = &log->line;

	if (!has_cause(log, e))
		return;
	line_color(l, LINE_NOTE);
	if (e->cause == CAUSE_ASYNC) {
		line_puts(l, " [async");
		if (e->wait_ns && log->opt.show_time) {
			line_puts(l, ", waited at most ");
			line_seconds(l, e->wait_ns);
		}
		line_puts(l, "]");
	} else {
		line_puts(l, " [");
		put_site(log, e->cause == CAUSE_REWRITTEN, e->eip);
		line_puts(l, "]");
	}
	line_color(l, LINE_PLAIN);
}

static void put_killed(struct line *l, const struct guest_event *e)
{
	line_puts(l, " = ");
	line_color(l, LINE_BAD);
	line_puts(l, "KILLED");
	if (e->text_len) {
		line_puts(l, " (");
		line_escaped(l, e->text, event_text_len(e));
		line_puts(l, e->text_more ? "...)" : ")");
	}
	line_color(l, LINE_PLAIN);
}

/* A call without a row: small numbers may be meant, others are wild. */
static void put_unknown_call(struct line *l, const struct guest_event *e)
{
	line_color(l, LINE_NAME);
	line_printf(l, e->nr < 256 ? "hcall_%u" : "hcall_0x%x", e->nr);
	line_color(l, LINE_PLAIN);
	line_printf(l, "(0x%x, 0x%x, 0x%x, 0x%x)", e->arg[0], e->arg[1], e->arg[2],
		    e->arg[3]);
}

static void text_hcall(struct log *log, const struct guest_event *e)
{
	struct line *l = &log->line;

	if (e->row < HCALL_ROWS) {
		const struct hcall_row *row = &hcall_table[e->row];

		line_color(l, LINE_NAME);
		line_puts(l, row->name);
		line_color(l, LINE_PLAIN);
		line_puts(l, "(");
		log->style.values = log->values[e->row];
		put_arguments(l, &log->style, row, e);
		line_puts(l, ")");
	} else {
		put_unknown_call(l, e);
	}
	if (e->end == END_KILLED)
		put_killed(l, e);
	if (e->tampered)
		line_puts(l, " (INJECTED)");
	if (log->opt.show_time && e->start_ns && e->end_ns >= e->start_ns) {
		line_puts(l, " <");
		line_seconds(l, e->end_ns - e->start_ns);
		line_puts(l, ">");
	}
	put_cause(log, e);
}

/* " {cr2=0x…, err=W|U, cpl=3}": what is known and asked for; else nothing. */
static void put_trap_details(struct log *log, const struct guest_event *e)
{
	struct line *l = &log->line;
	const char *before = " {";

	if (e->kind == EVENT_TRAP && e->vector == 14) {
		line_printf(l, "%scr2=0x%x", before, e->address);
		symbols_put(log->symbols, l, e->address);
		before = ", ";
	}
	if (e->kind == EVENT_TRAP && e->has_error) {
		line_printf(l, "%serr=", before);
		decode_error(l, e->vector, e->error);
		before = ", ";
	}
	if (log->opt.verbose) {
		line_printf(l, "%scpl=%u", before, e->cpl);
		before = ", ";
	}
	if (before[0] == ',')
		line_puts(l, "}");
}

static void text_trap(struct log *log, const struct guest_event *e)
{
	const char *name = decode_vector(e->vector);
	struct line *l = &log->line;

	line_color(l, LINE_TRAP);
	if (e->kind == EVENT_IRQ)
		line_printf(l, "--- irq %u (vector 0x%x)", e->vector, e->vector + 0x20u);
	else
		line_printf(l, e->vector < 32 ? "--- trap %u" : "--- trap 0x%x", e->vector);
	if (e->kind == EVENT_TRAP && name)
		line_printf(l, " %s", name);
	put_trap_details(log, e);
	line_printf(l, " %s 0x%x", log->arrow, e->handler);
	symbols_put(log->symbols, l, e->handler);
	line_puts(l, " ---");
	line_color(l, LINE_PLAIN);
}

static void text_rewrite(struct log *log, const struct guest_event *e)
{
	line_color(&log->line, LINE_NOTE);
	line_puts(&log->line, "--- ");
	put_site(log, true, e->eip);
	line_puts(&log->line, " ---");
	line_color(&log->line, LINE_PLAIN);
}

static void text_end(struct log *log, const struct guest_event *e)
{
	static const char *const how[] = {
		[END_RUNNING] = "stopped", [END_POWEROFF] = "powered off",
		[END_RESTART] = "asked for restart", [END_CRASH] = "crashed",
		[END_KILLED] = "killed",
	};
	bool good = e->end == END_POWEROFF || e->end == END_RESTART;
	struct line *l = &log->line;

	line_color(l, good ? LINE_GOOD : LINE_BAD);
	line_printf(l, "+++ guest %s", e->end <= END_KILLED ? how[e->end] : "ended");
	if (e->text_len) {
		line_puts(l, ": ");
		line_escaped(l, e->text, event_text_len(e));
		line_puts(l, e->text_more ? "..." : "");
	}
	line_puts(l, " +++");
	line_color(l, LINE_PLAIN);
}

/* " > schedule+0x2a1 [0xc02e4a11] kernel/sched.c:5412": all but the innermost are
 * return addresses, and the call is in front of those. */
static void put_stack(struct log *log, const struct log_stack *stack)
{
	struct line *l = &log->line;

	for (unsigned int i = 0; i < stack->n; i++) {
		uint32_t address = stack->frame[i], call = address - (i > 0), offset;
		const char *name = symbols_find(log->symbols, call, &offset), *source;
		int number;

		line_reset(l);
		line_color(l, LINE_NOTE);
		line_puts(l, " > ");
		if (name) {
			line_escaped(l, (const uint8_t *)name, strlen(name));
			line_printf(l, "+0x%x ", offset + (i > 0));
		}
		line_printf(l, "[0x%08x]", address);
		source = symbols_source(log->symbols, call, &number);
		if (source) {
			line_puts(l, " ");
			line_escaped(l, (const uint8_t *)source, strlen(source));
			line_printf(l, ":%d", number);
		}
		line_color(l, LINE_PLAIN);
		line_end(l);
		output_line(&log->output, l);
	}
}

static void text_note(struct log *log, const struct guest_event *e)
{
	line_color(&log->line, LINE_NOTE);
	line_puts(&log->line, " | ");
	line_escaped(&log->line, e->text, event_text_len(e));
	line_puts(&log->line, e->text_more ? "..." : "");
	line_color(&log->line, LINE_PLAIN);
}

/* In front of the first line: the one thing about a run that every reader of its
 * log must know. */
static void tell_isolation(struct log *log)
{
	if (log->told_isolation || strcmp(log->isolation, "none"))
		return;
	log->told_isolation = true;
	line_reset(&log->line);
	line_color(&log->line, LINE_NOTE);
	line_puts(&log->line, "# isolation=none: guest programs can read and write their kernel's memory");
	line_color(&log->line, LINE_PLAIN);
	line_end(&log->line);
	output_line(&log->output, &log->line);
}

static void text_event(struct log *log, const struct guest_event *e)
{
	static void (*const print[])(struct log *, const struct guest_event *) = {
		[EVENT_HCALL] = text_hcall, [EVENT_TRAP] = text_trap,
		[EVENT_IRQ] = text_trap, [EVENT_REWRITE] = text_rewrite,
		[EVENT_END] = text_end, [EVENT_NOTE] = text_note,
	};

	if (e->kind == EVENT_START)
		log->origin_ns = e->start_ns;
	if (e->kind >= sizeof(print) / sizeof(print[0]) || !print[e->kind])
		return;
	if ((e->kind == EVENT_REWRITE || e->kind == EVENT_NOTE) && !log->opt.verbose)
		return;
	if (e->kind == EVENT_END && log->hide_exit)
		return;
	tell_isolation(log);
	if (e->kind == EVENT_NOTE)
		line_reset(&log->line);
	else
		put_prefix(log, e);
	print[e->kind](log, e);
	line_end(&log->line);
	output_line(&log->output, &log->line);
	if (log->stack)
		put_stack(log, log->stack);
}

const struct log_format_ops text_format = { .event = text_event };
