/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest kernel that takes its monitor over (--engine=direct), and then does what
 * it can: whatever that is, uml-host must stand it.  On its command line:
 *
 *	attack=NAME	one of attacks[], at the end
 *	seed=N		what it does is as random as that number
 *	file=PATH	a file of the host that it would like to change
 *
 * It enters 64-bit mode by a far jump, and makes its own the word in which the monitor
 * keeps its stack while guest code runs: from then on every signal comes to it and
 * not to the monitor, which so does not end it, and it sees for every system
 * call whether the host has made it.  "SURVIVED" in what it prints is a failure of the host.
 *
 * Built so that the monitor's structures look to it as they do to the monitor.
 */
#include "takeover.h"

/* --- attack=calls ---------------------------------------------------------------------------- */

/* What of 64-bit calls the host may make: doc/SECURITY.md. */
static bool is_allowed(uint64_t nr, const uint64_t *a)
{
	switch ((uint32_t)nr) {		/* the host's kernel looks at no more of it */
	case 0: return a[0] == 4;			/* read: the mappers' pipe */
	case 7: return true;				/* poll */
	case 9: return a[0] >> 32 == 0 && a[1] <= 0x100000000ull && a[2] <= 7 &&
		a[3] == 0x11 && a[4] == 3;		/* mmap */
	case 11: return a[0] >> 32 == 0 && a[1] <= 0x100000000ull;
	case 15: return true;				/* sigreturn */
	case 154: case 223: return true;		/* LDT, timer_settime */
	case 158: return a[0] == 0x1001 || a[0] == 0x1002;	/* SET_GS, SET_FS */
	case 202: return (a[0] & ~(MONITOR_SHARED_BYTES - 1)) == MONITOR_CHANNEL &&
		(a[1] == 9 || a[1] == 10);	/* WAIT_BITSET, WAKE_BITSET */
	case 228: return a[0] <= 1;
	case 230: return a[0] == 1;
	default: return false;
	}
}

/* Calls that newer kernels make whatever a filter says, uretprobe and uprobe: from
 * anywhere but the kernel's own trampoline they do nothing but fail. */
static bool is_unasked(uint32_t nr)
{
	return (nr == 335 || nr == 336) && (gate.signal == SIGNAL_ILL ||
					    (int64_t)gate.result == -ENXIO);
}

static const uint16_t allowed_calls[] = { 0, 7, 9, 11, 15, 154, 158, 202, 223, 228, 230 };

/* It would take our own code from us, or the page of gates. */
static bool hits_us(const uint64_t *a)
{
	return a[0] >> 32 == 0 && a[1] <= 0x100000000ull &&
	       ((a[0] < AT(guest_end) + SYS_PAGE && a[0] + a[1] > 0x100000) ||
		a[0] + a[1] > 0xff000000ull);
}

static uint32_t tried, trapped;

static void judge(const char *how, uint64_t nr, const uint64_t *a, bool allowed)
{
	uint32_t signal = gate.signal;

	tried++;
	if (signal == SIGNAL_SYS) {
		trapped++;
		if (!allowed)
			return;
		say("NOT ALLOWED: %x(%x%08x, %x%08x)\n", (unsigned int)nr,
		    (unsigned int)(a[0] >> 32), (unsigned int)a[0], (unsigned int)(a[1] >> 32),
		    (unsigned int)a[1]);
		return;
	}
	if (allowed)
		return;
	/* Processors that do not know it there; a page that looks at its arguments
	 * before it asks whether it is allowed. */
	if ((how == do_sysenter && signal) || (how == do_call && signal == SIGNAL_SEGV))
		return;
	if (how == do_syscall && is_unasked((uint32_t)nr))
		return;
	say("SURVIVED: %x%08x(%x%08x, %x%08x) %u %x\n", (unsigned int)(nr >> 32), (unsigned int)nr,
	    (unsigned int)(a[0] >> 32), (unsigned int)a[0], (unsigned int)(a[1] >> 32),
	    (unsigned int)a[1], (unsigned int)signal, (unsigned int)gate.result);
}

/* Signals that reach somebody, where the host lets us send them. */
static bool sends(uint64_t nr)
{
	return nr == 62 || nr == 129 || nr == 200 || nr == 234 || nr == 297 || nr == 424;
}

static void try_call(const char *how, uint64_t nr)
{
	uint64_t a[6];
	unsigned int i;

	for (i = 0; i < 6; i++)
		a[i] = interesting();
	if (sends(nr & 0x3fffffff))
		a[1] = a[2] = 0;
	/* These write there, and not over us. */
	if (nr == 7)
		a[1] = sometimes(2) ? a[1] | 0x10000000 : below(256);
	if (nr == 7 || nr == 154)
		a[nr == 7 ? 0 : 1] = AT(scratch) + below(SYS_PAGE);
	switch (nr) {
	case 9:
		a[0] = 0x1000000 + (any() & 0x7fffffff);
		a[1] = sometimes(3) ? a[1] : below(0x1000000);
		a[2] = sometimes(4) ? a[2] : below(8);
		a[3] = sometimes(4) ? 1u << below(20) | 0x11 : 0x11;
		a[4] = sometimes(4) ? a[4] : 3;
		break;
	case 11:
		a[0] = sometimes(4) ? a[0] : 0x1000000 + (any() & 0x7fffffff);
		break;
	case 15:
		fill_scratch();
		gate.rsp = AT(make_frame(KICKS));
		if (sometimes(2))
			*(uint64_t *)(scratch + 0x1000) = any();
		if (sometimes(2))
			*(uint64_t *)(scratch + 0x1000 + 224) = interesting();	/* FPU */
		if (sometimes(2))
			*(uint64_t *)(scratch + 0x1000 + 176) = any();	/* EFLAGS */
		break;
	case 202:
		if (!sometimes(3))
			a[0] = MONITOR_CHANNEL + (below(MONITOR_SHARED_BYTES) & ~3u);
		if (!sometimes(3))
			a[1] = sometimes(2) ? 10 : 9;
		break;
	case 154:
		a[0] = sometimes(4) ? a[0] : sometimes(2) ? 0x11 : below(3);
		a[2] = sometimes(2) ? 16 : below(SYS_PAGE);
		break;
	case 223:
		a[0] = below(8);
		break;
	case 228: case 230:
		a[0] = below(12);
		break;
	case 158:
		a[0] = sometimes(2) ? 0x1001 + below(4) : a[0];
		break;
	}
	if ((nr == 9 || nr == 11) && hits_us(a))
		return;
	/* The clock may have been faster than the trap; but not every time. */
	for (i = 0; i < 20; i++) {
		memcpy(gate.arg, a, sizeof(a));
		if (call(how, nr) != SIGNAL_ALRM || (how == do_syscall && is_allowed(nr, a)))
			break;
	}
	judge(how, nr, a, how == do_syscall && is_allowed(nr, a));
}

/* Every descriptor but the two it has. */
static void look_for_descriptors(void)
{
	struct { int32_t fd; int16_t events, revents; } *const p = (void *)scratch;
	unsigned int i;

	for (i = 0; i < 1024; i++) {
		p[i].fd = (int32_t)i;
		p[i].events = 1;
		p[i].revents = 0;
	}
	gate.arg[0] = AT(scratch);
	gate.arg[1] = 1024;
	gate.arg[2] = 0;
	if (call(do_syscall, 7) || (int64_t)gate.result < 0) {
		say("poll: %u %x\n", (unsigned int)gate.signal, (unsigned int)gate.result);
		return;
	}
	for (i = 0; i < 1024; i++)
		if (i != 3 && i != 4 && p[i].revents != 0x20)	/* POLLNVAL */
			say("SURVIVED: descriptor %u\n", i);
}

static void calls(void)
{
	static const uint32_t vsyscall[] = { 0xff600000, 0xff600400, 0xff600800 };
	static const char *const odd[] = { do_int80, do_sysenter };
	uint32_t nr, i;

	take_over();
	fill_scratch();
	look_for_descriptors();
	for (nr = 0; nr <= 500; nr++) {
		try_call(do_syscall, nr);
		if (sometimes(4))
			try_call(do_syscall, nr | 0x40000000);
		if (sometimes(4))
			try_call(odd[below(2)], nr);
		if (sometimes(4))
			try_call(do_syscall, allowed_calls[below(sizeof(allowed_calls) /
								 sizeof(*allowed_calls))]);
	}
	for (i = 0; i < 64; i++)
		try_call(do_syscall, interesting());
	for (i = 0; i < 3; i++)
		try_call(do_call, 0xffffffff00000000ull | vsyscall[i]);
	say("calls: %u tried, %u trapped\n", (unsigned int)tried, (unsigned int)trapped);
	give_back();
	/* The monitor has its guest again, which is ended for the next one. */
	gate.arg[0] = AT(path);
	call(sometimes(2) ? do_int80 : do_syscall, 2 + below(5));
	say("SURVIVED: it was not ended\n");
	spin();
}

/* --- attack=scribble --------------------------------------------------------------------------- */

static void scribble_somewhere(void)
{
	uint64_t at, value = sometimes(2) ? interesting() : any64();

	switch (below(4)) {
	case 0: at = MONITOR_CHANNEL + below(sizeof(struct channel)); break;
	case 1: at = MONITOR_CHANNEL + 0x1000 + below(0x200); break;	/* requests, kicks */
	case 2: at = MONITOR_VIEWS + below(MONITOR_VIEWS_BYTES); break;
	default: at = MONITOR_GUEST + below(sizeof(struct guest)); break;
	}
	/* An odd question is its end, and there is more to try. */
	if ((at & ~7ull) == (FIELD(request) & ~7ull) && !sometimes(200))
		return;
	store(at & ~7ull, value);
}

static void odd_event(void)
{
	uint64_t at = FIELD(event) + (uint64_t)below(CHANNEL_EVENTS) * sizeof(struct guest_event);
	unsigned int i;

	for (i = 0; i < sizeof(struct guest_event); i += 8)
		store(at + i, sometimes(2) ? any64() : interesting());
}

static void odd_request(void)
{
	uint32_t request = sometimes(200) ? any() : below(NR_CHANNEL_REQUESTS), view = below(GUEST_TABLES);

	store32(FIELD(address), sometimes(2) ? any() : below(2 * GUEST_TABLES));
	store32(FIELD(text_len), sometimes(2) ? any() : below(200));
	store(FIELD(access), any64());
	store(FIELD(access) + 8, any64());
	if (sometimes(2))
		store32(FIELD(running), below(RUNNING_VIEW(GUEST_TABLES) + 4));
	if (sometimes(4))
		store32(FIELD(head), sometimes(2) ? any() : load32(FIELD(tail)) + below(2000));
	if (sometimes(4))
		store32(FIELD(tail), any());
	if (sometimes(4))
		store32(FIELD(failed_step), any());
	if (sometimes(4))
		store(FIELD(counters) + below(4) * 8, any64());
	odd_event();
	/* Its start takes as long as its page says, up to a time. */
	if (request == CHANNEL_VIEW) {
		store32(FIELD(address), view);
		store32(FIELD(request), request);
		wake(FIELD(bell));
		while (load32(FIELD(request)) == request && !sometimes(100000))
			store32(MONITOR_VIEWS + (uint64_t)view * VIEW_SLICE_BYTES + VIEW_P_TURN,
				sometimes(3) ? below(VIEW_TURN_FAILED + 2) : VIEW_TURN_MONITOR);
		return;
	}
	if (request != CHANNEL_END)
		ask(request, 20000);
}

static void scribble(void)
{
	uint32_t n;

	take_over();
	say("scribble: begins\n");
	for (n = below(3000); n; n--) {
		scribble_somewhere();
		if (sometimes(16)) {
			wake(FIELD(bell));
			wake(FIELD(events_bell));
		}
	}
	for (n = below(200); n; n--) {
		odd_request();
		if (sometimes(4))
			scribble_somewhere();
	}
	switch (below(5)) {
	case 0:
		spin();
	case 1:		/* as if nothing had happened */
		give_back();
		printf("on it goes\n");
		guest_power_off();
	case 2:
		give_back();
		call(do_syscall, 1);
		spin();
	default:
		/* The memory of it stays for who looks at it. */
		store32(MONITOR_GUEST + offsetof(struct guest, end), sometimes(2) ? 0 : any());
		store32(FIELD(end), sometimes(2) ? any() : below(8));
		for (;;)
			ask(CHANNEL_END, 20000000);
	}
}

/* --- attack=views -------------------------------------------------------------------------------- */

static struct virtio_device disk;
static struct { struct block_request request; uint8_t data[4096]; } many[128];

/* A disk that is never idle interrupts all the time. */
static void keep_busy(void)
{
	static unsigned int next;
	struct virtq_used_elem used;

	while (virtio_used(&disk.queue[0], &used))
		;
	while (disk.queue[0].nr_free >= 3) {
		struct block_request *r = &many[next].request;
		const struct virtio_piece piece[3] = {
			{ &r->header, sizeof(r->header), false },
			{ many[next].data, sizeof(many[next].data), true },
			{ &r->status, 1, true },
		};

		r->header = (struct virtio_block_header){ .type = VIRTIO_BLOCK_IN };
		virtio_add(&disk.queue[0], piece, 3);
		next = (next + 1) % (sizeof(many) / sizeof(*many));
	}
}

/* Nothing its guest could say may reach the process of a view before that has
 * locked itself in: not the kick that comes with every interrupt of a disk, sent there as
 * our word of where we run says. */
static void views(void)
{
	const uint64_t page = MONITOR_VIEWS, frames = page - VIEW_SLICE;
	uint64_t frame = 0, restorer = 0;
	uint32_t tries, i, started = 0, kicked = 0, signal;

	virtio_open();
	if (!virtio_find(&disk, VIRTIO_ID_BLOCK, 0))
		guest_panic("no disk");
	virtio_start(&disk, 0);
	take_over();
	say("views: begins\n");
	for (tries = 0; tries < 100; tries++) {
		store32(FIELD(running), 0);
		store32(page + VIEW_P_TURN, VIEW_TURN_DEAD);
		store32(page + VIEW_P_HAS_BASES, 0);
		store32(page + VIEW_P_SIGNAL, 0);
		keep_busy();
		store32(FIELD(address), disk.queue[0].name);
		ask(CHANNEL_NOTIFY, 1000000);
		store32(FIELD(address), 0);
		store32(FIELD(request), CHANNEL_VIEW);
		store32(FIELD(bell), load32(FIELD(bell)) + 1);
		wake(FIELD(bell));
		for (i = 0; i < 1000000 && !load32(page + VIEW_P_HAS_BASES); i++)
			keep_busy();
		if (i == 1000000)
			continue;
		for (i = below(200); i; i--)
			keep_busy();
		store32(FIELD(running), RUNNING_VIEW(0));
		for (i = 0; i < 1000000 && load32(FIELD(request)) == CHANNEL_VIEW; i++)
			keep_busy();
		if (load32(page + VIEW_P_TURN) != VIEW_TURN_MONITOR)
			continue;
		started++;
		signal = load32(page + VIEW_P_SIGNAL);
		load(page + VIEW_P_FRAME, &frame);
		if (signal != 10)
			continue;
		kicked++;
		store32(FIELD(running), 0);
		/* getpid(), by the call with which it returns from signals, whose
		 * code is where the frame says, behind a move. */
		frame += frames;
		load(frame - 8, &restorer);
		store(frame + 168, restorer + 5);
		store(frame + 144, 39);
		store32(page + VIEW_P_SIGNAL, 0);
		store32(page + VIEW_P_TURN, VIEW_TURN_GUEST);
		wake(page + VIEW_P_TURN);
		for (i = 0; i < 1000000 && load32(page + VIEW_P_TURN) == VIEW_TURN_GUEST; i++)
			;
		signal = load32(page + VIEW_P_SIGNAL);
		say("views: kicked, then signal %u, eax %u\n", (unsigned int)signal,
		    (unsigned int)load32(frame + 144));
		if (signal == SIGNAL_SEGV && load32(frame + 144) != 39)
			say("SURVIVED: getpid %u\n", (unsigned int)load32(frame + 144));
	}
	say("views: %u started, %u kicked\n", (unsigned int)started, (unsigned int)kicked);
	store32(FIELD(end), 0);
	ask(CHANNEL_END, 20000000);
	spin();
}

/* --- attack=early -------------------------------------------------------------------------------- */

/* Says of a view that it is there while it still starts.  Who believes that takes a
 * process for one that has its filter. */
static void early(void)
{
	const uint64_t page = MONITOR_VIEWS + 5 * VIEW_SLICE_BYTES;
	bool from_mapper = sometimes(2);
	uint32_t i, n;

	take_over();
	say("early: begins\n");
	for (n = below(5); n < 5; n++) {
		store32(page + VIEW_P_HAS_BASES, 0);
		store32(page + VIEW_P_MAPPER, 0);
		store32(FIELD(address), 5);
		ask(CHANNEL_VIEW, 0);
		for (i = 0; i < 10000000 && !load32(page + VIEW_P_HAS_BASES); i++)
			;
		if (from_mapper)
			for (i = 0; i < 10000000 && !load32(page + VIEW_P_MAPPER); i++)
				;
		for (i = below(from_mapper ? 50 : 500); i; i--)
			load32(page);
		store32(page + VIEW_P_TURN, VIEW_TURN_MONITOR);
		wake(page + VIEW_P_TURN);
		for (i = 0; i < 1000000 && load32(FIELD(request)) == CHANNEL_VIEW; i++)
			;
		/* It has not come to its first trap yet. */
		if (i < 1000000 && !load32(page + VIEW_P_SIGNAL))
			say("SURVIVED: a view that was not there yet\n");
	}
	ask(CHANNEL_END, 20000000);
}

/* --- attack=bell --------------------------------------------------------------------------------- */

/* Keeps its owner busy, and takes a ring back that comes while it is: it might
 * sleep after that for ever. */
static void bell(void)
{
	take_over();
	say("bell: begins\n");
	store32(FIELD(bell), 0);
	gate.target = AT(do_ring);
	gate.arg[0] = FIELD(bell);
	gate.arg[5] = FIELD(request);
	takeover_call();
	spin();
}

/* --- attack=end ---------------------------------------------------------------------------------- */

/* A trap that nobody can take ends the process. */
static void end(void)
{
	take_over();
	say("end: begins\n");
	block_signals(~0ull);
	call(do_syscall, 1);
	spin();
}

/* --- attack=monitor ------------------------------------------------------------------------------ */

static void jump(void)
{
	unsigned int i;

	for (i = 0; i < 6; i++) {
		gate.arg[i] = interesting();
		gate.other[i] = interesting();
	}
	gate.target = AT(do_jump);
	gate.rax = MONITOR_TEXT + below(MONITOR_TEXT_BYTES);
	gate.rsp = sometimes(2) ? 0 : interesting() & ~7ull;
	takeover_call();
	gate.rsp = 0;
}

static void monitor(void)
{
	uint32_t n;

	take_over();
	say("monitor: begins\n");
	if (sometimes(2))
		for (n = below(500); n; n--)
			store(MONITOR_DATA + (below(MONITOR_DATA_BYTES) & ~7u),
			      sometimes(2) ? interesting() : any64());
	/* Its code is not to be written. */
	if (store(MONITOR_TEXT + below(MONITOR_TEXT_BYTES), 0))
		say("SURVIVED: the monitor's code was written\n");
	if (sometimes(3)) {
		signals_come_here(false);
		printf("on it goes\n");
		jump();
	} else {
		for (n = 0; n < 50; n++) {
			signals_come_here(true);
			jump();
		}
	}
	give_back();
	printf("and on\n");
	guest_power_off();
}

/* --- attack=map ------------------------------------------------------------------------------------ */

static void map(uint64_t at, uint64_t bytes, uint32_t prot, uint64_t offset)
{
	gate.arg[0] = at;
	gate.arg[1] = bytes;
	gate.arg[2] = prot;
	gate.arg[3] = 0x11;	/* MAP_SHARED | MAP_FIXED */
	gate.arg[4] = 3;
	gate.arg[5] = offset;
	call(do_syscall, 9);
}

static void unmap(uint64_t at, uint64_t bytes)
{
	gate.arg[0] = at;
	gate.arg[1] = bytes;
	call(do_syscall, 11);
}

static void maps(void)
{
	uint64_t value;
	uint32_t n, last = 0;

	take_over();
	say("map: begins\n");
	unmap(0xfffff000, 0x100000000ull);
	for (n = 0; n < 500; n++) {
		uint64_t a[2] = { any() & ~(SYS_PAGE - 1),
				  sometimes(8) ? 0x100000000ull : any() >> below(20) };

		if (sometimes(16))
			a[0] = any();
		if (hits_us(a) && a[0] + a[1] <= 0xff000000ull)
			continue;
		if (a[0] <= 0x100000 && a[0] + a[1] > 0x100000)
			continue;
		if (sometimes(3))
			unmap(a[0], a[1]);
		else
			map(a[0], a[1], below(8), sometimes(4) ? any64() : any() & 0x1ffffff);
		value = a[0] + (a[1] ? below((uint32_t)a[1] | 1) : 0);
		if (sometimes(2))
			load(value, &value);
		else if (value >> 32 || value < 0x100000 || value >= AT(guest_end))
			store(value, any64());
	}
	/* More than the host allows one process. */
	if (sometimes(8))
		for (n = 0; n < 100000; n++) {
			map(0x10000000 + (uint64_t)n * 2 * SYS_PAGE, SYS_PAGE, 1, 0);
			last = (uint32_t)gate.result;
		}
	say("map: last %d\n", (int)last);
	give_back();
	for (n = 0x2000000; n < 0x40000000 && sometimes(2); n += 0x1234567)
		*(volatile uint32_t *)n;
	printf("on it goes\n");
	guest_power_off();
}

/* --- and ------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*run)(void);
} attacks[] = {
	{ "calls", calls }, { "scribble", scribble }, { "monitor", monitor }, { "map", maps },
	{ "views", views }, { "early", early }, { "bell", bell }, { "end", end },
};

/* The value of a word NAME=VALUE of the command line, or NULL. */
static const char *option(const char *name)
{
	const char *at = guest_command_line();
	size_t n = strlen(name);

	while (*at) {
		if (!strncmp(at, name, n) && at[n] == '=')
			return at + n + 1;
		while (*at && *at != ' ')
			at++;
		while (*at == ' ')
			at++;
	}
	return NULL;
}

int guest_main(void)
{
	static char file[256];
	const char *attack = option("attack"), *at = option("seed");
	unsigned int i;

	CHECK(attack != NULL);
	seed = 0;
	for (; at && *at >= '0' && *at <= '9'; at++)
		seed = seed * 10 + (uint32_t)(*at - '0');
	seed = seed * 2654435761u + 1;
	at = option("file");
	for (i = 0; at && at[i] && at[i] != ' ' && i < sizeof(file) - 1; i++)
		file[i] = at[i];
	path = file;
	idt_load();
	for (i = 0; i < sizeof(attacks) / sizeof(*attacks); i++) {
		size_t n = strlen(attacks[i].name);

		if (!strncmp(attack, attacks[i].name, n) && (!attack[n] || attack[n] == ' '))
			attacks[i].run();
	}
	guest_panic("no such attack");
}
