/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the debugger's room share; nobody else includes this.
 *
 *	socket.c	listening, one peer at a time, bytes in and out
 *	packet.c	bytes and packets
 *	stub.c		commands, and when the guest stops and goes on
 *	target.c	memory, breakpoints, single steps
 *	registers.c	the register file and its description
 *	monitor.c	`monitor`: the guest's tables in words
 */
#ifndef GDB_INTERNAL_H
#define GDB_INTERNAL_H

#include <stdatomic.h>

#include "gdb/gdb.h"
#include "gdb/packet.h"

/* --- socket.c ------------------------------------------------------------------- */

struct gdb_socket {
	int listener, client;	/* client -1: nobody is attached */
	int wake;		/* an eventfd: gdb_wake */
	atomic_bool leaving;
	atomic_bool signalled;	/* something happened at a descriptor */
	struct engine *engine;	/* to kick */
	const char *path;	/* of a Unix socket, to be removed; or NULL */
	size_t at, len;		/* unread bytes of in[] */
	uint8_t in[4096];
};

void socket_open(struct gdb_socket *s, const char *where);
void socket_close(struct gdb_socket *s);
/* Accepts who waits; true if that is a new peer.  A second one is sent away. */
bool socket_accept(struct gdb_socket *s);
void socket_drop(struct gdb_socket *s);
/* One byte; -1: none there now, or the peer is gone (client is -1 then). */
int socket_byte(struct gdb_socket *s);
/* Sleeps until there is something to accept or to read, or gdb_wake. */
void socket_sleep(struct gdb_socket *s);
/* Drops a peer that does not read for SEND_SECONDS. */
void socket_send(struct gdb_socket *s, const void *from, size_t n);

/* --- target.c ------------------------------------------------------------------- */

/* As in packets Z0 to Z4. */
enum { BREAK_SOFTWARE, BREAK_HARDWARE, WATCH_WRITE, WATCH_READ, WATCH_ACCESS };

#define TARGET_BREAKPOINTS 256
#define TARGET_DEBUG_REGISTERS 4

enum target_why { WHY_NOTHING, WHY_ATTACH, WHY_INTERRUPT, WHY_STEP, WHY_BREAKPOINT, WHY_WATCH };

struct target {
	struct guest *guest;
	struct engine *engine;
	struct breakpoint {
		uint8_t type;		/* BREAK_… */
		uint8_t bytes;		/* of a watch */
		uint8_t original;	/* what the patch replaced */
		bool patched;
		int8_t reg;		/* its debug register, or -1 */
		uint32_t address;
		gpa_t at;		/* of the patch */
	} breakpoint[TARGET_BREAKPOINTS];
	unsigned int breakpoints;
	bool stepping;		/* until the next instruction is done */
	bool ran;		/* guest code ran since */
	bool borrowed_tf;	/* EFLAGS.TF is ours, not the guest's */
	uint32_t step_eip;
	uint16_t step_cs;
	uint8_t why;		/* enum target_why: the guest is to stop for */
	const struct breakpoint *hit;	/* of the last two whys */
};

/* Bytes of guest-virtual memory, by the guest's own tables; returns how many could be
 * copied before a page that is not mapped. */
uint32_t target_read(struct target *t, uint32_t va, void *to, uint32_t n);
uint32_t target_write(struct target *t, uint32_t va, const void *from, uint32_t n);
/* False: none of this kind is possible there. */
bool target_add(struct target *t, unsigned int type, uint32_t address, uint32_t bytes);
void target_remove(struct target *t, unsigned int type, uint32_t address, uint32_t bytes);
void target_forget(struct target *t);	/* all breakpoints, and why */
/* Breakpoints are in memory only while the guest runs. */
void target_arm(struct target *t);
void target_disarm(struct target *t);
void target_step(struct target *t, bool step);
/* The step is over if the host did the instruction, or a trap led elsewhere. */
void target_look(struct target *t);
void target_resuming(struct target *t);
bool target_stopped(struct target *t);

/* --- registers.c ------------------------------------------------------------------ */

#define REGISTERS 41u
#define REGISTERS_BYTES 308u

/* All, in the order of the description; those not available read as zeroes. */
void registers_read(struct target *t, uint8_t to[REGISTERS_BYTES]);
/* What cannot be written (segments) is left alone; false if the host refuses it. */
bool registers_write(struct target *t, const uint8_t from[REGISTERS_BYTES]);
/* Where register n is among them; 0 bytes: there is none. */
struct register_place { uint16_t at, bytes; } register_place(uint32_t n);
bool register_is_writable(uint32_t n);
const char *registers_xml(void);

/* --- monitor.c -------------------------------------------------------------------- */

/* Has `say` print what `command` asks for. */
void monitor(struct target *t, const char *command,
	     void (*say)(void *context, const char *text), void *context);

#endif
