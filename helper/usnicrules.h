/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usnicrules.h - from the choice for a step to the rules of its device cgroups: the step may
 * open what its ranks have, and each task what is its own.
 */
#ifndef BERTH_USNICRULES_H
#define BERTH_USNICRULES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../hwmap/hwmap.h"
#include "config.h"
#include "err.h"

struct devices;

/* For this many tasks work is done before the choice, at the price of a descriptor each or two. */
#define USNIC_TASKS_EARLY 64

struct usnic_rules {
	const struct hwmap *map;
	const struct hwmap_choice *choice; /* looked at by usnic_rules_apply only */
	uint32_t ntasks, count;		   /* tasks of the step here; VFs for each, or for all */
	bool per_node;
	dev_t cm;	      /* of /dev/infiniband/rdma_cm, which all may open; 0: none */
	unsigned confine;     /* CONFINE_* */
	struct devices *step; /* begins as NULL */
	int *dirs;	      /* of the first tasks: their device cgroups, or -1; begins as NULL */
};

/*
 * slurmstepd stands in the step's cgroups (user_init): deny what no rank can get.  On cgroup
 * v1 each denial is copied to all cgroups below, so it is felt later, when the tasks have
 * theirs.  Nothing with strict: Slurm has yet to allow each task what GRES has given the step, and
 * with v1 cannot where the step is denied it (devices.h).  0 or -1 with *e.
 */
int usnic_rules_early(struct usnic_rules *r, pid_t stepd, struct err *e);

/*
 * Slurm has told of this task: have its cgroup open, if it is there already, while slurmstepd
 * sets up the next one.  Nothing fails here: usnic_rules_apply opens what is missing.
 */
void usnic_rules_rank(struct usnic_rules *r, uint32_t task, pid_t pid);

/*
 * The choice is made: narrow the step's cgroup to it, and each task's (pids: one for each)
 * to its own.  Slurm has set up the device cgroups of all tasks before it runs
 * task_post_fork for the last of them (src/slurmd/slurmstepd/mgr.c, _fork_all_tasks, 22.05
 * to 26.05), and lets none go on until after that: so it is done while they get on, not when
 * they ask.  A task whose cgroup takes no rules (devices_takes) has those of the step.  0 or -1
 * with *e.
 */
int usnic_rules_apply(struct usnic_rules *r, const pid_t *pids, struct err *e);

void usnic_rules_done(struct usnic_rules *r); /* the rules stay in force */

#endif
