/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions that need privilege: what the guest kernel executes natively and
 * the host processor refuses at ring 3.  Guest user code gets the #GP it would
 * get anywhere; only IRET is anybody's.
 */
#include "engine/decode.h"
#include "guest/guest.h"

/* What IRET may change at ring 1 and what a user may set: everything but IF,
 * IOPL, VM and the virtual-interrupt bits. */
#define IRET_FLAGS 0x00254dd5u

uint32_t guest_operand(const struct guest *g, const struct insn *i)
{
	uint32_t address = insn_offset(i, &g->cpu.v.regs);

	if (i->segment == SEG_FS)
		return address + g->cpu.v.fs_base;
	if (i->segment == SEG_GS)
		return address + g->cpu.v.gs_base;
	return address;
}

/* --- IRET -------------------------------------------------------------------- */

/* Words of the frame from `word` on, as the current ring may read them.  False:
 * the guest sees a fault, or its page is there on the next try. */
static bool read_frame(struct guest *g, uint32_t *frame, uint32_t word, uint32_t words)
{
	uint32_t at = g->cpu.v.regs.esp + 4 * word;
	uint32_t got = guest_view_read(g, at, frame + word, 4 * words);

	if (got == 4 * words)
		return true;
	/* The first byte that is not there: a frame may lie over two pages. */
	at += got;
	if (guest_demand_page(g, at, 0) || g->end != END_RUNNING)
		return false;
	if (guest_cpl(g) == CPL_KERNEL)
		kill_guest(g, "IRET at 0x%x with no stack at 0x%x", g->cpu.v.regs.eip, at);
	else
		guest_reflect_access(g, at, false);
	return false;
}

/* Only the two flat code segments of a 32-bit Linux exist, and no way leads
 * inward. */
static bool is_code(const struct guest *g, uint16_t cs)
{
	return cs == LGUEST_USER_CS || (cs == LGUEST_KERNEL_CS && guest_cpl(g) == CPL_KERNEL);
}

/*
 * Tour 230: And the way out of a handler.  The processor will not return to a ring-1
 * selector from ring 3, so it faults, and we do what it would not.
 */
/* ABI 5.6.  Always faults at ring 3 for the selectors of a guest, so every way
 * out of the guest kernel comes by here. */
static void iret(struct guest *g)
{
	struct engine_regs *r = &g->cpu.v.regs;
	uint32_t frame[5];	/* EIP, CS, EFLAGS, ESP, SS */
	bool outward;

	if (!read_frame(g, frame, 0, 3))
		return;
	if (!is_code(g, (uint16_t)frame[1])) {
		guest_reflect(g, VECTOR_GP, frame[1] & 0xfffcu);
		return;
	}
	outward = (frame[1] & 3) != guest_cpl(g);
	if (outward && !read_frame(g, frame, 3, 2))
		return;
	if (outward && !guest_is_user_stack(g, (uint16_t)frame[4])) {
		guest_reflect(g, VECTOR_GP, frame[4] & 0xfffcu);
		return;
	}
	r->eip = frame[0];
	/* RF, which the fault of the instruction has set, is gone with it. */
	r->eflags = (r->eflags & ~(IRET_FLAGS | EFLAGS_RF)) | (frame[2] & IRET_FLAGS);
	r->esp = outward ? frame[3] : r->esp + 12;
	if (outward)
		g->cpu.ss = (uint16_t)frame[4];
	g->cpu.cs = (uint16_t)frame[1];
}

/* --- ports ------------------------------------------------------------------- */

static uint32_t ones(unsigned int bytes)
{
	return bytes == 4 ? 0xffffffff : (1u << 8 * bytes) - 1;
}

/* No device answers: reads give ones (ABI 5.9).  Port 0x64 reads 1, a byte to be
 * had and room for a command, so that a keyboard probe finds nonsense at once
 * and a native restart waits for nothing (ABI 8.6, 9). */
static uint32_t port_in(uint16_t port, unsigned int bytes)
{
	return port == 0x64 ? 1 : ones(bytes);
}

/* A pulse on the processor's reset line through the keyboard controller is how
 * a kernel without a restart hypercall (generation Z) restarts. */
static void port_out(struct guest *g, uint16_t port, uint32_t value)
{
	static const uint8_t reason[] = "reset by the keyboard controller";

	if (port == 0x64 && (value & 0xff) == 0xfe)
		end_guest(g, END_RESTART, reason, sizeof(reason) - 1);
}

/* The ports of PCI configuration mechanism #1. */
#define PCI_FIRST 0xcf8u
#define PCI_LAST 0xcffu

static void in_out(struct guest *g, const struct insn *i)
{
	struct engine_regs *r = &g->cpu.v.regs;
	bool wide = i->opcode & 1, out = i->opcode & 2, by_dx = i->opcode & 8;
	unsigned int bytes = !wide ? 1 : i->operand16 ? 2 : 4;
	uint16_t port = (uint16_t)(by_dx ? r->edx : i->imm);

	if (port >= PCI_FIRST && port <= PCI_LAST)
		guest_port(g, port, bytes, out, r->eax & ones(bytes));
	else if (out)
		port_out(g, port, r->eax & ones(bytes));
	else
		r->eax = (r->eax & ~ones(bytes)) | (port_in(port, bytes) & ones(bytes));
}

/* --- control registers, MSRs and the rest ---------------------------------------- */

#define CR0_VALUE 0x80010033u	/* PG, WP, NE, ET, MP, PE */
#define CR0_TS 8u
#define CR4_PAE 0x20u

static bool read_cr(struct guest *g, const struct insn *i)
{
	uint32_t value;

	switch (insn_reg(i)) {
	case 0: value = CR0_VALUE | (g->cpu.ts ? CR0_TS : 0); break;
	case 2: value = g->cpu.fault_address; break;
	case 3: value = g->mm.table[g->mm.current].cr3; break;
	case 4: value = g->mm.pae ? CR4_PAE : 0; break;
	default: return false;
	}
	insn_set_register(&g->cpu.v.regs, insn_rm(i), value);
	return true;
}

static bool read_dr(struct guest *g, const struct insn *i)
{
	uint32_t value = 0;

	if (insn_reg(i) == 6 || insn_reg(i) == 4)
		value = 0xffff0ff0 | g->cpu.dr6;
	else if (insn_reg(i) == 7 || insn_reg(i) == 5)
		value = 0x400;
	insn_set_register(&g->cpu.v.regs, insn_rm(i), value);
	return true;
}

static bool write_dr(struct guest *g, const struct insn *i)
{
	/* No hardware breakpoints: only the status is remembered. */
	if (insn_reg(i) == 6 || insn_reg(i) == 4)
		g->cpu.dr6 = insn_register(&g->cpu.v.regs, insn_rm(i)) & 0xf00f;
	return true;
}

/* HLT is what a stopped machine executes; with interrupts off nothing can ever
 * wake it. */
static void hlt(struct guest *g)
{
	static const uint8_t reason[] = "halted with interrupts off";

	g->cpu.halted = true;
	if (!guest_irq_enabled(g))
		end_guest(g, END_POWEROFF, reason, sizeof(reason) - 1);
}

/* Returns false for what is not emulated. */
static bool execute(struct guest *g, const struct insn *i)
{
	switch (i->opcode) {
	case 0xe4: case 0xe5: case 0xe6: case 0xe7:
	case 0xec: case 0xed: case 0xee: case 0xef:
		in_out(g, i);
		return true;
	case 0xfa:	/* cli */
	case 0xfb:	/* sti: the guest's real flag is in lguest_data */
	case MAP_0F | 0x08:	/* invd */
	case MAP_0F | 0x09:	/* wbinvd */
		return true;
	case 0xf4:
		hlt(g);
		return true;
	case MAP_0F | 0x06:	/* clts */
		g->cpu.ts = false;
		return true;
	case MAP_0F | 0x20:
		return read_cr(g, i);
	case MAP_0F | 0x21:
		return read_dr(g, i);
	case MAP_0F | 0x23:
		return write_dr(g, i);
	case MAP_0F | 0x30:	/* wrmsr: ignored (ABI 11.5) */
		return true;
	case MAP_0F | 0x32:	/* rdmsr: reads zero */
		g->cpu.v.regs.eax = g->cpu.v.regs.edx = 0;
		return true;
	default:
		return false;
	}
}

bool guest_emulate(struct guest *g)
{
	struct engine_exit *x = &g->cpu.v.exit;
	struct insn insn;

	if (!insn_decode(x->insn, x->insn_len, &insn))
		return false;
	if (insn.opcode == 0xcf && !insn.operand16) {
		iret(g);
		return true;
	}
	if (guest_cpl(g) != CPL_KERNEL)
		return false;
	/* The instruction is over, unless it turns out not to be ours. */
	g->cpu.v.regs.eip += insn.len;
	if (execute(g, &insn))
		return true;
	g->cpu.v.regs.eip -= insn.len;
	return false;
}
