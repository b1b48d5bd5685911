/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instruction sequences that are replaced.  So far one: vmcall, whose fault
 * is slow or never comes, becomes the software interrupt the ABI used before
 * it, with a NOP for the third byte.
 */
#include <string.h>

#include "engine/decode.h"
#include "engine/rewrite.h"

const uint8_t rewrite_vmcall[REWRITE_BYTES] = { 0x0f, 0x01, 0xc1 };
const uint8_t rewrite_int_1f[REWRITE_BYTES] = { 0xcd, 0x1f, 0x90 };

bool rewrite_is_vmcall(const uint8_t *bytes, size_t n)
{
	return n >= REWRITE_BYTES && memcmp(bytes, rewrite_vmcall, REWRITE_BYTES) == 0;
}

bool rewrite_is_int_1f(const uint8_t bytes[REWRITE_BYTES])
{
	return memcmp(bytes, rewrite_int_1f, REWRITE_BYTES) == 0;
}

size_t rewrite_find_vmcall(const uint8_t *code, size_t n, size_t at)
{
	for (; at + REWRITE_BYTES <= n; at++)
		if (code[at] == rewrite_vmcall[0] &&
		    rewrite_is_vmcall(code + at, n - at) && insn_boundary(code, n, at))
			return at;
	return n;
}
