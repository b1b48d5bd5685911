/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ways out: the status, one line, and every cleanup once, last one first.
 * Each is taken by a child of its own.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base_helper.h"

static char a[] = "a", b[] = "b", c[] = "c";

static void three(void)
{
	cleanup_add(say_name, a);
	cleanup_add(say_name, b);
	cleanup_add(say_name, c);
}

/* act in a child: its status, and the whole of its stderr */
static void ends(void (*act)(void *), void *arg, int status, const char *text)
{
	struct ending end;

	end_of(&end, act, arg);
	cr_expect(exited(&end, status), "wait status 0x%x, wanted exit %d", end.status, status);
	cr_expect_str_eq(end.text, text);
}

static void act_die(void *unused)
{
	(void)unused;
	three();
	die("no %s for %d", "bread", 7);
}

Test(base_die, die_cleans_up_then_says_one_line)
{
	ends(act_die, NULL, STATUS_HOST, "cbauml-host: no bread for 7\n");
}

static void act_die_of_control(void *unused)
{
	(void)unused;
	die("%s", "a\033[2J\n\177 \302\233 \233 \303\251 \342\200\223");
}

Test(base_die, a_message_has_no_control_characters)
{
	ends(act_die_of_control, NULL, STATUS_HOST,
	     "uml-host: a\\x1b[2J\\x0a\\x7f \302\\x9b \\x9b \303\251 \342\200\223\n");
}

static void act_die_of_length(void *unused)
{
	static char text[5000];

	(void)unused;
	memset(text, '\033', sizeof(text) - 1);
	die("%s", text);
}

/* 1023 bytes with "uml-host: "; each that follows it takes four. */
Test(base_die, a_long_message_is_cut)
{
	struct ending end;

	end_of(&end, act_die_of_length, NULL);
	cr_expect(exited(&end, STATUS_HOST));
	cr_expect_eq(strlen(end.text), 10 + 1013 * 4 + 1);
}

static void act_die_errno(void *unused)
{
	(void)unused;
	three();
	errno = ENOENT;
	die_errno("no %s", "bread");
}

Test(base_die, die_errno_names_the_error)
{
	ends(act_die_errno, NULL, STATUS_HOST, "cbauml-host: no bread: No such file or directory\n");
}

static void clobber_errno(void *unused)
{
	(void)unused;
	errno = EBADF;
}

static void act_errno_kept(void *unused)
{
	(void)unused;
	cleanup_add(clobber_errno, NULL);
	errno = ENOENT;
	die_errno("no bread");
}

Test(base_die, die_errno_tells_the_error_from_before_the_cleanups)
{
	ends(act_errno_kept, NULL, STATUS_HOST, "uml-host: no bread: No such file or directory\n");
}

static void act_usage(void *unused)
{
	(void)unused;
	three();
	usage_error("try %s", "--help");
}

Test(base_die, usage_error_is_status_2)
{
	ends(act_usage, NULL, STATUS_USAGE, "cbauml-host: try --help\n");
}

static void act_quit(void *unused)
{
	(void)unused;
	three();
	quit(STATUS_CRASHED);
}

Test(base_die, quit_cleans_up_and_keeps_the_status)
{
	ends(act_quit, NULL, STATUS_CRASHED, "cba");
}

static void act_warn(void *unused)
{
	(void)unused;
	three();
	warn("%d left", 3);
	_exit(0);
}

Test(base_die, warn_goes_on)
{
	ends(act_warn, NULL, 0, "uml-host: 3 left\n");
}

static void act_long_line(void *text)
{
	die("%s", (char *)text);
}

Test(base_die, a_line_too_long_is_cut_and_still_one_line)
{
	static char text[8192];
	struct ending end;
	size_t n;

	memset(text, 'x', sizeof(text) - 1);
	end_of(&end, act_long_line, text);
	n = strlen(end.text);
	cr_expect(exited(&end, STATUS_HOST));
	cr_expect(n > 512 && n <= 1024, "%zu bytes", n);
	cr_expect(strchr(end.text, '\n') == end.text + n - 1);
}

static void act_remove(void *name)
{
	three();
	cleanup_remove(say_name, name);
	/* Not there: no harm. */
	cleanup_remove(clobber_errno, NULL);
	quit(0);
}

Test(base_die, a_removed_cleanup_does_not_run_and_order_is_kept)
{
	ends(act_remove, a, 0, "cb");
	ends(act_remove, b, 0, "ca");
	ends(act_remove, c, 0, "ba");
}

static void act_run_twice(void *unused)
{
	(void)unused;
	three();
	cleanup_run();
	cleanup_run();
	quit(0);
}

Test(base_die, cleanups_run_once)
{
	ends(act_run_twice, NULL, 0, "cba");
}

static void failing(void *unused)
{
	(void)unused;
	die("in the cleanup");
}

static void act_failing_cleanup(void *unused)
{
	(void)unused;
	cleanup_add(say_name, a);
	cleanup_add(failing, NULL);
	cleanup_add(say_name, c);
	die("first");
}

Test(base_die, a_cleanup_that_dies_does_not_stop_the_others)
{
	ends(act_failing_cleanup, NULL, STATUS_HOST, "cauml-host: in the cleanup\n");
}

static void act_fill(void *n)
{
	int i;

	for (i = 0; i < *(int *)n; i++)
		cleanup_add(say_name, a);
	quit(0);
}

Test(base_die, there_is_room_for_so_many_and_one_more_dies)
{
	char wanted[CLEANUP_MAX + 64];
	int n = CLEANUP_MAX;

	memset(wanted, 'a', CLEANUP_MAX);
	wanted[CLEANUP_MAX] = '\0';
	ends(act_fill, &n, 0, wanted);
	n++;
	strcpy(wanted + CLEANUP_MAX, "uml-host: too many things to clean up\n");
	ends(act_fill, &n, STATUS_HOST, wanted);
}

static void act_signal(void *signal)
{
	three();
	catch_fatal_signals();
	raise(*(int *)signal);
}

Test(base_die, fatal_signals_clean_up_and_end_as_a_shell_shows_them)
{
	static const int fatal[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	size_t i;

	for (i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
		int nr = fatal[i];

		ends(act_signal, &nr, STATUS_SIGNAL + nr, "cba");
	}
}

static void act_ignored(void *number)
{
	signal(*(int *)number, SIG_IGN);
	act_signal(number);
	_exit(7);
}

Test(base_die, a_signal_the_caller_ignores_stays_ignored)
{
	int nr = SIGHUP;

	ends(act_ignored, &nr, 7, "");
}

static void act_second_signal(void *unused)
{
	(void)unused;
	raise(SIGTERM);
	say_name(b);
}

static void act_signals(void *unused)
{
	(void)unused;
	catch_fatal_signals();
	cleanup_add(say_name, a);
	cleanup_add(act_second_signal, NULL);
	raise(SIGINT);
}

Test(base_die, a_second_signal_waits_for_the_cleanups_of_the_first)
{
	ends(act_signals, NULL, STATUS_SIGNAL + SIGINT, "ba");
}
