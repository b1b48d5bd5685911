/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How takeover.c takes its monitor over, and what it does with it then: a way to
 * run code in 64-bit mode and to live through its signals, chance, and words for
 * the supervisor.
 */
#ifndef TAKEOVER_H
#define TAKEOVER_H

#include <guest-rt/virtio.h>
#include <monitor/channel.h>

#define MONITOR_TEXT 0x100000001000ull
#define MONITOR_TEXT_BYTES 0xc000u
#define MONITOR_DATA 0x100000010000ull
#define MONITOR_DATA_BYTES 0x31000u
#define SYS_PAGE 4096u

#define ENXIO 6
#define SIGNAL_ILL 4u
#define SIGNAL_SEGV 11u
#define SIGNAL_ALRM 14u
#define SIGNAL_SYS 31u

/* --- 64-bit mode -------------------------------------------------------------------- */

/* What takeover_call shall do there, and what came of it. */
static struct gate {
	uint64_t target, rax, arg[6], rsp;	/* 0, 8, 16, 64; rsp 0: as it is */
	uint64_t result;			/* 72 */
	uint32_t signal, timed;			/* 80: the signal that came instead; 84 */
	uint32_t back;				/* 88: a far pointer */
	uint16_t back_cs, pad;
	uint32_t esp;				/* 96 */
	uint16_t ss, pad2;
	uint64_t disarm[4], arm[4];		/* 104, 136: struct itimerspec */
	uint64_t other[6];			/* 168: rcx, rbp, r12 to r15 of a jump */
} gate __attribute__((used));

void takeover_call(void);
extern const char do_syscall[], do_int80[], do_sysenter[], do_call[], do_load[], do_store[], do_store32[],
	do_jump[], do_spin[], do_ring[], done[], hook[];

__asm__(".text\n"
	"takeover_call:\n"
	"	pusha\n"
	"	mov	$gate, %ebx\n"
	"	mov	%esp, 96(%ebx)\n"
	"	mov	%ss, %eax\n"
	"	mov	%ax, 100(%ebx)\n"
	"	mov	%cs, %eax\n"
	"	mov	%ax, 92(%ebx)\n"
	"	movl	$back, 88(%ebx)\n"
	"	ljmp	$0x33, $1f\n"
	"	.code64\n"
	"1:	mov	%esp, %esp\n"
	"	cmpl	$0, 84(%rbx)\n"
	"	je	2f\n"
	"	lea	136(%rbx), %rdx\n"
	"	call	set_timer\n"
	"2:	mov	8(%rbx), %rax\n"
	"	mov	16(%rbx), %rdi\n"
	"	mov	24(%rbx), %rsi\n"
	"	mov	32(%rbx), %rdx\n"
	"	mov	40(%rbx), %r10\n"
	"	mov	48(%rbx), %r8\n"
	"	mov	56(%rbx), %r9\n"
	"	cmpq	$0, 64(%rbx)\n"
	"	je	3f\n"
	"	mov	64(%rbx), %rsp\n"
	"3:	jmp	*(%rbx)\n"
	"do_syscall:\n"
	"	syscall\n"
	"	jmp	done\n"
	"do_int80:\n"
	"	int	$0x80\n"
	"	jmp	done\n"
	"do_sysenter:\n"
	"	sysenter\n"
	"	jmp	done\n"
	"do_call:\n"
	"	call	*%rax\n"
	"	jmp	done\n"
	"do_load:\n"
	"	mov	(%rdi), %rax\n"
	"	jmp	done\n"
	"do_store:\n"
	"	mov	%rsi, (%rdi)\n"
	"	jmp	done\n"
	"do_store32:\n"
	"	mov	%esi, (%rdi)\n"
	"	jmp	done\n"
	"do_jump:\n"
	"	push	%rax\n"
	"	mov	168(%rbx), %rcx\n"
	"	mov	176(%rbx), %rbp\n"
	"	mov	184(%rbx), %r12\n"
	"	mov	192(%rbx), %r13\n"
	"	mov	200(%rbx), %r14\n"
	"	mov	208(%rbx), %r15\n"
	"	mov	%r15, %rax\n"
	"	ret\n"
	"do_spin:\n"
	"	pause\n"
	"	jmp	do_spin\n"
	/* Answers nobody needs, until somebody else has rung: RDI the bell, R9 the
	 * question. */
	"do_ring:\n"
	"	cmpl	$0, (%rdi)\n"
	"	jne	6f\n"
	"	movl	$1, (%r9)\n"
	"	mov	$202, %eax\n"
	"	mov	$10, %esi\n"
	"	mov	$1, %edx\n"
	"	syscall\n"
	"	jmp	do_ring\n"
	"6:	movl	$0, (%r9)\n"
	"	movl	$0, (%rdi)\n"
	"	jmp	do_spin\n"
	"set_timer:\n"
	"	mov	$223, %eax\n"		/* timer_settime */
	"	xor	%edi, %edi\n"
	"	xor	%esi, %esi\n"
	"	xor	%r10d, %r10d\n"
	"	syscall\n"
	"	ret\n"
	"done:\n"
	"	mov	$gate, %ebx\n"
	"	mov	%rax, 72(%rbx)\n"
	"	movl	$0, 80(%rbx)\n"
	"	jmp	4f\n"
	"hook:\n"				/* EAX: the signal */
	"	mov	$gate, %ebx\n"
	"	mov	%eax, 80(%rbx)\n"
	"4:	mov	96(%rbx), %esp\n"
	"	push	$2\n"
	"	popf\n"
	"	cmpl	$0, 84(%rbx)\n"
	"	je	5f\n"
	"	lea	104(%rbx), %rdx\n"
	"	call	set_timer\n"
	"5:	movzwl	100(%rbx), %eax\n"
	"	mov	%eax, %ss\n"
	"	ljmp	*88(%rbx)\n"
	"	.code32\n"
	"back:\n"
	"	mov	gate + 96, %esp\n"
	"	popa\n"
	"	ret\n");

#define AT(label) ((uint32_t)(uintptr_t)(label))

/* False: a signal came instead. */
static bool load(uint64_t address, uint64_t *value)
{
	gate.target = AT(do_load);
	gate.arg[0] = address;
	takeover_call();
	*value = gate.result;
	return gate.signal == 0;
}

static bool store(uint64_t address, uint64_t value)
{
	gate.target = AT(do_store);
	gate.arg[0] = address;
	gate.arg[1] = value;
	takeover_call();
	return gate.signal == 0;
}

/* Words of 32 bits, in memory that is there. */
static uint32_t load32(uint64_t address)
{
	uint64_t value = 0;

	load(address, &value);
	return (uint32_t)value;
}

static void store32(uint64_t address, uint32_t value)
{
	gate.target = AT(do_store32);
	gate.arg[0] = address;
	gate.arg[1] = value;
	takeover_call();
}

/* A system call with gate.arg, which may sleep for a while.  0, or the signal that came
 * instead; gate.result. */
static uint32_t call(const char *how, uint64_t nr)
{
	gate.target = AT(how);
	gate.rax = nr;
	gate.timed = 1;
	gate.result = 0;
	takeover_call();
	gate.timed = 0;
	gate.rsp = 0;
	return gate.signal;
}

/* --- chance --------------------------------------------------------------------------- */

static uint32_t seed = 1;

static uint32_t any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

static uint32_t below(uint32_t n) { return any() % n; }
static bool sometimes(uint32_t one_in) { return below(one_in) == 0; }
static uint64_t any64(void) { return (uint64_t)any() << 32 | any(); }

static const char *path = "";
static uint8_t scratch[4 * SYS_PAGE] __attribute__((aligned(4096)));

/* A number that some call may find interesting. */
static uint64_t interesting(void)
{
	switch (below(20)) {
	case 0: case 1: case 2: return below(11);	/* descriptors, 0, 1 */
	case 3: return ~0ull;
	case 4: return 0ull - below(4096);
	case 5: return 1ull << below(64);
	case 6: return 0x100000000ull - below(2) * SYS_PAGE;
	case 7: return any() & ~(SYS_PAGE - 1);
	case 8: return AT(scratch) + below(sizeof(scratch));
	case 9: return MONITOR_CHANNEL + below(MONITOR_SHARED_BYTES);
	case 10: return (MONITOR_CHANNEL + below(MONITOR_SHARED_BYTES)) & ~7ull;
	case 11: return MONITOR_GUEST + (any() & ~7u);
	case 12: return MONITOR_TEXT + below(MONITOR_TEXT_BYTES);
	case 13: return MONITOR_DATA + below(MONITOR_DATA_BYTES);
	case 14: return 0xffffffffff600000ull;
	case 15: return AT(path);
	case 16: return (uint64_t)-100;			/* AT_FDCWD */
	case 17: return any();
	case 18: return below(0x10000);
	default: return any64();
	}
}

static void fill_scratch(void)
{
	uint32_t i;

	for (i = 0; i < sizeof(scratch); i += 8)
		*(uint64_t *)(scratch + i) = interesting();
}

/* --- taking over ------------------------------------------------------------------------ */

static uint64_t own_stack, own_stack_was;
static uint64_t fake_stack[7];
extern uint8_t guest_end[];	/* guest.ld */

/* The monitor's way back to itself: "mov own_stack(%rip), %rsp; pop %r15; pop %r14". */
static bool find_own_stack(void)
{
	uint64_t word, next, at;

	for (at = MONITOR_TEXT; at < MONITOR_TEXT + 0x400; at++) {
		load(at, &word);
		if ((word & 0xffffff) != 0x258b48 || word >> 56 != 0x41)
			continue;
		load(at + 8, &next);
		if ((next & 0xffffff) != 0x5e415f)
			continue;
		own_stack = at + 7 + (uint64_t)(int64_t)(int32_t)(word >> 24);
		return load(own_stack, &own_stack_was);
	}
	return false;
}

static void signals_come_here(bool here)
{
	store(own_stack, here ? AT(fake_stack) : own_stack_was);
}

/* A signal frame that goes on at `done`, with these signals blocked. */
static uint64_t *make_frame(uint64_t blocked)
{
	uint64_t *uc = (uint64_t *)(scratch + 0x1000);

	memset(uc, 0, 1024);
	uc[3] = 0;
	uc[4] = 1;			/* an alternate stack too small to be taken */
	uc[160 / 8] = AT(scratch) + 0x1000;
	uc[168 / 8] = AT(done);
	uc[176 / 8] = 0x202;
	uc[184 / 8] = 0x33 | 0x2bull << 48;
	uc[296 / 8] = blocked;
	return uc;
}

#define BIT_OF(signal) (1ull << ((signal) - 1))

/* All but those the attack lives by. */
static void block_signals(uint64_t blocked)
{
	gate.rsp = AT(make_frame(blocked));
	call(do_syscall, 15);
}

#define KICKS (~(BIT_OF(SIGNAL_SYS) | BIT_OF(SIGNAL_SEGV) | BIT_OF(SIGNAL_ALRM) | \
		 BIT_OF(4) | BIT_OF(5) | BIT_OF(7) | BIT_OF(8)))

static void take_over(void)
{
	uint32_t at;

	/* There is nobody to map a page any more, later. */
	for (at = 0x100000; at < AT(guest_end); at += SYS_PAGE)
		*(volatile uint32_t *)at = *(volatile uint32_t *)at;
	gate.arm[3] = 1000000;
	if (!find_own_stack())
		guest_panic("takeover: no way into the monitor");
	fake_stack[6] = AT(hook);
	signals_come_here(true);
	/* Kicks would find us in 32-bit code. */
	block_signals(KICKS);
}

static void give_back(void)
{
	block_signals(0);
	signals_come_here(false);
}

/* --- speaking for the monitor -------------------------------------------------------------- */

#define FIELD(name) (MONITOR_CHANNEL + offsetof(struct channel, name))

static void wake(uint64_t address)
{
	do {
		gate.arg[0] = address;
		gate.arg[1] = 10;		/* FUTEX_WAKE_BITSET */
		gate.arg[2] = 1;
		gate.arg[5] = ~0u;
	} while (call(do_syscall, 202) == SIGNAL_ALRM);
}

/* Waits for the answer, but not for ever. */
static void ask(uint32_t request, uint32_t patience)
{
	uint32_t i;

	store32(FIELD(request), request);
	store32(FIELD(bell), load32(FIELD(bell)) + 1);
	wake(FIELD(bell));
	for (i = 0; i < patience && load32(FIELD(request)) == request; i++)
		__asm__ volatile("pause");
}

static void say(const char *fmt, ...)
{
	char text[CHANNEL_TEXT + 8];
	va_list args;
	uint32_t i;

	memset(text, 0, sizeof(text));
	va_start(args, fmt);
	vsnprintf(text, CHANNEL_TEXT, fmt, args);
	va_end(args);
	for (i = 0; i < CHANNEL_TEXT; i += 4) {
		uint32_t word;

		memcpy(&word, text + i, 4);
		store32(FIELD(text) + i, word);
	}
	store32(FIELD(text_len), (uint32_t)strlen(text));
	ask(CHANNEL_CONSOLE, 20000000);
}

static _Noreturn void spin(void)
{
	gate.target = AT(do_spin);
	for (;;)
		takeover_call();
}

#endif
