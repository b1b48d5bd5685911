/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a host must refuse.  Each case is a program of its own: refuse-NAME.elf,
 * built with -DCASE=case_NAME for the generation its line names.  A guest that
 * is still there after its case powers off with status "SURVIVED", which the
 * test takes for a failure.
 *
 * The lines "case NAME abi LETTER: STATUS REASON" are the table: the build reads
 * names and letters, the test what must come of it (exit status, part of the
 * reason).
 */
#include <guest-rt/guest.h>

static uint32_t top_table[1024] __attribute__((aligned(4096), unused));

/* case init-twice abi s: 4 LGUEST_INIT a second time */
static inline void case_init_twice(void)
{
	hcall1(LHCALL_LGUEST_INIT, guest_pa(&lguest_data));
}

/* case init-twice-async abi s: 4 LGUEST_INIT a second time */
static inline void case_init_twice_async(void)
{
	async_hcall(LHCALL_LGUEST_INIT, guest_pa(&lguest_data), 0, 0, 0);
	hcall0(LHCALL_FLUSH_ASYNC);
}

/* case unknown-call abi s: 4 unknown hypercall 99 */
static inline void case_unknown_call(void)
{
	hcall0(99);
}

/* case unknown-call-async abi s: 4 unknown hypercall 77 */
static inline void case_unknown_call_async(void)
{
	async_hcall(77, 0, 0, 0, 0);
	hcall0(LHCALL_FLUSH_ASYNC);
}

/* case hole abi s: 4 unknown hypercall 11 */
static inline void case_hole(void)
{
	hcall0(11);
}

/* case newer-call abi s: 4 unknown hypercall 19 */
static inline void case_newer_call(void)
{
	hcall0(LHCALL_SEND_INTERRUPTS);
}

/* case older-call abi c: 4 unknown hypercall 3 */
static inline void case_older_call(void)
{
	hcall2(LHCALL_LOAD_GDT, guest_pa(guest_gdt), LGUEST_GDT_ENTRIES);
}

/* case notify-f abi f: 4 unknown hypercall 17 */
static inline void case_notify_f(void)
{
	hcall1(LHCALL_NOTIFY, guest_pa("x"));
}

/* case shutdown-outside abi s: 4 bad read */
static inline void case_shutdown_outside(void)
{
	hcall2(LHCALL_SHUTDOWN, 0xfffffff0, LGUEST_SHUTDOWN_POWEROFF);
}

/* case stack-ring abi s: 4 privilege level */
static inline void case_stack_ring(void)
{
	hcall3(LHCALL_SET_STACK, 0x68, 0x200000, 1);
}

/* case stack-ring3 abi s: 4 privilege level */
static inline void case_stack_ring3(void)
{
	hcall3(LHCALL_SET_STACK, 0x7b, 0x200000, 1);
}

/* case stack-pages abi s: 4 3 stack pages */
static inline void case_stack_pages(void)
{
	hcall3(LHCALL_SET_STACK, LGUEST_KERNEL_DS, 0x200000, 3);
}

/* case stack-unmapped abi s: 4 stack page 0xbffff000 is not writable */
static inline void case_stack_unmapped(void)
{
	hcall3(LHCALL_SET_STACK, LGUEST_KERNEL_DS, 0xc0000000, 1);
}

/* case idt-vector abi s: 4 IDT vector 256 */
static inline void case_idt_vector(void)
{
	hcall3(LHCALL_LOAD_IDT_ENTRY, 256, 0x600000, 0x8e00);
}

/* case idt-type abi s: 4 gate type 0x5 */
static inline void case_idt_type(void)
{
	hcall3(LHCALL_LOAD_IDT_ENTRY, 14, 0x600000, 0x8500);
}

/* case gdt-entries abi s: 4 GDT of 33 entries */
static inline void case_gdt_entries(void)
{
	hcall2(LHCALL_LOAD_GDT, guest_pa(guest_gdt), 33);
}

/* case gdt-outside abi s: 4 bad read */
static inline void case_gdt_outside(void)
{
	hcall2(LHCALL_LOAD_GDT, 0x7ffffff8, 32);
}

/* case gdt-entry-b abi b: 4 GDT entry 32 */
static inline void case_gdt_entry_b(void)
{
	hcall3(LHCALL_LOAD_GDT_ENTRY, 32, 0, 0);
}

/* case gdt-entry-c abi c: 4 GDT entry 33 */
static inline void case_gdt_entry_c(void)
{
	hcall3(LHCALL_LOAD_GDT_ENTRY, 33, 0, 0);
}

/* case tls-outside abi s: 4 bad read */
static inline void case_tls_outside(void)
{
	hcall2(LHCALL_LOAD_TLS, 0xfffffffc, 0);
}

/* case pgd-index abi e: 4 top-level slot 1025 */
static inline void case_pgd_index(void)
{
	hcall2(LHCALL_SET_PGD, guest_pa(top_table), 1025);
}

/* case pgtable-outside abi s: 4 page table at 0xf0000000 is outside memory */
static inline void case_pgtable_outside(void)
{
	hcall1(LHCALL_NEW_PGTABLE, 0xf0000000);
}

/* case pte-reserved abi s: 4 reserved top */
static inline void case_pte_reserved(void)
{
	hcall3(LHCALL_SET_PTE, guest_pa(top_table), 0xfffff000, 0);
}

/* case pte-reserved-e abi e: 4 reserved top */
static inline void case_pte_reserved_e(void)
{
	hcall4(LHCALL_SET_PTE, guest_pa(top_table), 0xfffff000, 0, 0);
}

/* case pte-large abi s: 4 a large page */
static inline void case_pte_large(void)
{
	hcall3(LHCALL_SET_PTE, guest_pa(top_table), 0x1000, 0x1000e7);
}

/* case pte-frame abi s: 4 a frame beyond memory */
static inline void case_pte_frame(void)
{
	hcall3(LHCALL_SET_PTE, guest_pa(top_table), 0x1000, 0x7ffff063);
}

/* The new table is used for the very next instruction, and is illegal. */
/* case pgd-flags abi s: 4 illegal flags */
static inline void case_pgd_flags(void)
{
	uint32_t i;

	for (i = 0; i < 1024; i++)
		top_table[i] = 0x1000 | 0x18f;
	hcall1(LHCALL_NEW_PGTABLE, guest_pa(top_table));
}

/* case pgd-frame abi s: 4 a frame beyond memory */
static inline void case_pgd_frame(void)
{
	uint32_t i;

	for (i = 0; i < 1024; i++)
		top_table[i] = 0x7ffff067;
	hcall1(LHCALL_NEW_PGTABLE, guest_pa(top_table));
}

/* case no-mapping abi s: 4 unhandled trap 14 */
static inline void case_no_mapping(void)
{
	hcall1(LHCALL_NEW_PGTABLE, guest_pa(top_table));
}

/* case touch-reserved abi s: 4 reserved top */
static inline void case_touch_reserved(void)
{
	*(volatile uint32_t *)0xffc00000 = 1;
}

/* case no-gate abi s: 4 unhandled trap 6 */
static inline void case_no_gate(void)
{
	__asm__ volatile("ud2");
}

/* case no-gate-fault abi s: 4 unhandled trap 14 .*address 0x90000000 */
static inline void case_no_gate_fault(void)
{
	*(volatile uint32_t *)0x90000000 = 1;
}

/* case int80 abi s: 4 unhandled trap 13 .*error code 0x402 */
static inline void case_int80(void)
{
	/* On the host it would be write(1, "ESCAPED\n", 8). */
	__asm__ volatile("int $0x80" : : "a"(4), "b"(1), "c"("ESCAPED\n"), "d"(8));
}

/* case syscall abi s: 4 unhandled trap 6 */
static inline void case_syscall(void)
{
	__asm__ volatile(".byte 0x0f, 0x05" : : "a"(1), "D"(1), "S"("ESCAPED\n"), "d"(8));
}

/* case syscall64 abi s: 4 64-bit mode */
static inline void case_syscall64(void)
{
	/* A far jump into the host's 64-bit segment, and a write(2) there. */
	__asm__ volatile("ljmp $0x33, $1f\n"
			 "1: .byte 0x0f, 0x05\n"
			 : : "a"(1), "D"(1), "S"("ESCAPED\n"), "d"(8));
}

/* case long-mode abi s: 4 64-bit mode */
static inline void case_long_mode(void)
{
	__asm__ volatile("ljmp $0x33, $1f\n1: ud2\n");
}

/* case long-mode-spin abi s: 4 64-bit mode */
static inline void case_long_mode_spin(void)
{
	/* Nothing traps: it is found by the clock. */
	hcall1(LHCALL_SET_CLOCKEVENT, 1000000);
	__asm__ volatile("ljmp $0x33, $1f\n1: jmp 1b\n");
}

/* case vsyscall abi s: 4 64-bit mode */
static inline void case_vsyscall(void)
{
	/* gettimeofday(0, 0) of the host, by no system-call instruction. */
	__asm__ volatile("ljmp $0x33, $1f\n"
			 "1: .code64\n"
			 "xor %edi, %edi\n"
			 "xor %esi, %esi\n"
			 "mov $0xffffffffff600000, %rax\n"
			 "call *%rax\n"
			 "jmp .\n"
			 ".code32\n");
}

/* case notify-outside abi s: 4 no device and no memory */
static inline void case_notify_outside(void)
{
	hcall1(LHCALL_NOTIFY, 0xf0000000);
}

/* case frame-unmapped abi s: 4 no page is mapped */
static inline void case_frame_unmapped(void)
{
	idt_load();
	__asm__ volatile("movl $0x90000000, %%esp\n int3" : : : "memory");
}

/* case iret-unmapped abi s: 4 no page is mapped */
static inline void case_iret_unmapped(void)
{
	idt_load();
	__asm__ volatile("movl $0x90000000, %%esp\n iret" : : : "memory");
}

/* case panic abi s: 3 on purpose */
static inline void case_panic(void)
{
	guest_panic("on purpose");
}

/* case control-text abi s: 3 \\x1b\[31mred\\x07\\x9b */
static inline void case_control_text(void)
{
	guest_panic("\033[31mred\007\x9b");
}

/* case ring-garbage abi s: 4 unknown hypercall */
static inline void case_ring_garbage(void)
{
	uint32_t seed = 12345, i;

	for (i = 0; i < LGUEST_RING_SIZE; i++) {
		seed = seed * 1664525 + 1013904223;
		async_hcall(seed | 0x100, seed * 3, seed * 5, seed * 7, seed * 11);
	}
	hcall0(LHCALL_FLUSH_ASYNC);
}

int guest_main(void)
{
	CASE();
	guest_panic("SURVIVED");
}
