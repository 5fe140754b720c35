/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stepinfo.h - what slurmstepd knows about its step, gathered into a request.
 */
#ifndef BERTH_STEPINFO_H
#define BERTH_STEPINFO_H

#include <stdbool.h>
#include <stdint.h>
#include <slurm/spank.h>

#include "../helper/err.h"
#include "../helper/request.h"
#include "options.h"

#define STEP_BATCH 0xfffffffbu
#define STEP_EXTERN 0xfffffffcu
#define STEP_INTERACTIVE 0xfffffffau

/*
 * The values that hold for this step, from its environment and the callbacks:
 *   carrier > sbatch's spelling of it > Slurm's own transport > SLURM_CONTAINER
 *   (image only) > BERTH_CONTAINER_X
 * Nothing has been checked before: variables can be set by hand, and a job that came
 * by REST has never seen the submit side.  *ret_container says whether there is to
 * be a container at all; without one, only OPTION_USNIC is read.  0, or -1 with *e: a
 * value that cannot be used is no reason to run on the host, or without NICs.
 */
int stepinfo_options(spank_t sp, struct option_set *ret, bool *ret_container, struct err *e);

/*
 * Fill *ret for a step with options o and plugstack arguments av.  Strings and lists
 * of *ret belong to Slurm, to o, or to the environment, but for those that
 * stepinfo_request_done frees.  0, or -1 with *e.
 */
int stepinfo_request(spank_t sp, const struct option_set *o, int ac, char **av, struct request *ret,
		     struct err *e);
void stepinfo_request_done(struct request *r);

/*
 * SlurmdSpoolDir: directory of the socket on which this slurmstepd listens, named
 * NODE_JOB.STEP or NODE_JOB.STEP.COMPONENT.  Malloced, or NULL.
 */
char *stepinfo_spool(uint32_t job_id, uint32_t step_id);

/* Does the last component of a socket's path end as slurmstepd of this step names it? */
bool stepinfo_is_step_socket(const char *path, uint32_t job_id, uint32_t step_id);

#endif
