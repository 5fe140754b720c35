/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * survivors.h - the tasks that are left when slurmstepd was killed: Slurm itself ends
 * nothing then, and shows the node idle (facts: spank.md section 5).
 */
#ifndef BERTH_SURVIVORS_H
#define BERTH_SURVIVORS_H

/*
 * Kill every process whose mount namespace is that of the descriptor ns, and, where
 * step_cgroup is not -1, every process of that cgroup.  Bounded: about two seconds.
 */
void survivors_kill(int ns, int step_cgroup);

#endif
