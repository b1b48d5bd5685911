/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one door from devices to guest memory: the only file of this room that
 * turns a guest-physical address into a host pointer.  What a pointer names may
 * change under the reader at any time: load each word once, check it, use it.
 */
#include "device/internal.h"

#define PAGE 4096u

void *dev_ptr(const struct device_memory *memory, uint64_t address, uint64_t len)
{
	/* Subtracting, because a sum of two guest numbers may wrap. */
	if (address > memory->bytes || len > memory->bytes - address)
		return NULL;
	return memory->base + address;
}

void dev_written(const struct device_memory *memory, const void *p, size_t len)
{
	size_t at = (size_t)((const uint8_t *)p - memory->base);
	size_t page;

	if (!memory->guards || !len)
		return;
	/* The vCPU may be another process. */
	for (page = at / PAGE; page <= (at + len - 1) / PAGE; page++)
		__atomic_store_n(&memory->guards[page], 0, __ATOMIC_SEQ_CST);
}

void dev_iov_written(const struct device_memory *memory, const struct iovec *iov, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		dev_written(memory, iov[i].iov_base, iov[i].iov_len);
}
