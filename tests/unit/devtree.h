/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * devtree.h - for the tests of device rules: cgroups as Slurm makes them, job over step over task,
 * and what a process in one of them can open and make.  Of a node that no driver serves ENXIO says
 * allowed, EPERM denied.  Failures fail the test.  Needs root.
 */
#ifndef BERTH_DEVTREE_H
#define BERTH_DEVTREE_H

#include <stdbool.h>
#include <sys/types.h>

#include "../../helper/devices.h"
#include "unit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Scratch nodes; NJOB to NHIGH are those of the tests' own "Slurm" programs. */
enum {
	N192,
	N193,
	N194,
	N195,
	NUMAD,
	NISSM,
	N255,
	NVFIO,
	NNULL,
	NJOB,
	NSTEP,
	NUSER,
	NTASK,
	NREST,
	NHIGH,
	NODES
};
#define GUARDED 8 /* of the above: the first ones */
extern const struct devices_node devtree_nodes[NODES];
extern const struct devices_node devtree_one[1]; /* N193 */

/* The mounted hierarchy; "" if there is none. */
extern char devtree_root[256];

/*
 * At the beginning of main: a mount namespace of our own with the scratch nodes, and devtree_root:
 * v1's devices hierarchy where one is mounted, or a cgroup2.  false: that cannot be had.
 */
bool devtree_begin(bool v2);

/* Its end.  What failed tests have left is removed. */
void devtree_end(void);

/* Slurm's tree of v2 and, without "user" and "slurm", of v1: open directories, -1 where there is none. */
enum { JOB, STEP, USER, TASK, STEPD, LEVELS };
struct devtree {
	char name[64];
	int root, top, at[LEVELS];
};
struct devtree devtree_make(bool task);
void devtree_remove(struct devtree *t);

/* A directory below parent, made if need be. */
int devtree_dir(int parent, const char *name);

/* A child in the cgroup; 0 in the child. */
pid_t devtree_fork(int cgroup);

/* 'r', 'w' and 'm' that a process in the cgroup has, of each node. */
void devtree_probe(int cgroup, unsigned got[NODES]);

/* Reading and writing at once takes one exception of v1 that has both. */
bool devtree_opens(int cgroup, const struct devices_node *n);

/*
 * A process that looks all the time, until devtree_watch_end.  Those of before without a right never
 * get it; those of keep always have it.
 */
struct devtree_watch {
	pid_t pid;
	volatile int *
		shared; /* [0] rounds, [1] 1 + the node that was open and should not, [2] the other way round */
};
struct devtree_watch devtree_watch(int cgroup, const unsigned before[NODES],
				   const unsigned keep[NODES]);
void devtree_watch_end(struct devtree_watch *w);

/* What is allowed after: what was before, without what deny-others denies. */
void devtree_expect_others(const unsigned before[NODES], const unsigned after[NODES]);
void devtree_without_guarded(const unsigned before[NODES], unsigned keep[NODES]);

/* devices.h, where nothing may fail; devtree_one is granted. */
struct devices *devtree_open(int dir);
void devtree_apply(struct devices *d, enum devices_mode mode);

/* Tests that are the same on both versions: of devices_permits, by a process, and of rules in two steps. */
void devtree_permits(int cgroup);
void devtree_by_process(void);
void devtree_in_two(enum devices_mode mode);

#endif
