/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that never ends by itself: "idle" halts, "busy" computes, "chatty"
 * prints, "tick" makes hypercalls, "programs" runs one program after another, each
 * with a page that the next one does not have any more.
 */
#include <guest-rt/guest.h>
#include <guest-rt/user.h>

USER_CODE(program, "incl 0x40001000; int $0x80");

static struct page_tables tables;
static uint8_t code_page[4096] __attribute__((aligned(4096)));
static uint8_t data_page[4096] __attribute__((aligned(4096)));

static void programs(void)
{
	static bool ready;
	struct user_end end;
	unsigned int i;

	if (!ready) {
		tables_init(&tables);
		tables_load(&tables);
		user_load(code_page, program_start, program_end);
		tables_set_user(&tables, 0, guest_pa(code_page) | PTE_USER);
		ready = true;
	}
	for (i = 0; i < 100; i++) {
		tables_set_user(&tables, 1, guest_pa(data_page) | PTE_USER);
		user_run(USER_BASE, USER_BASE + 0x2000, &end);
		/* #GP: its host lost the program. */
		CHECK(end.vector == 0x80 || end.vector == 13);
		tables_set_user(&tables, 1, 0);
	}
	printf("a hundred programs\n");
}

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
		else if (strcmp(how, "programs") == 0)
			programs();
		else if (strcmp(how, "chatty") == 0)
			printf("and on it goes\n");
		else
			__asm__ volatile("pause");
	}
}
