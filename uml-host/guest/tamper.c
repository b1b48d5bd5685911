/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tampering with hypercalls, as strace does with system calls: to see what a
 * guest makes of a host that fails, dawdles or lies.  Costs one comparison per
 * hypercall when nobody asked for it.
 *
 * It breaks the ABI on purpose, but never the host: what it writes goes through
 * the same checks as everything else.
 */
#include <string.h>

#include "engine/clock.h"
#include "guest/guest.h"

static bool is_due(struct tamper_rule *rule)
{
	uint32_t n = ++rule->seen;

	if (n < rule->first || n > rule->last)
		return false;
	return rule->step ? (n - rule->first) % rule->step == 0 : n == rule->first;
}

struct tamper_rule *guest_tamper_rule(struct guest *g, unsigned int row, enum event_cause cause)
{
	struct tamper_rule *due = NULL;

	/* Each counts what it matches, the first that is due acts. */
	for (uint32_t i = 0; i < g->tamper.rules && i < TAMPER_RULES; i++) {
		struct tamper_rule *rule = &g->tamper.rule[i];
		uint32_t rows = cause == CAUSE_ASYNC ? rule->async : rule->calls;

		if ((rows >> row & 1) && is_due(rule) && !due)
			due = rule;
	}
	return due;
}

static void poke(struct guest *g, const struct tamper_poke *p, const struct hcall_row *row,
		 const uint32_t arg[4])
{
	bool is_virtual = p->arg && row && row->arg[p->arg - 1].kind == ARG_GVA;
	uint32_t address = p->arg ? arg[p->arg - 1] : p->address;
	uint8_t *at;

	if (!p->len)
		return;
	if (is_virtual) {
		guest_write_virtual(g, address, p->byte, p->len);
		return;
	}
	/* Outside memory there is nothing to change. */
	at = guest_bytes(g, gpa(address), p->len);
	if (!at)
		return;
	memcpy(at, p->byte, p->len);
	guest_written(g, gpa(address), p->len);
}

bool guest_tamper_enter(struct guest *g, const struct tamper_rule *rule,
			const struct hcall_row *row, const uint32_t arg[4])
{
	if (rule->delay_enter_ns)
		engine_sleep_ns(rule->delay_enter_ns);
	poke(g, &rule->poke_enter, row, arg);
	if (rule->kill)
		kill_guest(g, "%s", rule->reason);
	return !rule->kill && !rule->skip;
}

void guest_tamper_exit(struct guest *g, const struct tamper_rule *rule,
		       const struct hcall_row *row, const uint32_t arg[4],
		       enum event_cause cause)
{
	poke(g, &rule->poke_exit, row, arg);
	/* A call from the ring has no registers of its own. */
	if (rule->sets_eax && cause != CAUSE_ASYNC)
		g->cpu.v.regs.eax = rule->eax;
	if (rule->raises)
		guest_raise_irq(g, rule->irq);
	if (rule->delay_exit_ns)
		engine_sleep_ns(rule->delay_exit_ns);
}
