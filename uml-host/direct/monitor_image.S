/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ELF images of the monitor and of a user view as data of uml-host, so that
 * one file is the whole program: the supervisor executes them from memory.
 */
	.section .rodata
	.globl	monitor_image, monitor_image_end
	.balign	16
monitor_image:
	.incbin	MONITOR_ELF
monitor_image_end:

	.globl	view_image, view_image_end
	.balign	16
view_image:
	.incbin	VIEW_ELF
view_image_end:

	.section .note.GNU-stack, "", @progbits
