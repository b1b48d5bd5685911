/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys that are not the guest's. */
#include "device_fixture.h"

struct escape_case {
	const char *name;
	const char *keys;
	const char *guest;		/* what it gets */
	enum escape_action last;	/* of the last key; all others: none */
	unsigned int ms[8];		/* when each is pressed */
};

static const struct escape_case cases[] = {
	{ "plain keys", "ls\r", "ls\r", ESCAPE_NONE, { 0 } },
	{ "quit", "\1x", "", ESCAPE_QUIT, { 0 } },
	{ "quit with shift", "\1X", "", ESCAPE_QUIT, { 0 } },
	{ "help", "\1h", "", ESCAPE_HELP, { 0 } },
	{ "question mark", "\1?", "", ESCAPE_HELP, { 0 } },
	{ "statistics", "\1s", "", ESCAPE_STATS, { 0 } },
	{ "tracing", "\1T", "", ESCAPE_TRACE, { 0 } },
	{ "literal", "\1\1", "\1", ESCAPE_NONE, { 0 } },
	{ "literal, then x", "\1\1x", "\1x", ESCAPE_NONE, { 0 } },
	{ "nothing of ours", "\1e", "\1e", ESCAPE_NONE, { 0 } },
	{ "prefix is held back", "a\1", "a", ESCAPE_NONE, { 0 } },
	{ "late x", "\1x", "", ESCAPE_QUIT, { 0, 60000 } },
	{ "three", "\3\3\3", "\3\3\3", ESCAPE_QUIT, { 0, 100, 999 } },
	{ "a second apart", "\3\3\3", "\3\3\3", ESCAPE_NONE, { 0, 100, 1000 } },
	{ "the last three count", "\3\3\3\3", "\3\3\3\3", ESCAPE_QUIT, { 0, 900, 1200, 1800 } },
	{ "key between", "\3\3a\3", "\3\3a\3", ESCAPE_NONE, { 0, 10, 20, 30 } },
	{ "two", "\3\3", "\3\3", ESCAPE_NONE, { 0, 1 } },
	{ "after the prefix", "\1\3\3\3", "\1\3\3\3", ESCAPE_QUIT, { 0 } },
};

Test(device_escape, table)
{
	size_t i, j;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct escape_case *c = &cases[i];
		struct escape e = { 0 };
		char got[32] = "";
		size_t len = 0;

		for (j = 0; c->keys[j]; j++) {
			enum escape_action action;
			unsigned int n, k;
			uint8_t out[2];

			action = escape_key(&e, (uint8_t)c->keys[j],
					    5000000000u + c->ms[j] * 1000000ull, out, &n);
			cr_assert_leq(n, 2);
			for (k = 0; k < n; k++)
				got[len++] = (char)out[k];
			cr_assert_eq(action, c->keys[j + 1] ? ESCAPE_NONE : c->last,
				     "%s, key %zu", c->name, j);
		}
		cr_assert_str_eq(got, c->guest, "%s", c->name);
	}
}
