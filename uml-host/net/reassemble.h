/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPv4 datagrams put together before the TCP/IP stack sees them.  The stack
 * would keep the fragments a guest never completes without a bound; here there
 * is one, of memory that is set aside from the start, and a flood of fragments
 * costs other fragments, nothing else.
 */
#ifndef NET_REASSEMBLE_H
#define NET_REASSEMBLE_H

#include <stddef.h>
#include <stdint.h>

#define REASSEMBLE_DATAGRAMS 64		/* incomplete at a time; the oldest goes first */
#define REASSEMBLE_MS 30000		/* so long one waits for its rest */

/*
 * Takes an Ethernet frame of *len bytes, at the time `now_ms` of a monotonic
 * clock.  Returns the frame to hand on and sets *len: the same one, or a whole
 * datagram that this fragment completed, at most 14 + 65535 bytes and valid until
 * the next call.  NULL: the fragment is kept, or wrong and dropped.
 *
 * Fragments that overlap without being the same drop their datagram (as Linux
 * does; RFC 5722 demands it of IPv6).
 */
const uint8_t *reassemble(const uint8_t *frame, size_t *len, int64_t now_ms);

#endif
