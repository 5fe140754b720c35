/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * remote.h - the side of slurmstepd: one call per hook.
 *
 * What Slurm does with a hook that fails decides where errors may be told:
 *   init, init_post_opt, user_init  drain the node for a batch step: these keep the
 *                                   first failure as one line and return 0
 *   task_init_privileged, task_init the task ends with status 1 and the node stays:
 *                                   here the line is printed, and -1 returned or
 *                                   the task ended
 *   task_post_fork, task_exit, exit return 0
 * (all values negative: 22.05 and 24.11 ignore positive ones).
 *
 * A step without a container and without --usnic costs a few lookups in its environment and nothing
 * else: no process, no descriptor, no message.
 *
 * Where SlurmdParameters=contain_spank is set, user_init and task_exit run in a
 * process of their own that shares our memory but not our descriptors: no hook
 * opens, closes or reaps anything there that a later one needs.
 */
#ifndef BERTH_REMOTE_H
#define BERTH_REMOTE_H

#include <slurm/spank.h>

void remote_init(spank_t sp, int ac, char **av);

/* slurmd's start.  On a node without RDMA devices nothing is started. */
void remote_slurmd_start(int ac, char **av);

/* Container or not?  Start the helper and send it the request. */
void remote_post_opt(spank_t sp, int ac, char **av);

/* Send the job's working directory, which is the process's here. */
void remote_user_init(void);

/* In each task, as root: enter the container, give privileges up.  0 or -1. */
int remote_task_privileged(spank_t sp);

/* In slurmstepd, for each task before any of them goes on: which CPUs it is bound to. */
void remote_task_post_fork(spank_t sp);

/*
 * In each task, as the user: check, enter the working directory, close what leaks.  0, or
 * the task ends here: it must not go on where the hook before has failed either.
 */
int remote_task_init(spank_t sp);

/* After the last task: nothing of ours may stay in the step's cgroup. */
void remote_task_exit(void);

void remote_exit(void);

#endif
