/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * berth-hwmap - shows the node's user-space NICs and who should get what; changes nothing.
 */
#define _GNU_SOURCE 1
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "notes.h"

/* One line on standard error; the whole of it at once, since others may write there too. */
static void main_say(const char *text)
{
	char line[ERR_TEXT_MAX + 16];

	snprintf(line, sizeof(line), "berth-hwmap: %s\n", text);
	fputs(line, stderr);
}

/* What is opened must not get the number of a standard stream that is closed. */
static int main_streams(struct err *e)
{
	if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
		return err_set(e, "the output could not be written: standard output is closed");
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd += 2)
		if (fcntl(fd, F_GETFD) < 0) {
			int null = open("/dev/null", O_RDWR);

			if (null < 0)
				return err_sys(e, errno, "/dev/null");
			if (null != fd) /* never: the lowest number that is free */
				close(null);
		}
	return 0;
}

static int main_read_map(const char *file, struct hwmap **ret, struct hwmap_notes *notes,
			 struct err *e)
{
	char quoted[ERR_QUOTE_MAX];
	int fd = open(file, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return err_sys(e, errno, "%s", err_quote(quoted, file, strlen(file)));
	rc = hwmap_read(fd, ret, e);
	close(fd);
	if (rc == 0 && !hwmap_fresh(*ret))
		notes_add(notes, "%s: not of this node as it is now",
			  err_quote(quoted, file, strlen(file)));
	return rc;
}

static void main_notes(const struct cmd_options *o, const struct hwmap_notes *notes)
{
	char line[80];

	if (o->notes)
		for (size_t i = 0; i < notes->n; i++)
			main_say(notes->lines[i]);
	else if (notes->n && !o->quiet && isatty(STDERR_FILENO)) {
		snprintf(line, sizeof(line),
			 "%zu notes on what was missing or odd; --notes shows them", notes->n);
		main_say(line);
	}
}

/* The verb's answer. */
static int main_answer(const struct cmd_options *o, struct hwmap_notes *notes, struct err *e)
{
	static int (*const run[])(const struct cmd_options *, const struct cmd_node *,
				  struct err *) = {
		[VERB_LIST] = cmd_list, [VERB_PICK] = cmd_pick, [VERB_TREE] = cmd_tree,
		[VERB_GRES] = cmd_gres, [VERB_CDI] = cmd_cdi,	[VERB_MAP] = cmd_map,
	};
	struct cmd_node node = { NULL, { 0 } };
	/* a capture has no leases, but where they are told */
	const char *usual = o->source.sysfs || o->source.topology ? NULL : HELD_STATE_DIR;
	struct hwmap *m = NULL;
	int rc;

	if (o->verb == VERB_CAPTURE)
		return cmd_capture(o, notes, e);
	rc = o->map_file ? main_read_map(o->map_file, &m, notes, e)
			 : hwmap_scan(&o->source, &m, notes, e);
	if (rc < 0)
		return CMD_NODE;
	node.map = m;
	if (o->state_dir)
		rc = held_read(o->state_dir, false, m, &node.held, notes, e);
	else
		rc = held_read(usual, true, m, &node.held, notes, e);
	rc = rc < 0 ? CMD_NODE : run[o->verb](o, &node, e);
	held_done(&node.held);
	hwmap_free(m);
	return rc;
}

static int main_run(const struct cmd_options *o, struct err *e)
{
	struct hwmap_notes notes = { 0 };
	int status = main_answer(o, &notes, e);

	main_notes(o, &notes);
	hwmap_notes_done(&notes);
	return status;
}

int main(int argc, char **argv)
{
	struct cmd_options o = { 0 };
	struct err e = { "" }, late = { "" };
	int status = CMD_OK;

	if (main_streams(&e) < 0)
		status = CMD_OUTPUT;
	else if (cmd_options_parse(argc, argv, &o, &e) < 0)
		status = CMD_USAGE;
	else if (o.help)
		cmd_options_help();
	else if (o.version)
		puts("berth-hwmap " BERTH_VERSION);
	else
		status = main_run(&o, &e);
	cmd_options_done(&o);
	if (e.text[0])
		main_say(e.text);
	if (output_close(&late) < 0 && status == CMD_OK) {
		main_say(late.text);
		status = CMD_OUTPUT;
	}
	return status;
}
