/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * assign.h - the best way to give groups' slots to kinds of ranks; numbers only, no devices.
 *
 * A group is a number of slots of one NIC that are alike: equally far from everybody.  A kind
 * is a number of ranks that are alike: equally far from everything.  Each rank gets count
 * slots.  In this order: a rank gets as few slots of one NIC as can be (but may have most),
 * the worst distance is least, the sum of costs is least, the sum over all NICs of the square
 * of the slots in use (load, and what is given here) is least.  With even_first that last one
 * comes before the worst distance.
 *
 * It is a flow of least cost: slot by slot, each along a shortest path, on which ranks that
 * have a slot already may move on to another group.  Searches run over groups alone: how much
 * the best mover adds from group to group is kept in a table.  Memory is some 12 bytes for
 * each pair of groups and 8 for each kind and group; a slot's time grows with pairs of groups.
 */
#ifndef BERTH_HWMAP_ASSIGN_H
#define BERTH_HWMAP_ASSIGN_H

#include <stdbool.h>
#include <stdint.h>

#define ASSIGN_NEVER UINT32_MAX /* a distance: kind k may not have group g */
#define ASSIGN_GROUPS_MAX 1024
#define ASSIGN_COST_MAX (UINT32_C(1) << 28)  /* a distance or cost, but for ASSIGN_NEVER */
#define ASSIGN_SLOTS_MAX (UINT32_C(1) << 16) /* slots of all ranks together */

struct assign {
	uint32_t nkinds, ngroups, nnics;
	uint32_t count; /* slots of each rank, at least 1 */
	uint32_t most;	/* slots of one NIC that a rank may have in any case, at least 1 */
	bool even_first;
	const uint32_t *ranks; /* kind k: how many ranks */
	const uint32_t *far;   /* kind k, group g: distance, far[k * ngroups + g] */
	const uint32_t *cost;  /* of the same shape: what each slot adds to the sum */
	const uint32_t *room;  /* group g: slots that can be given */
	const uint32_t *nic;   /* group g: NIC that it belongs to, below nnics */
	const uint32_t *load;  /* NIC n: slots in use */
};

/*
 * 0: given[g * nkinds + k] slots of group g go to ranks of kind k.
 * -ENOSPC: it can't be.  full[g] is set for groups that lack slots: the ranks that may have
 * none but these ask for more than they have room for.
 * -ENOMEM; -E2BIG where a limit above does not hold; -EINVAL without kinds, groups or NICs.
 */
int assign_solve(const struct assign *a, uint32_t *given, bool *full);

#endif
