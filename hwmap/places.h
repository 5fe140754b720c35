/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * places.h - divides the CPUs of a node into places, and tells how far each is from a device.
 */
#ifndef BERTH_HWMAP_PLACES_H
#define BERTH_HWMAP_PLACES_H

#include "map.h"
#include "topo.h"

/* Where a device sits. */
struct places_seat {
	int32_t numa;		/* OS index of its NUMA node, -1: see cpus */
	struct hwmap_cpus cpus; /* as near to it as can be; none: see numa; neither: unknown */
};

/*
 * Places: CPUs of one NUMA node and one package, and again apart where a seat's CPUs are a part
 * of them.  Returns their number, or -1: more than HWMAP_PLACES_MAX (seats are then asked for
 * nothing, before it fails), or no memory.  The caller frees *ret.
 */
int places_divide(const struct topo *t, const struct places_seat *seats, size_t nseats,
		  struct hwmap_place **ret, struct hwmap_notes *notes, struct err *e);

/*
 * Fill row[0..n) with the distances from a seat, and near with the CPUs of the nearest places
 * (none if it is unknown).  In the unit of the NUMA distances:
 *   - the seat's CPUs: 10;  other CPUs of a NUMA node that the seat has a part of: 11;
 *   - else the least of the NUMA distances from the nodes that the seat has CPUs of, or from its
 *     node if that has no CPUs;
 *   - without such distances 15 in the same package, else 20;
 *   - 1 more to another package, where the distance is one that the same package has, too;
 *   - unknown seat: 10 if there is one place or one NUMA node, else HWMAP_FAR.
 */
void places_distances(const struct topo *t, const struct hwmap_place *places, uint32_t n,
		      const struct places_seat *seat, uint16_t *row, struct hwmap_cpus *near);

#endif
