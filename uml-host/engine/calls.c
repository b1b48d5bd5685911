/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mapping changes as system calls: see calls.h.  No library beyond memcpy: the
 * monitor of the direct engine has none.
 */
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

struct host_call call_clear(void)
{
	return munmap_call(0, LOW_4G);
}

struct host_call call_for(const struct space_op *op, int ram_fd)
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

struct host_call call_for_ldt(unsigned int index, uint64_t descriptor, uint64_t at)
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
