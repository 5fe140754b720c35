/* SPDX-License-Identifier: BSD-3-Clause */
#include "cmd.h"

#include <unistd.h>

int cmd_map(const struct cmd_options *o, const struct cmd_node *n, struct err *e)
{
	if (o->json || isatty(STDOUT_FILENO)) {
		err_set(e, "map: prints a file for programs, not %s; redirect it",
			o->json ? "JSON" : "text for a terminal");
		return CMD_USAGE;
	}
	return hwmap_write(n->map, STDOUT_FILENO, e) < 0 ? CMD_OUTPUT : CMD_OK;
}
