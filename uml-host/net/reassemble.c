/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fragments of IPv4 (RFC 791, 3.2): see reassemble.h.  All that is read here is
 * a hostile guest's; nothing is allocated, and no fragment reaches the stack.
 */
#include <stdbool.h>
#include <string.h>

#include "net/reassemble.h"

#define ETHER 14u			/* bytes before the IPv4 header */
#define HEADER_MIN 20u
#define HEADER_MAX 60u
#define PACKET_MAX 65535u		/* of IPv4, header included */
#define UNIT 8u				/* bytes an offset counts in */
#define UNITS (PACKET_MAX / UNIT + 1)
#define FRONT (ETHER + HEADER_MAX)

#define DONT_FRAGMENT 0x4000u		/* in the word of flags and offset */
#define MORE 0x2000u
#define RESERVED 0x8000u
#define OFFSET 0x1fffu

struct datagram {
	bool used;
	int64_t since;			/* ms */
	uint8_t identity[11];		/* identification, protocol, both addresses */
	size_t header;			/* bytes; 0: the first fragment is missing */
	size_t total;			/* bytes after the header; 0: the last is missing */
	size_t got, end;		/* bytes so far, and where the furthest ends */
	bool have[UNITS];
	/* What follows the header begins at FRONT, and the header, with that of the
	 * frame, ends there. */
	uint8_t bytes[ETHER + HEADER_MAX + PACKET_MAX];
};

struct fragment {
	const uint8_t *frame, *payload;
	size_t header, offset, bytes;
	bool more;
};

static struct datagram datagrams[REASSEMBLE_DATAGRAMS];

static unsigned int word(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

static void put_word(uint8_t *p, size_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

/* RFC 1071.  Of a header with its right checksum: 0. */
static unsigned int checksum(const uint8_t *header, size_t bytes)
{
	unsigned int sum = 0;
	size_t i;

	for (i = 0; i < bytes; i += 2)
		sum += word(header + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* False: it is none that could be part of a datagram. */
static bool read_fragment(const uint8_t *frame, size_t len, struct fragment *f)
{
	const uint8_t *ip = frame + ETHER;
	size_t packet = word(ip + 2);
	unsigned int flags = word(ip + 6);

	f->frame = frame;
	f->header = (ip[0] & 0xfu) * 4;
	if (ip[0] >> 4 != 4 || f->header < HEADER_MIN || packet <= f->header ||
	    packet > len - ETHER || flags & RESERVED || checksum(ip, f->header) != 0)
		return false;
	f->payload = ip + f->header;
	f->offset = (flags & OFFSET) * UNIT;
	f->bytes = packet - f->header;
	f->more = flags & MORE;
	return f->offset + f->bytes <= PACKET_MAX - HEADER_MIN &&
	       (!f->more || f->bytes % UNIT == 0);
}

static void read_identity(const uint8_t *ip, uint8_t identity[11])
{
	memcpy(identity, ip + 4, 2);
	identity[2] = ip[9];
	memcpy(identity + 3, ip + 12, 8);
}

/* The datagram of this fragment, or a new one: in a free place, in the oldest's. */
static struct datagram *find(const uint8_t *ip, int64_t now_ms)
{
	struct datagram *oldest = &datagrams[0];
	uint8_t identity[11];
	size_t i;

	read_identity(ip, identity);
	for (i = 0; i < REASSEMBLE_DATAGRAMS; i++) {
		struct datagram *d = &datagrams[i];

		if (d->used && now_ms - d->since > REASSEMBLE_MS)
			d->used = false;
		if (d->used && memcmp(d->identity, identity, sizeof(identity)) == 0)
			return d;
		if (oldest->used && (!d->used || d->since < oldest->since))
			oldest = d;
	}
	oldest->used = true;
	oldest->since = now_ms;
	oldest->header = oldest->total = oldest->got = oldest->end = 0;
	memcpy(oldest->identity, identity, sizeof(identity));
	memset(oldest->have, 0, sizeof(oldest->have));
	return oldest;
}

/* False: it contradicts what is there. */
static bool add(struct datagram *d, const struct fragment *f)
{
	size_t end = f->offset + f->bytes, first = f->offset / UNIT;
	size_t units = (f->bytes + UNIT - 1) / UNIT, known = 0, i;

	if (!f->more) {
		if ((d->total && d->total != end) || d->end > end)
			return false;
		d->total = end;
	} else if (d->total && end > d->total) {
		return false;
	}
	for (i = first; i < first + units; i++)
		known += d->have[i];
	if (known)
		return known == units;	/* sent twice: the first one counts */
	if (f->offset == 0) {
		d->header = f->header;
		memcpy(d->bytes + FRONT - f->header - ETHER, f->frame, ETHER + f->header);
	}
	memset(d->have + first, true, units);
	memcpy(d->bytes + FRONT + f->offset, f->payload, f->bytes);
	d->got += f->bytes;
	if (end > d->end)
		d->end = end;
	return d->header + (d->total ? d->total : d->end) <= PACKET_MAX;
}

static const uint8_t *finish(struct datagram *d, size_t *len)
{
	uint8_t *frame = d->bytes + FRONT - d->header - ETHER;
	uint8_t *ip = frame + ETHER;

	d->used = false;
	put_word(ip + 2, d->header + d->total);
	put_word(ip + 6, 0);
	put_word(ip + 10, 0);
	put_word(ip + 10, checksum(ip, d->header));
	*len = ETHER + d->header + d->total;
	return frame;
}

const uint8_t *reassemble(const uint8_t *frame, size_t *len, int64_t now_ms)
{
	const uint8_t *ip = frame + ETHER;
	struct fragment f;
	struct datagram *d;

	if (*len < ETHER + HEADER_MIN || word(frame + 12) != 0x0800 ||
	    !(word(ip + 6) & ~DONT_FRAGMENT))
		return frame;
	if (!read_fragment(frame, *len, &f))
		return NULL;
	d = find(ip, now_ms);
	if (!add(d, &f)) {
		d->used = false;
		return NULL;
	}
	return d->header && d->total && d->got == d->total ? finish(d, len) : NULL;
}
