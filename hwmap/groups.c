/* SPDX-License-Identifier: BSD-3-Clause */
#include "groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assign.h"
#include "match.h"

uint32_t groups_used(const struct hwmap *m, const struct hwmap_ask *ask, uint32_t i)
{
	uint32_t slots = m->devices[i].slots;

	if (!ask->used)
		return 0;
	return ask->used[i] < slots ? ask->used[i] : slots;
}

uint32_t groups_room(const struct hwmap *m, const struct hwmap_ask *ask, uint32_t i)
{
	if (hwmap_state_dead(m->devices[i].state) && !ask->any_state)
		return 0;
	return m->devices[i].slots - groups_used(m, ask, i);
}

const char *groups_name(const struct hwmap *m, uint32_t i, char buf[HWMAP_NAME_MAX])
{
	const struct hwmap_device *d = &m->devices[i];

	if (d->ibdev[0] || d->netdev[0])
		snprintf(buf, HWMAP_NAME_MAX, "%.*s", HWMAP_NAME_MAX - 1,
			 d->ibdev[0] ? d->ibdev : d->netdev);
	else if (d->pci[0])
		snprintf(buf, HWMAP_NAME_MAX, "%.*s", HWMAP_PCI_MAX - 1, d->pci);
	else
		snprintf(buf, HWMAP_NAME_MAX, "device %u", i);
	err_clean(buf, strlen(buf));
	return buf;
}

void groups_done(struct groups *g)
{
	free(g->group);
	free(g->nic);
	free(g->of);
	*g = (struct groups){ 0 };
}

/* The group of NIC n that device i belongs to, perhaps a new one; GROUPS_NONE: too many. */
static uint32_t groups_find(const struct hwmap *m, struct groups *g, uint32_t n, uint32_t i)
{
	struct group_nic *nic = &g->nic[n];
	size_t row = m->nplaces * sizeof(*m->distance);
	uint32_t new = g->ngroups;

	for (uint32_t at = nic->first; at != GROUPS_NONE; at = g->group[at].next)
		if (memcmp(&m->distance[(size_t)g->group[at].device * m->nplaces],
			   &m->distance[(size_t)i * m->nplaces], row) == 0)
			return at;
	if (new == ASSIGN_GROUPS_MAX)
		return GROUPS_NONE;
	g->group[new] = (struct group){ .nic = n, .device = i, .next = GROUPS_NONE };
	if (nic->first == GROUPS_NONE)
		nic->first = new;
	else
		g->group[nic->last].next = new;
	nic->last = new;
	g->ngroups++;
	return new;
}

/* Add device i, whose NIC has the index *n among the NICs, or GROUPS_NONE so far. */
static int groups_add(const struct hwmap *m, const struct hwmap_ask *ask, struct groups *g,
		      uint32_t *n, uint32_t i)
{
	uint32_t slots = m->devices[i].slots, room = groups_room(m, ask, i);
	uint32_t used = groups_used(m, ask, i), at;

	if (*n == GROUPS_NONE) {
		if (g->nnics == ASSIGN_GROUPS_MAX)
			return -1;
		*n = g->nnics++;
		g->nic[*n] = (struct group_nic){ .device = i,
						 .first = GROUPS_NONE,
						 .last = GROUPS_NONE };
	}
	at = groups_find(m, g, *n, i);
	if (at == GROUPS_NONE)
		return -1;
	g->of[i] = at;
	g->group[at].room += room;
	g->nic[*n].slots += slots;
	g->nic[*n].used += used;
	g->nic[*n].down += slots - used - room;
	return 0;
}

/* matches, nics: room for one entry per device */
static int groups_fill(const struct hwmap *m, const struct hwmap_ask *ask, struct groups *g,
		       bool *matches, uint32_t *nics, struct err *e)
{
	struct match pattern;

	if (match_parse(ask->device, &pattern, e) < 0)
		return -1;
	match_devices(&pattern, m, matches);
	for (uint32_t i = 0; i < m->ndevices && ask->uverbs; i++)
		matches[i] = matches[i] && m->devices[i].uverbs[0];
	for (uint32_t i = 0; i < m->ndevices; i++)
		nics[i] = GROUPS_NONE;
	for (uint32_t i = 0; i < m->ndevices; i++) {
		const struct hwmap_device *d = &m->devices[i];

		g->of[i] = GROUPS_NONE;
		if (d->nic >= m->ndevices || d->slots > HWMAP_SLOTS_MAX)
			return err_set(e,
				       "the map is broken: device %u is of NIC %u and has %u slots",
				       i, d->nic, d->slots);
		if (matches[i] && d->slots > 0 && groups_add(m, ask, g, &nics[d->nic], i) < 0)
			return err_set(
				e,
				"more than %d NICs or kinds of VFs: choose with a device pattern",
				ASSIGN_GROUPS_MAX);
	}
	for (uint32_t i = 0; i < m->ndevices; i++)
		if (nics[m->devices[i].nic] != GROUPS_NONE)
			g->nic[nics[m->devices[i].nic]].load += groups_used(m, ask, i);
	return 0;
}

int groups_make(const struct hwmap *m, const struct hwmap_ask *ask, struct groups *ret,
		struct err *e)
{
	size_t n = m->ndevices + 1; /* calloc of nothing may be NULL */
	bool *matches = calloc(n, sizeof(*matches));
	uint32_t *nics = calloc(n, sizeof(*nics));
	struct groups g = { 0 };
	int rc = -1;

	g.group = calloc(ASSIGN_GROUPS_MAX, sizeof(*g.group));
	g.nic = calloc(ASSIGN_GROUPS_MAX, sizeof(*g.nic));
	g.of = calloc(n, sizeof(*g.of));
	if (matches && nics && g.group && g.nic && g.of)
		rc = groups_fill(m, ask, &g, matches, nics, e);
	else
		err_set(e, "out of memory");
	free(matches);
	free(nics);
	if (rc == 0)
		*ret = g;
	else
		groups_done(&g);
	return rc;
}
