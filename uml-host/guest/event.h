/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events: what the guest layer tells the log, as records of a fixed size.
 *
 * The guest layer fills a small ring of them while it handles an exit; the run
 * loop hands each to the log before the guest goes on.  A record is complete
 * in itself: the log never looks at guest memory, so what is printed is what
 * was checked and used.
 */
#ifndef GUEST_EVENT_H
#define GUEST_EVENT_H

#include <stdbool.h>
#include <stdint.h>

enum event_kind {
	EVENT_HCALL,	/* a hypercall was made and handled */
	EVENT_TRAP,	/* a trap is reflected into the guest */
	EVENT_IRQ,	/* a virtual interrupt is delivered */
	EVENT_REWRITE,	/* a vmcall site became int $0x1f */
	EVENT_END,	/* the guest is over: always the last event, always sent */
	EVENT_START,	/* its first instruction is about to run; again after a restart */
	EVENT_NOTE,	/* text of the owner's about the event beside it */
	NR_EVENT_KINDS
};

/* How a hypercall came to the host. */
enum event_cause {
	CAUSE_INT,	/* int $0x1f */
	CAUSE_VMCALL,	/* vmcall, emulated in place (--rewrite=emulate) */
	CAUSE_REWRITTEN,/* int $0x1f at a site rewritten from vmcall just now */
	CAUSE_ASYNC,	/* found in the async ring */
};

/* How a guest ended. */
enum guest_end {
	END_RUNNING,	/* it has not */
	END_POWEROFF,	/* SHUTDOWN with the text every guest powers off with */
	END_RESTART,	/* SHUTDOWN(…, 2) */
	END_CRASH,	/* SHUTDOWN with any other text: a panic, say */
	END_KILLED,	/* kill_guest(): it broke a rule of the ABI */
};

#define EVENT_TEXT 128

struct guest_event {
	uint8_t kind;		/* enum event_kind */
	uint8_t cause;		/* enum event_cause, of EVENT_HCALL */
	uint8_t row;		/* index into hcall_table, of EVENT_HCALL; HCALL_ROWS: unknown call */
	uint8_t vector;		/* of EVENT_TRAP; the IRQ number of EVENT_IRQ */
	uint8_t cpl;		/* virtual privilege level when it happened */
	uint8_t end;		/* enum guest_end: EVENT_END, or the call ended the guest */
	bool has_error;		/* error is meaningful */
	bool pae;		/* page-table entries are 8 bytes */
	uint8_t text_len;	/* valid bytes of text */
	uint32_t nr;		/* hypercall number as the guest gave it */
	uint32_t arg[4];	/* arguments in ABI order, whatever registers they came in */
	uint32_t eip;		/* guest EIP: the site of the call, the trapped instruction */
	uint32_t error;		/* x86 error code of EVENT_TRAP */
	uint32_t address;	/* cr2 of a page fault */
	uint32_t handler;	/* EIP the trap or interrupt goes to */
	uint64_t start_ns;	/* CLOCK_MONOTONIC at entry; 0 when not tracing */
	uint64_t end_ns;	/* and when it was handled */
	/* The longest an async call can have waited, since the ring was emptied
	 * before; 0 if not known. */
	uint64_t wait_ns;
	/* EVENT_HCALL SHUTDOWN and NOTIFY: the text named by the argument;
	 * a call that killed the guest: the reason; EVENT_END: the reason.  Raw
	 * guest bytes: escape before printing.  Not NUL-terminated. */
	uint8_t text[EVENT_TEXT];
	uint8_t text_more;	/* text was longer than fits */
	bool tampered;		/* --inject did something to this call */
	char device[24];	/* what a NOTIFY is for, if the owner knows; "" */
	uint8_t pad[6];
	/* Registers when it happened, before any frame was pushed: eax, ecx, edx,
	 * ebx, esp, ebp, esi, edi. */
	uint32_t reg[8];
	uint32_t depth;		/* calls of the async ring made at this stop so far */
	uint32_t pages;		/* host pages mapped for the view it happened in */
};

/* Of guest_event.reg, in the processor's order. */
enum event_reg {
	EVENT_EAX, EVENT_ECX, EVENT_EDX, EVENT_EBX, EVENT_ESP, EVENT_EBP, EVENT_ESI, EVENT_EDI,
};

#define EVENT_RING 256u		/* more than one exit can produce */

struct event_ring {
	uint32_t head, tail;	/* head: next to write; tail: next to read */
	bool ended;		/* `last` waits, to be read after all others */
	struct guest_event last;
	struct guest_event event[EVENT_RING];
};

#endif
