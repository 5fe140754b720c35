/* SPDX-License-Identifier: BSD-3-Clause */
#include "places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "notes.h"

#define PLACES_LOCAL 10
#define PLACES_PART 11	  /* in the same NUMA node, but not where the device is */
#define PLACES_PACKAGE 15 /* where nobody tells */
#define PLACES_OTHER 20

#define WORDS (HWMAP_CPUS_MAX / 64)

static bool places_none(const struct hwmap_cpus *c)
{
	for (size_t i = 0; i < WORDS; i++)
		if (c->bits[i])
			return false;
	return true;
}

static bool places_meet(const struct hwmap_cpus *a, const struct hwmap_cpus *b)
{
	for (size_t i = 0; i < WORDS; i++)
		if (a->bits[i] & b->bits[i])
			return true;
	return false;
}

static unsigned places_first(const struct hwmap_cpus *c)
{
	for (size_t i = 0; i < WORDS; i++)
		if (c->bits[i])
			return (unsigned)(i * 64) + (unsigned)__builtin_ctzll(c->bits[i]);
	return 0;
}

/* Under construction. */
struct places_list {
	struct hwmap_place v[HWMAP_PLACES_MAX];
	uint32_t n;
};

static int places_by_node(const struct topo *t, struct places_list *l, struct err *e)
{
	for (unsigned cpu = 0; cpu < HWMAP_CPUS_MAX; cpu++) {
		int32_t numa;
		uint32_t p;

		if (!hwmap_cpus_has(&t->cpus, cpu))
			continue;
		numa = t->nodes[t->home[cpu]].os;
		for (p = 0; p < l->n; p++)
			if (l->v[p].numa == numa && l->v[p].package == t->package[cpu])
				break;
		if (p == HWMAP_PLACES_MAX)
			return err_set(e, "more than %d NUMA nodes have CPUs", HWMAP_PLACES_MAX);
		if (p == l->n) {
			memset(&l->v[p], 0, sizeof(l->v[p]));
			l->v[p].numa = numa;
			l->v[p].package = t->package[cpu];
			l->n++;
		}
		hwmap_cpus_set(&l->v[p].cpus, cpu);
	}
	return 0;
}

/* Part each place into what a seat's CPUs have of it and the rest.  -1: no room. */
static int places_part(struct places_list *l, const struct hwmap_cpus *seat)
{
	for (uint32_t p = 0, n = l->n; p < n; p++) {
		struct hwmap_place in = l->v[p], out = l->v[p];

		for (size_t i = 0; i < WORDS; i++) {
			in.cpus.bits[i] &= seat->bits[i];
			out.cpus.bits[i] &= ~seat->bits[i];
		}
		if (places_none(&in.cpus) || places_none(&out.cpus))
			continue;
		if (l->n == HWMAP_PLACES_MAX)
			return -1;
		l->v[p] = in;
		l->v[l->n++] = out;
	}
	return 0;
}

static int places_order(const void *a, const void *b)
{
	unsigned x = places_first(&((const struct hwmap_place *)a)->cpus);
	unsigned y = places_first(&((const struct hwmap_place *)b)->cpus);

	return (x > y) - (x < y);
}

int places_divide(const struct topo *t, const struct places_seat *seats, size_t nseats,
		  struct hwmap_place **ret, struct hwmap_notes *notes, struct err *e)
{
	struct places_list *l = calloc(1, sizeof(*l));
	struct hwmap_place *v;
	int n;

	if (!l)
		return err_sys(e, ENOMEM, "places");
	if (places_by_node(t, l, e) < 0) {
		free(l);
		return -1;
	}
	for (size_t i = 0; i < nseats; i++) {
		/* most devices have their neighbour's seat */
		if (i && memcmp(&seats[i].cpus, &seats[i - 1].cpus, sizeof(seats[i].cpus)) == 0)
			continue;
		if (places_part(l, &seats[i].cpus) == 0)
			continue;
		notes_add(notes, "devices are near to too many different sets of CPUs, so only "
				 "their NUMA nodes count");
		l->n = 0;
		places_by_node(t, l, e); /* had room before */
		break;
	}
	qsort(l->v, l->n, sizeof(l->v[0]), places_order);
	n = (int)l->n;
	v = realloc(l, l->n * sizeof(l->v[0])); /* v is the first member */
	*ret = v ? v : &l->v[0];
	return n;
}

static int places_node(const struct topo *t, int32_t os)
{
	for (uint32_t i = 0; i < t->nnodes; i++)
		if (t->nodes[i].os == os)
			return (int)i;
	return -1;
}

/* Whether from has a node of its own package at the distance d. */
static bool places_package_has(const struct topo *t, uint32_t from, uint16_t d)
{
	for (uint32_t i = 0; i < t->nnodes; i++)
		if (t->nodes[i].package == t->nodes[from].package &&
		    t->latency[from * t->nnodes + i] == d)
			return true;
	return false;
}

static uint16_t places_between(const struct topo *t, uint32_t from, uint32_t to)
{
	bool apart = t->nodes[from].package != t->nodes[to].package;
	uint16_t d;

	if (from == to)
		return PLACES_LOCAL;
	if (!t->latency)
		return apart ? PLACES_OTHER : PLACES_PACKAGE;
	d = t->latency[from * t->nnodes + to];
	if (apart && t->nodes[from].package != TOPO_NONE && places_package_has(t, from, d))
		d++;
	return d;
}

/* From a seat with CPUs to a place; set: the seat's CPUs. */
static uint16_t places_from_cpus(const struct topo *t, const struct hwmap_cpus *set,
				 const struct hwmap_place *p, uint32_t to)
{
	uint16_t d = HWMAP_FAR, here;

	if (places_meet(set, &p->cpus))
		return PLACES_LOCAL;
	for (uint32_t i = 0; i < t->nnodes; i++) {
		if (!places_meet(set, &t->nodes[i].cpus))
			continue;
		here = i == to ? PLACES_PART : places_between(t, i, to);
		if (here < d)
			d = here;
	}
	return d;
}

void places_distances(const struct topo *t, const struct hwmap_place *places, uint32_t n,
		      const struct places_seat *seat, uint16_t *row, struct hwmap_cpus *near)
{
	int node = places_node(t, seat->numa);
	const struct hwmap_cpus *set = &seat->cpus;
	uint16_t least = HWMAP_FAR;

	memset(near, 0, sizeof(*near));
	if (places_none(set) && node >= 0)
		set = &t->nodes[node].cpus;
	for (uint32_t p = 0; p < n; p++) {
		int to = places_node(t, places[p].numa);

		if (!places_none(set))
			row[p] = places_from_cpus(t, set, &places[p], (uint32_t)to);
		else if (node >= 0)
			row[p] = places_between(t, (uint32_t)node, (uint32_t)to);
		else
			row[p] = n == 1 || t->nnodes == 1 ? PLACES_LOCAL : HWMAP_FAR;
		if (row[p] < least)
			least = row[p];
	}
	for (uint32_t p = 0; least < HWMAP_FAR && p < n; p++)
		for (size_t i = 0; row[p] == least && i < WORDS; i++)
			near->bits[i] |= places[p].cpus.bits[i];
}
