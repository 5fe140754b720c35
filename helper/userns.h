/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * userns.h - user namespaces, as a map of ids.
 */
#ifndef BERTH_USERNS_H
#define BERTH_USERNS_H

#include <sys/types.h>

#include "ids.h"

/*
 * A new user namespace with the two maps (text as in /proc/PID/uid_map), owned by who
 * (NULL: root), in which setgroups is denied.  proc: a directory descriptor of procfs.
 * Returns its descriptor, or -1 with errno.
 */
int userns_make(const struct ids *who, const char *uid_map, const char *gid_map, int proc);

/*
 * Let the detached mount tree show what belongs to root as the user's, and all other
 * ids as they are (what belongs to the user himself has no owner then: one id cannot
 * come from two).  0, or -1 with errno: EINVAL where the file system cannot do it.
 * Source: mount_setattr(2), MOUNT_ATTR_IDMAP.
 */
int userns_show_owner(int tree, uid_t uid, gid_t gid, int proc);

#endif
