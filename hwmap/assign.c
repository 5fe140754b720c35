/* SPDX-License-Identifier: BSD-3-Clause */
#include "assign.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX	   /* no group, or no kind */
#define NO_STEP INT32_MAX  /* nobody can move there */
#define OLD_STEP INT32_MIN /* the one who moved best can't any more: to be looked for again */
#define NO_PATH INT64_MAX

/*
 * A path's length is its distance, then how many groups it passes.  The latter keeps paths
 * free of circles of length 0, and from using one rank's leave for one NIC twice.
 */
#define PATH_GROUPS (INT64_C(1) << 16)

struct solver {
	const struct assign *a;
	const uint32_t *price; /* what a path adds up: a->far or a->cost */
	bool worst;	       /* a path is as long as its farthest slot, not the sum */
	bool even_first;
	uint32_t limit;	   /* what is farther is not given */
	uint32_t most;	   /* slots of one NIC for each rank */
	uint32_t farthest; /* with worst: no path counts as shorter; the longest one taken */

	uint32_t *given; /* [g * nkinds + k] */
	uint32_t *has;	 /* [k * nnics + n]: slots of NIC n that kind k has */
	uint32_t *left;	 /* [g] */
	uint32_t *load;	 /* [n] */

	int32_t *step;	 /* [g * ngroups + h]: what the best move of one slot from g to h adds */
	uint32_t *mover; /* of the same shape: the kind that moves */

	int64_t *path;	/* [g]: length of the shortest path found */
	uint32_t *from; /* [g]: the group before on that path; NONE: it starts here */
	uint32_t *via;	/* [g]: the kind that moves here; NONE: the slot before is taken instead */
	int64_t shortest; /* of the paths to groups with slots left; with even_first, to the
			     NICs with the least load among these */
	uint32_t least;	  /* that load */
	uint32_t *queue;  /* a ring: groups from which to go on */
	uint32_t head, waiting;
	bool *queued;
};

static void solver_done(struct solver *s)
{
	free(s->has);
	free(s->left);
	free(s->load);
	free(s->step);
	free(s->mover);
	free(s->path);
	free(s->from);
	free(s->via);
	free(s->queue);
	free(s->queued);
}

static int solver_new(struct solver *s, const struct assign *a, uint32_t *given)
{
	size_t n = a->ngroups;

	*s = (struct solver){ .a = a, .given = given, .most = a->most };
	s->has = calloc((size_t)a->nkinds * a->nnics, sizeof(*s->has));
	s->left = calloc(n, sizeof(*s->left));
	s->load = calloc(a->nnics, sizeof(*s->load));
	s->step = calloc(n * n, sizeof(*s->step));
	s->mover = calloc(n * n, sizeof(*s->mover));
	s->path = calloc(n, sizeof(*s->path));
	s->from = calloc(n, sizeof(*s->from));
	s->via = calloc(n, sizeof(*s->via));
	s->queue = calloc(n, sizeof(*s->queue));
	s->queued = calloc(n, sizeof(*s->queued));
	if (s->has && s->left && s->load && s->step && s->mover && s->path && s->from && s->via &&
	    s->queue && s->queued)
		return 0;
	solver_done(s);
	return -ENOMEM;
}

static void solver_reset(struct solver *s)
{
	const struct assign *a = s->a;

	memset(s->given, 0, (size_t)a->ngroups * a->nkinds * sizeof(*s->given));
	memset(s->has, 0, (size_t)a->nkinds * a->nnics * sizeof(*s->has));
	memcpy(s->left, a->room, a->ngroups * sizeof(*s->left));
	memcpy(s->load, a->load, a->nnics * sizeof(*s->load));
	for (size_t i = 0; i < (size_t)a->ngroups * a->ngroups; i++)
		s->step[i] = NO_STEP;
}

/* May kind k have one slot of group g more, coming from NIC n (NONE: it is a new one)? */
static bool solver_may(const struct solver *s, uint32_t k, uint32_t g, uint32_t n)
{
	const struct assign *a = s->a;
	uint32_t to = a->nic[g];

	if (a->far[(size_t)k * a->ngroups + g] > s->limit)
		return false;
	return to == n || s->has[(size_t)k * a->nnics + to] < s->most * a->ranks[k];
}

/* Kind k, which has slots of group g, could move one to group h: note it if that is best. */
static void solver_offer(struct solver *s, uint32_t k, uint32_t g, uint32_t h)
{
	const struct assign *a = s->a;
	const uint32_t *price = &s->price[(size_t)k * a->ngroups];
	int32_t *step = &s->step[(size_t)g * a->ngroups + h];
	int32_t adds = (int32_t)price[h] - (s->worst ? 0 : (int32_t)price[g]);

	if (h == g || adds >= *step || !solver_may(s, k, h, a->nic[g]))
		return;
	*step = adds;
	s->mover[(size_t)g * a->ngroups + h] = k;
}

/* Kind k can't move from group g to group h any more. */
static void solver_drop(struct solver *s, uint32_t k, uint32_t g, uint32_t h)
{
	size_t at = (size_t)g * s->a->ngroups + h;

	if (s->step[at] != NO_STEP && s->mover[at] == k)
		s->step[at] = OLD_STEP;
}

static int32_t solver_step(struct solver *s, uint32_t g, uint32_t h)
{
	int32_t *step = &s->step[(size_t)g * s->a->ngroups + h];
	const uint32_t *given = &s->given[(size_t)g * s->a->nkinds];

	if (*step == OLD_STEP) {
		*step = NO_STEP;
		for (uint32_t k = 0; k < s->a->nkinds; k++)
			if (given[k])
				solver_offer(s, k, g, h);
	}
	return *step;
}

static int64_t path_distance(int64_t path)
{
	return (path & ~(PATH_GROUPS - 1)) / PATH_GROUPS;
}

/* The length of a path of that length that goes on by adds. */
static int64_t solver_longer(const struct solver *s, int64_t path, int32_t adds)
{
	int64_t far = path_distance(path);

	if (!s->worst)
		far += adds;
	else if (adds > far)
		far = adds;
	return far * PATH_GROUPS + (path & (PATH_GROUPS - 1)) + 1;
}

/* Is the path that ends in group g better than the one that ends in best? */
static bool solver_better(const struct solver *s, uint32_t g, uint32_t best)
{
	int64_t far, best_far;
	uint32_t load, best_load;

	if (best == NONE)
		return true;
	far = path_distance(s->path[g]);
	best_far = path_distance(s->path[best]);
	load = s->load[s->a->nic[g]];
	best_load = s->load[s->a->nic[best]];
	if (s->even_first && load != best_load)
		return load < best_load;
	if (far != best_far)
		return far < best_far;
	if (!s->worst && load != best_load)
		return load < best_load;
	return s->path[g] < s->path[best];
}

/* A path to group g: put it in the queue if it is the shortest so far. */
static void solver_reach(struct solver *s, uint32_t g, int64_t path, uint32_t from, uint32_t via)
{
	if (path >= s->path[g])
		return;
	s->path[g] = path;
	s->from[g] = from;
	s->via[g] = via;
	if (s->left[g] > 0 && path < s->shortest &&
	    (!s->even_first || s->load[s->a->nic[g]] == s->least))
		s->shortest = path;
	if (s->queued[g])
		return;
	s->queued[g] = true;
	s->queue[(s->head + s->waiting++) % s->a->ngroups] = g;
}

/*
 * Can no path that goes on from group g be the best?  What goes on never gets shorter: else
 * it would have been worth while to move the ranks on it before.  If that would have been
 * less even, it can: then all paths have to be looked at.
 */
static bool solver_hopeless(const struct solver *s, uint32_t g)
{
	if (s->worst)
		return s->path[g] >= s->shortest;
	return !s->even_first && path_distance(s->path[g]) > path_distance(s->shortest);
}

/* All paths that go on from group g. */
static void solver_go_on(struct solver *s, uint32_t g)
{
	const struct assign *a = s->a;

	for (uint32_t h = 0; h < a->ngroups; h++) {
		int32_t adds = solver_step(s, g, h);

		if (adds != NO_STEP)
			solver_reach(s, h, solver_longer(s, s->path[g], adds), g,
				     s->mover[(size_t)g * a->ngroups + h]);
		if (a->nic[h] == a->nic[g] && h != g && s->left[g] > 0)
			solver_reach(s, h, s->path[g] + 1, g, NONE);
	}
}

/* The group where the best way to give kind k one more slot ends, or NONE. */
static uint32_t solver_search(struct solver *s, uint32_t k)
{
	const struct assign *a = s->a;
	uint32_t best = NONE;

	s->shortest = NO_PATH;
	s->head = 0;
	s->waiting = 0;
	s->least = UINT32_MAX;
	for (uint32_t g = 0; g < a->ngroups; g++) {
		s->path[g] = NO_PATH;
		if (s->left[g] > 0 && s->load[a->nic[g]] < s->least)
			s->least = s->load[a->nic[g]];
	}
	for (uint32_t g = 0; g < a->ngroups; g++) {
		uint32_t far = s->price[(size_t)k * a->ngroups + g];

		if (!solver_may(s, k, g, NONE))
			continue;
		if (s->worst && far < s->farthest) /* all the same, then */
			far = s->farthest;
		solver_reach(s, g, far * PATH_GROUPS, NONE, NONE);
	}
	while (s->waiting > 0) {
		uint32_t g = s->queue[s->head];

		s->head = (s->head + 1) % a->ngroups;
		s->waiting--;
		s->queued[g] = false;
		if (!solver_hopeless(s, g))
			solver_go_on(s, g);
	}
	for (uint32_t g = 0; g < a->ngroups; g++)
		if (s->path[g] != NO_PATH && s->left[g] > 0 && solver_better(s, g, best))
			best = g;
	return best;
}

/* Kind k may now, or may no longer, move to the groups of NIC n from those where it is. */
static void solver_open(struct solver *s, uint32_t k, uint32_t n, bool may)
{
	const struct assign *a = s->a;

	if (s->most >= a->count) /* then nobody ever wants more */
		return;
	for (uint32_t g = 0; g < a->ngroups; g++) {
		if (!s->given[(size_t)g * a->nkinds + k] || a->nic[g] == n)
			continue;
		for (uint32_t h = 0; h < a->ngroups; h++) {
			if (a->nic[h] != n)
				continue;
			if (may)
				solver_offer(s, k, g, h);
			else
				solver_drop(s, k, g, h);
		}
	}
}

static void solver_get(struct solver *s, uint32_t k, uint32_t g)
{
	const struct assign *a = s->a;
	uint32_t n = a->nic[g];

	if (++s->has[(size_t)k * a->nnics + n] == s->most * a->ranks[k])
		solver_open(s, k, n, false);
	if (s->given[(size_t)g * a->nkinds + k]++ == 0)
		for (uint32_t h = 0; h < a->ngroups; h++)
			solver_offer(s, k, g, h);
}

static void solver_lose(struct solver *s, uint32_t k, uint32_t g)
{
	const struct assign *a = s->a;
	uint32_t n = a->nic[g];

	if (--s->given[(size_t)g * a->nkinds + k] == 0)
		for (uint32_t h = 0; h < a->ngroups; h++)
			solver_drop(s, k, g, h);
	if (s->has[(size_t)k * a->nnics + n]-- == s->most * a->ranks[k])
		solver_open(s, k, n, true);
}

/* Give kind k one slot more by the path that ends in group g. */
static void solver_give(struct solver *s, uint32_t k, uint32_t g)
{
	if (s->worst)
		s->farthest = (uint32_t)path_distance(s->path[g]);
	s->left[g]--;
	s->load[s->a->nic[g]]++;
	for (; s->from[g] != NONE; g = s->from[g]) {
		if (s->via[g] != NONE) {
			solver_lose(s, s->via[g], s->from[g]);
			solver_get(s, s->via[g], g);
		} else {
			s->left[g]++;
			s->left[s->from[g]]--;
		}
	}
	solver_get(s, k, g);
}

/* More is allowed: who moves best has to be looked for again. */
static void solver_forget(struct solver *s)
{
	for (size_t i = 0; i < (size_t)s->a->ngroups * s->a->ngroups; i++)
		s->step[i] = OLD_STEP;
}

/* Give all ranks their slots, from none.  -ENOSPC as assign_solve; most may have grown. */
static int solver_fill(struct solver *s)
{
	const struct assign *a = s->a;

	solver_reset(s);
	for (uint32_t k = 0; k < a->nkinds; k++) {
		for (uint32_t i = 0; i < a->ranks[k] * a->count; i++) {
			uint32_t g = solver_search(s, k);

			while (g == NONE && s->most < a->count) {
				s->most++;
				solver_forget(s);
				g = solver_search(s, k);
			}
			if (g == NONE)
				return -ENOSPC;
			solver_give(s, k, g);
		}
	}
	return 0;
}

/* By how much the sum of squares has grown. */
static uint64_t solver_unevenness(const struct solver *s)
{
	uint64_t ret = 0;

	for (uint32_t n = 0; n < s->a->nnics; n++)
		ret += (uint64_t)(s->load[n] - s->a->load[n]) *
		       ((uint64_t)s->load[n] + s->a->load[n]);
	return ret;
}

static int solver_by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The distances there are above low, in order; the caller frees *ret. */
static int solver_distances(const struct assign *a, uint32_t low, uint32_t **ret, size_t *n)
{
	size_t all = (size_t)a->nkinds * a->ngroups, kept = 0, once = 0;
	uint32_t *v = calloc(all, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < all; i++)
		if (a->far[i] > low && a->far[i] != ASSIGN_NEVER)
			v[kept++] = a->far[i];
	qsort(v, kept, sizeof(*v), solver_by_value);
	for (size_t i = 0; i < kept; i++)
		if (once == 0 || v[once - 1] != v[i])
			v[once++] = v[i];
	*ret = v;
	*n = once;
	return 0;
}

/* Fill so that the worst distance is least; as evenly as can be where it may be that much. */
static int solver_fill_worst(struct solver *s, uint32_t limit, bool even)
{
	s->worst = true;
	s->price = s->a->far;
	s->limit = limit;
	s->even_first = even;
	s->farthest = even ? limit : 0;
	return solver_fill(s);
}

/* Fill so that the sum of costs is least where no distance is above limit. */
static int solver_fill_sum(struct solver *s, uint32_t limit)
{
	s->worst = false;
	s->price = s->a->cost;
	s->limit = limit;
	s->even_first = s->a->even_first;
	return solver_fill(s);
}

/*
 * The most even way whose farthest distance is least.  The lower the limit, the less even it
 * can be: look for the least limit that costs no evenness, from low, below which nothing fits.
 * Mostly that is low itself.
 */
static int solver_even(struct solver *s, uint32_t low)
{
	uint32_t *limits;
	uint64_t least;
	size_t n, from = 0, to;
	int rc;

	rc = solver_fill_worst(s, ASSIGN_COST_MAX, true);
	if (rc < 0)
		return rc;
	least = solver_unevenness(s);
	rc = solver_fill_sum(s, low);
	if (rc < 0 || solver_unevenness(s) == least)
		return rc;
	rc = solver_distances(s->a, low, &limits, &n);
	if (rc < 0)
		return rc;
	for (to = n - 1; rc == 0 && from < to;) { /* limits[to] does */
		size_t at = from + (to - from) / 2;

		rc = solver_fill_worst(s, limits[at], true);
		if (solver_unevenness(s) == least)
			to = at;
		else
			from = at + 1;
	}
	if (rc == 0)
		rc = solver_fill_sum(s, limits[to]);
	free(limits);
	return rc;
}

static int solver_run(struct solver *s)
{
	uint32_t most = s->most;
	int rc;

	rc = solver_fill_worst(s, ASSIGN_COST_MAX, false);
	if (rc == 0 && s->most != most) /* some slots were given while less was allowed */
		rc = solver_fill_worst(s, ASSIGN_COST_MAX, false);
	if (rc < 0)
		return rc;
	return s->a->even_first ? solver_even(s, s->farthest) : solver_fill_sum(s, s->farthest);
}

int assign_solve(const struct assign *a, uint32_t *given, bool *full)
{
	uint64_t slots = 0;
	struct solver s;
	int rc;

	if (a->nkinds == 0 || a->ngroups == 0 || a->nnics == 0)
		return -EINVAL;
	for (uint32_t k = 0; k < a->nkinds; k++)
		slots += (uint64_t)a->ranks[k] * a->count;
	if (a->ngroups > ASSIGN_GROUPS_MAX || slots > ASSIGN_SLOTS_MAX)
		return -E2BIG;
	rc = solver_new(&s, a, given);
	if (rc < 0)
		return rc;
	rc = solver_run(&s);
	if (rc == -ENOSPC)
		for (uint32_t g = 0; g < a->ngroups; g++)
			full[g] = s.path[g] != NO_PATH;
	solver_done(&s);
	return rc;
}
