/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lguest bus page: its bytes in both forms, status, NOTIFY. */
#include "device_fixture.h"

#include <fcntl.h>
#include <unistd.h>

static struct rig rig;

/* An image of 10 sectors, rng, then the console. */
static void open_all(enum device_form form)
{
	const struct console_config console = { .in_fd = -1, .out_fd = STDOUT_FILENO };

	rig_open(&rig);
	bus_add_block(rig.bus, temporary_file(5120), false);
	bus_add_rng(rig.bus);
	bus_add_console(rig.bus, &console);
	rig_start(&rig, form);
}

static void expect_page(const uint8_t *want, size_t n)
{
	const uint8_t *page = rig.memory + RIG_RAM;
	size_t i;

	for (i = 0; i < n; i++)
		cr_assert_eq(page[i], want[i], "byte %zu is 0x%02x, not 0x%02x", i, page[i],
			     want[i]);
	for (; i < 4096; i++)
		cr_assert_eq(page[i], 0, "byte %zu is 0x%02x behind the end", i, page[i]);
}

/* RAM ends at frame 0x100: the page; rings from frame 0x101, three pages each. */
Test(device_page, new_form_bytes)
{
	static const uint8_t want[] = {
		/* block: 1 queue, 4 bytes of features, 24 of configuration */
		2, 1, 4, 24, 0,
		0, 1, 1, 0, 0x01, 0x01, 0, 0,
		0x05, 0x02, 0, 0,	/* BARRIER, SEG_MAX, FLUSH */
		0, 0, 0, 0,
		10, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0,  254, 0, 0, 0,  0, 0, 0, 0,  0, 0, 0, 0,
		/* rng */
		4, 1, 0, 0, 0,
		0, 1, 2, 0, 0x04, 0x01, 0, 0,
		/* console */
		3, 2, 0, 0, 0,
		0, 1, 3, 0, 0x07, 0x01, 0, 0,
		0, 1, 4, 0, 0x0a, 0x01, 0, 0,
	};

	open_all(DEVICE_FORM_B);
	expect_page(want, sizeof(want));
	bus_set_form(rig.bus, DEVICE_FORM_E);
	expect_page(want, sizeof(want));
	rig_close(&rig);
}

/* No rng there; two pages a ring. */
Test(device_page, old_form_bytes)
{
	static const uint8_t want[] = {
		2, 26, 0,
		2, 8,  128, 0, 1, 0, 0x01, 0x01, 0, 0,
		0x41, 8,  10, 0, 0, 0, 0, 0, 0, 0,
		0x43, 4,  126, 0, 0, 0,
		3, 20, 0,
		2, 8,  128, 0, 2, 0, 0x03, 0x01, 0, 0,
		2, 8,  128, 0, 3, 0, 0x05, 0x01, 0, 0,
	};

	open_all(DEVICE_FORM_Z);
	expect_page(want, sizeof(want));
	/* The guest marks what it used; a restart finds the page as new. */
	rig.memory[RIG_RAM + 3] |= 0x80;
	rig.memory[RIG_RAM + 2] = 7;
	bus_reset(rig.bus);
	bus_set_form(rig.bus, DEVICE_FORM_Z);
	expect_page(want, sizeof(want));
	rig_close(&rig);
}

Test(device_page, readonly_is_offered)
{
	uint32_t features;

	rig_open(&rig);
	bus_add_block(rig.bus, temporary_file(512), true);
	rig_start(&rig, DEVICE_FORM_E);
	memcpy(&features, rig.memory + RIG_RAM + 5 + 8, 4);
	cr_assert_eq(features, 0x225);
	rig_close(&rig);
}

Test(device_page, notify_finds_records_and_queues)
{
	open_all(DEVICE_FORM_E);
	/* Records; then queues by any address in their first page. */
	cr_assert(bus_notify(rig.bus, rig_record_address(&rig, 0)));
	cr_assert(bus_notify(rig.bus, rig_record_address(&rig, 2)));
	cr_assert(bus_notify(rig.bus, 0x101000));
	cr_assert(bus_notify(rig.bus, 0x101004));
	cr_assert(bus_notify(rig.bus, 0x10a000));
	/* Early console text, the middle of a record, of a ring, and nothing. */
	cr_assert_not(bus_notify(rig.bus, 0x1234));
	cr_assert_not(bus_notify(rig.bus, 0));
	cr_assert_not(bus_notify(rig.bus, rig_record_address(&rig, 1) + 1));
	cr_assert_not(bus_notify(rig.bus, 0x102000));
	cr_assert_not(bus_notify(rig.bus, 0x10d000));
	cr_assert_not(bus_notify(rig.bus, 0xffffffff));
	rig_close(&rig);
}

/* ABI 8.2: reset clears accepted features and zeroes rings. */
Test(device_page, names_of_records_and_queues)
{
	char name[BUS_NAME];

	rig_open(&rig);
	bus_add_block(rig.bus, temporary_file(512), true);
	bus_add_block(rig.bus, temporary_file(512), true);
	rig_start(&rig, DEVICE_FORM_E);
	cr_assert(bus_name(rig.bus, rig_record_address(&rig, 0), name));
	cr_expect_str_eq(name, "block status");
	cr_assert(bus_name(rig.bus, rig_record_address(&rig, 1), name));
	cr_expect_str_eq(name, "block 1 status");
	cr_assert(bus_name(rig.bus, 0x101000, name));
	cr_expect_str_eq(name, "block requests");
	cr_expect_not(bus_name(rig.bus, 0x1234, name));
	rig_close(&rig);
}

Test(device_page, reset_clears)
{
	struct driver_queue q;
	unsigned int i;

	open_all(DEVICE_FORM_B);
	rig_probe(&rig, 0, 0x204);
	cr_assert_eq(rig.bus->device[0]->accepted, 0x204);
	q = rig_queue(&rig, 0, 0);
	bus_quiesce(rig.bus);
	memset(q.desc, 0x55, 10246);
	memset(rig.memory + RIG_RAM + 5 + 8 + 4, 0x55, 4);
	rig_status(&rig, 0, 0);
	for (i = 0; i < 10246; i++)
		cr_assert_eq(((uint8_t *)q.desc)[i], 0);
	for (i = 0; i < 4; i++)
		cr_assert_eq(rig.memory[RIG_RAM + 5 + 8 + 4 + i], 0);
	cr_assert_eq(rig.bus->device[0]->accepted, 0);
	cr_assert_eq(rig.complaints, 0);
	rig_close(&rig);
}

/* A guest may accept what was offered and no more. */
Test(device_page, accepts_no_more_than_offered)
{
	open_all(DEVICE_FORM_E);
	rig_probe(&rig, 0, 0xffffffff);
	cr_assert_eq(rig.bus->device[0]->accepted, 0x205);
	rig_close(&rig);
}

Test(device_page, failed_stops_the_device)
{
	struct driver_queue q;
	struct piece p;

	open_all(DEVICE_FORM_B);
	rig_probe(&rig, 1, 0);
	rig_status(&rig, 1, 0x83);
	cr_assert_eq(rig.complaints, 1);
	cr_assert(strstr(rig.complaint, "rng 0 gave up"), "%s", rig.complaint);
	q = rig_queue(&rig, 1, 0);
	p = (struct piece){ rig_alloc(&rig, 64), 64, true };
	driver_add(&q, &p, 1);
	driver_kick(&q);
	/* Reset and probed again it works, so the kick before was not served. */
	cr_assert_not(driver_has_used(&q));
	rig_probe(&rig, 1, 0);
	q = rig_queue(&rig, 1, 0);
	driver_add(&q, &p, 1);
	driver_kick(&q);
	cr_assert_eq(driver_wait(&q).len, 64);
	rig_close(&rig);
}

Test(device_page, too_many_devices, .exit_code = 2)
{
	unsigned int i;

	rig_open(&rig);
	for (i = 0; i < 32; i++)
		bus_add_rng(rig.bus);
}

/* The most there can be fit. */
Test(device_page, thirty_one_queues)
{
	unsigned int i;

	rig_open(&rig);
	for (i = 0; i < 31; i++)
		bus_add_rng(rig.bus);
	rig_start(&rig, DEVICE_FORM_E);
	for (i = 0; i < 31; i++)
		cr_assert_eq(rig_queue(&rig, i, 0).irq, i + 1);
	rig_close(&rig);
}
