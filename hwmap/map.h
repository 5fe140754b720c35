/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map.h - what a struct hwmap is, for the files of hwmap/ (and tests that make maps up).
 *
 * A place is a set of CPUs from which all devices look equally far: the CPUs of a NUMA node,
 * or a part of them where a device belongs to only that part.  Distances are kept per
 * device and place, so that a choice needs no topology.
 */
#ifndef BERTH_HWMAP_MAP_H
#define BERTH_HWMAP_MAP_H

#include "hwmap.h"

#define HWMAP_STAMP_MAX 128
#define HWMAP_PORTS_MAX 8     /* of one device */
#define HWMAP_SLOTS_MAX 65536 /* of one device: more VFs than PCI has addresses for */

struct hwmap_place {
	struct hwmap_cpus cpus; /* not empty; places don't overlap */
	int32_t numa;		/* OS index */
	uint32_t package;	/* OS index of the socket */
};

struct hwmap {
	struct hwmap_device *devices;
	struct hwmap_place *places;
	uint16_t *distance;	     /* device i, place p: distance[i * nplaces + p], never 0 */
	uint32_t ndevices, nplaces;  /* nplaces >= 1 */
	char stamp[HWMAP_STAMP_MAX]; /* what hwmap_fresh compares; "" for a captured node */
};

/*
 * An empty map with room for so many; NULL when memory is out, or for more than HWMAP_..._MAX
 * or no place.  Distances are HWMAP_FAR.  The caller frees it with hwmap_free.
 */
struct hwmap *hwmap_new(uint32_t ndevices, uint32_t nplaces);

/*
 * Whether m keeps what hwmap.h and this header promise: places hold CPUs and don't overlap,
 * text ends, is clean and is no path, numbers are in range.  What is written and what has been
 * read is checked by it, so that no user of a map has to.
 */
int hwmap_check(const struct hwmap *m, struct err *e);

/*
 * What hwmap_fresh compares, of this node as it is now; "" if it can't be told.  A scan takes
 * it first, so that what changes meanwhile makes the map stale.
 */
void hwmap_stamp(char stamp[HWMAP_STAMP_MAX]);

/* A port's state as the kernel numbers it. */
enum hwmap_state hwmap_port_state(int64_t state);

#endif
