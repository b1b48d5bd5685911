/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IRET in all its forms: to the same ring and to a program, with every flag it
 * may change and those it may not, into a single step, through the windows in
 * which no interrupt may come, from frames that are wrong or not mapped yet, and
 * in a program itself.
 */
#include <guest-rt/user.h>

#define CF 0x001u
#define TF 0x100u
#define DF 0x400u
#define NT 0x4000u
#define RF 0x10000u
#define AC 0x40000u
#define STATUS_FLAGS 0x8d5u		/* OF SF ZF AF PF CF */
/* VIP VIF VM IOPL: not IRET's to change where a guest runs.  ID it may, but no
 * host lets a tracer set that. */
#define KEPT_FLAGS 0x1a3000u
#define FIXED 2u

#define CODE USER_BASE
#define DATA (USER_BASE + 0x1000)
#define PAGE_END (DATA + 0x1000)
/* With room above: a processor may read a whole frame before it objects. */
#define STACK (PAGE_END - 0x100)

static struct page_tables tables;
static uint8_t code_page[4096] __attribute__((aligned(4096)));
static uint8_t data_pages[2][4096] __attribute__((aligned(4096)));

/* --- in the kernel ----------------------------------------------------------------- */

/*
 * void kernel_iret(const uint32_t *frame)
 *
 * Executes IRET with ESP on the words `at`, of which EIP is iret_landed;
 * returns from there with what it found, or from iret_caught, where the handler
 * of #GP goes on.
 */
void kernel_iret(const volatile uint32_t *at);
void kernel_iret16(const volatile uint32_t *at);
extern const char iret_landed[], iret_caught[], iret_at[], iret16_at[];
uint32_t iret_saved_esp, iret_flags, iret_esp;

__asm__(".text\n"
	"kernel_iret:\n"
	"	movl 4(%esp), %eax\n"
	"	pushal\n"
	"	movl %esp, iret_saved_esp\n"
	"	movl %eax, %esp\n"
	"iret_at:\n"
	"	iret\n"
	"kernel_iret16:\n"
	"	movl 4(%esp), %eax\n"
	"	pushal\n"
	"	movl %esp, iret_saved_esp\n"
	"	movl %eax, %esp\n"
	"iret16_at:\n"
	"	iretw\n"
	"iret_landed:\n"
	"	nop\n"
	"	movl %esp, iret_esp\n"
	"	movl iret_saved_esp, %esp\n"
	"	pushf\n"
	"	popl iret_flags\n"
	"	jmp 1f\n"
	"iret_caught:\n"
	"	movl iret_saved_esp, %esp\n"
	"1:	pushl $2\n"
	"	popf\n"
	"	popal\n"
	"	ret\n");

/* Frames stand on a stack of their own: what comes while ESP is there goes
 * below them. */
static volatile uint32_t other_stack[1024];
static volatile uint32_t *const frame = other_stack + 1000;

static void set_frame(uint32_t eip, uint32_t cs, uint32_t eflags, uint32_t ss)
{
	frame[0] = eip;
	frame[1] = cs;
	frame[2] = eflags;
	frame[3] = STACK;
	frame[4] = ss;
}

static struct { unsigned int count; uint32_t eip, error, esp; } gp;
static struct { unsigned int count, in_window; uint32_t eip, eflags; } db;

static void on_gp(struct trap_frame *t)
{
	gp.count++;
	gp.eip = t->eip;
	gp.error = t->error;
	gp.esp = guest_pa(&t->esp);	/* of the same ring: ESP as it was */
	t->eip = (uint32_t)iret_caught;
}

static void on_db(struct trap_frame *t)
{
	db.count++;
	db.eip = t->eip;
	db.eflags = t->eflags;
	t->eflags &= ~TF;
}

static void kernel_flags(void)
{
	static const uint32_t rows[] = {
		0, STATUS_FLAGS, CF, DF, NT, AC, STATUS_FLAGS | DF | NT | AC,
		KEPT_FLAGS, KEPT_FLAGS | STATUS_FLAGS, EFLAGS_IF,
	};
	unsigned int i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_frame((uint32_t)iret_landed, LGUEST_KERNEL_CS, rows[i], 0);
		kernel_iret(frame);
		/* The processor's own IF is the host's affair. */
		if ((iret_flags & ~EFLAGS_IF) != ((rows[i] & ~(KEPT_FLAGS | EFLAGS_IF)) | FIXED))
			guest_panic("flags 0x%x came out as 0x%x", (unsigned int)rows[i],
				    (unsigned int)iret_flags);
		CHECK(iret_esp == guest_pa(frame) + 12);
		CHECK(!(lguest_data.irq_enabled & EFLAGS_IF));	/* a store's work, not IRET's */
	}
	printf("same ring: flags, stack\n");
}

/* With AC set by a program or itself the kernel may still access what it
 * likes: alignment is checked at ring 3 only. */
static void kernel_alignment(void)
{
	static uint32_t words[2];

	__asm__ volatile("pushf\n orl $0x40000, (%%esp)\n popf\n movl %1, 1(%0)\n"
			 "pushf\n andl $~0x40000, (%%esp)\n popf"
			 : : "r"(words), "r"(0x01020304) : "memory");
	CHECK(words[0] == 0x02030400 && words[1] == 1);
	printf("same ring: no alignment check\n");
}

static void kernel_step(void)
{
	set_frame((uint32_t)iret_landed, LGUEST_KERNEL_CS, TF, 0);
	db.count = 0;
	kernel_iret(frame);
	/* One instruction of the target, and the frame says TF. */
	CHECK(db.count == 1 && db.eip == (uint32_t)iret_landed + 1 && db.eflags & TF);
	CHECK(!(iret_flags & TF));
	printf("same ring: single step\n");
}

/* What the host does for the kernel is a step as well. */
extern const char step_in[], step_cr[], step_cli[], step_fs[];

static void kernel_step_emulated(void)
{
#define STEP(name, insn) \
	do { \
		uint32_t eax = LGUEST_KERNEL_DS; \
\
		db.count = 0; \
		__asm__ volatile("pushf\n orl $0x100, (%%esp)\n popf\n" insn "\n" \
				 #name ":\n nop\n nop" : "+a"(eax) : : "memory"); \
		CHECK(db.count == 1 && db.eip == (uint32_t)name); \
	} while (0)

	STEP(step_in, "inb $0x80, %%al");
	STEP(step_cr, "movl %%cr0, %%eax");
	STEP(step_cli, "cli");
	STEP(step_fs, "movl %%eax, %%fs");
	printf("same ring: single step of what is emulated\n");
}

/* --- wrong frames -------------------------------------------------------------------- */

static void refused(uint32_t error)
{
	gp.count = 0;
	kernel_iret(frame);
	if (gp.count != 1 || gp.eip != (uint32_t)iret_at || gp.error != error ||
	    gp.esp != guest_pa(frame))
		guest_panic("frame with CS 0x%x SS 0x%x: %u #GP, error 0x%x at 0x%x ESP 0x%x",
			    (unsigned int)frame[1], (unsigned int)frame[4], gp.count,
			    (unsigned int)gp.error, (unsigned int)gp.eip, (unsigned int)gp.esp);
}

static void wrong_frames(void)
{
	static const uint16_t cs[] = {
		0, 3, 0x60, 0x62, 0x63, 0x67, 0x68, 0x69, 0x71, 0x72, 0x7b, 0x80, 0xd8, 0xf3,
	};
	static const uint16_t ss[] = {
		0, 3, 0x2b, 0x68, 0x69, 0x6b, 0x73, 0x78, 0x79, 0x7a, 0x7f, 0xdb, 0xfffb,
	};
	unsigned int i;

	for (i = 0; i < sizeof(cs) / sizeof(cs[0]); i++) {
		set_frame((uint32_t)iret_landed, cs[i], 0, LGUEST_USER_DS);
		refused(cs[i] & 0xfffcu);
	}
	for (i = 0; i < sizeof(ss) / sizeof(ss[0]); i++) {
		set_frame(CODE, LGUEST_USER_CS, 0, ss[i]);
		refused(ss[i] & 0xfffcu);
	}
	printf("wrong CS, wrong SS: #GP, nothing changed\n");
}

static void short_form(void)
{
	gp.count = 0;
	kernel_iret16(frame);
	CHECK(gp.count == 1 && gp.eip == (uint32_t)iret16_at);
	printf("16-bit IRET: #GP\n");
}

/* A frame over two pages, of which the second was not accessed yet. */
static void frame_over_two_pages(void)
{
	unsigned int words;

	for (words = 1; words < 3; words++) {
		volatile uint32_t *split = (volatile uint32_t *)(PAGE_END - 4 * words);

		tables_set_user(&tables, 2, guest_pa(data_pages[1]) | PTE_KERNEL);
		split[0] = (uint32_t)iret_landed;
		split[1] = LGUEST_KERNEL_CS;
		split[2] = STATUS_FLAGS;
		tables_set_user(&tables, 2, guest_pa(data_pages[1]) | (PTE_KERNEL & ~0x60u));
		kernel_iret(split);
		CHECK((iret_flags & STATUS_FLAGS) == STATUS_FLAGS);
		CHECK(iret_esp == guest_pa(split) + 12);
		CHECK(tables.user[2] & 0x20);
	}
	tables_set_user(&tables, 2, 0);
	printf("a frame over two pages\n");
}

/* --- the windows ----------------------------------------------------------------------- */

extern const char guest_noirq_start[], guest_noirq_end[];
static struct { unsigned int count; uint32_t eip; bool user; } tick;

static void on_tick(struct trap_frame *t)
{
	tick.count++;
	tick.eip = t->eip;
	tick.user = (t->cs & 3) == 3;
}

/* Steps on, and notes where the flag is on already and IRET still to come. */
static void on_window_step(struct trap_frame *t)
{
	db.count++;
	CHECK(tick.count == 0);
	if (t->eflags & EFLAGS_IF)
		db.in_window++;
}

/* A tick that is due already and cannot be taken yet. */
static void make_pending(void)
{
	irq_disable();
	lguest_data.blocked_interrupts = 0;
	tick.count = 0;
	hcall1(LHCALL_SET_CLOCKEVENT, 1);
	hcall0(LHCALL_FLUSH_ASYNC);
	CHECK(tick.count == 0);
}

/* Leaves by the runtime's way out with TF set, so that every instruction of it
 * is an exit to the host and the return of a handler into the window. */
void step_out(const volatile uint32_t *at);
__asm__(".text\n"
	"step_out:\n"
	"	movl 4(%esp), %eax\n"
	"	pushal\n"
	"	movl %esp, iret_saved_esp\n"
	"	movl %eax, %esp\n"
	"	pushf\n"
	"	orl $0x100, (%esp)\n"
	"	popf\n"
	"	jmp guest_iret\n");

static void kernel_window(void)
{
	set_frame((uint32_t)iret_landed, LGUEST_KERNEL_CS, EFLAGS_IF | FIXED, 0);
	trap_set_handler(1, on_window_step);
	db.count = db.in_window = 0;
	make_pending();
	step_out(frame);
	irq_disable();
	/* Taken before the first instruction behind IRET, no sooner, no later. */
	CHECK(tick.count == 1 && tick.eip == (uint32_t)iret_landed);
	CHECK(db.in_window >= 1);
	trap_set_handler(1, on_db);
	printf("same ring: no interrupt in the window, stepping through it\n");
}

/* --- to a program and in it ------------------------------------------------------------ */

USER_CODE(syscall, "int $0x80");
USER_CODE(nops, "nop; nop; int $0x80");
USER_CODE(iret_there, "pushl $0x8d7; pushl $0x73; pushl $1f - iret_there_start + 0x40000000; iret;"
	"ud2; 1: int $0x80");
USER_CODE(iret_if, "pushl $0x3002; pushl $0x73; pushl $1f - iret_if_start + 0x40000000; iret;"
	"ud2; 1: int $0x80");
USER_CODE(iret_step, "pushl $0x102; pushl $0x73; pushl $1f - iret_step_start + 0x40000000; iret;"
	"ud2; 1: nop; int $0x80");
USER_CODE(iret_kernel, "pushl $0x2; pushl $0x61; pushl $0x100000; iret");
USER_CODE(iret_data, "pushl $0x2; pushl $0x7b; pushl $0x40000000; iret");
USER_CODE(iret_nowhere, "movl $0x50000000, %esp; iret");
USER_CODE(iret_my_kernel, "movl $0x101000, %esp; iret");

static void user(const uint8_t *start, const uint8_t *stop, uint32_t flags,
		 struct user_end *end)
{
	user_load(code_page, start, stop);
	memset(end, 0, sizeof(*end));
	user_run_with(CODE, STACK, flags, end);
	CHECK(end->frame.cs == LGUEST_USER_CS && end->frame.ss == LGUEST_USER_DS);
}

static void user_flags(void)
{
	static const uint32_t rows[] = {
		EFLAGS_IF, 0, STATUS_FLAGS, EFLAGS_IF | DF, EFLAGS_IF | NT, EFLAGS_IF | AC,
		EFLAGS_IF | KEPT_FLAGS, EFLAGS_IF | STATUS_FLAGS | DF | NT | AC,
	};
	struct user_end end;
	unsigned int i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		user(syscall_start, syscall_end, rows[i], &end);
		CHECK(end.vector == 0x80 && end.frame.eip == CODE + 2 && end.frame.esp == STACK);
		/* Also IF: a program sees what was stored, and so does its frame.
		 * RF tells of a page fault before, if there was one. */
		if ((end.frame.eflags & ~RF) != ((rows[i] & ~KEPT_FLAGS) | FIXED))
			guest_panic("program flags 0x%x came back as 0x%x", (unsigned int)rows[i],
				    (unsigned int)end.frame.eflags);
	}
	user(nops_start, nops_end, EFLAGS_IF | TF, &end);
	CHECK(end.vector == 1 && end.frame.eip == CODE + 1 && end.frame.eflags & TF);
	printf("to a program: flags, stack, single step\n");
}

static bool count_tick(struct trap_frame *t)
{
	on_tick(t);
	return true;
}

static void user_window(void)
{
	struct user_end end;

	user_set_handler(LGUEST_IRQ_VECTOR, count_tick);
	make_pending();
	user(syscall_start, syscall_end, EFLAGS_IF, &end);
	CHECK(end.vector == 0x80);
	CHECK(tick.count == 1 && tick.user && tick.eip == CODE);
	printf("to a program: a pending interrupt comes before its first instruction\n");
}

static void in_a_program(void)
{
	struct user_end end;

	user(iret_there_start, iret_there_end, EFLAGS_IF, &end);
	CHECK(end.vector == 0x80 && end.frame.esp == STACK);
	CHECK((end.frame.eflags & ~RF) == (STATUS_FLAGS | FIXED | EFLAGS_IF));
	/* Neither IF nor IOPL are a program's. */
	user(iret_if_start, iret_if_end, EFLAGS_IF, &end);
	CHECK(end.vector == 0x80 && (end.frame.eflags & ~RF) == (EFLAGS_IF | FIXED));
	user(iret_step_start, iret_step_end, EFLAGS_IF, &end);
	CHECK(end.vector == 1 && end.frame.eflags & TF);
	CHECK(end.frame.eip == CODE + (uint32_t)(iret_step_end - iret_step_start) - 2);
	user(iret_kernel_start, iret_kernel_end, EFLAGS_IF, &end);
	CHECK(end.vector == 13 && end.error == 0x60);
	user(iret_data_start, iret_data_end, EFLAGS_IF, &end);
	CHECK(end.vector == 13 && end.error == 0x78);
	/* Its frame is read with its own rights: not there; the kernel's.  In
	 * which order is the processor's affair. */
	user(iret_nowhere_start, iret_nowhere_end, EFLAGS_IF, &end);
	CHECK(end.vector == 14 && end.cr2 - 0x50000000 < 20 && end.error == 4);
	user(iret_my_kernel_start, iret_my_kernel_end, EFLAGS_IF, &end);
	CHECK(end.vector == 14 && end.cr2 - 0x101000 < 20 && end.error == 5);
	printf("in a program: to itself, and nowhere else\n");
}

int guest_main(void)
{
	gdt_load();
	idt_load();
	trap_set_handler(13, on_gp);
	trap_set_handler(1, on_db);
	trap_set_handler(LGUEST_IRQ_VECTOR, on_tick);
	tables_init(&tables);
	tables_load(&tables);
	tables_set_user(&tables, 0, guest_pa(code_page) | PTE_USER);
	tables_set_user(&tables, 1, guest_pa(data_pages[0]) | PTE_USER);
	kernel_flags();
	kernel_alignment();
	kernel_step();
	kernel_step_emulated();
	wrong_frames();
	short_form();
	frame_over_two_pages();
	kernel_window();
	/* From here on the handlers are those of user.c. */
	user_flags();
	user_window();
	in_a_program();
	return 0;
}
