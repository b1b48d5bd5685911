/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the log goes: -o, -A, standard error, and when that does not work. */
#include <stdio.h>
#include <stdlib.h>

#include "log_helper.h"

/* A file gets whole buffers, standard error whole lines. */
Test(log_output, file_is_buffered)
{
	char path[] = "/tmp/log-test-XXXXXX";
	int fd = mkstemp(path);
	struct log_options o = test_options();
	struct guest_event e = call("HALT", 0, 0, 0, 0);
	struct log *log;

	cr_assert_geq(fd, 0);
	o.path = path;
	log = log_open(&o);
	log_event(log, &e);
	cr_expect_str_eq(contents(fd), "");
	log_flush(log);
	cr_expect_str_eq(contents(fd), "HALT()\n");
	log_event(log, &e);
	log_close(log);
	cr_expect_str_eq(contents(fd), "HALT()\nHALT()\n");

	o.append = true;
	log = log_open(&o);
	log_event(log, &e);
	log_close(log);
	cr_expect_str_eq(contents(fd), "HALT()\nHALT()\nHALT()\n");

	o.append = false;
	log_close(log_open(&o));
	cr_expect_str_eq(contents(fd), "");
	unlink(path);
}

Test(log_output, buffer_wraps_without_loss)
{
	char path[] = "/tmp/log-test-XXXXXX";
	int fd = mkstemp(path);
	struct log_options o = test_options();
	struct guest_event e = call("HALT", 0, 0, 0, 0);
	struct log *log;

	o.path = path;
	log = log_open(&o);
	for (unsigned int i = 0; i < 100000; i++)
		log_event(log, &e);
	cr_assert(log_close(log));
	cr_assert_eq(lseek(fd, 0, SEEK_END), 100000 * 7);
	unlink(path);
}

Test(log_output, standard_error_is_written_by_the_line)
{
	struct log_options o = test_options();
	struct guest_event e = call("HALT", 0, 0, 0, 0);
	struct log *log = log_open(&o);

	log_event(log, &e);
	cr_assert_str_eq(contents(o.fd), "HALT()\n");
	log_close(log);
}

Test(log_output, full_disk_is_reported_and_survived)
{
	struct log_options o = test_options();
	struct guest_event e = call("HALT", 0, 0, 0, 0);
	struct log *log;

	o.path = "/dev/full";
	log = log_open(&o);
	log_event(log, &e);
	log_event(log, &e);
	cr_assert_not(log_close(log));
}

Test(log_output, unwritable_file_is_the_hosts_fault, .exit_code = 1)
{
	struct log_options o = test_options();

	o.path = "/nonexistent/log";
	log_open(&o);
}

Test(log_output, command_gets_the_log)
{
	struct log_options o = test_options();
	struct guest_event e = call("HALT", 0, 0, 0, 0);
	char command[64];
	struct log *log;

	snprintf(command, sizeof(command), "|sed s/HALT/halt/ >&%d", o.fd);
	o.path = command;
	log = log_open(&o);
	log_event(log, &e);
	cr_assert(log_close(log));
	cr_assert_str_eq(contents(o.fd), "halt()\n");
}

Test(log_output, command_that_fails)
{
	struct log_options o = test_options();

	o.path = "|cat >/dev/null; exit 3";
	cr_assert_not(log_close(log_open(&o)));
}

Test(log_output, command_without_words, .exit_code = 2)
{
	struct log_options o = test_options();

	o.path = "| ";
	log_open(&o);
}
