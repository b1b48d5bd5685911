/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest and its engine have counted, for people and for the log.
 */
#ifndef CMD_STATS_H
#define CMD_STATS_H

#include "guest/guest.h"
#include "log/log.h"

/* A log_stops_fn; `context` is a struct guest_stats that may change meanwhile. */
void stats_take(const void *context, struct log_stops *stops);

/* On standard error, as run --stats does. */
void stats_print(const struct guest_stats *s, const struct engine_counters *e);

#endif
