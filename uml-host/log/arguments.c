/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arguments of a hypercall, printed by their kind in the hypercall table.
 *
 * One row per kind says how: as a number, as words, or both.  A new kind needs
 * a row here; without one it prints in hex and nothing breaks.  Every value and
 * every text is the guest's and may be anything.
 */
#include <lguest/hypercall.h>
#include <string.h>

#include "log/internal.h"

/* One argument, or a pair of words that make one value. */
struct argument {
	struct line *line;
	const struct argument_style *style;
	const struct guest_event *event;
	const char *name;
	uint32_t value;
	const char *high_name;	/* the other half; NULL if there is none */
	uint32_t high;
};

/* When the words of a kind are shown; never with -X raw. */
enum form {
	FORM_NUMBER,	/* never: there are none */
	FORM_EXTRA,	/* only -X verbose: name=0x69<words> */
	FORM_NOTE,	/* name=0x67<words> */
	FORM_WORDS,	/* name=words, number<words> with -X verbose */
	FORM_FIELDS,	/* the same, and the words bring their own names */
};

struct printer {
	enum form form;
	bool address;		/* a guest-virtual one: it may have a name */
	bool decimal;		/* the number is not an address or a bit field */
	uint8_t high;		/* kind of the other half, if the kind has one */
	/* Adds the words for a value, or nothing. */
	void (*words)(const struct argument *a);
};

/* Whatever prints "<…>" around its words does not print that of a symbol. */
static void put_symbol(const struct argument *a)
{
	if (a->style->values != LOG_VALUES_RAW)
		symbols_put(a->style->symbols, a->line, a->value);
}

static void words_selector(const struct argument *a)
{
	decode_selector(a->line, a->value);
}

static void words_vector(const struct argument *a)
{
	const char *name = a->value < 256 ? decode_vector(a->value) : NULL;

	if (name)
		line_puts(a->line, name);
}

static void words_gate(const struct argument *a)
{
	decode_gate(a->line, a->style->symbols, a->value, a->high);
}

static void words_descriptor(const struct argument *a)
{
	decode_descriptor(a->line, a->value, a->high);
}

static void words_pte(const struct argument *a)
{
	decode_pte(a->line, a->value, a->event->pae ? a->high : 0);
}

static void words_ns(const struct argument *a)
{
	if (a->value)
		decode_ns(a->line, a->value);
	else
		line_puts(a->line, "off");
}

static void words_ts(const struct argument *a)
{
	if (a->value == 0 || a->value == 8)	/* CR0.TS is bit 3 */
		line_puts(a->line, a->value ? "set" : "clear");
}

static void words_scope(const struct argument *a)
{
	if (a->value <= 1)
		line_puts(a->line, a->value ? "all" : "user");
}

static void words_how(const struct argument *a)
{
	if (a->value == LGUEST_SHUTDOWN_POWEROFF)
		line_puts(a->line, "POWEROFF");
	else if (a->value == LGUEST_SHUTDOWN_RESTART)
		line_puts(a->line, "RESTART");
}

/* The text of a call that killed the guest is the reason, not the argument. */
static bool has_text(const struct guest_event *event)
{
	return event->text_len && event->end != END_KILLED;
}

static void put_text(const struct argument *a)
{
	line_quoted(a->line, a->event->text, event_text_len(a->event),
		    a->event->text_more, a->style->string_limit, a->style->escapes);
}

static void words_text(const struct argument *a)
{
	if (!has_text(a->event))
		return;
	put_text(a);
	if (a->style->values == LOG_VALUES_ABBREV)
		line_printf(a->line, "@0x%x", a->value);
}

static void words_notify(const struct argument *a)
{
	const char *device = a->event->device;

	line_escaped(a->line, (const uint8_t *)device, strnlen(device, sizeof(a->event->device)));
	if (*device)
		return;
	if (!has_text(a->event))
		return;
	line_puts(a->line, "early console ");
	put_text(a);
}

static const struct printer printers[] = {
	[ARG_GPA] = { .form = FORM_NUMBER },
	[ARG_GVA] = { .form = FORM_NUMBER, .address = true },
	[ARG_TABLE] = { .form = FORM_NUMBER },
	[ARG_INDEX] = { .form = FORM_NUMBER, .decimal = true },
	[ARG_COUNT] = { .form = FORM_NUMBER, .decimal = true },
	[ARG_SELECTOR] = { .form = FORM_EXTRA, .words = words_selector },
	[ARG_VECTOR] = { .form = FORM_EXTRA, .words = words_vector },
	[ARG_GATE_LO] = { .form = FORM_FIELDS, .high = ARG_GATE_HI, .words = words_gate },
	[ARG_DESC_LO] = { .form = FORM_FIELDS, .high = ARG_DESC_HI,
			  .words = words_descriptor },
	[ARG_PTE] = { .form = FORM_NOTE, .high = ARG_PTE_HI, .words = words_pte },
	[ARG_NS] = { .form = FORM_WORDS, .decimal = true, .words = words_ns },
	[ARG_TS] = { .form = FORM_WORDS, .decimal = true, .words = words_ts },
	[ARG_SCOPE] = { .form = FORM_WORDS, .decimal = true, .words = words_scope },
	[ARG_HOW] = { .form = FORM_WORDS, .decimal = true, .words = words_how },
	[ARG_TEXT] = { .form = FORM_WORDS, .words = words_text },
	[ARG_NOTIFY] = { .form = FORM_NOTE, .words = words_notify },
};

/* Kinds without a row, and halves without their other half, are numbers. */
static const struct printer *printer_of(unsigned int kind)
{
	static const struct printer number = { .form = FORM_NUMBER };

	return kind < sizeof(printers) / sizeof(printers[0]) ? &printers[kind] : &number;
}

static bool shows_words(const struct printer *p, enum log_values values)
{
	if (!p->words || values == LOG_VALUES_RAW)
		return false;
	return p->form != FORM_EXTRA || values == LOG_VALUES_VERBOSE;
}

static void put_name(const struct argument *a, const char *name)
{
	if (!a->style->no_names)
		line_printf(a->line, "%s=", name);
}

static void put_number(const struct argument *a, const struct printer *p)
{
	if (p->high == ARG_PTE_HI && a->style->values != LOG_VALUES_RAW) {
		uint64_t high = a->event->pae ? a->high : 0;

		line_printf(a->line, "0x%llx",
			    (unsigned long long)(high << 32 | a->value));
		return;
	}
	line_printf(a->line, p->decimal ? "%u" : "0x%x", a->value);
	if (p->address)
		put_symbol(a);
	if (a->high_name) {
		line_puts(a->line, ", ");
		put_name(a, a->high_name);
		line_printf(a->line, "0x%x", a->high);
	}
}

static void put_argument(const struct argument *a, const struct printer *p)
{
	bool words = shows_words(p, a->style->values);
	size_t before;

	if (words && a->style->values == LOG_VALUES_ABBREV && p->form >= FORM_WORDS) {
		if (p->form == FORM_WORDS)
			put_name(a, a->name);
		before = a->line->len;
		p->words(a);
		if (a->line->len == before)
			put_number(a, p);
		return;
	}
	put_name(a, a->name);
	put_number(a, p);
	if (!words)
		return;
	before = a->line->len;
	line_puts(a->line, "<");
	p->words(a);
	if (a->line->len == before + 1)
		a->line->len = before;	/* it had nothing to say */
	else
		line_puts(a->line, ">");
}

void put_arguments(struct line *line, const struct argument_style *style,
		   const struct hcall_row *row, const struct guest_event *event)
{
	for (unsigned int i = 0; i < 4 && row->arg[i].name; i++) {
		const struct printer *p = printer_of(row->arg[i].kind);
		struct argument a = {
			.line = line, .style = style, .event = event,
			.name = row->arg[i].name, .value = event->arg[i],
		};

		/* The high word of a page-table entry exists only with PAE. */
		if (row->arg[i].kind == ARG_PTE_HI && !event->pae)
			continue;
		if (i > 0)
			line_puts(line, ", ");
		if (p->high && i < 3 && row->arg[i + 1].name &&
		    row->arg[i + 1].kind == p->high) {
			i++;
			a.high_name = row->arg[i].name;
			a.high = event->arg[i];
			if (p->high == ARG_PTE_HI && !event->pae)
				a.high_name = NULL;
		}
		put_argument(&a, p);
	}
}
