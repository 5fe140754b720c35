/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rootfs_impl.h - the state of a builder, for the files rootfs_child.c (its life: namespaces,
 * mounts, the end) and rootfs_fill.c (what lies over the image) alone.
 */
#ifndef BERTH_ROOTFS_IMPL_H
#define BERTH_ROOTFS_IMPL_H

#include "clones.h"
#include "rootfs.h"
#include "walker.h"

/* Destinations besides the plan's own. */
enum fixed {
	FIXED_TMP,
	FIXED_ETC,
	FIXED_CWD,
	FIXED_BIN,
	FIXED_PMIX,
	FIXED_COUNT = FIXED_PMIX + ROOTFS_PMIX
};

struct build {
	struct rootfs_task *t;
	struct err e;
	struct clones cl;
	struct walker_place *place;	  /* of each bind, then of the fixed ones */
	const struct walker_place *fixed; /* in place */
	int stage, top;
	struct walker walker;
	struct plan_etc etc;  /* once the helper has told it */
	int root;	      /* the overlay, attached */
	char root_path[4200]; /* where: the prefix of every path below it */
	bool cwd_hollow;      /* the job's cwd is an empty directory made for Slurm's sake */
	char pmix[ROOTFS_PMIX][4096]; /* where PMIx's directories will be, or "" */
	struct container c;
};

/*
 * When a bind is attached: 1 to BUILD_RANKS - 1.  Of one rank, those higher up come first, and of
 * those the first given.  What comes later covers.  A directory of the user's that is there by
 * default covers nothing that was asked for.
 */
int build_rank(enum origin o);
#define BUILD_RANKS 9

/* A bind that nobody asked for: it is left out where it can't be had. */
bool build_is_default(enum origin o);

/*
 * Look at every destination in the image, and make in b->top what it lacks: mount points, and links
 * to Slurm's commands.  0 or -1 with b->e.
 */
int build_places(struct build *b);

/* After that: the files of /etc that are the container's own. */
int build_files(struct build *b);

#endif
