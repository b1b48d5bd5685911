/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that never ends by itself: "idle" halts, "busy" computes, "chatty"
 * prints, "tick" makes hypercalls.
 */
#include <guest-rt/guest.h>

int guest_main(void)
{
	const char *how = guest_command_line();

	gdt_load();
	idt_load();
	printf("ready\n");
	for (;;) {
		if (strcmp(how, "idle") == 0)
			hcall0(LHCALL_HALT);
		else if (strcmp(how, "tick") == 0)
			hcall0(LHCALL_FLUSH_ASYNC);
		else if (strcmp(how, "chatty") == 0)
			printf("and on it goes\n");
		else
			__asm__ volatile("pause");
	}
}
