/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which events the log shows: -e trace=SET.
 *
 *	SET	[!]ITEM[,ITEM]…		! : everything but these
 *	ITEM	SET_PTE, LHCALL_SET_PTE, set_pte, 14
 *		%memory …		a class of the hypercall table
 *		%async			calls found in the async ring, whatever they are
 *		%trap, %irq		traps; virtual interrupts
 *		/REGEX			POSIX extended, against names; no comma in it
 *		all, none		everything there is; nothing
 *		?ITEM			may be unknown
 *
 * Without any expression every call is shown, and no trap.  Several expressions
 * apply in their order.  The first that names calls replaces that default, later
 * ones add; those with ! take away.  Traps and interrupts only ever add to the
 * calls: `-e trace=%trap` shows both, `-e trace=none,%trap` traps alone.
 *
 * `-e trap=SET` chooses among the traps.  The rest of -e is in qualifier.c.
 *
 * It becomes two bit masks over the rows of the hypercall table, so that the
 * guest layer can ask what is wanted without asking the log.
 */
#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/die.h"
#include "log/internal.h"

#define PREFIX "LHCALL_"

void filter_init(struct log_filter *filter)
{
	*filter = (struct log_filter) {
		.calls = FILTER_ALL_CALLS,
		.async = FILTER_ALL_CALLS,
	};
	memset(filter->vector, true, sizeof(filter->vector));
}

void filter_init_all(struct log_filter *filter)
{
	filter_init(filter);
	filter->traps = filter->irqs = true;
}

static const char *without_prefix(const char *name)
{
	return strncasecmp(name, PREFIX, strlen(PREFIX)) ? name : name + strlen(PREFIX);
}

/* Rows of that name: one name may stand for several calls, as SET_PMD does. */
static uint32_t rows_named(const char *name)
{
	uint32_t rows = 0;

	name = without_prefix(name);
	for (unsigned int i = 0; i < HCALL_ROWS; i++)
		if (hcall_table[i].name && !strcasecmp(hcall_table[i].name, name))
			rows |= 1u << i;
	return rows;
}

static uint32_t rows_numbered(const char *digits)
{
	uint32_t rows = 0;
	unsigned long nr;
	char *end;

	if (!isdigit((unsigned char)digits[0]))
		return 0;
	nr = strtoul(digits, &end, 0);
	if (*end)
		return 0;
	for (unsigned int i = 0; i < HCALL_ROWS; i++)
		if (hcall_table[i].name && hcall_table[i].nr == nr)
			rows |= 1u << i;
	return rows;
}

static uint32_t rows_of_class(unsigned int class)
{
	uint32_t rows = 0;

	for (unsigned int i = 0; i < HCALL_ROWS; i++)
		if (hcall_table[i].name && hcall_table[i].class == class)
			rows |= 1u << i;
	return rows;
}

/* The pattern may be written for either spelling of the names. */
static uint32_t rows_matching(const char *pattern)
{
	char text[64], full[64];
	uint32_t rows = 0;
	regex_t regex;
	int err = regcomp(&regex, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB);

	if (err) {
		regerror(err, &regex, text, sizeof(text));
		usage_error("-e trace: bad regular expression /%s: %s", pattern, text);
	}
	for (unsigned int i = 0; i < HCALL_ROWS; i++) {
		const char *name = hcall_table[i].name;

		if (!name)
			continue;
		snprintf(full, sizeof(full), PREFIX "%s", name);
		if (!regexec(&regex, name, 0, NULL, 0) || !regexec(&regex, full, 0, NULL, 0))
			rows |= 1u << i;
	}
	regfree(&regex);
	return rows;
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

static bool same_letter(char a, char b)
{
	return toupper((unsigned char)a) == toupper((unsigned char)b);
}

/* How many typing errors make b of a: a letter too many, missing, wrong, or two
 * swapped (optimal string alignment).  For names of at most 31 letters. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int d[32][32];
	size_t la = strlen(a), lb = strlen(b);

	if (la > 31 || lb > 31)
		return 99;
	for (unsigned int i = 0; i <= la; i++) {
		for (unsigned int j = 0; j <= lb; j++) {
			if (i == 0 || j == 0) {
				d[i][j] = i + j;
				continue;
			}
			d[i][j] = least(d[i - 1][j], d[i][j - 1]) + 1;
			d[i][j] = least(d[i][j], d[i - 1][j - 1] +
					!same_letter(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
			    same_letter(a[i - 2], b[j - 1]))
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[la][lb];
}

static const char *nearest_call(const char *item)
{
	const char *best = NULL;
	unsigned int fewest = 4;	/* further away is no typing error */

	item = without_prefix(item);
	for (unsigned int i = 0; i < HCALL_ROWS; i++) {
		unsigned int d;

		if (!hcall_table[i].name)
			continue;
		d = distance(item, hcall_table[i].name);
		/* Of three letters, three may not be wrong. */
		if (d < fewest && d < strlen(hcall_table[i].name)) {
			fewest = d;
			best = hcall_table[i].name;
		}
	}
	return best;
}

static void list_word(char *list, size_t size, const char *sign, const char *word)
{
	size_t len = strlen(list);

	snprintf(list + len, size - len, "%s%s%s", len ? " " : "", sign, word);
}

_Noreturn static void unknown_item(const char *item)
{
	const char *near = item[0] == '%' || item[0] == '/' ? NULL : nearest_call(item);
	char list[1024] = "";

	if (item[0] == '!')
		usage_error("-e trace: \"%s\": write ! once, in front of the whole list",
			    item);
	if (near)
		usage_error("-e trace: no hypercall is called \"%s\"; did you mean %s?",
			    item, near);
	if (item[0] == '%') {
		for (unsigned int i = 0; i < NR_HCALL_CLASSES; i++)
			list_word(list, sizeof(list), "%", hcall_class_name[i]);
		usage_error("-e trace: no class is called \"%s\"; there is: %s "
			    "%%async %%trap %%irq", item, list);
	}
	for (unsigned int i = 0; i < HCALL_ROWS; i++) {
		const char *name = hcall_table[i].name;

		/* A name of several rows is listed at the last of them. */
		if (name && rows_named(name) < 2u << i)
			list_word(list, sizeof(list), "", name);
	}
	usage_error("-e trace: %s \"%s\"; the hypercalls are: %s",
		    item[0] == '/' ? "no hypercall matches" : "no hypercall is called",
		    item, list);
}

static void select_calls(struct filter_selection *set, uint32_t rows)
{
	set->calls |= rows;
	set->async |= rows;
	set->names_calls = true;
}

/* %class; false if there is no such class. */
static bool select_class(struct filter_selection *set, const char *name)
{
	if (!strcasecmp(name, "trap")) {
		set->traps = true;
		return true;
	}
	if (!strcasecmp(name, "irq")) {
		set->irqs = true;
		return true;
	}
	if (!strcasecmp(name, "async")) {
		set->async = FILTER_ALL_CALLS;
		set->names_calls = true;
		return true;
	}
	for (unsigned int i = 0; i < NR_HCALL_CLASSES; i++) {
		if (!strcasecmp(name, hcall_class_name[i])) {
			select_calls(set, rows_of_class(i));
			return true;
		}
	}
	return false;
}

/* One item without its "?"; false if it means nothing. */
static bool select_item(struct filter_selection *set, const char *item)
{
	uint32_t rows;

	if (!strcasecmp(item, "all")) {
		select_calls(set, FILTER_ALL_CALLS);
		set->traps = set->irqs = true;
		return true;
	}
	if (!strcasecmp(item, "none")) {
		set->clears = set->names_calls = true;
		return true;
	}
	if (item[0] == '%')
		return select_class(set, item + 1);
	if (item[0] == '/')
		rows = rows_matching(item + 1);
	else
		rows = rows_named(item) | rows_numbered(item);
	if (rows)
		select_calls(set, rows);
	return rows != 0;
}

static void apply(struct log_filter *filter, const struct filter_selection *set, bool negated)
{
	if (negated) {
		filter->calls &= ~set->calls;
		filter->async &= ~set->async;
		filter->traps = filter->traps && !set->traps;
		filter->irqs = filter->irqs && !set->irqs;
	} else {
		if (set->clears || (set->names_calls && !filter->started))
			filter->calls = filter->async = 0;
		if (set->clears)
			filter->traps = filter->irqs = false;
		filter->calls |= set->calls;
		filter->async |= set->async;
		filter->traps = filter->traps || set->traps;
		filter->irqs = filter->irqs || set->irqs;
	}
	filter->started = filter->started || set->names_calls;
}

void filter_parse(const char *expression, const char *list, struct filter_selection *set)
{
	char *copy, *rest, *item;

	*set = (struct filter_selection) { .negated = list[0] == '!' };
	copy = rest = strdup(set->negated ? list + 1 : list);
	if (!copy)
		die("no memory for -e %s", expression);
	while ((item = strsep(&rest, ","))) {
		bool optional = item[0] == '?';

		if (optional)
			item++;
		if (!item[0])
			usage_error("-e %s: a name is missing; say all, none, or names "
				    "with commas between", expression);
		if (select_item(set, item))
			continue;
		if (!optional)
			unknown_item(item);
		set->names_calls = true;
	}
	free(copy);
}

void filter_add(struct log_filter *filter, const char *expression, const char *list)
{
	struct filter_selection set;

	filter_parse(expression, list, &set);
	apply(filter, &set, set.negated);
}

/* Traps alone have numbers worth choosing by. */
void filter_add_vectors(struct log_filter *filter, const char *expression, const char *list)
{
	bool negated = list[0] == '!';
	bool chosen[256] = { false };
	char *copy, *rest, *item;

	copy = rest = strdup(negated ? list + 1 : list);
	if (!copy)
		die("no memory for -e %s", expression);
	while ((item = strsep(&rest, ","))) {
		unsigned long nr = 256;
		char *end = item;

		if (!strcasecmp(item, "all") || !strcasecmp(item, "none")) {
			memset(chosen, !strcasecmp(item, "all"), sizeof(chosen));
			continue;
		}
		if (isdigit((unsigned char)item[0]))
			nr = strtoul(item, &end, 0);
		for (unsigned int v = 0; v < 256 && nr == 256; v++) {
			const char *name = decode_vector(v);

			if (!name || (strcasecmp(item, name) &&
				      (name[0] != '#' || strcasecmp(item, name + 1))))
				continue;
			nr = v;
			end = item + strlen(item);
		}
		if (nr > 255 || *end)
			usage_error("-e %s: '%s' is no trap; name them as 14, 0x80, #PF, syscall, "
				    "all or none", expression, item);
		chosen[nr] = true;
	}
	free(copy);
	filter->traps = true;
	for (unsigned int v = 0; v < 256; v++)
		filter->vector[v] = chosen[v] != negated;
}

bool filter_match(const struct log_filter *filter, const struct guest_event *event)
{
	unsigned int row = event->row < HCALL_ROWS ? event->row : HCALL_ROWS;

	switch (event->kind) {
	case EVENT_HCALL:
		if (event->end == END_KILLED ? filter->hide_killed : filter->hide_done)
			return false;
		return (event->cause == CAUSE_ASYNC ? filter->async : filter->calls) >>
			row & 1;
	case EVENT_TRAP:
		return filter->traps && filter->vector[event->vector];
	case EVENT_IRQ:
		return filter->irqs;
	case EVENT_REWRITE:
	case EVENT_END:
	case EVENT_START:
	case EVENT_NOTE:
		return true;
	default:
		return false;
	}
}
