/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --inject: what its words mean.  What they do is in tests/cli/inject.test. */
#include "log_helper.h"

static struct tamper_rule rule_of(const char *expression)
{
	static struct tamper tamper;

	tamper.rules = 0;
	log_inject_parse(&tamper, expression);
	cr_assert_eq(tamper.rules, 1);
	return tamper.rule[0];
}

Test(log_inject, which_calls)
{
	struct tamper_rule r = rule_of("SET_PTE,%time:skip");

	cr_expect_eq(r.calls, 1u << row_of("SET_PTE") | 1u << row_of("SET_CLOCKEVENT") |
			      1u << row_of("HALT"));
	cr_expect_eq(r.async, r.calls);
	r = rule_of("!SET_PTE:skip");
	cr_expect_eq(r.calls, FILTER_ALL_CALLS & ~(1u << row_of("SET_PTE")));
	r = rule_of("%async:skip");
	cr_expect(r.calls == 0 && r.async == FILTER_ALL_CALLS);
}

Test(log_inject, actions)
{
	struct tamper_rule r = rule_of("TS:skip:retval=0xfffffff2:irq=31:delay_enter=5:delay_exit=2ms");

	cr_expect(r.skip && r.sets_eax && r.raises && !r.kill);
	cr_expect_eq(r.eax, 0xfffffff2);
	cr_expect_eq(r.irq, 31);
	cr_expect_eq(r.delay_enter_ns, 5000);
	cr_expect_eq(r.delay_exit_ns, 2000000);
	r = rule_of("TS:kill=a reason");
	cr_expect(r.kill);
	cr_expect_str_eq(r.reason, "injected: a reason");
	cr_expect_str_eq(rule_of("TS:kill").reason, "injected");
	r = rule_of("TS:poke_enter=@arg2=00fF:poke_exit=@0x1000=42");
	cr_expect(r.poke_enter.arg == 2 && r.poke_enter.len == 2 && r.poke_enter.byte[0] == 0 &&
		  r.poke_enter.byte[1] == 0xff);
	cr_expect(r.poke_exit.arg == 0 && r.poke_exit.address == 0x1000 && r.poke_exit.len == 1 &&
		  r.poke_exit.byte[0] == 0x42);
}

Test(log_inject, when)
{
	static const struct { const char *when; uint32_t first, last, step; } cases[] = {
		{ "TS:skip", 1, UINT32_MAX, 1 }, { "TS:skip:when=3", 3, 3, 1 },
		{ "TS:skip:when=3+", 3, UINT32_MAX, 1 }, { "TS:skip:when=3+2", 3, UINT32_MAX, 2 },
		{ "TS:skip:when=3..7", 3, 7, 1 }, { "TS:skip:when=3..7+2", 3, 7, 2 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tamper_rule r = rule_of(cases[i].when);

		cr_expect(r.first == cases[i].first && r.last == cases[i].last &&
			  r.step == cases[i].step, "%s: %u %u %u", cases[i].when, r.first, r.last,
			  r.step);
	}
}

#define REFUSED(test, expression)				\
	Test(log_inject, refuses_##test, .exit_code = 2)	\
	{							\
		rule_of(expression);				\
	}

REFUSED(no_action, "TS")
REFUSED(only_when, "TS:when=1")
REFUSED(unknown_call, "open:skip")
REFUSED(unknown_action, "TS:explode")
REFUSED(skip_with_value, "TS:skip=1")
REFUSED(no_value, "TS:retval=")
REFUSED(negative, "TS:retval=-1")
REFUSED(wide_value, "TS:retval=0x100000000")
REFUSED(irq_32, "TS:irq=32")
REFUSED(long_delay, "TS:delay_enter=11s")
REFUSED(no_delay, "TS:delay_enter=0")
REFUSED(unknown_unit, "TS:delay_enter=1h")
REFUSED(poke_nowhere, "TS:poke_enter=00")
REFUSED(poke_arg5, "TS:poke_enter=@arg5=00")
REFUSED(poke_nothing, "TS:poke_enter=@arg1=")
REFUSED(poke_half_a_byte, "TS:poke_enter=@arg1=123")
REFUSED(poke_33_bytes, "TS:poke_enter=@arg1=000000000000000000000000000000000000000000000000000000000000000000")
REFUSED(when_zero, "TS:skip:when=0")
REFUSED(when_backwards, "TS:skip:when=5..3")
REFUSED(when_step_zero, "TS:skip:when=5+0")
REFUSED(long_reason, "TS:kill=0123456789012345678901234567890123456789012345678901234567890123")
