/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The smallest guest: says hello and powers off.
 */
#include <guest-rt/guest.h>

int guest_main(void)
{
	printf("Hello from an lguest guest.\n");
	return 0;
}
