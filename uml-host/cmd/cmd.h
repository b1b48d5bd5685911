/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The subcommands, and the map of this room.
 *
 *	run.c		run and trace: launch a guest
 *	show.c		a log in JSON, as text
 *	bench.c		the hypercall benchmark
 *	check.c		what this host can do
 *	options.c	the table of options, parsing, help
 *	dump.c		guest memory beside the log, for -v
 *	machine.c	a guest with all that belongs to it, from image to end
 *	placement.c	which host CPU a guest is pinned to
 */
#ifndef CMD_CMD_H
#define CMD_CMD_H

/* Each takes the words after its name and returns the exit status. */
int cmd_run(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_check(int argc, char **argv);

#endif
