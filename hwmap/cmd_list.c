/* SPDX-License-Identifier: BSD-3-Clause */
#include "cmd.h"

#include <stdlib.h>

static void list_json(const struct output_columns *c, const struct output_row *rows, size_t n)
{
	struct json_object *all = output_json_array();

	for (size_t i = 0; i < n; i++)
		output_json_push(all, output_json(c, &rows[i]));
	output_json_print(all);
}

void cmd_row(const struct cmd_node *node, size_t i, struct output_row *ret)
{
	*ret = (struct output_row){
		.device = hwmap_device(node->map, i),
		.used = node->held.used[i],
		.held = &node->held,
		.index = i,
	};
}

int cmd_list(const struct cmd_options *o, const struct cmd_node *node, struct err *e)
{
	size_t n = hwmap_ndevices(node->map);
	struct output_columns c;
	struct output_row *rows;

	if (output_columns_parse(o->output, false, o->json, &c, e) < 0)
		return CMD_USAGE;
	rows = calloc(n + 1, sizeof(*rows));
	if (!rows) {
		err_set(e, "out of memory");
		return CMD_NODE;
	}
	for (size_t i = 0; i < n; i++)
		cmd_row(node, i, &rows[i]);
	if (o->json)
		list_json(&c, rows, n);
	else
		output_table(&c, rows, n);
	free(rows);
	return CMD_OK;
}
