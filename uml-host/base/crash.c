/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last words of a crashing uml-host: stack and registers on stderr, only
 * by async-signal-safe means.  libunwind's local unwinder is; symbol names are
 * read from the loaded tables, nothing is allocated or opened by us.
 */
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/utsname.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/die.h"
#include "config.h"

#define STACK_BYTES 65536
#define FRAMES 64

static void put(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return;
}

/* At least `digits` of them, at most 16. */
static void put_digits(uint64_t value, int digits)
{
	char text[19];
	char *at = text + sizeof(text) - 1;

	*at = '\0';
	do {
		*--at = "0123456789abcdef"[value & 15];
		value >>= 4;
	} while (--digits > 0 || value);
	*--at = 'x';
	*--at = '0';
	put(at);
}

/* One below the other: all alike. */
static void put_hex(uint64_t value)
{
	put_digits(value, 16);
}

static struct {
	void (*fn)(void *arg);
	void *arg;
} note;

void crash_set_note(void (*fn)(void *arg), void *arg)
{
	note.fn = NULL;
	note.arg = arg;
	note.fn = fn;
}

void crash_text(const char *text)
{
	put(text);
}

void crash_hex(uint64_t value)
{
	put_digits(value, 1);
}

static void put_system(void)
{
	struct utsname system;

	put("  uml-host " PACKAGE_VERSION);
	if (uname(&system) == 0) {
		put(", ");
		put(system.sysname);
		put(" ");
		put(system.release);
		put(" ");
		put(system.machine);
	}
	put("\n");
}

static void unwind(unw_cursor_t *cursor)
{
	int frame;

	for (frame = 0; frame < FRAMES; frame++) {
		unw_word_t ip = 0, offset = 0;
		char name[128];

		unw_get_reg(cursor, UNW_REG_IP, &ip);
		put("  ");
		put_hex(ip);
		if (unw_get_proc_name(cursor, name, sizeof(name), &offset) == 0) {
			put(" ");
			put(name);
			put("+");
			put_hex(offset);
		}
		put("\n");
		if (unw_step(cursor) <= 0)
			break;
	}
}

void print_backtrace(void)
{
	unw_context_t context;
	unw_cursor_t cursor;

	unw_getcontext(&context);
	if (unw_init_local(&cursor, &context) == 0)
		unwind(&cursor);
}

static void crashed(int signal, siginfo_t *info, void *context)
{
	static const struct {
		const char *name;
		int index;
	} registers[] = {
		{ "rip", REG_RIP }, { "rsp", REG_RSP }, { "rbp", REG_RBP },
		{ "rax", REG_RAX }, { "rbx", REG_RBX }, { "rcx", REG_RCX },
		{ "rdx", REG_RDX }, { "rsi", REG_RSI }, { "rdi", REG_RDI },
	};
	ucontext_t *u = context;
	unw_cursor_t cursor;
	size_t i;

	/* First what must not be left behind. */
	cleanup_run();
	put("uml-host: crashed (");
	put(sigabbrev_np(signal) ? sigabbrev_np(signal) : "signal");
	/* A signal somebody sent has no address: abort() does, and kill. */
	if (info->si_code > 0) {
		put(" at address ");
		put_hex((uint64_t)(uintptr_t)info->si_addr);
	}
	put("); this is a bug in uml-host. Please report these lines and the command,\n"
	    "and, if it is no secret, the guest; the output of uml-host check helps.\n");
	put_system();
	for (i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
		put(i % 3 ? "  " : i ? "\n  " : "  ");
		put(registers[i].name);
		put(" ");
		put_hex((uint64_t)u->uc_mcontext.gregs[registers[i].index]);
	}
	put("\n");
	if (unw_init_local2(&cursor, (unw_context_t *)u, UNW_INIT_SIGNAL_FRAME) == 0)
		unwind(&cursor);
	if (note.fn)
		note.fn(note.arg);
	/* SA_RESETHAND: the second time it kills. */
	raise(signal);
}

void catch_crashes(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	static char stack[STACK_BYTES];
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = {
		.sa_sigaction = crashed,
		.sa_flags = (int)(SA_SIGINFO | SA_RESETHAND | SA_ONSTACK | SA_NODEFER),
	};
	size_t i;

	/* A crash may be a stack that ran out. */
	sigaltstack(&alternate, NULL);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}
