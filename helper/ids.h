/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ids.h - become the user, for good.
 */
#ifndef BERTH_IDS_H
#define BERTH_IDS_H

#include <linux/capability.h>
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
 * A capability for who executes a program as the user: execve makes a process dumpable, so
 * that the user's other processes could attach to one that Berth started, outside the job's
 * cgroups.  The kernel lets nobody attach to a process that has a capability more than he
 * (security/commoncap.c, cap_ptrace_access_check), and this one allows nothing but to keep a
 * machine from being suspended.
 */
#define IDS_SHIELD (1ULL << CAP_BLOCK_SUSPEND)

/*
 * Give up root: groups, gids, uids (all three of each), bounding, ambient and
 * inheritable sets, no_new_privs; nothing is effective after it, and permitted is
 * exactly caps (a mask of 1 << CAP_*; 0 for none).  IDS_SHIELD alone stays with the programs
 * that are executed, and is left out where the node's bounding set lacks it.  Every step is read back; after a
 * failure the process must not go on.  Also makes the process undumpable, so that the
 * user cannot trace it.  To be called in a child that has one thread.
 */
int ids_become(const struct ids *who, uint64_t caps, struct err *e);

/* Make caps effective, out of those that ids_become left permitted. */
int ids_raise(uint64_t caps, struct err *e);

/* Give up the capabilities that ids_become left. */
int ids_drop_caps(struct err *e);

#endif
