/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lguest hypercalls: the numbers and constants both sides agree on.
 *
 * A guest makes a hypercall with the call number in %eax.  The arguments are
 * in %ebx, %ecx, %edx (and %esi from generation C on); the oldest generations
 * (Z, Z', A) pass them in %edx, %ebx, %ecx.  No hypercall returns a value or
 * changes a register.
 *
 * Source: lguest guests of Linux 2.6.24 to 4.13 and the 2009 vmcall patch.
 */
#ifndef LGUEST_HYPERCALL_H
#define LGUEST_HYPERCALL_H

/* X(number, NAME).  Two names may share a number: the ABI renamed some calls. */
#define LHCALL_LIST(X)		\
	X(0, FLUSH_ASYNC)	\
	X(1, LGUEST_INIT)	\
	X(2, SHUTDOWN)		\
	X(3, LOAD_GDT)		\
	X(4, NEW_PGTABLE)	\
	X(5, FLUSH_TLB)		\
	X(6, LOAD_IDT_ENTRY)	\
	X(7, SET_STACK)		\
	X(8, TS)		\
	X(9, SET_CLOCKEVENT)	\
	X(10, HALT)		\
	X(13, SET_PMD)		\
	X(14, SET_PTE)		\
	X(15, SET_PGD)		\
	X(16, LOAD_TLS)		\
	X(17, NOTIFY)		\
	X(18, LOAD_GDT_ENTRY)	\
	X(19, SEND_INTERRUPTS)

#ifndef __ASSEMBLER__
#define LHCALL_ENUM_(nr, name) LHCALL_##name = (nr),
enum lhcall { LHCALL_LIST(LHCALL_ENUM_) LHCALL_LIMIT = 20 };
#undef LHCALL_ENUM_
#endif

/* Generation Z calls number 2 CRASH; Z to B call number 15 SET_PMD. */
#define LHCALL_CRASH LHCALL_SHUTDOWN

/* Second argument of SHUTDOWN. */
#define LGUEST_SHUTDOWN_POWEROFF 1
#define LGUEST_SHUTDOWN_RESTART 2

/* Bytes the host reads at the address SHUTDOWN names; the last becomes NUL. */
#define LGUEST_SHUTDOWN_TEXT 128

#define LGUEST_TRAP_ENTRY 0x1f	/* int $0x1f */
#define LGUEST_SYSCALL_VECTOR 0x80
#define LGUEST_IRQ_VECTOR 0x20	/* virtual IRQ n is vector 0x20 + n */
#define LGUEST_IRQS 32
#define LGUEST_GUEST_PL 1	/* privilege level of the guest kernel */

#define LGUEST_GDT_ENTRIES 32
#define LGUEST_IDT_ENTRIES 256
#define LGUEST_TLS_ENTRY 6	/* LOAD_TLS fills 6, 7 and 8 */
#define LGUEST_TLS_ENTRIES 3

#define LGUEST_KERNEL_CS 0x61
#define LGUEST_KERNEL_DS 0x69
#define LGUEST_USER_CS 0x73
#define LGUEST_USER_DS 0x7b

#define LGUEST_RING_SIZE 64	/* entries of the async ring */
#define LGUEST_RING_FREE 0xff	/* hcall_status: the slot may be filled */
#define LGUEST_RING_FILLED 0	/* hcall_status: the host has to do it */

/* struct boot_params stands at guest-physical 0, the command line after it. */
#define LGUEST_BOOT_PARAMS 0
#define LGUEST_COMMAND_LINE 0x1000
#define LGUEST_HARDWARE_SUBARCH 1

#endif
