/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options: what is understood.  What is refused is in tests/cli/options.test.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/options.h"
#include "direct/direct.h"

/* In place: the options point into themselves. */
static void parse(struct options *o, enum subcommand sub, char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	options_parse(o, sub, argc, argv);
}

Test(cmd_options, defaults)
{
	char *argv[] = { "run", "guest", NULL };
	struct options o;

	parse(&o, SUB_RUN, argv);
	cr_assert_eq(o.mem_bytes, 64u << 20);
	cr_assert_str_eq(o.image, "guest");
	cr_assert_str_eq(o.command_line, "");
	cr_assert_eq(o.cpu, ENGINE_CPU_AUTO);
	cr_assert_eq(o.gens, GENS_ALL);
	cr_assert_not(o.rewrite_given);
	cr_assert_eq(o.log.fd, 2);
	options_free(&o);
}

Test(cmd_options, the_old_launchers_words)
{
	char *argv[] = { "run", "--initrd=initrd.gz", "128", "vmlinux", "root=/dev/vda", "-x", "64", NULL };
	struct options o;

	parse(&o, SUB_RUN, argv);
	cr_assert_eq(o.mem_bytes, 128u << 20);
	cr_assert_str_eq(o.initrd, "initrd.gz");
	cr_assert_str_eq(o.image, "vmlinux");
	cr_assert_str_eq(o.command_line, "root=/dev/vda -x 64");
	options_free(&o);
}

static enum engine_kind engine_of(const char *option, const char *value)
{
	char *argv[] = { "run", (char *)option, (char *)value, "guest", NULL };
	char *none[] = { "run", "guest", NULL };
	struct options o;
	enum engine_kind engine;

	parse(&o, SUB_RUN, option ? argv : none);
	engine = o.engine;
	cr_assert_str_eq(o.log.engine, engine == ENGINE_DIRECT ? "direct" : "ptrace");
	options_free(&o);
	return engine;
}

/* For programs of 64 bits only, or of 32 as well: libseccomp kills for what it was not told of. */
static void refuse(int call, int error, bool both)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	if (both)
		cr_assert_eq(seccomp_arch_add(ctx, SCMP_ARCH_X86), 0);
	cr_assert_eq(seccomp_rule_add(ctx, SCMP_ACT_ERRNO((uint32_t)error), call, 0), 0);
	cr_assert_eq(seccomp_load(ctx), 0);
	seccomp_release(ctx);
}

Test(cmd_options, the_engine_is_the_faster_one_that_can_do_it)
{
	if (!direct_possible())
		cr_skip_test("this host has no pidfd_open");
	unsetenv("UML_HOST_ENGINE");
	cr_assert_eq(engine_of(NULL, NULL), ENGINE_DIRECT);
	cr_assert_eq(engine_of("--engine", "auto"), ENGINE_DIRECT);
	cr_assert_eq(engine_of("--isolation", "none"), ENGINE_DIRECT);
	cr_assert_eq(engine_of("--engine", "ptrace"), ENGINE_PTRACE);
	cr_assert_eq(engine_of("--gdb", "tcp:0"), ENGINE_PTRACE);
	setenv("UML_HOST_ENGINE", "", 1);
	cr_assert_eq(engine_of(NULL, NULL), ENGINE_DIRECT);
	setenv("UML_HOST_ENGINE", "ptrace", 1);
	cr_assert_eq(engine_of(NULL, NULL), ENGINE_PTRACE);
	cr_assert_eq(engine_of("--engine", "auto"), ENGINE_DIRECT);
	refuse(SCMP_SYS(acct), EPERM, true);
	cr_assert_eq(engine_of("--engine", "auto"), ENGINE_DIRECT);
	/* A host without. */
	refuse(SCMP_SYS(pidfd_open), ENOSYS, true);
	cr_assert_eq(engine_of("--engine", "auto"), ENGINE_PTRACE);
	cr_assert_eq(engine_of("--engine", "direct"), ENGINE_DIRECT);
}

Test(cmd_options, a_host_without_filters_has_the_other_engine)
{
	unsetenv("UML_HOST_ENGINE");
	refuse(SCMP_SYS(seccomp), ENOSYS, true);
	cr_assert_eq(engine_of(NULL, NULL), ENGINE_PTRACE);
}

/* A filter for one architecture kills for calls of another one, as guest programs make. */
Test(cmd_options, a_host_that_kills_for_32_bit_calls_has_the_other_engine)
{
	unsetenv("UML_HOST_ENGINE");
	refuse(SCMP_SYS(acct), EPERM, false);
	cr_assert_eq(engine_of(NULL, NULL), ENGINE_PTRACE);
	cr_assert_eq(engine_of("--engine", "direct"), ENGINE_DIRECT);
}

Test(cmd_options, sizes)
{
	cr_assert_eq(options_mem("1"), 1u << 20);
	cr_assert_eq(options_mem("64"), 64u << 20);
	cr_assert_eq(options_mem("64m"), 64u << 20);
	cr_assert_eq(options_mem("1G"), 1u << 30);
	cr_assert_eq(options_mem("2048K"), 2u << 20);
}

Test(cmd_options, log_options)
{
	char *argv[] = { "trace", "-ttTic", "-e", "trace=%memory", "-e!TS", "-o", "log", "-S", "calls",
			 "-qq", "-s7", "guest", NULL };
	struct options o;

	parse(&o, SUB_TRACE, argv);
	cr_assert_eq(o.log.stamp, LOG_STAMP_MICRO);
	cr_assert(o.log.show_time && o.log.show_eip);
	cr_assert_eq(o.log.summary, LOG_SUMMARY_ONLY);
	cr_assert_eq(o.log.nr_trace, 2);
	cr_assert_str_eq(o.log.trace[0], "trace=%memory");
	cr_assert_str_eq(o.log.trace[1], "!TS");
	cr_assert_str_eq(o.log.path, "log");
	cr_assert_eq(o.log.sort, LOG_SORT_CALLS);
	cr_assert_eq(o.log.quiet, 2);
	cr_assert_eq(o.log.string_limit, 7);
	options_free(&o);
}

Test(cmd_options, abi_and_rewrite)
{
	char *argv[] = { "run", "--abi=Z'", "--rewrite=eager", "--cpu=3", "--timeout=1.5", "guest", NULL };
	struct options o;

	parse(&o, SUB_RUN, argv);
	cr_assert_eq(o.gens, GEN(ZP));
	cr_assert_eq(o.rewrite, REWRITE_EAGER);
	cr_assert(o.rewrite_given);
	cr_assert_eq(o.cpu, 3);
	cr_assert_float_eq(o.timeout, 1.5, 1e-9);
	options_free(&o);
}
