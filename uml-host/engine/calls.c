/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mapping changes as system calls: see calls.h.  No library beyond memcpy and no
 * system call of its own: the monitor of the direct engine has none.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <asm/ldt.h>

#include "engine/calls.h"

#define LOW_4G 0x100000000ull
#define LDT_WRITE 0x11	/* modify_ldt: write an entry in the new form */

static struct host_call munmap_call(uint64_t start, uint64_t bytes)
{
	return (struct host_call){ .nr = SYS_munmap, .arg = { start, bytes } };
}

static struct host_call map_call(const struct space_op *op, int ram_fd)
{
	uint64_t prot = 0;

	if (op->kind == SPACE_OP_UNMAP)
		return munmap_call((uint64_t)op->page << 12, (uint64_t)op->pages << 12);
	if (op->prot & SPACE_READ)
		prot |= PROT_READ;
	if (op->prot & SPACE_WRITE)
		prot |= PROT_WRITE;
	if (op->prot & SPACE_EXEC)
		prot |= PROT_EXEC;
	return (struct host_call){
		.nr = SYS_mmap,
		.arg = { (uint64_t)op->page << 12, (uint64_t)op->pages << 12, prot,
			 MAP_SHARED | MAP_FIXED, (uint64_t)ram_fd,
			 (uint64_t)op->frame << 12 },
	};
}

/* A guest descriptor as modify_ldt wants it.  Always a data segment of ring 3:
 * code segments or system descriptors would be the guest's way out. */
static struct user_desc ldt_entry(unsigned int index, uint64_t descriptor)
{
	uint32_t lo = (uint32_t)descriptor, hi = (uint32_t)(descriptor >> 32);

	/* The kernel's pattern for an empty entry, which is a #GP to load. */
	if (!descriptor)
		return (struct user_desc){
			.entry_number = index, .read_exec_only = 1, .seg_not_present = 1,
		};
	return (struct user_desc){
		.entry_number = index,
		.base_addr = lo >> 16 | (hi & 0xff) << 16 | (hi & 0xff000000),
		.limit = (lo & 0xffff) | (hi & 0xf0000),
		.seg_32bit = 1,
		.contents = hi >> 10 & 1,	/* expand-down */
		.read_exec_only = !(hi >> 9 & 1),
		.limit_in_pages = hi >> 23 & 1,
		.seg_not_present = !(hi >> 15 & 1),
		.useable = 1,
	};
}

/* The description rides in arguments modify_ldt does not have; `at` is where the
 * call will lie. */
static struct host_call ldt_call(unsigned int index, uint64_t descriptor, uint64_t at)
{
	struct user_desc entry = ldt_entry(index, descriptor);
	struct host_call op = {
		.nr = SYS_modify_ldt,
		.arg = { LDT_WRITE, at + offsetof(struct host_call, arg[3]), sizeof(entry) },
	};

	_Static_assert(sizeof(entry) <= sizeof(op.arg) - 3 * sizeof(op.arg[0]), "it fits");
	memcpy(&op.arg[3], &entry, sizeof(entry));
	return op;
}

struct batch {
	const struct call_target *to;
	uint32_t n;
	long result;
};

/* Room for one more, which lies at *at for whoever makes it. */
static struct host_call *next(struct batch *b, uint64_t *at)
{
	if (b->n == b->to->max) {
		if (!b->result)
			b->result = b->to->make(b->to->context, b->n);
		b->n = 0;
	}
	*at = b->to->at + (uint64_t)b->n * CALL_BYTES;
	return &b->to->op[b->n++];
}

static long carry_out(struct space *s, const struct call_target *to)
{
	struct batch b = { .to = to };
	struct host_call *op;
	unsigned int index;
	uint64_t at;
	uint32_t i;

	if (s->reset)
		*next(&b, &at) = munmap_call(0, LOW_4G);
	for (index = 0; s->ldt_stale && index < SPACE_LDT_ENTRIES; index++) {
		if (!(s->ldt_stale >> index & 1))
			continue;
		op = next(&b, &at);
		*op = ldt_call(index, s->ldt[index], at);
	}
	for (i = 0; i < s->nr_ops; i++)
		*next(&b, &at) = map_call(&s->ops[i], to->ram_fd);
	if (b.n && !b.result)
		b.result = to->make(to->context, b.n);
	s->reset = s->urgent = s->removes = false;
	s->ldt_stale = 0;
	s->nr_ops = 0;
	return b.result;
}

long calls_update(struct space *s, const struct call_target *to)
{
	long result;

	if (!s->urgent && !s->reset && !s->ldt_stale && s->nr_ops <= SPACE_QUEUE / 2)
		return 0;
	result = carry_out(s, to);
	/* vm.max_map_count.  What it has of the LDT was not the reason. */
	if (result == -ENOMEM) {
		space_clear(s);
		result = carry_out(s, to);
	}
	return result;
}
