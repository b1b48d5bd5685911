/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thread that writes: nothing lost, nothing reordered, whoever is slow. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/die.h"
#include "log_helper.h"

#define EVENTS 30000u	/* several rings full, and more than a pipe holds */

static void put_numbers(struct log *log, uint32_t n)
{
	struct guest_event e = call("SET_PTE", 1, 0, 0, 0);

	for (e.arg[1] = 0; e.arg[1] < n; e.arg[1]++)
		log_event(log, &e);
}

/* Lines of put_numbers(), all and in order; returns how many. */
static uint32_t check_numbers(FILE *file)
{
	uint32_t n = 0, got;
	char line[256];

	for (; fgets(line, sizeof(line), file); n++) {
		if (sscanf(line, "SET_PTE(pgdir=0x1, vaddr=0x%x,", &got) != 1)
			break;
		cr_assert_eq(got, n, "line %u: %s", n, line);
	}
	return n;
}

static struct log_options background(void)
{
	struct log_options o = test_options();

	o.background = true;
	return o;
}

Test(log_writer, order_is_kept)
{
	struct log_options o = background();
	struct log *log = log_open(&o);
	FILE *file;

	put_numbers(log, EVENTS);
	cr_assert(log_close(log));
	cr_assert(lseek(o.fd, 0, SEEK_SET) == 0);
	file = fdopen(o.fd, "r");
	cr_assert_eq(check_numbers(file), EVENTS);
}

struct late_reader {
	struct log *log;
	int fd;
	uint32_t lines;
};

/* Does not read before the guest has had to wait. */
static void *late_reader(void *arg)
{
	struct late_reader *r = arg;

	while (!writer_waits(r->log->writer))
		usleep(1000);
	r->lines = check_numbers(fdopen(r->fd, "r"));
	return NULL;
}

Test(log_writer, slow_reader_loses_nothing, .timeout = 30)
{
	struct log_options o = background();
	struct late_reader r;
	pthread_t thread;
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	o.fd = fds[1];
	r = (struct late_reader) { .log = log_open(&o), .fd = fds[0] };
	cr_assert_eq(pthread_create(&thread, NULL, late_reader, &r), 0);
	put_numbers(r.log, EVENTS);
	cr_assert_gt(writer_waits(r.log->writer), 0);
	cr_assert(log_close(r.log));
	close(fds[1]);
	pthread_join(thread, NULL);
	cr_assert_eq(r.lines, EVENTS);
}

static void *give_up(void *arg)
{
	struct log *log = arg;

	while (!writer_waits(log->writer))
		usleep(1000);
	log_give_up(log);
	return NULL;
}

/* --timeout must end a guest whose log nobody reads. */
Test(log_writer, given_up, .timeout = 30)
{
	struct log_options o = background();
	pthread_t thread;
	struct log *log;
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	o.fd = fds[1];
	log = log_open(&o);
	cr_assert_eq(pthread_create(&thread, NULL, give_up, log), 0);
	put_numbers(log, EVENTS);
	cr_assert_not(log_close(log));
	pthread_join(thread, NULL);
}

/* Every way out of the program writes what the ring still holds. */
Test(log_writer, quitting_writes_the_rest)
{
	struct log_options o = background();
	FILE *file;
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		put_numbers(log_open(&o), 5000);
		quit(0);
	}
	cr_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status));
	file = fdopen(o.fd, "r");
	rewind(file);
	cr_assert_eq(check_numbers(file), 5000);
}

static bool wait_for_text(int fd, const char *text)
{
	for (unsigned int i = 0; i < 5000; i++) {
		if (strstr(contents(fd), text))
			return true;
		usleep(1000);
	}
	return false;
}

Test(log_writer, summary_on_request, .timeout = 30)
{
	struct log_options o = background();
	struct guest_event e = call("HALT", 0, 0, 0, 0);
	struct log *log = log_open(&o);

	log_event(log, &e);
	cr_assert(wait_for_text(o.fd, "HALT()\n"));
	/* From its deep sleep, too. */
	usleep(200000);
	log_request_summary(log);
	cr_assert(wait_for_text(o.fd, "31.99         1        HALT\n"), "%s", contents(o.fd));
	log_close(log);
}

Test(log_writer, summary_now_and_then, .timeout = 30)
{
	struct log_options o = background();
	struct log *log;
	const char *second = NULL;

	o.stats_every_ns = 10000000;
	log = log_open(&o);
	cr_assert(wait_for_text(o.fd, "total\n"));
	/* And again: the second is all that comes after the first. */
	for (unsigned int i = 0; i < 5000 && !second; i++) {
		usleep(1000);
		second = strstr(strstr(contents(o.fd), "total\n") + 1, "total\n");
	}
	cr_expect(second);
	log_close(log);
}

Test(log_writer, a_pause_is_silent)
{
	struct log_options o = background();
	struct guest_event e = call("HALT", 0, 0, 0, 0);
	struct log *log = log_open(&o);

	log_event(log, &e);
	log_pause(log, true);
	cr_expect_eq(log_wants(log).rows, 0);
	cr_expect(log_event(log, &e));
	log_pause(log, false);
	cr_expect_eq(log_wants(log).rows, FILTER_ALL_CALLS);
	log_event(log, &e);
	log_close(log);
	cr_assert_str_eq(contents(o.fd), "HALT()\nHALT()\n");
}
