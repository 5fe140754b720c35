/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tree.h - draws what `berth-hwmap tree` has found.
 *
 * A node is a JSON object: "type", "children" (nodes), and
 *   machine, package, numa   "index" (not of the machine), "cpus"
 *   bridge                   "pci" (null for a host bridge), "buses"
 *   nic, vf                  "device": all columns of list
 *   holder                   "text": how many slots of the device a step holds
 */
#ifndef BERTH_HWMAP_TREE_H
#define BERTH_HWMAP_TREE_H

#include <json-c/json.h>
#include <stdbool.h>

struct tree_style {
	size_t width; /* of a line; what is longer is cut */
	bool utf8, colour;
};

/*
 * As standard output and the environment say: a terminal's width, else 100; colour on a
 * terminal but with NO_COLOR or TERM=dumb; lines in UTF-8 where the locale has it.
 */
struct tree_style tree_style_get(void);

/* On standard output, a line for each node; VFs that nobody uses share one. */
void tree_draw(struct json_object *root, const struct tree_style *style);

#endif
