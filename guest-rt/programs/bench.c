/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest half of `uml-host bench`: makes the cheapest hypercall N times, by
 * int $0x1f or by vmcall, and says how many cycles that took.
 *
 * Command line: "int N" or "vmcall N".  Answer: "BENCH mode CYCLES".
 */
#include <guest-rt/guest.h>

static uint32_t parse(const char *text)
{
	uint32_t value = 0;

	while (*text >= '0' && *text <= '9')
		value = value * 10 + (uint32_t)(*text++ - '0');
	return value;
}

/* Each is one site, so that a patched one is patched once. */
static void by_int(uint32_t rounds)
{
	while (rounds--)
		hcall_int(LHCALL_FLUSH_ASYNC, 0, 0, 0);
}

static void by_vmcall(uint32_t rounds)
{
	while (rounds--)
		__asm__ volatile("vmcall" : : "a"(LHCALL_FLUSH_ASYNC) : "memory");
}

int guest_main(void)
{
	const char *line = guest_command_line();
	bool vmcall = strncmp(line, "vmcall ", 7) == 0;
	uint32_t rounds = parse(line + (vmcall ? 7 : 4));
	void (*way)(uint32_t) = vmcall ? by_vmcall : by_int;
	uint64_t start;

	if (!vmcall && strncmp(line, "int ", 4) != 0)
		guest_panic("usage: int N | vmcall N, not '%s'", line);
	/* The first calls find the site and fill the caches. */
	way(100);
	start = rdtsc();
	way(rounds);
	printf("BENCH %s %llu\n", vmcall ? "vmcall" : "int",
	       (unsigned long long)(rdtsc() - start));
	return 0;
}
