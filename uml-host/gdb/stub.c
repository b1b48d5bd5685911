/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stub: commands of the remote protocol, and when the guest stops and goes on.
 *
 * The guest stops when somebody attaches, at a breakpoint, after a step, at Ctrl-C;
 * then the thread that runs it serves the debugger here until that lets it go
 * on, leaves or is lost.  Without a debugger the guest runs, always.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "gdb/internal.h"

/* Signals as GDB numbers them. */
#define GDB_SIGINT 2
#define GDB_SIGKILL 9
#define GDB_SIGTRAP 5

struct gdb {
	struct gdb_config config;
	struct gdb_socket socket;
	struct packet_reader reader;
	struct target target;
	bool no_ack;		/* QStartNoAckMode */
	bool swbreak;		/* the peer knows that stop reason */
	bool spoken;		/* it has sent something a debugger sends */
	bool running;		/* the peer waits for the guest to stop */
	bool resume;		/* a command let the guest go on */
	size_t sent_len;	/* the last packet, for PACKET_AGAIN */
	char sent[PACKET_FRAMED];
	char reply[PACKET_MAX + 1];
	char stop[64];		/* the last stop reply */
};

/* --- replies ------------------------------------------------------------------------- */

static void reply(struct gdb *d, const char *data, size_t n)
{
	d->sent_len = packet_frame(data, n, d->sent);
	socket_send(&d->socket, d->sent, d->sent_len);
}

static void reply_text(struct gdb *d, const char *text) { reply(d, text, strlen(text)); }
static void reply_ok(struct gdb *d) { reply_text(d, "OK"); }
static void reply_error(struct gdb *d) { reply_text(d, "E01"); }

static void reply_ok_if(struct gdb *d, bool done)
{
	reply_text(d, done ? "OK" : "E01");
}

static void reply_hex(struct gdb *d, const void *bytes, size_t n)
{
	packet_to_hex(bytes, n, d->reply);
	reply(d, d->reply, 2 * n);
}

/* Why the guest stopped, as T packet. */
static void make_stop(struct gdb *d)
{
	const struct target *t = &d->target;
	int signal = t->why == WHY_INTERRUPT ? GDB_SIGINT : GDB_SIGTRAP, n;

	n = snprintf(d->stop, sizeof(d->stop), "T%02x", signal);
	if (t->why == WHY_WATCH)
		snprintf(d->stop + n, sizeof(d->stop) - (size_t)n, "%s:%" PRIx32 ";",
			 t->hit->type == WATCH_WRITE ? "watch" : "awatch", t->hit->address);
	else if (t->why == WHY_BREAKPOINT && d->swbreak)
		snprintf(d->stop + n, sizeof(d->stop) - (size_t)n, "%s:;",
			 t->hit->type == BREAK_SOFTWARE ? "swbreak" : "hwbreak");
}

/* --- registers and memory -------------------------------------------------------------- */

static void read_registers(struct gdb *d, const char *args)
{
	uint8_t all[REGISTERS_BYTES];

	(void)args;
	registers_read(&d->target, all);
	reply_hex(d, all, sizeof(all));
}

static void write_registers(struct gdb *d, const char *args)
{
	uint8_t all[REGISTERS_BYTES];

	reply_ok_if(d, strlen(args) == 2 * sizeof(all) &&
		    packet_from_hex(args, all, sizeof(all)) && registers_write(&d->target, all));
}

static void read_register(struct gdb *d, const char *args)
{
	uint8_t all[REGISTERS_BYTES];
	struct register_place place;
	uint32_t n;

	if (!packet_number(&args, &n) || *args || !(place = register_place(n)).bytes) {
		reply_error(d);
		return;
	}
	registers_read(&d->target, all);
	reply_hex(d, all + place.at, place.bytes);
}

static void write_register(struct gdb *d, const char *args)
{
	uint8_t all[REGISTERS_BYTES];
	struct register_place place;
	uint32_t n;

	if (!packet_number(&args, &n) || *args++ != '=' || !register_is_writable(n) ||
	    !(place = register_place(n)).bytes || strlen(args) != 2u * place.bytes) {
		reply_error(d);
		return;
	}
	registers_read(&d->target, all);
	reply_ok_if(d, packet_from_hex(args, all + place.at, place.bytes) &&
		    registers_write(&d->target, all));
}

/* "ADDRESS,LENGTH" and what follows, with a length that a packet can hold. */
static bool take_range(const char **args, uint32_t *va, uint32_t *n, uint32_t most)
{
	return packet_number(args, va) && *(*args)++ == ',' && packet_number(args, n) &&
	       *n <= most;
}

static void read_memory(struct gdb *d, const char *args)
{
	uint8_t bytes[PACKET_MAX / 2];
	uint32_t va, n, got;

	if (!take_range(&args, &va, &n, sizeof(bytes)) || *args) {
		reply_error(d);
		return;
	}
	got = target_read(&d->target, va, bytes, n);
	if (n && !got)
		reply_error(d);
	else
		reply_hex(d, bytes, got);
}

static void write_memory(struct gdb *d, const char *args)
{
	uint8_t bytes[PACKET_MAX / 2];
	uint32_t va, n;

	reply_ok_if(d, take_range(&args, &va, &n, sizeof(bytes)) && *args++ == ':' &&
		    strlen(args) == 2u * n && packet_from_hex(args, bytes, n) &&
		    target_write(&d->target, va, bytes, n) == n);
}

static void write_binary(struct gdb *d, const char *args)
{
	uint32_t va, n;

	reply_ok_if(d, take_range(&args, &va, &n, PACKET_MAX) && *args++ == ':' &&
		    (size_t)(d->reader.data + d->reader.len - args) == n &&
		    target_write(&d->target, va, args, n) == n);
}

/* --- breakpoints, going on ---------------------------------------------------------------- */

static void breakpoint(struct gdb *d, const char *args)
{
	bool add = args[-1] == 'Z';
	uint32_t type, va, kind;

	/* Conditions and commands at the target were not offered. */
	if (!packet_number(&args, &type) || *args++ != ',' ||
	    !take_range(&args, &va, &kind, 255) || *args || type > WATCH_ACCESS) {
		reply_error(d);
		return;
	}
	if (add) {
		reply_ok_if(d, target_add(&d->target, type, va, kind));
		return;
	}
	target_remove(&d->target, type, va, kind);
	reply_ok(d);
}

static void go_on(struct gdb *d, bool step)
{
	target_step(&d->target, step);
	d->running = d->resume = true;
}

/* c and s: ADDRESS, C and S: SIGNAL;ADDRESS.  There are no signals in a machine. */
static void resume(struct gdb *d, const char *args)
{
	char command = args[-1];
	uint32_t value;

	if ((command == 'C' || command == 'S') &&
	    (!packet_number(&args, &value) || (*args && *args++ != ';'))) {
		reply_error(d);
		return;
	}
	if (*args) {
		if (!packet_number(&args, &value) || *args) {
			reply_error(d);
			return;
		}
		d->target.guest->cpu.v.regs.eip = value;
	}
	go_on(d, command == 's' || command == 'S');
}

/* vCont;ACTION[:THREAD]…: there is one thread, so the first action is its. */
static void vcont(struct gdb *d, const char *args)
{
	if (*args == ';' && args[1] && strchr("cCsS", args[1]))
		go_on(d, args[1] == 's' || args[1] == 'S');
	else
		reply_error(d);
}

static void vcont_query(struct gdb *d, const char *args)
{
	(void)args;
	reply_text(d, "vCont;c;C;s;S");
}

static void leave(struct gdb *d)
{
	target_forget(&d->target);
	socket_drop(&d->socket);
}

static void detach(struct gdb *d, const char *args)
{
	(void)args;
	reply_ok(d);
	leave(d);
}

static void kill_it(struct gdb *d, const char *args)
{
	/* vKill is answered, k is not. */
	if (args > d->reader.data + 1)
		reply_ok(d);
	leave(d);
	d->config.quit(d->config.context);
}

/* --- questions ------------------------------------------------------------------------------- */

static void why(struct gdb *d, const char *args) { (void)args; reply_text(d, d->stop); }
static void yes(struct gdb *d, const char *args) { (void)args; reply_ok(d); }
static void thread(struct gdb *d, const char *args) { (void)args; reply_text(d, "QC1"); }
static void threads(struct gdb *d, const char *args) { (void)args; reply_text(d, "m1"); }
static void no_more(struct gdb *d, const char *args) { (void)args; reply_text(d, "l"); }
static void attached(struct gdb *d, const char *args) { (void)args; reply_text(d, "1"); }

static void supported(struct gdb *d, const char *args)
{
	d->swbreak = strstr(args, "swbreak+") != NULL;
	snprintf(d->reply, sizeof(d->reply),
		 "PacketSize=%x;qXfer:features:read+;QStartNoAckMode+;swbreak+;hwbreak+;"
		 "vContSupported+", PACKET_MAX);
	reply_text(d, d->reply);
}

static void no_ack(struct gdb *d, const char *args)
{
	(void)args;
	reply_ok(d);
	d->no_ack = true;
}

static void features(struct gdb *d, const char *args)
{
	const char *xml = registers_xml();
	uint32_t at, n, len = (uint32_t)strlen(xml);

	if (!take_range(&args, &at, &n, UINT32_MAX) || *args || at > len) {
		reply_error(d);
		return;
	}
	if (n > PACKET_MAX - 1)
		n = PACKET_MAX - 1;
	d->reply[0] = n < len - at ? 'm' : 'l';
	if (n > len - at)
		n = len - at;
	memcpy(d->reply + 1, xml + at, n);
	reply(d, d->reply, n + 1);
}

/* One line of a monitor command, as O packet. */
static void say(void *context, const char *text)
{
	struct gdb *d = context;

	d->reply[0] = 'O';
	packet_to_hex(text, strlen(text), d->reply + 1);
	reply_text(d, d->reply);
}

static void remote_command(struct gdb *d, const char *args)
{
	char command[128];
	size_t n = strlen(args) / 2;

	if (strlen(args) % 2 || n >= sizeof(command) || !packet_from_hex(args, command, n)) {
		reply_error(d);
		return;
	}
	command[n] = '\0';
	monitor(&d->target, command, say, d);
	reply_ok(d);
}

/* --- the table --------------------------------------------------------------------------------- */

/* Longer names first, where one begins another. */
static const struct {
	const char *name;
	bool whole;		/* nothing follows */
	void (*serve)(struct gdb *d, const char *args);
} table[] = {
	{ "?", true, why },
	{ "g", true, read_registers }, { "G", false, write_registers },
	{ "p", false, read_register }, { "P", false, write_register },
	{ "m", false, read_memory }, { "M", false, write_memory }, { "X", false, write_binary },
	{ "Z", false, breakpoint }, { "z", false, breakpoint },
	{ "c", false, resume }, { "s", false, resume },
	{ "C", false, resume }, { "S", false, resume },
	{ "vCont?", true, vcont_query }, { "vCont", false, vcont },
	{ "D", false, detach }, { "k", true, kill_it }, { "vKill", false, kill_it },
	{ "H", false, yes }, { "T", false, yes },
	{ "qSupported", false, supported }, { "QStartNoAckMode", true, no_ack },
	{ "qXfer:features:read:target.xml:", false, features },
	{ "qRcmd,", false, remote_command },
	{ "qC", true, thread }, { "qAttached", false, attached },
	{ "qfThreadInfo", true, threads }, { "qsThreadInfo", true, no_more },
};

static void serve_packet(struct gdb *d)
{
	const char *data = d->reader.data;
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		size_t len = strlen(table[i].name);

		if (strncmp(data, table[i].name, len) == 0 && (!table[i].whole || !data[len])) {
			table[i].serve(d, data + len);
			return;
		}
	}
	reply_text(d, "");	/* not known */
}

/* --- the session ---------------------------------------------------------------------------------- */

static void acknowledge(struct gdb *d, char sign)
{
	if (!d->no_ack)
		socket_send(&d->socket, &sign, 1);
}

static void serve_event(struct gdb *d, enum packet_event event)
{
	/* Whoever begins otherwise is no debugger: a browser, say, led here. */
	if (event == PACKET_ALIEN && !d->spoken) {
		leave(d);
		return;
	}
	d->spoken = true;
	switch (event) {
	case PACKET_READY:
		acknowledge(d, '+');
		serve_packet(d);
		break;
	case PACKET_TOO_LONG:
		acknowledge(d, '+');
		reply_error(d);
		break;
	case PACKET_CORRUPT:
		acknowledge(d, '-');
		break;
	case PACKET_AGAIN:
		socket_send(&d->socket, d->sent, d->sent_len);
		break;
	default:
		break;
	}
}

static bool is_leaving(struct gdb *d)
{
	return atomic_load(&d->socket.leaving);
}

/* The guest stands still; returns when it may run, in whatever way. */
static void session(struct gdb *d)
{
	target_disarm(&d->target);
	make_stop(d);
	d->target.why = WHY_NOTHING;
	target_step(&d->target, false);
	if (d->running)
		reply_text(d, d->stop);
	d->running = d->resume = false;
	while (d->socket.client >= 0 && !d->resume && !is_leaving(d)) {
		int byte = socket_byte(&d->socket);

		if (byte >= 0) {
			enum packet_event event = packet_feed(&d->reader, (uint8_t)byte);

			if (event != PACKET_NONE)
				serve_event(d, event);
		} else if (d->socket.client >= 0) {
			socket_sleep(&d->socket);
			socket_accept(&d->socket);
		}
	}
	if (d->socket.client < 0) {
		target_forget(&d->target);
		return;
	}
	target_arm(&d->target);
	/* Bytes behind the command that were read with it announce nothing more. */
	atomic_store(&d->socket.signalled, true);
}

static void begin(struct gdb *d)
{
	d->reader.state = 0;
	d->no_ack = d->swbreak = d->spoken = d->running = false;
	d->sent_len = 0;
	d->target.why = WHY_ATTACH;
}

/* While the guest runs, Ctrl-C is all that a debugger has to say. */
static void listen_to_peer(struct gdb *d)
{
	int byte;

	if (socket_accept(&d->socket)) {
		begin(d);
		return;
	}
	while (d->socket.client >= 0 && d->target.why == WHY_NOTHING &&
	       (byte = socket_byte(&d->socket)) >= 0)
		if (packet_feed(&d->reader, (uint8_t)byte) == PACKET_INTERRUPT)
			d->target.why = WHY_INTERRUPT;
	if (d->socket.client < 0)
		target_forget(&d->target);
}

/* --- what the run loop calls ----------------------------------------------------------------------- */

struct gdb *gdb_open(const struct gdb_config *config)
{
	struct gdb *d = calloc(1, sizeof(*d));

	if (!d)
		die("out of memory");
	d->config = *config;
	d->target.guest = config->guest;
	d->target.engine = d->socket.engine = config->engine;
	socket_open(&d->socket, config->where);
	return d;
}

void gdb_wait(struct gdb *d)
{
	while (d->socket.client < 0 && !is_leaving(d)) {
		if (socket_accept(&d->socket))
			begin(d);
		else
			socket_sleep(&d->socket);
	}
}

void gdb_close(struct gdb *d)
{
	socket_close(&d->socket);
	free(d);
}

void gdb_poll(struct gdb *d)
{
	if (atomic_load_explicit(&d->socket.signalled, memory_order_relaxed) &&
	    atomic_exchange(&d->socket.signalled, false))
		listen_to_peer(d);
	if (d->socket.client < 0)
		return;
	target_look(&d->target);
	/* In the middle of an instruction its registers are not the guest's. */
	if (d->target.why != WHY_NOTHING && !d->target.guest->cpu.low_step)
		session(d);
}

void gdb_resuming(struct gdb *d)
{
	if (d->socket.client >= 0)
		target_resuming(&d->target);
}

bool gdb_stopped(struct gdb *d)
{
	return d->socket.client >= 0 && target_stopped(&d->target);
}

void gdb_restarted(struct gdb *d)
{
	if (d->socket.client < 0)
		return;
	target_disarm(&d->target);
	target_arm(&d->target);
}

void gdb_ended(struct gdb *d, int status)
{
	if (d->socket.client < 0)
		return;
	if (status == STATUS_KILLED)
		snprintf(d->stop, sizeof(d->stop), "X%02x", GDB_SIGKILL);
	else
		snprintf(d->stop, sizeof(d->stop), "W%02x", (unsigned int)status & 0xff);
	reply_text(d, d->stop);
	leave(d);
}

void gdb_wake(struct gdb *d)
{
	const uint64_t one = 1;

	atomic_store(&d->socket.leaving, true);
	if (write(d->socket.wake, &one, sizeof(one)) < 0 && errno != EAGAIN)
		die_errno("--gdb: cannot wake it");
}
