/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pick.h"
#include "weigh.h"

#define WHY_TEXT_MAX 512
#define WHY_NICS_MAX 3 /* nearer NICs that are named */

struct why {
	const struct hwmap *m;
	const struct hwmap_ask *ask;
	const struct hwmap_choice *c;
	uint32_t r; /* the rank */
	const struct hwmap_grant *grant;
	struct groups g;
	struct weights w; /* of the rank's CPUs */
	char text[WHY_TEXT_MAX];
};

__attribute__((format(printf, 2, 3))) static void why_say(struct why *y, const char *fmt, ...)
{
	size_t used = strlen(y->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(y->text + used, sizeof(y->text) - used, fmt, ap);
	va_end(ap);
}

static uint32_t why_distance(const struct why *y, uint32_t group)
{
	return weigh_distance(y->m, y->g.group[group].device, &y->w);
}

/* The distances of the nearest and the farthest group. */
static void why_range(const struct why *y, uint32_t *nearest, uint32_t *farthest)
{
	*nearest = HWMAP_FAR;
	*farthest = 0;
	for (uint32_t i = 0; i < y->g.ngroups; i++) {
		uint32_t d = why_distance(y, i);

		if (d < *nearest)
			*nearest = d;
		if (d > *farthest)
			*farthest = d;
	}
}

static bool why_bound(const struct why *y)
{
	static const struct hwmap_cpus none;
	const struct hwmap_cpus *cpus = y->ask->ranks[y->r];

	return cpus && memcmp(cpus, &none, sizeof(none)) != 0;
}

/* The NUMA node of all of the rank's CPUs, or -1. */
static int32_t why_numa(const struct why *y)
{
	int32_t ret = y->m->places[y->w.place[0]].numa;

	for (uint32_t i = 1; i < y->w.n; i++)
		if (y->m->places[y->w.place[i]].numa != ret)
			return -1;
	return ret;
}

/* Where the device is, seen from the rank. */
static void why_where(struct why *y, bool nearest)
{
	int32_t numa = y->m->devices[y->grant->device].numa, own = why_numa(y);
	const char *how = nearest ? "nearest: " : "";

	if (!y->w.known)
		why_say(y, why_bound(y) ? "the rank's CPUs are not in the map, "
					: "rank is not bound, ");
	if (y->grant->distance == HWMAP_FAR)
		why_say(y, "nobody knows how far it is");
	else if (!y->w.known || (own < 0 && y->w.n > 1))
		why_say(y, "%smean distance %u", how, y->grant->distance);
	else if (own >= 0 && own == numa)
		why_say(y, "same NUMA node %d", own);
	else if (numa >= 0)
		why_say(y, "%sNUMA node %d, distance %u", how, numa, y->grant->distance);
	else
		why_say(y, "%sdistance %u", how, y->grant->distance);
}

/* Slots of NIC n's groups nearer than the grant: *room for this choice, *taken by it. */
static bool why_nearer(const struct why *y, uint32_t n, uint32_t *room, uint32_t *taken, bool *own)
{
	bool nearer = false;

	*room = 0;
	*taken = 0;
	*own = false;
	for (uint32_t i = y->g.nic[n].first; i != GROUPS_NONE; i = y->g.group[i].next) {
		if (why_distance(y, i) >= y->grant->distance)
			continue;
		nearer = true;
		*room += y->g.group[i].room;
		for (uint32_t k = 0; k < y->c->nranks * y->c->count; k++) {
			if (y->g.of[y->c->grants[k].device] != i)
				continue;
			++*taken;
			if (k / y->c->count == y->r)
				*own = true;
		}
	}
	return nearer;
}

/* Why NIC n is not given instead; false: it isn't nearer. */
static bool why_not(struct why *y, uint32_t n, const char *before)
{
	const struct group_nic *nic = &y->g.nic[n];
	char name[HWMAP_NAME_MAX];
	uint32_t room, taken;
	bool own;

	if (!why_nearer(y, n, &room, &taken, &own))
		return false;
	groups_name(y->m, nic->device, name);
	why_say(y, "%s", before);
	if (own)
		why_say(y, "the rank has %s already", name);
	else if (room == 0 && nic->used == 0)
		why_say(y, "%s is down", name);
	else if (room == 0 && nic->down == 0)
		why_say(y, "all %u of %s are leased", nic->used, name);
	else if (room == 0)
		why_say(y, "%s is leased or down", name);
	else if (taken >= room)
		why_say(y, "other ranks have all of %s that was free", name);
	else
		why_say(y, "%s is in use %u times now", name, nic->load + taken);
	return true;
}

/* Which nearer NICs there are, and what is the matter with them. */
static void why_nearer_nics(struct why *y)
{
	uint32_t named = 0, more = 0, room, taken;
	bool own;

	for (uint32_t n = 0; n < y->g.nnics; n++) {
		if (named < WHY_NICS_MAX)
			named += why_not(y, n, named ? ", " : "");
		else
			more += why_nearer(y, n, &room, &taken, &own);
	}
	if (more > 0)
		why_say(y, ", and %u more", more);
}

/* Slots of the whole node: how far is the farthest of its ranks? */
static void why_shared(struct why *y)
{
	uint32_t worst = 0;

	for (uint32_t r = 0; r < y->c->nranks; r++) {
		uint32_t d = hwmap_distance(y->m, y->grant->device, y->ask->ranks[r]);

		if (d > worst)
			worst = d;
	}
	why_where(y, false);
	if (worst == HWMAP_FAR)
		why_say(y, ", shared by %u ranks", y->c->nranks);
	else
		why_say(y, ", shared by %u ranks, the farthest at %u", y->c->nranks, worst);
}

static void why_rank(struct why *y)
{
	uint32_t nearest, farthest;

	why_range(y, &nearest, &farthest);
	if (y->ask->policy == HWMAP_RAIL) {
		why_say(y, "rail %u of %u", pick_rail(y->ask, &y->g, y->r),
			y->ask->rails ? y->ask->rails : y->g.nnics);
	} else if (y->ask->per_node) {
		why_shared(y);
	} else if (nearest == farthest && y->grant->distance != HWMAP_FAR && !y->w.known) {
		why_say(y, why_bound(y) ? "the rank's CPUs are not in the map: "
					: "rank is not bound: ");
		why_say(y, "same distance everywhere");
	} else {
		why_where(y, y->grant->distance == nearest);
		if (y->grant->distance == nearest)
			return;
		why_say(y, y->ask->policy == HWMAP_SPREAD ? ", even load: "
							  : ", nearest that is free: ");
		why_nearer_nics(y);
	}
}

const char *hwmap_why(const struct hwmap *m, const struct hwmap_ask *ask,
		      const struct hwmap_choice *c, uint32_t r, uint32_t n, char *buf, size_t size)
{
	struct why y = { .m = m, .ask = ask, .c = c, .r = r };

	if (size == 0)
		return buf;
	buf[0] = '\0';
	if (r >= c->nranks || n >= c->count || groups_make(m, ask, &y.g, NULL) < 0)
		return buf;
	y.grant = &c->grants[(size_t)r * c->count + n];
	weigh_cpus(m, ask->ranks[r], &y.w);
	why_rank(&y);
	groups_done(&y.g);
	snprintf(buf, size, "%s", y.text);
	err_clean(buf, strlen(buf));
	return buf;
}
