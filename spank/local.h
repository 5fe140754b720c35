/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * local.h - the side of srun, sbatch and salloc: from what the user said, here and
 * around us, to one decided value per option, which travels in the carriers of
 * options.h.  Checks are for the user's sake; the node checks again.
 *
 * For each option the first of these that speaks:
 *   this command line (and #SBATCH lines)
 *   SRUN_CONTAINER and its like, which Slurm makes into --container
 *   the carrier, set by the sbatch or srun that we run inside of
 *   SLURM_CONTAINER as we found it (image only)
 *   BERTH_CONTAINER_X
 * Options are taken each by itself, as in pyxis: an inner srun that names another
 * image keeps the mounts and all else said around it; but not the working directory,
 * which is a place in the image that it was said for, and may not exist in this one.
 * Image, join and no-container answer one question (which root?), so the one of the
 * highest rank beats the others.
 *
 * sbatch and salloc ignore carriers, and a SLURM_CONTAINER that came with them: a
 * job submitted from inside a container does not silently run in the same one.
 *
 * SLURM_CONTAINER: Slurm sets it from --container only where it is unset, so it is
 * unset from slurm_spank_init on, and again after each call of local_post_opt (one
 * for every component of a heterogeneous job).  Whoever looks for it in a job finds
 * it all the same: it travels as CONTAINER_CARRIER and the node sets it again.
 */
#ifndef BERTH_LOCAL_H
#define BERTH_LOCAL_H

#include <stdbool.h>
#include <slurm/spank.h>

#include "../helper/err.h"
#include "options.h"

#define CONTAINER_CARRIER "SLURM_BERTH_CONTAINER"

/*
 * In a step with --usnic: what Berth has set there, as NAME=VALUE;NAME=VALUE...  What a
 * batch script was given is not true of its steps, so it is taken out of the environment
 * again, but for what the user has changed since.
 */
#define USNIC_SET_CARRIER "SLURM_BERTH_USNIC_SET"

struct local_words {
	const struct option_set *given; /* this command line */
	const struct option_set
		*inherited; /* carriers; an image of "" means: none, and that was decided */
	const struct option_set *input; /* BERTH_CONTAINER_X */
	bool input_readonly;		/* OPTION_WRITABLE of input came as its opposite */
	bool inherited_none;		/* the carrier of the image is there and empty */
	const char *container;		/* --container, or NULL */
	bool container_is_env;		/* ... from SRUN_CONTAINER and its like */
	const char *found;		/* SLURM_CONTAINER as inherited, or NULL */
	const char *cwd;
	bool allocator; /* sbatch or salloc */
};

struct local_decision {
	struct option_set set; /* final values: absolute, checked, yes or no in words */
	bool none; /* no container, and that has been said: overrides what the node finds */
	bool show_container; /* SLURM_CONTAINER shall show the image in the job */
};

/* Pure.  0, or -1 with *e and *ret empty. */
int local_decide(const struct local_words *w, struct local_decision *ret, struct err *e);

/* slurm_spank_init in srun (allocator false), sbatch and salloc (true). 0, or -1 with *e. */
int local_init(bool allocator, struct err *e);

/* slurm_spank_init_post_opt there. 0, or -1 with *e; the caller prints. */
int local_post_opt(spank_t sp, bool allocator, struct err *e);

#endif
