/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The writer: formatting and writing in a thread of its own.
 *
 * The vCPU thread copies each record into a bounded ring and goes on.  It makes
 * no system call for that, but where the writer sleeps deeply, has too much to
 * do, or the ring is full: then it waits, and that is counted and told.  One
 * thread puts records in, one takes them out; neither loses nor reorders any.
 *
 * Three depths of sleep keep an idle guest from waking anybody and a busy one
 * from paying for wake-ups: awake; a nap of some milliseconds, in which records
 * may gather; and deep sleep, which the next record ends.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/die.h"
#include "log/internal.h"

#define RING 8192u
#define CROWD (RING / 4)	/* so many records end a nap, and a wait for room */
#define NAP_NS 2000000		/* somebody watches */
#define FILE_NAP_NS 20000000	/* nobody watches a file */
#define NAPS 25u		/* in vain, then deep sleep */
#define STEP_NS 100000000	/* how often a blocked thread looks around */
#define PATIENCE 10u		/* steps without progress before dying without it */

enum depth { AWAKE, NAP, DEEP };

struct writer {
	struct log *log;
	pthread_t thread;
	struct log_record *ring;
	struct log_stack *stacks;	/* one for each record, or NULL */
	long nap_ns;

	/* Each index has one thread that writes it, and a line of its own. */
	_Alignas(64) _Atomic uint32_t head;
	uint64_t waits, waited_ns;		/* the vCPU thread's */
	_Alignas(64) _Atomic uint32_t tail;
	_Alignas(64) _Atomic uint32_t depth;	/* enum depth: a futex */
	_Atomic uint32_t room;			/* a futex: counts wake-ups */
	atomic_bool wants_room;
	atomic_bool stop, done, summary;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t ns)
{
	const struct timespec ts = {
		.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000),
	};

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &ts, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Async-signal-safe. */
static void wake_up(struct writer *w)
{
	if (atomic_exchange(&w->depth, AWAKE) != AWAKE)
		futex_wake(&w->depth);
}

/* --- the vCPU thread ------------------------------------------------------------ */

/* The ring is full: false if nobody will ever take anything out. */
static bool wait_for_room(struct writer *w, uint32_t head)
{
	uint64_t since = now_ns();

	while (head - atomic_load(&w->tail) == RING && !atomic_load(&w->log->output.given_up)) {
		uint32_t seen = atomic_load(&w->room);

		atomic_store(&w->wants_room, true);
		wake_up(w);
		if (head - atomic_load(&w->tail) == RING)
			futex_wait(&w->room, seen, STEP_NS);
	}
	w->waits++;
	w->waited_ns += now_ns() - since;
	return head - atomic_load(&w->tail) != RING;
}

struct log_record *writer_begin(struct writer *w)
{
	uint32_t head = atomic_load_explicit(&w->head, memory_order_relaxed);

	if (head - atomic_load_explicit(&w->tail, memory_order_acquire) == RING &&
	    !wait_for_room(w, head))
		return NULL;
	return &w->ring[head % RING];
}

void writer_commit(struct writer *w)
{
	uint32_t head = atomic_load_explicit(&w->head, memory_order_relaxed) + 1;
	uint32_t depth;

	/* Sequentially consistent, as in fall_asleep(): either the writer sees
	 * the record before it sleeps, or we see that it sleeps. */
	atomic_store(&w->head, head);
	depth = atomic_load(&w->depth);
	if (depth == DEEP ||
	    (depth == NAP && head - atomic_load_explicit(&w->tail, memory_order_relaxed) >= CROWD))
		wake_up(w);
}

/* --- the writer's thread ---------------------------------------------------------- */

static void make_room(struct writer *w)
{
	if (!atomic_load(&w->wants_room))
		return;
	atomic_store(&w->wants_room, false);
	atomic_fetch_add(&w->room, 1);
	futex_wake(&w->room);
}

/* Takes out all there is.  Whoever waits for room gets a good deal of it at once:
 * waking it for each record would have the two take turns. */
static bool take(struct writer *w)
{
	uint32_t tail = atomic_load_explicit(&w->tail, memory_order_relaxed);
	uint32_t begin = tail;

	while (tail != atomic_load_explicit(&w->head, memory_order_acquire)) {
		const struct log_record *record = &w->ring[tail % RING];

		log_process(w->log, record);
		atomic_store(&w->tail, ++tail);
		if ((tail - begin) % CROWD == 0)
			make_room(w);
	}
	make_room(w);
	return tail != begin;
}

static void serve_requests(struct writer *w)
{
	struct log *log = w->log;
	uint64_t now;

	if (atomic_exchange(&w->summary, false))
		log_summary(log);
	if (!log->opt.stats_every_ns)
		return;
	now = now_ns();
	if (now < log->next_stats_ns)
		return;
	log_summary(log);
	/* After a stop of the whole program there is one, not a heap of them. */
	do
		log->next_stats_ns += log->opt.stats_every_ns;
	while (log->next_stats_ns <= now);
}

static bool has_work(struct writer *w)
{
	return atomic_load(&w->head) != atomic_load(&w->tail) || atomic_load(&w->stop) ||
	       atomic_load(&w->summary);
}

static void fall_asleep(struct writer *w, enum depth depth)
{
	uint64_t ns = depth == NAP ? (uint64_t)w->nap_ns : 3600000000000ull;

	if (w->log->opt.stats_every_ns) {
		uint64_t now = now_ns(), next = w->log->next_stats_ns;

		ns = next <= now ? 0 : next - now < ns ? next - now : ns;
	}
	atomic_store(&w->depth, depth);
	/* A nap is for letting records gather; deep sleep only if there are none. */
	if (atomic_load(&w->stop) || atomic_load(&w->summary) || (depth == DEEP && has_work(w)))
		atomic_store(&w->depth, AWAKE);
	else
		futex_wait(&w->depth, depth, ns);
	atomic_store(&w->depth, AWAKE);
}

static void *writer_main(void *arg)
{
	struct writer *w = arg;
	unsigned int naps = 0;

	for (;;) {
		bool stopping = atomic_load(&w->stop);

		naps = take(w) ? 0 : naps + 1;
		serve_requests(w);
		output_flush(&w->log->output);
		/* What was put in before the order to stop has been taken out. */
		if (stopping)
			break;
		fall_asleep(w, naps < NAPS ? NAP : DEEP);
	}
	atomic_store(&w->done, true);
	return NULL;
}

/* --- from outside -------------------------------------------------------------------- */

/* A way out of the program, perhaps in a signal handler: the writer finishes,
 * if its reader lets it. */
static void last_words(void *arg)
{
	struct writer *w = arg;
	const struct timespec step = { .tv_nsec = STEP_NS / 50 };
	uint32_t tail = 0;
	uint64_t written = 0;

	/* It cannot wait for itself. */
	if (pthread_equal(pthread_self(), w->thread)) {
		output_last_words(&w->log->output);
		return;
	}
	atomic_store(&w->stop, true);
	wake_up(w);
	for (unsigned int idle = 0; idle < PATIENCE * 50 && !atomic_load(&w->done); idle++) {
		uint32_t t = atomic_load(&w->tail);
		uint64_t n = atomic_load(&w->log->output.written);

		if (t != tail || n != written)
			idle = 0;
		tail = t;
		written = n;
		nanosleep(&step, NULL);
	}
}

struct writer *writer_start(struct log *log)
{
	static const int ours[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	struct writer *w = aligned_alloc(64, sizeof(*w));
	sigset_t block, old;
	int error;

	if (!w || !(memset(w, 0, sizeof(*w)), w->ring = calloc(RING, sizeof(*w->ring))))
		die("no memory for the log");
	if (log->opt.stack_limit && !(w->stacks = calloc(RING, sizeof(*w->stacks))))
		die("no memory for the log");
	for (uint32_t i = 0; w->stacks && i < RING; i++)
		w->ring[i].stack = &w->stacks[i];
	w->log = log;
	w->nap_ns = log->output.by_line ? NAP_NS : FILE_NAP_NS;
	/* Whole buffers: what gathered during a nap is written at once. */
	log->output.by_line = false;
	/* Signals that end the program are taken elsewhere: their handler waits
	 * for this thread.  Its own crashes are its own. */
	sigfillset(&block);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		sigdelset(&block, ours[i]);
	pthread_sigmask(SIG_SETMASK, &block, &old);
	error = pthread_create(&w->thread, NULL, writer_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error) {
		errno = error;
		die_errno("cannot start the thread that writes the log");
	}
	cleanup_add(last_words, w);
	return w;
}

void writer_request_summary(struct writer *w)
{
	atomic_store(&w->summary, true);
	wake_up(w);
}

uint64_t writer_waits(const struct writer *w)
{
	return atomic_load(&w->wants_room) ? w->waits + 1 : w->waits;
}

void writer_stop(struct writer *w)
{
	atomic_store(&w->stop, true);
	wake_up(w);
	pthread_join(w->thread, NULL);
	cleanup_remove(last_words, w);
	if (w->waits && !w->log->hide_wait)
		warn("the log held the guest up %llu times, %llu.%06llu s in all: its reader is slow",
		     (unsigned long long)w->waits, (unsigned long long)(w->waited_ns / 1000000000),
		     (unsigned long long)(w->waited_ns % 1000000000 / 1000));
	free(w->stacks);
	free(w->ring);
	free(w);
}
