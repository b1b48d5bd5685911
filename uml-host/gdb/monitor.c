/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `monitor` commands: the guest's tables in words.  They only look.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gdb/internal.h"

struct monitor {
	struct target *target;
	void (*say)(void *context, const char *text);
	void *context;
};

__attribute__((format(printf, 2, 3)))
static void say(const struct monitor *m, const char *fmt, ...)
{
	char line[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	m->say(m->context, line);
}

/* One level: the entry at `at`, 0 if there is none. */
static uint64_t say_entry(const struct monitor *m, const char *level, uint32_t at)
{
	struct guest *g = m->target->guest;
	uint64_t entry = 0;
	const void *from = guest_bytes(g, gpa(at), pte_bytes(g));

	if (!from) {
		say(m, "%s at 0x%08x: beyond memory\n", level, at);
		return 0;
	}
	memcpy(&entry, from, pte_bytes(g));
	say(m, "%s at 0x%08x: 0x%llx%s%s%s%s%s\n", level, at, (unsigned long long)entry,
	    entry & PTE_P ? " P" : "", entry & PTE_RW ? " RW" : "", entry & PTE_US ? " US" : "",
	    entry & PTE_A ? " A" : "", entry & PTE_D ? " D" : "");
	return entry & PTE_P ? entry : 0;
}

static void say_levels(const struct monitor *m, uint32_t cr3, uint32_t va)
{
	bool pae = m->target->guest->mm.pae;
	uint64_t entry;

	if (pae) {
		entry = say_entry(m, "pgd", (cr3 & ~31u) + (va >> 30) * 8);
		if (entry)
			entry = say_entry(m, "pmd", ((uint32_t)entry & GUEST_PAGE_MASK) +
					  (va >> 21 & 511) * 8);
	} else {
		entry = say_entry(m, "pgd", (cr3 & GUEST_PAGE_MASK) + (va >> 22) * 4);
	}
	if (entry)
		say_entry(m, "pte", ((uint32_t)entry & GUEST_PAGE_MASK) +
			  (pae ? (va >> 12 & 511) * 8 : (va >> 12 & 1023) * 4));
}

static void walk(const struct monitor *m, const char *argument)
{
	static const char *const mode[] = {
		[MM_DIRECT] = "no tables: virtual = physical",
		[MM_BOOT] = "boot: memory again at kernel_address, else tables",
		[MM_TABLES] = "tables",
	};
	struct guest *g = m->target->guest;
	uint32_t cr3 = g->mm.table[g->mm.current].cr3, va;
	struct guest_pte pte;

	if (strncmp(argument, "0x", 2) == 0)
		argument += 2;
	if (!packet_number(&argument, &va) || *argument) {
		say(m, "walk ADDRESS: give a guest-virtual address in hexadecimal\n");
		return;
	}
	say(m, "%s; cr3 0x%08x%s\n", mode[g->mm.mode], cr3, g->mm.pae ? ", PAE" : "");
	if (g->mm.mode == MM_TABLES || g->mm.pae_known)
		say_levels(m, cr3, va);
	pte = guest_walk_quiet(g, cr3, gva(va));
	if (!pte.present)
		say(m, "0x%08x is not mapped\n", va);
	else if (pte.mmio)
		say(m, "0x%08x is a register of a device\n", va);
	else
		say(m, "0x%08x is physical 0x%08x, %s, %s\n", va,
		    pte_frame(g, pte.value) << GUEST_PAGE_SHIFT | (va & ~GUEST_PAGE_MASK),
		    pte.rw ? "writable" : "read-only", pte.us ? "user" : "kernel");
}

static void show_idt(const struct monitor *m, const char *argument)
{
	const struct guest *g = m->target->guest;
	unsigned int i;

	(void)argument;
	for (i = 0; i < LGUEST_IDT_ENTRIES; i++)
		if (gate_present(g->idt[i]))
			say(m, "0x%02x -> 0x%08x %s gate, dpl %u\n", i, gate_offset(g->idt[i]),
			    gate_masks_interrupts(g->idt[i]) ? "interrupt" : "trap",
			    gate_dpl(g->idt[i]));
}

static void show_gdt(const struct monitor *m, const char *argument)
{
	const struct guest *g = m->target->guest;
	unsigned int i;

	(void)argument;
	for (i = 0; i < LGUEST_GDT_ENTRIES; i++) {
		uint64_t d = g->gdt[i];
		uint32_t limit = (uint32_t)(d & 0xffff) | (uint32_t)(d >> 32 & 0xf0000);

		if (d >> 47 & 1)
			say(m, "0x%02x: base 0x%08x limit 0x%08x %s, dpl %u\n", i * 8,
			    descriptor_base(d), d >> 55 & 1 ? limit << 12 | 0xfff : limit,
			    !(d >> 44 & 1) ? "system" : d >> 43 & 1 ? "code" : "data",
			    (unsigned int)(d >> 45 & 3));
	}
}

static const char *call_name(const struct guest *g, uint32_t nr)
{
	unsigned int i;

	for (i = 0; i < HCALL_ROWS; i++)
		if (hcall_table[i].nr == nr && hcall_table[i].gens & g->lg.gens)
			return hcall_table[i].name;
	return "unknown";
}

static void show_ring(const struct monitor *m, const char *argument)
{
	struct guest *g = m->target->guest;
	struct ring_place place;
	const uint8_t *status;
	unsigned int i, waiting = 0;

	(void)argument;
	if (!g->lg.initialised) {
		say(m, "no LGUEST_INIT yet: there is no ring\n");
		return;
	}
	place = guest_ring_place(g);
	status = guest_bytes(g, place.status, LGUEST_RING_SIZE);
	for (i = 0; status && i < LGUEST_RING_SIZE; i++) {
		uint32_t slot = (g->lg.ring_next + i) % LGUEST_RING_SIZE;
		uint32_t word[5] = { 0 };
		const void *call = guest_bytes(g, gpa(place.calls.v + slot * place.entry_bytes),
					       place.entry_bytes);

		if (status[slot] == LGUEST_RING_FREE || !call)
			continue;
		memcpy(word, call, place.entry_bytes);
		say(m, "slot %2u: %s (%u) 0x%x 0x%x 0x%x 0x%x\n", slot, call_name(g, word[0]),
		    word[0], word[1], word[2], word[3], word[4]);
		waiting++;
	}
	say(m, "%u of %u slots wait; the next to be taken is %u\n", waiting, LGUEST_RING_SIZE,
	    g->lg.ring_next);
}

static void show_sites(const struct monitor *m, const char *argument)
{
	const struct guest_sites *s = &m->target->guest->sites;
	uint32_t i;

	(void)argument;
	for (i = s->n > GUEST_SITES ? s->n - GUEST_SITES : 0; i < s->n; i++) {
		const struct guest_site *site = &s->site[i % GUEST_SITES];

		say(m, "0x%08x: %s\n", site->va, rewrite_what[site->row]);
	}
	say(m, "%u rewritten; memory shows what was there before\n", s->n);
}

static void help(const struct monitor *m, const char *argument);

static const struct {
	const char *name, *help;
	void (*show)(const struct monitor *m, const char *argument);
} table[] = {
	{ "walk", "ADDRESS, hexadecimal: which page-table entries lead where", walk },
	{ "idt", "present gates of the guest's IDT", show_idt },
	{ "gdt", "present descriptors of the guest's GDT", show_gdt },
	{ "ring", "calls that wait in the async hypercall ring", show_ring },
	{ "sites", "code of the guest that was rewritten, the last of it", show_sites },
	{ "help", "this list", help },
};

#define ROWS (sizeof(table) / sizeof(table[0]))

static void help(const struct monitor *m, const char *argument)
{
	size_t i;

	(void)argument;
	for (i = 0; i < ROWS; i++)
		say(m, "monitor %s - %s\n", table[i].name, table[i].help);
}

void monitor(struct target *t, const char *command,
	     void (*put)(void *context, const char *text), void *context)
{
	const struct monitor m = { t, put, context };
	size_t len = strcspn(command, " "), i;

	for (i = 0; i < ROWS; i++)
		if (strlen(table[i].name) == len && strncmp(command, table[i].name, len) == 0) {
			table[i].show(&m, command + len + strspn(command + len, " "));
			return;
		}
	say(&m, "no such command; try monitor help\n");
}
