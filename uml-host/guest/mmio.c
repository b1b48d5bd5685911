/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device registers: I/O ports of the PCI bus and guest-physical addresses
 * behind which there is no RAM.  An access becomes a request to whoever owns
 * the devices; the answer goes into the register the instruction names.
 *
 * Every form of MOV a compiler makes of a register access is understood; what
 * else an instruction does with device memory faults in the guest (ABI 8.6).
 */
#include "engine/decode.h"
#include "guest/guest.h"

/* Byte registers: AL, CL, DL, BL, then AH, CH, DH, BH. */
static uint32_t read_register(const struct guest *g, unsigned int nr, unsigned int width)
{
	const struct engine_regs *r = &g->cpu.v.regs;

	if (width == 1)
		return insn_register(r, nr & 3) >> (nr & 4 ? 8 : 0) & 0xff;
	return width == 2 ? insn_register(r, nr) & 0xffff : insn_register(r, nr);
}

static void write_register(struct guest *g, unsigned int nr, unsigned int width,
			   uint32_t value)
{
	struct engine_regs *r = &g->cpu.v.regs;
	uint32_t mask = width == 4 ? 0xffffffff : width == 2 ? 0xffff : 0xff;
	unsigned int shift = width == 1 && nr & 4 ? 8 : 0;

	if (width == 1)
		nr &= 3;
	insn_set_register(r, nr, (insn_register(r, nr) & ~(mask << shift)) |
				 (value & mask) << shift);
}

/* What the instruction does with its memory operand.  False: not a MOV. */
static bool decode_access(const struct guest *g, const struct insn *i, struct guest_access *a)
{
	unsigned int wide = i->operand16 ? 2 : 4;

	*a = (struct guest_access){ .width = (uint8_t)(i->opcode & 1 ? wide : 1) };
	a->reg = (uint8_t)insn_reg(i);
	a->reg_width = a->width;
	switch (i->opcode) {
	case 0x88: case 0x89:
		a->write = true;
		a->value = read_register(g, a->reg, a->width);
		return true;
	case 0x8a: case 0x8b:
		return true;
	case 0xa0: case 0xa1:
		a->reg = 0;
		return true;
	case 0xa2: case 0xa3:
		a->write = true;
		a->value = read_register(g, 0, a->width);
		return true;
	case 0xc6: case 0xc7:
		a->write = true;
		a->value = i->imm;
		return true;
	case MAP_0F | 0xb6: case MAP_0F | 0xb7: case MAP_0F | 0xbe: case MAP_0F | 0xbf:
		a->width = i->opcode & 1 ? 2 : 1;
		a->reg_width = (uint8_t)wide;
		a->sign = i->opcode & 8;
		return true;
	default:
		return false;
	}
}

bool guest_mmio(struct guest *g, uint32_t address, gpa_t pa)
{
	struct engine_regs *r = &g->cpu.v.regs;
	uint8_t bytes[ENGINE_INSN_MAX];
	struct guest_access a;
	struct insn insn;
	uint32_t n = guest_view_read(g, r->eip, bytes, sizeof(bytes));

	if (guest_cpl(g) != CPL_KERNEL || !insn_decode(bytes, n, &insn) ||
	    !insn.memory || !decode_access(g, &insn, &a))
		return false;
	/* The fault is at the first byte that is not there. */
	if (guest_operand(g, &insn) != address)
		return false;
	a.address = pa.v;
	a.eip = r->eip + insn.len;
	g->access = a;
	g->request = REQUEST_MMIO;
	return true;
}

void guest_port(struct guest *g, uint16_t port, unsigned int width, bool out, uint32_t value)
{
	g->access = (struct guest_access){
		.address = port, .width = (uint8_t)width, .reg_width = (uint8_t)width,
		.write = out, .value = value, .eip = g->cpu.v.regs.eip,
	};
	g->request = REQUEST_PORT;
}

void guest_access_done(struct guest *g, bool known, uint32_t value)
{
	const struct guest_access *a = &g->access;
	bool mmio = g->request == REQUEST_MMIO;

	g->request = REQUEST_NONE;
	if (!known) {
		/* Nobody is there: a port reads ones, memory faults. */
		if (mmio) {
			guest_reflect_page_fault(g, a->write ? PF_WRITE | PF_PRESENT : PF_PRESENT);
			return;
		}
		value = 0xffffffff;
	}
	if (!a->write) {
		if (a->sign && a->width == 1)
			value = (uint32_t)(int8_t)value;
		else if (a->sign)
			value = (uint32_t)(int16_t)value;
		write_register(g, a->reg, a->reg_width, value);
	}
	g->cpu.v.regs.eip = a->eip;
}
