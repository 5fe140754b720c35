/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * weigh.h - hwmap_distance, and the same for many devices from CPUs that are looked at once.
 */
#ifndef BERTH_HWMAP_WEIGH_H
#define BERTH_HWMAP_WEIGH_H

#include "map.h"

struct weights {
	bool known; /* some of the CPUs are the map's; else all CPUs of the node count */
	uint32_t n; /* places with any of them */
	uint32_t total;
	uint32_t place[HWMAP_PLACES_MAX];
	uint32_t cpus[HWMAP_PLACES_MAX]; /* CPUs in that place */
};

void weigh_cpus(const struct hwmap *m, const struct hwmap_cpus *cpus, struct weights *ret);
/* As hwmap_distance of device i from those CPUs. */
uint32_t weigh_distance(const struct hwmap *m, uint32_t i, const struct weights *w);

#endif
