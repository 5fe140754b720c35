/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * slurmtools.h - srun, sbatch, scancel, squeue ... inside a container, whatever libc
 * the image has: the host's programs run with the host's loader and libraries.
 *
 * In the container, SLURMTOOLS_DIR holds the host's /usr ("host") and the program
 * berth-launch ("bin"), to which /usr/bin/srun and so on are links.  Slurm's
 * configuration, its plugins and MUNGE's socket appear at their own paths.
 */
#ifndef BERTH_SLURMTOOLS_H
#define BERTH_SLURMTOOLS_H

#include "config.h"
#include "err.h"
#include "plan.h"
#include "request.h"

#define SLURMTOOLS_DIR "/.berth"

/* Add the mounts that slurm=yes asks for to p. 0 or -1 with *e. */
int slurmtools_plan(const struct config *c, const struct request *r, struct plan *p, struct err *e);

/*
 * Add the host's lines of the accounts that Slurm's commands look for, where the image lacks
 * them.  0 or -1 with *e.
 */
int slurmtools_accounts(struct plan_etc *p, struct err *e);

/* Names that get a link: "srun", ..., NULL-terminated. */
const char *const *slurmtools_names(void);

#endif
