/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Trace Event format of Chrome, as Perfetto and chrome://tracing read it: an
 * array of events, whose closing bracket may be missing if the program was
 * killed.
 *
 * The guest is a process with three lines: hypercalls, traps, interrupts.  Times
 * are microseconds since its first instruction.  Two counters go along: calls
 * of the async ring made at one stop, and host pages mapped for the guest.
 */
#include <stdio.h>
#include <string.h>

#include "log/internal.h"

enum track { TRACK_HCALLS = 1, TRACK_TRAPS, TRACK_IRQS };

#define PID 1

static void chrome_line(struct log *log)
{
	line_end(&log->line);
	output_line(&log->output, &log->line);
}

/* Microseconds with every nanosecond. */
static void put_time(struct line *line, const char *key, uint64_t ns)
{
	line_printf(line, ",\"%s\":%llu.%03llu", key, (unsigned long long)(ns / 1000),
		    (unsigned long long)(ns % 1000));
}

static uint64_t since_start(const struct log *log, uint64_t ns)
{
	return ns > log->origin_ns ? ns - log->origin_ns : 0;
}

/* ",{…": all but the first line begin with a comma; what is open is closed by
 * the caller. */
static void open_event(struct log *log, const char *phase, const char *name, enum track track)
{
	struct line *line = &log->line;

	line_reset(line);
	line_printf(line, ",{\"ph\":\"%s\",\"pid\":%d,\"tid\":%d,\"name\":\"%s\"", phase, PID,
		    (int)track, name);
}

static void put_slice(struct log *log, const struct guest_event *e)
{
	uint64_t end = e->end_ns > e->start_ns ? e->end_ns : e->start_ns;

	put_time(&log->line, "ts", since_start(log, e->start_ns));
	put_time(&log->line, "dur", since_start(log, end) - since_start(log, e->start_ns));
}

static void slice_hcall(struct log *log, const struct guest_event *e)
{
	struct line *line = &log->line;
	bool known = e->row < HCALL_ROWS;
	char name[SUMMARY_NAME];

	if (known)
		snprintf(name, sizeof(name), "%s", hcall_table[e->row].name);
	else
		snprintf(name, sizeof(name), "hcall_%u", e->nr);
	open_event(log, "X", name, TRACK_HCALLS);
	line_printf(line, ",\"cat\":\"%s\"",
		    known ? hcall_class_name[hcall_table[e->row].class] : "unknown");
	put_slice(log, e);
	json_arguments(line, e);
	/* Into the object that has just been closed. */
	line->len--;
	if (line->buf[line->len - 1] == '{')
		line_printf(line, "\"eip\":\"0x%x\"", e->eip);
	else
		line_printf(line, ",\"eip\":\"0x%x\"", e->eip);
	if (e->cause < NR_JSON_CAUSES)
		line_printf(line, ",\"cause\":\"%s\"", json_cause_name[e->cause]);
	if (e->device[0])
		json_text(line, "device", (const uint8_t *)e->device,
			  strnlen(e->device, sizeof(e->device)));
	if (e->text_len)
		json_text(line, e->end == END_KILLED ? "killed" : "text", e->text,
			  event_text_len(e));
	line_puts(line, "}}");
	chrome_line(log);
}

static void slice_trap(struct log *log, const struct guest_event *e)
{
	const char *known = decode_vector(e->vector);
	struct line *line = &log->line;
	bool irq = e->kind == EVENT_IRQ;
	char name[SUMMARY_NAME];

	if (irq)
		snprintf(name, sizeof(name), "irq %u", e->vector);
	else
		snprintf(name, sizeof(name), "%u%s%s", e->vector, known ? " " : "",
			 known ? known : "");
	open_event(log, "X", name, irq ? TRACK_IRQS : TRACK_TRAPS);
	line_printf(line, ",\"cat\":\"%s\"", irq ? "irq" : "trap");
	put_slice(log, e);
	line_printf(line, ",\"args\":{\"eip\":\"0x%x\",\"handler\":\"0x%x\",\"cpl\":%u", e->eip,
		    e->handler, e->cpl);
	if (e->has_error)
		line_printf(line, ",\"error\":\"0x%x\"", e->error);
	if (!irq && e->vector == 14)
		line_printf(line, ",\"cr2\":\"0x%x\"", e->address);
	line_puts(line, "}}");
	chrome_line(log);
}

/* Something at one moment, on a line of its own right across the picture. */
static void instant(struct log *log, const struct guest_event *e)
{
	struct line *line = &log->line;

	if (e->kind == EVENT_REWRITE)
		open_event(log, "i", "vmcall rewritten", TRACK_HCALLS);
	else if (e->kind == EVENT_START)
		open_event(log, "i", "guest starts", TRACK_HCALLS);
	else
		open_event(log, "i", "guest ends", TRACK_HCALLS);
	put_time(line, "ts", since_start(log, e->start_ns));
	line_printf(line, ",\"s\":\"%s\",\"args\":{\"eip\":\"0x%x\"",
		    e->kind == EVENT_REWRITE ? "t" : "p", e->eip);
	if (e->kind == EVENT_END && e->end < NR_JSON_ENDS)
		line_printf(line, ",\"end\":\"%s\"", json_end_name[e->end]);
	if (e->text_len)
		json_text(line, "text", e->text, event_text_len(e));
	line_puts(line, "}}");
	chrome_line(log);
}

/* Only where the value has changed. */
static void counter(struct log *log, const struct guest_event *e, const char *name,
		    const char *unit, uint32_t value, uint32_t *last)
{
	if (value == *last)
		return;
	*last = value;
	open_event(log, "C", name, TRACK_HCALLS);
	put_time(&log->line, "ts", since_start(log, e->start_ns));
	line_printf(&log->line, ",\"args\":{\"%s\":%u}}", unit, value);
	chrome_line(log);
}

static void chrome_event(struct log *log, const struct guest_event *e)
{
	static void (*const put[NR_EVENT_KINDS])(struct log *, const struct guest_event *) = {
		[EVENT_HCALL] = slice_hcall, [EVENT_TRAP] = slice_trap, [EVENT_IRQ] = slice_trap,
		[EVENT_REWRITE] = instant, [EVENT_START] = instant, [EVENT_END] = instant,
	};

	if (e->kind >= NR_EVENT_KINDS || !put[e->kind])
		return;
	/* A restarted guest goes on where it was on the time line. */
	if (!log->origin_ns)
		log->origin_ns = e->start_ns;
	put[e->kind](log, e);
	counter(log, e, "async ring", "calls", e->depth, &log->last_depth);
	counter(log, e, "shadow pages", "pages", e->pages, &log->last_pages);
}

static void name_track(struct log *log, const char *what, const char *name, enum track track,
		       bool first)
{
	open_event(log, "M", what, track);
	if (first)
		log->line.buf[0] = '[';
	line_printf(&log->line, ",\"args\":{\"name\":\"%s\"}}", name);
	chrome_line(log);
}

/* What it ran on stands beside the name of the process. */
static void label_process(struct log *log)
{
	if (!*log->engine)
		return;
	open_event(log, "M", "process_labels", TRACK_HCALLS);
	line_printf(&log->line, ",\"args\":{\"labels\":\"engine=%s isolation=%s\"}}", log->engine,
		    log->isolation);
	chrome_line(log);
}

static void chrome_begin(struct log *log)
{
	name_track(log, "process_name", "guest", TRACK_HCALLS, true);
	label_process(log);
	name_track(log, "thread_name", "hypercalls", TRACK_HCALLS, false);
	name_track(log, "thread_name", "traps", TRACK_TRAPS, false);
	name_track(log, "thread_name", "interrupts", TRACK_IRQS, false);
	/* Neither is known, so the first event tells both. */
	log->last_depth = log->last_pages = UINT32_MAX;
}

static void chrome_finish(struct log *log)
{
	line_reset(&log->line);
	line_puts(&log->line, "]");
	chrome_line(log);
}

const struct log_format_ops chrome_format = {
	.begin = chrome_begin, .event = chrome_event, .finish = chrome_finish,
};
