/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Devices become groups (groups.h), ranks become kinds, assign.h decides how many slots of
 * which group a kind gets, and here they are handed out.
 */
#include "pick.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "refuse.h"
#include "weigh.h"

/* Slots times groups times groups and kinds: at this, some seconds (docs/choice.md). */
#define PICK_WORK_MAX (UINT64_C(1) << 30)

/* Ranks that are equally far from all groups, and may have the same ones. */
struct kinds {
	uint32_t n;
	uint32_t *of;	 /* rank: its kind; all of them 0 with per_node */
	uint32_t *ranks; /* kind: how many; with per_node they count as one */
	uint32_t *far;	 /* as assign.h has it */
	uint32_t *cost;	 /* the same memory, but with per_node */
};

uint32_t pick_rail(const struct hwmap_ask *ask, const struct groups *g, uint32_t r)
{
	return r % (ask->rails ? ask->rails : g->nnics);
}

static void kinds_done(struct kinds *k)
{
	if (k->cost != k->far)
		free(k->cost);
	free(k->of);
	free(k->ranks);
	free(k->far);
}

static int kinds_new(struct kinds *k, const struct hwmap_ask *ask, const struct groups *g)
{
	size_t cells = (size_t)(ask->per_node ? 2 : ask->nranks) * g->ngroups;

	*k = (struct kinds){ 0 };
	k->of = calloc(ask->nranks, sizeof(*k->of));
	k->ranks = calloc(ask->nranks, sizeof(*k->ranks));
	k->far = calloc(cells, sizeof(*k->far));
	k->cost = ask->per_node ? calloc(g->ngroups, sizeof(*k->cost)) : k->far;
	if (k->of && k->ranks && k->far && k->cost)
		return 0;
	kinds_done(k);
	return -1;
}

/* How far all groups are from rank r; ASSIGN_NEVER for those that the policy forbids. */
static void pick_row(const struct hwmap *m, const struct hwmap_ask *ask, const struct groups *g,
		     uint32_t r, uint32_t *row)
{
	uint32_t nearest = HWMAP_FAR;
	struct weights w;

	weigh_cpus(m, ask->ranks[r], &w);
	for (uint32_t i = 0; i < g->ngroups; i++) {
		row[i] = weigh_distance(m, g->group[i].device, &w);
		if (row[i] < nearest)
			nearest = row[i];
	}
	for (uint32_t i = 0; i < g->ngroups; i++) {
		if (ask->policy == HWMAP_LOCAL && row[i] > nearest)
			row[i] = ASSIGN_NEVER;
		if (ask->policy == HWMAP_RAIL && g->group[i].nic != pick_rail(ask, g, r))
			row[i] = ASSIGN_NEVER;
	}
}

/* A kind for each rank whose like was not there before. */
static void kinds_fill(struct kinds *k, const struct hwmap *m, const struct hwmap_ask *ask,
		       const struct groups *g)
{
	size_t size = g->ngroups * sizeof(*k->far);

	for (uint32_t r = 0; r < ask->nranks; r++) {
		uint32_t *row = &k->far[(size_t)k->n * g->ngroups];
		uint32_t same = 0;

		pick_row(m, ask, g, r, row);
		while (same < k->n && memcmp(&k->far[(size_t)same * g->ngroups], row, size) != 0)
			same++;
		if (same == k->n)
			k->n++;
		k->of[r] = same;
		k->ranks[same]++;
	}
}

/* One kind of one rank: as far as the farthest, and costs what it costs all of them. */
static void kinds_fill_shared(struct kinds *k, const struct hwmap *m, const struct hwmap_ask *ask,
			      const struct groups *g)
{
	uint32_t *row = &k->far[g->ngroups];

	for (uint32_t r = 0; r < ask->nranks; r++) {
		pick_row(m, ask, g, r, row);
		for (uint32_t i = 0; i < g->ngroups; i++) {
			if (row[i] > k->far[i])
				k->far[i] = row[i];
			if (row[i] != ASSIGN_NEVER)
				k->cost[i] += row[i];
		}
	}
	k->n = 1;
	k->ranks[0] = 1;
}

static int pick_check(const struct hwmap_ask *ask, struct err *e)
{
	if (ask->policy > HWMAP_RAIL)
		return err_set(e, "policy %d is not known", (int)ask->policy);
	if (ask->nranks == 0 || ask->nranks > HWMAP_RANKS_MAX)
		return err_set(e, "%u ranks ask for devices, expected 1 to %d", ask->nranks,
			       HWMAP_RANKS_MAX);
	if (ask->count == 0)
		return err_set(e, "0 slots are asked for, expected at least 1");
	if ((uint64_t)ask->nranks * ask->count > ASSIGN_SLOTS_MAX)
		return err_set(e, "%u slots for each of %u ranks are asked for, at most %u in all",
			       ask->count, ask->nranks, ASSIGN_SLOTS_MAX);
	if (ask->per_node && ask->policy == HWMAP_RAIL)
		return err_set(e, "rails are given to ranks, slots per node to all of them: "
				  "ask for one of the two");
	return 0;
}

/* The groups of each slot of all kinds, kind by kind, and in each of them NIC by NIC. */
static void pick_list(const struct groups *g, const struct kinds *k, const uint32_t *given,
		      uint32_t *slots)
{
	uint32_t at = 0;

	for (uint32_t kind = 0; kind < k->n; kind++)
		for (uint32_t n = 0; n < g->nnics; n++)
			for (uint32_t i = g->nic[n].first; i != GROUPS_NONE; i = g->group[i].next)
				for (uint32_t c = given[(size_t)i * k->n + kind]; c > 0; c--)
					slots[at++] = i;
}

static int pick_by_distance(const void *a, const void *b)
{
	const struct hwmap_grant *x = a, *y = b;

	if (x->distance != y->distance)
		return x->distance < y->distance ? -1 : 1;
	return (x->device > y->device) - (x->device < y->device);
}

/* Where the next slot of a group is. */
struct cursor {
	uint32_t device, taken;
};

static uint32_t pick_take(const struct hwmap *m, const struct hwmap_ask *ask,
			  const struct groups *g, struct cursor *next, uint32_t group)
{
	struct cursor *c = &next[group];

	while (g->of[c->device] != group || c->taken == groups_room(m, ask, c->device)) {
		c->device++; /* ends, since no more is given than the group has room for */
		c->taken = 0;
	}
	c->taken++;
	return c->device;
}

/*
 * Hand out in turn: of a kind's slots, which are sorted by NIC, rank i of n gets number i,
 * i + n, i + 2n, ...  With at most c * n slots of one NIC among them, nobody gets more than c.
 */
static void pick_deal(const struct hwmap *m, const struct hwmap_ask *ask, const struct groups *g,
		      const struct kinds *k, const uint32_t *slots, struct cursor *next,
		      uint32_t *first, struct hwmap_grant *grants)
{
	uint32_t dealt = ask->per_node ? 1 : ask->nranks;

	for (uint32_t i = 0; i < g->ngroups; i++)
		next[i] = (struct cursor){ g->group[i].device, 0 };
	for (uint32_t kind = 1; kind < k->n; kind++)
		first[kind] = first[kind - 1] + k->ranks[kind - 1] * ask->count;
	for (uint32_t r = 0; r < dealt; r++) {
		uint32_t kind = k->of[r], at = first[kind]++;

		for (uint32_t c = 0; c < ask->count; c++, at += k->ranks[kind]) {
			struct hwmap_grant *grant = &grants[(size_t)r * ask->count + c];

			grant->device = pick_take(m, ask, g, next, slots[at]);
		}
	}
}

/* Distances, and each rank's nearest first. */
static void pick_finish(const struct hwmap *m, const struct hwmap_ask *ask,
			struct hwmap_grant *grants)
{
	struct weights w;

	for (uint32_t r = 0; r < ask->nranks; r++) {
		struct hwmap_grant *own = &grants[(size_t)r * ask->count];

		weigh_cpus(m, ask->ranks[r], &w);
		for (uint32_t c = 0; c < ask->count; c++) {
			if (ask->per_node)
				own[c].device = grants[c].device;
			own[c].distance = weigh_distance(m, own[c].device, &w);
		}
	}
	/* apart, since with per_node the first rank's are the others' */
	for (uint32_t r = 0; r < ask->nranks; r++)
		qsort(&grants[(size_t)r * ask->count], ask->count, sizeof(*grants),
		      pick_by_distance);
}

/* Of the kinds that may have full groups alone: the slots that they ask for. */
static uint32_t pick_wanted(const struct hwmap_ask *ask, const struct groups *g,
			    const struct kinds *k, const bool *full)
{
	uint32_t wanted = 0;

	for (uint32_t kind = 0; kind < k->n; kind++) {
		bool only = true;

		for (uint32_t i = 0; only && i < g->ngroups; i++)
			only = full[i] || k->far[(size_t)kind * g->ngroups + i] == ASSIGN_NEVER;
		if (only)
			wanted += k->ranks[kind] * ask->count;
	}
	return wanted;
}

static int pick_solve(const struct hwmap *m, const struct hwmap_ask *ask, const struct groups *g,
		      const struct kinds *k, uint32_t *given, bool *full, struct err *e)
{
	struct assign a = { .nkinds = k->n,
			    .ngroups = g->ngroups,
			    .nnics = g->nnics,
			    .count = ask->count,
			    .most = ask->policy == HWMAP_RAIL ? ask->count : 1,
			    .even_first = ask->policy == HWMAP_SPREAD,
			    .ranks = k->ranks,
			    .far = k->far,
			    .cost = k->cost };
	uint32_t *numbers = calloc(g->ngroups * 2 + g->nnics, sizeof(*numbers));
	uint32_t *room, *nic, *load;
	int rc;

	if (!numbers)
		return err_set(e, "out of memory");
	room = numbers;
	nic = room + g->ngroups;
	load = nic + g->ngroups;
	for (uint32_t i = 0; i < g->ngroups; i++) {
		room[i] = g->group[i].room;
		nic[i] = g->group[i].nic;
	}
	for (uint32_t n = 0; n < g->nnics; n++)
		load[n] = g->nic[n].load;
	a.room = room;
	a.nic = nic;
	a.load = load;
	rc = assign_solve(&a, given, full);
	free(numbers);
	if (rc == -ENOSPC)
		return refuse_full(m, ask, g, full, pick_wanted(ask, g, k, full), e);
	return rc < 0 ? err_sys(e, -rc, "cannot choose") : 0;
}

static int pick_choose(const struct hwmap *m, const struct hwmap_ask *ask, const struct groups *g,
		       const struct kinds *k, struct hwmap_choice *ret, struct err *e)
{
	uint32_t total = ask->count * (ask->per_node ? 1 : ask->nranks);
	uint32_t *given, *slots, *first;
	struct hwmap_grant *grants;
	struct cursor *next;
	bool *full;
	int rc = -1;

	if ((uint64_t)total * g->ngroups * (g->ngroups + k->n) > PICK_WORK_MAX)
		return err_set(e,
			       "%u slots of %u NICs or kinds of VFs, for %u kinds of ranks, are "
			       "too many to weigh: choose with a device pattern",
			       total, g->ngroups, k->n);
	/* one more than needed, lest analyzers see a calloc of nothing */
	given = calloc((size_t)g->ngroups * k->n + 1, sizeof(*given));
	slots = calloc(total + 1, sizeof(*slots));
	first = calloc(k->n + 1, sizeof(*first));
	grants = calloc((size_t)ask->nranks * ask->count + 1, sizeof(*grants));
	next = calloc(g->ngroups + 1, sizeof(*next));
	full = calloc(g->ngroups + 1, sizeof(*full));
	if (given && slots && first && grants && next && full)
		rc = pick_solve(m, ask, g, k, given, full, e);
	else
		err_set(e, "out of memory");
	if (rc == 0) {
		pick_list(g, k, given, slots);
		pick_deal(m, ask, g, k, slots, next, first, grants);
		pick_finish(m, ask, grants);
		*ret = (struct hwmap_choice){ ask->nranks, ask->count, grants };
		grants = NULL;
	}
	free(given);
	free(slots);
	free(first);
	free(grants);
	free(next);
	free(full);
	return rc;
}

int hwmap_pick(const struct hwmap *m, const struct hwmap_ask *ask, struct hwmap_choice *ret,
	       struct err *e)
{
	struct groups g;
	struct kinds k;
	int rc;

	if (pick_check(ask, e) < 0 || groups_make(m, ask, &g, e) < 0)
		return -1;
	if (g.ngroups == 0) {
		rc = refuse_nothing(m, ask, e);
	} else if (ask->policy == HWMAP_RAIL && ask->rails > g.nnics) {
		rc = refuse_rails(m, ask, &g, e);
	} else if (kinds_new(&k, ask, &g) < 0) {
		rc = err_set(e, "out of memory");
	} else {
		if (ask->per_node)
			kinds_fill_shared(&k, m, ask, &g);
		else
			kinds_fill(&k, m, ask, &g);
		rc = pick_choose(m, ask, &g, &k, ret, e);
		kinds_done(&k);
	}
	groups_done(&g);
	return rc;
}

void hwmap_choice_done(struct hwmap_choice *c)
{
	free(c->grants);
	*c = (struct hwmap_choice){ 0, 0, NULL };
}
