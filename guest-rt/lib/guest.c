/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Beginning and end of a guest.
 */
#include <guest-rt/guest.h>

/* Where the launcher puts a pointer to the command line: in boot_params, at
 * physical 0. */
#define CMD_LINE_PTR 0x228u

void guest_begin(void);

static _Noreturn void shutdown(const char *reason, uint32_t how)
{
	hcall2(LHCALL_SHUTDOWN, guest_pa(reason), how);
	/* The host does not come back from it. */
	for (;;)
		__asm__ volatile("hlt");
}

/* The host reads so many bytes, however short the text. */
static char final_text[LGUEST_SHUTDOWN_TEXT];

void guest_power_off(void)
{
	snprintf(final_text, sizeof(final_text), "Power down");
	shutdown(final_text, LGUEST_SHUTDOWN_POWEROFF);
}

void guest_restart(const char *reason)
{
	snprintf(final_text, sizeof(final_text), "%s", reason);
	shutdown(final_text, LGUEST_SHUTDOWN_RESTART);
}

void guest_panic(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(final_text, sizeof(final_text), fmt, args);
	va_end(args);
	shutdown(final_text, LGUEST_SHUTDOWN_POWEROFF);
}

const char *guest_command_line(void)
{
	static char line[2048];

	/* Below 64 KiB every access costs the host a single step. */
	if (!line[0]) {
		const char *at;

		/* In assembler: a compiler takes so low an address for a null
		 * pointer gone wrong. */
		__asm__ volatile("movl (%1), %0" : "=r"(at) : "r"(CMD_LINE_PTR));
		for (size_t i = 0; i < sizeof(line) - 1; i++) {
			__asm__ volatile("movb (%1), %b0" : "=q"(line[i]) : "r"(at + i));
			if (!line[i])
				break;
		}
	}
	return line;
}

bool guest_option(const char *word)
{
	const char *at = guest_command_line();
	size_t n = strlen(word);

	while (*at) {
		if (!strncmp(at, word, n) && (at[n] == ' ' || !at[n]))
			return true;
		while (*at && *at != ' ')
			at++;
		while (*at == ' ')
			at++;
	}
	return false;
}

void guest_begin(void)
{
	int status = guest_main();

	if (status)
		guest_panic("guest_main returned %d", status);
	guest_power_off();
}
