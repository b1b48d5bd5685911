/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of the subcommands.  One table says how each is spelled, what it
 * means and who has it; parsing, --help and the manual page read that table.
 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/guest.h"
#include "log/log.h"

#define OPTIONS_MAX_LIST 64

/* Guests have at most this: the top of the address space is the host's. */
#define OPTIONS_MAX_MEM (4080ull << 20)
/* Who runs guest code.  AUTO only while options are read: see engine_for() in options.c. */
enum engine_kind { ENGINE_AUTO, ENGINE_PTRACE, ENGINE_DIRECT };

/* What keeps guest programs from the guest kernel's memory, and from each other's. */
enum isolation {
	ISOLATION_FULL,	/* address spaces of their own */
	ISOLATION_NONE,	/* nothing: for guests whose every program is trusted */
};

#define OPTIONS_DEFAULT_MEM (64ull << 20)

struct options {
	uint64_t mem_bytes;	/* whole MiB */
	const char *image;	/* the guest; of show, the log */
	const char *initrd;
	char *command_line;	/* the guest's arguments joined by blanks */
	enum turns_when turns;	/* with others on that CPU */
	int cpu;		/* ENGINE_CPU_AUTO, ENGINE_CPU_NONE or a number */
	enum rewrite_mode rewrite;
	bool rewrite_given;	/* else eager where vmcall does not fault */
	bool no_gates;		/* of the benchmark: traps stay traps */
	uint16_t gens;		/* --abi: a mask, or GENS_ALL */
	double timeout;		/* seconds, 0: none */
	bool no_reboot;
	bool fast_syscalls;	/* guest/copies.c */
	/* Devices in the order of the command line. */
	struct device_option {
		enum { OPTION_BLOCK, OPTION_RNG, OPTION_TAP, OPTION_USER_NET } kind;
		char *value;	/* what follows the =, our copy; NULL for rng */
		bool read_only;
	} device[OPTIONS_MAX_LIST];
	unsigned int devices;
	bool verbose;
	bool stats;
	enum engine_kind engine;
	enum isolation isolation;
	const char *gdb;	/* where a debugger may connect; NULL: nowhere */
	bool gdb_wait;
	enum vmcall_behaviour simulate;
	bool json;		/* bench */
	unsigned int rounds;	/* bench: hypercalls per run */

	const char *trace[OPTIONS_MAX_LIST];	/* -e, in order */
	bool stacks;		/* -k */
	struct tamper tamper;	/* --inject */
	struct log_options log;
};

enum subcommand { SUB_RUN = 1, SUB_TRACE = 2, SUB_BENCH = 4, SUB_CHECK = 8, SUB_SHOW = 16 };

/* Parses the words after the subcommand's name; anything wrong is a
 * usage_error().  --help prints and exits. */
void options_parse(struct options *o, enum subcommand sub, int argc, char **argv);
void options_free(struct options *o);

/* "64", "64M", "1G": bytes, a whole number of MiB within what is possible; a
 * usage_error() otherwise.  A number without a letter is MiB. */
uint64_t options_mem(const char *text);

#endif
