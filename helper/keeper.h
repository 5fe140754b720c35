/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper.h - one mount of each trusted image per node, shared by all steps.
 *
 * The keeper is a process of its own (berth-helper --keep), started by the first
 * helper that needs an image and gone by itself when no image is used or lingering.
 * It holds the mounts in a mount namespace that contains nothing else, so whatever
 * ends it, the kernel takes the mounts and loop devices back; containers go on with
 * their own clones.  Each image is mounted in a child of the keeper, so storage that
 * hangs delays only the steps of that image.
 */
#ifndef BERTH_KEEPER_H
#define BERTH_KEEPER_H

#include <stdbool.h>

#include "err.h"
#include "image.h"

#define KEEPER_SOCKET "keeper.sock" /* in the state directory */

/*
 * Connect to the keeper, starting one at need, before it is known whether the image is
 * one for it: a new keeper needs a moment.  The connection, or -1 (keeper_ask tries again).
 */
int keeper_early(int state);

/*
 * Ask for the trusted image without waiting; what keeper_get gets is then on its way.  *sock: what
 * keeper_early returned.  0, also with *sock -1 (the keeper was gone: keeper_get asks again), or -1
 * with errno.
 */
int keeper_ask(int state, int *sock, int file, const struct image_info *info, unsigned linger);

/*
 * Have the trusted image `file` mounted by the kernel (squashfs over one loop device,
 * erofs from the file where the kernel can).  state is the root-owned state directory
 * (O_PATH or readable).  *asked: the connection of keeper_ask, taken over; -1: it asks by
 * itself.  Starts a keeper at need.  On success *ret_mount is a detached
 * clone of the mount (ro, nosuid, nodev) and *ret_hold a connection: the image counts
 * as used until it is closed, and stays linger seconds longer; *ret_fresh: it was mounted for
 * this, so nothing of it is in the page cache.
 * 0, or -1 with *e after at most timeout_ms, or when alive (see child.h) says that
 * slurmstepd is gone.
 */
int keeper_get(int state, int *early, int file, const struct image_info *info, unsigned linger,
	       int alive, int timeout_ms, int *ret_mount, int *ret_hold, bool *ret_fresh,
	       struct err *e);

/* Body of berth-helper --keep: serve the listening socket fd until idle. Exit code. */
int keeper_main(int listen_fd, int state);

#endif
