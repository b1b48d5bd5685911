/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -e trace=…: which expression lets which events through. */
#include "log_helper.h"

/* Bits of all rows whose names are in a list with spaces; "*" is all calls. */
static uint32_t rows(const char *names)
{
	char copy[512];
	uint32_t bits = 0;

	if (!strcmp(names, "*"))
		return FILTER_ALL_CALLS;
	cr_assert_lt(strlen(names), sizeof(copy));
	strcpy(copy, names);
	for (char *name = strtok(copy, " "); name; name = strtok(NULL, " ")) {
		bool found = false;

		for (unsigned int i = 0; i < HCALL_ROWS; i++) {
			if (strcmp(hcall_table[i].name, name))
				continue;
			bits |= 1u << i;
			found = true;
		}
		cr_assert(found, "no row is called %s", name);
	}
	return bits;
}

static struct log_filter filter_of(const char *first, const char *second)
{
	static struct log log;

	filter_init(&log.filter);
	if (first)
		qualifier_add(&log, first);
	if (second)
		qualifier_add(&log, second);
	return log.filter;
}

#define MEMORY "NEW_PGTABLE FLUSH_TLB SET_PMD SET_PTE SET_PGD"

struct filter_case {
	const char *first, *second;
	const char *calls;	/* made directly */
	const char *async;	/* NULL: the same ones */
	bool traps, irqs;
	bool invert;		/* calls and async name what does not match */
};

static const struct filter_case filter_cases[] = {
	{ .calls = "*" },
	{ "trace=all", .calls = "*", .traps = true, .irqs = true },
	{ "trace=none", .calls = "" },
	{ "trace=SET_PTE", .calls = "SET_PTE" },
	{ "t=SET_PTE", .calls = "SET_PTE" },
	{ "SET_PTE", .calls = "SET_PTE" },
	{ "trace=LHCALL_SET_PTE", .calls = "SET_PTE" },
	{ "trace=lhcall_set_pte,hAlT", .calls = "SET_PTE HALT" },
	{ "trace=14", .calls = "SET_PTE" },
	{ "trace=0xe", .calls = "SET_PTE" },
	{ "trace=0", .calls = "FLUSH_ASYNC" },
	/* Both calls of that name. */
	{ "trace=SET_PMD", .calls = "SET_PMD" },
	{ "trace=!SET_PTE", .calls = "SET_PTE", .invert = true },
	{ "trace=!%memory,TS", .calls = MEMORY " TS", .invert = true },
	{ "!none", .calls = "*" },
	{ "!all", .calls = "" },
	{ "trace=%memory", .calls = MEMORY },
	{ "trace=%MEMORY", .calls = MEMORY },
	{ "trace=%segment", .calls = "LOAD_GDT LOAD_TLS LOAD_GDT_ENTRY" },
	{ "trace=%interrupt", .calls = "LOAD_IDT_ENTRY SET_STACK TS SEND_INTERRUPTS" },
	{ "trace=%time", .calls = "SET_CLOCKEVENT HALT" },
	{ "trace=%device", .calls = "NOTIFY" },
	{ "trace=%control,HALT", .calls = "FLUSH_ASYNC LGUEST_INIT SHUTDOWN CRASH HALT" },
	{ "trace=/^SET_P", .calls = "SET_PMD SET_PTE SET_PGD" },
	{ "trace=/^lhcall_(halt|ts)$", .calls = "HALT TS" },
	{ "trace=/tlb,HALT", .calls = "FLUSH_TLB HALT" },
	/* Traps add to calls. */
	{ "trace=%trap", .calls = "*", .traps = true },
	{ "trace=%irq", .calls = "*", .irqs = true },
	{ "trace=none,%trap", .calls = "", .traps = true },
	{ "trace=HALT,%trap,%irq", .calls = "HALT", .traps = true, .irqs = true },
	{ "trace=all", "!%trap", .calls = "*", .irqs = true },
	/* How a call came is a question of its own. */
	{ "trace=%async", .calls = "", .async = "*" },
	{ "trace=!%async", .calls = "*", .async = "" },
	{ "trace=HALT,%async", .calls = "HALT", .async = "*" },
	/* Several -e: the first replaces, later ones add or take away. */
	{ "trace=HALT", "trace=TS", .calls = "HALT TS" },
	{ "trace=%time", "trace=!HALT", .calls = "SET_CLOCKEVENT" },
	{ "trace=%trap", "trace=HALT", .calls = "HALT", .traps = true },
	{ "trace=all", "none", .calls = "" },
	/* A question mark forgives. */
	{ "trace=?NO_SUCH_CALL,HALT", .calls = "HALT" },
	{ "trace=?NO_SUCH_CALL", .calls = "" },
	{ "trace=?%trap", .calls = "*", .traps = true },
};

Test(log_filter, expressions)
{
	for (size_t i = 0; i < sizeof(filter_cases) / sizeof(filter_cases[0]); i++) {
		const struct filter_case *c = &filter_cases[i];
		struct log_filter f = filter_of(c->first, c->second);
		uint32_t calls = rows(c->calls);
		uint32_t async = c->async ? rows(c->async) : calls;

		if (c->invert) {
			calls ^= FILTER_ALL_CALLS;
			async ^= FILTER_ALL_CALLS;
		}
		cr_expect_eq(f.calls, calls, "%s: calls %#x", c->first, f.calls);
		cr_expect_eq(f.async, async, "%s: async %#x", c->first, f.async);
		cr_expect_eq(f.traps, c->traps, "%s: traps", c->first);
		cr_expect_eq(f.irqs, c->irqs, "%s: irqs", c->first);
	}
}

Test(log_filter, matches_events)
{
	struct log_filter f = filter_of("trace=HALT,%async", NULL);
	struct guest_event halt = call("HALT", 0, 0, 0, 0);
	struct guest_event pte = call("SET_PTE", 0, 0, 0, 0);
	struct guest_event e = { 0 };

	cr_expect(filter_match(&f, &halt));
	cr_expect_not(filter_match(&f, &pte));
	pte.cause = CAUSE_ASYNC;
	cr_expect(filter_match(&f, &pte));

	e.kind = EVENT_TRAP;
	cr_expect_not(filter_match(&f, &e));
	e.kind = EVENT_IRQ;
	cr_expect_not(filter_match(&f, &e));
	e.kind = EVENT_END;
	cr_expect(filter_match(&f, &e));
	e.kind = 99;
	cr_expect_not(filter_match(&f, &e));
}

Test(log_filter, traps_by_vector)
{
	struct log_filter f = filter_of("trap=14,#GP,ud,0x80", NULL);
	unsigned int chosen = 0;

	cr_expect(f.traps);
	cr_expect_eq(f.calls, FILTER_ALL_CALLS);
	for (unsigned int v = 0; v < 256; v++)
		chosen += f.vector[v];
	cr_expect_eq(chosen, 4);
	cr_expect(f.vector[14] && f.vector[13] && f.vector[6] && f.vector[0x80]);

	f = filter_of("trap=!#PF", NULL);
	cr_expect(!f.vector[14] && f.vector[13] && f.vector[255]);
	f = filter_of("trap=none", NULL);
	cr_expect(!f.vector[14] && !f.vector[13]);
}

Test(log_filter, status_hides_by_outcome)
{
	struct guest_event e = call("HALT", 0, 0, 0, 0);
	struct log_filter f = filter_of("status=killed", NULL);

	cr_expect_not(filter_match(&f, &e));
	e.end = END_KILLED;
	cr_expect(filter_match(&f, &e));
	f = filter_of("status=!killed", NULL);
	cr_expect_not(filter_match(&f, &e));
}

Test(log_filter, unknown_calls_belong_to_all)
{
	struct guest_event e = { .kind = EVENT_HCALL, .row = 255, .nr = 99 };
	struct log_filter f = filter_of(NULL, NULL);

	cr_expect(filter_match(&f, &e));
	f = filter_of("!SET_PTE", NULL);
	cr_expect(filter_match(&f, &e));
	f = filter_of("SET_PTE", NULL);
	cr_expect_not(filter_match(&f, &e));
}

Test(log_filter, wants)
{
	static const char *const trace[] = { "trace=%async,%trap" };
	struct log_options o = test_options();
	struct log_wants wants = log_wants(NULL);
	struct log *log;

	cr_expect_eq(wants.rows | wants.kinds, 0);

	o.trace = trace;
	o.nr_trace = 1;
	log = log_open(&o);
	wants = log_wants(log);
	cr_expect_eq(wants.rows, FILTER_ALL_CALLS);
	cr_expect_eq(wants.kinds, 1u << EVENT_HCALL | 1u << EVENT_TRAP | 1u << EVENT_START |
				  1u << EVENT_END);
	cr_expect(wants.times);
	log_close(log);

	/* A summary without a filter counts everything. */
	o.nr_trace = 0;
	o.summary = LOG_SUMMARY_ONLY;
	log = log_open(&o);
	wants = log_wants(log);
	cr_expect_eq(wants.rows, FILTER_ALL_CALLS);
	cr_expect_eq(wants.kinds, 1u << EVENT_HCALL | 1u << EVENT_TRAP | 1u << EVENT_IRQ |
				  1u << EVENT_REWRITE | 1u << EVENT_START | 1u << EVENT_END);
	log_close(log);
}

/* Each wrong expression ends the program with the status of wrong usage. */
#define REFUSED(test, expression)				\
	Test(log_filter, refuses_##test, .exit_code = 2)	\
	{							\
		filter_of(expression, NULL);			\
	}

REFUSED(near_miss, "trace=SET_PET")
REFUSED(wild_name, "trace=open")
REFUSED(unused_number, "trace=11")
REFUSED(huge_number, "trace=99999999999999999999")
REFUSED(unknown_class, "trace=%network")
REFUSED(bad_regex, "trace=/(")
REFUSED(regex_without_match, "trace=/^open")
REFUSED(nothing, "trace=")
REFUSED(empty_item, "trace=HALT,,TS")
REFUSED(late_negation, "trace=HALT,!TS")
REFUSED(unknown_qualifier, "signal=SIGSEGV")
REFUSED(unknown_trap, "trap=#PG")
REFUSED(trap_beyond_the_table, "trap=256")
REFUSED(raw_traps, "raw=%trap")
REFUSED(unknown_quiet, "quiet=attach")
REFUSED(unknown_status, "status=failed")
REFUSED(long_name, "trace=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
