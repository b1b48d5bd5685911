/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs whose system calls a host may make cheaper in a copy of their page: the
 * frame itself never changes, and whoever writes it, by whatever way, changes what
 * the program runs next.
 *
 * On the command line: "copied", this host makes copies, and a program that looks
 * finds one where there may be one and only there; "shared", kernel and programs
 * share an address space; "block", there is a --block of 8 KiB to read from, "pci",
 * by PCI.
 */
#include <guest-rt/virtio.h>

#define PAGES 200u
#define CLEAN 0x25u	/* P US A: read-only, never written */
#define WRITTEN 0x65u	/* and D */
#define TF 0x100u
#define FIXED 2u

/* Pages of USER_BASE on. */
enum { CODE, NEXT, ALIAS, KERNEL_ALIAS, ELSEWHERE, SECOND, STACK, MANY };
#define AT(page) (USER_BASE + (page) * 4096u)
#define STACK_TOP (AT(STACK) + 0x1000)

static struct page_tables own_tables, other;
static struct page_tables *tables = &own_tables;
static uint8_t frames[4][4096] __attribute__((aligned(4096)));
static uint8_t many[PAGES][4096] __attribute__((aligned(4096)));
static uint8_t stack_frame[4096] __attribute__((aligned(4096)));
static struct user_end end;
static unsigned int calls, limit;

static void map(unsigned int page, const uint8_t *frame, uint32_t flags)
{
	tables_set_user(tables, page, frame ? guest_pa(frame) | flags : 0);
}

/* Until something other than a system call ends it. */
static void go_at(uint32_t eip, uint32_t vector)
{
	calls = 0;
	memset(&end, 0, sizeof(end));
	user_run(eip, STACK_TOP, &end);
	if (end.vector != vector)
		guest_panic("a program ended by %u at 0x%x, error 0x%x, cr2 0x%x, not by %u",
			    (unsigned int)end.vector, (unsigned int)end.frame.eip,
			    (unsigned int)end.error, (unsigned int)end.cr2,
			    (unsigned int)vector);
}

static void go(unsigned int page, uint32_t vector)
{
	go_at(AT(page), vector);
}

static void make_other(void)
{
	memcpy(&other, tables, sizeof(other));
	other.top[USER_BASE >> 22] = guest_pa(other.user) | 0x67;
}

static void with(user_handler *on_call)
{
	user_set_handler(LGUEST_SYSCALL_VECTOR, on_call);
}

static void put(uint8_t *at, uint8_t byte)
{
	*(volatile uint8_t *)at = byte;
}

static bool only_counts(struct trap_frame *t)
{
	(void)t;
	calls++;
	return true;
}

USER_CODE(often,
	"mov $100, %ecx; 1: mov $0x1234, %eax; stc; int $0x80; jnc 2f; nop; int $0x80; inc %edx\n"
	"int $0x80; cmp $0x1234, %eax; jne 2f; loop 1b\n"
	"cmp $100, %edx; jne 2f; int3; 2: hlt");
static uint8_t expected[4096];

static bool looks_at_frame(struct trap_frame *t)
{
	uint32_t offset = t->eip - AT(CODE) - 2;

	calls++;
	CHECK(frames[0][offset] == 0xcd && frames[0][offset + 1] == 0x80);
	CHECK(memcmp(frames[0], expected, 4096) == 0);
	/* Where they do not share one, its own address shows the kernel the same. */
	if (!guest_option("shared"))
		CHECK(memcmp((const void *)AT(CODE), expected, 4096) == 0);
	return true;
}

static void frame_stays(void)
{
	unsigned int i;

	user_load(frames[0], often_start, often_end);
	memcpy(expected, frames[0], 4096);
	map(CODE, frames[0], CLEAN);
	with(looks_at_frame);
	for (i = 0; i < 3; i++) {
		go(CODE, 3);
		CHECK(calls == 300);
	}
	CHECK(memcmp(frames[0], expected, 4096) == 0);
	/* As without an accessed bit, which the host has to set first. */
	map(CODE, frames[0], 5);
	go(CODE, 3);
	CHECK(calls == 300);
	printf("a frame stays what it is\n");
}

/* Calls, then looks at the instruction it has called by. */
USER_CODE(looks,
	"call 1f; 1: pop %esi; mov $5, %ecx; 2: int $0x80; loop 2b\n"
	"movzbl (2b - 1b + 1)(%esi), %ebx; int3");

static uint32_t look(const uint8_t *frame, uint32_t flags)
{
	user_load(frames[0], looks_start, looks_end);
	map(CODE, frame, flags);
	with(only_counts);
	go(CODE, 3);
	CHECK(calls == 5);
	return end.frame.ebx;
}

static void where_there_is_one(void)
{
	uint32_t clean = look(frames[0], CLEAN);

	CHECK(clean == 0x80 || clean == 0x81);
	if (guest_option("copied"))
		CHECK(clean == 0x81);
	CHECK(look(frames[0], PTE_USER) == 0x80);
	CHECK(look(frames[0], WRITTEN) == 0x80);
	/* Writable, but not written. */
	CHECK(look(frames[0], 0x27) == 0x80);
	CHECK(look(frames[0], CLEAN) == clean);
	printf("only a clean page has one\n");
}

/* --- the kernel writes by its own address ------------------------------------------------ */

USER_CODE(imm, "mov $0, %ebx; int $0x80; jmp imm_start");
#define IMM 1u
#define IMM_SITE 5u

static uint8_t *written_at;	/* where the kernel has the page */

static bool changes_imm(struct trap_frame *t)
{
	CHECK(t->ebx == (calls / 4 & 0x7f));
	calls++;
	/* The copy has been there for some calls. */
	if (calls % 4 == 0)
		put(written_at + IMM, (uint8_t)(calls / 4 & 0x7f));
	if (calls == limit)
		put(written_at + IMM_SITE, 0xcc);
	return true;
}

/* Calls as often as that, then a breakpoint stands where the call was. */
static void write_by(uint8_t *at, unsigned int times)
{
	written_at = at;
	limit = times;
	go(CODE, 3);
	CHECK(calls == limit && end.frame.eip == AT(CODE) + IMM_SITE + 1);
}

static void kernel_writes(void)
{
	user_load(frames[0], imm_start, imm_end);
	map(CODE, frames[0], CLEAN);
	with(changes_imm);
	write_by(frames[0], 600);
	/* The breakpoint goes, and comes again. */
	put(frames[0] + IMM_SITE, 0xcd);
	put(frames[0] + IMM, 0);
	write_by(frames[0], 9);
	printf("the kernel writes: an immediate, a breakpoint\n");
}

USER_CODE(word,
	"call 1f; 1: pop %esi; 2: mov (word_word - 1b)(%esi), %ebx; int $0x80\n"
	"nop; int $0x80; cmp $200, %ebx; jb 2b; int3; .balign 4; word_word: .long 0");
extern const uint8_t word_word[];

static bool writes_word(struct trap_frame *t)
{
	volatile uint32_t *at = (uint32_t *)(frames[0] + (word_word - word_start));

	CHECK(t->ebx == calls / 2);
	calls++;
	if (calls % 2)
		*at = t->ebx + 1;
	return true;
}

static void kernel_writes_data(void)
{
	user_load(frames[0], word_start, word_end);
	map(CODE, frames[0], CLEAN);
	with(writes_word);
	go(CODE, 3);
	CHECK(calls == 402);
	printf("the kernel writes: data in the page\n");
}

USER_CODE(second, "1: mov $7, %ebx; int $0x80; nop; mov $8, %ebx; int $0x80; int3");

static bool replaces_page(struct trap_frame *t)
{
	if (++calls < 10)
		return true;
	if (calls == 10) {
		user_load(frames[0], second_start, second_end);
		t->eip = AT(CODE);
		return true;
	}
	CHECK(t->ebx == calls - 4);
	return true;
}

static void kernel_replaces(void)
{
	unsigned int i;

	map(CODE, frames[0], CLEAN);
	with(replaces_page);
	for (i = 0; i < 20; i++) {
		user_load(frames[0], imm_start, imm_end);
		go(CODE, 3);
		CHECK(calls == 12);
	}
	printf("the kernel writes: the whole page\n");
}

/* Without any call between the write and what runs. */
USER_CODE(spins, "int $0x80; int $0x80; int $0x80; 1: mov $0, %eax; test %eax, %eax; jz 1b; int3");

static bool starts_clock(struct trap_frame *t)
{
	(void)t;
	if (++calls % 3 == 0) {
		lguest_data.blocked_interrupts = 0;
		hcall1(LHCALL_SET_CLOCKEVENT, 2000000);
	}
	return true;
}

static bool writes_on_tick(struct trap_frame *t)
{
	(void)t;
	put(frames[0] + 7, 1);
	return true;
}

static void kernel_writes_on_tick(void)
{
	unsigned int i;

	map(CODE, frames[0], CLEAN);
	with(starts_clock);
	user_set_handler(LGUEST_IRQ_VECTOR, writes_on_tick);
	for (i = 0; i < 5; i++) {
		user_load(frames[0], spins_start, spins_end);
		go(CODE, 3);
		CHECK(calls == 3 && end.frame.eax == 1);
	}
	lguest_data.blocked_interrupts = 1;
	printf("the kernel writes: under a program that makes no calls\n");
}

USER_CODE(real, "int $0x80; int $0x80; int $0x80; 1: int $0x81; nop; real_after:");

static void expect_gp(uint32_t flags)
{
	map(CODE, frames[0], flags);
	go(CODE, 13);
	CHECK(calls == 3 && end.error == 0x40a && end.frame.eip == AT(CODE) + 6);
}

static bool makes_0x81(struct trap_frame *t)
{
	(void)t;
	if (++calls == 20)
		put(frames[0] + IMM_SITE + 1, 0x81);
	return true;
}

static void other_vector(void)
{
	user_load(frames[0], real_start, real_end);
	with(only_counts);
	expect_gp(CLEAN);
	expect_gp(PTE_USER);
	/* With a gate it is an interrupt of its own. */
	idt_set_gate(0x81, trap_entry(0x81), 0xf, 3);
	map(CODE, frames[0], CLEAN);
	go(CODE, 0x81);
	CHECK(calls == 3 && end.frame.eip == AT(CODE) + 8);
	hcall3(LHCALL_LOAD_IDT_ENTRY, 0x81, 0, 0);
	expect_gp(CLEAN);
	/* A site that was a system call, and is none now. */
	user_load(frames[0], imm_start, imm_end);
	with(makes_0x81);
	go(CODE, 13);
	CHECK(calls == 20 && end.error == 0x40a && end.frame.eip == AT(CODE) + IMM_SITE);
	printf("int $0x81 is no system call\n");
}

/* --- other ways to the frame ------------------------------------------------------------------ */

/* Writes its own immediate at ALIAS, whose distance is 8 KiB. */
USER_CODE(by_alias,
	"call 1f; 1: pop %esi; mov $200, %ecx\n"
	"2: incb 0x2000 + by_alias_imm - 1b(%esi); jmp 3f\n"
	"3: .byte 0xbb; by_alias_imm: .long 0; int $0x80; int $0x80; loop 2b; int3");
extern const uint8_t by_alias_imm[];

static bool counts_up(struct trap_frame *t)
{
	CHECK(t->ebx == ((limit + calls / 2 + 1) & 0xff));
	calls++;
	return true;
}

static void program_writes_alias(void)
{
	user_load(frames[0], by_alias_start, by_alias_end);
	map(CODE, frames[0], CLEAN);
	map(ALIAS, frames[0], PTE_USER);
	with(counts_up);
	limit = 0;
	go(CODE, 3);
	CHECK(calls == 400);
	/* The address it has written by before there was a copy, not yet dirty. */
	user_load(frames[0], by_alias_start, by_alias_end);
	map(ALIAS, frames[0], 0x27);
	go(CODE, 3);
	CHECK(calls == 400);
	map(ALIAS, NULL, 0);
	printf("a program writes by another address\n");
}

static void kernel_writes_alias(void)
{
	user_load(frames[0], imm_start, imm_end);
	map(KERNEL_ALIAS, frames[0], PTE_KERNEL);
	put((uint8_t *)AT(KERNEL_ALIAS) + 0x800, 0x90);
	map(CODE, frames[0], CLEAN);
	with(changes_imm);
	write_by((uint8_t *)AT(KERNEL_ALIAS), 300);
	map(KERNEL_ALIAS, NULL, 0);
	printf("the kernel writes by another address\n");
}

/* The same frame for two programs' addresses, both read-only. */
static bool two_addresses(struct trap_frame *t)
{
	changes_imm(t);
	t->eip = AT(calls / 2 % 2 ? ALIAS : CODE) + (calls == limit ? IMM_SITE : 0);
	return true;
}

static void read_only_twice(void)
{
	user_load(frames[0], imm_start, imm_end);
	map(CODE, frames[0], CLEAN);
	map(ALIAS, frames[0], CLEAN);
	with(two_addresses);
	write_by(frames[0], 400);
	map(ALIAS, NULL, 0);
	printf("one frame at two addresses\n");
}

/* Memory below 64 KiB, which a host maps in other ways. */
#define LOW_FRAME 0x5000u

static void low_memory(void)
{
	unsigned int i;

	for (i = 0; i < (unsigned int)(imm_end - imm_start); i++)
		put((uint8_t *)LOW_FRAME + i, imm_start[i]);
	tables_set_user(tables, CODE, LOW_FRAME | CLEAN);
	with(changes_imm);
	write_by((uint8_t *)LOW_FRAME, 100);
	printf("a frame in low memory\n");
}

/* Its own page, writable. */
USER_CODE(own, "call 1f; 1: pop %esi; mov $200, %ecx\n"
	"2: incb own_imm - 1b(%esi); jmp 3f\n"
	"3: .byte 0xbb; own_imm: .long 0; int $0x80; int $0x80; loop 2b; int3");

static void writable(void)
{
	user_load(frames[0], own_start, own_end);
	map(CODE, frames[0], PTE_USER);
	with(counts_up);
	limit = 0;
	go(CODE, 3);
	CHECK(calls == 400);
	/* Read-only from now on, dirty and clean. */
	user_load(frames[0], often_start, often_end);
	memcpy(expected, frames[0], 4096);
	map(CODE, frames[0], WRITTEN);
	with(looks_at_frame);
	go(CODE, 3);
	map(CODE, frames[0], CLEAN);
	go(CODE, 3);
	/* And writable again, without and with D. */
	user_load(frames[0], own_start, own_end);
	with(counts_up);
	map(CODE, frames[0], 0x27);
	go(CODE, 3);
	user_load(frames[0], own_start, own_end);
	map(CODE, frames[0], CLEAN);
	go(CODE, 14);		/* it may not */
	user_load(frames[0], own_start, own_end);
	map(CODE, frames[0], PTE_USER);
	with(counts_up);
	go(CODE, 3);
	CHECK(calls == 400);
	printf("writable pages, and such as were\n");
}

static bool wants_page(struct trap_frame *t)
{
	CHECK(t->ebx == limit);
	return ++calls < 4;
}

/* Four calls by `id`, and the fourth ends it. */
static void four_calls(unsigned int page, unsigned int id)
{
	limit = id;
	go(page, LGUEST_SYSCALL_VECTOR);
	CHECK(calls == 4);
}

static void used_again(void)
{
	unsigned int i;

	with(wants_page);
	for (i = 0; i < 100; i++) {
		unsigned int page = i % 3 ? CODE : ELSEWHERE;
		uint8_t *frame = frames[i % 4];

		user_load(frame, imm_start, imm_end);
		put(frame + IMM, (uint8_t)i);
		map(page, frame, CLEAN);
		four_calls(page, i);
		/* Unmapped, changed, mapped elsewhere; changed there, and back. */
		map(page, NULL, 0);
		put(frame + IMM, (uint8_t)(i + 100));
		map(SECOND, frame, CLEAN);
		four_calls(SECOND, i + 100);
		map(SECOND, NULL, 0);
		map(page, frame, CLEAN);
		four_calls(page, i + 100);
		/* Another frame in its place at once. */
		frame = frames[(i + 1) % 4];
		user_load(frame, imm_start, imm_end);
		put(frame + IMM, (uint8_t)(i + 50));
		map(page, frame, CLEAN);
		four_calls(page, i + 50);
		map(page, NULL, 0);
	}
	printf("frames used again\n");
}

static void page_end(unsigned int back)
{
	unsigned int i;

	memset(frames[0], 0x90, 4096);
	memset(frames[1], 0x90, 4096);
	/* mov $7, %ebx; int $0x80 and behind that int3. */
	for (i = 0; i < 8; i++) {
		static const uint8_t code[8] = { 0xbb, 7, 0, 0, 0, 0xcd, 0x80, 0xcc };
		unsigned int at = 4096 - back - 5 + i;

		frames[at / 4096][at % 4096] = code[i];
	}
	map(CODE, frames[0], CLEAN);
	map(NEXT, frames[1], CLEAN);
	for (i = 0; i < 6; i++) {
		go_at(AT(NEXT) - back - 5, 3);
		CHECK(calls == 1 && end.frame.ebx == 7);
		CHECK(end.frame.eip == AT(NEXT) - back + 3);
		CHECK(frames[(4096 - back) / 4096][(4096 - back) % 4096] == 0xcd);
		CHECK(frames[(4097 - back) / 4096][(4097 - back) % 4096] == 0x80);
		/* Either page changes. */
		if (i == 3)
			put(frames[0] + 4096 - back - 1, 0);
		if (i == 4)
			put(frames[1] + 0x800, 0xcc);
	}
}

/* What stands in no copy of its page does not end up in another's either. */
static void over_two_copies(void)
{
	unsigned int i;

	memset(frames[0], 0x90, 4096);
	memset(frames[1], 0xcc, 4096);
	frames[0][0] = frames[0][4095] = 0xcd;
	frames[0][1] = frames[1][0] = 0x80;
	user_load(frames[2], looks_start, looks_end);
	map(CODE, frames[0], CLEAN);
	map(NEXT, frames[1], CLEAN);
	map(ALIAS, frames[2], CLEAN);
	for (i = 0; i < 3; i++) {
		go(CODE, 3);
		CHECK(calls == 2);
		go(ALIAS, 3);
		CHECK(calls == 5);
	}
	map(ALIAS, NULL, 0);
}

static void over_pages(void)
{
	unsigned int back;

	with(only_counts);
	for (back = 0; back < 4; back++)
		page_end(back);
	over_two_copies();
	map(NEXT, NULL, 0);
	printf("calls at the end of a page and over it\n");
}

/* mov $id, %ebx; int $0x80; and on to the next page, or int3. */
static void fill_many(uint32_t first_id)
{
	unsigned int i;

	for (i = 0; i < PAGES; i++) {
		uint32_t id = first_id + i, next = 4096 - 12;

		memset(many[i], 0xf4, 32);
		many[i][0] = 0xbb;
		memcpy(many[i] + 1, &id, 4);
		many[i][5] = 0xcd;
		many[i][6] = 0x80;
		many[i][7] = i == PAGES - 1 ? 0xcc : 0xe9;
		memcpy(many[i] + 8, &next, 4);
	}
}

static bool id_by_id(struct trap_frame *t)
{
	CHECK(t->ebx == limit + calls);
	calls++;
	return true;
}

static void many_pages(void)
{
	unsigned int i, round;

	/* Those are all there are. */
	memset(frames, 0, sizeof(frames));
	fill_many(0);
	for (i = 0; i < PAGES; i++)
		map(MANY + i, many[i], CLEAN);
	with(id_by_id);
	limit = 0;
	for (round = 0; round < 45; round++) {
		if (round % 15 == 14)
			fill_many(limit = round * 1000);
		go(MANY, 3);
		CHECK(calls == PAGES);
		for (i = 0; i < PAGES; i++)
			CHECK(many[i][5] == 0xcd && many[i][6] == 0x80);
	}
	printf("calls in %u pages\n", PAGES);
}

USER_CODE(cow,
	"call 1f; 1: pop %esi; mov $20, %ecx\n"
	"2: .byte 0xbb; cow_imm: .long 1; int $0x80; loop 2b\n"
	"test %edi, %edi; jz 4f; movb $9, cow_imm - 1b(%esi); jmp 3f\n"
	"3: mov $20, %ecx; xor %edi, %edi; jmp 2b; 4: int3");
extern const uint8_t cow_imm[];
static unsigned int copied_on_write;
static uint32_t id_sum;

static bool sums(struct trap_frame *t)
{
	calls++;
	id_sum += t->ebx;
	/* The first call of all says whether it is to write. */
	if (calls == 1)
		t->edi = limit;
	return true;
}

static struct page_tables *writers;
static bool reuses;

/* Copy on write, or the frame itself where nobody else has it. */
static bool on_write_fault(struct trap_frame *t)
{
	CHECK(t->error == 7 && lguest_data.cr2 >> 12 == AT(CODE) >> 12);
	copied_on_write++;
	if (!reuses)
		memcpy(frames[1], frames[0], 4096);
	tables_set_user(writers, CODE, guest_pa(frames[reuses ? 0 : 1]) | PTE_USER);
	return true;
}

static void run_in(struct page_tables *t, bool writes, uint32_t wanted)
{
	tables_load(t);
	id_sum = 0;
	limit = writes;
	go(CODE, 3);
	CHECK(calls == (writes ? 40 : 20));
	if (id_sum != wanted)
		guest_panic("two tables: sum %u, not %u", (unsigned int)id_sum,
			    (unsigned int)wanted);
}

static void two_tables(void)
{
	unsigned int round;

	make_other();
	with(sums);
	user_set_handler(14, on_write_fault);
	writers = &other;
	for (round = 0; round < 6; round++) {
		struct page_tables *reader = tables;

		user_load(frames[0], cow_start, cow_end);
		tables_set_user(reader, CODE, guest_pa(frames[0]) | CLEAN);
		tables_set_user(&other, CODE, guest_pa(frames[0]) | CLEAN);
		copied_on_write = 0;
		reuses = false;
		run_in(reader, false, 20);
		run_in(&other, false, 20);
		run_in(reader, false, 20);
		run_in(&other, true, 20 + 9 * 20);
		CHECK(copied_on_write == 1);
		run_in(reader, false, 20);
		run_in(&other, false, 9 * 20);
		CHECK(frames[0][cow_imm - cow_start] == 1);
		CHECK(frames[1][cow_imm - cow_start] == 9);
		/* The copy read-only as well; then the kernel writes what only one has. */
		tables_set_user(&other, CODE, guest_pa(frames[1]) | CLEAN);
		run_in(&other, false, 9 * 20);
		put(frames[0] + (cow_imm - cow_start), 3);
		run_in(reader, false, 3 * 20);
		run_in(&other, false, 9 * 20);
		/* Writes it and keeps the frame: the reader's changes with it. */
		tables_set_user(&other, CODE, guest_pa(frames[0]) | CLEAN);
		run_in(&other, false, 3 * 20);
		reuses = true;
		run_in(&other, true, 3 * 20 + 9 * 20);
		CHECK(copied_on_write == 2);
		run_in(reader, false, 9 * 20);
	}
	/* Both write it by another address, in turn, and run it. */
	tables_load(tables);
	user_load(frames[0], by_alias_start, by_alias_end);
	tables_set_user(&other, CODE, guest_pa(frames[0]) | CLEAN);
	tables_set_user(&other, ALIAS, guest_pa(frames[0]) | PTE_USER);
	tables_set_user(tables, CODE, guest_pa(frames[0]) | CLEAN);
	tables_set_user(tables, ALIAS, guest_pa(frames[0]) | PTE_USER);
	with(counts_up);
	for (round = 0; round < 8; round++) {
		tables_load(round & 1 ? tables : &other);
		limit = round * 200;
		go(CODE, 3);
		CHECK(calls == 400);
		CHECK(frames[0][by_alias_imm - by_alias_start] == ((limit + 200) & 0xff));
	}
	tables_set_user(tables, ALIAS, 0);
	tables_load(tables);
	user_set_handler(14, NULL);
	printf("two tables, copy on write\n");
}

static unsigned int steps;

static bool on_step(struct trap_frame *t)
{
	(void)t;
	steps++;
	return true;
}

static void stepping(void)
{
	user_load(frames[0], often_start, often_end);
	memcpy(expected, frames[0], 4096);
	map(CODE, frames[0], CLEAN);
	with(looks_at_frame);
	go(CODE, 3);
	user_set_handler(1, on_step);
	calls = 0;
	user_run_with(AT(CODE), STACK_TOP, EFLAGS_IF | TF | FIXED, &end);
	CHECK(end.vector == 3 && calls == 300 && steps > 500);
	user_set_handler(1, NULL);
	printf("single steps: as many calls\n");
}

static struct virtio_device block;

static void transfer(uint32_t type, uint32_t sector, const uint8_t *frame)
{
	uint32_t len;

	CHECK(block_request(&block, type, sector, frame, 4096, &len) == VIRTIO_BLOCK_OK);
}

/* A page that nobody maps is read anew; who looks first, and by which entry? */
static void device_writes(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		user_load(frames[0], imm_start, imm_end);
		put(frames[0] + IMM, (uint8_t)(0x60 + i));
		transfer(VIRTIO_BLOCK_OUT, 8 * i, frames[0]);
	}
	make_other();
	with(wants_page);
	for (i = 0; i < 20; i++) {
		unsigned int page = i % 3 ? CODE : ELSEWHERE;

		transfer(VIRTIO_BLOCK_IN, 8 * (i & 1), frames[0]);
		if (i & 2) {
			map(page, frames[0], 0x27);
			four_calls(page, 0x60 + (i & 1));
		}
		if (i & 4)
			tables_load(&other);
		map(page, frames[0], CLEAN);
		tables_load(tables);
		if (i & 4)
			CHECK(*(volatile uint8_t *)(AT(page) + IMM) == 0x60 + (i & 1));
		four_calls(page, 0x60 + (i & 1));
		map(page, NULL, 0);
	}
	printf("a device writes\n");
}

int guest_main(void)
{
	bool device = guest_option("block");

	if (device) {
		virtio_open();
		tables = virtio_tables();
		CHECK(virtio_find(&block, VIRTIO_ID_BLOCK, 0));
		virtio_start(&block, 0);
	} else {
		gdt_load();
		idt_load();
		tables_init(tables);
		tables_load(tables);
	}
	map(STACK, stack_frame, PTE_USER);
	if (device) {
		device_writes();
		return 0;
	}
	frame_stays();
	where_there_is_one();
	kernel_writes();
	kernel_writes_data();
	kernel_replaces();
	kernel_writes_on_tick();
	other_vector();
	program_writes_alias();
	kernel_writes_alias();
	read_only_twice();
	low_memory();
	writable();
	used_again();
	over_pages();
	many_pages();
	two_tables();
	stepping();
	return 0;
}
