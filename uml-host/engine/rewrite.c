/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instruction sequences that are replaced.
 *
 * vmcall, whose fault is slow or never comes, becomes the software interrupt
 * the ABI used before it, with a NOP for the third byte.
 *
 * Immediates that are loaded into a segment register right behind become the
 * host's selector of the same segment.  Safe because the register holds nothing
 * else: it is loaded, moved to segment registers, and loaded again.
 */
#include <string.h>

#include "engine/decode.h"
#include "engine/rewrite.h"

/*
 * Tour 10: The story begins in the guest, with three bytes: 0F 01 C1, vmcall.  The
 * kernel wants something only its host can do, has a number in EAX and up to
 * four arguments beside it, and trusts that somebody is listening.
 */
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

/* One per register the entry paths use: DX for system calls and interrupts, CX
 * for traps with an error code. */
static const uint8_t data_selector[][9] = {
	{ 0xba, 0x7b, 0, 0, 0, 0x8e, 0xda, 0x8e, 0xc2 },
	{ 0xb9, 0x7b, 0, 0, 0, 0x8e, 0xd9, 0x8e, 0xc1 },
};

bool rewrite_is_data_selector(const uint8_t *code, size_t n)
{
	size_t row;

	for (row = 0; row < sizeof(data_selector) / sizeof(data_selector[0]); row++)
		if (n >= sizeof(data_selector[row]) &&
		    memcmp(code, data_selector[row], sizeof(data_selector[row])) == 0)
			return true;
	return false;
}

bool rewrite_is_selector_load(const uint8_t code[5], uint8_t modrm, uint32_t selector)
{
	uint32_t value;

	memcpy(&value, code + 1, sizeof(value));
	return code[0] == 0xb8 + (modrm & 7) && value == selector;
}
