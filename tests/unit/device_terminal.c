/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw mode on a terminal of our own, and its way back. */
#include "device_fixture.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"

static int master, slave;

static struct termios modes(void)
{
	struct termios t;

	cr_assert(tcgetattr(slave, &t) == 0);
	return t;
}

static void open_terminal(void)
{
	cr_assert(openpty(&master, &slave, NULL, NULL, NULL) == 0);
}

Test(device_terminal, raw_and_back)
{
	struct terminal t;
	struct termios before, raw, after;
	char key = 0;

	open_terminal();
	before = modes();
	cr_assert(terminal_raw(&t, slave));
	raw = modes();
	cr_assert_not(raw.c_lflag & (ICANON | ECHO | ISIG | IEXTEN));
	cr_assert_not(raw.c_iflag & (ICRNL | IXON));
	cr_assert(raw.c_oflag & OPOST);
	/* Ctrl-C and Ctrl-S arrive, and at once. */
	cr_assert_eq(write(master, "\3\23\r", 3), 3);
	cr_assert(read(slave, &key, 1) == 1 && key == 3);
	cr_assert(read(slave, &key, 1) == 1 && key == 0x13);
	cr_assert(read(slave, &key, 1) == 1 && key == '\r');
	terminal_restore(&t);
	after = modes();
	cr_assert_eq(after.c_lflag, before.c_lflag);
	cr_assert_eq(after.c_iflag, before.c_iflag);
	cr_assert_eq(after.c_oflag, before.c_oflag);
	/* Twice does no harm. */
	terminal_restore(&t);
}

Test(device_terminal, restored_when_the_program_ends)
{
	struct termios before;
	int status;
	pid_t pid;

	open_terminal();
	before = modes();
	pid = fork();
	if (!pid) {
		static struct terminal t;

		terminal_raw(&t, slave);
		quit(7);
	}
	waitpid(pid, &status, 0);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	cr_assert_eq(modes().c_lflag, before.c_lflag);
}

Test(device_terminal, not_a_terminal)
{
	struct terminal t;
	int fds[2];

	cr_assert(pipe(fds) == 0);
	cr_assert_not(terminal_raw(&t, fds[0]));
	terminal_restore(&t);
}
