/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How uml-host ends: exit statuses, the errors of the host and of the user, and
 * what has to be undone before the program goes (stubs, terminal, files).
 *
 * The guest's own faults never come here: see kill_guest() in guest/guest.h.
 */
#ifndef BASE_DIE_H
#define BASE_DIE_H

/* X(name, status, meaning): the documented exit statuses. */
#define EXIT_STATUS_LIST(X)						\
	X(POWEROFF, 0, "the guest powered off")				\
	X(HOST, 1, "the host could not do something")			\
	X(USAGE, 2, "wrong options or arguments")			\
	X(CRASHED, 3, "the guest crashed: it shut down with a crash reason")\
	X(KILLED, 4, "the guest was killed for an illegal act")		\
	X(TIMEOUT, 124, "--timeout ran out")				\
	X(SIGNAL, 128, "plus n: ended by signal n")

#define EXIT_STATUS_ENUM_(name, nr, what) STATUS_##name = (nr),
enum exit_status { EXIT_STATUS_LIST(EXIT_STATUS_ENUM_) };
#undef EXIT_STATUS_ENUM_

/* The host's fault: prints "uml-host: …" on stderr, cleans up, exits 1. */
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same with ": strerror(errno)" at the end. */
_Noreturn void die_errno(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The user's fault: one line that says what to do, exits 2. */
_Noreturn void usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints "uml-host: …" on stderr and goes on. */
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Runs every cleanup, then exits with `status`. */
_Noreturn void quit(int status);

/* Has fn(arg) called once when the program ends by die(), quit() or a fatal
 * signal; last registered, first called.  fn must be async-signal-safe.  At
 * most CLEANUP_MAX can be registered at a time. */
#define CLEANUP_MAX 64
void cleanup_add(void (*fn)(void *arg), void *arg);
void cleanup_remove(void (*fn)(void *arg), void *arg);

/* Runs and forgets every registered cleanup.  Async-signal-safe. */
void cleanup_run(void);

/* Makes SIGINT, SIGTERM, SIGHUP, SIGQUIT run the cleanups and then end the
 * program by that signal's status, 128 + n. */
void catch_fatal_signals(void);

#endif
