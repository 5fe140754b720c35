/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clones.h - the detached mounts that a container is put together from: what it shares
 * with its node, its own /dev, and the plan's binds.
 */
#ifndef BERTH_CLONES_H
#define BERTH_CLONES_H

#include <stdbool.h>

#include "rootfs.h"

/* Descriptors of detached mounts, -1 where there is none. */
struct clones {
	int proc, sys, tmp, dev, pts, shm;
	int tree[PLAN_BINDS_MAX];    /* of each bind of the plan; -1: left out, or a device */
	bool is_dir[PLAN_BINDS_MAX]; /* its source is a directory */
};

/*
 * Make them all, in the mount namespace in which the plan's descriptors were opened.
 * Every one is nosuid, all but those of /dev nodev, none propagates to the node.
 * Devices among the binds become nodes of c->dev.  A source that a user must not have
 * is refused by what its descriptor is, an image's root directory likewise; home and
 * cwd are left out instead.
 * 0 or -1 with *e.
 */
int clones_make(const struct rootfs_task *t, struct clones *c, struct err *e);

/* One more directory (PMIx's), by its O_PATH descriptor. Detached mount or -1 with *e. */
int clones_directory(int fd, const char *dst, struct err *e);

#endif
