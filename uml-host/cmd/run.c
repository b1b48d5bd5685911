/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uml-host run and uml-host trace: launch a guest, without or with its log.
 */
#include <signal.h>

#include "base/crash.h"
#include "base/die.h"
#include "cmd/cmd.h"
#include "cmd/machine.h"
#include "cmd/options.h"

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
	if (sub == SUB_TRACE)
		log = log_open(&o.log);
	m = machine_open(&o);
	machine_add_devices(m);
	machine_load(m);
	status = machine_run(m, log);
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
