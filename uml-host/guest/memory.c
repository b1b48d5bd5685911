/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one door to guest memory: the only file that turns a guest number into a
 * host pointer.  Every access is checked against the end of memory here, and
 * callers work on the copy they got, never on the guest's bytes twice.
 */
#include <string.h>

#include "guest/guest.h"

/*
 * Tour 110: Arguments are addresses, and addresses are lies until proven.  This
 * function is the only place in guest/ where a number of the guest becomes a
 * pointer of ours.
 */
void *guest_bytes(struct guest *g, gpa_t a, uint32_t len)
{
	uint64_t end = (uint64_t)a.v + len;

	if (end > (uint64_t)g->limit_pages << GUEST_PAGE_SHIFT)
		return NULL;
	return (char *)g + g->ram_offset + a.v;
}

void guest_read(struct guest *g, gpa_t a, void *to, uint32_t len)
{
	const void *from = guest_bytes(g, a, len);

	if (!from) {
		memset(to, 0, len);
		kill_guest(g, "bad read of %u bytes at physical 0x%x", len, a.v);
		return;
	}
	memcpy(to, from, len);
}

void guest_write(struct guest *g, gpa_t a, const void *from, uint32_t len)
{
	void *to = guest_bytes(g, a, len);

	if (!to) {
		kill_guest(g, "bad write of %u bytes at physical 0x%x", len, a.v);
		return;
	}
	memcpy(to, from, len);
	guest_written(g, a, len);
}

void guest_written(struct guest *g, gpa_t a, uint32_t len)
{
	uint32_t frame = a.v >> GUEST_PAGE_SHIFT;

	for (; len && frame <= (a.v + len - 1) >> GUEST_PAGE_SHIFT; frame++)
		guest_before_write(g, frame);
}

uint32_t guest_read32(struct guest *g, gpa_t a)
{
	uint32_t value;

	guest_read(g, a, &value, sizeof(value));
	return value;
}

void guest_write32(struct guest *g, gpa_t a, uint32_t value)
{
	guest_write(g, a, &value, sizeof(value));
}

uint32_t guest_read_text(struct guest *g, gpa_t a, uint8_t *to, uint32_t max,
			 bool *more)
{
	uint64_t limit = (uint64_t)g->limit_pages << GUEST_PAGE_SHIFT;
	uint32_t n = max;
	const uint8_t *nul;

	*more = false;
	if (a.v >= limit)
		return 0;
	if (n > limit - a.v)
		n = (uint32_t)(limit - a.v);
	guest_read(g, a, to, n);
	nul = memchr(to, 0, n);
	if (nul)
		return (uint32_t)(nul - to);
	*more = (uint64_t)a.v + n < limit;
	return n;
}

uint32_t guest_view_read(struct guest *g, uint32_t va, void *to, uint32_t len)
{
	const struct space *view = &g->space[guest_current_space(g)];
	uint32_t done = 0;

	while (done < len) {
		uint32_t at = va + done, in_page = at & ~GUEST_PAGE_MASK;
		uint32_t word = space_word(view, at >> GUEST_PAGE_SHIFT);
		uint32_t n = GUEST_PAGE_SIZE - in_page;
		const void *from;

		if (!word)
			break;
		if (n > len - done)
			n = len - done;
		from = guest_bytes(g, gpa(guest_original(g, space_word_frame(word)) <<
					  GUEST_PAGE_SHIFT | in_page), n);
		if (!from)
			break;
		memcpy((char *)to + done, from, n);
		done += n;
	}
	return done;
}

uint32_t guest_read_virtual(struct guest *g, uint32_t va, void *to, uint32_t len)
{
	uint32_t done = 0;

	while (done < len) {
		uint32_t at = va + done, n = GUEST_PAGE_SIZE - (at & ~GUEST_PAGE_MASK);
		const void *from;
		gpa_t pa;

		if (n > len - done)
			n = len - done;
		if (!guest_translate(g, gva(at), &pa) || !(from = guest_bytes(g, pa, n)))
			break;
		memcpy((char *)to + done, from, n);
		done += n;
	}
	return done;
}

bool guest_write_virtual(struct guest *g, uint32_t va, const void *from, uint32_t len)
{
	uint32_t done = 0;

	while (done < len) {
		uint32_t at = va + done, n = GUEST_PAGE_SIZE - (at & ~GUEST_PAGE_MASK);
		gpa_t pa;

		if (!guest_translate(g, gva(at), &pa))
			return false;
		if (n > len - done)
			n = len - done;
		guest_write(g, pa, (const char *)from + done, n);
		done += n;
	}
	return true;
}
