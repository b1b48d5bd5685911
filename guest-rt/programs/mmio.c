/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device registers by every form of MOV: the console's, found by PCI, of which
 * some are read as they were written.  And what else can be done to them: a page
 * fault, for the kernel and for programs.  Generations C, E and F only, with "pci".
 */
#include <guest-rt/virtio.h>
#include <virtio/pci.h>

#define PF_P 1u
#define PF_W 2u
#define PF_U 4u

#define AT32 0u		/* device_feature_select */
#define AT8 20u		/* device_status */
#define AT16 22u	/* queue_select */

#define VALUE 0x8badf0feu	/* negative as a byte, as a word */
#define BEFORE 0x13572468u	/* in EAX */

static struct virtio_device console;
static uint8_t code[64] __attribute__((aligned(64)));
static struct { unsigned int count; uint32_t address, error; } fault;

/*
 * uint32_t execute(uint32_t a, uint32_t eax)
 *
 * Calls `code` with A, an address, in registers, so that there are many ways to
 * name it, and returns its EAX:
 *
 *	EBX = EBP = A, ECX = A - 0x40, EDX = A - 0x12345678, ESI = A / 4, EDI = 4
 */
uint32_t execute(uint32_t a, uint32_t eax);
extern const char execute_return[];
__asm__(".text\n"
	"execute:\n"
	"	pushl %ebx\n"
	"	pushl %esi\n"
	"	pushl %edi\n"
	"	pushl %ebp\n"
	"	movl 20(%esp), %ebx\n"
	"	movl 24(%esp), %eax\n"
	"	movl %ebx, %ebp\n"
	"	leal -0x40(%ebx), %ecx\n"
	"	leal -0x12345678(%ebx), %edx\n"
	"	movl %ebx, %esi\n"
	"	shrl $2, %esi\n"
	"	movl $4, %edi\n"
	"	call code\n"
	"	popl %ebp\n"
	"	popl %edi\n"
	"	popl %esi\n"
	"	popl %ebx\n"
	"execute_return:\n"
	"	ret\n");

struct row {
	const char *what;
	const char *bytes;
	uint8_t len;
	uint8_t at;		/* which register */
	uint8_t absolute;	/* where its address goes, or 0 */
	uint32_t result;	/* what the register, or EAX, holds then */
};

#define ROW(what, bytes, ...) { what, bytes, sizeof(bytes) - 1, __VA_ARGS__ }

/* EAX holds VALUE; of a status only 1 and 3 can be written here. */
static const struct row writes[] = {
	ROW("mov %eax,(%ebx)", "\x89\x03", AT32, 0, VALUE),
	ROW("mov %eax,0x40(%ecx)", "\x89\x41\x40", AT32, 0, VALUE),
	ROW("mov %eax,0x12345678(%edx)", "\x89\x82\x78\x56\x34\x12", AT32, 0, VALUE),
	ROW("mov %eax,(,%esi,4)", "\x89\x04\xb5\0\0\0\0", AT32, 0, VALUE),
	ROW("mov %eax,0x20(%ecx,%edi,8)", "\x89\x44\xf9\x20", AT32, 0, VALUE),
	ROW("mov %eax,0(%ebp)", "\x89\x45\0", AT32, 0, VALUE),
	ROW("mov %eax,ADDRESS", "\x89\x05\0\0\0\0", AT32, 2, VALUE),
	ROW("mov %ds:%eax,ADDRESS", "\x3e\x89\x05\0\0\0\0", AT32, 3, VALUE),
	ROW("mov %eax,moffs", "\xa3\0\0\0\0", AT32, 1, VALUE),
	ROW("movl $imm,(%ebx)", "\xc7\x03\x0d\xd0\xad\x1b", AT32, 0, 0x1badd00d),
	ROW("movl $imm,0x20(%ecx,%edi,8)", "\xc7\x44\xf9\x20\x0d\xd0\xad\x1b", AT32, 0, 0x1badd00d),
	ROW("movl $imm,ADDRESS", "\xc7\x05\0\0\0\0\x0d\xd0\xad\x1b", AT32, 2, 0x1badd00d),
	ROW("mov %ax,0x16(%ebx)", "\x66\x89\x43\x16", AT16, 0, VALUE & 0xffff),
	ROW("movw $imm,0x16(%ebx)", "\x66\xc7\x43\x16\x34\x12", AT16, 0, 0x1234),
	ROW("mov %ax,moffs", "\x66\xa3\0\0\0\0", AT16, 2, VALUE & 0xffff),
	ROW("movb $1,0x14(%ebx)", "\xc6\x43\x14\x01", AT8, 0, 1),
	ROW("mov $3,%al; mov %al,0x14(%ebx)", "\xb0\x03\x88\x43\x14", AT8, 0, 3),
	ROW("mov $1,%ah; mov %ah,0x14(%ebx)", "\xb4\x01\x88\x63\x14", AT8, 0, 1),
	ROW("mov $3,%dh; mov %dh,0x14(%ebx)", "\xb6\x03\x88\x73\x14", AT8, 0, 3),
	ROW("mov $1,%al; mov %al,moffs", "\xb0\x01\xa2\0\0\0\0", AT8, 3, 1),
};

/* AT32 and AT16 hold VALUE, AT8 holds 3. */
static const struct row reads[] = {
	ROW("mov (%ebx),%eax", "\x8b\x03", AT32, 0, VALUE),
	ROW("mov 0x40(%ecx),%eax", "\x8b\x41\x40", AT32, 0, VALUE),
	ROW("mov 0x12345678(%edx),%eax", "\x8b\x82\x78\x56\x34\x12", AT32, 0, VALUE),
	ROW("mov (,%esi,4),%eax", "\x8b\x04\xb5\0\0\0\0", AT32, 0, VALUE),
	ROW("mov 0x20(%ecx,%edi,8),%eax", "\x8b\x44\xf9\x20", AT32, 0, VALUE),
	ROW("mov 0(%ebp),%eax", "\x8b\x45\0", AT32, 0, VALUE),
	ROW("mov ADDRESS,%eax", "\x8b\x05\0\0\0\0", AT32, 2, VALUE),
	ROW("mov moffs,%eax", "\xa1\0\0\0\0", AT32, 1, VALUE),
	ROW("mov (%ebx),%ecx; mov %ecx,%eax", "\x8b\x0b\x89\xc8", AT32, 0, VALUE),
	ROW("mov 0x16(%ebx),%ax", "\x66\x8b\x43\x16", AT16, 0, 0x1357f0fe),
	ROW("mov moffs,%ax", "\x66\xa1\0\0\0\0", AT16, 2, 0x1357f0fe),
	ROW("mov 0x14(%ebx),%al", "\x8a\x43\x14", AT8, 0, 0x13572403),
	ROW("mov 0x14(%ebx),%ah", "\x8a\x63\x14", AT8, 0, 0x13570368),
	ROW("mov moffs,%al", "\xa0\0\0\0\0", AT8, 1, 0x13572403),
	ROW("movzbl (%ebx),%eax", "\x0f\xb6\x03", AT32, 0, 0xfe),
	ROW("movsbl (%ebx),%eax", "\x0f\xbe\x03", AT32, 0, 0xfffffffe),
	ROW("movzwl (%ebx),%eax", "\x0f\xb7\x03", AT32, 0, 0xf0fe),
	ROW("movswl (%ebx),%eax", "\x0f\xbf\x03", AT32, 0, 0xfffff0fe),
	ROW("movzbw (%ebx),%ax", "\x66\x0f\xb6\x03", AT32, 0, 0x135700fe),
	ROW("movsbw (%ebx),%ax", "\x66\x0f\xbe\x03", AT32, 0, 0x1357fffe),
	/* Bytes and words of a wider one. */
	ROW("mov 1(%ebx),%al", "\x8a\x43\x01", AT32, 0, 0x135724f0),
	ROW("mov 2(%ebx),%ax", "\x66\x8b\x43\x02", AT32, 0, 0x13578bad),
};

/* `result` is the error code. */
static const struct row refused[] = {
	ROW("add %eax,(%ebx)", "\x01\x03", AT32, 0, PF_P | PF_W),
	ROW("xchg %eax,(%ebx)", "\x87\x03", AT32, 0, PF_P | PF_W),
	ROW("lock incl (%ebx)", "\xf0\xff\x03", AT32, 0, PF_P | PF_W),
	ROW("cmp %eax,(%ebx)", "\x39\x03", AT32, 0, PF_P),
	ROW("push (%ebx)", "\xff\x33", AT32, 0, PF_P),
	ROW("mov %ebx,%esi; lea -64(%esp),%edi; movsl", "\x89\xde\x89\xe7\x83\xef\x40\xa5", AT32, 0, PF_P),
	ROW("mov %ebx,%edi; stosl", "\x89\xdf\xab", AT32, 0, PF_P | PF_W),
	ROW("mov %ds,(%ebx)", "\x8c\x1b", AT32, 0, PF_P | PF_W),
	ROW("jmp *%ebx", "\xff\xe3", AT32, 0, PF_P),
	/* Behind the registers, where no device is. */
	ROW("mov 0x800(%ebx),%eax", "\x8b\x83\0\x08\0\0", AT32, 0, PF_P),
	ROW("mov %eax,0x800(%ebx)", "\x89\x83\0\x08\0\0", AT32, 0, PF_P | PF_W),
};

static void on_fault(struct trap_frame *frame)
{
	fault.count++;
	fault.address = lguest_data.cr2;
	fault.error = frame->error;
	/* Nothing was pushed: a RET ends `code`. */
	frame->eip = (uint32_t)execute_return;
}

static uint32_t run(const struct row *r, uint32_t eax)
{
	uint32_t address = console.common + r->at;

	memcpy(code, r->bytes, r->len);
	code[r->len] = 0xc3;
	if (r->absolute)
		memcpy(code + r->absolute, &address, 4);
	fault.count = 0;
	return execute(console.common, eax);
}

static uint32_t content(uint8_t at)
{
	if (at == AT8)
		return *(volatile uint8_t *)(console.common + AT8);
	return at == AT16 ? *(volatile uint16_t *)(console.common + AT16) :
			    *(volatile uint32_t *)(console.common + AT32);
}

static void set(uint32_t value)
{
	*(volatile uint32_t *)(console.common + AT32) = value;
	*(volatile uint16_t *)(console.common + AT16) = (uint16_t)value;
}

static void want(const struct row *r, uint32_t got)
{
	if (fault.count || got != r->result)
		guest_panic("%s: 0x%x, wanted 0x%x, %u faults", r->what, (unsigned int)got,
			    (unsigned int)r->result, fault.count);
}

static void moves(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		set(0);
		run(&writes[i], VALUE);
		want(&writes[i], content(writes[i].at));
	}
	printf("mmio: %u ways to write\n", i);
	set(VALUE);
	*(volatile uint8_t *)(console.common + AT8) = 3;
	for (i = 0; i < sizeof(reads) / sizeof(reads[0]); i++)
		want(&reads[i], run(&reads[i], BEFORE));
	printf("mmio: %u ways to read\n", i);
}

static void others(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		const struct row *r = &refused[i];

		set(VALUE);
		run(r, BEFORE);
		if (fault.count != 1 || fault.error != r->result ||
		    (fault.address & ~0xfffu) != (console.common & ~0xfffu) || content(AT32) != VALUE)
			guest_panic("%s: %u faults, error 0x%x, cr2 0x%x", r->what, fault.count,
				    (unsigned int)fault.error, (unsigned int)fault.address);
	}
	printf("mmio: %u other accesses fault\n", i);
}

/* --- programs -------------------------------------------------------------------------- */

static uint8_t user_code[4096] __attribute__((aligned(4096)));

#define REGISTERS (USER_BASE + 0x1000)

static void program(const uint8_t *text, size_t n, uint32_t error)
{
	struct user_end end = { 0 };

	memcpy(user_code, text, n);
	user_run(USER_BASE, USER_BASE + 0x1000, &end);
	CHECK(end.vector == 14 && end.error == error && end.cr2 == REGISTERS);
}

/* Even if its page table shows them, they are not a program's. */
static void programs(void)
{
	static const uint8_t read[] = { 0xa1, 0, 0x10, 0, 0x40 };
	static const uint8_t write[] = { 0xa3, 0, 0x10, 0, 0x40 };

	set(VALUE);
	tables_set_user(virtio_tables(), 0, guest_pa(user_code) | PTE_USER);
	tables_set_user(virtio_tables(), 1, (console.common & ~0xfffu) | PTE_USER);
	program(read, sizeof(read), PF_P | PF_U);
	program(write, sizeof(write), PF_P | PF_W | PF_U);
	CHECK(content(AT32) == VALUE);
	printf("mmio: not for programs\n");
}

int guest_main(void)
{
	virtio_open();
	trap_set_handler(14, on_fault);
	CHECK(virtio_find(&console, VIRTIO_ID_CONSOLE, 0));
	CHECK(console.common && !(console.common & 0xfff));
	virtio_reset(&console);
	moves();
	others();
	programs();
	virtio_reset(&console);
	return 0;
}
