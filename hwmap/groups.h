/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * groups.h - a map's devices as one choice sees them: NICs, and groups of equal slots.
 *
 * A group holds the devices of one NIC that are equally far from every place: the VFs of a
 * PF, or one pooled device.  Devices that the ask's pattern leaves out or that bear no slot
 * are in no group.  NICs are those that have a group, in the map's order.
 */
#ifndef BERTH_HWMAP_GROUPS_H
#define BERTH_HWMAP_GROUPS_H

#include "map.h"

#define GROUPS_NONE UINT32_MAX

struct group {
	uint32_t nic;	 /* index among the NICs */
	uint32_t device; /* its first device */
	uint32_t next;	 /* group of the same NIC; GROUPS_NONE: the last one */
	uint32_t room;	 /* slots that can be given */
};

struct group_nic {
	uint32_t device;      /* its first device that has a group: gives it its name */
	uint32_t first, last; /* groups */
	uint32_t slots;	      /* of the groups' devices */
	uint32_t used;	      /* thereof leased */
	uint32_t down;	      /* slots that are neither leased nor can be given: the link is down */
	uint32_t load;	      /* slots leased, of all devices of this NIC */
};

struct groups {
	uint32_t ngroups, nnics;
	struct group *group;
	struct group_nic *nic;
	uint32_t *of; /* device: its group, or GROUPS_NONE */
};

/* -1: memory is out, the map or the pattern is broken, or more than GROUPS_MAX; *e says which. */
int groups_make(const struct hwmap *m, const struct hwmap_ask *ask, struct groups *ret,
		struct err *e);
void groups_done(struct groups *g);

/* Slots of device i that are leased, and those that the ask may have. */
uint32_t groups_used(const struct hwmap *m, const struct hwmap_ask *ask, uint32_t i);
uint32_t groups_room(const struct hwmap *m, const struct hwmap_ask *ask, uint32_t i);

/* What people call device i or its NIC: ibdev, else netdev, else PCI address, filtered. */
const char *groups_name(const struct hwmap *m, uint32_t i, char buf[HWMAP_NAME_MAX]);

#endif
