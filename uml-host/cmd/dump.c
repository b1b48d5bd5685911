/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trace -v: what the guest has told its host in memory instead of in calls.
 * struct lguest_data when it is announced and at the end, and then the tables:
 * segments, gates, the top of the page table.
 *
 * Called in the vCPU thread between two stops.  Reads only, and kills nobody.
 */
#include <stdio.h>
#include <string.h>

#include "cmd/dump.h"

/* "name=0x1, …" over as many notes as it takes. */
static void dump_lguest_data(struct guest *g, struct log *log, uint64_t now)
{
	char text[EVENT_TEXT + 1] = "lguest_data:", word[64];
	struct guest_field field;
	unsigned int i;

	for (i = 0; guest_data_field(g, i, &field); i++) {
		snprintf(word, sizeof(word), " %s=0x%x", field.name, field.value);
		if (strlen(text) + strlen(word) > EVENT_TEXT) {
			log_note(log, now, text);
			strcpy(text, "lguest_data:");
		}
		strcat(text, word);
	}
	if (i)
		log_note(log, now, text);
}

static void dump_segments(const struct guest *g, struct log *log, uint64_t now)
{
	for (unsigned int i = 0; i < LGUEST_GDT_ENTRIES; i++)
		if (g->gdt[i] >> 47 & 1)	/* present */
			log_note_descriptor(log, now, i, g->gdt[i]);
}

/* Neighbours that are alike but for their handlers are interrupts; the first
 * 32 and the system call are what one wants to see. */
static void dump_gates(const struct guest *g, struct log *log, uint64_t now)
{
	unsigned int others = 0;
	char text[64];

	for (unsigned int v = 0; v < LGUEST_IDT_ENTRIES; v++) {
		if (!gate_present(g->idt[v]))
			continue;
		if (v < 32 || v == LGUEST_SYSCALL_VECTOR)
			log_note_gate(log, now, v, g->idt[v]);
		else
			others++;
	}
	if (others) {
		snprintf(text, sizeof(text), "idt: and %u more gates", others);
		log_note(log, now, text);
	}
}

/* The page table's present top-level entries, in runs. */
static void dump_page_table(struct guest *g, struct log *log, uint64_t now)
{
	uint32_t cr3 = g->mm.table[g->mm.current].cr3, first = 0, run = 0;
	/* With PAE the top level has four entries; what is below them counts. */
	const uint32_t step = g->mm.pae ? 2u << 20 : 4u << 20;
	char text[96];

	if (g->mm.mode != MM_TABLES)
		return;
	snprintf(text, sizeof(text), "page table 0x%x%s", cr3, g->mm.pae ? ", PAE" : "");
	log_note(log, now, text);
	for (uint64_t va = 0; va <= 1ull << 32; va += step) {
		struct guest_pte pte = { 0 };

		/* A page of it that is there stands for all of its table. */
		for (uint32_t page = 0; va < 1ull << 32 && page < step && !pte.present;
		     page += GUEST_PAGE_SIZE)
			pte = guest_walk_quiet(g, cr3, gva((uint32_t)va + page));
		if (pte.present && !run)
			first = (uint32_t)va;
		if (pte.present) {
			run++;
			continue;
		}
		if (run) {
			snprintf(text, sizeof(text), "page table: 0x%x to 0x%x in use", first,
				 (uint32_t)(va - 1));
			log_note(log, now, text);
		}
		run = 0;
	}
}

void dump_event(struct guest *g, struct log *log, const struct guest_event *event)
{
	/* Nobody knows where it is. */
	if (!g->lg.initialised)
		return;
	if (event->kind == EVENT_HCALL && event->nr == LHCALL_LGUEST_INIT)
		dump_lguest_data(g, log, event->start_ns);
	if (event->kind != EVENT_END)
		return;
	dump_lguest_data(g, log, event->start_ns);
	dump_segments(g, log, event->start_ns);
	dump_gates(g, log, event->start_ns);
	dump_page_table(g, log, event->start_ns);
}
