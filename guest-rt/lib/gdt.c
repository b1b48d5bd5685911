/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's GDT.  The host keeps its own copy and only learns of changes by
 * hypercalls, so both must be told.
 */
#include <guest-rt/guest.h>

uint64_t guest_gdt[LGUEST_GDT_ENTRIES] = {
	[12] = 0x00cf9a000000ffffull,	/* kernel code */
	[13] = 0x00cf92000000ffffull,	/* kernel data */
	[14] = 0x00cffa000000ffffull,	/* user code */
	[15] = 0x00cff2000000ffffull,	/* user data */
};

void gdt_load(void)
{
#if GUEST_LOADS_WHOLE_GDT
	hcall2(LHCALL_LOAD_GDT, guest_pa(guest_gdt), LGUEST_GDT_ENTRIES);
#else
	uint32_t i;

	for (i = 0; i < LGUEST_GDT_ENTRIES; i++)
		hcall3(LHCALL_LOAD_GDT_ENTRY, i, (uint32_t)guest_gdt[i],
		       (uint32_t)(guest_gdt[i] >> 32));
#endif
}
