/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON Lines: a header, then one object a line for each event, with all that a
 * line of text could be made of.  The schema is in doc/LOG.md, and read.c is the
 * other direction; a change of either is a change of LOG_JSON_VERSION.
 *
 * Numbers that are addresses or bit fields are strings in hex: readers that know
 * only floating point keep them whole.  Times are integers of nanoseconds.
 * Guest text is one character for each byte, U+0000 to U+00FF.
 */
#include <stdio.h>
#include <string.h>

#include "log/internal.h"

const char *const json_event_name[NR_EVENT_KINDS] = {
	[EVENT_HCALL] = "hcall", [EVENT_TRAP] = "trap", [EVENT_IRQ] = "irq",
	[EVENT_REWRITE] = "rewrite", [EVENT_END] = "end", [EVENT_START] = "start",
	[EVENT_NOTE] = "note",
};

const char *const json_cause_name[NR_JSON_CAUSES] = {
	[CAUSE_INT] = "int", [CAUSE_VMCALL] = "vmcall", [CAUSE_REWRITTEN] = "rewritten",
	[CAUSE_ASYNC] = "async",
};

const char *const json_end_name[NR_JSON_ENDS] = {
	[END_RUNNING] = "running", [END_POWEROFF] = "poweroff", [END_RESTART] = "restart",
	[END_CRASH] = "crash", [END_KILLED] = "killed",
};

const char *const json_reg_name[8] = {
	"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi",
};

void json_text(struct line *line, const char *key, const uint8_t *text, size_t len)
{
	line_printf(line, ",\"%s\":\"", key);
	for (size_t i = 0; i < len; i++) {
		char c = (char)text[i];

		if (c == '"' || c == '\\')
			line_printf(line, "\\%c", c);
		else if (c >= 0x20 && c < 0x7f)
			line_add(line, &c, 1);
		else
			line_printf(line, "\\u%04x", text[i]);
	}
	line_puts(line, "\"");
}

void json_arguments(struct line *line, const struct guest_event *e)
{
	const struct hcall_row *row = e->row < HCALL_ROWS ? &hcall_table[e->row] : NULL;
	const char *comma = "";

	line_puts(line, ",\"args\":{");
	for (unsigned int i = 0; i < 4 && (!row || row->arg[i].name); i++) {
		if (row)
			line_printf(line, "%s\"%s\":\"0x%x\"", comma, row->arg[i].name, e->arg[i]);
		else
			line_printf(line, "%s\"arg%u\":\"0x%x\"", comma, i + 1, e->arg[i]);
		comma = ",";
	}
	line_puts(line, "}");
}

static void put_hex(struct line *line, const char *key, uint32_t value)
{
	line_printf(line, ",\"%s\":\"0x%x\"", key, value);
}

static void put_number(struct line *line, const char *key, uint64_t value)
{
	line_printf(line, ",\"%s\":%llu", key, (unsigned long long)value);
}

static void put_guest_text(struct line *line, const struct guest_event *e)
{
	if (!e->text_len && !e->text_more)
		return;
	json_text(line, "text", e->text, event_text_len(e));
	if (e->text_more)
		line_puts(line, ",\"text_more\":true");
}

static void put_hcall(struct line *line, const struct guest_event *e)
{
	if (e->row < HCALL_ROWS)
		line_printf(line, ",\"name\":\"%s\"", hcall_table[e->row].name);
	put_number(line, "nr", e->nr);
	json_arguments(line, e);
	if (e->cause < NR_JSON_CAUSES)
		line_printf(line, ",\"cause\":\"%s\"", json_cause_name[e->cause]);
	if (e->pae)
		line_puts(line, ",\"pae\":true");
	if (e->device[0])
		json_text(line, "device", (const uint8_t *)e->device,
			  strnlen(e->device, sizeof(e->device)));
	if (e->tampered)
		line_puts(line, ",\"injected\":true");
	if (e->wait_ns)
		put_number(line, "wait_ns", e->wait_ns);
}

static void put_trap(struct line *line, const struct guest_event *e)
{
	const char *name = decode_vector(e->vector);

	put_number(line, e->kind == EVENT_IRQ ? "irq" : "vector", e->vector);
	if (e->kind == EVENT_TRAP && name)
		line_printf(line, ",\"name\":\"%s\"", name);
	if (e->has_error)
		put_hex(line, "error", e->error);
	if (e->kind == EVENT_TRAP && e->vector == 14)
		put_hex(line, "cr2", e->address);
	put_hex(line, "handler", e->handler);
}

static void put_regs(struct line *line, const struct guest_event *e)
{
	line_puts(line, ",\"regs\":{");
	for (unsigned int i = 0; i < 8; i++)
		line_printf(line, "%s\"%s\":\"0x%x\"", i ? "," : "", json_reg_name[i], e->reg[i]);
	line_puts(line, "}");
}

static void put_stack(const struct log *log, struct line *line)
{
	line_puts(line, ",\"stack\":[");
	for (unsigned int i = 0; i < log->stack->n; i++)
		line_printf(line, "%s\"0x%x\"", i ? "," : "", log->stack->frame[i]);
	line_puts(line, "]");
}

static void json_event(struct log *log, const struct guest_event *e)
{
	struct line *line = &log->line;

	if (e->kind >= NR_EVENT_KINDS)
		return;
	line_reset(line);
	line_printf(line, "{\"event\":\"%s\",\"time_ns\":%llu", json_event_name[e->kind],
		    (unsigned long long)e->start_ns);
	if (e->end_ns)
		put_number(line, "end_ns", e->end_ns);
	if (e->kind == EVENT_HCALL)
		put_hcall(line, e);
	else if (e->kind == EVENT_TRAP || e->kind == EVENT_IRQ)
		put_trap(line, e);
	if (e->kind == EVENT_NOTE) {
		put_guest_text(line, e);
		line_puts(line, "}");
		line_end(line);
		output_line(&log->output, line);
		return;
	}
	put_hex(line, "eip", e->eip);
	put_number(line, "cpl", e->cpl);
	if (e->end < NR_JSON_ENDS && (e->end != END_RUNNING || e->kind == EVENT_END))
		line_printf(line, ",\"end\":\"%s\"", json_end_name[e->end]);
	put_guest_text(line, e);
	if (e->depth)
		put_number(line, "ring_depth", e->depth);
	put_number(line, "shadow_pages", e->pages);
	if (log->opt.verbose)
		put_regs(line, e);
	if (log->stack)
		put_stack(log, line);
	line_puts(line, "}");
	line_end(line);
	output_line(&log->output, line);
}

static void json_begin(struct log *log)
{
	line_reset(&log->line);
	line_printf(&log->line, "{\"event\":\"header\",\"schema\":\"uml-host-log\",\"version\":%d,"
		    "\"realtime_offset_ns\":%lld", LOG_JSON_VERSION,
		    (long long)log->wall_offset_ns);
	if (*log->engine)
		line_printf(&log->line, ",\"engine\":\"%s\"", log->engine);
	if (*log->isolation)
		line_printf(&log->line, ",\"isolation\":\"%s\"", log->isolation);
	line_puts(&log->line, "}");
	line_end(&log->line);
	output_line(&log->output, &log->line);
}

/* One row of -c: "{"name":"SET_PTE","calls":3,…}". */
static void put_summary_row(struct log *log, const struct summary_row *row, const char *key,
			    const char *name)
{
	struct line *line = &log->line;

	line_reset(line);
	line_printf(line, "{\"event\":\"%s\",\"name\":\"%s\"", key, name);
	put_number(line, "calls", row->calls);
	put_number(line, "killed", row->killed);
	put_number(line, "total_ns", row->ns);
	put_number(line, "min_ns", row->min_ns);
	put_number(line, "median_ns", summary_percentile(row, 50));
	put_number(line, "p99_ns", summary_percentile(row, 99));
	put_number(line, "max_ns", row->max_ns);
	line_puts(line, "}");
	line_end(line);
	output_line(&log->output, line);
}

static void put_summary_count(struct log *log, const char *what, uint64_t count)
{
	line_reset(&log->line);
	line_printf(&log->line, "{\"event\":\"summary-count\",\"name\":\"%s\",\"count\":%llu}", what,
		    (unsigned long long)count);
	line_end(&log->line);
	output_line(&log->output, &log->line);
}

/* A cause of stops, or where time went without one. */
static void put_summary_stop(struct log *log, const struct log_stop_row *row)
{
	struct line *line = &log->line;

	line_reset(line);
	if (row->count)
		line_printf(line, "{\"event\":\"summary-count\",\"name\":\"stops: %s\",\"count\":%llu",
			    row->name, (unsigned long long)row->count);
	else
		line_printf(line, "{\"event\":\"summary-time\",\"name\":\"%s\"", row->name);
	if (row->ns)
		put_number(line, "total_ns", row->ns);
	line_puts(line, "}");
	line_end(line);
	output_line(&log->output, line);
}

static void put_summary_stops(struct log *log)
{
	struct log_stops stops;

	stops_take(log, &stops);
	for (unsigned int i = 0; i < stops.n; i++)
		if (stops.row[i].count || stops.row[i].ns)
			put_summary_stop(log, &stops.row[i]);
	if (stops.gates)
		put_summary_count(log, "stops by gates", stops.gates);
}

static void json_summary(struct log *log)
{
	const struct summary *s = &log->summary;
	char name[SUMMARY_NAME];

	json_begin(log);
	for (unsigned int row = 0; row <= HCALL_ROWS; row++)
		if (s->call[row].calls)
			put_summary_row(log, &s->call[row], "summary-hcall",
					row < HCALL_ROWS ? hcall_table[row].name : "unknown");
	for (unsigned int v = 0; v < 256; v++) {
		const char *known = decode_vector(v);

		snprintf(name, sizeof(name), "%u%s%s", v, known ? " " : "", known ? known : "");
		if (s->trap[v].calls)
			put_summary_row(log, &s->trap[v], "summary-trap", name);
	}
	for (unsigned int irq = 0; irq < 256; irq++) {
		snprintf(name, sizeof(name), "irq %u", irq);
		if (s->irq[irq])
			put_summary_count(log, name, s->irq[irq]);
	}
	put_summary_count(log, "async", s->async);
	put_summary_count(log, "rewrites", s->rewrites);
	put_summary_stops(log);
}

const struct log_format_ops json_format = {
	.begin = json_begin, .event = json_event, .summary = json_summary,
};
