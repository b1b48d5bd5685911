/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of GDB's remote protocol: "$data#checksum", one byte at a time in, one
 * buffer out.  Pure functions on bytes; they know no command and no socket, and
 * take any byte as it comes.  (GDB manual, "Remote Protocol", "Overview".)
 */
#ifndef GDB_PACKET_H
#define GDB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX 16384u	/* bytes of data, as qSupported announces it */
#define PACKET_FRAMED (2 * PACKET_MAX + 4)	/* when every byte is escaped */

enum packet_event {
	PACKET_NONE,		/* more bytes are needed */
	PACKET_READY,		/* data[0..len) is a packet, and a NUL behind it */
	PACKET_CORRUPT,		/* the checksum is wrong, or none */
	PACKET_TOO_LONG,	/* well formed, but it has more than PACKET_MAX bytes */
	PACKET_AGAIN,		/* '-': the peer wants the last packet again */
	PACKET_INTERRUPT,	/* 0x03 between packets */
	PACKET_ALIEN,		/* what no debugger sends between packets */
};

/* Zero it to begin. */
struct packet_reader {
	uint8_t state;
	bool escaped;
	uint8_t sum, wanted;
	size_t len;		/* of data, unescaped; may count beyond PACKET_MAX */
	char data[PACKET_MAX + 1];
};

enum packet_event packet_feed(struct packet_reader *r, uint8_t byte);

/* Frames n <= PACKET_MAX bytes into `to` of PACKET_FRAMED; returns its length. */
size_t packet_frame(const char *data, size_t n, char *to);

/* Hexadecimal digits: 2 * n of them from n bytes, with a NUL; n bytes from 2 * n
 * digits, false if one of them is none. */
void packet_to_hex(const void *from, size_t n, char *to);
bool packet_from_hex(const char *from, void *to, size_t n);

/* Takes a hexadecimal number of 32 bits from the front of *text; false: there is none,
 * or it is longer. */
bool packet_number(const char **text, uint32_t *value);

#endif
