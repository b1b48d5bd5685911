/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The user's terminal in raw mode: every key is the guest's.  However the
 * program ends, it gets back the modes it had.
 */
#include <unistd.h>

#include "base/die.h"
#include "device/device.h"

const char terminal_help[] =
	"\r\n"
	"Ctrl-a x       quit\r\n"
	"Ctrl-a h       this help\r\n"
	"Ctrl-a s       statistics\r\n"
	"Ctrl-a t       the log on or off\r\n"
	"Ctrl-a Ctrl-a  send Ctrl-a to the guest\r\n"
	"Ctrl-C         goes to the guest; three within a second quit\r\n";

/* Async-signal-safe, as every cleanup: tcsetattr is. */
static void restore(void *arg)
{
	struct terminal *t = arg;

	if (t->raw)
		tcsetattr(t->fd, TCSANOW, &t->saved);
	t->raw = false;
}

bool terminal_raw(struct terminal *t, int fd)
{
	struct termios raw;

	*t = (struct terminal){ .fd = fd };
	if (!isatty(fd) || tcgetattr(fd, &t->saved) != 0)
		return false;
	/* In the background the terminal is somebody else's, and changing it
	 * would stop us. */
	if (tcgetpgrp(fd) != -1 && tcgetpgrp(fd) != getpgrp())
		return false;
	raw = t->saved;
	cfmakeraw(&raw);
	/* A newline of ours, or of the guest's early boot, still begins a line. */
	raw.c_oflag |= OPOST | ONLCR;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	/* Before it happens: nothing may come between. */
	t->raw = true;
	cleanup_add(restore, t);
	if (tcsetattr(fd, TCSANOW, &raw) != 0) {
		terminal_restore(t);
		return false;
	}
	return true;
}

void terminal_restore(struct terminal *t)
{
	cleanup_remove(restore, t);
	restore(t);
}
