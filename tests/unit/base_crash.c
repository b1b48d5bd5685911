/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A crash of uml-host itself: cleaned up first, then told with registers and
 * stack, and the process still dies by the signal.
 */
#include <signal.h>
#include <stdlib.h>

#include "base/crash.h"
#include "base/die.h"
#include "base_helper.h"

static char cleaned[] = "[cleaned]";

static void crashing(void)
{
	catch_fatal_signals();
	cleanup_add(say_name, cleaned);
}

/* Lines of a stack: two blanks and an address. */
static int frames(const char *text)
{
	int n = 0;

	for (; (text = strstr(text, "\n  0x")) != NULL; text++)
		n++;
	return n;
}

static void dies_by(void (*act)(void *), int signal, const char *first)
{
	struct ending end;

	end_of(&end, act, NULL);
	cr_expect(WIFSIGNALED(end.status) && WTERMSIG(end.status) == signal,
		  "wait status 0x%x, wanted signal %d", end.status, signal);
	cr_expect(strncmp(end.text, first, strlen(first)) == 0, "%s", end.text);
	cr_expect(strstr(end.text + 1, cleaned) == NULL, "cleaned up twice");
	cr_expect(strstr(end.text, "Please report") != NULL);
	cr_expect(strstr(end.text, "\n  rip 0x") != NULL);
	cr_expect(frames(end.text) >= 3, "%s", end.text);
}

/* Written in assembly: the sanitizers of a test build see C first. */
static void act_segv(void *unused)
{
	(void)unused;
	crashing();
	__asm__ volatile("movl $0, 0x1230" ::: "memory");
}

Test(base_crash, a_wild_pointer)
{
	dies_by(act_segv, SIGSEGV,
		"[cleaned]uml-host: crashed (SEGV at address 0x0000000000001230); ");
}

static void act_ill(void *unused)
{
	(void)unused;
	crashing();
	__asm__ volatile("ud2");
}

Test(base_crash, an_illegal_instruction)
{
	dies_by(act_ill, SIGILL, "[cleaned]uml-host: crashed (ILL at address 0x");
}

static void act_fpe(void *unused)
{
	(void)unused;
	crashing();
	__asm__ volatile("divl %0" : : "r"(0), "a"(1), "d"(0));
}

Test(base_crash, a_division_by_zero)
{
	dies_by(act_fpe, SIGFPE, "[cleaned]uml-host: crashed (FPE at address 0x");
}

static void act_abort(void *unused)
{
	(void)unused;
	crashing();
	abort();
}

Test(base_crash, abort_has_no_address)
{
	dies_by(act_abort, SIGABRT, "[cleaned]uml-host: crashed (ABRT); ");
}

static void a_note(void *text)
{
	crash_text(text);
	crash_hex(0xc0100a2c);
	crash_hex(0);
}

static void act_with_note(void *unused)
{
	static char text[] = "[note ";

	(void)unused;
	crashing();
	crash_set_note(a_note, text);
	__asm__ volatile("ud2");
}

Test(base_crash, a_note_comes_last)
{
	const char *note = "[note 0xc0100a2c0x0";
	struct ending end;

	end_of(&end, act_with_note, NULL);
	cr_assert(WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGILL);
	cr_assert(strlen(end.text) > strlen(note) &&
		  !strcmp(end.text + strlen(end.text) - strlen(note), note), "%s", end.text);
}

static void act_no_stack(void *unused)
{
	(void)unused;
	crashing();
	__asm__ volatile("xor %%esp, %%esp\n\tpush $1" ::: "memory");
}

Test(base_crash, a_stack_that_ran_out_is_told_on_another)
{
	struct ending end;

	end_of(&end, act_no_stack, NULL);
	cr_expect(WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGSEGV);
	cr_expect(strncmp(end.text, "[cleaned]uml-host: crashed (SEGV", 32) == 0, "%s", end.text);
	cr_expect(strstr(end.text, "  rsp 0x0000000000000000") != NULL, "%s", end.text);
}

static void crash_again(void *unused)
{
	(void)unused;
	__asm__ volatile("ud2");
}

static void act_crash_twice(void *unused)
{
	(void)unused;
	crashing();
	cleanup_add(crash_again, NULL);
	__asm__ volatile("ud2");
}

Test(base_crash, a_crash_in_a_cleanup_ends_it)
{
	struct ending end;

	end_of(&end, act_crash_twice, NULL);
	cr_expect(WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGILL);
}

static void act_die(void *backtrace)
{
	if (backtrace)
		setenv("UML_HOST_BACKTRACE", "1", 1);
	die("no bread");
}

Test(base_crash, die_shows_its_stack_only_when_asked)
{
	struct ending end;

	end_of(&end, act_die, NULL);
	cr_expect_str_eq(end.text, "uml-host: no bread\n");
	end_of(&end, act_die, cleaned);
	cr_expect(exited(&end, STATUS_HOST));
	cr_expect(strncmp(end.text, "uml-host: no bread\n  0x", 23) == 0);
	cr_expect(frames(end.text) >= 3, "%s", end.text);
	cr_expect(strstr(end.text, "die+0x") != NULL, "%s", end.text);
}
