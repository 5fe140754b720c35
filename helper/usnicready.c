/* SPDX-License-Identifier: BSD-3-Clause */
/* What a task is told of the devices that it has. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "devview.h"
#include "usnic_impl.h"
#include "usnicenv.h"
#include "usnicexplain.h"

static int make_nodes(const struct usnic *u, uint32_t rank, struct granted *g, struct err *e)
{
	g->nodes = calloc(u->spec.count + 1, sizeof(*g->nodes));
	for (uint32_t k = 0; g->nodes && k < u->spec.count; k++) {
		const struct hwmap_device *d =
			hwmap_device(u->map, u->choice.grants[rank * u->spec.count + k].device);

		if (asprintf(&g->nodes[k], DEVVIEW_DIR "/%s", d->uverbs) < 0) {
			g->nodes[k] = NULL;
			break;
		}
		g->nnodes++;
	}
	return g->nnodes == u->spec.count ? 0 : err_set(e, "out of memory");
}

static int make_env(const struct usnic *u, uint32_t rank, struct granted *g, struct err *e)
{
	const struct hwmap_device *devices[USNIC_COUNT_MAX];

	for (uint32_t k = 0; k < u->spec.count; k++)
		devices[k] =
			hwmap_device(u->map, u->choice.grants[rank * u->spec.count + k].device);
	return usnic_env_make(u->c->usnic_env, devices, u->spec.count, &g->env, &g->nenv, &g->hints,
			      &g->nhints, e);
}

static int make_lines(struct usnic *u, struct granted *g, struct err *e)
{
	const struct usnic_said said = {
		.map = u->map,
		.spec = &u->spec,
		.choice = &u->choice,
		.used = u->used,
		.denied = u->denied,
		.ntasks = u->ntasks,
		.any_state = u->any_state,
		.warn = u->c->preflight != PREFLIGHT_OFF,
	};
	uint32_t *gtasks;
	const struct hwmap_cpus **ranks;
	int rc = -1;

	if (u->explained)
		return 0;
	u->explained = true;
	gtasks = calloc(u->ntasks, sizeof(*gtasks));
	ranks = calloc(u->ntasks, sizeof(void *));
	for (uint32_t i = 0; gtasks && ranks && i < u->ntasks; i++) {
		gtasks[i] = u->tasks[i].gtask;
		ranks[i] = u->tasks[i].bound ? &u->tasks[i].cpus : NULL;
	}
	if (gtasks && ranks)
		rc = usnic_explain(&said, gtasks, ranks, &g->lines, &g->nlines, e);
	else
		err_set(e, "out of memory");
	free(gtasks);
	free(ranks);
	return rc;
}

int usnic_ready(struct usnic *u, uint32_t task, struct granted *ret, struct err *e)
{
	struct granted g = { .preflight = u->c->preflight };
	const uint32_t rank = u->spec.per_node ? 0 : task;

	if (task >= u->ntasks)
		return err_set(e, "task %u of %u is ready", task, u->ntasks);
	if (make_env(u, rank, &g, e) < 0 || make_nodes(u, rank, &g, e) < 0 ||
	    make_lines(u, &g, e) < 0) {
		granted_done(&g);
		return -1;
	}
	*ret = g;
	return 0;
}
