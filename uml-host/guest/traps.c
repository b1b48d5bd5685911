/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traps: what happened to guest code, whether the host deals with it silently,
 * and how the rest is reflected into the guest: the frame and the handler.
 *
 * Both guest rings run at ring 3, so the privilege level of everything here is
 * the virtual one, and the user bit of error codes is made from it.
 */
#include <string.h>

#include "engine/clock.h"
#include "guest/guest.h"

/* Vectors whose frame carries an error code. */
#define HAS_ERROR (1u << VECTOR_DF | 1u << VECTOR_TS | 1u << VECTOR_NP | \
		   1u << VECTOR_SS | 1u << VECTOR_GP | 1u << VECTOR_PF | 1u << VECTOR_AC)

#define IRET 0xcf
#define INT_BYTES 2	/* int $n */

#define DR6_BS 0x4000u

void hcall_set_stack(struct guest *g, const uint32_t arg[4])
{
	if ((arg[0] & 3) != LGUEST_GUEST_PL) {
		kill_guest(g, "kernel stack segment 0x%x is not of privilege level 1", arg[0]);
		return;
	}
	if (arg[2] > 2) {
		kill_guest(g, "%u stack pages, at most 2", arg[2]);
		return;
	}
	g->cpu.ss1 = (uint16_t)arg[0];
	g->cpu.esp1 = arg[1];
	g->cpu.stack_pages = arg[2];
	guest_check_stack(g);
}

void hcall_ts(struct guest *g, const uint32_t arg[4])
{
	g->cpu.ts = arg[0] != 0;
}

static bool push(struct guest *g, uint32_t *esp, uint32_t value)
{
	*esp -= 4;
	if (guest_write_virtual(g, *esp, &value, sizeof(value)))
		return true;
	kill_guest(g, "trap frame at 0x%x, where no page is mapped", *esp);
	return false;
}

/*
 * Tour 220: An interrupt or a trap is a few words on the guest's stack and a new EIP.
 * This is what the processor would have pushed, down to the privilege level the
 * guest only believes to have.
 */
/* ABI 5.3.  The frame is written through the guest's tables, whatever they say
 * about writing, as the original host did. */
void guest_push_frame(struct guest *g, uint64_t gate, bool has_error, uint32_t error)
{
	struct guest_cpu *cpu = &g->cpu;
	struct engine_regs *r = &cpu->v.regs;
	bool from_user = guest_cpl(g) == CPL_USER;
	uint32_t esp = from_user ? cpu->esp1 : r->esp;
	uint32_t flags = (r->eflags & ~(EFLAGS_IF | EFLAGS_IOPL | EFLAGS_VM)) | EFLAGS_FIXED |
			 guest_irq_enabled(g);

	if (from_user && (!push(g, &esp, cpu->ss) || !push(g, &esp, r->esp)))
		return;
	if (!push(g, &esp, flags) || !push(g, &esp, cpu->cs) || !push(g, &esp, r->eip) ||
	    (has_error && !push(g, &esp, error)))
		return;
	if (from_user)
		cpu->ss = cpu->ss1;
	r->ss = ENGINE_FLAT_DS;
	r->esp = esp;
	cpu->cs = LGUEST_KERNEL_CS;
	r->eip = cpu->last_entry = gate_offset(gate);
	/* Older hosts left TF set, and a single-stepped program went on
	 * trapping in the kernel.  AC counts at ring 3 only, where this kernel
	 * runs: a program's alignment checks must not be its kernel's. */
	r->eflags &= ~(EFLAGS_TF | EFLAGS_VM | EFLAGS_RF | EFLAGS_NT | EFLAGS_AC);
	if (gate_masks_interrupts(gate))
		guest_set_irq_enabled(g, 0);
}

static void trace_trap(struct guest *g, unsigned int vector, bool has_error, uint32_t error)
{
	struct guest_event *event;

	if (!trace_wants(g, EVENT_TRAP))
		return;
	event = trace_begin(g, EVENT_TRAP);
	if (!event)
		return;
	event->vector = (uint8_t)vector;
	event->has_error = has_error;
	event->error = error;
	event->address = vector == VECTOR_PF ? g->cpu.v.exit.address : 0;
	event->handler = gate_offset(g->idt[vector]);
	event->end_ns = engine_clock_ns();
	/* Some are raised by the host between two stops. */
	if (g->exit_ns)
		event->start_ns = g->exit_ns;
	trace_commit(g);
}

static void no_handler(struct guest *g, unsigned int vector, uint32_t error)
{
	uint32_t eip = g->cpu.v.regs.eip;

	if (vector == VECTOR_PF)
		kill_guest(g, "unhandled trap 14 at 0x%x (address 0x%x, error code 0x%x)",
			   eip, g->cpu.v.exit.address, error);
	else
		kill_guest(g, "unhandled trap %u at 0x%x (error code 0x%x)",
			   vector, eip, error);
}

static void enter_handler(struct guest *g, unsigned int vector, bool has_error, uint32_t error)
{
	if (!gate_present(g->idt[vector])) {
		no_handler(g, vector, error);
		return;
	}
	trace_trap(g, vector, has_error, error);
	guest_push_frame(g, g->idt[vector], has_error, error);
}

void guest_reflect(struct guest *g, unsigned int vector, uint32_t error)
{
	bool has_error = vector < 32 && (HAS_ERROR >> vector & 1);

	enter_handler(g, vector, has_error, error);
}

/* int n, int3, into: EIP is already behind the instruction of `length` bytes.
 * The gate decides who may (ABI 5.1).  Without one nobody may: the original
 * host's own gate for such a vector is for ring 0, so it is a #GP, and no way
 * for a program to end its guest. */
static void software_interrupt(struct guest *g, unsigned int vector, uint32_t length)
{
	uint64_t gate = g->idt[vector];

	if (!gate_present(gate) || gate_dpl(gate) < guest_cpl(g)) {
		g->cpu.v.regs.eip -= length;
		guest_reflect(g, VECTOR_GP, IDT_ERROR(vector));
		return;
	}
	/* For the guest this is a trap, whatever fault it was on the host. */
	g->cpu.v.regs.eflags &= ~EFLAGS_RF;
	enter_handler(g, vector, false, 0);
}

void guest_reflect_page_fault(struct guest *g, uint32_t error)
{
	uint32_t address = g->cpu.v.exit.address;

	g->stats.cause = STOP_REFLECTED_PAGE;
	guest_set_cr2(g, address);
	g->cpu.reflected_page = address >> GUEST_PAGE_SHIFT;
	guest_reflect(g, VECTOR_PF, error | (guest_cpl(g) == CPL_USER ? PF_USER : 0));
}

void guest_reflect_access(struct guest *g, uint32_t address, bool write)
{
	/* Whether the page is there is for the guest's tables to say. */
	struct guest_pte pte = guest_walk_quiet(g, g->mm.table[g->mm.current].cr3, gva(address));

	g->cpu.v.exit.address = address;
	guest_reflect_page_fault(g, (write ? PF_WRITE : 0) | (pte.present ? PF_PRESENT : 0));
}

static void page_fault(struct guest *g)
{
	const struct engine_exit *x = &g->cpu.v.exit;

	/* A program using its TLS selector as the guest knows it: on the host
	 * that is another segment, whose addresses are wrong. */
	if (guest_fix_segments(g) || guest_demand_page(g, x->address, x->error)) {
		g->stats.cause = STOP_PAGE;
		return;
	}
	if (g->end == END_RUNNING)
		guest_reflect_access(g, x->address, x->error & PF_WRITE);
}

/* The host did an instruction for the guest, and EIP is behind it.  If the guest
 * steps, that was a step.  Where a device has still to answer, or a fault was
 * reflected instead (which clears TF), it was none yet. */
static void done_for_guest(struct guest *g)
{
	if (g->cpu.v.regs.eflags & EFLAGS_TF && g->request == REQUEST_NONE &&
	    g->end == END_RUNNING) {
		g->cpu.dr6 |= DR6_BS;
		guest_reflect(g, VECTOR_DB, 0);
	}
}

/*
 * Tour 60: From here on we are in guest/, which has never heard of processes: a
 * virtual machine in one struct.  A #GP is the guest's way to say almost
 * anything: a hypercall, a system call, an iret, a segment it believes in.
 */
static void general_protection(struct guest *g)
{
	const struct engine_exit *x = &g->cpu.v.exit;
	uint32_t vector = x->error >> 3;

	if (x->error == IDT_ERROR(LGUEST_TRAP_ENTRY) && guest_cpl(g) == CPL_KERNEL) {
		/* The first one tells the generation by its bytes. */
		if (!x->gate && g->lg.initialised)
			guest_patch_call_gate(g);
		g->cpu.v.regs.eip += INT_BYTES;
		g->stats.cause = STOP_HCALL;
		guest_hypercall(g, g->cpu.v.regs.eip - INT_BYTES == g->rewritten_eip ?
				CAUSE_REWRITTEN : CAUSE_INT);
		g->rewritten_eip = 0;
		return;
	}
	if ((x->error & 7) == 2 && vector < LGUEST_IDT_ENTRIES) {
		if (vector == REWRITE_SYSTEM_CALL_VECTOR && guest_was_system_call(g, g->cpu.v.regs.eip))
			vector = LGUEST_SYSCALL_VECTOR;
		/* Hypercalls are the kernel's: vector 0x1F has no gate, and DPL
		 * 1 for everybody else (ABI 1.2). */
		if (vector == LGUEST_TRAP_ENTRY) {
			guest_reflect(g, VECTOR_GP, x->error);
			return;
		}
		g->cpu.v.regs.eip += INT_BYTES;
		if (vector == LGUEST_SYSCALL_VECTOR)
			g->stats.cause = STOP_SYSCALL;
		software_interrupt(g, vector, INT_BYTES);
		return;
	}
	if (guest_vmcall(g)) {
		g->stats.cause = STOP_HCALL;
		return;
	}
	if (guest_fix_segments(g)) {
		g->stats.cause = STOP_SEGMENT;
		if (guest_cpl(g) == CPL_KERNEL)
			guest_patch_data_selector(g);
		return;
	}
	if (guest_load_segment(g)) {
		g->stats.cause = STOP_SEGMENT;
		done_for_guest(g);
		return;
	}
	if (x->insn[0] == IRET && !x->gate && guest_cpl(g) == CPL_KERNEL)
		guest_patch_iret_gate(g);
	if (guest_emulate(g)) {
		g->stats.cause = x->insn[0] == IRET ? STOP_IRET : STOP_EMULATED;
		/* The TF that IRET has loaded is for what comes after. */
		if (x->insn[0] != IRET)
			done_for_guest(g);
		return;
	}
	if (g->end == END_RUNNING)
		guest_reflect(g, VECTOR_GP, x->error);
}

static void debug_exception(struct guest *g)
{
	if (g->cpu.low_step) {
		guest_low_done(g);
		if (!(g->cpu.v.regs.eflags & EFLAGS_TF))
			return;
	}
	g->cpu.dr6 |= DR6_BS;
	guest_reflect(g, VECTOR_DB, 0);
}

static void trap(struct guest *g)
{
	const struct engine_exit *x = &g->cpu.v.exit;

	/* Something else happened before the stepped instruction was done. */
	if (g->cpu.low_step && x->vector != VECTOR_DB)
		guest_low_interrupted(g);
	if (x->vector != VECTOR_PF)
		g->cpu.fault_repeats = 0;
	switch (x->vector) {
	case VECTOR_PF:
		page_fault(g);
		break;
	case VECTOR_GP:
		general_protection(g);
		break;
	case VECTOR_DB:
		debug_exception(g);
		break;
	case VECTOR_UD:
		if (guest_vmcall(g))
			g->stats.cause = STOP_HCALL;
		else
			guest_reflect(g, VECTOR_UD, 0);
		break;
	case VECTOR_AC:
		/* Alignment is checked in programs alone. */
		if (guest_cpl(g) == CPL_KERNEL && g->cpu.v.regs.eflags & EFLAGS_AC)
			g->cpu.v.regs.eflags &= ~EFLAGS_AC;
		else
			guest_reflect(g, VECTOR_AC, 0);
		break;
	default:
		if (x->vector == LGUEST_SYSCALL_VECTOR) {
			g->stats.cause = STOP_SYSCALL;
			guest_patch_system_call(g);
		}
		if (x->software)
			software_interrupt(g, x->vector, x->vector >= 32 ? INT_BYTES : 1);
		else
			guest_reflect(g, x->vector, x->error);
	}
}

static void remember_stop(struct guest *g)
{
	const struct engine_exit *x = &g->cpu.v.exit;
	struct guest_last_stop *stop = &g->last.stop[g->last.n++ % GUEST_LAST_STOPS];

	*stop = (struct guest_last_stop) {
		.eip = g->cpu.v.regs.eip, .eax = g->cpu.v.regs.eax, .error = x->error,
		.address = x->address, .exit = x->kind, .vector = x->vector,
		.cpl = (uint8_t)guest_cpl(g),
	};
}

void guest_handle_exit(struct guest *g)
{
	remember_stop(g);
	g->stats.cause = STOP_OTHER;
	if (trace_wants(g, EVENT_TRAP))
		g->exit_ns = engine_clock_ns();
	switch (g->cpu.v.exit.kind) {
	case ENGINE_EXIT_TRAP:
		trap(g);
		break;
	case ENGINE_EXIT_LONG_MODE:
		/* The virtual processor has no 64-bit mode: a far jump there is
		 * a #GP.  A kernel that tries it means harm. */
		if (guest_cpl(g) == CPL_KERNEL)
			kill_guest(g, "entered 64-bit mode before 0x%x", g->cpu.v.regs.eip);
		else
			guest_reflect(g, VECTOR_GP, 0);
		break;
	default:
		g->stats.cause = STOP_KICK;
		break;
	}
	g->stats.stops[g->stats.cause]++;
	g->exit_ns = 0;
}
