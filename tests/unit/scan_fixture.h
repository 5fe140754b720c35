/* SPDX-License-Identifier: BSD-3-Clause */
/* scan_fixture.h - what the tests of scans have in common: a tree like /sys, its map, and what is noted. */
#ifndef BERTH_SCAN_FIXTURE_H
#define BERTH_SCAN_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "../../hwmap/map.h"
#include "../../hwmap/notes.h"
#include "../hwmap/machines.h"
#include "unit.h"

static struct tree tree;
static struct hwmap *map;
static struct hwmap_notes notes;

static inline void setup(void)
{
	tree_temp(&tree);
}

static inline void teardown(void)
{
	hwmap_free(map);
	hwmap_notes_done(&notes);
	tree_remove(&tree);
	map = NULL;
}

static inline void scan_with(const char *topology)
{
	struct hwmap_source src = { tree.dir, topology };
	struct err e = { "" };

	hwmap_free(map);
	hwmap_notes_done(&notes);
	map = NULL;
	ck_assert_msg(hwmap_scan(&src, &map, &notes, &e) == 0, "%s", e.text);
	ck_assert_msg(hwmap_check(map, &e) == 0, "%s", e.text);
	ck_assert_str_eq(map->stamp, "");
	ck_assert(!hwmap_fresh(map));
}

static inline void scan(const char *machine)
{
	ck_assert_int_eq(machines_make(machine, &tree), 0);
	scan_with(NULL);
}

static inline void no_notes(void)
{
	ck_assert_msg(notes.n == 0, "noted: %s", notes.n ? notes.lines[0] : "");
}

static inline void noted(const char *what)
{
	for (size_t i = 0; i < notes.n; i++)
		if (strstr(notes.lines[i], what))
			return;
	ck_abort_msg("nothing is noted of %s", what);
}

/* "ROLE STATE ibdev uverbs major:minor netdev driver pci pf vfio numa slots/busy" */
static inline void device(uint32_t i, const char *expected)
{
	static const char *const roles[] = { "PF", "VF", "POOLED", "SOFT" };
	static const char *const states[] = { "?", "DOWN", "INIT", "ACTIVE" };
	const struct hwmap_device *d = hwmap_device(map, i);
	char text[1024];

	ck_assert_msg(d != NULL, "there is no device %u", i);
#define OR_NONE(X) (d->X[0] ? d->X : "-")
	snprintf(text, sizeof(text), "%s %s %s %s %u:%u %s %s %s %s %s %d %u/%u", roles[d->role],
		 states[d->state], OR_NONE(ibdev), OR_NONE(uverbs), d->major, d->minor,
		 OR_NONE(netdev), OR_NONE(driver), OR_NONE(pci), OR_NONE(pf), OR_NONE(vfio),
		 d->numa, d->slots, d->busy);
	ck_assert_str_eq(text, expected);
}

/* The nearest CPUs, and the distance to each place: "0-7: 10 21". */
static inline void distances(uint32_t i, const char *expected)
{
	char text[512], cpus[128];
	int n;

	ck_assert_uint_lt(i, map->ndevices);
	n = snprintf(text, sizeof(text),
		     "%s:", hwmap_cpus_text(&map->devices[i].cpus, cpus, sizeof(cpus)));
	for (uint32_t p = 0; p < map->nplaces; p++) {
		unsigned d = map->distance[i * map->nplaces + p];

		n += snprintf(text + n, sizeof(text) - (size_t)n, d == HWMAP_FAR ? " far" : " %u",
			      d);
	}
	ck_assert_str_eq(text, expected);
}

/* "CPUS@NUMA/PACKAGE ..." */
static inline void places(const char *expected)
{
	char text[1024] = "", cpus[128];
	int n = 0;

	for (uint32_t p = 0; p < map->nplaces; p++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%s@%d/%u", p ? " " : "",
			      hwmap_cpus_text(&map->places[p].cpus, cpus, sizeof(cpus)),
			      map->places[p].numa, map->places[p].package);
	ck_assert_str_eq(text, expected);
}

#endif
