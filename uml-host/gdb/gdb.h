/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A GDB remote stub for the guest: `target remote` at a socket, all-stop, one
 * debugger at a time.
 *
 * Nothing of it runs while no debugger is attached: the socket announces itself
 * by a signal that kicks the engine, and the run loop then calls gdb_poll.  The
 * peer is input like any other: whatever it sends, nothing of the host but
 * the guest is read or changed.  But the guest is all its own.
 */
#ifndef GDB_GDB_H
#define GDB_GDB_H

#include <stdbool.h>

#include "guest/guest.h"

struct gdb;

struct gdb_config {
	const char *where;	/* accepted by gdb_check_address */
	struct guest *guest;
	struct engine *engine;
	void (*quit)(void *context);	/* the debugger killed the guest */
	void *context;
};

/* "unix:PATH", "tcp:PORT" (127.0.0.1) or "tcp:HOST:PORT".  NULL if it is one of
 * them, else what is wrong. */
const char *gdb_check_address(const char *where);

/* Listens; dies if it cannot.  To be called in the thread that runs the guest, as
 * all of the following but gdb_wake. */
struct gdb *gdb_open(const struct gdb_config *config);
void gdb_close(struct gdb *d);
/* Waits until a debugger attaches, or gdb_wake. */
void gdb_wait(struct gdb *d);

/* Between two stretches of guest code: hears the socket; if the guest is to stop,
 * serves the debugger until it lets the guest go on. */
void gdb_poll(struct gdb *d);
/* Guest code is about to run; it stopped: see struct guest_owner. */
void gdb_resuming(struct gdb *d);
bool gdb_stopped(struct gdb *d);
/* The guest begins anew, with fresh memory. */
void gdb_restarted(struct gdb *d);
/* The guest is over; `status` is uml-host's exit status. */
void gdb_ended(struct gdb *d, int status);
/* The program is about to end: do not wait for a debugger any more.  Any thread. */
void gdb_wake(struct gdb *d);

#endif
