/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page tables and user mode.
 */
#include <guest-rt/user.h>

void user_enter(uint32_t eip, uint32_t esp, uint32_t eflags);
_Noreturn void user_leave(void);

static struct user_end *current_end;
static user_handler *handlers[LGUEST_IDT_ENTRIES];
static uint8_t trap_stack[8192] __attribute__((aligned(4096)));

void tables_init(struct page_tables *t)
{
	uint32_t i;

	memset(t, 0, sizeof(*t));
	for (i = 0; i < 1024; i++)
		t->low[i] = i << 12 | PTE_KERNEL;
	t->top[0] = guest_pa(t->low) | 0x63;
	t->top[0xc0000000u >> 22] = t->top[0];
	t->top[USER_BASE >> 22] = guest_pa(t->user) | 0x67;
}

void tables_load(struct page_tables *t)
{
	hcall1(LHCALL_NEW_PGTABLE, guest_pa(t->top));
}

void tables_set_user(struct page_tables *t, unsigned int page, uint32_t pte)
{
	t->user[page] = pte;
	lazy_enter();
	lazy_hcall(LHCALL_SET_PTE, guest_pa(t->top), USER_BASE + page * 4096, pte);
	lazy_leave();
}

static void on_trap(struct trap_frame *frame)
{
	bool from_user = (frame->cs & 3) == 3;

	if (!from_user && frame->vector >= LGUEST_IRQ_VECTOR)
		return;		/* an interrupt on the way in or out */
	if (!from_user)
		guest_panic("trap %u at 0x%x in the kernel, error code 0x%x, cr2 0x%x",
			    (unsigned int)frame->vector, (unsigned int)frame->eip,
			    (unsigned int)frame->error, (unsigned int)lguest_data.cr2);
	/* Before anything may be interrupted. */
	current_end->cr2 = lguest_data.cr2;
	if (handlers[frame->vector & 255] && handlers[frame->vector & 255](frame))
		return;
	current_end->vector = frame->vector;
	current_end->error = frame->error;
	current_end->frame = *frame;
	user_leave();
}

void user_load(uint8_t page[4096], const uint8_t *start, const uint8_t *end)
{
	memset(page, 0x90, 4096);
	memcpy(page, start, (size_t)(end - start));
}

void user_set_handler(unsigned int vector, user_handler *handler)
{
	handlers[vector & 255] = handler;
}

void user_run(uint32_t eip, uint32_t esp, struct user_end *end)
{
	user_run_with(eip, esp, EFLAGS_IF | 2, end);
}

void user_run_with(uint32_t eip, uint32_t esp, uint32_t eflags, struct user_end *end)
{
	unsigned int vector;

	for (vector = 0; vector < 256; vector++)
		trap_set_handler(vector, on_trap);
	hcall3(LHCALL_SET_STACK, LGUEST_KERNEL_DS,
	       guest_pa(trap_stack) + (uint32_t)sizeof(trap_stack), 2);
	current_end = end;
	user_enter(eip, esp, eflags);
	irq_disable();
}
