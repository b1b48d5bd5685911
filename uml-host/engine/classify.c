/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why guest code stopped: a signal and the bytes at EIP become an x86 vector,
 * error code and address, as the processor would have reported them.
 *
 * The host shows a tracer neither vector nor error code, so some are inferred;
 * each case says how.  `int $0x1f` comes first and costs no ptrace request:
 * it is every hypercall after the first at its site.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>

#include "base/die.h"
#include "engine/decode.h"
#include "engine/exit.h"
#include "engine/ptrace.h"

/* With PTRACE_O_TRACESYSGOOD a system-call stop is told from a SIGTRAP. */
#define SYSCALL_STOP (SIGTRAP | 0x80)

static size_t fetch(struct engine *e, uint32_t va, uint8_t *buf, size_t n)
{
	return e->config.fetch(e->config.owner, e->config.vcpu->space, va, buf, n);
}

/* Two words at EIP as the process itself has them.  They must be what the
 * guest's frames hold: a mapping that differs would be our own bug. */
static void peek_insn(struct engine *e, struct stub *stub, struct engine_exit *x)
{
	uint64_t eip = e->config.vcpu->regs.eip;
	uint8_t view[ENGINE_INSN_MAX + 1], text[16];
	size_t n = fetch(e, (uint32_t)eip, view, ENGINE_INSN_MAX), i;

	for (i = 0; i < n; i += sizeof(long)) {
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKTEXT, stub->pid, (void *)(eip + i), NULL);
		if (errno)
			break;
		memcpy(text + i, &word, sizeof(word));
	}
	n = i < n ? i : n;
	/* The last word may reach into a page that is not mapped; then the
	 * shorter common part has to do. */
	for (i = 0; i < n && text[i] == view[i]; i++)
		;
	memcpy(x->insn, text, i);
	x->insn_len = (uint8_t)i;
}

/* #GP: the error code is not 0 only for software interrupts and selectors. */
static uint32_t gp_error(const struct engine_vcpu *v, const struct engine_exit *x)
{
	struct insn insn;

	if (!insn_decode(x->insn, x->insn_len, &insn))
		return 0;
	if (insn.opcode == 0xcd)
		return insn.imm * 8 + 2;	/* IDT, not external */
	/* mov %reg, %sreg: the selector is in the register. */
	if (insn.opcode == 0x8e && insn_mod(&insn) == 3)
		return insn_register(&v->regs, insn_rm(&insn)) & 0xfffc;
	return 0;
}

/* Does the faulting instruction write?  A page that is mapped and readable can
 * only have refused a write. */
static uint32_t pf_error(struct engine *e, const struct engine_vcpu *v, uint32_t address)
{
	uint32_t word = space_word(&e->config.spaces[v->space], address >> 12);
	uint32_t error = PF_USER | (word ? PF_PRESENT : 0);
	uint8_t bytes[ENGINE_INSN_MAX];
	struct insn insn;
	uint32_t base;
	size_t n;

	if (word && !(space_word_prot(word) & SPACE_EXEC) && address == v->regs.eip)
		return error | PF_FETCH;
	if (word)
		return error | PF_WRITE;
	n = fetch(e, v->regs.eip, bytes, sizeof(bytes));
	if (n == 0)
		return error | PF_FETCH;
	if (!insn_decode(bytes, n, &insn))
		return error;
	base = insn.segment == SEG_FS ? v->fs_base : insn.segment == SEG_GS ? v->gs_base : 0;
	return insn_wrote(&insn, &v->regs, base, address) ? error | PF_WRITE : error;
}

/* The five words iret takes, in mappings the process really has. */
static bool stack_is_mapped(const struct engine *e, const struct engine_vcpu *v)
{
	const struct space *s = &e->config.spaces[v->space];
	uint32_t esp = v->regs.esp;

	return !s->nr_ops && space_word(s, esp >> 12) && space_word(s, (esp + 19) >> 12);
}

static void segv(struct engine *e, struct stub *stub)
{
	struct engine_vcpu *v = e->config.vcpu;
	struct engine_exit *x = &v->exit;
	siginfo_t info;
	uint8_t byte[2] = { 0 };

	/* int n faults at the instruction with its number in the error code;
	 * the bytes are mapped and executable, so nothing else can have. */
	if (fetch(e, v->regs.eip, byte, 2) == 2 && byte[0] == 0xcd) {
		exit_trap(x, VECTOR_GP, byte[1] * 8u + 2);
		return;
	}
	/* iret to a selector of the guest: with its stack mapped it cannot fault
	 * in another way. */
	if (byte[0] == 0xcf && stack_is_mapped(e, v)) {
		uint16_t cs = 0;

		fetch(e, v->regs.esp + 4, (uint8_t *)&cs, sizeof(cs));
		exit_trap(x, VECTOR_GP, cs & 0xfffcu);
		x->insn[0] = byte[0];
		x->insn_len = 1;
		return;
	}
	if (ptrace(PTRACE_GETSIGINFO, stub->pid, NULL, &info) != 0) {
		x->kind = ENGINE_EXIT_GONE;
		return;
	}
	/* Somebody sent it: nothing the guest did. */
	if (info.si_code <= 0) {
		x->kind = ENGINE_EXIT_KICK;
		return;
	}
	if (info.si_code == SEGV_MAPERR || info.si_code == SEGV_ACCERR) {
		uint32_t address = (uint32_t)(uintptr_t)info.si_addr;
		struct space *s = &e->config.spaces[v->space];

		/* The mapping was wanted and waits in the queue: now it is
		 * needed. */
		if (s->nr_ops && space_word(s, address >> 12)) {
			s->urgent = true;
			x->kind = ENGINE_EXIT_KICK;
			return;
		}
		exit_trap(x, VECTOR_PF, pf_error(e, v, address));
		x->address = address;
		return;
	}
	peek_insn(e, stub, x);
	/* into traps behind itself, and only with OF set. */
	if ((v->regs.eflags & 0x800) &&
	    fetch(e, v->regs.eip - 1, byte, 1) == 1 && byte[0] == 0xce) {
		exit_trap(x, VECTOR_OF, 0);
		x->software = true;
		return;
	}
	exit_trap(x, VECTOR_GP, gp_error(v, x));
}

static void sigtrap(struct engine *e, struct stub *stub)
{
	struct engine_exit *x = &e->config.vcpu->exit;
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, stub->pid, NULL, &info) != 0) {
		x->kind = ENGINE_EXIT_GONE;
		return;
	}
	/* int3 comes as SI_KERNEL, debug exceptions with a TRAP_ code. */
	exit_trap(x, info.si_code == SI_KERNEL ? VECTOR_BP : VECTOR_DB, 0);
	x->software = x->vector == VECTOR_BP;
	if (x->vector == VECTOR_DB)
		x->watched = debug_watched(e, stub);
}

static void sigbus(struct engine *e, struct stub *stub)
{
	struct engine_exit *x = &e->config.vcpu->exit;
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, stub->pid, NULL, &info) != 0) {
		x->kind = ENGINE_EXIT_GONE;
		return;
	}
	/* A frame the host cannot provide: its memory or a limit ran out. */
	if (info.si_code == BUS_ADRERR)
		die("the host has no memory left for the guest");
	exit_trap(x, info.si_code == BUS_ADRALN ? VECTOR_AC : VECTOR_SS, 0);
}

static void sigfpe(struct engine *e, struct stub *stub)
{
	struct engine_exit *x = &e->config.vcpu->exit;
	struct insn insn;
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, stub->pid, NULL, &info) != 0) {
		x->kind = ENGINE_EXIT_GONE;
		return;
	}
	peek_insn(e, stub, x);
	if (info.si_code == FPE_INTDIV)
		exit_trap(x, VECTOR_DE, 0);
	else if (insn_decode(x->insn, x->insn_len, &insn) && insn.opcode >= MAP_0F)
		exit_trap(x, VECTOR_XF, 0);
	else
		exit_trap(x, VECTOR_MF, 0);
}

/* PTRACE_SYSEMU stopped a system call before the host did anything. */
static void syscall_stop(struct engine *e, const struct user_regs_struct *regs)
{
	struct engine_vcpu *v = e->config.vcpu;

	/* The host has put -ENOSYS there for the call it did not make. */
	v->regs.eax = (uint32_t)regs->orig_rax;
	exit_system_call(v, regs->rip, e->resumed_eip, e->config.fetch, e->config.owner);
}

/*
 * Tour 50: The processor refuses vmcall in ring 3, and the kernel makes a signal of it.
 * Here a signal and the bytes at EIP become again what the processor had to
 * say: a vector, an error code, an address.
 */
void classify_stop(struct engine *e, struct stub *stub, int signal,
		   const struct user_regs_struct *regs)
{
	struct engine_exit *x = &e->config.vcpu->exit;

	if (regs->cs != HOST_CS32) {
		x->kind = ENGINE_EXIT_LONG_MODE;
		return;
	}
	switch (signal) {
	case SIGSEGV:
		segv(e, stub);
		break;
	case SYSCALL_STOP:
		syscall_stop(e, regs);
		break;
	case SIGILL:
		exit_trap(x, VECTOR_UD, 0);
		peek_insn(e, stub, x);
		break;
	case SIGTRAP:
		sigtrap(e, stub);
		break;
	case SIGFPE:
		sigfpe(e, stub);
		break;
	case SIGBUS:
		sigbus(e, stub);
		break;
	default:
		/* A kick, or a signal somebody sent to the stub: nothing the
		 * guest did.  It is dropped. */
		x->kind = ENGINE_EXIT_KICK;
		atomic_store(&e->kicked, false);
	}
	vmcall_simulate(e->config.simulate, e->config.vcpu);
}
