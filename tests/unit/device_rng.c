/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The entropy device, and on it what holds for every ring. */
#include "device_fixture.h"

static struct rig rig;
static struct driver_queue q;

static void open_rng(enum device_form form)
{
	rig_open(&rig);
	bus_add_rng(rig.bus);
	rig_start(&rig, form);
	rig_probe(&rig, 0, 0);
	q = rig_queue(&rig, 0, 0);
}

Test(device_rng, fills_buffers)
{
	uint32_t a, b;
	struct piece pieces[2];
	static const uint8_t zero[100];
	struct virtq_used_elem used;

	open_rng(DEVICE_FORM_E);
	a = rig_alloc(&rig, 100);
	b = rig_alloc(&rig, 100);
	pieces[0] = (struct piece){ a, 100, true };
	pieces[1] = (struct piece){ b, 28, true };
	driver_add(&q, pieces, 2);
	driver_kick(&q);
	used = driver_wait(&q);
	rig_await_irq(&rig, q.irq, 0);
	cr_assert_eq(used.len, 128);
	cr_assert_eq(used.id, 0);
	cr_assert(memcmp(rig_at(&rig, a), zero, 100));
	cr_assert(memcmp(rig_at(&rig, b), zero, 28));
	/* Not a byte more. */
	cr_assert_eq(memcmp((uint8_t *)rig_at(&rig, b) + 28, zero, 72), 0);
	rig_close(&rig);
}

/* Before it is told, a driver's pages count as written: those and no others. */
Test(device_rng, says_what_it_has_written)
{
	uint32_t *guards = rig.guards;
	struct piece p = { 0x10ff8, 0x1010, true };

	open_rng(DEVICE_FORM_E);
	memset(rig.guards, 0xff, sizeof(rig.guards));
	driver_add(&q, &p, 1);
	driver_kick(&q);
	driver_wait(&q);
	cr_assert_eq(guards[0xf], UINT32_MAX);
	cr_assert_eq(guards[0x10], 0);
	cr_assert_eq(guards[0x11], 0);
	cr_assert_eq(guards[0x12], 0);
	cr_assert_eq(guards[0x13], UINT32_MAX);
	/* The ring's own page. */
	bus_quiesce(rig.bus);
	cr_assert_eq(guards[((uint8_t *)q.used - rig.memory) >> 12], 0);
	rig_close(&rig);
}

/* Many rounds: indices wrap around ring and 16 bits. */
Test(device_rng, goes_round_and_round)
{
	struct piece p;
	unsigned int i, j;

	open_rng(DEVICE_FORM_E);
	p = (struct piece){ rig_alloc(&rig, 8), 8, true };
	for (i = 0; i < 70000; i += 200) {
		for (j = 0; j < 200; j++)
			driver_add(&q, &p, 1);
		driver_kick(&q);
		for (j = 0; j < 200; j++)
			cr_assert_eq(driver_wait(&q).id, (i + j) % q.num);
	}
	rig_close(&rig);
}

/* As much as memory has, but not more random bytes than anybody needs. */
Test(device_rng, bounds_its_work)
{
	struct piece p;

	open_rng(DEVICE_FORM_E);
	p = (struct piece){ 0, RIG_RAM, true };
	driver_add(&q, &p, 1);
	driver_kick(&q);
	cr_assert_eq(driver_wait(&q).len, 65536);
	rig_close(&rig);
}

static void one_without_interrupt(void)
{
	struct piece p = { rig_alloc(&rig, 16), 16, true };

	__atomic_store_n(&q.avail->flags, VIRTQ_AVAIL_NO_INTERRUPT, __ATOMIC_SEQ_CST);
	driver_add(&q, &p, 1);
	driver_kick(&q);
	driver_wait(&q);
	/* The next one, with interrupt: no other came before it. */
	__atomic_store_n(&q.avail->flags, 0, __ATOMIC_SEQ_CST);
	driver_add(&q, &p, 1);
	driver_kick(&q);
	driver_wait(&q);
}

Test(device_rng, interrupt_can_be_left_out)
{
	open_rng(DEVICE_FORM_E);
	one_without_interrupt();
	rig_await_irq(&rig, q.irq, 0);
	bus_quiesce(rig.bus);
	cr_assert_eq(rig_irqs(&rig, q.irq), 1);
	rig_close(&rig);
}

/* ABI 8.4: Z' to B are told when nothing is in flight, wanted or not. */
Test(device_rng, generation_b_hears_of_an_empty_ring)
{
	open_rng(DEVICE_FORM_B);
	one_without_interrupt();
	rig_await_irq(&rig, q.irq, 1);
	bus_quiesce(rig.bus);
	cr_assert_eq(rig_irqs(&rig, q.irq), 2);
	rig_close(&rig);
}

/* A kick before any status is served: Z never tells one. */
Test(device_rng, kick_makes_live)
{
	struct piece p;

	rig_open(&rig);
	bus_add_rng(rig.bus);
	rig_start(&rig, DEVICE_FORM_E);
	q = rig_queue(&rig, 0, 0);
	p = (struct piece){ rig_alloc(&rig, 16), 16, true };
	driver_add(&q, &p, 1);
	driver_kick(&q);
	cr_assert_eq(driver_wait(&q).len, 16);
	rig_close(&rig);
}

/* And a status makes live what was put in before it without a kick. */
Test(device_rng, status_makes_live)
{
	struct piece p;

	open_rng(DEVICE_FORM_E);
	p = (struct piece){ rig_alloc(&rig, 16), 16, true };
	driver_add(&q, &p, 1);
	rig_status(&rig, 0, 7);
	cr_assert_eq(driver_wait(&q).len, 16);
	rig_close(&rig);
}

/* At rest nothing is touched; after a restart it all works again. */
Test(device_rng, quiesce_and_restart)
{
	unsigned int round;

	open_rng(DEVICE_FORM_E);
	for (round = 0; round < 20; round++) {
		struct piece p = { rig_alloc(&rig, 64), 64, true };
		unsigned int i;

		for (i = 0; i < 200; i++)
			driver_add(&q, &p, 1);
		driver_kick(&q);
		bus_quiesce(rig.bus);
		/* Would race with the thread, which the sanitizer sees. */
		memset(rig.memory, 0, RIG_BYTES);
		bus_reset(rig.bus);
		rig_probe(&rig, 0, 0);
		q = rig_queue(&rig, 0, 0);
		driver_add(&q, &p, 1);
		driver_kick(&q);
		cr_assert_eq(driver_wait(&q).len, 64);
	}
	rig_close(&rig);
}
