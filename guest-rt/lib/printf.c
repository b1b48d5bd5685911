/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small vsnprintf: %c %s %d %u %x with width, zero padding and '#', and ll
 * for %x and %u.  No division of 64-bit numbers: there is no libgcc.
 */
#include <guest-rt/guest.h>

struct out {
	char *to;
	size_t size, n;
};

static void put(struct out *o, char c)
{
	if (o->n + 1 < o->size)
		o->to[o->n] = c;
	o->n++;
}

/* Digits of a 64-bit number, lowest first.  Long division by 16-bit halves. */
static unsigned int digits(uint64_t value, unsigned int base, char *digit)
{
	unsigned int n = 0;

	do {
		uint32_t part[4] = {
			(uint32_t)(value >> 48), (uint32_t)(value >> 32) & 0xffff,
			(uint32_t)value >> 16, (uint32_t)value & 0xffff,
		};
		uint32_t rest = 0;
		int i;

		for (i = 0; i < 4; i++) {
			uint32_t x = rest << 16 | part[i];

			part[i] = x / base;
			rest = x % base;
		}
		value = (uint64_t)part[0] << 48 | (uint64_t)part[1] << 32 |
			part[2] << 16 | part[3];
		digit[n++] = "0123456789abcdef"[rest];
	} while (value);
	return n;
}

static void number(struct out *o, uint64_t value, unsigned int base, bool negative,
		   unsigned int width, bool zero, bool prefix)
{
	char digit[24];
	unsigned int n = digits(value, base, digit);
	unsigned int used = n + (negative ? 1 : 0) + (prefix ? 2 : 0);

	while (!zero && used < width) {
		put(o, ' ');
		used++;
	}
	if (negative)
		put(o, '-');
	if (prefix) {
		put(o, '0');
		put(o, 'x');
	}
	while (used < width) {
		put(o, '0');
		used++;
	}
	while (n)
		put(o, digit[--n]);
}

static void text(struct out *o, const char *s, unsigned int width)
{
	size_t n = strlen(s);

	while (*s)
		put(o, *s++);
	while (n++ < width)
		put(o, ' ');
}

int vsnprintf(char *to, size_t size, const char *fmt, va_list args)
{
	struct out o = { to, size, 0 };

	for (; *fmt; fmt++) {
		bool zero = false, prefix = false;
		unsigned int width = 0, longs = 0;
		uint64_t value;
		int32_t d;

		if (*fmt != '%') {
			put(&o, *fmt);
			continue;
		}
		for (fmt++; *fmt == '0' || *fmt == '#' || *fmt == '-'; fmt++) {
			zero |= *fmt == '0';
			prefix |= *fmt == '#';
		}
		for (; *fmt >= '0' && *fmt <= '9'; fmt++)
			width = width * 10 + (unsigned int)(*fmt - '0');
		for (; *fmt == 'l' || *fmt == 'z'; fmt++)
			longs += *fmt == 'l';
		switch (*fmt) {
		case 'c':
			put(&o, (char)va_arg(args, int));
			break;
		case 's':
			text(&o, va_arg(args, const char *), width);
			break;
		case 'd':
			d = va_arg(args, int);
			number(&o, d < 0 ? 0u - (uint32_t)d : (uint32_t)d, 10, d < 0,
			       width, zero, false);
			break;
		case 'u':
		case 'x':
			value = longs >= 2 ? va_arg(args, uint64_t) : va_arg(args, uint32_t);
			number(&o, value, *fmt == 'u' ? 10 : 16, false, width, zero, prefix);
			break;
		case '%':
			put(&o, '%');
			break;
		default:
			put(&o, '?');
		}
	}
	if (size)
		to[o.n < size ? o.n : size - 1] = '\0';
	return (int)o.n;
}

int snprintf(char *to, size_t size, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(to, size, fmt, args);
	va_end(args);
	return n;
}
