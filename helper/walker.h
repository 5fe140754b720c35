/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * walker.h - the child that walks the image's tree, as the user.
 *
 * Names inside an image are hostile (symlinks), and a FUSE image cannot be entered by
 * root at all, nor may root hang in it.  So a child in the container's new mount
 * namespace, with the user's identity, resolves every name below the root and hands
 * O_PATH descriptors to the builder, which only attaches mounts to them.  It keeps
 * CAP_SYS_ADMIN just long enough to mount the overlay, since overlayfs acts with its
 * mounter's identity (facts: mounts.md), and drops it before it resolves anything in
 * the finished root.
 *
 * Used in this order: survey..., overlay, open_root, resolve/try_dir...
 */
#ifndef BERTH_WALKER_H
#define BERTH_WALKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"
#include "ids.h"

#define WALKER_DEPTH 64 /* components of a path that are looked at */
#define WALKER_BATCH 96 /* questions in one message */

struct walker {
	pid_t pid; /* 0: none */
	int sock;
	int timeout_ms;
};
#define WALKER_NONE ((struct walker){ 0, -1, 0 })

/* Mode and owner of a directory of the image. */
struct walker_attr {
	uint32_t mode, uid, gid;
};

/*
 * What the image has at a destination.  missing is the number of trailing components
 * that it lacks, 0 if it has all; path is the place with symlinks followed (the
 * existing part canonical, the missing part as written); attr[i] is that of the i-th
 * component of path, for the existing ones.
 */
struct walker_place {
	char path[4096];
	unsigned depth, missing;
	struct walker_attr attr[WALKER_DEPTH];
	bool is_dir; /* of the last component, where missing is 0 */
	int error;   /* errno other than ENOENT; then nothing else is set */
};

/*
 * Fork it.  stage: O_PATH of the builder's staging directory, which holds "image"
 * (the image's root) and "root" (where the builder attaches the overlay).
 */
int walker_start(const struct ids *who, int stage, int timeout_ms, struct walker *ret,
		 struct err *e);

/* Ask about n <= WALKER_BATCH absolute destinations in the image; ret[0..n). */
int walker_survey(struct walker *w, char *const *dst, size_t n, struct walker_place *ret,
		  struct err *e);

/*
 * Mount the overlay of the staging directory's "top" over "image" (writable: top is
 * the upper layer, with "work").  *ret_mount is detached.  Capabilities are gone after.
 */
int walker_overlay(struct walker *w, bool writable, int *ret_mount, struct err *e);

/*
 * Resolve an absolute destination in "root" to an O_PATH descriptor of a directory
 * (want_dir) or of something else.  Where it is missing it is made as the user, which
 * succeeds only inside what the user mounted and can write.  symlinks: whether they
 * may be followed (always within the root).  Returns the fd, or -1 with *e.
 */
int walker_resolve(struct walker *w, const char *dst, bool want_dir, bool symlinks, struct err *e);

/* 1 when the user can enter the absolute directory path in "root"; 0 if not; -1 with *e. */
int walker_can_enter(struct walker *w, const char *path, struct err *e);

void walker_stop(struct walker *w);

#endif
