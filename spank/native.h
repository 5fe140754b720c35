/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * native.h - which Slurm this is, and its own --container, for those releases in
 * which it gets in the way.
 *
 * From 23.02 on Slurm's PMIx plugin puts its sockets into the directory that Slurm's
 * OCI runtime made for the step's container.  Without an oci.conf there is none and
 * the step does not start.  From 24.11 on (or earlier; not in 22.05) a step with
 * --container fails where the job's working directory is gone.  So in these releases
 * srun, sbatch and salloc are made to forget --container once we have read it: the
 * image travels in our own variables, Slurm sees a job and steps without a container,
 * and scontrol shows none.  The option's value is reached as cli_filter plugins do, by
 * slurm_option_reset(); where a site's Slurm lacks that symbol, all stays as it is.
 */
#ifndef BERTH_NATIVE_H
#define BERTH_NATIVE_H

#include <stdbool.h>
#include <slurm/spank.h>

/* Upper half of slurm_api_version(): 38 is 22.05, one more for each release; 0 if unknown. */
unsigned native_api(void);

/* Is there an oci.conf beside slurm.conf?  Then --container is Slurm's, here or on this node. */
bool native_runs_containers(void);

/* srun, sbatch (allocator), salloc (likewise): in slurm_spank_init, before local_post_opt, after it. */
void native_init(void);
void native_recall(void);
void native_hide(spank_t sp, bool allocator);

/* On the node: --container was forgotten, so slurmstepd knows of none. */
bool native_hidden(spank_t sp);

#endif
