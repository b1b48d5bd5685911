/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Putting a guest together and taking it apart again.  Guest state and guest
 * memory are two memory files mapped side by side, so that the distance between
 * them is the same in every process that maps both.
 *
 * With the ptrace engine the guest's state is the supervisor's alone.  With the
 * direct engine it is the monitor's, and what everything here looks at is a
 * copy that was checked.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/die.h"
#include "boot/boot.h"
#include "cmd/dump.h"
#include "cmd/machine.h"
#include "cmd/stats.h"
#include "device/device.h"
#include "direct/direct.h"
#include "engine/clock.h"
#include "gdb/gdb.h"

/* Above RAM: the device page and its rings (ABI 3.1). */
#define SPARE_PAGES 256u


struct machine {
	const struct options *options;
	struct guest *guest;	/* what we look at */
	struct guest *shared;	/* what the guest runs on; the same with --engine=ptrace */
	uint8_t *ram;
	size_t guest_bytes, ram_bytes;	/* mapped sizes */
	int guest_fd, ram_fd;
	struct engine *engine;	/* one of these two, once it is started */
	struct direct *direct;
	struct log *log;
	struct gdb *_Atomic gdb;	/* NULL: --gdb was not given */
	struct device_bus *bus;	/* NULL: no devices, as for the benchmark */
	struct terminal terminal;
	atomic_bool left;	/* the user wants to go */
	atomic_bool wants_stats;
	struct guest_setup setup;
	void (*console)(void *ctx, const uint8_t *text, uint32_t len);
	void *console_ctx;

	pthread_t timeout_thread;
	atomic_bool timed_out;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool over;
};

/* --- memory -------------------------------------------------------------------- */

static int make_memory(const char *name, size_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		die_errno("cannot make a memory file");
	if (ftruncate(fd, (off_t)bytes) != 0)
		die_errno("cannot give a memory file %zu MiB", bytes >> 20);
	/* Nobody can pull pages out from under a mapping. */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		die_errno("cannot seal guest memory");
	return fd;
}

/* The report of a crash: what the guest did last, from its own state; with the
 * direct engine that is numbers to print and no more.  Async-signal-safe. */
static void tell_last_stops(void *arg)
{
	const struct guest *g = ((const struct machine *)arg)->shared;
	uint32_t n = g->last.n, i = n > GUEST_LAST_STOPS ? n - GUEST_LAST_STOPS : 0;

	crash_text("  the guest's last stops, the latest at the end:\n");
	for (; i != n; i++) {
		const struct guest_last_stop *s = &g->last.stop[i % GUEST_LAST_STOPS];

		crash_text(s->exit == ENGINE_EXIT_TRAP ? "  trap " : "  exit ");
		crash_hex(s->exit == ENGINE_EXIT_TRAP ? s->vector : s->exit);
		crash_text(s->cpl == CPL_USER ? " user eip " : " kernel eip ");
		crash_hex(s->eip);
		crash_text(" eax ");
		crash_hex(s->eax);
		crash_text(" error ");
		crash_hex(s->error);
		if (s->vector == VECTOR_PF) {
			crash_text(" address ");
			crash_hex(s->address);
		}
		crash_text("\n");
	}
}

struct machine *machine_open(const struct options *o)
{
	const size_t huge = 2u << 20;
	struct machine *m = calloc(1, sizeof(*m));
	uint32_t visible;
	char *base;

	if (!m)
		die("out of memory");
	engine_tsc_start();
	m->options = o;
	m->guest_bytes = (GUEST_BYTES + huge - 1) & ~(huge - 1);
	visible = (uint32_t)(o->mem_bytes >> GUEST_PAGE_SHIFT) + SPARE_PAGES;
	m->ram_bytes = (uint64_t)(visible + GUEST_HIDDEN_PAGES + guest_guard_pages(visible)) *
		       GUEST_PAGE_SIZE;
	m->guest_fd = make_memory("uml-host-guest", m->guest_bytes);
	m->ram_fd = make_memory("uml-host-ram", m->ram_bytes);
	/* One stretch of addresses for both. */
	base = mmap(NULL, m->guest_bytes + m->ram_bytes, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED ||
	    mmap(base, m->guest_bytes, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, m->guest_fd, 0) == MAP_FAILED ||
	    mmap(base + m->guest_bytes, m->ram_bytes, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, m->ram_fd, 0) == MAP_FAILED)
		die_errno("cannot map %llu MiB of guest memory",
			  (unsigned long long)(o->mem_bytes >> 20));
	m->guest = m->shared = (struct guest *)base;
	m->ram = (uint8_t *)base + m->guest_bytes;
	if (o->engine == ENGINE_DIRECT) {
		/* The monitor's without its spaces, and a copy of ours whose spaces stay empty. */
		m->shared = mmap(NULL, sizeof(struct guest), PROT_READ | PROT_WRITE, MAP_SHARED,
				 m->guest_fd, 0);
		if (m->shared == MAP_FAILED ||
		    mmap(base, m->guest_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			 -1, 0) == MAP_FAILED ||
		    mprotect(base, sizeof(struct guest), PROT_READ | PROT_WRITE) != 0)
			die("out of memory");
	}
	crash_set_note(tell_last_stops, m);
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->ended, NULL);
	return m;
}

struct guest *machine_guest(struct machine *m) { return m->guest; }
uint8_t *machine_ram(struct machine *m) { return m->ram; }

void machine_set_console(struct machine *m,
			 void (*console)(void *ctx, const uint8_t *text, uint32_t len),
			 void *ctx)
{
	m->console = console;
	m->console_ctx = ctx;
}

/* --- engine -------------------------------------------------------------------- */

static size_t fetch(void *owner, unsigned int space, uint32_t va, void *buf, size_t len)
{
	(void)space;
	return guest_view_read(owner, va, buf, (uint32_t)len);
}

static void open_direct(struct machine *m)
{
	const struct direct_config config = {
		.own = m->guest, .shared = m->shared,
		.guest_fd = m->guest_fd, .ram_fd = m->ram_fd,
		.guest_bytes = m->guest_bytes, .ram_bytes = m->ram_bytes,
		.cpu = m->options->cpu, .turns = m->options->turns,
		.simulate = m->options->simulate,
	};

	m->direct = direct_open(&config);
}

void machine_open_engine(struct machine *m)
{
	const struct engine_config config = {
		.vcpu = &m->guest->cpu.v,
		.spaces = m->guest->space, .nr_spaces = GUEST_SPACES,
		.ram_fd = m->ram_fd, .ram_bytes = m->ram_bytes,
		.cpu = m->options->cpu, .turns = m->options->turns,
		.simulate = m->options->simulate,
		.fetch = fetch, .owner = m->guest,
	};

	if (m->options->engine == ENGINE_DIRECT)
		open_direct(m);
	else
		m->engine = engine_open(&config);
}

static void close_engine(struct machine *m)
{
	if (m->direct)
		direct_close(m->direct);
	if (m->engine)
		engine_close(m->engine);
}

static void kick(struct machine *m)
{
	if (m->direct)
		direct_kick(m->direct);
	else
		engine_kick(m->engine);
}

enum vmcall_behaviour machine_vmcall(const struct machine *m)
{
	return m->direct ? direct_vmcall(m->direct) : engine_vmcall(m->engine);
}

uint64_t machine_floor_ns(struct machine *m, unsigned int rounds)
{
	return m->direct ? direct_floor_ns(m->direct, rounds) : engine_floor_ns(m->engine, rounds);
}

static const struct engine_counters *counters(const struct machine *m)
{
	return m->direct ? direct_counters(m->direct) : engine_counters(m->engine);
}

static enum view_layout view_layout(const struct options *o)
{
	if (o->engine != ENGINE_DIRECT)
		return VIEWS_PER_TABLE;
	return o->isolation == ISOLATION_NONE ? VIEWS_ONE : VIEWS_ONE_KERNEL;
}

/* Sites must be found before they run where vmcall does not fault. */
static enum rewrite_mode rewrite_mode(const struct machine *m)
{
	bool silent = machine_vmcall(m) == VMCALL_SILENT;

	if (!m->options->rewrite_given)
		return silent ? REWRITE_EAGER : REWRITE_PATCH;
	if (silent && m->options->rewrite != REWRITE_EAGER)
		die("vmcall does not fault on this host: only --rewrite=eager is possible");
	return m->options->rewrite;
}

/* --- image --------------------------------------------------------------------- */

/* Memory as the launcher hands it over: zeroes. */
static void clear_ram(struct machine *m)
{
	if (fallocate(m->ram_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		      (off_t)m->ram_bytes) != 0)
		die_errno("cannot clear guest memory");
}

void machine_load(struct machine *m)
{
	const struct options *o = m->options;
	const struct boot_config config = {
		.image = o->image, .initrd = o->initrd, .command_line = o->command_line,
	};
	const struct boot_ram ram = {
		.base = machine_ram(m), .bytes = (uint32_t)o->mem_bytes,
	};
	struct boot_result result;

	boot_load(&config, ram, &result);
	m->setup = (struct guest_setup){
		.mem_bytes = (uint32_t)o->mem_bytes,
		.spare_pages = SPARE_PAGES,
		.ram_offset = (const uint8_t *)m->ram - (const uint8_t *)m->guest,
		.views = view_layout(o),
		.gates = o->engine == ENGINE_DIRECT && !o->no_gates,
		.copies = o->fast_syscalls,
		.entry = result.entry,
		.initrd_bytes = result.initrd_bytes,
		.gens = o->gens,
		.tamper = &o->tamper,
	};
	if (!m->engine && !m->direct) {
		machine_open_engine(m);
		m->setup.tsc_khz = engine_tsc_khz();
	}
	m->setup.rewrite = rewrite_mode(m);
	/* The registers of PCI devices are right behind everything else. */
	if (m->bus) {
		bus_reset(m->bus);
		m->setup.mmio_pages = (bus_pci_end(m->bus) - bus_pci_start(m->bus)) /
				      GUEST_PAGE_SIZE;
	}
	guest_init(m->guest, &m->setup);
	m->guest->stats.timed = o->stats || o->log.summary != LOG_SUMMARY_NONE ||
				o->log.stats_every_ns;
	if (o->verbose)
		warn("%s: entry 0x%x, %u MiB, vmcall: %s", o->image, result.entry,
		     m->setup.mem_bytes >> 20, vmcall_behaviour_name(machine_vmcall(m)));
}

/* --- the owner of the run loop --------------------------------------------------- */

static size_t read_memory(void *guest, uint32_t address, void *to, size_t len)
{
	return guest_read_virtual(guest, address, to, (uint32_t)len);
}

static void set_wants(struct machine *m)
{
	struct log_wants wants = log_wants(m->log);

	/* The vCPU thread may be reading them. */
	__atomic_store_n(&m->guest->trace_rows, wants.rows, __ATOMIC_RELAXED);
	__atomic_store_n(&m->guest->trace_kinds, wants.kinds, __ATOMIC_RELAXED);
	if (m->direct)
		direct_set_trace(m->direct, wants.rows, wants.kinds);
}

_Static_assert(BUS_NAME == sizeof(((struct guest_event *)0)->device), "a name fits");

static bool is_notify(const struct guest_event *event)
{
	return event->kind == EVENT_HCALL && event->row < HCALL_ROWS &&
	       hcall_table[event->row].arg[0].kind == ARG_NOTIFY;
}

static void on_event(void *context, const struct guest_event *event)
{
	struct machine *m = context;
	struct guest_event named;

	if (!m->log)
		return;
	if (m->bus && is_notify(event)) {
		named = *event;
		bus_name(m->bus, event->arg[0], named.device);
		event = &named;
	}
	if (m->options->log.verbose && event->kind == EVENT_END)
		dump_event(m->guest, m->log, event);
	if (!log_event(m->log, event))
		set_wants(m);
	if (m->options->log.verbose && event->kind != EVENT_END)
		dump_event(m->guest, m->log, event);
}

static void on_console(void *context, const uint8_t *text, uint32_t len)
{
	struct machine *m = context;

	if (m->console) {
		m->console(m->console_ctx, text, len);
		return;
	}
	while (len) {
		ssize_t n = write(STDOUT_FILENO, text, len);

		if (n < 0 && errno != EINTR)
			die_errno("cannot write the guest's console");
		if (n > 0) {
			text += n;
			len -= (uint32_t)n;
		}
	}
}

static void print_stats(const struct machine *m)
{
	stats_print(&m->guest->stats, counters(m));
}

/* Looked at after every stop, so it is also where statistics are printed. */
static bool should_stop(void *context)
{
	struct machine *m = context;

	if (atomic_load_explicit(&m->wants_stats, memory_order_relaxed) &&
	    atomic_exchange(&m->wants_stats, false))
		print_stats(m);
	if (m->gdb)
		gdb_poll(m->gdb);
	return atomic_load_explicit(&m->timed_out, memory_order_relaxed) ||
	       atomic_load_explicit(&m->left, memory_order_relaxed);
}

/* --- devices ----------------------------------------------------------------------- */

static void raise_irq(void *context, unsigned int irq)
{
	struct machine *m = context;

	/* Set from any thread, read by whoever runs the guest. */
	guest_raise_irq(m->shared, irq);
	kick(m);
}

static void leave(void *context)
{
	struct machine *m = context;

	atomic_store(&m->left, true);
	if (m->log)
		log_give_up(m->log);
	bus_unblock(m->bus);
	if (m->gdb)
		gdb_wake(m->gdb);
	kick(m);
}

void machine_request_stats(struct machine *m)
{
	if (m->log && !log_is_paused(m->log)) {
		log_request_summary(m->log);
		return;
	}
	atomic_store(&m->wants_stats, true);
	kick(m);
}

static void show_stats(void *context)
{
	machine_request_stats(context);
}

static void toggle_trace(void *context)
{
	struct machine *m = context;
	bool pause;

	if (!m->log)
		return;
	pause = !log_is_paused(m->log);
	log_pause(m->log, pause);
	set_wants(m);
	warn("tracing is %s", pause ? "off" : "on");
}

void machine_add_devices(struct machine *m)
{
	const struct options *o = m->options;
	const uint32_t visible = (uint32_t)o->mem_bytes + SPARE_PAGES * GUEST_PAGE_SIZE;
	const struct bus_config config = {
		.memory = {
			.base = machine_ram(m), .bytes = visible,
			.guards = (uint32_t *)(machine_ram(m) + visible +
					       GUEST_HIDDEN_PAGES * GUEST_PAGE_SIZE),
		},
		.ram_bytes = (uint32_t)o->mem_bytes,
		.raise_irq = raise_irq, .context = m,
	};
	const struct console_config console = {
		.in_fd = STDIN_FILENO, .out_fd = STDOUT_FILENO,
		.escapes = terminal_raw(&m->terminal, STDIN_FILENO), .quit = leave, .context = m,
		.stats = show_stats, .trace = toggle_trace,
	};
	unsigned int i;

	m->bus = bus_create(&config);
	for (i = 0; i < o->devices; i++)
		switch (o->device[i].kind) {
		case OPTION_BLOCK:
			bus_add_block(m->bus, o->device[i].value, o->device[i].read_only);
			break;
		case OPTION_RNG:
			bus_add_rng(m->bus);
			break;
		case OPTION_TAP:
			bus_add_net_tap(m->bus, o->device[i].value);
			break;
		case OPTION_USER_NET:
			bus_add_net_user(m->bus, o->device[i].value);
			break;
		}
	bus_add_console(m->bus, &console);
}

/* Which form the bus page has depends on who reads it (ABI 8). */
static void on_initialised(void *context)
{
	struct machine *m = context;
	uint16_t gens = m->guest->lg.gens;

	if (m->bus)
		bus_set_form(m->bus, gens == GEN(Z) ? DEVICE_FORM_Z :
				     gens & GENS_TO_B ? DEVICE_FORM_B : DEVICE_FORM_E);
}

static bool on_port(void *context, const struct guest_access *a, uint32_t *value)
{
	struct machine *m = context;

	if (!m->bus)
		return false;
	return a->write ? bus_pci_out(m->bus, (uint16_t)a->address, a->width, a->value) :
			  bus_pci_in(m->bus, (uint16_t)a->address, a->width, value);
}

static bool on_mmio(void *context, const struct guest_access *a, uint32_t *value)
{
	struct machine *m = context;

	if (!m->bus)
		return false;
	return a->write ? bus_mmio_write(m->bus, a->address, a->width, a->value) :
			  bus_mmio_read(m->bus, a->address, a->width, value);
}

static bool on_notify(void *context, gpa_t address)
{
	struct machine *m = context;

	return m->bus && bus_notify(m->bus, address.v);
}

/* --- the debugger ------------------------------------------------------------------ */

static void on_resuming(void *context)
{
	gdb_resuming(((struct machine *)context)->gdb);
}

static bool on_stopped(void *context)
{
	return gdb_stopped(((struct machine *)context)->gdb);
}

static void open_gdb(struct machine *m, struct guest_owner *owner)
{
	const struct gdb_config config = {
		.where = m->options->gdb, .guest = m->guest, .engine = m->engine,
		.quit = leave, .context = m,
	};

	if (!config.where)
		return;
	owner->resuming = on_resuming;
	owner->stopped = on_stopped;
	m->gdb = gdb_open(&config);
	/* Who left before there was anything to wake. */
	if (atomic_load(&m->left) || atomic_load(&m->timed_out))
		gdb_wake(m->gdb);
	if (m->options->gdb_wait)
		gdb_wait(m->gdb);
}

/* --- timeout --------------------------------------------------------------------- */

static void *timeout_main(void *arg)
{
	struct machine *m = arg;
	double seconds = m->options->timeout;
	struct timespec until;
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)seconds;
	until.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&m->lock);
	while (!m->over && !error)
		error = pthread_cond_clockwait(&m->ended, &m->lock, CLOCK_MONOTONIC, &until);
	if (!m->over) {
		atomic_store(&m->timed_out, true);
		if (m->log)
			log_give_up(m->log);
		if (m->bus)
			bus_unblock(m->bus);
		if (m->gdb)
			gdb_wake(m->gdb);
		kick(m);
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

static void start_timeout(struct machine *m)
{
	if (m->options->timeout > 0 &&
	    (errno = pthread_create(&m->timeout_thread, NULL, timeout_main, m)) != 0)
		die_errno("cannot start the timeout thread");
}

static void stop_timeout(struct machine *m)
{
	if (!(m->options->timeout > 0))
		return;
	pthread_mutex_lock(&m->lock);
	m->over = true;
	pthread_cond_signal(&m->ended);
	pthread_mutex_unlock(&m->lock);
	pthread_join(m->timeout_thread, NULL);
}

/* --- running ----------------------------------------------------------------------- */

/* Guest bytes in our own messages never reach the terminal as they are. */
static void say_why(const struct machine *m, const char *how)
{
	char reason[GUEST_REASON * 4 + 1];
	const char *from = m->guest->reason;
	char *to = reason;

	for (; *from; from++) {
		unsigned char c = (unsigned char)*from;

		if (c >= ' ' && c < 0x7f)
			*to++ = (char)c;
		else
			to += sprintf(to, "\\x%02x", c);
	}
	*to = '\0';
	/* The log has told already. */
	if (!m->log || log_is_paused(m->log))
		warn("guest %s: %s", how, *reason ? reason : "no reason given");
}

static void say_generations(const struct guest *g)
{
	char names[64] = "";
	int i;

	for (i = 0; i < NR_GENERATIONS; i++)
		if (g->lg.gens >> i & 1)
			snprintf(names + strlen(names), sizeof(names) - strlen(names),
				 "%s%s", *names ? " or " : "", generation_name[i]);
	if (g->lg.initialised)
		warn("generation %s, %llu vmcall sites rewritten", names,
		     (unsigned long long)g->rewritten_sites);
}

/*
 * Tour 260: Every guest comes to its end, and the end is a number: powered off,
 * crashed, killed.  The tour is over; doc/INTERNALS.md has the reasons.
 */
static int finish(struct machine *m)
{
	if (m->options->stats)
		print_stats(m);
	if (m->options->verbose)
		say_generations(m->guest);
	switch (m->guest->end) {
	case END_POWEROFF:
		return STATUS_POWEROFF;
	case END_RESTART:
		return STATUS_POWEROFF;
	case END_CRASH:
		say_why(m, "crashed");
		return STATUS_CRASHED;
	case END_KILLED:
		say_why(m, "killed");
		return STATUS_KILLED;
	default:
		if (atomic_load(&m->left))
			return STATUS_POWEROFF;
		warn("the guest did not end within %g s", m->options->timeout);
		return STATUS_TIMEOUT;
	}
}

/* Does the log look at the guest's memory, so that it must not go on meanwhile? */
static bool looks_at_memory(const struct machine *m)
{
	return m->log && (m->options->stacks || m->options->log.verbose);
}

int machine_run(struct machine *m, struct log *log)
{
	int status;

	struct guest_owner owner = {
		.context = m, .event = on_event, .console = on_console,
		.notify = on_notify, .port = on_port, .mmio = on_mmio, .initialised = on_initialised,
		.stop = should_stop,
	};

	m->log = log;
	if (log) {
		log_set_memory(log, read_memory, m->guest);
		log_set_stops(log, stats_take, &m->guest->stats);
	}
	start_timeout(m);
	open_gdb(m, &owner);
	for (;;) {
		set_wants(m);
		if (m->direct)
			direct_run(m->direct, &owner, looks_at_memory(m));
		else
			guest_run(m->guest, m->engine, &owner);
		if (m->guest->end != END_RESTART || m->options->no_reboot)
			break;
		if (m->bus)
			bus_quiesce(m->bus);
		clear_ram(m);
		machine_load(m);
		if (m->gdb)
			gdb_restarted(m->gdb);
	}
	stop_timeout(m);
	if (log)
		log_keep_stops(log);
	status = finish(m);
	if (m->gdb)
		gdb_ended(m->gdb, status);
	return status;
}

void machine_close(struct machine *m)
{
	if (m->bus)
		bus_destroy(m->bus);
	terminal_restore(&m->terminal);
	if (m->gdb)
		gdb_close(m->gdb);
	close_engine(m);
	crash_set_note(NULL, NULL);
	if (m->guest != m->shared)
		munmap(m->shared, sizeof(struct guest));
	munmap(m->guest, m->guest_bytes + m->ram_bytes);
	close(m->guest_fd);
	close(m->ram_fd);
	pthread_mutex_destroy(&m->lock);
	pthread_cond_destroy(&m->ended);
	free(m);
}
