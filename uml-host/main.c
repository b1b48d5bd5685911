/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uml-host: lguest guests as ordinary processes.  Picks the subcommand.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "cmd/cmd.h"
#include "config.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "run", cmd_run, "launch a guest; its console is stdin and stdout" },
	{ "trace", cmd_trace, "the same, with the hypercall log on stderr" },
	{ "show", cmd_show, "print a log that trace --format=json wrote" },
	{ "bench", cmd_bench, "what a hypercall costs on this host" },
	{ "check", cmd_check, "what this host can do" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(void)
{
	size_t i;

	printf("usage: uml-host COMMAND [OPTIONS] ...\n\n");
	for (i = 0; i < COMMANDS; i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].help);
	printf("\numl-host COMMAND --help lists its options.\n\nExit status:\n");
#define STATUS_LINE(name, nr, what) printf("  %-4d %s\n", nr, what);
	EXIT_STATUS_LIST(STATUS_LINE)
}

/* Whoever started us may have closed some of the first three.  The next file
 * opened would get that number, and messages and the guest's console would be
 * written into an image, or into guest memory.  Reading finds nothing then;
 * writing fails as on a closed descriptor: with EBADF. */
static void take_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	size_t i;

	take_standard_descriptors();
	if (argc < 2)
		usage_error("which command? run, trace, show, bench or check; see uml-host --help");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_help();
		quit(0);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("uml-host %s\n", PACKAGE_VERSION);
		quit(0);
	}
	for (i = 0; i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			quit(commands[i].run(argc - 1, argv + 1));
	usage_error("unknown command '%s'; there are run, trace, show, bench and check", argv[1]);
}
