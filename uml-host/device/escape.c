/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys that are not the guest's: Ctrl-a and a letter, and three Ctrl-C within
 * one second, as in the old launcher.  A pure function of keys and time.
 */
#include "device/device.h"

#define CONTROL(letter) ((letter) & 0x1f)
#define SECOND_NS 1000000000u

/* Ctrl-C goes to the guest, but the third within a second, with no other key
 * between, is for us. */
static bool third_interrupt(struct escape *e, uint64_t now_ns)
{
	bool third = e->interrupts >= 2 && now_ns - e->first_ns < SECOND_NS;

	if (e->interrupts == 0) {
		e->first_ns = now_ns;
		e->interrupts = 1;
	} else if (e->interrupts == 1) {
		e->second_ns = now_ns;
		e->interrupts = 2;
	} else {
		e->first_ns = e->second_ns;
		e->second_ns = now_ns;
	}
	return third;
}

static enum escape_action after_prefix(uint8_t key, uint8_t out[2], unsigned int *n)
{
	switch (key) {
	case 'x':
	case 'X':
		return ESCAPE_QUIT;
	case 'h':
	case 'H':
	case '?':
		return ESCAPE_HELP;
	case 's':
	case 'S':
		return ESCAPE_STATS;
	case 't':
	case 'T':
		return ESCAPE_TRACE;
	case CONTROL('a'):
		out[(*n)++] = key;
		return ESCAPE_NONE;
	default:
		/* Nothing of ours: the guest gets both. */
		out[(*n)++] = CONTROL('a');
		out[(*n)++] = key;
		return ESCAPE_NONE;
	}
}

enum escape_action escape_key(struct escape *e, uint8_t key, uint64_t now_ns,
			      uint8_t out[2], unsigned int *n)
{
	bool prefixed = e->prefix;

	*n = 0;
	e->prefix = false;
	if (key != CONTROL('c'))
		e->interrupts = 0;
	if (prefixed && key != CONTROL('c'))
		return after_prefix(key, out, n);
	if (prefixed)
		out[(*n)++] = CONTROL('a');
	if (key == CONTROL('a')) {
		e->prefix = true;
		return ESCAPE_NONE;
	}
	out[(*n)++] = key;
	if (key == CONTROL('c') && third_interrupt(e, now_ns))
		return ESCAPE_QUIT;
	return ESCAPE_NONE;
}
