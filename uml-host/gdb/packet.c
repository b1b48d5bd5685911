/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet layer: framing, checksums, escapes, hexadecimal.  See packet.h.
 */
#include <string.h>

#include "gdb/packet.h"

enum { BETWEEN, DATA, SUM_HIGH, SUM_LOW };

#define ESCAPE '}'
#define ESCAPE_XOR 0x20

static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void begin(struct packet_reader *r)
{
	r->state = DATA;
	r->escaped = false;
	r->sum = 0;
	r->len = 0;
}

static enum packet_event between(struct packet_reader *r, uint8_t byte)
{
	switch (byte) {
	case '$':
		begin(r);
		return PACKET_NONE;
	case '+':
		return PACKET_NONE;
	case '-':
		return PACKET_AGAIN;
	case 0x03:
		return PACKET_INTERRUPT;
	default:
		return PACKET_ALIEN;
	}
}

static void take(struct packet_reader *r, uint8_t byte)
{
	r->sum = (uint8_t)(r->sum + byte);
	if (!r->escaped && byte == ESCAPE) {
		r->escaped = true;
		return;
	}
	if (r->len < PACKET_MAX)
		r->data[r->len] = (char)(r->escaped ? byte ^ ESCAPE_XOR : byte);
	if (r->len <= PACKET_MAX)
		r->len++;
	r->escaped = false;
}

static enum packet_event finish(struct packet_reader *r)
{
	r->state = BETWEEN;
	if (r->wanted != r->sum || r->escaped)
		return PACKET_CORRUPT;
	if (r->len > PACKET_MAX)
		return PACKET_TOO_LONG;
	r->data[r->len] = '\0';
	return PACKET_READY;
}

enum packet_event packet_feed(struct packet_reader *r, uint8_t byte)
{
	int value;

	switch (r->state) {
	case DATA:
		if (byte == '#')
			r->state = SUM_HIGH;
		else if (byte == '$')	/* the peer began anew */
			begin(r);
		else
			take(r, byte);
		return PACKET_NONE;
	case SUM_HIGH:
	case SUM_LOW:
		value = digit(byte);
		if (value < 0) {
			r->state = BETWEEN;
			if (byte == '$')
				begin(r);
			return PACKET_CORRUPT;
		}
		if (r->state == SUM_LOW) {
			r->wanted = (uint8_t)(r->wanted | value);
			return finish(r);
		}
		r->wanted = (uint8_t)(value << 4);
		r->state = SUM_LOW;
		return PACKET_NONE;
	default:
		return between(r, byte);
	}
}

size_t packet_frame(const char *data, size_t n, char *to)
{
	uint8_t sum = 0;
	char *at = to;
	size_t i;

	*at++ = '$';
	for (i = 0; i < n; i++) {
		char c = data[i];

		if (c == '$' || c == '#' || c == '*' || c == ESCAPE) {
			*at++ = ESCAPE;
			sum = (uint8_t)(sum + ESCAPE);
			c ^= ESCAPE_XOR;
		}
		*at++ = c;
		sum = (uint8_t)(sum + (uint8_t)c);
	}
	*at++ = '#';
	*at++ = "0123456789abcdef"[sum >> 4];
	*at++ = "0123456789abcdef"[sum & 15];
	return (size_t)(at - to);
}

void packet_to_hex(const void *from, size_t n, char *to)
{
	const uint8_t *byte = from;
	size_t i;

	for (i = 0; i < n; i++) {
		*to++ = "0123456789abcdef"[byte[i] >> 4];
		*to++ = "0123456789abcdef"[byte[i] & 15];
	}
	*to = '\0';
}

bool packet_from_hex(const char *from, void *to, size_t n)
{
	uint8_t *byte = to;
	size_t i;

	for (i = 0; i < n; i++) {
		int high = digit((uint8_t)from[2 * i]);
		int low = high < 0 ? -1 : digit((uint8_t)from[2 * i + 1]);

		if (low < 0)
			return false;
		byte[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool packet_number(const char **text, uint32_t *value)
{
	const char *at = *text;
	uint32_t number = 0;

	for (; digit((uint8_t)*at) >= 0; at++) {
		if (number >> 28)
			return false;
		number = number << 4 | (uint32_t)digit((uint8_t)*at);
	}
	if (at == *text)
		return false;
	*text = at;
	*value = number;
	return true;
}
