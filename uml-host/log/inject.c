/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of --inject:
 *
 *	SET[:skip][:kill[=REASON]][:retval=VALUE][:irq=N]
 *	   [:delay_enter=TIME][:delay_exit=TIME]
 *	   [:poke_enter=@PLACE=HEX][:poke_exit=@PLACE=HEX]
 *	   [:when=FIRST[..LAST][+[STEP]]]
 *
 *	SET	as with -e trace=
 *	TIME	microseconds, or a number with s, ms, us or ns
 *	PLACE	arg1 to arg4: where that argument points to; or a
 *		guest-physical address
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "log/internal.h"

#define MAX_DELAY_NS 10000000000ull

struct parser {
	const char *expression;		/* for messages */
	struct tamper_rule *rule;
};

_Noreturn static void wrong(const struct parser *p, const char *word, const char *should)
{
	usage_error("--inject=%s: '%s': %s", p->expression, word, should);
}

static uint32_t get_number(const struct parser *p, const char *word, const char *text,
			   char **end, uint32_t max, const char *should)
{
	unsigned long value;

	errno = 0;
	value = strtoul(text, end, 0);
	if (!isdigit((unsigned char)*text) || errno || value > max)
		wrong(p, word, should);
	return (uint32_t)value;
}

static uint32_t whole_number(const struct parser *p, const char *word, const char *text,
			     uint32_t max, const char *should)
{
	char *end;
	uint32_t value = get_number(p, word, text, &end, max, should);

	if (*end)
		wrong(p, word, should);
	return value;
}

static uint64_t delay(const struct parser *p, const char *word, const char *text)
{
	static const struct { const char *name; uint64_t ns; } unit[] = {
		{ "", 1000 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 }, { "ns", 1 },
	};
	static const char should[] = "a time is a number with s, ms, us or ns, at most 10s";
	char *end;
	uint64_t value = get_number(p, word, text, &end, UINT32_MAX, should);

	for (size_t i = 0; i < sizeof(unit) / sizeof(unit[0]); i++)
		if (!strcmp(end, unit[i].name) && value && value * unit[i].ns <= MAX_DELAY_NS)
			return value * unit[i].ns;
	wrong(p, word, should);
}

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' :
	       isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

static void parse_poke(const struct parser *p, const char *word, const char *text,
		       struct tamper_poke *poke)
{
	static const char should[] = "write @arg1=HEX or @0x1000=HEX, at most 32 bytes";
	char *end = NULL;

	if (*text++ != '@')
		wrong(p, word, should);
	if (!strncmp(text, "arg", 3) && text[3] >= '1' && text[3] <= '4') {
		poke->arg = (uint8_t)(text[3] - '0');
		text += 4;
	} else {
		poke->address = get_number(p, word, text, &end, UINT32_MAX, should);
		text = end;
	}
	if (*text++ != '=' || !*text)
		wrong(p, word, should);
	for (; *text; text += 2) {
		int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0 || poke->len == TAMPER_BYTES)
			wrong(p, word, should);
		poke->byte[poke->len++] = (uint8_t)(high << 4 | low);
	}
}

/* FIRST, FIRST+, FIRST+STEP, FIRST..LAST, FIRST..LAST+STEP, as in strace. */
static void parse_when(const struct parser *p, const char *word, const char *text)
{
	static const char should[] = "write when=FIRST[..LAST][+[STEP]], all from 1";
	struct tamper_rule *r = p->rule;
	char *end;

	r->first = get_number(p, word, text, &end, INT32_MAX, should);
	r->last = r->first;
	r->step = 1;
	if (end[0] == '.' && end[1] == '.')
		r->last = get_number(p, word, end + 2, &end, INT32_MAX, should);
	else if (*end == '+')
		r->last = UINT32_MAX;
	if (*end == '+' && end[1])
		r->step = get_number(p, word, end + 1, &end, INT32_MAX, should);
	else if (*end == '+')
		end++;
	if (*end || !r->first || !r->step || r->last < r->first)
		wrong(p, word, should);
}

static void parse_kill(const struct parser *p, const char *word, const char *reason)
{
	if (strlen(reason) >= TAMPER_REASON - sizeof("injected: "))
		wrong(p, word, "a reason is at most 50 bytes");
	p->rule->kill = true;
	strcpy(p->rule->reason, "injected");
	if (*reason)
		strcat(strcat(p->rule->reason, ": "), reason);
}

static void parse_action(const struct parser *p, const char *word)
{
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const char *value = equals ? equals + 1 : "";
	struct tamper_rule *r = p->rule;

#define IS(name) (len == strlen(name) && !strncmp(word, name, len))
	if (IS("skip") && !equals)
		r->skip = true;
	else if (IS("kill"))
		parse_kill(p, word, value);
	else if (IS("retval")) {
		r->sets_eax = true;
		r->eax = whole_number(p, word, value, UINT32_MAX, "a value has 32 bits");
	} else if (IS("irq")) {
		r->raises = true;
		r->irq = (uint8_t)whole_number(p, word, value, 31, "there are IRQ 0 to 31");
	} else if (IS("delay_enter"))
		r->delay_enter_ns = delay(p, word, value);
	else if (IS("delay_exit"))
		r->delay_exit_ns = delay(p, word, value);
	else if (IS("poke_enter"))
		parse_poke(p, word, value, &r->poke_enter);
	else if (IS("poke_exit"))
		parse_poke(p, word, value, &r->poke_exit);
	else if (IS("when"))
		parse_when(p, word, value);
	else
		wrong(p, word, "there is skip, kill, retval=, irq=, delay_enter=, delay_exit=, "
		      "poke_enter=, poke_exit= and when=");
#undef IS
}

static bool does_something(const struct tamper_rule *r)
{
	return r->skip || r->kill || r->sets_eax || r->raises || r->delay_enter_ns ||
	       r->delay_exit_ns || r->poke_enter.len || r->poke_exit.len;
}

void log_inject_parse(struct tamper *tamper, const char *expression)
{
	struct parser p = { .expression = expression };
	struct filter_selection set;
	char *copy = strdup(expression), *rest = copy, *word;

	if (!copy)
		die("no memory for --inject");
	if (tamper->rules == TAMPER_RULES)
		usage_error("--inject: at most %u of them", TAMPER_RULES);
	p.rule = &tamper->rule[tamper->rules++];
	*p.rule = (struct tamper_rule) { .first = 1, .last = UINT32_MAX, .step = 1 };
	/* Only hypercalls can be tampered with: traps are not the host's doing. */
	filter_parse(expression, strsep(&rest, ":"), &set);
	p.rule->calls = set.calls ^ (set.negated ? FILTER_ALL_CALLS : 0);
	p.rule->async = set.async ^ (set.negated ? FILTER_ALL_CALLS : 0);
	while ((word = strsep(&rest, ":")))
		parse_action(&p, word);
	if (!does_something(p.rule))
		usage_error("--inject=%s: does nothing; say what after a colon, e.g. :skip", expression);
	free(copy);
}
