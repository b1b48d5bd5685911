/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which generation of the lguest ABI a guest is.
 *
 * One library is built per generation; a program is linked with the one it
 * wants to be.  GUEST_ABI is the letter's number, set on the command line.
 *
 *	generation	instruction	arguments		lguest_data	GDT
 *	A		int $0x1f	edx, ebx, ecx		z		call 3
 *	S (default)	vmcall		ebx, ecx, edx		z		call 3
 *	B		vmcall		ebx, ecx, edx		z		call 18
 *	C		vmcall		ebx, ecx, edx, esi	c		call 18
 *	E		int $0x1f	ebx, ecx, edx, esi	e		call 18
 *	F		int $0x1f	ebx, ecx, edx, esi	f		call 18
 */
#ifndef GUEST_RT_ABI_H
#define GUEST_RT_ABI_H

#define GUEST_ABI_A 1
#define GUEST_ABI_S 2
#define GUEST_ABI_B 3
#define GUEST_ABI_C 4
#define GUEST_ABI_E 5
#define GUEST_ABI_F 6

#ifndef GUEST_ABI
#define GUEST_ABI GUEST_ABI_S
#endif

#define GUEST_USES_VMCALL (GUEST_ABI >= GUEST_ABI_S && GUEST_ABI <= GUEST_ABI_C)
#define GUEST_HAS_ESI (GUEST_ABI >= GUEST_ABI_C)
#define GUEST_LOADS_WHOLE_GDT (GUEST_ABI <= GUEST_ABI_S)
#define GUEST_HAS_NOTIFY (GUEST_ABI <= GUEST_ABI_E)

#endif
