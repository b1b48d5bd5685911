/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A signal and its frame become what the processor said.  Here, unlike in
 * a tracer, the frame has the vector, the error code and the address.
 */
#include "engine/exit.h"
#include "monitor/monitor.h"

static size_t fetch(void *guest, unsigned int space, uint32_t va, void *to, size_t n)
{
	(void)space;
	return guest_view_read(guest, va, to, (uint32_t)n);
}

static void fetch_insn(struct guest *g)
{
	struct engine_vcpu *v = &g->cpu.v;

	v->exit.insn_len = (uint8_t)guest_view_read(g, v->regs.eip, v->exit.insn, ENGINE_INSN_MAX);
}

static void page_fault(struct guest *g, uint32_t error, uint32_t address)
{
	struct engine_vcpu *v = &g->cpu.v;
	struct space *s = &g->space[v->space];

	/* The mapping was wanted and waits in the queue: now it is needed. */
	if (s->nr_ops && !(error & PF_PRESENT) && space_word(s, address >> 12)) {
		s->urgent = true;
		v->exit.kind = ENGINE_EXIT_KICK;
		return;
	}
	exit_trap(&v->exit, VECTOR_PF, error & (PF_PRESENT | PF_WRITE | PF_USER | PF_FETCH));
	v->exit.address = address;
}

/* Vectors a fault of guest code can have that need no more than their number.
 * A view may claim any; only these have handlers in every kernel. */
static bool is_plain(uint64_t vector)
{
	const uint32_t plain = 1u << VECTOR_DE | 1u << VECTOR_DB | 1u << VECTOR_BR |
			       1u << VECTOR_NP | 1u << VECTOR_SS | 1u << VECTOR_MF |
			       1u << VECTOR_AC | 1u << VECTOR_XF;

	return vector < 32 && (plain >> vector & 1);
}

static void fault(struct guest *g, const greg_t *r)
{
	struct engine_exit *x = &g->cpu.v.exit;
	uint64_t vector = (uint64_t)r[REG_TRAPNO];
	uint32_t error = (uint32_t)r[REG_ERR];

	switch (vector) {
	case VECTOR_PF:
		page_fault(g, error, (uint32_t)r[REG_CR2]);
		break;
	case VECTOR_UD:
		exit_trap(x, VECTOR_UD, 0);
		fetch_insn(g);
		break;
	case VECTOR_BP:
	case VECTOR_OF:
		exit_trap(x, (unsigned int)vector, 0);
		x->software = true;
		break;
	default:
		if (is_plain(vector)) {
			exit_trap(x, (unsigned int)vector, 0);
			break;
		}
		exit_trap(x, VECTOR_GP, error & 0xffff);
		/* Of a software interrupt the error code says it all. */
		if ((error & 7) != 2)
			fetch_insn(g);
	}
}

void monitor_classify(struct guest *g, const struct stop *stop)
{
	struct engine_exit *x = &g->cpu.v.exit;
	bool sent = !monitor_is_fault(stop->signal, stop->code);

	if (sent)
		__atomic_store_n(&channel()->kicked, 0, __ATOMIC_SEQ_CST);
	if ((uint16_t)stop->gregs[REG_CSGSFS] != HOST_CS32) {
		x->kind = ENGINE_EXIT_LONG_MODE;
		return;
	}
	/* A kick, the timer, or somebody's signal: nothing the guest did. */
	if (sent) {
		x->kind = ENGINE_EXIT_KICK;
		return;
	}
	if (stop->signal == SIGSYS)
		exit_system_call(&g->cpu.v, (uint64_t)stop->gregs[REG_RIP], monitor_resumed_eip, fetch, g);
	/* A frame the host cannot provide: its memory or a limit ran out.  From
	 * a view that is hearsay. */
	else if (stop->signal == SIGBUS && stop->code == BUS_ADRERR && !stop->view)
		monitor_end(MONITOR_END_MEMORY);
	else
		fault(g, stop->gregs);
	vmcall_simulate((enum vmcall_behaviour)channel()->simulate, &g->cpu.v);
}
