/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page of gates: where it is, and what is where in it.  Also included by the
 * assembler.  See guest/gates.c.
 */
#ifndef ENGINE_GATES_H
#define ENGINE_GATES_H

/* In the top 2 MiB of the address space, which are the host's in every generation,
 * behind lowmem.c's window. */
#define GUEST_GATES 0xffe20000

/* Their offsets in it. */
#define GATE_CALL 0
#define GATE_IRET 0x10
#define GATE_IRET_F 0x20

/* Which of them, as the monitor is told. */
#define GATE_FOR_CALL 0
#define GATE_FOR_IRET 1
#define GATE_FOR_IRET_F 2

#endif
