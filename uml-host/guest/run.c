/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The run loop: run guest code until it stops, deal with why, let the log and
 * the devices have their part, deliver interrupts, go on.
 */
#include "base/die.h"
#include "engine/clock.h"
#include "guest/guest.h"

/* How soon to look again when an interrupt is pending that the guest has
 * disabled: most enable them again without telling (ABI 5.5). */
#define RECHECK_NS 200000
/* The same for one that is masked: a timer tick of the original's host. */
#define RECHECK_MASKED_NS 4000000

static void hand_out_events(struct guest *g, const struct guest_owner *owner)
{
	const struct guest_event *event;

	while ((event = trace_peek(g))) {
		if (owner->event)
			owner->event(owner->context, event);
		trace_pop(g);
	}
}

/* Early console text of any length, bounded by the end of memory (ABI 8.3). */
static void early_console(struct guest *g, const struct guest_owner *owner, gpa_t at)
{
	uint8_t text[EVENT_TEXT];
	bool more = true;

	if (at.v >= g->mem_bytes) {
		kill_guest(g, "NOTIFY for 0x%x, which is no device and no memory", at.v);
		return;
	}
	while (more) {
		uint32_t n = guest_read_text(g, at, text, sizeof(text), &more);

		if (n && owner->console)
			owner->console(owner->context, text, n);
		at.v += n;
	}
}

static void serve_requests(struct guest *g, const struct guest_owner *owner)
{
	while (g->request != REQUEST_NONE && g->end == END_RUNNING) {
		gpa_t at = g->request_address;
		uint32_t value = 0;
		bool known;

		switch (g->request) {
		case REQUEST_PORT:
			known = owner->port && owner->port(owner->context, &g->access, &value);
			guest_access_done(g, known, value);
			break;
		case REQUEST_MMIO:
			known = owner->mmio && owner->mmio(owner->context, &g->access, &value);
			guest_access_done(g, known, value);
			break;
		default:
			if (!owner->notify || !owner->notify(owner->context, at))
				early_console(g, owner, at);
			guest_hypercall_continue(g);
		}
		/* More calls than the event ring holds may follow. */
		hand_out_events(g, owner);
	}
}

/* The time since the last call; 0 where nobody wants to know. */
static uint64_t lap(struct guest *g)
{
	uint64_t before = g->stats.lap_ns;

	if (!g->stats.timed)
		return 0;
	g->stats.lap_ns = engine_clock_ns();
	return g->stats.lap_ns - before;
}

/* The time since the last stop is its cause's. */
static void account_stop(struct guest *g)
{
	uint64_t ns = lap(g);

	if (g->stats.cause < NR_STOPS)
		g->stats.stop_ns[g->stats.cause] += ns;
}

/* Everything between two stretches of guest code. */
static void prepare(struct guest *g, struct engine *engine)
{
	uint64_t soon = 0, when;

	guest_check_clock(g);
	if (!(g->hold_interrupts && !g->cpu.halted) && guest_deliver_interrupts(g))
		soon = engine_clock_ns() + RECHECK_NS;
	else if (__atomic_load_n(&g->irq_pending, __ATOMIC_RELAXED) && !g->cpu.halted)
		soon = engine_clock_ns() + RECHECK_MASKED_NS;
	if (soon || g->clock_changed) {
		when = g->clock_deadline;
		engine_set_timer(engine, soon && (!when || soon < when) ? soon : when);
		/* The next look sets it back to the clock's own time. */
		g->clock_changed = soon != 0;
	}
	if (guest_cpl(g) == CPL_USER) {
		if (!g->stats.user_ns)
			g->stats.user_ns = engine_clock_ns();
		/* No user instruction may use the FPU of another task: #NM as if
		 * the first one had (ABI 11.7). */
		if (g->cpu.ts)
			guest_reflect(g, VECTOR_NM, 0);
	}
	guest_sync_ldt(g);
	guest_fix_segments(g);
	guest_reload_bases(g);
	g->stats.views += g->cpu.v.space != guest_current_space(g);
	g->cpu.v.space = (uint16_t)guest_current_space(g);
}

/*
 * Tour 240: The loop that all of this hangs in: run, find out why it stopped, tell
 * whoever wants to know, deliver, go on.  It ends when the guest has a reason to
 * end.
 */
void guest_run(struct guest *g, struct engine *engine, const struct guest_owner *owner)
{
	bool told = false;

	g->stats.started_ns = engine_clock_ns();
	if (trace_wants(g, EVENT_START) && trace_begin(g, EVENT_START))
		trace_commit(g);
	g->stats.cause = NR_STOPS;
	while (g->end == END_RUNNING && !(owner->stop && owner->stop(owner->context))) {
		prepare(g, engine);
		hand_out_events(g, owner);
		if (g->end != END_RUNNING)
			break;
		if (g->cpu.halted) {
			account_stop(g);
			engine_wait(engine, g->clock_deadline);
			g->stats.halted_ns += lap(g);
			continue;
		}
		if (owner->resuming)
			owner->resuming(owner->context);
		account_stop(g);
		engine_run(engine);
		g->stats.guest_ns += lap(g);
		g->stats.cause = NR_STOPS;
		if (g->cpu.v.exit.kind == ENGINE_EXIT_GONE)
			die("the process that ran the guest was killed from outside");
		if (g->cpu.v.crowded)
			guest_crowded(g);
		if (owner->stopped && owner->stopped(owner->context))
			continue;
		guest_handle_exit(g);
		hand_out_events(g, owner);
		if (g->lg.initialised && !told) {
			told = true;
			if (owner->initialised)
				owner->initialised(owner->context);
		}
		serve_requests(g, owner);
	}
	account_stop(g);
	hand_out_events(g, owner);
}
