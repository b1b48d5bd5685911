/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lazy FPU switching between two user tasks in different page tables: CR0.TS is
 * set at each switch, the first FPU instruction of the other task must raise
 * #NM, and each task must find its own registers again.
 */
#include <guest-rt/user.h>

#define TASKS 2
#define ROUNDS 50

static struct page_tables tables[TASKS];
static uint8_t code_page[4096] __attribute__((aligned(4096)));
static uint8_t data_page[TASKS][4096] __attribute__((aligned(4096)));
static uint8_t state[TASKS][108] __attribute__((aligned(16)));
static bool used[TASKS];
static int owner = -1, current;
static unsigned int traps;

/* Adds EDX, which the kernel put at the data page, to ST(0) and says the sum. */
USER_CODE(code, "fiaddl 0x40001000; fistl 0x40001004; mov 0x40001004, %eax; int $0x80");

/* Keeps a vector register over the other task's turn: stores what it has, loads
 * the next. */
extern const uint8_t avx_start[], avx_end[];
__asm__(".section .rodata\n"
	"avx_start: vmovups %ymm6, 0x40001040; vmovups 0x40001020, %ymm6; int $0x80\n"
	"avx_end:\n.previous");

/* As Linux: save the registers of their owner, load or make the new one's. */
static bool on_nm(struct trap_frame *frame)
{
	(void)frame;
	traps++;
	hcall1(LHCALL_TS, 0);
	if (owner >= 0)
		__asm__ volatile("fnsave %0; fwait" : "=m"(state[owner]));
	if (used[current])
		__asm__ volatile("frstor %0" : : "m"(state[current]));
	else
		__asm__ volatile("fninit; fldz");
	used[current] = true;
	owner = current;
	return true;
}

static void run_task(unsigned int task, struct user_end *end)
{
	current = (int)task;
	/* The switch: lazily, page table and TS in one go. */
	lazy_enter();
	lazy_hcall(LHCALL_TS, 8, 0, 0);
	lazy_hcall(LHCALL_NEW_PGTABLE, guest_pa(tables[task].top), 0, 0);
	lazy_leave();
	user_run(USER_BASE, USER_BASE + 0x2000, end);
	CHECK(end->vector == 0x80);
}

/* Programs find AVX by CPUID, which nobody can hide from them everywhere; this
 * kernel, like Linux of its day, switches x87 registers and knows nothing of it. */
static void upper_halves(void)
{
	uint32_t a = 1, b, c = 0, d;
	unsigned int round, task;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	if (!(c & 1u << 27) || !(c & 1u << 28)) {
		printf("no AVX here\n");
		return;
	}
	memcpy(code_page, avx_start, (size_t)(avx_end - avx_start));
	for (round = 0; round < ROUNDS; round++)
		for (task = 0; task < TASKS; task++) {
			uint8_t *load = data_page[task] + 0x20, *stored = data_page[task] + 0x40;
			struct user_end end;

			memset(load, (int)(round * TASKS + task + 1), 32);
			run_task(task, &end);
			CHECK(stored[16] == (round ? (round - 1) * TASKS + task + 1 : 0));
			CHECK(memcmp(stored + 16, stored + 17, 15) == 0);
		}
	printf("the upper halves of AVX registers are each program's own\n");
}

int guest_main(void)
{
	unsigned int round, task;
	uint32_t sum[TASKS] = { 0, 0 };

	gdt_load();
	idt_load();
	user_load(code_page, code_start, code_end);
	for (task = 0; task < TASKS; task++) {
		tables_init(&tables[task]);
		tables_load(&tables[task]);
		tables_set_user(&tables[task], 0, guest_pa(code_page) | PTE_USER);
		tables_set_user(&tables[task], 1, guest_pa(data_page[task]) | PTE_USER);
	}
	user_set_handler(7, on_nm);
	for (round = 1; round <= ROUNDS; round++)
		for (task = 0; task < TASKS; task++) {
			struct user_end end;

			*(uint32_t *)data_page[task] = round * (task + 1);
			sum[task] += round * (task + 1);
			run_task(task, &end);
			CHECK(end.frame.eax == sum[task]);
		}
	CHECK(traps == ROUNDS * TASKS);
	printf("%u switches, every task its own registers\n", traps);
	upper_halves();
	return 0;
}
