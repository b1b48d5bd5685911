/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest half of `uml-host bench`: makes the cheapest hypercall N times, by
 * int $0x1f, by vmcall, or by an int $0x1f with room for a jump near it, and says how
 * many cycles that took.
 *
 * Command line: "int N", "vmcall N" or "gate N".  Answer: "BENCH mode CYCLES".
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

/* As in most functions, what follows is aligned. */
void call_with_room(void);
__asm__(".balign 16\n"
	"call_with_room:\n"
	"	mov $0, %eax\n"	/* LHCALL_FLUSH_ASYNC */
	"	int $0x1f\n"
	"	ret\n"
	"	.balign 16");

static void by_gate(uint32_t rounds)
{
	while (rounds--)
		call_with_room();
}

static const struct {
	const char *name;
	void (*way)(uint32_t rounds);
} modes[] = { { "int ", by_int }, { "vmcall ", by_vmcall }, { "gate ", by_gate } };

int guest_main(void)
{
	const char *line = guest_command_line();
	uint32_t rounds;
	uint64_t start;
	unsigned int i;

	for (i = 0; i < 3; i++)
		if (strncmp(line, modes[i].name, strlen(modes[i].name)) == 0)
			break;
	if (i == 3)
		guest_panic("usage: int N | vmcall N | gate N, not '%s'", line);
	rounds = parse(line + strlen(modes[i].name));
	/* The first calls find the site and fill the caches. */
	modes[i].way(100);
	start = rdtsc();
	modes[i].way(rounds);
	printf("BENCH %s%llu\n", modes[i].name, (unsigned long long)(rdtsc() - start));
	return 0;
}
