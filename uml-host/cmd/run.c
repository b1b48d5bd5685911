/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uml-host run and uml-host trace: launch a guest, without or with its log.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/die.h"
#include "cmd/cmd.h"
#include "cmd/machine.h"
#include "cmd/options.h"

/* Whom SIGUSR1 is for: signal handlers get no arguments. */
static struct machine *_Atomic usr1_machine;

static void on_usr1(int nr)
{
	struct machine *m = usr1_machine;
	int saved = errno;

	(void)nr;
	if (m)
		machine_request_stats(m);
	errno = saved;
}

static void catch_usr1(struct machine *m)
{
	const struct sigaction action = { .sa_handler = on_usr1, .sa_flags = SA_RESTART };

	usr1_machine = m;
	if (m)
		sigaction(SIGUSR1, &action, NULL);
}

static int launch(enum subcommand sub, int argc, char **argv)
{
	struct log *log = NULL;
	struct machine *m;
	struct options o;
	int status;

	options_parse(&o, sub, argc, argv);
	catch_fatal_signals();
	/* A console nobody reads any more, a file that may not grow: errors to
	 * report, not signals. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	/* Wrong filters and unwritable files before anything is started. */
	o.log.background = true;
	if (sub == SUB_TRACE)
		log = log_open(&o.log);
	/* Ctrl-a t can ask for it later. */
	else if (isatty(STDIN_FILENO))
		log_pause(log = log_open(&o.log), true);
	m = machine_open(&o);
	machine_add_devices(m);
	machine_load(m);
	catch_usr1(m);
	status = machine_run(m, log);
	catch_usr1(NULL);
	machine_close(m);
	if (log && !log_close(log))
		status = status ? status : STATUS_HOST;
	options_free(&o);
	return status;
}

int cmd_run(int argc, char **argv)
{
	return launch(SUB_RUN, argc, argv);
}

int cmd_trace(int argc, char **argv)
{
	return launch(SUB_TRACE, argc, argv);
}
