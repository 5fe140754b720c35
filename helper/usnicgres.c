/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "usnicgres.h"

#include <stdlib.h>

#include "devices.h"

/* v2: the task's, where a process can be put; v1: the step's where Slurm makes none for tasks. */
static struct devices *open_cgroup(pid_t pid, struct err *e)
{
	struct err none = { "" };
	struct devices *d = devices_open(pid, DEVICES_TASK, &none);

	return d ? d : devices_open(pid, DEVICES_STEP, e);
}

/* ret[i]: what is permitted becomes what is denied. */
static int invert(const struct hwmap *m, size_t n, bool *ret, struct err *e)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		const struct hwmap_device *d = hwmap_device(m, i);

		any = any || (ret[i] && d->slots > 0 && d->uverbs[0]);
		ret[i] = !ret[i];
	}
	return any ? 0
		   : err_set(e,
			     "--usnic: Slurm's GRES grants this step no NIC of the node, expected "
			     "--gres for as many beside it");
}

/* ret[i]: whether the task may open device i. */
static int ask(const struct hwmap *m, size_t n, pid_t pid, bool *ret, struct err *e)
{
	struct devices_node *nodes = calloc(n + 1, sizeof(*nodes));
	struct devices *d;
	int rc;

	if (!nodes)
		return err_set(e, "out of memory");
	for (size_t i = 0; i < n; i++)
		nodes[i] = (struct devices_node){ 'c', hwmap_device(m, i)->major,
						  hwmap_device(m, i)->minor };
	d = open_cgroup(pid, e);
	rc = d ? devices_permits(d, nodes, n, ret, e) : -1;
	devices_close(d);
	free(nodes);
	return rc;
}

int usnicgres_denied(const struct hwmap *m, pid_t pid, bool **ret, struct err *e)
{
	const size_t n = hwmap_ndevices(m);
	bool *denied = calloc(n + 1, sizeof(*denied));

	if (!denied)
		return err_set(e, "out of memory");
	if (ask(m, n, pid, denied, e) < 0 || invert(m, n, denied, e) < 0) {
		free(denied);
		return -1;
	}
	*ret = denied;
	return 0;
}
