/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code that a host may rewrite: hypercalls wherever a compiler could put them, and
 * the kernel's way out as Linux has it.  Whatever the host makes of it, every
 * register, every flag and the stack stay what they were, and interrupts come as
 * ever.  With the word "gates" on the command line it also reads its own code: which
 * sites are jumps now, and which must not be.
 */
#include <guest-rt/user.h>

#define CF 0x1u
#define STATUS_FLAGS 0x8d5u	/* CF PF AF ZF SF OF */
#define TF 0x100u
#define DF 0x400u
#define NT 0x4000u
#define AC 0x40000u
#define COMPARED (STATUS_FLAGS | DF | NT | AC)
#define FIXED 2u
#define A 0x20u
#define D 0x40u

#define LINEAR 0xc0000000u	/* where a kernel has its memory */

extern const char sites_noirq_start[], sites_noirq_end[];

/* In the place of the runtime's: the window is that of the way out below. */
volatile guest_data_t lguest_data __attribute__((section(".data.lguest"), aligned(64))) = {
	.blocked_interrupts = 1,
	.hcall_status = { [0 ... LGUEST_RING_SIZE - 1] = LGUEST_RING_FREE },
#if GUEST_ABI == GUEST_ABI_F
	.noirq_iret = (uint32_t)sites_noirq_end,
#else
	.noirq_start = (uint32_t)sites_noirq_start,
	.noirq_end = (uint32_t)sites_noirq_end,
#endif
	.kernel_address = LINEAR,
	.syscall_vec = LGUEST_SYSCALL_VECTOR,
};

static struct page_tables tables;
static uint8_t code_page[4096] __attribute__((aligned(4096)));
static uint8_t stack_pages[2][4096] __attribute__((aligned(4096)));

/* --- the sites ----------------------------------------------------------------------- */

#if GUEST_USES_VMCALL
#define VMCALL "vmcall\n"
#else
#define VMCALL "int $0x1f\n"
#endif
#define INT "int $0x1f\n"
/* Nothing here is padding, or the end of a function. */
#define DESERT ".fill 192, 1, 0xcc\n"
#define PADDED "ret\n .balign 16\n"

/* NAME is the function, NAME_at the instruction. */
#define SITE(name, before, insn, after) \
	extern const uint8_t name##_at[]; \
	void name(void); \
	__asm__(".text\n" before #name ":\n" #name "_at: " insn after ".previous\n")

SITE(int_padded, DESERT ".balign 16\n", INT, PADDED DESERT);
SITE(vmcall_padded, DESERT ".balign 16\n", VMCALL, PADDED DESERT);
SITE(int_alone, DESERT, INT, "ret\n" DESERT);
SITE(vmcall_alone, DESERT, VMCALL, "ret\n" DESERT);
/* Room for four bytes, for five that end nowhere in particular. */
SITE(int_four, DESERT ".balign 16\n .fill 9, 1, 0x90\n", INT, "ret\n .fill 4, 1, 0x90\n" DESERT);
SITE(int_odd, DESERT ".balign 16\n", INT, "ret\n .fill 8, 1, 0x90\n" DESERT);
/* As far back as a short jump goes, and one byte more. */
SITE(int_far, DESERT ".balign 16\n ret\n .fill 15, 1, 0x90\n .fill 111, 1, 0xcc\n", INT,
	"ret\n" DESERT);
SITE(int_too_far, DESERT ".balign 16\n ret\n .fill 15, 1, 0x90\n .fill 112, 1, 0xcc\n", INT,
	"ret\n" DESERT);
/* Over the end of a page, wherever that comes. */
SITE(int_over, ".balign 4096\n .fill 4095, 1, 0xcc\n", INT, PADDED DESERT);
SITE(vmcall_over, ".balign 4096\n .fill 4095, 1, 0xcc\n", VMCALL, PADDED DESERT);
SITE(vmcall_over2, ".balign 4096\n .fill 4094, 1, 0xcc\n", VMCALL, PADDED DESERT);
SITE(hole_over, ".balign 4096\n .fill 4060, 1, 0xcc\n", INT,
	"ret\n .fill 30, 1, 0xcc\n ret\n .fill 18, 1, 0x90\n" DESERT);
/* Two in a row, of which one finds room, or both do. */
SITE(first_of_two, DESERT ".balign 16\n", INT "nop\n second_of_two_at: " INT, PADDED DESERT);
extern const uint8_t second_of_two_at[];

/*
 * Not padding: the byte before it is C3, but not a RET, and what aligns the loop is
 * run on the way into it.
 */
SITE(decoy, DESERT ".balign 16\n .fill 7, 1, 0xcc\n",
	"movl %ebx, %ebx\n"			/* 89 db */
	"jmp 1f\n .balign 16\n .fill 7, 1, 0xcc\n 1:\n"
	"movl %eax, %ebx\n"			/* 89 c3 */
	".byte 0x8d, 0xb4, 0x26, 0, 0, 0, 0\n"	/* lea 0(%esi,%eiz,1),%esi */
	"decoy_int: " INT, "ret\n" DESERT);
extern const uint8_t decoy_int[];

/* More than a host has room to remember. */
#define MANY 80u
#define MANY_BYTES 16u
extern const uint8_t many_sites[];
__asm__(".text\n .balign 16\n many_sites:\n .rept 80\n int $0x1f\n ret\n .balign 16\n .endr\n"
	DESERT ".previous\n");

/* --- calls of them ---------------------------------------------------------------------- */

struct state { uint32_t eax, ebx, ecx, edx, esi, edi, ebp, esp, flags; };
struct state sites_in, sites_out;
uint32_t sites_target, sites_esp;

/* What every way to a site and back begins and ends with. */
#define STACK_IN \
	"	pushal\n" \
	"	movl %esp, sites_esp\n" \
	"	movl sites_in + 28, %esp\n" \
	"	movl sites_in, %eax\n" \
	"	movl sites_in + 4, %ebx\n"
#define STACK_AND_FLAGS_OUT \
	"	movl %esp, sites_out + 28\n" \
	"	pushf\n" \
	"	popl sites_out + 32\n" \
	"	movl sites_esp, %esp\n" \
	"	pushl $2\n" \
	"	popf\n" \
	"	movl %eax, sites_out\n" \
	"	movl %ebx, sites_out + 4\n"

/* All registers as in sites_in, a call of sites_target, all into sites_out. */
void sites_call(void);
__asm__(".text\n"
	"sites_call:\n"
	STACK_IN
	"	movl sites_in + 8, %ecx\n"
	"	movl sites_in + 12, %edx\n"
	"	movl sites_in + 16, %esi\n"
	"	movl sites_in + 20, %edi\n"
	"	movl sites_in + 24, %ebp\n"
	"	pushl sites_in + 32\n"
	"	popf\n"
	"	call *sites_target\n"
	STACK_AND_FLAGS_OUT
	"	movl %ecx, sites_out + 8\n"
	"	movl %edx, sites_out + 12\n"
	"	movl %esi, sites_out + 16\n"
	"	movl %edi, sites_out + 20\n"
	"	movl %ebp, sites_out + 24\n"
	"	popal\n"
	"	ret\n");

static uint32_t other_stack[1024];
static uint32_t *const stack_top = other_stack + 900;

static bool ring_is_empty(void)
{
	unsigned int i;

	for (i = 0; i < LGUEST_RING_SIZE; i++)
		if (lguest_data.hcall_status[i] != LGUEST_RING_FREE)
			return false;
	return true;
}

/* Is it a call, and does it leave everything else alone?  What has waited in the ring
 * is done by then. */
static void call_at(const uint8_t *site, uint32_t flags, uint32_t esp, uint32_t ebx)
{
	sites_in = (struct state){
		.eax = LHCALL_FLUSH_ASYNC, .ebx = ebx, .ecx = 0xcccccccc, .edx = 0xdddd0000,
		.esi = 0x51515151, .edi = 0xd1d1d1d1, .ebp = 0xb9b9b9b9, .esp = esp,
		.flags = flags | FIXED,
	};
	sites_target = guest_pa(site);
	async_hcall(LHCALL_TS, 0, 0, 0, 0);
	CHECK(!ring_is_empty());
	sites_call();
	sites_in.flags &= COMPARED;
	sites_out.flags &= COMPARED;
	if (memcmp(&sites_in, &sites_out, sizeof(sites_in)) != 0)
		guest_panic("call at 0x%x: EAX 0x%x EBX 0x%x ECX 0x%x EDX 0x%x ESI 0x%x "
			    "EDI 0x%x EBP 0x%x ESP 0x%x (0x%x) flags 0x%x (0x%x)",
			    (unsigned int)sites_target, (unsigned int)sites_out.eax,
			    (unsigned int)sites_out.ebx, (unsigned int)sites_out.ecx,
			    (unsigned int)sites_out.edx, (unsigned int)sites_out.esi,
			    (unsigned int)sites_out.edi, (unsigned int)sites_out.ebp,
			    (unsigned int)sites_out.esp, (unsigned int)esp,
			    (unsigned int)sites_out.flags, (unsigned int)flags);
	if (!ring_is_empty())
		guest_panic("call at 0x%x: none was made", (unsigned int)sites_target);
}

#define CALLS 8u

static void call_often(const uint8_t *site)
{
	static const uint32_t flags[CALLS] = {
		0, STATUS_FLAGS, CF, DF, NT, AC, COMPARED, STATUS_FLAGS & ~CF,
	};
	unsigned int i, k;

	for (i = 0; i < CALLS; i++) {
		for (k = 0; k < 1024; k++)
			other_stack[k] = 0x57ac0000 + k;
		call_at(site, flags[i], guest_pa(stack_top), 0xbbbbbbbb);
		for (k = 900; k < 1024; k++)
			CHECK(other_stack[k] == 0x57ac0000 + k);
	}
}

/* What stands where a call is, after so many of them.  EB: it is a jump. */
enum now { ANY, JUMP, NO_JUMP };
static void expect_now(const char *what, const uint8_t *at, enum now now)
{
	uint8_t byte = *(const volatile uint8_t *)at;

	if (guest_option("gates") && now != ANY && (byte == 0xeb) != (now == JUMP))
		guest_panic("%s: the byte at 0x%x is 0x%x", what, (unsigned int)guest_pa(at), byte);
}

static void all_sites(void)
{
	static const struct {
		const char *what;
		const uint8_t *at, *second;
		enum now now, second_now;
	} rows[] = {
		{ "int, padding", int_padded_at, NULL, JUMP, ANY },
		{ "vmcall, padding", vmcall_padded_at, NULL, JUMP, ANY },
		{ "int, no padding", int_alone_at, NULL, NO_JUMP, ANY },
		{ "vmcall, no padding", vmcall_alone_at, NULL, NO_JUMP, ANY },
		{ "int, four bytes of padding", int_four_at, NULL, NO_JUMP, ANY },
		{ "int, NOPs that align nothing", int_odd_at, NULL, NO_JUMP, ANY },
		{ "int, padding far back", int_far_at, NULL, JUMP, ANY },
		{ "int, padding too far back", int_too_far_at, NULL, NO_JUMP, ANY },
		{ "int over the end of a page", int_over_at, NULL, JUMP, ANY },
		{ "vmcall over it, one byte before", vmcall_over_at, NULL, JUMP, ANY },
		{ "vmcall over it, two", vmcall_over2_at, NULL, JUMP, ANY },
		{ "padding over it", hole_over_at, NULL, JUMP, ANY },
		{ "two in a row", first_of_two_at, second_of_two_at, JUMP, NO_JUMP },
	};
	unsigned int i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		call_often(rows[i].at);
		expect_now(rows[i].what, rows[i].at, rows[i].now);
		if (rows[i].second)
			expect_now(rows[i].what, rows[i].second, rows[i].second_now);
		printf("%s: nothing else changes\n", rows[i].what);
	}
	for (i = 0; i < CALLS; i++)
		call_at(decoy_at, STATUS_FLAGS, guest_pa(stack_top), 0);
	expect_now("C3 that is no RET", decoy_int, NO_JUMP);
	printf("a loop's alignment behind a C3: not padding\n");
	for (i = 0; i < 3 * MANY; i++)
		call_at(many_sites + i % MANY * MANY_BYTES, i & STATUS_FLAGS,
			guest_pa(stack_top), i);
	printf("%u more\n", MANY);
}

/* What a call pushes goes to another page, which the host has not seen used. */
static void page_edge(void)
{
	const uint32_t edge = USER_BASE + 0x1000;
	unsigned int i;

	for (i = 0; i < CALLS; i++) {
		tables_set_user(&tables, 1, guest_pa(stack_pages[1]) | PTE_KERNEL);
		tables_set_user(&tables, 0, guest_pa(stack_pages[0]) |
				(i & 1 ? PTE_KERNEL : PTE_KERNEL & ~(A | D)));
		/* The return address is the last word that fits. */
		call_at(int_padded_at, STATUS_FLAGS, edge + 4, i);
		tables_set_user(&tables, 0, guest_pa(stack_pages[0]) | (PTE_KERNEL & ~(A | D)));
		call_at(vmcall_padded_at, DF, edge + 4, i);
	}
	tables_set_user(&tables, 0, 0);
	tables_set_user(&tables, 1, 0);
	printf("stack at the edge of a page\n");
}

static void fpu(void)
{
	const uint32_t xmm = 0x1e1e1e1e;
	uint32_t got, value = 0;
	unsigned int i;

	__asm__ volatile("fninit\n fldpi\n fldl2e\n movd %0, %%xmm5" : : "r"(xmm));
	for (i = 0; i < CALLS; i++)
		call_at(int_padded_at, i, guest_pa(stack_top), i);
	/* 1000 log2(e), of which there are others than by pi. */
	__asm__ volatile("fildl %2\n fmulp\n fistpl %1\n movd %%xmm5, %0"
			 : "=r"(got), "=m"(value) : "m"((uint32_t){ 1000 }) : "memory");
	CHECK(got == xmm && value == 1443);
	__asm__ volatile("fildl %1\n fmulp\n fistpl %0" : "=m"(value) : "m"((uint32_t){ 1000 }));
	CHECK(value == 3142);
	printf("FPU registers\n");
}

/* --- the way out ---------------------------------------------------------------------------- */

void sites_iret(void);
void sites_stub_db(void), sites_stub_bp(void), sites_stub_irq(void), sites_stub_syscall(void);

__asm__(".text\n"
	".macro sites_stub name, vector\n"
	"\\name: pushl $0\n"
	"	pushl $\\vector\n"
	"	jmp sites_common\n"
	".endm\n"
	"sites_stub sites_stub_db, 1\n"
	"sites_stub sites_stub_bp, 3\n"
	"sites_stub sites_stub_irq, 0x20\n"
	"sites_stub sites_stub_syscall, 0x80\n"
	"sites_common:\n"
	"	cld\n"
	"	pushl %ds\n"
	"	pushl %es\n"
	"	pushal\n"
	"	movl $0x7b, %edx\n"
	"	movl %edx, %ds\n"
	"	movl %edx, %es\n"
	"	pushl %esp\n"
	"	call trap_dispatch\n"
	"	addl $4, %esp\n"
	"	popal\n"
	"	popl %es\n"
	"	popl %ds\n"
	"	addl $8, %esp\n"
	"sites_iret:\n"
#if GUEST_ABI == GUEST_ABI_F
	"	pushl 8(%esp)\n"
	"sites_store: popl %ss:lguest_data + 0xc0000000\n"
	"sites_noirq_start: sites_noirq_end:\n"
	"	iret\n"
#else
	"	pushl %eax\n"
	"	movl 12(%esp), %eax\n"
	"sites_noirq_start: sites_store:\n"
	"	movl %eax, %ss:lguest_data + 0xc0000000\n"
	"	popl %eax\n"
	"	iret\n"
	"sites_noirq_end:\n"
#endif
	);
extern const uint8_t sites_store[];

/* To the words at sites_in.esp, of which EIP is sites_landed. */
extern const char sites_landed[];
void sites_out_by(void);
__asm__(".text\n"
	"sites_out_by:\n"
	STACK_IN
	"	pushl sites_in + 32\n"
	"	popf\n"
	"	jmp sites_iret\n"
	"sites_landed:\n"
	"	nop\n"
	STACK_AND_FLAGS_OUT
	"	popal\n"
	"	ret\n");

static volatile unsigned int traps, ticks, nested, steps;
static volatile uint32_t tick_eip;
static volatile bool inside;

static void on_int3(struct trap_frame *t)
{
	traps++;
	CHECK(!(lguest_data.irq_enabled & EFLAGS_IF));
	t->eflags ^= CF;
}

static void on_tick(struct trap_frame *t)
{
	nested += inside;
	inside = true;
	ticks++;
	tick_eip = t->eip;
	CHECK(t->eflags & EFLAGS_IF);
	CHECK(t->eip < (uint32_t)sites_noirq_start || t->eip >= (uint32_t)sites_noirq_end);
	inside = false;
}

static void on_step(struct trap_frame *t)
{
	(void)t;
	steps++;
	/* A way out that never ends would be the host's fault. */
	CHECK(steps < 100000);
}

/* Returns to the kernel: a trap's, with the interrupt flag on and off. */
static void traps_in_kernel(void)
{
	unsigned int i;

	for (i = 0; i < 200; i++) {
		uint32_t flags = i & 1 ? DF | STATUS_FLAGS : 0, got, a = i, d = ~i;

		lguest_data.irq_enabled = i & 2 ? EFLAGS_IF : 0;
		__asm__ volatile("pushl %3\n popf\n int3\n pushf\n popl %0\n cld"
				 : "=&r"(got), "+a"(a), "+d"(d) : "r"(flags | FIXED)
				 : "memory", "cc");
		CHECK((lguest_data.irq_enabled & EFLAGS_IF) == (i & 2 ? EFLAGS_IF : 0));
		CHECK((got & COMPARED) == (flags ^ CF) && a == i && d == ~i);
	}
	irq_disable();
	CHECK(traps == i);
	printf("returns from traps in the kernel\n");
}

static void leave_by(uint32_t *frame, uint32_t eflags, uint32_t now)
{
	frame[0] = (uint32_t)sites_landed;
	frame[1] = LGUEST_KERNEL_CS;
	frame[2] = eflags | FIXED;
	sites_in = (struct state){ .eax = 0xaaaaaaaa, .ebx = 0xbbbbbbbb, .flags = now | FIXED,
		.esp = guest_pa(frame) };
	sites_out_by();
	CHECK(sites_out.eax == 0xaaaaaaaa && sites_out.ebx == 0xbbbbbbbb);
	CHECK(sites_out.esp == guest_pa(frame) + 12);
	CHECK((sites_out.flags & COMPARED) == (eflags & COMPARED));
	CHECK(((lguest_data.irq_enabled ^ eflags) & EFLAGS_IF) == 0);
}

static void frames_in_kernel(void)
{
	static const uint32_t rows[] = {
		0, EFLAGS_IF, STATUS_FLAGS, EFLAGS_IF | DF, EFLAGS_IF | COMPARED, CF, AC,
	};
	unsigned int i, k;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
			lguest_data.irq_enabled = k & 1 ? EFLAGS_IF : 0;
			leave_by(other_stack + 900, rows[i], rows[k] & ~EFLAGS_IF);
		}
	irq_disable();
	if (guest_option("gates"))
		CHECK(*(const volatile uint8_t *)sites_store == 0xe8);
	printf("returns to frames in the kernel\n");
}

/* Over two pages, of which the host has not seen one used, or neither. */
static void frames_over_pages(void)
{
	unsigned int words, i;

	for (words = 0; words < 4; words++)
		for (i = 0; i < 3; i++) {
			uint32_t *frame = (uint32_t *)(USER_BASE + 0x1000 - 4 * words);

			tables_set_user(&tables, 0, guest_pa(stack_pages[0]) | PTE_KERNEL);
			tables_set_user(&tables, 1, guest_pa(stack_pages[1]) | PTE_KERNEL);
			frame[0] = (uint32_t)sites_landed;
			frame[1] = LGUEST_KERNEL_CS;
			frame[2] = STATUS_FLAGS | FIXED;
			tables_set_user(&tables, 0, guest_pa(stack_pages[0]) |
					(i & 1 ? PTE_KERNEL : PTE_KERNEL & ~(A | D)));
			tables_set_user(&tables, 1, guest_pa(stack_pages[1]) |
					(i & 2 ? PTE_KERNEL : PTE_KERNEL & ~(A | D)));
			sites_in = (struct state){ .eax = i, .flags = FIXED,
				.esp = (uint32_t)frame };
			sites_out_by();
			CHECK(sites_out.eax == i && sites_out.esp == (uint32_t)frame + 12);
			CHECK((sites_out.flags & COMPARED) == STATUS_FLAGS);
		}
	tables_set_user(&tables, 0, 0);
	tables_set_user(&tables, 1, 0);
	printf("frames over two pages\n");
}

static void make_pending(void)
{
	irq_disable();
	lguest_data.blocked_interrupts = 0;
	hcall1(LHCALL_SET_CLOCKEVENT, 1);
	hcall0(LHCALL_FLUSH_ASYNC);
}

/* One that waits comes when the way out is done: no sooner and no later. */
static void window(void)
{
	unsigned int i, before;

	for (i = 0; i < 20; i++) {
		make_pending();
		before = ticks;
		leave_by(other_stack + 900, EFLAGS_IF, 0);
		irq_disable();
		CHECK(ticks == before + 1);
		CHECK(tick_eip == (uint32_t)sites_landed);
	}
	make_pending();
	before = ticks;
	leave_by(other_stack + 900, 0, 0);
	CHECK(ticks == before);
	leave_by(other_stack + 900, EFLAGS_IF, 0);
	irq_disable();
	CHECK(ticks == before + 1);
	/* Stepping through it as well. */
	make_pending();
	before = ticks;
	leave_by(other_stack + 900, EFLAGS_IF, TF);
	irq_disable();
	CHECK(ticks == before + 1 && tick_eip == (uint32_t)sites_landed);
	printf("an interrupt that waits comes right behind the window\n");
}

/* --- steps ------------------------------------------------------------------------------------ */

/* How many there are is the host's affair where it has rewritten something. */
static void stepping(void)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		steps = 0;
		call_at(int_alone_at, TF | CF, guest_pa(stack_top), i);
		CHECK(steps >= 2);
		steps = 0;
		call_at(int_padded_at, TF | STATUS_FLAGS, guest_pa(stack_top), i);
		CHECK(steps >= 2);
		steps = 0;
		call_at(vmcall_padded_at, TF, guest_pa(stack_top), i);
		CHECK(steps >= 2);
		/* And the whole way out, by a way out. */
		steps = 0;
		leave_by(other_stack + 900, EFLAGS_IF | CF, TF);
		irq_disable();
		CHECK(steps >= 2);
	}
	call_often(int_padded_at);
	printf("single steps\n");
}

/* --- a storm ------------------------------------------------------------------------------------ */

static void storm(void)
{
	unsigned int i, seen = ticks, first = ticks, asked = 1;

	lguest_data.blocked_interrupts = 0;
	irq_enable();
	hcall1(LHCALL_SET_CLOCKEVENT, 1);
	for (i = 0; i < 20000 || ticks < first + 200; i++) {
		uint32_t a = LHCALL_FLUSH_ASYNC, b = i, c = ~i, flags;

		/* The registers of a loop without a stack of its own. */
		__asm__ volatile("stc\n call int_padded\n pushf\n popl %0"
				 : "=&r"(flags), "+a"(a), "+b"(b), "+c"(c) : : "memory", "cc");
		CHECK(a == LHCALL_FLUSH_ASYNC && b == i && c == ~i && flags & CF);
		CHECK(lguest_data.irq_enabled & EFLAGS_IF);
		if (ticks != seen) {
			CHECK(ticks == seen + 1);
			seen = ticks;
			asked++;
			hcall1(LHCALL_SET_CLOCKEVENT, 1 + i * 7919 % 40000);
		}
	}
	/* The last one, too. */
	while (ticks < first + asked)
		__asm__ volatile("pause");
	irq_disable();
	CHECK(ticks == first + asked && nested == 0);
	printf("a storm of interrupts: none lost, none inside another\n");
}

/* --- programs --------------------------------------------------------------------------------------- */

#define CODE USER_BASE
#define STACK (USER_BASE + 0x1800)

/* Counts up in EBX, and all others but ECX must stay. */
USER_CODE(calls,
	"mov $0x1111, %eax; mov $0x3333, %edx; mov $0x5151, %esi; mov $0xd1d1, %edi\n"
	"mov $0xb9b9, %ebp; mov $500, %ecx\n"
	"1: inc %ebx; stc; int $0x80; jnc 2f\n"
	"cmp $0x1111, %eax; jne 2f; cmp $0x3333, %edx; jne 2f; cmp $0x5151, %esi; jne 2f\n"
	"cmp $0xd1d1, %edi; jne 2f; cmp $0xb9b9, %ebp; jne 2f\n"
	"dec %ecx; jnz 1b; int3; 2: hlt");
static unsigned int system_calls, user_ticks;
static uint32_t user_flags;

static bool on_system_call(struct trap_frame *t)
{
	system_calls++;
	CHECK(t->ebx == system_calls && t->esp == STACK);
	/* The flag it was entered with comes back in its frame, and is stored on the
	 * way out. */
	CHECK((t->eflags & EFLAGS_IF) == (user_flags & EFLAGS_IF));
	CHECK((lguest_data.irq_enabled & EFLAGS_IF) == (user_flags & EFLAGS_IF));
	if (system_calls % 16 == 0) {
		/* Not before the way out. */
		irq_disable();
		lguest_data.blocked_interrupts = 0;
		hcall1(LHCALL_SET_CLOCKEVENT, 1);
	}
	return true;
}

static bool on_user_tick(struct trap_frame *t)
{
	(void)t;
	user_ticks++;
	return true;
}

/* The kernel's stack ends in a page that only ESP and SS are in, which nobody has looked
 * at before they are read. */
static bool on_edge_call(struct trap_frame *t)
{
	static uint8_t last_page[4096] __attribute__((aligned(4096)));

	system_calls++;
	CHECK(t->ebx == system_calls && t->esp == STACK);
	tables_set_user(&tables, 2, guest_pa(stack_pages[0]) | PTE_KERNEL);
	tables_set_user(&tables, 3, guest_pa(last_page) | (PTE_KERNEL & ~(A | D)));
	hcall3(LHCALL_SET_STACK, LGUEST_KERNEL_DS, USER_BASE + 0x3008, 2);
	return true;
}

static void programs(void)
{
	struct user_end end;
	unsigned int i;

	user_load(code_page, calls_start, calls_end);
	tables_set_user(&tables, 0, guest_pa(code_page) | PTE_USER);
	tables_set_user(&tables, 1, guest_pa(stack_pages[1]) | PTE_USER);
	user_set_handler(LGUEST_SYSCALL_VECTOR, on_system_call);
	user_set_handler(LGUEST_IRQ_VECTOR, on_user_tick);
	for (i = 0; i < 2; i++) {
		system_calls = 0;
		user_flags = i ? 0 : EFLAGS_IF;
		user_run_with(CODE, STACK, user_flags | FIXED, &end);
		CHECK(end.vector == 3 && system_calls == 500);
		CHECK((end.frame.eflags & EFLAGS_IF) == user_flags);
		irq_disable();
		lguest_data.blocked_interrupts = 1;
	}
	CHECK(user_ticks > 0);
	system_calls = 0;
	user_set_handler(LGUEST_SYSCALL_VECTOR, on_edge_call);
	user_run(CODE, STACK, &end);
	CHECK(end.vector == 3 && system_calls == 500);
	printf("returns to programs, with the flag on and off\n");
}

int guest_main(void)
{
	gdt_load();
	idt_load();
	/* As Linux has it from its start on: the linear map. */
	tables_init(&tables);
	tables_load(&tables);
	idt_set_gate(1, sites_stub_db, 0xe, 0);
	idt_set_gate(3, sites_stub_bp, 0xe, 3);
	idt_set_gate(LGUEST_IRQ_VECTOR, sites_stub_irq, 0xe, 0);
	idt_set_gate(LGUEST_SYSCALL_VECTOR, sites_stub_syscall, 0xf, 3);
	trap_set_handler(1, on_step);
	trap_set_handler(3, on_int3);
	trap_set_handler(LGUEST_IRQ_VECTOR, on_tick);
	all_sites();
	page_edge();
	fpu();
	traps_in_kernel();
	frames_in_kernel();
	frames_over_pages();
	window();
	stepping();
	storm();
	programs();
	return 0;
}
