/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ids.h - become the user, for good.
 */
#ifndef BERTH_IDS_H
#define BERTH_IDS_H

#include <stdint.h>
#include <sys/types.h>

#include "err.h"

struct ids {
	uid_t uid;
	gid_t gid;
	const uint32_t *groups;
	uint32_t ngroups;
};

/*
 * Give up root: groups, gids, uids (all three of each), bounding, ambient and
 * inheritable sets, no_new_privs; nothing is effective after it, and permitted is
 * exactly caps (a mask of 1 << CAP_*; 0 for none).  Every step is read back; after a
 * failure the process must not go on.  Also makes the process undumpable, so that the
 * user cannot trace it.  To be called in a child that has one thread.
 */
int ids_become(const struct ids *who, uint64_t caps, struct err *e);

/* Make caps effective, out of those that ids_become left permitted. */
int ids_raise(uint64_t caps, struct err *e);

/* Give up the capabilities that ids_become left. */
int ids_drop_caps(struct err *e);

#endif
