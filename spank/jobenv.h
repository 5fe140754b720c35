/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * jobenv.h - variables of the job, changed on their way to a task's command.
 *
 * spank_setenv() is dear: Slurm clears 256 KiB of memory for each variable (ENV_BUFSIZE in
 * src/common/env.c, 22.05 to 26.05).  In a task these are pages that it shares with slurmstepd
 * so far: the first time takes 0.15 ms, which was half of its first hook.  So a value that is
 * there stays, and one that is no longer than the old one is written over it.
 */
#ifndef BERTH_JOBENV_H
#define BERTH_JOBENV_H

#include <slurm/spank.h>

#include "../helper/err.h"

/*
 * Set a variable, whether the job has it or not.  name is what Slurm takes as one, without '='.
 * 0, or -1 with *e.
 */
int jobenv_set(spank_t sp, const char *name, const char *value, struct err *e);

/*
 * Give a variable another name, no longer than its own; one that has it already goes.  Nothing
 * is done where the job has no such variable.
 */
void jobenv_rename(spank_t sp, const char *from, const char *to);

#endif
