/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The qualifiers of -e besides trace=: how chosen calls are shown, which notes
 * are left out, which outcomes count.  Each is a row of the table below.
 *
 *	trace=SET, t=SET	what is shown; see filter.c
 *	trap=SET		traps, by number or name: 14,#PF,syscall
 *	raw=SET			these calls as with -X raw
 *	verbose=SET		these as with -X verbose
 *	abbrev=SET		these as with -X abbrev
 *	quiet=SET		rewrite, exit, wait; all, none
 *	status=SET		done, killed; all, none
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/die.h"
#include "log/internal.h"

/* Asked about all rows, `none` resets to what the other options say. */
static void show_as(struct log *log, const char *expression, const char *list,
		    enum log_values values)
{
	struct filter_selection set;
	uint32_t rows;

	filter_parse(expression, list, &set);
	if (set.traps != set.irqs || (set.traps && set.calls != FILTER_ALL_CALLS))
		usage_error("-e %s: traps and interrupts have one form only", expression);
	rows = (set.calls | set.async) ^ (set.negated ? FILTER_ALL_CALLS : 0);
	for (unsigned int row = 0; row <= HCALL_ROWS; row++) {
		if (rows >> row & 1)
			log->values[row] = (uint8_t)values;
		else if (set.clears && log->values[row] == values)
			log->values[row] = (uint8_t)log->opt.values;
	}
}

static void add_raw(struct log *log, const char *expression, const char *list)
{
	show_as(log, expression, list, LOG_VALUES_RAW);
}

static void add_verbose(struct log *log, const char *expression, const char *list)
{
	show_as(log, expression, list, LOG_VALUES_VERBOSE);
}

static void add_abbrev(struct log *log, const char *expression, const char *list)
{
	show_as(log, expression, list, LOG_VALUES_ABBREV);
}

/* Which of `words` a list names; bit i: words[i]. */
static uint32_t named_words(const char *expression, const char *list,
			    const char *const *words, unsigned int n)
{
	bool negated = list[0] == '!';
	uint32_t named = 0, all = (1u << n) - 1;
	const char *at = negated ? list + 1 : list;

	for (;;) {
		size_t len = strcspn(at, ",");
		unsigned int i = 0;

		while (i < n && (strlen(words[i]) != len || strncasecmp(at, words[i], len)))
			i++;
		if (i < n)
			named |= 1u << i;
		else if (len == 3 && !strncasecmp(at, "all", len))
			named |= all;
		else if (len != 4 || strncasecmp(at, "none", len))
			usage_error("-e %s: '%.*s' is none of %s, %s%s%s, all or none",
				    expression, (int)len, at, words[0], words[1],
				    n > 2 ? ", " : "", n > 2 ? words[2] : "");
		if (!at[len])
			break;
		at += len + 1;
	}
	return negated ? named ^ all : named;
}

static void add_quiet(struct log *log, const char *expression, const char *list)
{
	static const char *const words[] = { "rewrite", "exit", "wait" };
	uint32_t named = named_words(expression, list, words, 3);

	log->hide_rewrite = named & 1;
	log->hide_exit = named & 2;
	log->hide_wait = named & 4;
}

static void add_status(struct log *log, const char *expression, const char *list)
{
	static const char *const words[] = { "done", "killed" };
	uint32_t named = named_words(expression, list, words, 2);

	log->filter.hide_done = !(named & 1);
	log->filter.hide_killed = !(named & 2);
}

static void add_trace(struct log *log, const char *expression, const char *list)
{
	log->plain = false;
	filter_add(&log->filter, expression, list);
}

static void add_trap(struct log *log, const char *expression, const char *list)
{
	log->plain = false;
	filter_add_vectors(&log->filter, expression, list);
}

void qualifier_add(struct log *log, const char *expression)
{
	static const struct {
		const char *name;
		void (*add)(struct log *log, const char *expression, const char *list);
	} qualifier[] = {
		{ "trace", add_trace }, { "t", add_trace }, { "trap", add_trap },
		{ "raw", add_raw }, { "x", add_raw }, { "verbose", add_verbose },
		{ "v", add_verbose }, { "abbrev", add_abbrev }, { "a", add_abbrev },
		{ "quiet", add_quiet }, { "q", add_quiet }, { "status", add_status },
	};
	size_t word = 0;

	while (isalpha((unsigned char)expression[word]))
		word++;
	if (expression[word] != '=') {
		add_trace(log, expression, expression);
		return;
	}
	for (size_t i = 0; i < sizeof(qualifier) / sizeof(qualifier[0]); i++) {
		if (strlen(qualifier[i].name) != word ||
		    strncmp(expression, qualifier[i].name, word))
			continue;
		qualifier[i].add(log, expression, expression + word + 1);
		return;
	}
	if (word == 6 && !strncmp(expression, "inject", word))
		usage_error("-e %s: write --inject=%s", expression, expression + word + 1);
	usage_error("-e %s: unknown; there is trace=, trap=, raw=, verbose=, abbrev=, quiet= "
		    "and status=", expression);
}
