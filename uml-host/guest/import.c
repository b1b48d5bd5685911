/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking over state and events from memory that somebody else can write: a
 * monitor in the guest's own process, which may be the guest's by now.  What
 * comes out holds everything the rest of the code relies on; whether it is true
 * nobody can say.
 */
#include <string.h>

#include "guest/guest.h"

/* A bool is 0 or 1, whatever byte stood there. */
static void make_bool(bool *b)
{
	uint8_t byte;

	memcpy(&byte, b, 1);
	*b = byte != 0;
}

void guest_import(struct guest *own, const struct guest *theirs)
{
	const size_t first = offsetof(struct guest, cpu), end = offsetof(struct guest, trace_rows);

	/* What comes before, the sizes above all, stays as it was set. */
	memcpy((char *)own + first, (const char *)theirs + first, end - first);
	make_bool(&own->lg.initialised);
	make_bool(&own->mm.pae);
	make_bool(&own->mm.pae_known);
	own->mm.current %= GUEST_TABLES;
	own->mm.shown %= GUEST_TABLES;
	/* Spaces are not ours to look at. */
	memset(own->mm.touched, 0, sizeof(own->mm.touched));
	if (own->mm.mode > MM_TABLES)
		own->mm.mode = MM_TABLES;
	if (own->lg.layout >= GUEST_LAYOUTS)
		own->lg.layout = 0;
	if (own->end > END_KILLED)
		own->end = END_KILLED;
	own->reason[sizeof(own->reason) - 1] = '\0';
}

void guest_import_event(struct guest_event *own, const struct guest_event *theirs)
{
	*own = *(const volatile struct guest_event *)theirs;
	make_bool(&own->has_error);
	make_bool(&own->pae);
	make_bool(&own->tampered);
	if (own->kind >= NR_EVENT_KINDS)
		own->kind = EVENT_NOTE;
	if (own->cause > CAUSE_ASYNC)
		own->cause = CAUSE_INT;
	if (own->row > HCALL_ROWS)
		own->row = HCALL_ROWS;
	if (own->end > END_KILLED)
		own->end = END_KILLED;
	if (own->text_len > EVENT_TEXT)
		own->text_len = EVENT_TEXT;
	/* Its owner's to fill in. */
	own->device[0] = '\0';
}
