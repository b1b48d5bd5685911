/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of -c, -C and -S. */
#include <stdio.h>

#include "log_helper.h"

#define HEAD_OF(name)							\
	"% time    seconds   min us   median      p99    max us     calls killed " name "\n" RULE
#define RULE								\
	"------ ---------- -------- -------- -------- --------- --------- ------ ---------------\n"
#define HEAD HEAD_OF("hypercall")

static void feed_call(struct log *log, const char *name, uint64_t us, uint8_t cause)
{
	struct guest_event e = call(name, 0, 0, 0, 0);

	e.end_ns = e.start_ns + us * 1000;
	e.cause = cause;
	log_event(log, &e);
}

/* 3 SET_PTE of 10, 20, 30 us; 1 HALT of 40 us; 2 TS of 0 us, one of which kills. */
static void feed(struct log *log)
{
	struct guest_event ts = call("TS", 0, 0, 0, 0);

	ts.end_ns = ts.start_ns;
	feed_call(log, "SET_PTE", 10, CAUSE_INT);
	feed_call(log, "HALT", 40, CAUSE_INT);
	feed_call(log, "SET_PTE", 20, CAUSE_INT);
	feed_call(log, "SET_PTE", 30, CAUSE_INT);
	log_event(log, &ts);
	ts.end = END_KILLED;
	log_event(log, &ts);
}

static const char *summary_of(struct log_options o)
{
	struct log *log = log_open(&o);

	feed(log);
	cr_assert(log_close(log));
	return contents(o.fd);
}

#define ROW_PTE   " 60.00   0.000060    10.00    19.96    30.00     30.00         3        SET_PTE\n"
#define ROW_HALT  " 40.00   0.000040    40.00    40.00    40.00     40.00         1        HALT\n"
#define ROW_TS    "  0.00   0.000000     0.00     0.00     0.00      0.00         2      1 TS\n"
#define ROW_TOTAL "100.00   0.000100     0.00     9.98    39.93     40.00         6      1 total\n"

Test(log_summary, only_the_table)
{
	struct log_options o = test_options();

	o.summary = LOG_SUMMARY_ONLY;
	cr_assert_str_eq(summary_of(o), HEAD ROW_PTE ROW_HALT ROW_TS RULE ROW_TOTAL);
}

Test(log_summary, lines_and_table)
{
	static const char *const trace[] = { "HALT" };
	struct log_options o = test_options();

	o.summary = LOG_SUMMARY_BOTH;
	o.trace = trace;
	o.nr_trace = 1;
	cr_assert_str_eq(summary_of(o),
			 "HALT()\n" HEAD
			 "100.00   0.000040    40.00    40.00    40.00     40.00         1        HALT\n" RULE
			 "100.00   0.000040    40.00    40.00    40.00     40.00         1        total\n");
}

Test(log_summary, no_table_unless_asked)
{
	static const char *const trace[] = { "HALT" };
	struct log_options o = test_options();

	o.trace = trace;
	o.nr_trace = 1;
	cr_assert_str_eq(summary_of(o), "HALT()\n");
}

Test(log_summary, nothing_happened)
{
	struct log_options o = test_options();

	o.summary = LOG_SUMMARY_ONLY;
	log_close(log_open(&o));
	cr_assert_str_eq(contents(o.fd), HEAD RULE
			 "  0.00   0.000000     0.00     0.00     0.00      0.00         0        total\n");
}

Test(log_summary, sort_keys)
{
	static const struct { const char *key, *rows; } cases[] = {
		{ "time", ROW_PTE ROW_HALT ROW_TS },
		{ "min-time", ROW_HALT ROW_PTE ROW_TS },
		{ "max-time", ROW_HALT ROW_PTE ROW_TS },
		{ "avg-time", ROW_HALT ROW_PTE ROW_TS },
		{ "median-time", ROW_HALT ROW_PTE ROW_TS },
		{ "p99-time", ROW_HALT ROW_PTE ROW_TS },
		{ "count", ROW_PTE ROW_TS ROW_HALT },
		{ "calls", ROW_PTE ROW_TS ROW_HALT },
		{ "name", ROW_HALT ROW_PTE ROW_TS },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct log_options o = test_options();
		char want[1024];

		o.summary = LOG_SUMMARY_ONLY;
		o.sort = log_sort_parse(cases[i].key);
		snprintf(want, sizeof(want), "%s%s%s", HEAD, cases[i].rows, RULE ROW_TOTAL);
		cr_expect_str_eq(summary_of(o), want, "-S %s", cases[i].key);
	}
}

Test(log_summary, killed_first)
{
	struct log_options o = test_options();

	o.summary = LOG_SUMMARY_ONLY;
	o.sort = log_sort_parse("killed");
	cr_assert(strstr(summary_of(o), RULE ROW_TS));
}

Test(log_summary, unknown_sort_key, .exit_code = 2)
{
	log_sort_parse("colour");
}

Test(log_summary, everything_else_is_counted)
{
	struct log_options o = test_options();
	struct guest_event e = { .kind = EVENT_TRAP, .vector = 14 };
	struct log *log;
	const char *out;

	o.summary = LOG_SUMMARY_ONLY;
	log = log_open(&o);
	log_event(log, &e);
	log_event(log, &e);
	e.vector = 0x80;
	log_event(log, &e);
	e = (struct guest_event) { .kind = EVENT_IRQ, .vector = 0 };
	log_event(log, &e);
	e = (struct guest_event) { .kind = EVENT_REWRITE, .eip = 0x100a2c };
	log_event(log, &e);
	e = call("SET_PTE", 0, 0, 0, 0);
	e.cause = CAUSE_ASYNC;
	e.wait_ns = 2000000;
	log_event(log, &e);
	e = (struct guest_event) { .kind = EVENT_HCALL, .row = HCALL_ROWS, .nr = 99 };
	log_event(log, &e);
	log_close(log);

	out = contents(o.fd);
	cr_expect(strstr(out, HEAD_OF("trap")
			 "  0.00   0.000000     0.00     0.00     0.00      0.00         2        14 #PF\n"
			 "  0.00   0.000000     0.00     0.00     0.00      0.00         1        0x80 syscall\n"),
		  "%s", out);
	cr_expect(strstr(out, "total\n        1 irq 0\n        1 async, waited at most 0.002000 s in all\n"
			      "        1 vmcall rewritten\n"), "%s", out);
	cr_expect(strstr(out, "         1        (unknown)\n"), "%s", out);
}

Test(log_summary, columns)
{
	struct log_options o = test_options();

	o.summary = LOG_SUMMARY_ONLY;
	log_columns_parse(&o, "name,calls,avg-time");
	cr_assert_str_eq(summary_of(o),
			 "hypercall           calls  us/call\n"
			 "--------------- --------- --------\n"
			 "SET_PTE                 3    20.00\n"
			 "HALT                    1    40.00\n"
			 "TS                      2     0.00\n"
			 "--------------- --------- --------\n"
			 "total                   6    16.66\n");
}

Test(log_summary, unknown_column, .exit_code = 2)
{
	struct log_options o;

	log_columns_parse(&o, "calls,colour");
}

Test(log_summary, column_twice, .exit_code = 2)
{
	struct log_options o;

	log_columns_parse(&o, "calls,name,calls");
}

/* Against sorting all values: never further away than the histogram promises. */
Test(log_summary, percentiles)
{
	static struct summary s;
	struct guest_event e = call("HALT", 0, 0, 0, 0);
	const struct summary_row *row = &s.call[e.row];
	uint64_t ns;

	for (ns = 1; ns <= 1000000; ns += 7) {
		e.end_ns = e.start_ns + ns;
		summary_count(&s, &e);
	}
	for (unsigned int p = 1; p <= 100; p++) {
		double want = p * 10000.0, got = (double)summary_percentile(row, p);

		cr_expect(got > want * 0.968 && got < want * 1.032, "p%u: %g, not %g", p, got, want);
	}
	/* Values beyond the histogram are in its last bucket. */
	e.end_ns = e.start_ns + (1ull << 62);
	summary_count(&s, &e);
	cr_expect_eq(row->max_ns, 1ull << 62);
	cr_expect(summary_percentile(row, 50) < 600000);
}

static void take_counted(const void *context, struct log_stops *stops)
{
	*stops = (struct log_stops){
		.n = 2, .row = { { "hypercalls", 0, 0 }, { "page faults", *(const uint64_t *)context, 0 } },
	};
}

Test(log_summary, stops_that_nobody_has_timed)
{
	struct log_options o = test_options();
	uint64_t faults = 7;
	struct log *log;

	o.summary = LOG_SUMMARY_ONLY;
	log = log_open(&o);
	log_set_stops(log, take_counted, &faults);
	log_keep_stops(log);
	faults = 8;
	log_close(log);
	cr_assert(strstr(contents(o.fd), "total\n"
			 "    stops cause\n"
			 "--------- ---------------\n"
			 "        7 page faults\n"
			 "--------- ---------------\n"
			 "        7 total\n"));
}

static void take_timed(const void *context, struct log_stops *stops)
{
	(void)context;
	*stops = (struct log_stops){
		.n = 3, .gates = 4,
		.row = { { "hypercalls", 6, 9000 }, { "page faults", 2, 1000 }, { "(halted)", 0, 30000 } },
	};
}

Test(log_summary, stops_and_their_time)
{
	struct log_options o = test_options();
	struct log *log;

	o.summary = LOG_SUMMARY_ONLY;
	log = log_open(&o);
	log_set_stops(log, take_timed, NULL);
	log_close(log);
	cr_assert(strstr(contents(o.fd),
			 "% time    seconds   us/stop     stops cause\n"
			 "------ ---------- --------- --------- ---------------\n"
			 " 22.50   0.000009      1.50         6 hypercalls\n"
			 "  2.50   0.000001      0.50         2 page faults\n"
			 " 75.00   0.000030                     (halted)\n"
			 "------ ---------- --------- --------- ---------------\n"
			 "100.00   0.000040      5.00         8 total\n"
			 "        4 of the stops by gates: a jump, no trap\n"));
}

Test(log_summary, table_is_never_colored)
{
	struct log_options o = test_options();

	o.summary = LOG_SUMMARY_ONLY;
	o.color = LOG_COLOR_ALWAYS;
	cr_assert_not(strchr(summary_of(o), '\033'));
}
