/* SPDX-License-Identifier: BSD-3-Clause */
/* pick_fixture.h - what the tests of choices have in common: a node, its ranks, and what is chosen. */
#ifndef BERTH_PICK_FIXTURE_H
#define BERTH_PICK_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "../../hwmap/map.h"
#include "unit.h"

#define RANKS_MAX 64

struct fixture {
	struct hwmap *m;
	struct hwmap_cpus cpus[RANKS_MAX];
	const struct hwmap_cpus *ranks[RANKS_MAX];
	struct hwmap_ask ask;
	struct hwmap_choice c;
};

static struct fixture f;

/* A node of places with four CPUs each, one NUMA node each, all devices far from everything. */
static inline void node(uint32_t ndevices, uint32_t nplaces)
{
	memset(&f, 0, sizeof(f));
	f.m = hwmap_new(ndevices, nplaces);
	ck_assert_ptr_nonnull(f.m);
	for (uint32_t p = 0; p < nplaces; p++) {
		for (uint32_t cpu = 0; cpu < 4; cpu++)
			hwmap_cpus_set(&f.m->places[p].cpus, 4 * p + cpu);
		f.m->places[p].numa = (int32_t)p;
	}
	f.ask.ranks = f.ranks;
	f.ask.count = 1;
}

/* Device i is NIC nic's, on that NUMA node; distances for each place. */
static inline void device(uint32_t i, uint32_t nic, int32_t numa, uint32_t slots,
			  const uint16_t *row)
{
	struct hwmap_device *d = &f.m->devices[i];

	d->role = slots == 1 ? HWMAP_VF : HWMAP_POOLED;
	d->state = HWMAP_STATE_ACTIVE;
	d->nic = nic;
	d->numa = numa;
	d->slots = slots;
	snprintf(d->ibdev, sizeof(d->ibdev), "usnic_%u", i);
	snprintf(d->netdev, sizeof(d->netdev), "eth%u", i);
	snprintf(d->uverbs, sizeof(d->uverbs), "uverbs%u", i);
	snprintf(d->pf, sizeof(d->pf), "0000:%02x:00.0", nic + 6);
	snprintf(d->pci, sizeof(d->pci), "0000:%02x:00.%u", nic + 6, slots == 1 ? i % 8 : 0);
	snprintf(d->driver, sizeof(d->driver), "enic");
	if (row)
		memcpy(&f.m->distance[i * f.m->nplaces], row, f.m->nplaces * sizeof(*row));
}

/* Two sockets, one pooled NIC of so many slots at each. */
static inline void two_sockets(uint32_t slots)
{
	node(2, 2);
	device(0, 0, 0, slots, (uint16_t[]){ 10, 21 });
	device(1, 1, 1, slots, (uint16_t[]){ 21, 10 });
}

/* One more rank on these CPUs; NULL: not bound. */
static inline void rank(const char *cpus)
{
	uint32_t r = f.ask.nranks++;

	ck_assert_uint_lt(r, RANKS_MAX);
	if (!cpus)
		return;
	ck_assert_int_eq(hwmap_cpus_parse(cpus, &f.cpus[r]), 0);
	f.ranks[r] = &f.cpus[r];
}

static inline void ranks(uint32_t n, const char *cpus)
{
	while (n-- > 0)
		rank(cpus);
}

static inline void done(void)
{
	hwmap_choice_done(&f.c);
	hwmap_free(f.m);
	f.m = NULL;
}

/* The choice, as "0 1 1": devices, rank by rank, a rank's ones joined by '+'. */
static inline void picks(const char *expected)
{
	char text[1024] = "";
	struct err e = { "" };

	hwmap_choice_done(&f.c);
	ck_assert_msg(hwmap_pick(f.m, &f.ask, &f.c, &e) == 0, "%s", e.text);
	for (uint32_t i = 0; i < f.c.nranks * f.c.count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u",
			 i == 0		      ? ""
			 : i % f.c.count == 0 ? " "
					      : "+",
			 f.c.grants[i].device);
	ck_assert_str_eq(text, expected);
}

static inline void why(uint32_t r, uint32_t n, const char *expected)
{
	char text[256];

	ck_assert_str_eq(hwmap_why(f.m, &f.ask, &f.c, r, n, text, sizeof(text)), expected);
}

static inline void distance(uint32_t r, uint32_t n, uint32_t expected)
{
	ck_assert_uint_eq(f.c.grants[r * f.c.count + n].distance, expected);
}

static inline void refused(const char *expected)
{
	struct hwmap_choice c = { 7, 7, NULL };
	struct err e = { "" };

	ck_assert_int_eq(hwmap_pick(f.m, &f.ask, &c, &e), -1);
	ck_assert_str_eq(e.text, expected);
	ck_assert_uint_eq(c.nranks, 7); /* left alone */
}

#endif
