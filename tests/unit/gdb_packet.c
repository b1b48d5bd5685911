/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of the debugger's protocol: what is understood, what is refused, and
 * that no bytes at all lead beyond the buffers.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "gdb/packet.h"

static struct packet_reader reader;

/* The event after the last of n bytes; none may come before. */
static enum packet_event feed(const char *bytes, size_t n)
{
	enum packet_event event = PACKET_NONE;
	size_t i;

	for (i = 0; i < n; i++) {
		cr_assert_eq(event, PACKET_NONE);
		event = packet_feed(&reader, (uint8_t)bytes[i]);
	}
	return event;
}

#define FEED(text) feed(text, sizeof(text) - 1)

Test(gdb_packet, a_packet_is_data_and_its_sum)
{
	cr_assert_eq(FEED("$m0,4#fd"), PACKET_READY);
	cr_assert_str_eq(reader.data, "m0,4");
	cr_assert_eq(FEED("+$#00"), PACKET_READY);
	cr_assert_eq(reader.len, 0u);
	cr_assert_eq(FEED("$O#4F"), PACKET_READY, "digits of either case");
}

Test(gdb_packet, a_wrong_sum_is_corrupt)
{
	cr_assert_eq(FEED("$m0,4#fc"), PACKET_CORRUPT);
	cr_assert_eq(FEED("$m0,4#x"), PACKET_CORRUPT);
	cr_assert_eq(FEED("$g#67"), PACKET_READY, "and the next one is not");
	/* A packet may begin where a digit should be. */
	cr_assert_eq(FEED("$m#$"), PACKET_CORRUPT);
	cr_assert_eq(FEED("g#67"), PACKET_READY);
}

Test(gdb_packet, a_packet_can_begin_anew)
{
	cr_assert_eq(FEED("$m0,$g#67"), PACKET_READY);
	cr_assert_str_eq(reader.data, "g");
}

Test(gdb_packet, between_packets)
{
	cr_assert_eq(FEED("\x03"), PACKET_INTERRUPT);
	cr_assert_eq(FEED("+"), PACKET_NONE);
	cr_assert_eq(FEED("-"), PACKET_AGAIN);
	cr_assert_eq(FEED("G"), PACKET_ALIEN);
	/* In a packet 0x03 is data. */
	cr_assert_eq(FEED("$\x03#03"), PACKET_READY);
}

Test(gdb_packet, escapes)
{
	/* The sum is of the bytes as sent: 7d 03 7d 5d. */
	cr_assert_eq(FEED("$}\x03}]#5a"), PACKET_READY);
	cr_assert_eq(reader.len, 2u);
	cr_assert_arr_eq(reader.data, "#}", 2);
	cr_assert_eq(FEED("$}#7d"), PACKET_CORRUPT, "nothing behind an escape");
}

Test(gdb_packet, what_is_framed_is_read_back)
{
	char data[512], framed[2 * sizeof(data) + 4];
	size_t i, n;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (char)i;
	n = packet_frame(data, sizeof(data), framed);
	cr_assert_eq(feed(framed, n), PACKET_READY);
	cr_assert_eq(reader.len, sizeof(data));
	cr_assert_arr_eq(reader.data, data, sizeof(data));
}

/* n times '0', with the sum. */
static enum packet_event long_packet(size_t n)
{
	static char framed[PACKET_FRAMED + 64];
	char *data = malloc(n);
	enum packet_event event;

	memset(data, '0', n);
	event = feed(framed, packet_frame(data, n, framed));
	free(data);
	return event;
}

Test(gdb_packet, the_longest_fits_and_one_more_does_not)
{
	cr_assert_eq(long_packet(PACKET_MAX), PACKET_READY);
	cr_assert_eq(reader.len, PACKET_MAX);
	cr_assert_eq(reader.data[PACKET_MAX], '\0');
	cr_assert_eq(long_packet(PACKET_MAX + 1), PACKET_TOO_LONG);
	cr_assert_eq(FEED("$g#67"), PACKET_READY);
}

Test(gdb_packet, an_endless_packet_is_not_kept)
{
	size_t i;

	cr_assert_eq(FEED("$"), PACKET_NONE);
	for (i = 0; i < 10 * PACKET_MAX; i++)
		cr_assert_eq(packet_feed(&reader, (uint8_t)('}' - i % 2)), PACKET_NONE);
	cr_assert_eq(reader.len, PACKET_MAX + 1);
}

Test(gdb_packet, any_bytes_at_all)
{
	uint32_t x = 1;
	int i;

	for (i = 0; i < 4000000; i++) {
		x = x * 1664525 + 1013904223;
		/* Framing bytes more often than chance has them. */
		packet_feed(&reader, x >> 30 ? (uint8_t)(x >> 16) : (uint8_t)"$#}0"[x >> 28]);
		cr_assert(reader.len <= PACKET_MAX + 1);
	}
}

Test(gdb_packet, hexadecimal)
{
	uint8_t byte[3];
	char text[7];

	packet_to_hex("\x00\xa5\xff", 3, text);
	cr_assert_str_eq(text, "00a5ff");
	cr_assert(packet_from_hex("00A5ff", byte, 3));
	cr_assert_arr_eq(byte, "\x00\xa5\xff", 3);
	cr_assert_not(packet_from_hex("00a", byte, 2), "a digit is missing");
	cr_assert_not(packet_from_hex("0g", byte, 1));
}

Test(gdb_packet, numbers)
{
	const char *text = "c0100000,4", *empty = ",", *wide = "100000000";
	uint32_t n = 0;

	cr_assert(packet_number(&text, &n));
	cr_assert_eq(n, 0xc0100000);
	cr_assert_str_eq(text, ",4");
	cr_assert_not(packet_number(&empty, &n));
	cr_assert_not(packet_number(&wide, &n), "33 bits");
}
