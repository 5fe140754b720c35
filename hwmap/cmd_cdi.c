/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A specification for the Container Device Interface, version 0.6.0 (SPEC.md of
 * container-device-interface).  It names nodes and not their numbers, which may be others
 * after the next boot: the engine looks at the host's node when a container starts.
 */
#include "cmd.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CDI_VERSION "0.6.0"
#define CDI_KIND "berth.io/nic"
#define CDI_PATH_MAX 4096

/* What the specification takes for a device's name. */
static bool cdi_name_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || !isalnum((unsigned char)name[0]) || !isalnum((unsigned char)name[n - 1]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("_-.:", name[i]))
			return false;
	return true;
}

/* The kernel gives each of these names once. */
static const char *cdi_name(const struct hwmap_device *d)
{
	return cdi_name_valid(d->ibdev) ? d->ibdev : cdi_name_valid(d->pci) ? d->pci : d->uverbs;
}

static void cdi_add_node(struct json_object *nodes, const char *dir, const char *name)
{
	struct json_object *o = output_json_object();
	char path[HWMAP_NAME_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	output_json_add(o, "path", output_json_text(path));
	output_json_add(o, "type", output_json_text("c"));
	output_json_add(o, "permissions", output_json_text("rw"));
	output_json_push(nodes, o);
}

static struct json_object *cdi_edits(struct json_object *nodes)
{
	struct json_object *edits = output_json_object();

	output_json_add(edits, "deviceNodes", nodes);
	return edits;
}

static struct json_object *cdi_device(const struct hwmap_device *d)
{
	struct json_object *o = output_json_object(), *nodes = output_json_array();

	if (d->uverbs[0])
		cdi_add_node(nodes, "/dev/infiniband", d->uverbs);
	if (d->vfio[0]) {
		cdi_add_node(nodes, "/dev/vfio", d->vfio);
		cdi_add_node(nodes, "/dev/vfio", "vfio");
	}
	output_json_add(o, "name", output_json_text(cdi_name(d)));
	output_json_add(o, "containerEdits", cdi_edits(nodes));
	return o;
}

/* A node that is not there would keep containers from starting. */
static bool cdi_has_rdma_cm(const struct cmd_options *o)
{
	char path[CDI_PATH_MAX];

	snprintf(path, sizeof(path), "%s/" CMD_RDMA_CM, o->source.sysfs ? o->source.sysfs : "/sys");
	return access(path, F_OK) == 0;
}

int cmd_cdi(const struct cmd_options *o, const struct cmd_node *n, struct err *e)
{
	const struct hwmap *m = n->map;
	struct json_object *spec = output_json_object(), *devices = output_json_array(), *nodes;

	output_json_add(spec, "cdiVersion", output_json_text(CDI_VERSION));
	output_json_add(spec, "kind", output_json_text(CDI_KIND));
	output_json_add(spec, "devices", devices);
	for (size_t i = 0; i < hwmap_ndevices(m); i++) {
		const struct hwmap_device *d = hwmap_device(m, i);

		if (d->slots && (d->uverbs[0] || d->vfio[0]))
			output_json_push(devices, cdi_device(d));
	}
	if (cdi_has_rdma_cm(o)) {
		nodes = output_json_array();
		cdi_add_node(nodes, "/dev/infiniband", "rdma_cm");
		output_json_add(spec, "containerEdits", cdi_edits(nodes));
	}
	if (json_object_array_length(devices) == 0) {
		json_object_put(spec);
		err_set(e, "cdi: no NIC of this node has a device node");
		return CMD_NONE;
	}
	output_json_print(spec);
	return CMD_OK;
}
