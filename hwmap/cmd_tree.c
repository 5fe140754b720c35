/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topo_hwloc.h"
#include "tree.h"

struct tree {
	const struct cmd_node *node;
	const struct hwmap *map;       /* node's */
	struct output_columns columns; /* all of list's, for "device" */
	hwloc_obj_t *anchor; /* per device: below what its NIC hangs; NULL: below its PF */
};

/* All of a root bus are in one place for hwloc; where the kernel says another one, that counts. */
static bool tree_agrees(hwloc_obj_t place, const struct hwmap_device *d)
{
	bool known = false, inside = false;
	unsigned cpu;

	if (d->numa >= 0 && !hwloc_bitmap_isset(place->nodeset, (unsigned)d->numa))
		return false;
	for (cpu = 0; cpu < HWMAP_CPUS_MAX; cpu++)
		if (hwmap_cpus_has(&d->cpus, cpu)) {
			known = true;
			inside = inside || hwloc_bitmap_isset(place->cpuset, cpu);
		}
	return inside || !known;
}

/* The smallest thing around the CPUs; NULL for none. */
static hwloc_obj_t tree_around(hwloc_topology_t topology, const struct hwmap_cpus *cpus)
{
	hwloc_bitmap_t set = hwloc_bitmap_alloc();
	hwloc_obj_t o = NULL;

	for (unsigned cpu = 0; set && cpu < HWMAP_CPUS_MAX; cpu++)
		if (hwmap_cpus_has(cpus, cpu))
			hwloc_bitmap_set(set, cpu);
	if (set && !hwloc_bitmap_iszero(set))
		o = hwloc_get_obj_covering_cpuset(topology, set);
	hwloc_bitmap_free(set);
	return o;
}

/* What hwloc has the NIC below: a bridge, or what is at the kernel's NUMA node or CPUs. */
static hwloc_obj_t tree_anchor(hwloc_topology_t topology, const struct hwmap_device *d)
{
	hwloc_obj_t o = NULL;

	if (d->pf[0])
		o = hwloc_get_pcidev_by_busidstring(topology, d->pf);
	if (!o && d->pci[0])
		o = hwloc_get_pcidev_by_busidstring(topology, d->pci);
	if (o && tree_agrees(hwloc_get_non_io_ancestor_obj(topology, o), d))
		return o->parent;
	o = d->numa < 0 ? NULL : hwloc_get_numanode_obj_by_os_index(topology, (unsigned)d->numa);
	if (!o)
		o = tree_around(topology, &d->cpus);
	return o ? o : hwloc_get_root_obj(topology);
}

/* A node for each step that holds slots of device i. */
static void tree_holders(const struct tree *t, size_t i, struct json_object *children)
{
	char buf[OUTPUT_CELL_MAX], *save = NULL;

	held_text(&t->node->held, i, buf, sizeof(buf));
	for (char *p = strtok_r(buf, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		struct json_object *holder = output_json_object();

		output_json_add(holder, "type", output_json_text("holder"));
		output_json_add(holder, "text", output_json_text(p + strspn(p, " ")));
		output_json_add(holder, "children", output_json_array());
		output_json_push(children, holder);
	}
}

static struct json_object *tree_device(const struct tree *t, size_t i)
{
	struct json_object *node = output_json_object(), *children = output_json_array();
	struct output_row row;

	cmd_row(t->node, i, &row);
	output_json_add(node, "type",
			output_json_text(row.device->role == HWMAP_VF ? "vf" : "nic"));
	output_json_add(node, "device", output_json(&t->columns, &row));
	output_json_add(node, "children", children);
	tree_holders(t, i, children);
	return node;
}

/* The NIC that begins with device i, its VFs below it. */
static struct json_object *tree_nic(const struct tree *t, size_t i)
{
	struct json_object *node = tree_device(t, i), *children;

	json_object_object_get_ex(node, "children", &children);
	for (i++; i < hwmap_ndevices(t->map) && !t->anchor[i]; i++)
		output_json_push(children, tree_device(t, i));
	return node;
}

static void tree_nics(const struct tree *t, hwloc_obj_t o, struct json_object *children)
{
	for (size_t i = 0; i < hwmap_ndevices(t->map); i++)
		if (t->anchor[i] == o)
			output_json_push(children, tree_nic(t, i));
}

/* A node without its children, or NULL for what the picture leaves out. */
static struct json_object *tree_node(hwloc_obj_t o)
{
	const struct hwloc_bridge_attr_s *b = &o->attr->bridge;
	struct json_object *node;
	const char *type;
	char text[4096];

	switch (o->type) {
	case HWLOC_OBJ_MACHINE: type = "machine"; break;
	case HWLOC_OBJ_PACKAGE: type = "package"; break;
	case HWLOC_OBJ_NUMANODE: type = "numa"; break;
	case HWLOC_OBJ_BRIDGE: type = "bridge"; break;
	default: return NULL;
	}
	node = output_json_object();
	output_json_add(node, "type", output_json_text(type));
	if (o->type == HWLOC_OBJ_BRIDGE) {
		snprintf(text, sizeof(text), "%04x:%02x:%02x.%x", b->upstream.pci.domain & 0xffffu,
			 b->upstream.pci.bus, b->upstream.pci.dev, b->upstream.pci.func);
		output_json_add(node, "pci",
				b->upstream_type == HWLOC_OBJ_BRIDGE_PCI ? output_json_text(text)
									 : NULL);
		snprintf(text, sizeof(text),
			 b->downstream.pci.secondary_bus < b->downstream.pci.subordinate_bus
				 ? "%04x:%02x-%02x"
				 : "%04x:%02x",
			 b->downstream.pci.domain & 0xffffu, b->downstream.pci.secondary_bus,
			 b->downstream.pci.subordinate_bus);
		output_json_add(node, "buses", output_json_text(text));
		return node;
	}
	if (o->type != HWLOC_OBJ_MACHINE)
		output_json_add(node, "index", output_json_number((int)o->os_index));
	hwloc_bitmap_list_snprintf(text, sizeof(text), o->cpuset);
	output_json_add(node, "cpus", output_json_text(text));
	return node;
}

static void tree_object(const struct tree *t, hwloc_obj_t o, struct json_object *siblings);

static void tree_all(const struct tree *t, hwloc_obj_t first, struct json_object *siblings)
{
	for (hwloc_obj_t o = first; o; o = o->next_sibling)
		tree_object(t, o, siblings);
}

/* Where I/O goes: into the only package or NUMA node behind the first so many children. */
static struct json_object *tree_inner(struct json_object *children, size_t from)
{
	while (json_object_array_length(children) == from + 1) {
		struct json_object *only = json_object_array_get_idx(children, from), *type, *inner;

		json_object_object_get_ex(only, "type", &type);
		if (strcmp(json_object_get_string(type), "package") != 0 &&
		    strcmp(json_object_get_string(type), "numa") != 0)
			break;
		json_object_object_get_ex(only, "children", &inner);
		children = inner;
		from = 0;
	}
	return children;
}

static void tree_object(const struct tree *t, hwloc_obj_t o, struct json_object *siblings)
{
	struct json_object *node = tree_node(o), *children = node ? output_json_array() : siblings;
	size_t before = json_object_array_length(children);
	struct json_object *inner;

	tree_all(t, o->memory_first_child, children);
	tree_all(t, o->first_child, children);
	inner = tree_inner(children, before);
	tree_all(t, o->io_first_child, inner);
	tree_nics(t, o, inner);
	if (!node)
		return;
	if (o->type == HWLOC_OBJ_BRIDGE && json_object_array_length(children) == 0) {
		json_object_put(children);
		json_object_put(node);
		return;
	}
	output_json_add(node, "children", children);
	output_json_push(siblings, node);
}

static void tree_anchors(struct tree *t, hwloc_topology_t topology)
{
	for (size_t i = 0; i < hwmap_ndevices(t->map); i++) {
		const struct hwmap_device *d = hwmap_device(t->map, i);

		if (i == 0 || d->nic != hwmap_device(t->map, i - 1)->nic)
			t->anchor[i] = tree_anchor(topology, d);
	}
}

int cmd_tree(const struct cmd_options *o, const struct cmd_node *n, struct err *e)
{
	const struct hwmap *m = n->map;
	struct tree t = { .node = n,
			  .map = m,
			  .anchor = calloc(hwmap_ndevices(m) + 1, sizeof(hwloc_obj_t)) };
	struct json_object *roots;
	struct tree_style style;
	hwloc_topology_t topology;

	if (!t.anchor || topo_hwloc_load(&o->source, TOPO_ALL, &topology, e) < 0) {
		free(t.anchor);
		err_set(e, "out of memory");
		return CMD_NODE;
	}
	output_columns_parse(NULL, false, true, &t.columns, e);
	tree_anchors(&t, topology);
	roots = output_json_array();
	tree_object(&t, hwloc_get_root_obj(topology), roots);
	if (o->json)
		output_json_print(json_object_get(json_object_array_get_idx(roots, 0)));
	else {
		style = tree_style_get();
		tree_draw(json_object_array_get_idx(roots, 0), &style);
	}
	json_object_put(roots);
	hwloc_topology_destroy(topology);
	free(t.anchor);
	return CMD_OK;
}
