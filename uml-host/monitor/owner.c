/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest wants from outside its process: devices, a console, a log.
 * The supervisor has them; here are the questions.
 */
#include <linux/futex.h>
#include <string.h>

#include "base/die.h"
#include "monitor/monitor.h"

void monitor_wake(uint32_t *word, uint32_t bits)
{
	syscall6(SYS_futex, SYSCALL_ARG(word), FUTEX_WAKE_BITSET, 1, 0, 0, bits);
}

static void ring(uint32_t *bell)
{
	__atomic_add_fetch(bell, 1, __ATOMIC_SEQ_CST);
	monitor_wake(bell, FUTEX_BITSET_MATCH_ANY);
}

void monitor_request(enum channel_request request)
{
	struct channel *c = channel();

	__atomic_store_n(&c->request, request, __ATOMIC_SEQ_CST);
	ring(&c->bell);
	while (__atomic_load_n(&c->request, __ATOMIC_SEQ_CST) == request)
		syscall6(SYS_futex, SYSCALL_ARG(&c->request), FUTEX_WAIT_BITSET, request, 0, 0,
			 FUTEX_BITSET_MATCH_ANY);
}

void monitor_end(enum monitor_end why)
{
	channel()->end = why;
	for (;;)
		monitor_request(CHANNEL_END);
}

/* Of the guest layer, where the process that runs guest code is gone: not here. */
void die(const char *fmt, ...)
{
	(void)fmt;
	__builtin_trap();
}

static void on_event(void *context, const struct guest_event *event)
{
	struct channel *c = context;
	uint32_t head = c->head;

	if (head - __atomic_load_n(&c->tail, __ATOMIC_ACQUIRE) >= CHANNEL_EVENTS)
		monitor_request(CHANNEL_EVENTS_FULL);
	c->event[head % CHANNEL_EVENTS] = *event;
	__atomic_store_n(&c->head, head + 1, __ATOMIC_RELEASE);
	if (c->each_event)
		monitor_request(CHANNEL_EVENTS_FULL);
	else if (head % (CHANNEL_EVENTS / 2) == 0)
		ring(&c->events_bell);
}

static bool on_notify(void *context, gpa_t address)
{
	struct channel *c = context;

	c->address = address.v;
	monitor_request(CHANNEL_NOTIFY);
	return c->known;
}

static bool access_outside(struct channel *c, enum channel_request request,
			   const struct guest_access *access, uint32_t *value)
{
	c->access = *access;
	monitor_request(request);
	*value = c->value;
	return c->known;
}

static bool on_port(void *context, const struct guest_access *access, uint32_t *value)
{
	return access_outside(context, CHANNEL_PORT, access, value);
}

static bool on_mmio(void *context, const struct guest_access *access, uint32_t *value)
{
	return access_outside(context, CHANNEL_MMIO, access, value);
}

static void on_console(void *context, const uint8_t *text, uint32_t len)
{
	struct channel *c = context;

	c->text_len = len < CHANNEL_TEXT ? len : CHANNEL_TEXT;
	memcpy(c->text, text, c->text_len);
	monitor_request(CHANNEL_CONSOLE);
}

static void on_initialised(void *context)
{
	(void)context;
	monitor_request(CHANNEL_INITIALISED);
}

const struct guest_owner monitor_owner = {
	.context = (void *)MONITOR_CHANNEL,
	.event = on_event, .notify = on_notify, .port = on_port, .mmio = on_mmio,
	.console = on_console, .initialised = on_initialised,
};
