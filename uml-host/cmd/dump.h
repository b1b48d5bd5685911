/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trace -v: notes about guest memory beside the calls.
 */
#ifndef CMD_DUMP_H
#define CMD_DUMP_H

#include "guest/guest.h"
#include "log/log.h"

/* Adds what belongs to this event to the log: before the end of a guest, behind
 * a call. */
void dump_event(struct guest *g, struct log *log, const struct guest_event *event);

#endif
