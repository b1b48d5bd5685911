/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log: every hypercall, trap and interrupt of a guest, in strace's manner.
 * This header is the map of the room; its files share internal.h.
 *
 * The log reads struct guest_event records and the hypercall table and nothing
 * else.  It never looks at guest memory but for the stacks of -k, never changes
 * guest state, allocates nothing after log_open() (libdw may) and never lets a control character of the guest
 * through to the terminal.  One thread hands it events; with
 * log_options.background another one formats and writes them.
 *
 *	log.c		open, dispatch to a format, close; what the log wants
 *	text.c		the text format: one event, one line
 *	json.c		JSON Lines, one event, one line
 *	read.c		JSON Lines back into events
 *	chrome.c	slices and counters for Perfetto
 *	arguments.c	the arguments of a call, by their kind in the table
 *	decode.c	flags, gates, descriptors, error codes: values into words
 *	symbols.c	names and source lines for guest addresses
 *	stack.c		-k: the guest's stack
 *	filter.c	-e trace=…, -e trap=…
 *	inject.c	--inject
 *	qualifier.c	every other -e
 *	summary.c	-c, -C, -S
 *	stops.c		why the guest stopped, and for how long
 *	writer.c	the thread and the ring between it and the guest
 *	output.c	-o, -A, standard error; the buffer
 *	line.c		a line being built: escapes, colours
 */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "guest/event.h"

/* X(ID, "name"): --format=name. */
#define LOG_FORMAT_LIST(X)	\
	X(TEXT, "text")		\
	X(JSON, "json")		\
	X(CHROME, "chrome")

/* X(ID, "name"): the keys of -S. */
#define LOG_SORT_LIST(X)	\
	X(TIME, "time")		\
	X(MIN, "min-time")	\
	X(MAX, "max-time")	\
	X(AVG, "avg-time")	\
	X(MEDIAN, "median-time")\
	X(P99, "p99-time")	\
	X(CALLS, "calls")	\
	X(KILLED, "killed")	\
	X(NAME, "name")		\
	X(NOTHING, "nothing")

/* X(ID, "name", "heading", width): the columns of -U. */
#define LOG_COLUMN_LIST(X)				\
	X(SHARE, "time", "% time", 6)			\
	X(TIME, "total-time", "seconds", 10)		\
	X(MIN, "min-time", "min us", 8)			\
	X(MEDIAN, "median-time", "median", 8)		\
	X(P99, "p99-time", "p99", 8)			\
	X(MAX, "max-time", "max us", 9)			\
	X(AVG, "avg-time", "us/call", 8)		\
	X(CALLS, "calls", "calls", 9)			\
	X(KILLED, "killed", "killed", 6)		\
	X(NAME, "name", "name", 15)

#define LOG_ENUM_(id, name) LOG_FORMAT_##id,
enum log_format { LOG_FORMAT_LIST(LOG_ENUM_) NR_LOG_FORMATS };
#undef LOG_ENUM_
#define LOG_ENUM_(id, name) LOG_SORT_##id,
enum log_sort { LOG_SORT_LIST(LOG_ENUM_) NR_LOG_SORTS };
#undef LOG_ENUM_

#define LOG_ENUM_(id, name, head, width) LOG_COLUMN_##id,
enum log_column { LOG_COLUMN_LIST(LOG_ENUM_) NR_LOG_COLUMNS };
#undef LOG_ENUM_

enum log_stamp {
	LOG_STAMP_NONE,
	LOG_STAMP_SECOND,	/* -t: 12:34:56 */
	LOG_STAMP_MICRO,	/* -tt: 12:34:56.123456 */
	LOG_STAMP_EPOCH,	/* -ttt: 1236000000.123456 */
	LOG_STAMP_RELATIVE,	/* -r: seconds since the line before */
};

enum log_values {
	LOG_VALUES_ABBREV,	/* words where they say it better: delta=4 ms */
	LOG_VALUES_RAW,		/* -X raw: the argument words as the guest gave them */
	LOG_VALUES_VERBOSE,	/* -X verbose: both: delta=4000000<4 ms> */
};

enum log_outcome {
	LOG_OUTCOME_ANY,
	LOG_OUTCOME_DONE,	/* -z: calls that were done */
	LOG_OUTCOME_KILLED,	/* -Z: calls that killed the guest */
};

enum log_summary_mode {
	LOG_SUMMARY_NONE,
	LOG_SUMMARY_ONLY,	/* -c: the table instead of lines */
	LOG_SUMMARY_BOTH,	/* -C: lines, then the table */
};

enum log_color {
	LOG_COLOR_AUTO,		/* on a terminal, unless NO_COLOR is set or TERM=dumb */
	LOG_COLOR_ALWAYS,
	LOG_COLOR_NEVER,
};

/* Only our own arrows depend on it; guest bytes beyond ASCII are always \xNN. */
enum log_charset {
	LOG_CHARSET_LOCALE,	/* UTF-8 if the user's LC_CTYPE says so */
	LOG_CHARSET_ASCII,	/* -> */
	LOG_CHARSET_UTF8,	/* → */
};

#define LOG_STACK_MAX 256u
#define LOG_STACK_LIMIT 64u	/* the default of --stack-limit */
#define LOG_STRING_LIMIT 32	/* the default of -s, as in strace */

struct log_options {
	/* Every -e, in the order given: "trace=%memory", "%memory", "!TS", …
	 * None: lines for hypercalls, and a summary counts traps and IRQs too. */
	const char *const *trace;
	size_t nr_trace;

	const char *path;	/* -o FILE or '|command'; NULL: write to fd */
	int fd;			/* used if path is NULL; stays open */
	bool append;		/* -A: keep what is in FILE */

	const char *engine, *isolation;	/* words of the header; NULL: not known */
	bool foreign;		/* of another time: log_begin_as() says which */
	bool background;	/* format and write in another thread */
	uint64_t stats_every_ns;/* --stats-every: a summary each time, 0: none */

	enum log_format format;
	enum log_stamp stamp;
	enum log_values values;
	enum log_summary_mode summary;
	enum log_sort sort;
	uint8_t columns[NR_LOG_COLUMNS];/* -U: enum log_column; none: the usual */
	unsigned int nr_columns;

	enum log_color color;
	enum log_charset charset;

	bool guest_clock;	/* -t counts from the guest's first instruction */
	bool show_time;		/* -T: how long the call took, <seconds> */
	bool show_eip;		/* -i: [EIP] */
	bool show_nr;		/* -n: [call number] */
	const char *symbols;	/* --symbols: an ELF file or a System.map */
	bool symbols_optional;	/* nobody asked for those in particular */
	unsigned int stack_limit;	/* -k: frames, at most LOG_STACK_MAX; 0: none */
	bool verbose;		/* -v: rewrites and emulated sites, cpl of traps */
	bool no_names;		/* values of arguments without their names */
	unsigned int hex;	/* -x, -xx: see enum line_escapes */
	enum log_outcome outcome;
	uint64_t limit;		/* --limit: show so many events, 0: all */
	/* -q: no rewrite notes; -qq: no +++ lines either; -qqq: no warning that
	 * the log held up the guest. */
	unsigned int quiet;
	unsigned int string_limit;	/* -s: bytes of guest text shown in arguments */
};

/* What an option not given means: text on standard error, hypercalls only. */
#define LOG_OPTIONS_INIT { .fd = 2, .string_limit = LOG_STRING_LIMIT }

/*
 * What somebody will look at, so that nobody makes events for nothing: plain
 * words that can be copied into guest state.  The log sorts out the rest.
 */
struct log_wants {
	uint32_t rows;		/* bit r: row r of hcall_table; bit HCALL_ROWS: unknown calls */
	uint32_t kinds;		/* bit k: enum event_kind k */
	bool times;		/* start_ns, end_ns or wait_ns are used */
};

struct log;

/* The first line of JSON Lines. */
#define LOG_JSON_VERSION 1
#define LOG_WORD 16u
struct log_header {
	int version;
	int64_t realtime_offset_ns;	/* wall clock less CLOCK_MONOTONIC */
	/* What the guest ran on: words of small letters, "" if not known. */
	char engine[LOG_WORD], isolation[LOG_WORD];
};

/* Opens a log.  Wrong filter: usage_error(); output not writable: die(). */
struct log *log_open(const struct log_options *options);

/*
 * Takes one event: filters, counts, prints.  Reads the record only.  False: it
 * wants no more of them but the last; ask log_wants() again.
 *
 * A hypercall with end == END_KILLED carries the reason in `text`, whatever its
 * arguments are.  A hypercall with cause CAUSE_REWRITTEN is the first one made
 * from a site that was rewritten while it ran; EVENT_REWRITE is sent for every
 * site, and that is what the summary counts.
 */
bool log_event(struct log *log, const struct guest_event *event);

/* Where the events came from, innermost first. */
struct log_stack {
	unsigned int n;
	uint32_t frame[LOG_STACK_MAX];
};

/* The same for an event whose stack is known already, or NULL. */
bool log_event_with_stack(struct log *log, const struct guest_event *event,
			  const struct log_stack *stack);

/* Reads guest memory at a linear address as the guest sees it now: at most len
 * bytes, returns how many.  For -k; called within log_event(). */
typedef size_t log_memory_fn(void *context, uint32_t address, void *to, size_t len);
void log_set_memory(struct log *log, log_memory_fn *read, void *context);

/* Notes beside an event, shown where the log is verbose: text of the caller's,
 * an entry of the GDT, a gate of the IDT.  At most EVENT_TEXT bytes. */
void log_note(struct log *log, uint64_t ns, const char *text);
void log_note_descriptor(struct log *log, uint64_t ns, unsigned int index, uint64_t entry);
void log_note_gate(struct log *log, uint64_t ns, unsigned int vector, uint64_t gate);

/* See struct log_wants.  A NULL log wants nothing. */
struct log_wants log_wants(const struct log *log);

/* Why the guest stopped and where its time went, as somebody else has counted it. */
#define LOG_STOP_ROWS 16u
struct log_stops {
	unsigned int n;
	struct log_stop_row {
		const char *name;
		uint64_t count;		/* 0: no cause of stops, time alone */
		uint64_t ns;		/* all 0: nobody has measured */
	} row[LOG_STOP_ROWS];
	uint64_t gates;			/* of the stops: a jump, no trap */
};

/* Who knows them; the summary asks at its end, on any thread.  log_keep_stops(): they
 * will not be there any more, the values of now stay. */
typedef void log_stops_fn(const void *context, struct log_stops *stops);
void log_set_stops(struct log *log, log_stops_fn *take, const void *context);
void log_keep_stops(struct log *log);
void log_print_stops(FILE *to, const struct log_stops *stops);

/* Writes the table of -c to the log's output, whether or not it was asked for.
 * Not for a background log. */
void log_summary(struct log *log);

/* The same soon, by the thread of a background log.  Async-signal-safe.  Only
 * events that the options wanted counted are in it. */
void log_request_summary(struct log *log);

/* Stops or goes on with a log; log_wants() changes.  Any thread may do it. */
void log_pause(struct log *log, bool paused);
bool log_is_paused(const struct log *log);

/* From now on a reader that does not read is not waited for.  Any thread. */
void log_give_up(struct log *log);

/* Writes out what is buffered.  Also done by every way out through die.h.  Not
 * for a background log, which does it by itself. */
void log_flush(struct log *log);

/* Prints the summary if it was asked for, flushes, frees.  Returns false if
 * some of the log could not be written; the user has been warned by then. */
bool log_close(struct log *log);

/*
 * Reads one line of JSON: the header into `header`, which must be zero before
 * the first line, or an event and its stack.  event->kind is NR_EVENT_KINDS for the header.
 * False, and why: it is neither.
 */
#define LOG_READ_ERROR 128
bool log_read(const char *text, size_t len, struct log_header *header,
	      struct guest_event *event, struct log_stack *stack,
	      char error[LOG_READ_ERROR]);
/* For log_options.foreign: the log of that header begins. */
void log_begin_as(struct log *log, const struct log_header *header);

/* Adds what one --inject says; see inject.c.  Wrong: usage_error(). */
struct tamper;
void log_inject_parse(struct tamper *tamper, const char *expression);

/* Words of the command line; an unknown one is a usage_error(). */
enum log_format log_format_parse(const char *name);
enum log_sort log_sort_parse(const char *name);
/* A list with commas between, for -U. */
void log_columns_parse(struct log_options *options, const char *list);

#endif
