/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Site rewriting: instruction sequences that are replaced by cheaper or
 * possible ones of the same length.  Pure functions on bytes; who may be
 * rewritten and how the bytes get into memory is the guest layer's affair.
 */
#ifndef ENGINE_REWRITE_H
#define ENGINE_REWRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REWRITE_BYTES 3

extern const uint8_t rewrite_vmcall[REWRITE_BYTES];	/* 0F 01 C1 */
extern const uint8_t rewrite_int_1f[REWRITE_BYTES];	/* CD 1F 90 */

bool rewrite_is_vmcall(const uint8_t *bytes, size_t n);
bool rewrite_is_int_1f(const uint8_t bytes[REWRITE_BYTES]);

/* Offset of the next vmcall instruction at or after `at` in code of n bytes, or
 * n if there is none.  Data that looks like one is passed over: the place must
 * be an instruction boundary. */
size_t rewrite_find_vmcall(const uint8_t *code, size_t n, size_t at);

/*
 * Kernel entry code loads the guest's user data selector, 0x7B, into DS and ES:
 *
 *	mov $0x7b,%edx; mov %edx,%ds; mov %edx,%es	(or %ecx)
 *
 * On this host that is another segment, and the first store through it faults.
 * Is this the sequence?  Its immediate is at code[1].
 */
bool rewrite_is_data_selector(const uint8_t *code, size_t n);

/* Does `code`, which ends where `mov %reg,%sreg` is, end in `mov $selector,%reg`
 * of the same register?  The immediate's last four bytes are its value. */
bool rewrite_is_selector_load(const uint8_t code[5], uint8_t modrm, uint32_t selector);

#endif
