/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "usnicrules.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "devices.h"
#include "sys.h"

/* Nodes without repetition. */
struct nodes {
	size_t n;
	struct devices_node at[DEVICES_GRANT_MAX];
};

static bool has_node(const struct nodes *l, const struct devices_node *d)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->at[i].major == d->major && l->at[i].minor == d->minor)
			return true;
	return false;
}

/* false: there is no room. */
static bool add_node(struct nodes *l, const struct devices_node *d)
{
	if (has_node(l, d))
		return true;
	if (l->n == DEVICES_GRANT_MAX)
		return false;
	l->at[l->n++] = *d;
	return true;
}

static struct devices_node node_of(const struct hwmap_device *d)
{
	return (struct devices_node){ 'c', d->major, d->minor };
}

/* What ranks from..to-1 have. */
static bool add_ranks(const struct usnic_rules *r, uint32_t from, uint32_t to, struct nodes *l)
{
	for (uint32_t k = from * r->count; k < to * r->count; k++) {
		const struct devices_node d =
			node_of(hwmap_device(r->map, r->choice->grants[k].device));

		if (!add_node(l, &d))
			return false;
	}
	return true;
}

static enum devices_mode mode_of(const struct usnic_rules *r)
{
	return r->confine & CONFINE_STRICT ? DEVICES_STRICT : DEVICES_OTHERS;
}

/* The connection manager's node, where there is one, begins the step's list. */
static void begin_nodes(const struct usnic_rules *r, struct nodes *l)
{
	l->n = 0;
	if (r->cm)
		l->at[l->n++] = (struct devices_node){ 'c', major(r->cm), minor(r->cm) };
}

int usnic_rules_early(struct usnic_rules *r, pid_t stepd, struct err *e)
{
	struct nodes may;

	if (!(r->confine & CONFINE_USNIC) || mode_of(r) == DEVICES_STRICT || r->step)
		return 0;
	begin_nodes(r, &may);
	for (size_t i = 0; i < hwmap_ndevices(r->map); i++) {
		const struct hwmap_device *d = hwmap_device(r->map, i);
		const struct devices_node node = node_of(d);

		if (d->uverbs[0] && d->slots > 0 && !add_node(&may, &node))
			return 0; /* too many to be named; later, then */
	}
	r->step = devices_open(stepd, DEVICES_STEP, e);
	return r->step ? devices_apply_early(r->step, mode_of(r), may.at, may.n, e) : -1;
}

/* What the step has, and no other. */
static int narrow_step(struct usnic_rules *r, const pid_t *pids, struct err *e)
{
	struct nodes all;

	if (!r->step)
		r->step = devices_open(pids[0], DEVICES_STEP, e);
	if (!r->step)
		return -1;
	begin_nodes(r, &all);
	if (!add_ranks(r, 0, r->per_node ? 1 : r->ntasks, &all))
		return err_set(e, "--usnic: more than %d different devices for one step and node",
			       DEVICES_GRANT_MAX);
	return devices_apply(r->step, mode_of(r), all.at, all.n, e);
}

void usnic_rules_rank(struct usnic_rules *r, uint32_t task, pid_t pid)
{
	if (!r->step || r->per_node || task >= r->ntasks || task >= USNIC_TASKS_EARLY)
		return;
	if (!r->dirs) {
		r->dirs = malloc(USNIC_TASKS_EARLY * sizeof(*r->dirs));
		for (uint32_t i = 0; r->dirs && i < USNIC_TASKS_EARLY; i++)
			r->dirs[i] = -1;
	}
	if (r->dirs && r->dirs[task] < 0)
		r->dirs[task] = devices_task_dir(r->step, pid);
}

/* The task's cgroup, where it is open already; the caller's. */
static int take_dir(struct usnic_rules *r, uint32_t task)
{
	int dir = -1;

	if (r->dirs && task < USNIC_TASKS_EARLY) {
		dir = r->dirs[task];
		r->dirs[task] = -1;
	}
	return dir;
}

/*
 * Of what ranks have, nothing that is another rank's alone; as far as Slurm leaves room for it,
 * what the step has is what remains, and what is in the task's view.
 */
static int narrow_task(struct usnic_rules *r, const struct nodes *all, uint32_t task, pid_t pid,
		       struct err *e)
{
	struct nodes own = { .n = 0 }, others = { .n = 0 };
	struct devices *d;
	int rc;

	(void)add_ranks(r, task, task + 1, &own);
	for (size_t i = 0; i < all->n; i++)
		if (!has_node(&own, &all->at[i]))
			others.at[others.n++] = all->at[i];
	if (others.n == 0)
		return 0;
	d = devices_open_task(r->step, pid, take_dir(r, task), e);
	if (!d)
		return -1;
	rc = devices_takes(d) ? devices_apply(d, DEVICES_LISTED, others.at, others.n, e) : 0;
	devices_close(d);
	return rc;
}

int usnic_rules_apply(struct usnic_rules *r, const pid_t *pids, struct err *e)
{
	struct nodes all = { .n = 0 };

	if (!(r->confine & CONFINE_USNIC))
		return 0;
	if (narrow_step(r, pids, e) < 0)
		return -1;
	if (r->per_node)
		return 0;
	(void)add_ranks(r, 0, r->ntasks,
			&all); /* there was room for it, and for cm, in narrow_step */
	for (uint32_t i = 0; i < r->ntasks; i++)
		if (narrow_task(r, &all, i, pids[i], e) < 0)
			return -1;
	return 0;
}

void usnic_rules_done(struct usnic_rules *r)
{
	devices_close(r->step);
	r->step = NULL;
	for (uint32_t i = 0; r->dirs && i < USNIC_TASKS_EARLY; i++)
		sys_close(&r->dirs[i]);
	free(r->dirs);
	r->dirs = NULL;
}
