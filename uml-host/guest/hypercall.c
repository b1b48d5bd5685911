/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hypercall table and its dispatch.
 *
 * Every trap for a hypercall first empties the async ring, then makes the call
 * itself (ABI 1.6).  No call returns a value or changes a register.  Handlers
 * are in the file of the table they act on.
 */
#include <string.h>

#include "engine/clock.h"
#include "guest/guest.h"

#define GENERATION_NAME(id, name, what) [GENERATION_##id] = name,
const char *const generation_name[NR_GENERATIONS] = { GENERATION_LIST(GENERATION_NAME) };
#define GENERATION_WHAT(id, name, what) [GENERATION_##id] = what,
const char *const generation_what[NR_GENERATIONS] = { GENERATION_LIST(GENERATION_WHAT) };
#define CLASS_NAME(id, name, what) [CLASS_##id] = name,
const char *const hcall_class_name[NR_HCALL_CLASSES] = { HCALL_CLASS_LIST(CLASS_NAME) };

/* Its whole value is that every trap drains the ring first. */
static void hcall_flush_async(struct guest *g, const uint32_t arg[4])
{
	(void)g;
	(void)arg;
}

/* The text every generation powers off with.  A panic uses the same call with
 * another text, and nothing else tells the two apart (ABI 9). */
static bool is_power_off(const uint8_t *text, uint32_t len)
{
	static const char power_down[] = "Power down";

	return len == sizeof(power_down) - 1 && memcmp(text, power_down, len) == 0;
}

/* Generation Z passes 0 for the second argument it does not have; one between Z
 * and Z' (2.6.25) that asks for a restart shall have it (ABI 1.4). */
static void hcall_shutdown(struct guest *g, const uint32_t arg[4])
{
	uint8_t text[LGUEST_SHUTDOWN_TEXT];
	uint32_t len = 0;

	/* The reason for a restart may be a null pointer made physical: the
	 * original host died of reading it and restarted all the same. */
	if (arg[1] == LGUEST_SHUTDOWN_RESTART &&
	    !guest_bytes(g, gpa(arg[0]), sizeof(text))) {
		end_guest(g, END_RESTART, text, 0);
		return;
	}
	guest_read(g, gpa(arg[0]), text, sizeof(text));
	text[sizeof(text) - 1] = '\0';
	while (text[len])
		len++;
	if (arg[1] == LGUEST_SHUTDOWN_RESTART)
		end_guest(g, END_RESTART, text, len);
	else
		end_guest(g, is_power_off(text, len) ? END_POWEROFF : END_CRASH,
			  text, len);
}

static void hcall_notify(struct guest *g, const uint32_t arg[4])
{
	g->request = REQUEST_NOTIFY;
	g->request_address = gpa(arg[0]);
}

/*
 * Tour 100: All the host knows of a call is a row here.  Dispatch, log, filter and
 * summary read the same one, so none of them can disagree with another.
 */
/* Rows with one number stand together. */
const struct hcall_row hcall_table[HCALL_ROWS] = {
	{ 0, CLASS_CONTROL, GENS_ALL, "FLUSH_ASYNC", { { 0 } }, hcall_flush_async },
	{ 1, CLASS_CONTROL, GENS_ALL, "LGUEST_INIT",
	  { { ARG_GPA, "data" } }, hcall_lguest_init },
	{ 2, CLASS_CONTROL, GEN(Z), "CRASH",
	  { { ARG_TEXT, "reason" } }, hcall_shutdown },
	{ 2, CLASS_CONTROL, GENS_ALL & ~GEN(Z), "SHUTDOWN",
	  { { ARG_TEXT, "reason" }, { ARG_HOW, "how" } }, hcall_shutdown },
	{ 3, CLASS_SEGMENT, GENS_TO_S, "LOAD_GDT",
	  { { ARG_GPA, "gdt" }, { ARG_COUNT, "entries" } }, hcall_load_gdt },
	{ 4, CLASS_MEMORY, GENS_ALL, "NEW_PGTABLE",
	  { { ARG_TABLE, "pgdir" } }, hcall_new_pgtable },
	{ 5, CLASS_MEMORY, GENS_ALL, "FLUSH_TLB",
	  { { ARG_SCOPE, "scope" } }, hcall_flush_tlb },
	{ 6, CLASS_INTERRUPT, GENS_ALL, "LOAD_IDT_ENTRY",
	  { { ARG_VECTOR, "vector" }, { ARG_GATE_LO, "lo" }, { ARG_GATE_HI, "hi" } },
	  hcall_load_idt_entry },
	{ 7, CLASS_INTERRUPT, GENS_ALL, "SET_STACK",
	  { { ARG_SELECTOR, "ss" }, { ARG_GVA, "esp" }, { ARG_COUNT, "pages" } },
	  hcall_set_stack },
	{ 8, CLASS_INTERRUPT, GENS_ALL, "TS", { { ARG_TS, "ts" } }, hcall_ts },
	{ 9, CLASS_TIME, GENS_ALL, "SET_CLOCKEVENT",
	  { { ARG_NS, "delta" } }, hcall_set_clockevent },
	{ 10, CLASS_TIME, GENS_ALL, "HALT", { { 0 } }, hcall_halt },
	{ 13, CLASS_MEMORY, GENS_FROM_C, "SET_PMD",
	  { { ARG_TABLE, "pmd" }, { ARG_INDEX, "index" } }, hcall_set_pmd },
	{ 14, CLASS_MEMORY, GENS_ALL, "SET_PTE",
	  { { ARG_TABLE, "pgdir" }, { ARG_GVA, "vaddr" }, { ARG_PTE, "pte" },
	    { ARG_PTE_HI, "pte_hi" } }, hcall_set_pte },
	{ 15, CLASS_MEMORY, GENS_TO_B, "SET_PMD",
	  { { ARG_TABLE, "pgdir" }, { ARG_INDEX, "index" } }, hcall_set_pgd },
	{ 15, CLASS_MEMORY, GENS_FROM_C, "SET_PGD",
	  { { ARG_TABLE, "pgdir" }, { ARG_INDEX, "index" } }, hcall_set_pgd },
	{ 16, CLASS_SEGMENT, GENS_ALL, "LOAD_TLS",
	  { { ARG_GPA, "tls" }, { ARG_INDEX, "cpu" } }, hcall_load_tls },
	{ 17, CLASS_DEVICE, GENS_TO_E, "NOTIFY",
	  { { ARG_NOTIFY, "addr" } }, hcall_notify },
	{ 18, CLASS_SEGMENT, GENS_FROM_B, "LOAD_GDT_ENTRY",
	  { { ARG_INDEX, "index" }, { ARG_DESC_LO, "lo" }, { ARG_DESC_HI, "hi" } },
	  hcall_load_gdt_entry },
	{ 19, CLASS_INTERRUPT, GENS_FROM_C, "SEND_INTERRUPTS", { { 0 } },
	  hcall_send_interrupts },
};

/* The row of call `nr` for the generations this guest can still be; NULL if
 * none of them has such a call. */
static const struct hcall_row *find_row(const struct guest *g, uint32_t nr)
{
	const struct hcall_row *row;

	for (row = hcall_table; row < hcall_table + HCALL_ROWS; row++)
		if (row->nr == nr && (row->gens & g->lg.gens))
			return row;
	return NULL;
}

/* Words as the registers or the ring hold them become arguments in ABI order
 * (ABI 1.2): the oldest generations pass EDX, EBX, ECX. */
static void order_arguments(const struct guest *g, const uint32_t word[5],
			    uint32_t arg[4])
{
	bool old = g->lg.old_registers;

	arg[0] = word[old ? 3 : 1];
	arg[1] = word[old ? 1 : 2];
	arg[2] = word[old ? 2 : 3];
	arg[3] = old ? 0 : word[4];
}

static void fill_text(struct guest *g, struct guest_event *event,
		      const struct hcall_row *row)
{
	bool more = false;
	uint32_t max;

	if (row->arg[0].kind == ARG_TEXT)
		max = LGUEST_SHUTDOWN_TEXT - 1;
	else if (row->arg[0].kind == ARG_NOTIFY && event->arg[0] < g->mem_bytes)
		max = EVENT_TEXT;
	else
		return;
	event->text_len = (uint8_t)guest_read_text(g, gpa(event->arg[0]),
						   event->text, max, &more);
	event->text_more = more;
}

static void fill_outcome(struct guest *g, struct guest_event *event)
{
	size_t n;

	event->end_ns = engine_clock_ns();
	event->end = g->end;
	if (g->end != END_KILLED)
		return;
	n = strlen(g->reason);
	event->text_len = (uint8_t)(n < EVENT_TEXT ? n : EVENT_TEXT);
	event->text_more = n > EVENT_TEXT;
	memcpy(event->text, g->reason, event->text_len);
}

static struct guest_event *begin_event(struct guest *g, const struct hcall_row *row,
				       uint32_t nr, const uint32_t arg[4],
				       enum event_cause cause)
{
	unsigned int index = row ? (unsigned int)(row - hcall_table) : HCALL_ROWS;
	struct guest_event *event;

	if (!trace_wants_row(g, index))
		return NULL;
	event = trace_begin(g, EVENT_HCALL);
	if (!event)
		return NULL;
	event->row = (uint8_t)index;
	event->cause = (uint8_t)cause;
	if (cause == CAUSE_ASYNC && g->lg.ring_empty_ns)
		event->wait_ns = event->start_ns - g->lg.ring_empty_ns;
	event->nr = nr;
	memcpy(event->arg, arg, sizeof(event->arg));
	/* The site, not what follows it: int $0x1f has 2 bytes, vmcall 3. */
	event->eip -= g->hcall_cause == CAUSE_VMCALL ? 3 : 2;
	if (row)
		fill_text(g, event, row);
	return event;
}

void guest_do_hcall(struct guest *g, const uint32_t word[5], enum event_cause cause)
{
	const struct hcall_row *row = find_row(g, word[0]);
	struct tamper_rule *rule = NULL;
	struct guest_event *event;
	uint32_t arg[4];
	bool make = true;

	order_arguments(g, word, arg);
	event = begin_event(g, row, word[0], arg, cause);
	if (g->tamper.rules)
		rule = guest_tamper_rule(g, row ? (unsigned int)(row - hcall_table) : HCALL_ROWS,
					 cause);
	if (rule)
		make = guest_tamper_enter(g, rule, row, arg);
	if (row) {
		if (make)
			row->handler(g, arg);
		/* Only some generations have this call: it is one of them. */
		g->lg.gens &= row->gens;
	} else if (make) {
		kill_guest(g, "unknown hypercall %u", word[0]);
	}
	if (rule)
		guest_tamper_exit(g, rule, row, arg, cause);
	if (event) {
		event->tampered = rule != NULL;
		fill_outcome(g, event);
		event->pae = g->mm.pae;
		trace_commit(g);
	}
}

/* The first hypercall must be LGUEST_INIT, and nothing else may be (ABI 1.5). */
static void first_hcall(struct guest *g, const uint32_t word[5], enum event_cause cause)
{
	if (word[0] != LHCALL_LGUEST_INIT) {
		kill_guest(g, "the first hypercall is %u, not LGUEST_INIT", word[0]);
		return;
	}
	guest_detect(g, cause != CAUSE_INT || guest_was_vmcall(g, g->cpu.v.regs.eip - 2));
	if (g->end == END_RUNNING)
		guest_do_hcall(g, word, cause);
}

/*
 * Tour 80: Before the call itself come those the guest wrote down earlier: no trap
 * passes the ring by.  A call may want something of a device; then we are back
 * here when it is served.
 */
static void make_trapped_call(struct guest *g)
{
	const struct engine_regs *r = &g->cpu.v.regs;
	const uint32_t word[5] = { r->eax, r->ebx, r->ecx, r->edx, r->esi };

	if (!g->lg.initialised) {
		first_hcall(g, word, g->hcall_cause);
		return;
	}
	guest_drain_ring(g);
	if (g->end != END_RUNNING)
		return;
	/* Something for a device came out of the ring: that first, then the
	 * ring again, then this call. */
	g->hcall_unfinished = g->request != REQUEST_NONE;
	if (!g->hcall_unfinished)
		guest_do_hcall(g, word, g->hcall_cause);
}

void guest_hypercall(struct guest *g, enum event_cause cause)
{
	g->hcall_cause = (uint8_t)cause;
	make_trapped_call(g);
}

void guest_hypercall_continue(struct guest *g)
{
	g->request = REQUEST_NONE;
	if (!g->hcall_unfinished || g->end != END_RUNNING)
		return;
	g->hcall_unfinished = false;
	make_trapped_call(g);
}
