/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a user program can and cannot do: a table of small pieces of user code
 * and how each must end.  The hostile ones try to read, write and run the
 * kernel, to get at the host, and to leave 32-bit mode.
 */
#include <guest-rt/user.h>

static struct page_tables tables;
static uint8_t code_page[4096] __attribute__((aligned(4096)));
static uint8_t data_page[4096] __attribute__((aligned(4096)));
static uint8_t secret_page[4096] __attribute__((aligned(4096)));

#define CODE USER_BASE
#define DATA (USER_BASE + 0x1000)
#define READ_ONLY (USER_BASE + 0x2000)
#define KERNEL_ONLY (USER_BASE + 0x3000)

#define PF_P 1u
#define PF_W 2u
#define PF_U 4u

/* `code` is assembled into the row. */
struct row {
	const char *what;
	const uint8_t *start, *end;
	uint32_t vector, error, cr2;
};

USER_CODE(syscall, "mov $0x1234, %eax; int $0x80");
USER_CODE(read_data, "mov 0x40001000, %eax; int $0x80");
USER_CODE(write_data, "movl $5, 0x40001004; int $0x80");
USER_CODE(read_kernel, "mov 0x101000, %eax; int $0x80");
USER_CODE(write_kernel, "movl $5, 0x101000; int $0x80");
USER_CODE(run_kernel, "mov $0x100000, %eax; jmp *%eax");
USER_CODE(read_alias, "mov 0xc0101000, %eax; int $0x80");
USER_CODE(read_secret, "mov 0x40003000, %eax; int $0x80");
USER_CODE(write_read_only, "movl $1, 0x40002000; int $0x80");
USER_CODE(push_operand, "mov $0x40001ffc, %esp; push 0x50000000; int $0x80");
USER_CODE(read_nothing, "mov 0x50000000, %eax; int $0x80");
USER_CODE(read_low, "mov 0x228, %eax; int $0x80");
USER_CODE(write_low, "movl $1, 0x0; int $0x80");
USER_CODE(read_window, "mov 0xffe00228, %eax; int $0x80");
USER_CODE(read_top, "mov 0xfffff000, %eax; int $0x80");
USER_CODE(read_gates, "mov 0xffe20000, %eax; int $0x80");
USER_CODE(write_gates, "movl $1, 0xffe20000; int $0x80");
USER_CODE(call_gate, "mov $0xffe20000, %eax; call *%eax; int $0x80");
USER_CODE(hlt, "hlt");
USER_CODE(cli, "cli");
USER_CODE(in, "in $0x64, %al");
USER_CODE(rdmsr, "rdmsr");
USER_CODE(cr3, "mov %cr3, %eax");
USER_CODE(iret, "push $0x202; push $0x61; push $0x100000; iret");
USER_CODE(hypercall, "mov $2, %eax; int $0x1f");
USER_CODE(irq_vector, "int $0x20");
USER_CODE(no_gate, "int $0x42");
USER_CODE(double_fault, "int $8");
USER_CODE(alignment, "pushf; orl $0x40000, (%esp); popf; int $0x80");
USER_CODE(vmcall, "mov $2, %eax; vmcall");
USER_CODE(ud2, "ud2");
USER_CODE(breakpoint, "int3");
USER_CODE(divide, "xor %ecx, %ecx; mov $1, %eax; div %ecx");
USER_CODE(kernel_ds, "mov $0x68, %eax; mov %eax, %ds");
USER_CODE(percpu_fs, "mov $0xd8, %eax; mov %eax, %fs");
USER_CODE(no_tls, "mov $0x33, %eax; mov %eax, %gs; mov %gs:0, %eax; int $0x80");
USER_CODE(host_flat, "mov $0x2b, %eax; mov %eax, %gs; mov %gs:0x101000, %eax; int $0x80");
USER_CODE(host_flat_rpl, "mov $0x28, %eax; mov %eax, %gs; mov %gs:0x101000, %eax; int $0x80");
USER_CODE(long_mode, "ljmp $0x33, $0x40000007; mov $1, %eax; syscall");
/* gettimeofday, time and getcpu in the host's vsyscall page. */
USER_CODE(vsyscall,
	"ljmp $0x33, $0x40000007; .code64; xor %edi, %edi; xor %esi, %esi\n"
	"mov $0xffffffffff600000, %rax; call *%rax; jmp .; .code32");
USER_CODE(vsyscall_time,
	"ljmp $0x33, $0x40000007; .code64; xor %edi, %edi\n"
	"mov $0xffffffffff600400, %rax; call *%rax; jmp .; .code32");
USER_CODE(vsyscall_getcpu,
	"ljmp $0x33, $0x40000007; .code64; xor %edi, %edi; xor %esi, %esi\n"
	"mov $0xffffffffff600800, %rax; call *%rax; jmp .; .code32");
USER_CODE(sysenter, "sysenter");
USER_CODE(step, "pushf; orl $0x100, (%esp); popf; nop; nop; int $0x80");

#define ROW(name, what, vector, error, cr2) \
	{ what, name##_start, name##_end, vector, error, cr2 }

static const struct row rows[] = {
	ROW(syscall, "a system call", 0x80, 0, 0),
	ROW(read_data, "reads its data", 0x80, 0, 0),
	ROW(write_data, "writes its data", 0x80, 0, 0),
	ROW(read_kernel, "reads the kernel", 14, PF_P | PF_U, 0x101000),
	ROW(write_kernel, "writes the kernel", 14, PF_P | PF_W | PF_U, 0x101000),
	ROW(run_kernel, "runs the kernel", 14, PF_P | PF_U, 0x100000),
	ROW(read_alias, "reads it at PAGE_OFFSET", 14, PF_P | PF_U, 0xc0101000),
	ROW(read_secret, "reads a kernel page among its own", 14, PF_P | PF_U, KERNEL_ONLY),
	ROW(write_read_only, "writes a read-only page", 14, PF_P | PF_W | PF_U, READ_ONLY),
	ROW(push_operand, "pushes what is not there: a read", 14, PF_U, 0x50000000),
	ROW(read_nothing, "reads where nothing is", 14, PF_U, 0x50000000),
	ROW(read_low, "reads boot_params", 14, PF_P | PF_U, 0x228),
	ROW(write_low, "writes address 0", 14, PF_P | PF_W | PF_U, 0),
	ROW(read_window, "reads the host's window", 14, PF_U, 0xffe00228),
	ROW(read_top, "reads the top of memory", 14, PF_U, 0xfffff000),
	ROW(read_gates, "reads the host's gates", 14, PF_U, 0xffe20000),
	ROW(write_gates, "writes them", 14, PF_W | PF_U, 0xffe20000),
	ROW(call_gate, "calls one", 14, PF_U, 0xffe20000),
	ROW(hlt, "hlt", 13, 0, 0), ROW(cli, "cli", 13, 0, 0), ROW(in, "in", 13, 0, 0),
	ROW(rdmsr, "rdmsr", 13, 0, 0), ROW(cr3, "mov %cr3", 13, 0, 0),
	ROW(iret, "iret into the kernel", 13, 0x60, 0),
	ROW(hypercall, "a hypercall", 13, 0xfa, 0),
	ROW(irq_vector, "int $0x20", 13, 0x102, 0),
	ROW(no_gate, "int $0x42, which has no gate", 13, 0x212, 0),
	ROW(double_fault, "int $8", 13, 0x42, 0),
	ROW(ud2, "ud2", 6, 0, 0),
	ROW(breakpoint, "int3", 3, 0, 0),
	ROW(divide, "divides by zero", 0, 0, 0),
	ROW(kernel_ds, "loads the kernel's DS", 13, 0x68, 0),
	ROW(percpu_fs, "loads the per-CPU segment", 13, 0xd8, 0),
	ROW(host_flat, "reads the kernel through the host's flat segment", 14, PF_P | PF_U, 0x101000),
	ROW(host_flat_rpl, "and by its selector of ring 0", 14, PF_P | PF_U, 0x101000),
	ROW(long_mode, "jumps to 64-bit code", 13, 0, 0),
	ROW(vsyscall, "calls the host's vsyscall page", 13, 0, 0),
	ROW(vsyscall_time, "calls it for the time", 13, 0, 0),
	ROW(vsyscall_getcpu, "calls it for the CPU", 13, 0, 0),
	ROW(step, "single step", 1, 0, 0),
};

static void run(const struct row *r, struct user_end *end)
{
	user_load(code_page, r->start, r->end);
	memset(end, 0, sizeof(*end));
	user_run(CODE, DATA + 0x1000, end);
}

static void check(const struct row *r)
{
	struct user_end end;

	run(r, &end);
	if (end.vector != r->vector || end.error != r->error ||
	    (r->vector == 14 && end.cr2 != r->cr2))
		guest_panic("%s: vector %u error 0x%x cr2 0x%x, wanted %u 0x%x 0x%x", r->what,
			    (unsigned int)end.vector, (unsigned int)end.error,
			    (unsigned int)end.cr2, (unsigned int)r->vector,
			    (unsigned int)r->error, (unsigned int)r->cr2);
	CHECK(end.frame.cs == LGUEST_USER_CS && end.frame.ss == LGUEST_USER_DS);
	printf("%s: as it must\n", r->what);
}

/* Which trap a vmcall or sysenter at ring 3 becomes is the processor's choice;
 * that it is a trap, and not a call to the host, is ours. */
static void check_refused(const char *what, const uint8_t *start, const uint8_t *stop)
{
	const struct row r = { what, start, stop, 0, 0, 0 };
	struct user_end end;

	run(&r, &end);
	CHECK(end.vector == 6 || end.vector == 13 || end.vector == 14);
	printf("%s: refused\n", what);
}

/* --- every selector -------------------------------------------------------------- */

/* Loads each selector below 0x400 into every data segment register and makes a
 * system call with it. */
USER_CODE(selectors,
	"mov $0x400, %ecx\n"
	"1: dec %ecx; mov %ecx, %es; mov %ecx, %fs; mov %ecx, %gs; mov %ecx, %ds\n"
	"int $0x80; jmp 1b");

static unsigned int selector_calls, selector_faults;

static bool on_selector_call(struct trap_frame *frame)
{
	selector_calls++;
	return frame->ecx != 0;
}

/* The load is two bytes long: goes on with the next. */
static bool on_selector_fault(struct trap_frame *frame)
{
	selector_faults++;
	frame->eip += 2;
	return true;
}

static void selectors(void)
{
	const struct row r = ROW(selectors, "every selector", 0x80, 0, 0);
	struct user_end end;

	user_set_handler(0x80, on_selector_call);
	user_set_handler(13, on_selector_fault);
	run(&r, &end);
	CHECK(end.vector == 0x80 && selector_calls == 0x400 && selector_faults > 0x400);
	printf("every data segment selector, of every ring: survived\n");
}

/* The kernel runs at ring 3 of the host, and a program's EFLAGS.AC with it, if
 * nobody clears it: its next access like this one would be the last. */
static void alignment_checks(void)
{
	const struct row r = ROW(alignment, "has its alignment checked", 0x80, 0, 0);
	static uint32_t words[2] = { 0x11223344, 0x55667788 };
	uint32_t value;

	check(&r);
	__asm__ volatile("movl 1(%1), %0" : "=r"(value) : "r"(words), "m"(words));
	CHECK(value == 0x88112233);
	printf("the kernel's is not\n");
}

/* --- preemption ---------------------------------------------------------------- */

static unsigned int ticks;

USER_CODE(spin, "1: inc %ecx; cmp $0, %edx; je 1b; int $0x80");

static bool on_tick(struct trap_frame *frame)
{
	ticks++;
	if (ticks == 5)
		frame->edx = 1;		/* lets the loop end */
	else
		hcall1(LHCALL_SET_CLOCKEVENT, 1000000);
	return true;
}

static void preemption(void)
{
	const struct row r = ROW(spin, "preempted", 0x80, 0, 0);
	struct user_end end;

	user_set_handler(LGUEST_IRQ_VECTOR, on_tick);
	lguest_data.blocked_interrupts = 0;
	hcall1(LHCALL_SET_CLOCKEVENT, 1000000);
	run(&r, &end);
	CHECK(end.vector == 0x80 && ticks == 5 && end.frame.ecx > 1000);
	printf("preempted five times, registers kept\n");
}

/* --- what is taken back -------------------------------------------------------------- */

/*
 * A program that knows how a host with a user view of its own learns of a stop
 * (monitor/view.h): with page 4 mapped it says that it has made a system call and that
 * it is the monitor's turn, wakes whoever waits, and writes on to that page.  On other
 * hosts the first of it that counts is a #GP.
 */
USER_CODE(runs_on,
	"incl 0x40004000; ljmp $0x33, $0x4000000d; .code64; movabs $0x0f0000000000, %rbx\n"
	"movl $31, 4(%rbx); movl $1, 8(%rbx); movl $2, (%rbx)\n"
	"mov $202, %eax; mov %rbx, %rdi; mov $10, %esi; mov $1, %edx; mov $1, %r9d; syscall\n"
	"1: incl 0x40004000; jmp 1b; .code32");

/* Long enough for the host to let both have the processor in turn. */
#define LOOKS 50000000u

static void taken_back(void)
{
	const struct row r = ROW(runs_on, "runs on", 0, 0, 0);
	static uint8_t page[4096] __attribute__((aligned(4096)));
	volatile uint32_t *word = (volatile uint32_t *)page;
	struct user_end end;
	unsigned int i;

	tables_set_user(&tables, 4, guest_pa(page) | PTE_USER);
	run(&r, &end);
	/* The first if its forgery was believed. */
	CHECK(end.vector == 6 || (end.vector == 13 && strcmp(guest_command_line(), "believed")));
	tables_set_user(&tables, 4, 0);
	*word = 0x5e5e5e5e;
	for (i = 0; i < LOOKS; i++)
		CHECK(*word == 0x5e5e5e5e);
	/* And its page table is still good for programs. */
	check(&rows[0]);
	printf("a page taken back stays taken\n");
}

int guest_main(void)
{
	unsigned int i;

	gdt_load();
	idt_load();
	tables_init(&tables);
	tables_load(&tables);
	memset(secret_page, 0x5e, sizeof(secret_page));
	tables_set_user(&tables, 0, guest_pa(code_page) | PTE_USER);
	tables_set_user(&tables, 1, guest_pa(data_page) | PTE_USER);
	tables_set_user(&tables, 2, guest_pa(data_page) | 0x65);
	tables_set_user(&tables, 3, guest_pa(secret_page) | PTE_KERNEL);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
	CHECK(*(uint32_t *)(data_page + 4) == 5);
	check_refused("vmcall", vmcall_start, vmcall_end);
	check_refused("sysenter", sysenter_start, sysenter_end);
	check_refused("a TLS segment that is not there", no_tls_start, no_tls_end);
	alignment_checks();
	preemption();
	taken_back();
	selectors();
	return 0;
}
