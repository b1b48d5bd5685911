/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine as the guest sees it, and the map of this room.
 *
 * Everything here is pure state and pure functions: no system call, no libc
 * beyond memcpy, memset and friends, no allocation, no pointer that holds in
 * one process only.  So the same code runs in the supervisor and could run in
 * a monitor inside the guest's own process, on a struct guest in shared memory.
 *
 * Every function here takes what the guest controls as hostile.  What breaks
 * the ABI ends the guest through kill_guest(): the first reason wins, callers
 * carry on as if nothing happened and the run loop ends it.
 */
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#include "engine/engine.h"
#include "engine/gates.h"
#include "engine/rewrite.h"
#include "guest/event.h"
#include "guest/hcalls.h"
#include "guest/tamper.h"
#include "guest/types.h"
#include "lguest/hypercall.h"

/* EFLAGS bits. */
#define EFLAGS_FIXED 0x2u
#define EFLAGS_TF 0x100u
#define EFLAGS_IF 0x200u
#define EFLAGS_IOPL 0x3000u
#define EFLAGS_NT 0x4000u
#define EFLAGS_RF 0x10000u
#define EFLAGS_VM 0x20000u
#define EFLAGS_AC 0x40000u

/* Page-table entry bits. */
#define PTE_P 0x1u
#define PTE_RW 0x2u
#define PTE_US 0x4u
#define PTE_PWT 0x8u
#define PTE_A 0x20u
#define PTE_D 0x40u
#define PTE_PSE 0x80u
#define PTE_FRAME_MASK 0x000ffffffffff000ull
#define PTE_TABLE_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)

/* Page tables whose shadows are kept: that many programs take turns without losing
 * them.  First come the spaces of kernel views, then a user view for each table. */
#define GUEST_TABLES 512u
#define GUEST_KERNEL_VIEWS 64u
#define GUEST_FOUND 1024u	/* places of a hash */
#define GUEST_EMPTIED 8u	/* tables of ended programs to remember */
#define GUEST_SPACES (GUEST_KERNEL_VIEWS + GUEST_TABLES)

/* Which host address spaces show the guest's tables. */
enum view_layout {
	VIEWS_PER_TABLE,	/* a user view each; the first tables a kernel view each, and
				 * all the others one */
	VIEWS_ONE_KERNEL,	/* each has a user view; one kernel view for all */
	VIEWS_ONE,		/* one for all, programs and kernel alike */
};
#define GUEST_REASON 256
#define GUEST_LAYOUTS 4u	/* of struct lguest_data: see lguest_data.c */

/* Privilege levels of a guest: only these two exist. */
#define CPL_KERNEL 1u
#define CPL_USER 3u

/* What the host does with a vmcall site. */
enum rewrite_mode {
	REWRITE_PATCH,		/* CD 1F 90 over it at its first fault */
	REWRITE_EMULATE,	/* never patch: fault each time, EIP + 3 */
	REWRITE_EAGER,		/* find and patch sites before they run */
};

/* How guest-virtual addresses become guest-physical ones. */
enum mm_mode {
	MM_DIRECT,	/* virtual = physical (E, F; and everyone before INIT) */
	MM_BOOT,	/* that, and RAM again at kernel_address (Z to D) */
	MM_TABLES,	/* by the guest's own tables */
};

struct guest_cpu {
	struct engine_vcpu v;	/* registers, and why they stopped */
	uint16_t cs, ss;	/* the guest's own; CS & 3 is the privilege level */
	bool ts;		/* CR0.TS as the guest set it */
	bool halted;
	/* Stack for traps from user mode, from SET_STACK. */
	uint16_t ss1;
	uint32_t esp1;
	uint32_t stack_pages;
	uint32_t dr6;
	uint32_t reflected_page;/* linear page of the last page fault reflected */
	uint32_t last_entry;	/* handler the last trap or interrupt entered */
	/* Same fault again and again without progress: see demand_page(). */
	uint32_t fault_eip, fault_address, fault_repeats;
	/* A low-memory access being single-stepped: see lowmem.c. */
	bool low_step, low_tf;
	uint16_t low_ds, low_es, low_fs, low_gs;
	uint32_t low_fs_base, low_gs_base;
};

/* struct lguest_data of the guest, and what was read from it at INIT. */
struct guest_lg {
	bool initialised;
	uint8_t layout;		/* index into the layout table, lguest_data.c */
	bool old_registers;	/* arguments in EDX, EBX, ECX */
	uint16_t gens;		/* generations it may still be: GEN(Z) | … */
	uint16_t forced_gens;	/* --abi, or GENS_ALL */
	gpa_t data;
	uint32_t noirq_start, noirq_end;	/* F: start = end - 1 = the IRET */
	uint32_t kernel_address;
	uint32_t reserve_mem;
	uint32_t ring_next;	/* cursor of the async ring */
	/* For the log: calls taken out of the ring at this stop, and when the
	 * ring was last seen empty. */
	uint32_t ring_depth;
	uint64_t ring_empty_ns;
};

#define GUEST_MOMENTARY 4u
struct guest_mm {
	uint8_t mode;		/* enum mm_mode */
	bool pae;
	bool pae_known;
	uint32_t current;	/* index into table[] */
	uint32_t shown;		/* the table that the shared kernel view shows */
	uint32_t clock;		/* counts changes of table */
	uint32_t random;	/* the last choice of one to give up */
	uint32_t used;		/* tables that are */
	uint32_t most;		/* that may be: fewer where the host has no process for more */
	uint32_t since_crowded;	/* new tables that got no place of their own */
	/* Tables whose user view has lost something that its process, if it has one,
	 * may still have. */
	uint64_t taken[GUEST_TABLES / 64];
	/* Tables whose user view has pages of kernel addresses, or had. */
	uint64_t high[GUEST_TABLES / 64];
	/* Where a table was found, by a hash of its cr3; and, one more than their index,
	 * the last ones whose programs lost everything, as one does that ends. */
	uint16_t found[GUEST_FOUND];
	uint16_t emptied[GUEST_EMPTIED];
	uint32_t nr_emptied;
	uint64_t touched[(GUEST_SPACES + 63) / 64];	/* spaces that were ever used */
	/* Kernel pages it took back by a call, the last ones: see map_momentary. */
	uint32_t momentary[GUEST_MOMENTARY], next_momentary;
	struct {
		bool used;
		bool stale;	/* compare with the guest's tables before use */
		/* With PAE: which page of second-level entries its top ones name.  Read anew
		 * after the table was in use, which alone fills views, and what the guest
		 * told. */
		bool tops_known;
		uint32_t cr3;
		uint32_t last_used;
		uint32_t top[4];
	} table[GUEST_TABLES];
};

/* The space of a table's user view, and the table of such a space. */
static inline unsigned int guest_user_space(unsigned int table)
{
	return GUEST_KERNEL_VIEWS + table;
}
static inline bool guest_is_user_space(unsigned int space)
{
	return space >= GUEST_KERNEL_VIEWS;
}
static inline unsigned int guest_table_of(unsigned int space)
{
	return space - GUEST_KERNEL_VIEWS;
}

/* Why guest code stopped, for statistics. X(ID, "what") */
#define STOP_LIST(X)					\
	X(HCALL, "hypercalls")				\
	X(PAGE, "page faults of shadows")		\
	X(REFLECTED_PAGE, "page faults of the guest")	\
	X(SYSCALL, "system calls")			\
	X(IRET, "returns from traps (iret)")		\
	X(SEGMENT, "segment loads")			\
	X(EMULATED, "privileged instructions")		\
	X(KICK, "kicks: timer, devices")		\
	X(OTHER, "other traps")

#define STOP_ENUM_(id, what) STOP_##id,
enum stop_cause { STOP_LIST(STOP_ENUM_) NR_STOPS };
#undef STOP_ENUM_

struct guest_stats {
	uint64_t stops[NR_STOPS];
	uint32_t cause;		/* of the last stop; NR_STOPS: it is none of the guest's */
	/* Where time goes.  Nobody reads a clock for it unless it is wanted, which
	 * is said before the guest runs. */
	uint32_t timed;
	uint64_t stop_ns[NR_STOPS];	/* from such a stop to the next resume */
	uint64_t guest_ns;	/* guest code, the way there and back, mapping changes */
	uint64_t halted_ns;
	uint64_t lap_ns;	/* so far all of it is in one of these */
	uint64_t gates;		/* of the stops: no trap, a jump */
	uint64_t interrupts, views;	/* delivered; changes of address space */
	uint64_t started_ns, user_ns;	/* first instruction; first user one */
};

/* The last stops, for the report of a crash: kept whether or not anybody traces. */
#define GUEST_LAST_STOPS 32u
struct guest_last_stops {
	uint32_t n;		/* stops so far; the next goes to n % GUEST_LAST_STOPS */
	struct guest_last_stop {
		uint32_t eip, eax, error, address;
		uint8_t exit, vector, cpl;
	} stop[GUEST_LAST_STOPS];
};

/* Sites that were rewritten, the last ones, and the calls in holes: where each
 * stands, and the int $0x1f whose place it takes. */
#define GUEST_SITES 64u
struct guest_sites {
	uint32_t n, holes, searches;
	struct guest_site {
		uint32_t va;
		uint8_t row, bytes;	/* enum rewrite_id */
		uint8_t before[REWRITE_MAX], after[REWRITE_MAX];
	} site[GUEST_SITES];
	struct guest_hole {
		uint32_t called_from;	/* behind the call */
		uint32_t eip;
		uint8_t padding[REWRITE_HOLE_BYTES];
	} hole[GUEST_SITES];
};

/* Pages of programs that have a copy to run: see copies.c. */
#define GUEST_COPIES 128u
struct guest_copies {
	uint32_t first_frame;	/* of the copies, behind all that PTEs can name; 0: none */
	uint32_t next;		/* the next one to use */
	uint64_t ended_at;	/* system calls when one last made room for another */
	uint32_t original[GUEST_COPIES];	/* frames; 0: free */
	uint8_t hint[1024];	/* how many originals have that remainder */
};
_Static_assert(GUEST_COPIES < 256, "counted in a byte");

/* Tables nobody has written: see guard.c. */
#define GUARD_PAGES SPACE_TAG_PAGES	/* a table has as many, or twice that */
#define GUARD_TAG_BITS 3u
#define GUARD_WORTH (1u << 18)	/* pages compared before anybody is looked for */
struct guest_guards {
	uint32_t serial;	/* of the last guard */
	uint64_t compared, enough;	/* pages since the last look for writers; for the next */
};

/* What the guest layer asks of whoever runs it, before it can go on. */
enum guest_request { REQUEST_NONE, REQUEST_NOTIFY, REQUEST_PORT, REQUEST_MMIO };

/* An access of REQUEST_PORT or REQUEST_MMIO. */
struct guest_access {
	uint32_t address;	/* port, or guest-physical address */
	uint8_t width;		/* bytes: 1, 2, 4 */
	bool write;
	uint32_t value;		/* to write */
	/* Where a read goes: register, how much of it, sign extended or not. */
	uint8_t reg, reg_width;
	bool sign;
	uint32_t eip;		/* behind the instruction */
};

struct guest {
	/* Bytes from this struct to guest-physical 0: self-relative, so that it
	 * holds in every process that maps both at the same distance. */
	int64_t ram_offset;
	uint32_t mem_bytes;	/* RAM: whole MiB */
	uint32_t limit_pages;	/* RAM, device page, rings: what PTEs may name */
	/* Device registers: frames from limit_pages on that PTEs may name too. */
	uint32_t mmio_pages;
	uint32_t initrd_bytes;	/* rounded up to pages */
	uint8_t rewrite;	/* enum rewrite_mode */
	uint32_t gate_frame;	/* with the code of gates; 0: there are none */
	uint8_t views;		/* enum view_layout */
	uint32_t tsc_khz;	/* for the guest; 0: it shall not use the TSC */

	struct guest_cpu cpu;
	struct guest_lg lg;
	struct guest_mm mm;
	uint64_t gdt[LGUEST_GDT_ENTRIES];
	uint64_t idt[LGUEST_IDT_ENTRIES];
	uint32_t ldt_mirror;	/* GDT entries the kernel has loaded from the LDT */
	uint32_t irq_pending;	/* bit n: virtual IRQ n; set from any thread */
	uint64_t clock_deadline;/* CLOCK_MONOTONIC ns, 0: off */
	bool clock_changed;	/* the run loop has to set its timer */

	uint8_t request;	/* enum guest_request */
	gpa_t request_address;
	struct guest_access access;
	bool hcall_unfinished;	/* the trapped call still has to be made */
	uint8_t hcall_cause;	/* enum event_cause of it */

	/* A debugger steps: no interrupt comes between, but to a halted CPU. */
	bool hold_interrupts;

	uint8_t end;		/* enum guest_end; once set, it stays */
	char reason[GUEST_REASON];

	struct guest_stats stats;
	struct guest_last_stops last;
	uint64_t rewritten_sites;
	struct guest_sites sites;
	uint32_t holeless[GUEST_SITES];	/* EIPs where there is no room for a jump */
	uint32_t rewritten_eip;	/* the last one: its int $0x1f comes next */

	/* Which events somebody wants: bit r = row r of hcall_table. */
	uint32_t trace_rows;
	uint32_t trace_kinds;	/* bit k = enum event_kind k */
	uint64_t exit_ns;	/* when the last stop came, if traps are wanted */
	struct event_ring events;
	struct tamper tamper;

	struct guest_copies copies;
	struct guest_guards guards;

	/* GUEST_SPACES, sparse: see GUEST_BYTES. */
	struct space space[];
};

/* A guest's state with its spaces. */
#define GUEST_BYTES (sizeof(struct guest) + (uint64_t)GUEST_SPACES * sizeof(struct space))

static inline unsigned int guest_cpl(const struct guest *g)
{
	return g->cpu.cs & 3;
}

/* Memory of the host's own behind a guest's: the page of gates, and copies; behind those a
 * guard for each of the guest's pages. */
#define GUEST_HIDDEN_PAGES (1 + GUEST_COPIES)
static inline uint32_t guest_guard_pages(uint32_t pages)
{
	return (pages * (uint32_t)sizeof(uint32_t) + GUEST_PAGE_SIZE - 1) / GUEST_PAGE_SIZE;
}

/* --- cpu.c: the state a guest starts in ---------------------------------- */

struct guest_setup {
	uint32_t mem_bytes;	/* whole MiB */
	/* Above RAM: device page and rings.  Above those are GUEST_HIDDEN_PAGES and
	 * guest_guard_pages(), all zero. */
	uint32_t spare_pages;
	uint32_t mmio_pages;	/* above those: device registers */
	int64_t ram_offset;
	uint32_t entry;		/* EIP */
	uint32_t initrd_bytes;
	uint16_t gens;		/* --abi, or GENS_ALL */
	enum rewrite_mode rewrite;
	bool gates;		/* guest code can be called: see gates.c */
	bool copies;		/* of programs' pages: see copies.c */
	enum view_layout views;
	uint32_t tsc_khz;
	const struct tamper *tamper;	/* copied; NULL: none */
};

/* Makes a guest as the launcher hands it over: registers, CS 0x61, no IDT, the
 * two boot descriptors, 1:1 map.  `g` must be zero or a used guest: the shadow
 * of a used one is cleared. */
void guest_init(struct guest *g, const struct guest_setup *setup);

/* --- import.c: state from memory that others can write --------------------- */

/* Copies the machine's state to `own`, whose sizes and rules stay: bounded, and
 * else not to be believed. */
void guest_import(struct guest *own, const struct guest *theirs);
void guest_import_event(struct guest_event *own, const struct guest_event *theirs);

/* --- memory.c: the one door to guest memory ------------------------------- */

/* Bytes [a, a + len) of guest-physical memory, or NULL if not all inside. */
void *guest_bytes(struct guest *g, gpa_t a, uint32_t len);
/* Copy in, copy out.  Outside memory: kills the guest, and reads as zeroes. */
void guest_read(struct guest *g, gpa_t a, void *to, uint32_t len);
void guest_write(struct guest *g, gpa_t a, const void *from, uint32_t len);
/* Whoever writes by the pointer of guest_bytes says so: programs may run a copy of the
 * page (copies.c), and it may be a table that nobody was seen to write (guard.c). */
void guest_written(struct guest *g, gpa_t a, uint32_t len);
uint32_t guest_read32(struct guest *g, gpa_t a);
void guest_write32(struct guest *g, gpa_t a, uint32_t value);
/* Bytes as the current view has them, before any copy was made: at most len at
 * linear address va; returns how many are mapped.  Never changes anything. */
uint32_t guest_view_read(struct guest *g, uint32_t va, void *to, uint32_t len);
/* Bytes as the guest's tables have them: at most len at va; returns how many are
 * there.  Never changes anything. */
uint32_t guest_read_virtual(struct guest *g, uint32_t va, void *to, uint32_t len);
/* Copies to guest-virtual memory as the guest kernel; false if not mapped. */
bool guest_write_virtual(struct guest *g, uint32_t va, const void *from, uint32_t len);
/* A NUL-terminated text of at most max bytes; stops at the end of memory.
 * Returns its length without the NUL; *more: it goes on. */
uint32_t guest_read_text(struct guest *g, gpa_t a, uint8_t *to, uint32_t max,
			 bool *more);

/* --- kill.c ---------------------------------------------------------------- */

/* Ends the guest for something illegal.  Knows %s %c %u %d %x %%, with 0x before %x
 * written by the caller. */
void kill_guest(struct guest *g, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Ends the guest because it asked for it; `reason` are raw guest bytes. */
void end_guest(struct guest *g, enum guest_end end, const uint8_t *reason,
	       uint32_t len);

/* --- trace.c: events for the log ------------------------------------------- */

bool trace_wants_row(const struct guest *g, unsigned int row);
bool trace_wants(const struct guest *g, enum event_kind kind);
/* The next free record, zeroed, or NULL if the ring is full (it cannot be: see
 * EVENT_RING). */
struct guest_event *trace_begin(struct guest *g, enum event_kind kind);
void trace_commit(struct guest *g);
/* The oldest event, or NULL.  Valid until trace_pop. */
const struct guest_event *trace_peek(const struct guest *g);
void trace_pop(struct guest *g);

/* --- hypercall.c: the table and dispatch ------------------------------------ */

/* The guest made the hypercall its registers say.  May leave a request. */
void guest_hypercall(struct guest *g, enum event_cause cause);
/* Goes on after a request was served. */
void guest_hypercall_continue(struct guest *g);
/* One call, wherever it came from: words in the order EAX, EBX, ECX, EDX, ESI. */
void guest_do_hcall(struct guest *g, const uint32_t word[5], enum event_cause cause);

/* --- tamper.c: --inject ----------------------------------------------------- */

/* The rule that is due for this call, or NULL.  Counts it. */
struct tamper_rule *guest_tamper_rule(struct guest *g, unsigned int row,
				      enum event_cause cause);
/* Before the call: false if it shall not be made. */
bool guest_tamper_enter(struct guest *g, const struct tamper_rule *rule,
			const struct hcall_row *row, const uint32_t arg[4]);
void guest_tamper_exit(struct guest *g, const struct tamper_rule *rule,
		       const struct hcall_row *row, const uint32_t arg[4],
		       enum event_cause cause);

/* --- lguest_data.c: LGUEST_INIT and the shared page ------------------------- */

void hcall_lguest_init(struct guest *g, const uint32_t arg[4]);
/* Finds out the generation from the first hypercall.  Sets lg.gens, layout and
 * register convention; kills the guest if none fits. */
void guest_detect(struct guest *g, bool vmcall);
/* Where the ring lives; see ring.c. */
struct ring_place {
	gpa_t status, calls;
	uint32_t entry_bytes;
};
struct ring_place guest_ring_place(const struct guest *g);
/* Field `i` of struct lguest_data as it stands in memory; false: no more. */
struct guest_field {
	const char *name;
	uint32_t value;
};
bool guest_data_field(struct guest *g, unsigned int i, struct guest_field *field);
uint32_t guest_irq_enabled_address(const struct guest *g);	/* for its kernel; or 0 */
uint32_t guest_irq_enabled(struct guest *g);	/* EFLAGS_IF or not */
void guest_set_irq_enabled(struct guest *g, uint32_t value);
uint32_t guest_blocked_interrupts(struct guest *g);
void guest_set_irq_pending(struct guest *g, uint32_t value);	/* where it exists */
void guest_set_cr2(struct guest *g, uint32_t address);
void guest_update_time(struct guest *g);

/* --- ring.c: the async ring -------------------------------------------------- */

/* Makes the calls waiting in the ring. */
void guest_drain_ring(struct guest *g);

/* --- gdt.c --------------------------------------------------------------------- */

void hcall_load_gdt(struct guest *g, const uint32_t arg[4]);
void hcall_load_gdt_entry(struct guest *g, const uint32_t arg[4]);
void hcall_load_tls(struct guest *g, const uint32_t arg[4]);
uint32_t descriptor_base(uint64_t descriptor);
/* Replaces selectors that the host loads silently as something else.  True if
 * there was one. */
bool guest_fix_segments(struct guest *g);
/* FS and GS bases follow the LDT of the view about to run. */
void guest_reload_bases(struct guest *g);
/* #GP on loading a segment register: does what the instruction meant, if the
 * guest's GDT has such a segment.  True if done. */
bool guest_load_segment(struct guest *g);
/* May IRET load this selector into a program's SS? */
bool guest_is_user_stack(const struct guest *g, uint16_t sel);
/* The host LDT of the view about to run holds what the guest's GDT says. */
void guest_sync_ldt(struct guest *g);

/* --- idt.c ----------------------------------------------------------------------- */

void hcall_load_idt_entry(struct guest *g, const uint32_t arg[4]);
bool gate_present(uint64_t gate);
bool gate_masks_interrupts(uint64_t gate);	/* an interrupt gate */
unsigned int gate_dpl(uint64_t gate);
uint32_t gate_offset(uint64_t gate);

/* --- pagetable.c: the guest's own tables ----------------------------------------- */

struct guest_pte {
	bool present;		/* a present entry at every level */
	bool mmio;		/* it names device registers, not memory */
	bool rw, us;		/* what all levels allow */
	uint64_t value;		/* the last level's entry */
	gpa_t address;		/* where that stands */
};

/* Walks table `cr3` for `va`.  Illegal entries kill the guest. */
struct guest_pte guest_walk(struct guest *g, uint32_t cr3, gva_t va);
/* The same for the host's own purposes: illegal entries are not present. */
struct guest_pte guest_walk_quiet(struct guest *g, uint32_t cr3, gva_t va);
/* A last-level table of the guest, to look at many entries. */
struct last_table {
	const void *entries;	/* a page of them; NULL: none, or none that can be read so */
	uint32_t frame;
	bool rw, us, pae;	/* what the levels above allow; how long an entry is */
};
/* Where the level above was found: for the next one.  Zero at first, and valid for one
 * table as long as the guest does not run. */
struct table_cursor {
	uint32_t window;	/* 1 + number of the top-level entry; 0: none yet */
	const void *middle;	/* a page of entries, NULL: none */
};
/* The last-level table that serves linear page `page`. */
struct last_table guest_last_table(struct guest *g, uint32_t cr3, uint32_t page,
				   struct table_cursor *at);
uint32_t pte_frame(const struct guest *g, uint64_t pte);	/* UINT32_MAX: beyond */
uint64_t read_pte(struct guest *g, gpa_t address);
/* A PTE that may be walked or set: kills and returns false if it may not. */
bool pte_is_legal(struct guest *g, uint64_t pte);
/* Guest-virtual to guest-physical for the host's own accesses as the guest
 * kernel; false if not mapped. */
bool guest_translate(struct guest *g, gva_t va, gpa_t *pa);
uint32_t pte_bytes(const struct guest *g);	/* 4 or 8 */
/* Looks at a new top-level table to tell PAE from two-level tables. */
void guest_detect_pae(struct guest *g, uint32_t cr3);
/* Tables the host builds for generations Z to D; sets the pgdir they get. */
uint32_t guest_build_boot_tables(struct guest *g);

/* --- shadow.c: which host mappings the guest's tables mean ------------------------ */

void hcall_new_pgtable(struct guest *g, const uint32_t arg[4]);
void hcall_flush_tlb(struct guest *g, const uint32_t arg[4]);
void hcall_set_pte(struct guest *g, const uint32_t arg[4]);
void hcall_set_pmd(struct guest *g, const uint32_t arg[4]);
void hcall_set_pgd(struct guest *g, const uint32_t arg[4]);
/* Drops every mapping of every view. */
void guest_drop_shadows(struct guest *g);
/* The first space from `i` on that was ever used, or GUEST_SPACES: to look at the others
 * would cost a page each. */
unsigned int guest_next_space(const struct guest *g, unsigned int i);
/* Something went from the user view of a table. */
void guest_note_taken(struct guest *g, unsigned int table);
/* Have programs of that table nothing in their view?  Never, where they share the kernel's. */
bool guest_table_is_empty(struct guest *g, unsigned int table);
/* Its views forget its programs.  Kernel mappings stay, as most are the same in all tables,
 * and are compared with those of the next one there. */
void guest_forget_table(struct guest *g, unsigned int table);

/* A page fault: true if a mapping was missing that the guest's tables allow. */
bool guest_demand_page(struct guest *g, uint32_t address, uint32_t error);
/* The view code runs in now: by page table and privilege. */
unsigned int guest_current_space(const struct guest *g);
/* The view of a table and privilege level; NULL if there is none now: a kernel
 * view that all tables share shows the current one. */
struct space *guest_view(struct guest *g, unsigned int table, unsigned int cpl);
/* Called before pages of the table that serves `page` are mapped from the current table: if
 * its guard is not the one noted, the note is void. */
void guest_note_mapped(struct guest *g, struct space *view, uint32_t page);
/* Kills the guest unless the stack pages of SET_STACK are writable. */
void guest_check_stack(struct guest *g);
/* In boot mode, RAM is also at kernel_address, up to here: what comes after is
 * Linux's fixed and vmalloc mappings, which its own tables say. */
#define GUEST_ALIAS_END 0xf8000000u
static inline bool guest_is_alias(const struct guest *g, uint32_t va)
{
	return va >= g->lg.kernel_address && va < GUEST_ALIAS_END;
}

bool guest_is_reserved(const struct guest *g, uint32_t address);

/* Error code of a software interrupt the gate does not allow: the vector, and
 * the bit that says it names an IDT entry. */
#define IDT_ERROR(vector) ((vector) * 8u + 2)

/* --- traps.c ------------------------------------------------------------------------ */

void hcall_set_stack(struct guest *g, const uint32_t arg[4]);
void hcall_ts(struct guest *g, const uint32_t arg[4]);
/* Everything that can happen to guest code comes in here. */
void guest_handle_exit(struct guest *g);
/* Reflects a trap into the guest: builds the frame, enters the handler.  Kills
 * the guest if there is no handler. */
void guest_reflect(struct guest *g, unsigned int vector, uint32_t error);
/* Reflects the page fault of cpu.v.exit with these of P and W in its error code. */
void guest_reflect_page_fault(struct guest *g, uint32_t error);
/* The same for an access of the current ring that the guest's tables forbid. */
void guest_reflect_access(struct guest *g, uint32_t address, bool write);
/* The frame alone, for traps and interrupts. */
void guest_push_frame(struct guest *g, uint64_t gate, bool has_error, uint32_t error);

/* --- insn.c: operands, and privileged instructions the kernel executes ------------------------------ */

/* Linear address of an instruction's memory operand. */
struct insn;
uint32_t guest_operand(const struct guest *g, const struct insn *insn);
/* Emulates the instruction in cpu.v.exit.insn.  True if it was one of ours. */
bool guest_emulate(struct guest *g);

/* --- mmio.c: device registers -------------------------------------------------------------- */

/* The kernel accessed `address`, behind which is the register at `pa`: leaves a
 * request.  False: the instruction is none for registers. */
bool guest_mmio(struct guest *g, uint32_t address, gpa_t pa);
/* An in or out, EIP behind it: leaves a request. */
void guest_port(struct guest *g, uint16_t port, unsigned int width, bool out,
		uint32_t value);
/* The request was served, with `value` if it read; or there is no such device. */
void guest_access_done(struct guest *g, bool known, uint32_t value);

/* --- rewrite.c: vmcall sites ------------------------------------------------------------ */

/* The instruction at EIP is a vmcall of the guest kernel: rewrites it, or makes
 * the call.  False if it is not a vmcall. */
bool guest_vmcall(struct guest *g);
/* Is the int $0x1f at `va` a site that was patched before it ever ran? */
bool guest_was_vmcall(struct guest *g, uint32_t va);
/* The kernel was caught with 0x7B in DS or ES: patches the code that loaded it,
 * in the entry path of the last trap, so that the next entry does not. */
void guest_patch_data_selector(struct guest *g);
/* `mov %reg,%sreg` at EIP was given `selector`, which on this host is `host`:
 * patches the immediate before it. */
void guest_patch_selector(struct guest *g, uint8_t modrm, uint32_t selector, uint32_t host);
/* What the guest's own code was before, where `bytes`, n of them at `va`, are what it is
 * now. */
void guest_undo_sites(const struct guest *g, uint32_t va, uint8_t *bytes, uint32_t n);
/* The int $0x1f whose call through a gate comes from there.  False: none. */
bool guest_find_hole(const struct guest *g, uint32_t called_from, uint32_t *eip);
/* The int $0x1f, or the IRET, at EIP has just trapped: patches the next time to go
 * through a gate. */
void guest_patch_call_gate(struct guest *g);
void guest_patch_iret_gate(struct guest *g);
/* Before addresses come to mean something else: gone. */
void guest_take_back_gates(struct guest *g);
/* Patches every site in the page behind linear page `page` before it runs. */
void guest_scan_page(struct guest *g, uint32_t page);

/* --- copies.c: programs' pages with cheaper system calls ---------------------------------- */

/* The int $0x80 before EIP has just trapped: it does so another way the next time, if
 * its page may have a copy. */
void guest_patch_system_call(struct guest *g);
/* Is what runs at `eip` as another interrupt an int $0x80 in truth? */
bool guest_was_system_call(struct guest *g, uint32_t eip);
bool guest_has_copy(const struct guest *g, uint32_t frame);
/* Somebody is about to write this frame. */
void guest_end_copy(struct guest *g, uint32_t frame);
/* The frame that programs shall run where their tables name `frame`; and back. */
uint32_t guest_copied_frame(struct guest *g, uint32_t frame);
uint32_t guest_original(const struct guest *g, uint32_t frame);

/* --- guard.c: tables nobody has written -------------------------------------------------- */

bool guest_is_guarded(const struct guest *g, uint32_t frame);
/* Somebody is about to write this frame, or has. */
void guest_unguard(struct guest *g, uint32_t frame);
/* May a view write this frame, or shall whoever does it fault? */
static inline bool guest_may_write(const struct guest *g, uint32_t frame)
{
	return !guest_has_copy(g, frame) && !guest_is_guarded(g, frame);
}
static inline void guest_before_write(struct guest *g, uint32_t frame)
{
	guest_end_copy(g, frame);
	guest_unguard(g, frame);
}
/* A number for the table as it is now, of which there is no other as long as what it and
 * the entry above it say is the same; 0: nobody watches it. */
uint32_t guest_guard_tag(const struct guest *g, const struct last_table *t);
/* Guards the current table's tables, if that has become worth it.  They are compared
 * once more, before their tags mean anything. */
void guest_guard_tables(struct guest *g);

/* --- gates.c: a way to the host that is a jump ------------------------------------------ */

static inline bool guest_is_gate(const struct guest *g, uint32_t address)
{
	return g->gate_frame && address >> GUEST_PAGE_SHIFT == GUEST_GATES >> GUEST_PAGE_SHIFT;
}
/* The kernel wants to run one that is not mapped: true if it is now. */
bool guest_demand_gate(struct guest *g, uint32_t address, uint32_t error);
/* Guest code came through a gate, GATE_FOR_…, with the registers as they were there and EIP what
 * the call pushed: makes of it the stop that it stands for. */
void guest_came_by_gate(struct guest *g, unsigned int gate);

/* --- tables.c: which page tables have shadows -------------------------------- */

/* The table at that address, or -1; a place for one that was not there. */
int guest_find_table(struct guest *g, uint32_t cr3);
unsigned int guest_new_table(struct guest *g, uint32_t cr3);
void guest_set_used(struct guest *g, unsigned int table, bool used);
/* How many a guest of its size may have, if the host has processes for them. */
uint32_t guest_most_tables(const struct guest *g);
/* Its programs have nothing left, perhaps because there are none any more. */
void guest_note_emptied(struct guest *g, unsigned int table);
/* The engine says that the host has no process for one space more: from now on fewer
 * tables are used. */
void guest_crowded(struct guest *g);
/* With PAE: the pages that its four top entries name. */
const uint32_t *guest_table_tops(struct guest *g, unsigned int table);

/* --- lowmem.c: the 64 KiB no unprivileged process can map --------------------------------- */

/* An access to `address` below 64 KiB that the guest's tables allow: arranges
 * that this one instruction finds the bytes elsewhere.  False if it cannot. */
bool guest_low_access(struct guest *g, uint32_t address);
/* The tables changed below 64 KiB, or may have: the view forgets those pages. */
void guest_low_forget(struct space *view);
/* The single step over it is done; or something else came before. */
void guest_low_done(struct guest *g);
void guest_low_interrupted(struct guest *g);

/* --- interrupts.c, clock.c ------------------------------------------------------------------ */

void hcall_halt(struct guest *g, const uint32_t arg[4]);
void hcall_send_interrupts(struct guest *g, const uint32_t arg[4]);
/* Makes virtual IRQ `irq` (0..31) pending.  Any thread may call it. */
void guest_raise_irq(struct guest *g, unsigned int irq);
/* Delivers what may be delivered now.  True if an unmasked interrupt is pending
 * that the guest does not take yet: look again soon. */
bool guest_deliver_interrupts(struct guest *g);
void hcall_set_clockevent(struct guest *g, const uint32_t arg[4]);
/* Raises IRQ 0 if the clock ran out. */
void guest_check_clock(struct guest *g);

/* --- run.c: the run loop ------------------------------------------------------------------------ */

/* Who runs the guest: what happens to its events and requests. */
struct guest_owner {
	void *context;
	/* One event, in order.  NULL: nobody wants them. */
	void (*event)(void *context, const struct guest_event *event);
	/* NOTIFY: true if `address` was a device's. */
	bool (*notify)(void *context, gpa_t address);
	/* Ports and registers of devices.  False: there is none. */
	bool (*port)(void *context, const struct guest_access *access, uint32_t *value);
	bool (*mmio)(void *context, const struct guest_access *access, uint32_t *value);
	/* Early console text: raw guest bytes. */
	void (*console)(void *context, const uint8_t *text, uint32_t len);
	/* LGUEST_INIT is done: its generation is known, devices can be shown. */
	void (*initialised)(void *context);
	/* Something outside wants the loop to end: looked at after every exit. */
	bool (*stop)(void *context);
	/* For a debugger: guest code is about to run; it stopped.  True: that was
	 * the debugger's doing, the guest shall not hear of it.  Both or none. */
	void (*resuming)(void *context);
	bool (*stopped)(void *context);
};

/* Runs the guest until it ends or the owner stops it. */
void guest_run(struct guest *g, struct engine *engine, const struct guest_owner *owner);

#endif
