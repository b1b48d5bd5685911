/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log from outside: opened, fed one event at a time, closed.
 *
 * What an event looks like is the format's business, whether it is wanted the
 * filter's, where it goes the output's.  All memory is taken in log_open().
 */
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "log/internal.h"

_Static_assert(HCALL_ROWS < 31, "rows fit a 32-bit mask, the unknown call included");

#define LOG_NAME_(id, name) [LOG_FORMAT_##id] = name,
static const char *const format_name[] = { LOG_FORMAT_LIST(LOG_NAME_) };
#undef LOG_NAME_
#define LOG_NAME_(id, name) [LOG_SORT_##id] = name,
static const char *const sort_name[] = { LOG_SORT_LIST(LOG_NAME_) };
#undef LOG_NAME_

static const struct log_format_ops *const format_ops[NR_LOG_FORMATS] = {
	[LOG_FORMAT_TEXT] = &text_format,
	[LOG_FORMAT_JSON] = &json_format,
	[LOG_FORMAT_CHROME] = &chrome_format,
};

enum log_format log_format_parse(const char *name)
{
	for (unsigned int i = 0; i < NR_LOG_FORMATS; i++)
		if (!strcmp(name, format_name[i]))
			return (enum log_format)i;
#define LOG_NAME_(id, word) " " word
	usage_error("--format=%s: no such format; there is:" LOG_FORMAT_LIST(LOG_NAME_), name);
#undef LOG_NAME_
}

/* strace's words for what is called otherwise here, by list. */
static const char *own_word(const char *word, bool column)
{
	static const char *const other[][3] = {
		{ "count", "calls", "calls" }, { "error", "killed", "killed" },
		{ "errors", "killed", "killed" }, { "time-percent", "time", "time" },
		{ "time_percent", "time", "time" }, { "time_total", "time", "total-time" },
		{ "total_time", "time", "total-time" }, { "total-time", "time", "total-time" },
		{ "syscall", "name", "name" }, { "none", "nothing", "none" },
		{ "shortest", "min-time", "min-time" }, { "longest", "max-time", "max-time" },
		{ "p50-time", "median-time", "median-time" },
	};

	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		if (!strcmp(word, other[i][0]))
			return other[i][column ? 2 : 1];
	return word;
}

enum log_sort log_sort_parse(const char *name)
{
	const char *word = own_word(name, false);

	for (unsigned int i = 0; i < NR_LOG_SORTS; i++)
		if (!strcmp(word, sort_name[i]))
			return (enum log_sort)i;
#define LOG_NAME_(id, key) " " key
	usage_error("-S %s: cannot sort by that; one of:" LOG_SORT_LIST(LOG_NAME_), name);
#undef LOG_NAME_
}

void log_columns_parse(struct log_options *options, const char *list)
{
#define LOG_NAME_(id, name, head, width) [LOG_COLUMN_##id] = name,
	static const char *const name[] = { LOG_COLUMN_LIST(LOG_NAME_) };
#undef LOG_NAME_
	char word[32];

	options->nr_columns = 0;
	for (;; list++) {
		size_t len = strcspn(list, ",");
		unsigned int id = 0;

		snprintf(word, sizeof(word), "%.*s", (int)len, list);
		while (id < NR_LOG_COLUMNS && strcmp(own_word(word, true), name[id]))
			id++;
#define LOG_NAME_(i, key, head, width) " " key
		if (id == NR_LOG_COLUMNS)
			usage_error("-U %s: no such column; there is:" LOG_COLUMN_LIST(LOG_NAME_),
				    word);
#undef LOG_NAME_
		for (unsigned int i = 0; i < options->nr_columns; i++)
			if (options->columns[i] == id)
				usage_error("-U: the column %s is there twice", word);
		options->columns[options->nr_columns++] = (uint8_t)id;
		list += len;
		if (!*list)
			break;
	}
}

static bool wants_color(enum log_color color, int fd)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (color != LOG_COLOR_AUTO)
		return color == LOG_COLOR_ALWAYS;
	return !(no_color && *no_color) && !(term && !strcmp(term, "dumb")) && isatty(fd);
}

/* Asks the locale of the environment without making it that of the program:
 * nothing here wants decimal commas. */
static bool wants_utf8(enum log_charset charset)
{
	bool utf8 = false;
	locale_t locale;

	if (charset != LOG_CHARSET_LOCALE)
		return charset == LOG_CHARSET_UTF8;
	locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	if (locale) {
		utf8 = !strcmp(nl_langinfo_l(CODESET, locale), "UTF-8");
		freelocale(locale);
	}
	return utf8;
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static bool wants_table(const struct log_options *o)
{
	return o->summary != LOG_SUMMARY_NONE || o->stats_every_ns;
}

static void begin(struct log *log)
{
	if (log->format->begin && log->opt.summary != LOG_SUMMARY_ONLY)
		log->format->begin(log);
}

void log_begin_as(struct log *log, const struct log_header *header)
{
	log->wall_offset_ns = header->realtime_offset_ns;
	memcpy(log->engine, header->engine, sizeof(log->engine));
	memcpy(log->isolation, header->isolation, sizeof(log->isolation));
	begin(log);
}

struct log *log_open(const struct log_options *options)
{
	struct log *log = calloc(1, sizeof(*log));

	if (!log)
		die("no memory for the log");
	log->opt = *options;
	log->opt.trace = NULL;
	log->opt.nr_trace = 0;
	filter_init(&log->filter);
	log->plain = true;
	memset(log->values, options->values, sizeof(log->values));
	log->hide_rewrite = options->quiet > 0;
	log->hide_exit = options->quiet > 1;
	log->hide_wait = options->quiet > 2;
	log->left = options->limit ? options->limit : UINT64_MAX;
	for (size_t i = 0; i < options->nr_trace; i++)
		qualifier_add(log, options->trace[i]);
	log->filter.hide_killed |= options->outcome == LOG_OUTCOME_DONE;
	log->filter.hide_done |= options->outcome == LOG_OUTCOME_KILLED;
	/* A table has room for what would be noise in lines; one that nobody has
	 * ordered yet must not make the guest slower. */
	log->counted = log->filter;
	if (log->plain && wants_table(options))
		filter_init_all(&log->counted);

	output_open(&log->output, options);
	log->line.color = wants_color(options->color, log->output.fd);
	log->arrow = wants_utf8(options->charset) ? "→" : "->";
	if (options->symbols)
		log->symbols = symbols_open(options->symbols, options->symbols_optional);
	log->style.symbols = log->symbols;
	log->style.no_names = options->no_names;
	log->style.escapes = options->hex > 1 ? LINE_ESCAPES_ALL :
			     options->hex ? LINE_ESCAPES_HEX : LINE_ESCAPES_WORDS;
	log->style.string_limit = options->string_limit;

	tzset();	/* reads and allocates now, not in the first localtime_r() */
	log->wall_offset_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
	log->clock_second = -1;

	snprintf(log->engine, sizeof(log->engine), "%s", options->engine ? options->engine : "");
	snprintf(log->isolation, sizeof(log->isolation), "%s",
		 options->isolation ? options->isolation : "");
	log->format = format_ops[options->format];
	if (!options->foreign)
		begin(log);
	if (options->stats_every_ns)
		log->next_stats_ns = (uint64_t)clock_ns(CLOCK_MONOTONIC) + options->stats_every_ns;
	if (options->background)
		log->writer = writer_start(log);
	return log;
}

/* A summary may be asked for at any moment. */
static bool counts_anything(const struct log *log)
{
	return wants_table(&log->opt) || log->opt.background;
}

void log_process(struct log *log, const struct log_record *record)
{
	if (record->counts)
		summary_count(&log->summary, &record->event);
	if (!record->shows)
		return;
	log->stack = record->stack && record->stack->n ? record->stack : NULL;
	log->format->event(log, &record->event);
}

/* Whoever put a call into the ring is long gone from there. */
static bool has_stack(const struct guest_event *e)
{
	return (e->kind == EVENT_HCALL && e->cause != CAUSE_ASYNC) || e->kind == EVENT_TRAP ||
	       e->kind == EVENT_IRQ;
}

static void fill_stack(struct log *log, struct log_record *record,
		       const struct log_stack *known)
{
	if (!record->stack)
		return;
	record->stack->n = 0;
	if (!record->shows)
		return;
	if (known) {
		record->stack->n = known->n < log->opt.stack_limit ? known->n : log->opt.stack_limit;
		memcpy(record->stack->frame, known->frame,
		       record->stack->n * sizeof(known->frame[0]));
	} else if (log->unwinder && has_stack(&record->event)) {
		unwinder_walk(log->unwinder, &record->event, record->stack);
	}
}

static void hand_over(struct log *log, bool counts, bool shows,
		      const struct guest_event *event, const struct log_stack *stack)
{
	struct log_record own, *record = &own;

	own.stack = log->opt.stack_limit ? &log->own_stack : NULL;
	if (log->writer)
		record = writer_begin(log->writer);
	if (!record)
		return;
	record->counts = counts;
	record->shows = shows;
	record->event = *event;
	fill_stack(log, record, stack);
	if (log->writer)
		writer_commit(log->writer);
	else
		log_process(log, record);
}

/*
 * Tour 190: The log hears of it last and may look at nothing but the record it is
 * given: what it prints is what was checked and done, not what the guest has
 * put there since.
 */
bool log_event_with_stack(struct log *log, const struct guest_event *event,
			  const struct log_stack *stack)
{
	bool counts = counts_anything(log) && filter_match(&log->counted, event);
	bool shows = log->opt.summary != LOG_SUMMARY_ONLY && filter_match(&log->filter, event);

	/* The end of the guest is always told. */
	if (log_is_paused(log))
		return true;
	if (!log->left && event->kind != EVENT_END)
		return false;
	if (counts || shows)
		hand_over(log, counts, shows, event, stack);
	if ((counts || shows) && event->kind <= EVENT_IRQ)
		log->left--;
	return log->left > 0;
}

bool log_event(struct log *log, const struct guest_event *event)
{
	return log_event_with_stack(log, event, NULL);
}

static void put_note(struct log *log, uint64_t ns)
{
	struct guest_event e = { .kind = EVENT_NOTE, .start_ns = ns, .cpl = 1 };

	e.text_len = (uint8_t)(log->note.len < EVENT_TEXT ? log->note.len : EVENT_TEXT);
	e.text_more = log->note.len > EVENT_TEXT;
	memcpy(e.text, log->note.buf, e.text_len);
	log_event(log, &e);
}

void log_note(struct log *log, uint64_t ns, const char *text)
{
	line_reset(&log->note);
	line_puts(&log->note, text);
	put_note(log, ns);
}

void log_note_descriptor(struct log *log, uint64_t ns, unsigned int index, uint64_t entry)
{
	line_reset(&log->note);
	line_printf(&log->note, "gdt 0x%x: ", index * 8);
	decode_descriptor(&log->note, (uint32_t)entry, (uint32_t)(entry >> 32));
	put_note(log, ns);
}

void log_note_gate(struct log *log, uint64_t ns, unsigned int vector, uint64_t gate)
{
	const char *name = decode_vector(vector);

	line_reset(&log->note);
	line_printf(&log->note, vector < 32 ? "idt %u%s%s: " : "idt 0x%x%s%s: ", vector,
		    name ? " " : "", name ? name : "");
	decode_gate(&log->note, log->symbols, (uint32_t)gate, (uint32_t)(gate >> 32));
	put_note(log, ns);
}

void log_set_memory(struct log *log, log_memory_fn *read, void *context)
{
	if (log->opt.stack_limit)
		log->unwinder = unwinder_open(log->opt.symbols, log->opt.stack_limit, read, context);
}

struct log_wants log_wants(const struct log *log)
{
	const struct log_filter *filter;
	struct log_wants wants = { 0 };

	if (!log)
		return wants;
	wants.kinds = 1u << EVENT_START | 1u << EVENT_END;
	if (!log->left || log_is_paused(log))
		return wants;
	/* counted is never less than filter. */
	filter = counts_anything(log) ? &log->counted : &log->filter;
	wants.rows = filter->calls | filter->async;
	/* How long an async call waited is shown whenever it is known. */
	wants.times = log->opt.show_time || log->opt.stamp != LOG_STAMP_NONE ||
		      counts_anything(log) || filter->async;
	if (wants.rows)
		wants.kinds |= 1u << EVENT_HCALL;
	if (filter->traps)
		wants.kinds |= 1u << EVENT_TRAP;
	if (filter->irqs)
		wants.kinds |= 1u << EVENT_IRQ;
	if (log->opt.verbose || wants_table(&log->opt))
		wants.kinds |= 1u << EVENT_REWRITE;
	return wants;
}

static void emit_line(void *arg, const struct line *line)
{
	struct log *log = arg;

	/* A table would break what a program is to read. */
	if (log->opt.format == LOG_FORMAT_TEXT)
		output_line(&log->output, line);
	else if (write(STDERR_FILENO, line->buf, line->len) < 0)
		return;
}

void log_summary(struct log *log)
{
	summary_print(log, emit_line, log);
}

void log_request_summary(struct log *log)
{
	if (log->writer)
		writer_request_summary(log->writer);
}

void log_pause(struct log *log, bool paused)
{
	atomic_store(&log->paused, paused);
}

bool log_is_paused(const struct log *log)
{
	return atomic_load_explicit(&log->paused, memory_order_relaxed);
}

void log_give_up(struct log *log)
{
	atomic_store(&log->output.given_up, true);
}

void log_set_stops(struct log *log, log_stops_fn *take, const void *context)
{
	log->stops_context = context;
	atomic_store(&log->take_stops, take);
}

void stops_take(struct log *log, struct log_stops *stops)
{
	log_stops_fn *take = atomic_load(&log->take_stops);

	if (take)
		take(log->stops_context, stops);
	else
		*stops = log->kept_stops;
}

void log_keep_stops(struct log *log)
{
	stops_take(log, &log->kept_stops);
	atomic_store(&log->take_stops, NULL);
}

void log_flush(struct log *log)
{
	output_flush(&log->output);
}

bool log_close(struct log *log)
{
	bool whole;

	if (log->writer)
		writer_stop(log->writer);
	if (log->format->finish && log->opt.summary != LOG_SUMMARY_ONLY)
		log->format->finish(log);
	if (log->opt.summary == LOG_SUMMARY_ONLY && log->format->summary)
		log->format->summary(log);
	else if (log->opt.summary != LOG_SUMMARY_NONE)
		log_summary(log);
	whole = output_close(&log->output);
	unwinder_close(log->unwinder);
	symbols_close(log->symbols);
	free(log);
	return whole;
}
