/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "usnicrules.h"

#include <stdbool.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "devices.h"

static bool has_node(const struct devices_node *nodes, size_t n, const struct hwmap_device *d)
{
	for (size_t i = 0; i < n; i++)
		if (nodes[i].major == d->major && nodes[i].minor == d->minor)
			return true;
	return false;
}

/*
 * Nodes of ranks from..to-1 that are not among the n that are there already. The new number;
 * more than DEVICES_GRANT_MAX where they are too many.
 */
static size_t add_nodes(const struct usnic_rules *r, uint32_t from, uint32_t to,
			struct devices_node *nodes, size_t n)
{
	for (uint32_t k = from * r->count; k < to * r->count; k++) {
		const struct hwmap_device *d = hwmap_device(r->map, r->choice->grants[k].device);

		if (has_node(nodes, n, d))
			continue;
		if (n == DEVICES_GRANT_MAX)
			return n + 1;
		nodes[n++] = (struct devices_node){ 'c', d->major, d->minor };
	}
	return n;
}

static enum devices_mode mode_of(const struct usnic_rules *r)
{
	return r->confine & CONFINE_STRICT ? DEVICES_STRICT : DEVICES_OTHERS;
}

/* The connection manager's node, where there is one, begins each list. */
static size_t begin_nodes(const struct usnic_rules *r, struct devices_node *nodes)
{
	if (!r->cm)
		return 0;
	nodes[0] = (struct devices_node){ 'c', major(r->cm), minor(r->cm) };
	return 1;
}

int usnic_rules_early(struct usnic_rules *r, pid_t stepd, struct err *e)
{
	struct devices_node nodes[DEVICES_GRANT_MAX];
	size_t n = begin_nodes(r, nodes);

	if (!(r->confine & CONFINE_USNIC) || r->step)
		return 0;
	for (size_t i = 0; i < hwmap_ndevices(r->map); i++) {
		const struct hwmap_device *d = hwmap_device(r->map, i);

		if (!d->uverbs[0] || d->slots == 0 || has_node(nodes, n, d))
			continue;
		if (n == DEVICES_GRANT_MAX)
			return 0; /* too many to be named; later, then */
		nodes[n++] = (struct devices_node){ 'c', d->major, d->minor };
	}
	r->step = devices_open(stepd, DEVICES_STEP, e);
	return r->step ? devices_apply_early(r->step, mode_of(r), nodes, n, e) : -1;
}

/* What the step has, and no other. */
static int narrow_step(struct usnic_rules *r, const pid_t *pids, struct err *e)
{
	struct devices_node nodes[DEVICES_GRANT_MAX + 1];
	const size_t n =
		add_nodes(r, 0, (r->per_node ? 1 : r->ntasks), nodes, begin_nodes(r, nodes));

	if (!r->step)
		r->step = devices_open(pids[0], DEVICES_STEP, e);
	if (!r->step)
		return -1;
	if (n > DEVICES_GRANT_MAX)
		return err_set(e, "--usnic: more than %d different devices for one step and node",
			       DEVICES_GRANT_MAX);
	return devices_apply(r->step, mode_of(r), nodes, n, e);
}

/* Of what the step has, nothing that is another rank's alone. */
static int narrow_task(const struct usnic_rules *r, uint32_t task, pid_t pid, struct err *e)
{
	struct devices_node own[DEVICES_GRANT_MAX + 1], all[DEVICES_GRANT_MAX + 1];
	size_t nown = add_nodes(r, task, task + 1, own, 0), nall, n = 0;
	struct devices *d;
	int rc;

	nall = add_nodes(r, 0, r->ntasks, all, 0);
	for (size_t i = 0; i < nall; i++) {
		size_t k = 0;

		while (k < nown && (own[k].major != all[i].major || own[k].minor != all[i].minor))
			k++;
		if (k == nown)
			all[n++] = all[i];
	}
	if (n == 0)
		return 0;
	d = devices_open_task(r->step, pid, e);
	rc = d ? devices_apply(d, DEVICES_LISTED, all, n, e) : -1;
	devices_close(d);
	return rc;
}

int usnic_rules_apply(struct usnic_rules *r, const pid_t *pids, struct err *e)
{
	if (!(r->confine & CONFINE_USNIC))
		return 0;
	if (narrow_step(r, pids, e) < 0)
		return -1;
	for (uint32_t i = 0; i < r->ntasks && !r->per_node; i++)
		if (narrow_task(r, i, pids[i], e) < 0)
			return -1;
	return 0;
}

void usnic_rules_done(struct usnic_rules *r)
{
	devices_close(r->step);
	r->step = NULL;
}
