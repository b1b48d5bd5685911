/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the log share among themselves (and with their unit
 * tests).  Nothing outside uml-host/log includes this.
 */
#ifndef LOG_INTERNAL_H
#define LOG_INTERNAL_H

#include <stdatomic.h>
#include <sys/types.h>
#include <time.h>

#include "guest/hcalls.h"
#include "guest/tamper.h"
#include "log/log.h"

/* Bytes of text in a record, even if it claims more than fit. */
static inline size_t event_text_len(const struct guest_event *event)
{
	return event->text_len < EVENT_TEXT ? event->text_len : EVENT_TEXT;
}

/* line.c: one line of output, built in place.  It never overflows: what does
 * not fit is cut off, the newline always fits. */
#define LINE_SIZE 8192u		/* the longest text escaped, a long stack, and room */

enum line_color { LINE_PLAIN, LINE_NAME, LINE_NOTE, LINE_TRAP, LINE_GOOD, LINE_BAD };

struct line {
	size_t len;
	bool color;		/* emit escape sequences */
	char buf[LINE_SIZE];
};

void line_reset(struct line *line);
void line_add(struct line *line, const char *bytes, size_t len);
void line_puts(struct line *line, const char *s);
void line_printf(struct line *line, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void line_color(struct line *line, enum line_color color);
void line_end(struct line *line);		/* adds the newline */

/* How guest text is shown; a control character never goes through. */
enum line_escapes {
	LINE_ESCAPES_WORDS,	/* \n and its like, else \xNN */
	LINE_ESCAPES_HEX,	/* -x: \xNN for whatever is not printable */
	LINE_ESCAPES_ALL,	/* -xx: \xNN for every byte */
};

/* Adds guest bytes with everything but printable ASCII escaped. */
void line_escaped(struct line *line, const uint8_t *text, size_t len);
/* The same in double quotes, at most `limit` bytes of it, "…"... if cut. */
void line_quoted(struct line *line, const uint8_t *text, size_t len, bool more,
		 size_t limit, enum line_escapes escapes);
/* ns as seconds with six digits, cut, not rounded. */
void line_seconds(struct line *line, uint64_t ns);

/* symbols.c: NULL symbols name nothing. */
struct symbols;
/* A file without symbols: NULL if they are optional, else die(). */
struct symbols *symbols_open(const char *path, bool optional);
const char *symbols_find(const struct symbols *s, uint32_t address, uint32_t *offset);
/* Adds "<name+0x12>" to the line, or nothing. */
void symbols_put(const struct symbols *s, struct line *line, uint32_t address);
/* Source file and line, or NULL. */
const char *symbols_source(const struct symbols *s, uint32_t address, int *number);
void symbols_close(struct symbols *s);
/* libdw's view of an ELF file and no other; NULL if it is none. */
struct Dwfl *symbols_dwfl(const char *path);

/* decode.c: values into words, added to the line; nothing where there are none. */
const char *decode_vector(unsigned int vector);	/* "#PF"; NULL if it has no name */
void decode_error(struct line *line, unsigned int vector, uint32_t error);
void decode_ns(struct line *line, uint64_t ns);	/* loses no digit: "3.99925 ms" */
void decode_pte(struct line *line, uint32_t low, uint32_t high);
void decode_selector(struct line *line, uint32_t selector);
void decode_gate(struct line *line, const struct symbols *symbols, uint32_t low,
		 uint32_t high);
void decode_descriptor(struct line *line, uint32_t low, uint32_t high);

/* stack.c */
struct unwinder;
struct unwinder *unwinder_open(const char *elf, unsigned int limit, log_memory_fn *read,
			       void *context);
void unwinder_walk(struct unwinder *unwinder, const struct guest_event *event,
		   struct log_stack *stack);
void unwinder_close(struct unwinder *unwinder);

/* arguments.c: adds "name=value, …" for the arguments of a known call. */
struct argument_style {
	enum log_values values;
	unsigned int string_limit;
	bool no_names;			/* values alone */
	const struct symbols *symbols;
	enum line_escapes escapes;
};
void put_arguments(struct line *line, const struct argument_style *style,
		   const struct hcall_row *row, const struct guest_event *event);

/* filter.c: which events somebody wants. */
struct log_filter {
	/* Bit r: calls of row r, made directly or found in the async ring; bit
	 * HCALL_ROWS: calls of no row. */
	uint32_t calls, async;
	bool traps, irqs;
	bool vector[256];	/* which traps, where traps are shown at all */
	bool hide_done, hide_killed;	/* -Z, -z: by how a call ended */
	bool started;		/* an expression has named calls already */
};

/* What the items of one list add up to. */
struct filter_selection {
	uint32_t calls, async;
	bool traps, irqs;
	bool names_calls;	/* an item was about calls, even if it named none */
	bool clears;		/* "none" */
	bool negated;		/* everything but these */
};
#define FILTER_ALL_CALLS ((1u << (HCALL_ROWS + 1)) - 1)

void filter_init(struct log_filter *filter);	/* every call, nothing else */
void filter_init_all(struct log_filter *filter);
/* `expression` is for messages: what the user wrote, which has the list in it. */
void filter_parse(const char *expression, const char *list, struct filter_selection *set);
void filter_add(struct log_filter *filter, const char *expression, const char *list);
void filter_add_vectors(struct log_filter *filter, const char *expression,
			const char *list);
bool filter_match(const struct log_filter *filter, const struct guest_event *event);

/* qualifier.c: one -e, whatever it is about. */
void qualifier_add(struct log *log, const char *expression);

/* summary.c: counts, and the table of them. */
#define SUMMARY_BUCKETS 608u	/* up to 2^41 ns, 36 minutes */
#define SUMMARY_NAME 24u

struct summary_row {
	uint64_t calls, killed;
	uint64_t ns, min_ns, max_ns;
	uint32_t bucket[SUMMARY_BUCKETS];
};

struct summary {
	struct summary_row call[HCALL_ROWS + 1];	/* the last: unknown calls */
	struct summary_row trap[256];
	uint64_t async, waited_ns;
	uint64_t irq[256];
	uint64_t rewrites;
};

typedef void summary_emit_fn(void *arg, const struct line *line);

void summary_count(struct summary *summary, const struct guest_event *event);
/* ns that `percent` of the row's events did not take longer than. */
uint64_t summary_percentile(const struct summary_row *row, unsigned int percent);
/* Builds the table line by line in log->line and gives each to emit(arg). */
void summary_print(struct log *log, summary_emit_fn *emit, void *arg);

/* stops.c: the table of them, line by line as summary_print() does. */
void stops_print(struct line *line, const struct log_stops *stops, summary_emit_fn *emit,
		 void *arg);
/* log.c: as they are now; none if nobody has said who knows. */
void stops_take(struct log *log, struct log_stops *stops);

/* output.c: where the bytes go. */
#define OUTPUT_SIZE (64u << 10)

struct output {
	int fd;
	bool own_fd;
	bool regular;		/* it never makes anybody wait */
	bool by_line;		/* write after each line */
	bool failed;		/* a write failed; nothing more is written */
	const char *name;	/* for messages */
	pid_t command;		/* of -o '|command', or 0 */
	atomic_bool given_up;	/* do not wait for a reader any more */
	_Atomic uint64_t written;
	size_t len;
	char buf[OUTPUT_SIZE];
};

void output_open(struct output *output, const struct log_options *options);
void output_line(struct output *output, const struct line *line);
void output_flush(struct output *output);
bool output_close(struct output *output);	/* false: something was lost */
void output_last_words(struct output *output);	/* async-signal-safe */

/* writer.c: formatting and writing in another thread. */
struct log_record {
	bool counts, shows;	/* for the summary; for the format */
	struct guest_event event;
	struct log_stack *stack;	/* NULL where none are wanted */
};

struct writer *writer_start(struct log *log);
/* A record to fill in, then to hand over.  NULL: the log is given up. */
struct log_record *writer_begin(struct writer *writer);
void writer_commit(struct writer *writer);
void writer_request_summary(struct writer *writer);	/* async-signal-safe */
uint64_t writer_waits(const struct writer *writer);	/* so far; for tests */
void writer_stop(struct writer *writer);		/* everything is written */

/* log.c: counts and shows one event. */
void log_process(struct log *log, const struct log_record *record);

/* A format turns events into lines.  The table of formats is in log.c. */
struct log_format_ops {
	void (*begin)(struct log *log);		/* may be NULL */
	void (*event)(struct log *log, const struct guest_event *event);
	void (*finish)(struct log *log);	/* may be NULL */
	/* -c: the summary in place of events; NULL: the table for people. */
	void (*summary)(struct log *log);
};
extern const struct log_format_ops text_format;		/* text.c */
extern const struct log_format_ops json_format;		/* json.c */
extern const struct log_format_ops chrome_format;	/* chrome.c */

/* json.c: words of the schema, for read.c and chrome.c. */
#define NR_JSON_CAUSES (CAUSE_ASYNC + 1)
#define NR_JSON_ENDS (END_KILLED + 1)
extern const char *const json_event_name[NR_EVENT_KINDS];
extern const char *const json_cause_name[NR_JSON_CAUSES];
extern const char *const json_end_name[NR_JSON_ENDS];
extern const char *const json_reg_name[8];
/* ,"key":"text"; ,"args":{"pgdir":"0x1000",…} */
void json_text(struct line *line, const char *key, const uint8_t *text, size_t len);
void json_arguments(struct line *line, const struct guest_event *event);

struct log {
	struct log_options opt;		/* trace is not kept */
	const struct log_format_ops *format;
	struct argument_style style;
	uint8_t values[HCALL_ROWS + 1];	/* enum log_values, by row */
	bool hide_rewrite, hide_exit, hide_wait;	/* -q, -e quiet= */
	bool plain;			/* no -e says what to show */
	uint64_t left;			/* --limit: events still to be shown */
	const char *arrow;		/* → or -> */
	struct log_filter filter;	/* what is shown */
	struct log_filter counted;	/* what the summary counts */

	/* Events carry CLOCK_MONOTONIC; -t shows the wall clock of log_open(). */
	int64_t wall_offset_ns;
	char engine[LOG_WORD], isolation[LOG_WORD];	/* see struct log_header */
	bool told_isolation;		/* text: its note is printed */
	uint64_t origin_ns;		/* --clock=guest: its first instruction */
	uint32_t last_depth, last_pages;/* the counters of --format=chrome */
	uint64_t last_ns;		/* -r: the time of the line before */
	time_t clock_second;		/* the second clock_text stands for */
	char clock_text[16];

	log_stops_fn *_Atomic take_stops;	/* NULL: they are in kept_stops */
	const void *stops_context;
	struct log_stops kept_stops;

	struct symbols *symbols;
	struct unwinder *unwinder;
	struct log_stack own_stack;	/* of a record that is not in a ring */
	const struct log_stack *stack;	/* of the event being shown, or NULL */
	struct writer *writer;		/* NULL: everything in the caller's thread */
	uint64_t next_stats_ns;		/* --stats-every */
	atomic_bool paused;		/* log_pause() */

	struct line note;		/* the vCPU thread's, for log_note() */
	struct line line;
	struct summary summary;
	struct output output;
};

#endif
