/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that asks to be restarted, each time.  It finds its memory as at the
 * first time, or it crashes.
 */
#include <guest-rt/guest.h>

static unsigned int starts;	/* in .bss: zero at every start */
static unsigned int marker = 1;	/* in .data: loaded again */

int guest_main(void)
{
	CHECK(starts == 0 && marker == 1);
	/* Somewhere no segment is loaded to. */
	CHECK(*(volatile uint32_t *)0x300000 == 0);
	starts++;
	marker++;
	*(volatile uint32_t *)0x300000 = 0x1234;
	printf("up\n");
	guest_restart("once more");
}
