/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time without a library: the kernel's own function in the vDSO where it is
 * found, else the system call.
 */
#include <errno.h>
#include <elf.h>
#include <string.h>
#include <time.h>

#include "engine/clock.h"
#include "monitor/monitor.h"

static int (*vdso_clock_gettime)(clockid_t, struct timespec *);

void monitor_find_clock(const void *vdso)
{
	const char *base = vdso;
	const Elf64_Ehdr *elf = vdso;
	const Elf64_Shdr *section;
	unsigned int i;

	if (!vdso)
		return;
	section = (const Elf64_Shdr *)(base + elf->e_shoff);
	for (i = 0; i < elf->e_shnum; i++) {
		const Elf64_Sym *symbol = (const Elf64_Sym *)(base + section[i].sh_offset);
		const char *names;
		size_t n;

		if (section[i].sh_type != SHT_DYNSYM)
			continue;
		names = base + section[section[i].sh_link].sh_offset;
		for (n = section[i].sh_size / sizeof(*symbol); n; n--, symbol++)
			if (strcmp(names + symbol->st_name, "__vdso_clock_gettime") == 0)
				vdso_clock_gettime = (int (*)(clockid_t, struct timespec *))
					(uintptr_t)(base + symbol->st_value);
	}
}

static struct timespec read_clock(clockid_t clock)
{
	struct timespec t = { 0 };

	if (!vdso_clock_gettime || vdso_clock_gettime(clock, &t) != 0)
		syscall3(SYS_clock_gettime, (uint64_t)clock, SYSCALL_ARG(&t), 0);
	return t;
}

uint64_t engine_clock_ns(void)
{
	struct timespec t = read_clock(CLOCK_MONOTONIC);

	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void engine_wall_clock(int32_t *sec, int32_t *nsec)
{
	struct timespec t = read_clock(CLOCK_REALTIME);

	*sec = (int32_t)t.tv_sec;
	*nsec = (int32_t)t.tv_nsec;
}

/* For --inject's delays: a busy wait would starve whoever shares the CPU. */
void engine_sleep_ns(uint64_t ns)
{
	uint64_t until = engine_clock_ns() + ns;
	const struct timespec t = {
		.tv_sec = (time_t)(until / 1000000000), .tv_nsec = (long)(until % 1000000000),
	};

	/* Whatever signals come. */
	while (syscall6(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, SYSCALL_ARG(&t),
			0, 0, 0) == -EINTR)
		;
}
