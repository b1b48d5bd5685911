/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON Lines: what is written, and that reading it gives back the text log. */
#include <stdio.h>
#include <stdlib.h>

#include "log_helper.h"

#define HEADER "{\"event\":\"header\",\"schema\":\"uml-host-log\",\"version\":1," \
	"\"realtime_offset_ns\":1000000000}\n"

static const char *const everything[] = { "all" };

static const char *json_of(const struct guest_event *e, bool verbose)
{
	struct log_options o = test_options();
	const char *all;
	struct log *log;

	o.format = LOG_FORMAT_JSON;
	o.foreign = true;
	o.verbose = verbose;
	o.trace = everything;
	o.nr_trace = 1;
	log = log_open(&o);
	log_begin_as(log, &(struct log_header) { .version = 1, .realtime_offset_ns = 1000000000 });
	log_event(log, e);
	cr_assert(log_close(log));
	all = contents(o.fd);
	close(o.fd);
	cr_assert(!strncmp(all, HEADER, strlen(HEADER)), "%s", all);
	return all + strlen(HEADER);
}

Test(log_json, a_call)
{
	struct guest_event e = call("SET_PTE", 0x1000, 0xb7fff000, 0x5a3067, 9);

	e.pages = 7;
	e.cause = CAUSE_ASYNC;
	e.wait_ns = 210;
	e.depth = 3;
	cr_assert_str_eq(json_of(&e, false),
		"{\"event\":\"hcall\",\"time_ns\":5000000000,\"end_ns\":5000031999,"
		"\"name\":\"SET_PTE\",\"nr\":14,\"args\":{\"pgdir\":\"0x1000\",\"vaddr\":\"0xb7fff000\","
		"\"pte\":\"0x5a3067\",\"pte_hi\":\"0x9\"},\"cause\":\"async\",\"wait_ns\":210,"
		"\"eip\":\"0x100a2c\",\"cpl\":1,\"ring_depth\":3,\"shadow_pages\":7}\n");
}

Test(log_json, text_is_bytes)
{
	struct guest_event e = { .kind = EVENT_END, .end = END_CRASH };

	e = with_text(e, "a\"\\\n\x1b\x7f\xff");
	cr_assert(strstr(json_of(&e, false),
			 ",\"end\":\"crash\",\"text\":\"a\\\"\\\\\\u000a\\u001b\\u007f\\u00ff\""));
}

Test(log_json, a_trap)
{
	struct guest_event e = {
		.kind = EVENT_TRAP, .vector = 14, .has_error = true, .error = 6, .cpl = 3,
		.address = 0xb7fff000, .handler = 0xc010334c, .eip = 0x8048000, .start_ns = 1,
	};

	cr_assert_str_eq(json_of(&e, false),
		"{\"event\":\"trap\",\"time_ns\":1,\"vector\":14,\"name\":\"#PF\",\"error\":\"0x6\","
		"\"cr2\":\"0xb7fff000\",\"handler\":\"0xc010334c\",\"eip\":\"0x8048000\",\"cpl\":3,"
		"\"shadow_pages\":0}\n");
}

/* --- there and back ----------------------------------------------------------- */

static uint64_t seed = 88172645463325252ull;

static uint64_t any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static struct guest_event any_event(void)
{
	struct guest_event e = {
		.kind = (uint8_t)(any() % NR_EVENT_KINDS), .cpl = any() & 1 ? 1 : 3,
		.eip = (uint32_t)any(), .start_ns = any() >> 20, .pages = (uint32_t)any(),
		.depth = (uint32_t)(any() % 65),
	};

	e.end_ns = any() & 1 ? e.start_ns + any() % 100000 : 0;
	for (unsigned int i = 0; i < 8; i++)
		e.reg[i] = (uint32_t)any();
	if (e.kind == EVENT_HCALL) {
		e.row = (uint8_t)(any() % (HCALL_ROWS + 1));
		e.nr = e.row < HCALL_ROWS ? hcall_table[e.row].nr : (uint32_t)any();
		e.cause = (uint8_t)(any() % NR_JSON_CAUSES);
		e.end = (uint8_t)(any() % NR_JSON_ENDS);
		e.pae = any() & 1;
		e.tampered = any() & 1;
		if (any() & 1)
			snprintf(e.device, sizeof(e.device), "block %u requests", (unsigned int)any() % 9);
		e.wait_ns = any() & 1 ? any() >> 40 : 0;
		for (unsigned int i = 0; i < 4; i++)
			e.arg[i] = any() & 3 ? (uint32_t)any() : (uint32_t)(any() & 15);
	}
	if (e.kind == EVENT_END)
		e.end = (uint8_t)(any() % NR_JSON_ENDS);
	if (e.kind == EVENT_TRAP || e.kind == EVENT_IRQ) {
		e.vector = (uint8_t)any();
		e.handler = (uint32_t)any();
	}
	if (e.kind == EVENT_TRAP) {
		e.has_error = any() & 1;
		e.error = e.has_error ? (uint32_t)any() : 0;
		e.address = e.vector == 14 ? (uint32_t)any() : 0;
	}
	if (e.kind == EVENT_NOTE)
		e = (struct guest_event) { .kind = EVENT_NOTE, .start_ns = e.start_ns, .cpl = 1 };
	if ((e.kind == EVENT_HCALL || e.kind == EVENT_END || e.kind == EVENT_NOTE) && (any() & 1)) {
		e.text_len = (uint8_t)(any() % (EVENT_TEXT + 1));
		e.text_more = any() & 1;
		for (unsigned int i = 0; i < e.text_len; i++)
			e.text[i] = (uint8_t)any();
	}
	return e;
}

static struct log_options any_text_options(void)
{
	struct log_options o = test_options();

	o.foreign = true;
	o.stamp = (enum log_stamp)(any() % 5);
	o.values = (enum log_values)(any() % 3);
	o.guest_clock = any() & 1;
	o.show_time = any() & 1;
	o.show_eip = any() & 1;
	o.show_nr = any() & 1;
	o.verbose = any() & 1;
	o.string_limit = (unsigned int)(any() % 200);
	o.trace = everything;
	o.nr_trace = 1;
	return o;
}

static struct guest_event read_back(const char *json)
{
	struct log_header header = { .version = 1 };
	char error[LOG_READ_ERROR];
	struct log_stack stack;
	struct guest_event e;

	cr_assert(log_read(json, strlen(json), &header, &e, &stack, error), "%s: %s", error, json);
	return e;
}

/* The same text, whatever the event and whatever the options. */
Test(log_json, text_log_comes_back)
{
	for (unsigned int i = 0; i < 3000; i++) {
		struct guest_event e = any_event(), back = read_back(json_of(&e, any() & 1));
		struct log_options o = any_text_options();
		const struct log_header header = { .version = 1, .realtime_offset_ns = 1234 };
		char want[16384];
		struct log *log;

		for (unsigned int k = 0; k < 2; k++) {
			o.fd = k ? memfd_create("log", 0) : o.fd;
			log = log_open(&o);
			log_begin_as(log, &header);
			log_event(log, k ? &back : &e);
			log_close(log);
			if (k == 0)
				snprintf(want, sizeof(want), "%s", contents(o.fd));
			else
				cr_assert_str_eq(contents(o.fd), want, "%u", i);
			close(o.fd);
		}
	}
}

/* --- what is no log ------------------------------------------------------------ */

#define HCALL "{\"event\":\"hcall\",\"time_ns\":1,\"eip\":\"0x1\",\"cpl\":1,\"nr\":10,\"name\":\"HALT\",\"cause\":\"int\""

Test(log_json, reads_only_its_schema)
{
	static const struct { const char *line, *why; } cases[] = {
		{ "", "not JSON" }, { "[]", "" }, { "7", "" }, { "{", "not JSON" },
		{ "{}", "\"event\"" }, { "{\"event\":\"call\"}", "\"event\"" },
		{ "{\"event\":7}", "\"event\"" },
		{ HCALL ",\"cpl\":1}", "not JSON" },
		{ "{\"event\":\"hcall\",\"time_ns\":-1}", "\"time_ns\"" },
		{ "{\"event\":\"hcall\",\"time_ns\":\"1\"}", "\"time_ns\"" },
		{ "{\"event\":\"hcall\",\"time_ns\":1}", "\"eip\"" },
		{ "{\"event\":\"hcall\",\"time_ns\":1,\"eip\":1}", "\"eip\"" },
		{ "{\"event\":\"hcall\",\"time_ns\":1,\"eip\":\"1\"}", "\"eip\"" },
		{ "{\"event\":\"hcall\",\"time_ns\":1,\"eip\":\"0x\"}", "\"eip\"" },
		{ "{\"event\":\"hcall\",\"time_ns\":1,\"eip\":\"0x123456789\"}", "\"eip\"" },
		{ "{\"event\":\"hcall\",\"time_ns\":1,\"eip\":\"0x1\",\"cpl\":4}", "\"cpl\"" },
		{ "{\"event\":\"hcall\",\"time_ns\":1,\"eip\":\"0x1\",\"cpl\":1,\"nr\":99,\"name\":\"HALT\"}", "no hypercall" },
		{ "{\"event\":\"hcall\",\"time_ns\":1,\"eip\":\"0x1\",\"cpl\":1,\"nr\":14,\"name\":\"SET_PTE\",\"cause\":\"int\"}", "\"pgdir\"" },
		{ "{\"event\":\"hcall\",\"time_ns\":1,\"eip\":\"0x1\",\"cpl\":1,\"nr\":10,\"name\":\"HALT\",\"cause\":\"telepathy\"}", "\"cause\"" },
		{ HCALL ",\"text\":7}", "\"text\"" },
		{ HCALL ",\"text\":\"\\u0100\"}", "\"text\"" },
		{ HCALL ",\"text\":\"\\u20ac\"}", "\"text\"" },
		{ HCALL ",\"text_more\":1}", "\"text_more\"" },
		{ HCALL ",\"regs\":{}}", "\"eax\"" },
		{ "{\"event\":\"trap\",\"time_ns\":1,\"eip\":\"0x1\",\"cpl\":1,\"vector\":256,\"handler\":\"0x1\"}", "\"vector\"" },
		{ "{\"event\":\"end\",\"time_ns\":1,\"eip\":\"0x1\",\"cpl\":1}", "\"end\"" },
		{ "{\"event\":\"header\"}", "\"version\"" },
		{ "{\"event\":\"header\",\"version\":2,\"schema\":\"uml-host-log\",\"realtime_offset_ns\":0}", "version 2" },
		{ "{\"event\":\"header\",\"version\":1,\"schema\":\"uml-host-log\",\"realtime_offset_ns\":0,\"isolation\":\"a\\nb\"}", "\"isolation\"" },
		{ "{\"event\":\"header\",\"version\":1,\"schema\":\"uml-host-log\",\"realtime_offset_ns\":0,\"engine\":7}", "\"engine\"" },
		{ "{\"event\":\"header\",\"version\":1,\"schema\":\"other\",\"realtime_offset_ns\":0}", "\"schema\"" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct log_header header = { .version = 1 };
		char error[LOG_READ_ERROR];
		struct log_stack stack;
		struct guest_event e;

		cr_expect_not(log_read(cases[i].line, strlen(cases[i].line), &header, &e, &stack, error),
			      "%s", cases[i].line);
		cr_expect(strstr(error, cases[i].why), "%s: %s", cases[i].line, error);
	}
	{
		struct log_header header = { 0 };
		struct log_stack stack;
		char error[LOG_READ_ERROR];
		struct guest_event e;

		cr_expect_not(log_read(HCALL "}", strlen(HCALL "}"), &header, &e, &stack, error));
		cr_expect(strstr(error, "header"));
	}
}

/* Every way to spoil a line: never a crash, never text beyond the record. */
Test(log_json, spoiled_lines)
{
	for (unsigned int i = 0; i < 300; i++) {
		struct guest_event e = any_event(), back;
		struct log_header header = { .version = 1 };
		struct log_stack stack;
		char line[8192], error[LOG_READ_ERROR];
		size_t len = (size_t)snprintf(line, sizeof(line), "%s", json_of(&e, true));

		for (unsigned int k = 0; k < 50; k++) {
			line[any() % len] = (char)any();
			log_read(line, len, &header, &back, &stack, error);
			cr_assert_leq(back.text_len, EVENT_TEXT);
		}
	}
}
