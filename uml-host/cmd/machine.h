/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest with all that belongs to it: memory, image, engine, log.  What run,
 * trace and bench share.
 */
#ifndef CMD_MACHINE_H
#define CMD_MACHINE_H

#include "cmd/options.h"
#include "guest/guest.h"

struct machine;

/* Memory of `mem_bytes` for a guest, zeroed, and its state; dies if the host
 * has not enough. */
struct machine *machine_open(const struct options *o);

/* The devices of the options, and the console on stdin and stdout. */
void machine_add_devices(struct machine *m);

/* Loads the image and puts the guest in its initial state. */
void machine_load(struct machine *m);

/* Starts the engine alone, for measurements; machine_load() does it too. */
void machine_open_engine(struct machine *m);
/* What vmcall does here: the measured value, or the simulated one. */
enum vmcall_behaviour machine_vmcall(const struct machine *m);
/* The engine's floor: ns of one bare stop and resume, the mean of `rounds`.
 * Before anything has run. */
uint64_t machine_floor_ns(struct machine *m, unsigned int rounds);

/* Runs it to its end, restarting it where it asks for that.  `log` may be NULL.
 * Returns the exit status. */
int machine_run(struct machine *m, struct log *log);

/* Prints statistics soon: the log's summary if there is a log, else why the guest
 * stopped, on stderr.  Async-signal-safe. */
void machine_request_stats(struct machine *m);

void machine_close(struct machine *m);

struct guest *machine_guest(struct machine *m);
/* Guest-physical 0 in this process, and how many bytes are RAM. */
uint8_t *machine_ram(struct machine *m);
/* Early console text goes there instead of stdout. */
void machine_set_console(struct machine *m,
			 void (*console)(void *ctx, const uint8_t *text, uint32_t len),
			 void *ctx);

#endif
