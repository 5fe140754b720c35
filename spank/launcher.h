/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * launcher.h - the program by which slurmstepd starts a task's prolog (TaskProlog of slurm.conf,
 * srun --task-prolog).
 *
 * From 24.11 on that is slurmstepd itself, by a descriptor (O_PATH) that it opened at its start
 * (src/common/run_command.c, run_command_init).  The prolog is run when the task is in its
 * container, and there slurmstepd's loader and libraries are the image's, or missing: each step
 * with an image fails where a site has a prolog.
 */
#ifndef BERTH_LAUNCHER_H
#define BERTH_LAUNCHER_H

#include "../helper/err.h"

/*
 * In the process of a task, before it enters its container: berth-script takes the place of
 * slurmstepd behind that descriptor.  Nothing is done in releases without it.  0, or -1 with *e.
 */
int launcher_replace(struct err *e);

#endif
