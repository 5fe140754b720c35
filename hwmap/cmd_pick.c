/* SPDX-License-Identifier: BSD-3-Clause */
#include "cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHY_MAX 256

/* One line of the answer for each grant, and the texts that the rows point to. */
struct pick_rows {
	struct output_row *row;
	char (*why)[WHY_MAX];
	size_t n;
};

static bool pick_named(const struct hwmap_device *d, const char *name, size_t len)
{
	const char *const names[] = { d->ibdev, d->netdev, d->uverbs, d->pci };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (len && strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
			return true;
	return false;
}

/* "usnic_1=3" into used[]. */
static int pick_used_one(const char *text, const struct hwmap *m, uint32_t *used, struct err *e)
{
	const char *number = strrchr(text, '=');
	char quoted[ERR_QUOTE_MAX], *end;
	unsigned long n;

	errno = 0;
	n = number ? strtoul(number + 1, &end, 10) : 0;
	if (!number || number[1] < '0' || number[1] > '9' || *end || errno || n > UINT32_MAX)
		return err_set(e, "--used: %s: expected DEVICE=N, as usnic_1=3",
			       err_quote(quoted, text, strlen(text)));
	for (size_t i = 0; i < hwmap_ndevices(m); i++)
		if (pick_named(hwmap_device(m, i), text, (size_t)(number - text))) {
			used[i] = (uint32_t)n;
			return 0;
		}
	return err_set(e, "--used: %s: this node has no such device",
		       err_quote(quoted, text, (size_t)(number - text)));
}

static int pick_used(const struct cmd_options *o, const struct cmd_node *node, uint32_t *used,
		     struct err *e)
{
	const struct hwmap *m = node->map;

	for (size_t i = 0; i < hwmap_ndevices(m); i++)
		used[i] = node->held.used[i];
	for (size_t i = 0; i < o->nused; i++)
		if (pick_used_one(o->used[i], m, used, e) < 0)
			return -1;
	for (size_t i = 0; o->busy && i < hwmap_ndevices(m); i++)
		if (used[i] < hwmap_device(m, i)->busy)
			used[i] = hwmap_device(m, i)->busy;
	return 0;
}

static int pick_rows(const struct cmd_node *node, const struct hwmap_ask *ask,
		     const struct hwmap_choice *c, struct pick_rows *ret, struct err *e)
{
	size_t n = (size_t)c->nranks * c->count;
	struct pick_rows r = { calloc(n + 1, sizeof(*r.row)), calloc(n + 1, sizeof(*r.why)), n };

	if (!r.row || !r.why) {
		free(r.row);
		free(r.why);
		return err_set(e, "out of memory");
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t rank = (uint32_t)(i / c->count);

		cmd_row(node, c->grants[i].device, &r.row[i]);
		r.row[i].used = ask->used[c->grants[i].device];
		r.row[i].rank = rank;
		r.row[i].distance = c->grants[i].distance;
		r.row[i].why = hwmap_why(node->map, ask, c, rank, (uint32_t)(i % c->count),
					 r.why[i], sizeof(r.why[i]));
	}
	*ret = r;
	return 0;
}

/* The farthest device's distance, and why it: what holds for the rank. */
static struct json_object *pick_json_rank(const struct output_columns *cols,
					  const struct output_row *rows, size_t n)
{
	struct json_object *o = output_json_object(), *devices = output_json_array();
	const struct output_row *far = &rows[0];

	for (size_t i = 0; i < n; i++) {
		if (rows[i].distance > far->distance)
			far = &rows[i];
		output_json_push(devices, output_json(cols, &rows[i]));
	}
	output_json_add(o, "rank", output_json_number(rows[0].rank));
	output_json_add(o, "devices", devices);
	output_json_add(o, "distance",
			far->distance < HWMAP_FAR ? output_json_number(far->distance) : NULL);
	output_json_add(o, "why", output_json_text(far->why));
	return o;
}

static void pick_json(const struct output_columns *cols, const struct pick_rows *r, uint32_t count)
{
	struct json_object *all = output_json_array();

	for (size_t i = 0; i < r->n; i += count)
		output_json_push(all, pick_json_rank(cols, &r->row[i], count));
	output_json_print(all);
}

int cmd_pick(const struct cmd_options *o, const struct cmd_node *node, struct err *e)
{
	const struct hwmap *m = node->map;
	uint32_t *used = calloc(hwmap_ndevices(m) + 1, sizeof(*used));
	struct hwmap_ask ask = {
		.ranks = o->ranks,
		.nranks = o->nranks,
		.count = o->count,
		.per_node = o->per_node,
		.policy = o->policy,
		.rails = o->rails,
		.device = o->device,
		.used = used,
		.any_state = o->any_state,
	};
	struct hwmap_choice choice = { 0 };
	struct pick_rows rows = { 0 };
	struct output_columns cols;
	int status = CMD_OK;

	if (!used) {
		err_set(e, "out of memory");
		return CMD_NODE;
	}
	if (output_columns_parse(o->output, true, o->json, &cols, e) < 0 ||
	    pick_used(o, node, used, e) < 0)
		status = CMD_USAGE;
	else if (hwmap_pick(m, &ask, &choice, e) < 0)
		status = CMD_NONE;
	else if (pick_rows(node, &ask, &choice, &rows, e) < 0)
		status = CMD_NODE;
	else if (o->json)
		pick_json(&cols, &rows, choice.count);
	else
		output_table(&cols, rows.row, rows.n);
	free(rows.row);
	free(rows.why);
	hwmap_choice_done(&choice);
	free(used);
	return status;
}
