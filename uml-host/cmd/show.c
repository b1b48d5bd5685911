/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uml-host show: a log in JSON Lines as text, or as anything else trace can
 * print, by the same options.  It is the same code that prints, so the text is
 * the text trace would have written.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "log/log.h"

static void show_line(struct log *log, const struct options *o, unsigned long number,
		      const char *text, size_t len, struct log_header *header)
{
	struct guest_event event;
	struct log_stack stack;
	char error[LOG_READ_ERROR];
	bool first = !header->version;

	if (!log_read(text, len, header, &event, &stack, error))
		die("%s:%lu: %s", o->image, number, error);
	if (first)
		log_begin_as(log, header);
	if (event.kind < NR_EVENT_KINDS)
		log_event_with_stack(log, &event, &stack);
}

int cmd_show(int argc, char **argv)
{
	struct log_header header = { 0 };
	unsigned long number = 0;
	struct options o;
	struct log *log;
	char *text = NULL;
	size_t size = 0;
	FILE *file;
	ssize_t len;

	options_parse(&o, SUB_SHOW, argc, argv);
	catch_fatal_signals();
	file = strcmp(o.image, "-") ? fopen(o.image, "re") : stdin;
	if (!file)
		die_errno("cannot read %s", o.image);
	/* The log is what was asked for, not what is said about it. */
	if (!o.log.path)
		o.log.fd = 1;
	o.log.foreign = true;
	log = log_open(&o.log);
	while (errno = 0, (len = getline(&text, &size, file)) >= 0)
		show_line(log, &o, ++number, text, (size_t)len, &header);
	if (ferror(file))
		die_errno("cannot read %s", o.image);
	if (!number)
		die("%s is empty, not a log", o.image);
	free(text);
	if (file != stdin)
		fclose(file);
	options_free(&o);
	return log_close(log) ? STATUS_POWEROFF : STATUS_HOST;
}
