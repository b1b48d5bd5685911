/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The console over pipes: output inside NOTIFY, input, its end, keys of ours. */
#include "device_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static struct rig rig;
static int in[2], out[2];	/* [1]: the user types; [0] of out: he reads */
static struct driver_queue rx, tx;

static void on_quit(void *context)
{
	struct rig *r = context;

	__atomic_store_n(&r->quit, true, __ATOMIC_RELEASE);
	rig_changed(r);
}

static void open_console(enum device_form form, bool escapes)
{
	struct console_config config = {
		.escapes = escapes, .quit = on_quit, .context = &rig,
	};

	cr_assert(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	config.in_fd = in[0];
	config.out_fd = out[1];
	rig_open(&rig);
	bus_add_console(rig.bus, &config);
	rig_start(&rig, form);
	if (form == DEVICE_FORM_Z)
		return;
	rig_probe(&rig, 0, 0);
	rx = rig_queue(&rig, 0, 0);
	tx = rig_queue(&rig, 0, 1);
}

static uint32_t text_at(const char *text)
{
	uint32_t at = rig_alloc(&rig, (uint32_t)strlen(text) + 1);

	strcpy(rig_at(&rig, at), text);
	return at;
}

static void expect_output(const char *want)
{
	char got[256] = "";
	ssize_t n = 0;

	if (*want)
		n = read(out[0], got, sizeof(got) - 1);
	cr_assert_eq(n, (ssize_t)strlen(want));
	cr_assert_str_eq(got, want);
}

static void expect_no_output(void)
{
	struct pollfd p = { .fd = out[0], .events = POLLIN };

	cr_assert_eq(poll(&p, 1, 0), 0);
}

static void type(const char *bytes, size_t n)
{
	cr_assert_eq(write(in[1], bytes, n), (ssize_t)n);
}

/* Offers a buffer of `len` bytes; waits for input in it. */
static void expect_input(uint32_t len, const char *want)
{
	struct piece p = { rig_alloc(&rig, len), len, true };

	driver_add(&rx, &p, 1);
	driver_kick(&rx);
	cr_assert_eq(driver_wait(&rx).len, strlen(want));
	cr_assert_eq(memcmp(rig_at(&rig, p.address), want, strlen(want)), 0);
}

/* Generations up to B spin for it: used when the NOTIFY returns. */
Test(device_console, output_is_done_in_notify)
{
	struct piece p[2];

	open_console(DEVICE_FORM_B, false);
	p[0] = (struct piece){ text_at("Hello, "), 7, false };
	p[1] = (struct piece){ text_at("world\n"), 6, false };
	driver_add(&tx, p, 2);
	driver_kick(&tx);
	cr_assert(driver_has_used(&tx));
	cr_assert_eq(driver_wait(&tx).len, 13);
	expect_output("Hello, world\n");
	cr_assert_eq(rig_irqs(&rig, tx.irq), 1);
	rig_close(&rig);
}

/* Nobody wants the interrupt of output when he says so, in B neither. */
Test(device_console, output_without_interrupt)
{
	struct piece p;

	open_console(DEVICE_FORM_B, false);
	p = (struct piece){ text_at("x"), 1, false };
	tx.avail->flags = VIRTQ_AVAIL_NO_INTERRUPT;
	driver_add(&tx, &p, 1);
	driver_kick(&tx);
	driver_wait(&tx);
	cr_assert_eq(rig_irqs(&rig, tx.irq), 0);
	rig_close(&rig);
}

Test(device_console, output_of_later_generations_has_length_0)
{
	struct piece p;

	open_console(DEVICE_FORM_E, false);
	p = (struct piece){ text_at("x"), 1, false };
	driver_add(&tx, &p, 1);
	driver_kick(&tx);
	cr_assert_eq(driver_wait(&tx).len, 0);
	expect_output("x");
	rig_close(&rig);
}

/* The old form: 128 entries, no status ever, no interrupt. */
Test(device_console, generation_z)
{
	struct piece p;
	struct driver_queue *q = &tx;

	open_console(DEVICE_FORM_Z, false);
	*q = (struct driver_queue){
		.rig = &rig, .num = 128, .irq = 2, .address = RIG_RAM + 4096 + 2 * 4096,
	};
	q->desc = rig_at(&rig, q->address);
	q->avail = rig_at(&rig, q->address + 2048);
	q->used = rig_at(&rig, q->address + 4096);
	q->avail->flags = VIRTQ_AVAIL_NO_INTERRUPT;
	p = (struct piece){ text_at("2.6.24\n"), 7, false };
	driver_add(q, &p, 1);
	driver_kick(q);
	cr_assert(driver_has_used(q));
	expect_output("2.6.24\n");
	cr_assert_eq(rig_irqs(&rig, 2), 0);
	rig_close(&rig);
}

Test(device_console, input)
{
	struct piece p;

	open_console(DEVICE_FORM_E, false);
	/* Typed before there is a buffer, and after. */
	type("ls\n", 3);
	expect_input(64, "ls\n");
	rig_await_irq(&rig, rx.irq, 0);
	p = (struct piece){ rig_alloc(&rig, 64), 64, true };
	driver_add(&rx, &p, 1);
	driver_kick(&rx);
	type("\3", 1);
	cr_assert_eq(driver_wait(&rx).len, 1);
	cr_assert_eq(*(char *)rig_at(&rig, p.address), 3);
	/* More than a buffer takes. */
	type("abcdef", 6);
	expect_input(4, "abcd");
	expect_input(4, "ef");
	rig_close(&rig);
}

/* A guest that takes nothing stops the reading, it does not lose input. */
Test(device_console, input_waits_for_the_guest)
{
	static char lots[200000];
	size_t sent = 0, got = 0;
	uint32_t buffer;

	open_console(DEVICE_FORM_E, false);
	buffer = rig_alloc(&rig, 256);
	cr_assert(fcntl(in[1], F_SETFL, O_NONBLOCK) == 0);
	for (size_t i = 0; i < sizeof(lots); i++)
		lots[i] = (char)('a' + i % 23);
	while (got < sizeof(lots)) {
		struct piece p = { buffer, 256, true };
		uint32_t n;
		ssize_t w = write(in[1], lots + sent, sizeof(lots) - sent);

		if (w > 0)
			sent += (size_t)w;
		driver_add(&rx, &p, 1);
		driver_kick(&rx);
		n = driver_wait(&rx).len;
		cr_assert_leq(n, 256);
		cr_assert_eq(memcmp(rig_at(&rig, buffer), lots + got, n), 0);
		got += n;
	}
	rig_close(&rig);
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* After the end of input output still works, and no CPU is burnt on it. */
Test(device_console, end_of_input)
{
	struct piece p;
	double before;

	open_console(DEVICE_FORM_E, false);
	type("bye", 3);
	close(in[1]);
	expect_input(64, "bye");
	p = (struct piece){ rig_alloc(&rig, 64), 64, true };
	driver_add(&rx, &p, 1);
	driver_kick(&rx);
	p = (struct piece){ text_at("still here"), 10, false };
	driver_add(&tx, &p, 1);
	driver_kick(&tx);
	expect_output("still here");
	before = cpu_seconds();
	poll(NULL, 0, 100);
	cr_assert_lt(cpu_seconds() - before, 0.02);
	cr_assert_not(driver_has_used(&rx));
	rig_close(&rig);
}

/* A stuck reader: bus_unblock lets the vCPU thread go. */
static void *unblock(void *arg)
{
	struct rig *r = arg;

	bus_unblock(r->bus);
	return NULL;
}

Test(device_console, unblock, .timeout = 60)
{
	struct piece p;
	pthread_t thread;

	open_console(DEVICE_FORM_E, false);
	p = (struct piece){ 0, 512 << 10, false };
	driver_add(&tx, &p, 1);
	pthread_create(&thread, NULL, unblock, &rig);
	driver_kick(&tx);
	cr_assert(driver_has_used(&tx));
	pthread_join(thread, NULL);
	rig_close(&rig);
}

static bool has_quit(void *arg)
{
	return __atomic_load_n(&((struct rig *)arg)->quit, __ATOMIC_ACQUIRE);
}

/* Ctrl-a x is heard even if the guest takes no input at all. */
Test(device_console, quit_without_a_guest)
{
	static char noise[2000];

	open_console(DEVICE_FORM_E, true);
	memset(noise, 'n', sizeof(noise));
	type(noise, sizeof(noise));
	type("\1x", 2);
	rig_await(&rig, has_quit, &rig, "quit");
	rig_close(&rig);
}

Test(device_console, escapes_are_kept_from_the_guest)
{
	open_console(DEVICE_FORM_E, true);
	type("a\1\1b\1zc", 7);
	expect_input(64, "a\1b\1zc");
	expect_no_output();
	rig_close(&rig);
}

Test(device_console, without_escapes_all_is_the_guests)
{
	open_console(DEVICE_FORM_E, false);
	type("\1x\3\3\3", 5);
	expect_input(64, "\1x\3\3\3");
	cr_assert_not(rig.quit);
	rig_close(&rig);
}
