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

#endif
