/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Good images with random damage, the same on every run.  Whatever comes of it,
 * nothing outside the file is read, nothing outside memory written, and the
 * answer makes sense.  File and memory end at pages nobody may touch.
 */
#include "boot_helper.h"

#define ROUNDS 20000u
#define RAM_MIB 4u

/* xorshift, 32 bits */
static uint32_t next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Numbers that hurt, or any. */
static uint32_t nasty(uint32_t *state)
{
	static const uint32_t values[] = {
		0, 1, 0x7fffffff, 0x80000000, 0xfffff000, 0xffffffff, 0x1000, 0x1800,
		0xfffff, 0x100000, 0x102000, RAM_MIB * MIB - 1, RAM_MIB * MIB, 0xff, 0xffff,
		0x10000, 64, 65, ELF_SIZE, BZ_SIZE,
	};
	uint32_t n = next(state);

	return n % 4 ? values[n / 4 % NR(values)] : next(state);
}

static void damage(uint8_t *header, uint32_t from, uint32_t bytes, uint32_t *state)
{
	unsigned int times = 1 + next(state) % 4;

	while (times--) {
		uint32_t value = nasty(state);
		size_t width = 1u << next(state) % 3;
		uint32_t offset = from + next(state) % (bytes - (uint32_t)width);

		/* Mostly whole fields. */
		if (next(state) % 8)
			offset &= ~((uint32_t)width - 1);
		memcpy(header + offset, &value, width);
	}
}

static void check_accepted(const struct boot_result *r, struct boot_ram ram)
{
	cr_assert_lt(r->low, r->high);
	cr_assert_leq(r->high, ram.bytes);
	cr_assert_geq(r->low, BOOT_PARAMS_BYTES + BOOT_COMMAND_LINE_MAX);
	cr_assert_geq(r->entry, r->low);
	cr_assert_lt(r->entry, r->high);
	cr_assert_leq(r->nr_loaded, BOOT_SEGMENTS);
	for (unsigned int i = 0; i < r->nr_loaded; i++) {
		cr_assert_geq(r->loaded[i].start, r->low);
		cr_assert_leq(r->loaded[i].bytes, r->high - r->loaded[i].start);
	}
	cr_assert_lt(strlen(r->version), BOOT_VERSION);
}

static void check_refused(const char *error, struct boot_ram ram, bool look)
{
	cr_assert_gt(strlen(error), 5);
	cr_assert_lt(strlen(error), BOOT_TEXT);
	for (; *error; error++)
		cr_assert(*error >= ' ' && *error <= '~');
	if (look)
		cr_assert(all_zero(ram.base, ram.bytes));
}

/* Damages `bytes` of the header from `from` on; some files are cut, too. */
static void mutate(struct boot_file good, uint32_t from, uint32_t bytes, uint32_t seed)
{
	struct boot_ram ram = ram_of(RAM_MIB);
	unsigned int accepted = 0, refused = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		bool cut = next(&seed) % 16 == 0;
		struct boot_file file = resized(good, cut ? 1 + next(&seed) % good.size : good.size);
		struct boot_result r = { 0 };
		char text[BOOT_TEXT];
		const char *error;

		if (file.size >= from + bytes)
			damage(at(file, 0), from, bytes, &seed);
		error = boot_image(file, ram, &r, text);
		if (!error)
			error = boot_params("quiet", ram, &r, text);
		if (error) {
			/* Looking takes longer than all the rest. */
			check_refused(error, ram, refused++ % 64 == 0);
		} else {
			check_accepted(&r, ram);
			accepted++;
			cr_assert_eq(madvise(ram.base, ram.bytes, MADV_DONTNEED), 0);
		}
		release(file.bytes, file.size);
	}
	/* Else it tests nothing. */
	cr_assert_gt(accepted, ROUNDS / 50);
	cr_assert_gt(refused, ROUNDS / 50);
}

Test(boot_mutate, elf)
{
	mutate(good_elf(), 0, sizeof(Elf32_Ehdr) + 3 * sizeof(Elf32_Phdr), 0x1f90cd01);
}

Test(boot_mutate, bzimage)
{
	mutate(good_bzimage(), 0x1f0, 0xa0, 0x0f01c1);
}
