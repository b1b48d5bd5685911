/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON Lines back into events: what json.c wrote, or what somebody made of it.
 * Every line may be anything: what is not an event of the schema is an error
 * with its reason, never half an event.
 */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log/internal.h"

struct reader {
	const json_t *object;
	char *error;		/* LOG_READ_ERROR bytes; "" so far so good */
};

__attribute__((format(printf, 2, 3)))
static void fail(struct reader *r, const char *fmt, ...)
{
	va_list args;

	if (*r->error)
		return;		/* the first reason is the one that helps */
	va_start(args, fmt);
	vsnprintf(r->error, LOG_READ_ERROR, fmt, args);
	va_end(args);
}

static uint64_t get_number(struct reader *r, const char *key, bool needed, uint64_t max)
{
	const json_t *value = json_object_get(r->object, key);

	if (!value && !needed)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    (uint64_t)json_integer_value(value) > max) {
		fail(r, "\"%s\" is not a number from 0 to %llu", key, (unsigned long long)max);
		return 0;
	}
	return (uint64_t)json_integer_value(value);
}

static uint32_t hex_value(struct reader *r, const json_t *value, const char *key)
{
	const char *text = json_string_value(value);
	unsigned long number;
	char *end;

	if (!text || strncmp(text, "0x", 2) || !text[2] || strlen(text) > 10 ||
	    strspn(text + 2, "0123456789abcdefABCDEF") != strlen(text) - 2) {
		fail(r, "\"%s\" is not a string like \"0x1f\"", key);
		return 0;
	}
	number = strtoul(text, &end, 16);
	return (uint32_t)number;
}

static uint32_t get_hex(struct reader *r, const char *key, bool needed)
{
	const json_t *value = json_object_get(r->object, key);

	return value || needed ? hex_value(r, value, key) : 0;
}

/* The index of a word in a table; the first word if it is missing and may be. */
static uint8_t get_word(struct reader *r, const char *key, bool needed,
			const char *const *words, unsigned int n)
{
	const json_t *value = json_object_get(r->object, key);
	const char *text = json_string_value(value);

	if (!value && !needed)
		return 0;
	for (unsigned int i = 0; text && i < n; i++)
		if (!strcmp(text, words[i]))
			return (uint8_t)i;
	fail(r, "\"%s\" is not one of the words it can be", key);
	return 0;
}

static bool get_flag(struct reader *r, const char *key)
{
	const json_t *value = json_object_get(r->object, key);

	if (value && !json_is_boolean(value))
		fail(r, "\"%s\" is neither true nor false", key);
	return json_is_true(value);
}

/* Characters are bytes: UTF-8 has U+0080 to U+00FF in two. */
static void get_text(struct reader *r, struct guest_event *e)
{
	const json_t *value = json_object_get(r->object, "text");
	const unsigned char *text = (const unsigned char *)json_string_value(value);
	size_t left = json_string_length(value);
	unsigned int n = 0;

	if (!value)
		return;
	if (!text)
		fail(r, "\"text\" is not a string");
	while (text && left) {
		unsigned int c = *text++;

		left--;
		if (c >= 0x80 && (c & 0xfc) == 0xc0 && left) {
			c = (c & 3) << 6 | (*text++ & 0x3f);
			left--;
		} else if (c >= 0x80) {
			fail(r, "\"text\" has a character that is no byte");
			return;
		}
		if (n == EVENT_TEXT) {
			fail(r, "\"text\" is longer than %u bytes", EVENT_TEXT);
			return;
		}
		e->text[n++] = (uint8_t)c;
	}
	e->text_len = (uint8_t)n;
}

/* A name may stand for several numbers and a number for several names. */
static uint8_t get_row(struct reader *r, uint32_t nr)
{
	const char *name = json_string_value(json_object_get(r->object, "name"));

	if (!json_object_get(r->object, "name"))
		return HCALL_ROWS;
	for (unsigned int i = 0; name && i < HCALL_ROWS; i++)
		if (hcall_table[i].nr == nr && !strcmp(hcall_table[i].name, name))
			return (uint8_t)i;
	fail(r, "there is no hypercall of that \"name\" and \"nr\"");
	return HCALL_ROWS;
}

static void get_arguments(struct reader *r, struct guest_event *e)
{
	static const char *const plain[4] = { "arg1", "arg2", "arg3", "arg4" };
	const struct hcall_row *row = e->row < HCALL_ROWS ? &hcall_table[e->row] : NULL;
	const json_t *args = json_object_get(r->object, "args");

	for (unsigned int i = 0; i < 4 && (!row || row->arg[i].name); i++) {
		const char *key = row ? row->arg[i].name : plain[i];

		e->arg[i] = hex_value(r, json_object_get(args, key), key);
	}
}

static void get_registers(struct reader *r, struct guest_event *e)
{
	const json_t *regs = json_object_get(r->object, "regs");

	for (unsigned int i = 0; regs && i < 8; i++)
		e->reg[i] = hex_value(r, json_object_get(regs, json_reg_name[i]),
				      json_reg_name[i]);
}

static void get_device(struct reader *r, struct guest_event *e)
{
	const json_t *value = json_object_get(r->object, "device");
	const char *name = json_string_value(value);

	if (!value)
		return;
	if (!name || json_string_length(value) >= sizeof(e->device) ||
	    strlen(name) != json_string_length(value))
		fail(r, "\"device\" is not the name of one");
	else
		strcpy(e->device, name);
}

static void get_event(struct reader *r, struct guest_event *e)
{
	e->kind = get_word(r, "event", true, json_event_name, NR_EVENT_KINDS);
	e->start_ns = get_number(r, "time_ns", true, INT64_MAX);
	if (e->kind == EVENT_NOTE) {
		e->text_more = get_flag(r, "text_more");
		get_text(r, e);
		return;
	}
	e->end_ns = get_number(r, "end_ns", false, INT64_MAX);
	e->eip = get_hex(r, "eip", true);
	e->cpl = (uint8_t)get_number(r, "cpl", true, 3);
	e->end = get_word(r, "end", e->kind == EVENT_END, json_end_name, NR_JSON_ENDS);
	e->depth = (uint32_t)get_number(r, "ring_depth", false, UINT32_MAX);
	e->pages = (uint32_t)get_number(r, "shadow_pages", false, UINT32_MAX);
	e->text_more = get_flag(r, "text_more");
	get_text(r, e);
	get_registers(r, e);
	switch (e->kind) {
	case EVENT_HCALL:
		e->nr = (uint32_t)get_number(r, "nr", true, UINT32_MAX);
		e->row = get_row(r, e->nr);
		e->cause = get_word(r, "cause", true, json_cause_name, NR_JSON_CAUSES);
		e->pae = get_flag(r, "pae");
		e->tampered = get_flag(r, "injected");
		get_device(r, e);
		e->wait_ns = get_number(r, "wait_ns", false, INT64_MAX);
		get_arguments(r, e);
		break;
	case EVENT_TRAP:
		e->vector = (uint8_t)get_number(r, "vector", true, 255);
		e->has_error = json_object_get(r->object, "error") != NULL;
		e->error = get_hex(r, "error", false);
		e->address = get_hex(r, "cr2", e->vector == 14);
		e->handler = get_hex(r, "handler", true);
		break;
	case EVENT_IRQ:
		e->vector = (uint8_t)get_number(r, "irq", true, 255);
		e->handler = get_hex(r, "handler", true);
		break;
	default:
		break;
	}
}

/* A word of small letters, which may be missing. */
static void get_header_word(struct reader *r, const char *key, char word[LOG_WORD])
{
	const json_t *value = json_object_get(r->object, key);
	const char *text = json_string_value(value);

	if (!value)
		return;
	if (!text || json_string_length(value) >= LOG_WORD ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyz") != json_string_length(value))
		fail(r, "\"%s\" is not a word of small letters", key);
	else
		strcpy(word, text);
}

static void get_header(struct reader *r, struct log_header *header)
{
	const char *schema = json_string_value(json_object_get(r->object, "schema"));
	const json_t *offset = json_object_get(r->object, "realtime_offset_ns");

	header->version = (int)get_number(r, "version", true, INT32_MAX);
	if (!schema || strcmp(schema, "uml-host-log"))
		fail(r, "\"schema\" is not \"uml-host-log\"");
	else if (header->version != LOG_JSON_VERSION)
		fail(r, "version %d of the schema; this program reads version %d",
		     header->version, LOG_JSON_VERSION);
	if (!json_is_integer(offset))
		fail(r, "\"realtime_offset_ns\" is not a number");
	header->realtime_offset_ns = json_integer_value(offset);
	get_header_word(r, "engine", header->engine);
	get_header_word(r, "isolation", header->isolation);
}

static void get_stack(struct reader *r, struct log_stack *stack)
{
	const json_t *array = json_object_get(r->object, "stack");

	if (!array)
		return;
	if (!json_is_array(array) || json_array_size(array) > LOG_STACK_MAX) {
		fail(r, "\"stack\" is not an array of at most %u addresses", LOG_STACK_MAX);
		return;
	}
	for (size_t i = 0; i < json_array_size(array); i++)
		stack->frame[stack->n++] = hex_value(r, json_array_get(array, i), "stack");
}

bool log_read(const char *text, size_t len, struct log_header *header,
	      struct guest_event *event, struct log_stack *stack, char error[LOG_READ_ERROR])
{
	json_error_t why;
	json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
	struct reader r = { .object = object, .error = error };
	const char *kind;

	*error = '\0';
	memset(event, 0, sizeof(*event));
	stack->n = 0;
	kind = json_string_value(json_object_get(object, "event"));
	if (!object)
		fail(&r, "not JSON: %s", why.text);
	else if (kind && !strcmp(kind, "header"))
		get_header(&r, header);
	else if (!header->version)
		fail(&r, "the first line is not a header");
	else {
		get_event(&r, event);
		get_stack(&r, stack);
	}
	if (kind && !strcmp(kind, "header"))
		event->kind = NR_EVENT_KINDS;
	json_decref(object);
	return !*error;
}
