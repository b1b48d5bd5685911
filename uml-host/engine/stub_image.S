/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stub's ELF image as data of uml-host, so that one file is the whole
 * program: the supervisor executes it from memory.
 */
	.section .rodata
	.globl	stub_image, stub_image_end
	.balign	16
stub_image:
	.incbin	STUB_ELF
stub_image_end:

	.section .note.GNU-stack, "", @progbits
