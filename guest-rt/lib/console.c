/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The early console: text the host prints because NOTIFY names its address.
 * Generation F has no NOTIFY; there it is silent until devices come.
 */
#include <guest-rt/guest.h>

#define CHUNK 16	/* what a Linux guest sends at a time */

void console_write(const char *text, size_t n)
{
#if GUEST_HAS_NOTIFY
	while (n) {
		char chunk[CHUNK + 1];
		size_t len = n < CHUNK ? n : CHUNK;

		memcpy(chunk, text, len);
		chunk[len] = '\0';
		hcall1(LHCALL_NOTIFY, guest_pa(chunk));
		text += len;
		n -= len;
	}
#else
	(void)text;
	(void)n;
#endif
}

int printf(const char *fmt, ...)
{
	char line[512];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	console_write(line, strlen(line));
	return n;
}
