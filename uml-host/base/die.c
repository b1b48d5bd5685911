/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ways out of the program.  Whatever the way, the registered cleanups run
 * once: stubs are killed, the terminal is restored, files are flushed.
 *
 * Everything that may run in a signal handler here uses async-signal-safe
 * calls only.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/die.h"

/* The one exception to "no globals": a program has one end. */
static struct {
	void (*fn)(void *arg);
	void *arg;
} cleanups[CLEANUP_MAX];
static atomic_int nr_cleanups;

void cleanup_add(void (*fn)(void *arg), void *arg)
{
	int n = atomic_load(&nr_cleanups);

	if (n == CLEANUP_MAX)
		die("too many things to clean up");
	cleanups[n].fn = fn;
	cleanups[n].arg = arg;
	atomic_store(&nr_cleanups, n + 1);
}

void cleanup_remove(void (*fn)(void *arg), void *arg)
{
	int i, n = atomic_load(&nr_cleanups);

	for (i = 0; i < n; i++)
		if (cleanups[i].fn == fn && cleanups[i].arg == arg)
			break;
	if (i == n)
		return;
	/* Close the gap; order is kept.  A signal in between may run one of
	 * them twice, which each of them bears. */
	for (; i + 1 < n; i++)
		cleanups[i] = cleanups[i + 1];
	atomic_store(&nr_cleanups, n - 1);
}

void cleanup_run(void)
{
	int n;

	/* Taken off before it is called: a cleanup that fails does not call
	 * itself. */
	while ((n = atomic_load(&nr_cleanups)) > 0) {
		atomic_store(&nr_cleanups, n - 1);
		cleanups[n - 1].fn(cleanups[n - 1].arg);
	}
}

void quit(int status)
{
	cleanup_run();
	/* Success is to have said it. */
	if (!status && (fflush(stdout) != 0 || ferror(stdout)))
		die_errno("cannot write to standard output");
	exit(status);
}

/* A control character, as ASCII or (0x80 to 0x9f) as Latin-1 or UTF-8 has them. */
static bool is_control(unsigned char before, unsigned char c)
{
	return c < 0x20 || c == 0x7f ||
	       (c >= 0x80 && c <= 0x9f && (before < 0x80 || before == 0xc2));
}

/* Names of files, words of options and what a parser quotes may be anybody's:
 * the terminal does not get their control characters. */
static size_t escape(const char *from, char *to, size_t room)
{
	unsigned char before = 0;
	size_t n = 0;

	for (; *from && n + 4 < room; before = (unsigned char)*from++) {
		unsigned char c = (unsigned char)*from;

		if (is_control(before, c))
			n += (size_t)snprintf(to + n, room - n, "\\x%02x", c);
		else
			to[n++] = (char)c;
	}
	return n;
}

/* One line, in one write, so that it does not mix with others. */
static void say(const char *fmt, va_list args, int error)
{
	char text[1024], line[4 * sizeof(text)];
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), "uml-host: ");
	vsnprintf(text + n, sizeof(text) - n, fmt, args);
	n = strlen(text);
	if (error)
		snprintf(text + n, sizeof(text) - n, ": %s", strerror(error));
	n = escape(text, line, sizeof(line) - 1);
	line[n++] = '\n';
	fflush(stdout);
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

void warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args, 0);
	va_end(args);
}

void die(const char *fmt, ...)
{
	va_list args;

	/* The terminal first: the line is meant to be read. */
	cleanup_run();
	va_start(args, fmt);
	say(fmt, args, 0);
	va_end(args);
	if (getenv("UML_HOST_BACKTRACE"))
		print_backtrace();
	exit(STATUS_HOST);
}

void die_errno(const char *fmt, ...)
{
	int error = errno;
	va_list args;

	cleanup_run();
	va_start(args, fmt);
	say(fmt, args, error);
	va_end(args);
	if (getenv("UML_HOST_BACKTRACE"))
		print_backtrace();
	exit(STATUS_HOST);
}

void usage_error(const char *fmt, ...)
{
	va_list args;

	cleanup_run();
	va_start(args, fmt);
	say(fmt, args, 0);
	va_end(args);
	exit(STATUS_USAGE);
}

static void fatal_signal(int signal)
{
	cleanup_run();
	/* 128 + n, as the shell shows a death by signal; no exit handlers, they
	 * are not async-signal-safe. */
	_exit(STATUS_SIGNAL + signal);
}

void catch_fatal_signals(void)
{
	static const int fatal[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction action = { .sa_handler = fatal_signal };
	size_t i;

	/* One at a time. */
	sigfillset(&action.sa_mask);
	for (i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
		struct sigaction old;

		/* nohup and background jobs ignore some: keep that. */
		if (sigaction(fatal[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN)
			continue;
		sigaction(fatal[i], &action, NULL);
	}
	catch_crashes();
}
