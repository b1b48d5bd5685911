/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest runtime: what a small lguest guest needs to start, make hypercalls,
 * take traps, print and stop.  Freestanding: no libc, no libgcc.
 *
 * A guest is a program with
 *
 *	int guest_main(void);
 *
 * linked with libguest-rt.a by guest.ld.  It starts at a physical address in
 * the host's 1:1 map, at privilege level 1, interrupts off.  When guest_main
 * returns 0 the guest powers off; any other value is a crash.
 */
#ifndef GUEST_RT_GUEST_H
#define GUEST_RT_GUEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <guest-rt/abi.h>
#include <lguest/hypercall.h>
#include <lguest/lguest_data.h>

int guest_main(void);

/* --- hypercalls (hcall.c) -------------------------------------------------- */

/* Direct calls: registers that are not arguments keep what they hold. */
void hcall0(uint32_t nr);
void hcall1(uint32_t nr, uint32_t a);
void hcall2(uint32_t nr, uint32_t a, uint32_t b);
void hcall3(uint32_t nr, uint32_t a, uint32_t b, uint32_t c);
void hcall4(uint32_t nr, uint32_t a, uint32_t b, uint32_t c, uint32_t d);

/* The same by int $0x1f, whatever the generation. */
void hcall_int(uint32_t nr, uint32_t a, uint32_t b, uint32_t c);

/* Between lazy_enter and lazy_leave lazy calls go into the async ring, and
 * leaving makes the host look at it.  Outside they are direct. */
void lazy_enter(void);
void lazy_leave(void);
void lazy_hcall(uint32_t nr, uint32_t a, uint32_t b, uint32_t c);
/* Puts a call into the ring, or makes it if the ring is full.  True: ring. */
bool async_hcall(uint32_t nr, uint32_t a, uint32_t b, uint32_t c, uint32_t d);

/* --- shared data (data.c) ---------------------------------------------------- */

#if GUEST_ABI == GUEST_ABI_F
typedef struct lguest_data_f guest_data_t;
#elif GUEST_ABI == GUEST_ABI_E
typedef struct lguest_data_e guest_data_t;
#elif GUEST_ABI == GUEST_ABI_C
typedef struct lguest_data_c guest_data_t;
#else
typedef struct lguest_data_z guest_data_t;
#endif
extern volatile guest_data_t lguest_data;

/* Physical address of something in the image. */
static inline uint32_t guest_pa(const volatile void *p)
{
	return (uint32_t)(uintptr_t)p;
}

#define EFLAGS_IF 0x200u

static inline void irq_enable(void) { lguest_data.irq_enabled = EFLAGS_IF; }
static inline void irq_disable(void) { lguest_data.irq_enabled = 0; }

/* --- segments (gdt.c) ---------------------------------------------------------- */

/* The GDT of a 32-bit Linux kernel: flat code and data of both rings. */
extern uint64_t guest_gdt[LGUEST_GDT_ENTRIES];
/* Tells the host about all of it, as the generation does. */
void gdt_load(void);

/* --- traps (idt.c, trap.S) ------------------------------------------------------ */

/* What the trap stubs leave on the stack, lowest address first. */
struct trap_frame {
	uint32_t edi, esi, ebp, esp_unused, ebx, edx, ecx, eax;
	uint32_t es, ds;
	uint32_t vector, error;	/* error is 0 where there is none */
	uint32_t eip, cs, eflags;
	uint32_t esp, ss;	/* only if the trap came from user mode */
};

typedef void trap_handler(struct trap_frame *frame);

/* Installs stubs for the exceptions, 16 interrupts and system calls, without
 * and then with load_idt, as a kernel does. */
void idt_load(void);
/* One gate: type 0xe or 0xf. */
void idt_set_gate(unsigned int vector, void (*entry)(void), unsigned int type,
		  unsigned int dpl);
/* Who handles a vector.  NULL: the guest crashes with a message. */
void trap_set_handler(unsigned int vector, trap_handler *handler);
/* The stub of a vector, for idt_set_gate. */
void (*trap_entry(unsigned int vector))(void);

/* --- console and text (console.c, printf.c, string.c) ------------------------------ */

/* Writes to the early console: 16 characters a NOTIFY as Linux does, or in F one
 * by one to the PCI console. */
void console_write(const char *text, size_t n);
int printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int vsnprintf(char *to, size_t size, const char *fmt, va_list args);
int snprintf(char *to, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

/* --- the rest (guest.c) ---------------------------------------------------------------- */

/* The words after GUEST on uml-host's command line, joined by blanks.  Valid
 * for good. */
const char *guest_command_line(void);
/* Is `word` one of them? */
bool guest_option(const char *word);

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

_Noreturn void guest_power_off(void);
_Noreturn void guest_restart(const char *reason);
/* A crash: the reason goes to the host. */
_Noreturn void guest_panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define CHECK(condition) \
	do { \
		if (!(condition)) \
			guest_panic("%s:%d: %s", __FILE__, __LINE__, #condition); \
	} while (0)

#endif
