/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest half of the benchmark as data, so that `uml-host bench` needs no
 * other file.
 */
	.section .rodata
	.globl	bench_image, bench_image_end
	.balign	16
bench_image:
	.incbin	BENCH_ELF
bench_image_end:

	.section .note.GNU-stack, "", @progbits
