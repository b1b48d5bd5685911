/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Thread-local storage: GS = 0x33 in user mode means the descriptor LOAD_TLS
 * gave, on a host where that selector is something else, and goes on meaning it
 * when the kernel changes it between two programs.
 */
#include <guest-rt/user.h>

static struct page_tables tables;
static uint8_t code_page[4096] __attribute__((aligned(4096)));
static uint32_t data_page[1024] __attribute__((aligned(4096)));
static uint64_t tls[LGUEST_TLS_ENTRIES];

/* Loads GS the way a C library does, after set_thread_area said entry `n`. */
#define PROGRAM(n) \
	"mov $(" #n " * 8 + 3), %eax; mov %eax, %gs; mov %gs:4, %eax; mov %gs, %ebx; int $0x80"

extern const uint8_t slot6[], slot7[], slot8[], end8[], again[], again_end[];
__asm__(".section .rodata\n"
	"slot6:" PROGRAM(6) "\n"
	"slot7:" PROGRAM(7) "\n"
	"slot8:" PROGRAM(8) "\n"
	"end8:\n"
	/* GS is still loaded, from before the system call. */
	"again: mov %gs:4, %eax; mov %gs, %ebx; int $0x80\n"
	"again_end:\n.previous");

static void set_tls(unsigned int slot, uint32_t base)
{
	tls[slot - LGUEST_TLS_ENTRY] = 0x00cff2000000ffffull | (uint64_t)(base & 0xffffff) << 16 |
				       (uint64_t)(base >> 24) << 56;
	lazy_enter();
	lazy_hcall(LHCALL_LOAD_TLS, guest_pa(tls), 0, 0);
	lazy_leave();
}

static struct user_end run(const uint8_t *start, const uint8_t *stop)
{
	struct user_end end;

	user_load(code_page, start, stop);
	user_run(USER_BASE, USER_BASE + 0x2000, &end);
	CHECK(end.vector == 0x80);
	return end;
}

int guest_main(void)
{
	static const uint8_t *const code[] = { slot6, slot7, slot8, end8 };
	unsigned int slot, i;
	struct user_end end;

	gdt_load();
	idt_load();
	tables_init(&tables);
	tables_load(&tables);
	tables_set_user(&tables, 0, guest_pa(code_page) | PTE_USER);
	tables_set_user(&tables, 1, guest_pa(data_page) | PTE_USER);
	for (i = 0; i < 1024; i++)
		data_page[i] = 0xda7a0000 + i;
	for (slot = 6; slot <= 8; slot++) {
		set_tls(slot, USER_BASE + 0x1000 + slot * 64);
		end = run(code[slot - 6], code[slot - 5]);
		CHECK(end.frame.eax == 0xda7a0000 + slot * 16 + 1);
		/* A library takes its index from the live register. */
		CHECK(end.frame.ebx >> 3 == slot);
		/* Changed under a register that stays loaded. */
		set_tls(slot, USER_BASE + 0x1000 + slot * 64 + 512);
		end = run(again, again_end);
		CHECK(end.frame.eax == 0xda7a0000 + slot * 16 + 128 + 1);
		CHECK(end.frame.ebx >> 3 == slot);
		printf("slot %u: its own segment, before and after a change\n", slot);
	}
	return 0;
}
