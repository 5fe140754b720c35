/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * options.h - the options of containers and of --usnic: their names, their text in
 * --help, and what the user gave.
 *
 * An option that takes a value has three names:
 *   --container-mounts            on the command line or in #SBATCH lines
 *   BERTH_CONTAINER_MOUNTS        input variable, for the user and for REST
 *   SLURM_BERTH_CONTAINER_MOUNTS  carrier: what the submit side decided.  "SLURM"
 *                                 in front lets it pass --export=NONE and =LIST
 *                                 of sbatch and srun in every release
 *   SLURM_SPANK_BERTH_CONTAINER_MOUNTS  the same as sbatch spells it where
 *                                 --export-file has emptied its environment
 * Values cross to the node in the carriers; Slurm's own transport of plugin options
 * keeps only the last of repeated ones, and is read there as the second choice.
 */
#ifndef BERTH_OPTIONS_H
#define BERTH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <slurm/spank.h>

#include "../helper/err.h"
#include "../helper/request.h"

enum option_id {
	OPTION_IMAGE,
	OPTION_MOUNTS,
	OPTION_WORKDIR,
	OPTION_MOUNT_HOME, /* the three that are yes or no hold these words */
	OPTION_WRITABLE,
	OPTION_ENV,
	OPTION_UNSHARE,
	OPTION_REMAP_ROOT,
	OPTION_JOIN,
	OPTION_USNIC, /* needs no container */
	OPTION_COUNT,
};

/* Values of all options.  NULL: not given.  All strings are owned. */
struct option_set {
	char *v[OPTION_COUNT];
	bool too_long[OPTION_COUNT]; /* more than REQUEST_OPTION_MAX - 1 bytes came; v is NULL */
	bool off;		     /* --no-container */
};

enum option_name { NAME_OPTION, NAME_INPUT, NAME_CARRIER, NAME_CARRIER_SBATCH };
#define OPTION_NAME_MAX 64

/* One of the names above, written to out and returned. */
const char *option_name(char out[OPTION_NAME_MAX], enum option_id id, enum option_name kind);

/* The opposite of OPTION_WRITABLE, as an input variable; read where that one is not there. */
#define OPTION_READONLY_INPUT "BERTH_CONTAINER_READONLY"

/* Set OPTION_WRITABLE from its value: "no" for yes, what is neither as it is.  As option_set_value. */
int option_set_readonly(struct option_set *s, const char *value);

/*
 * Register all options; for slurm_spank_init in the contexts local, allocator and
 * remote.  Their callbacks fill options_given().  Returns 0, or -1 with *e.
 */
int options_register(spank_t sp, struct err *e);

/*
 * Remove Slurm's own carriers of our options from the process's environment: an
 * option counts as given only if it stands on this very command line.  Slurm reads
 * them after slurm_spank_init and before slurm_spank_init_post_opt.
 */
void options_forget_inherited(void);

/* The same for the job's environment, on the node: 24.11 and 26.05 leave some of them there. */
void options_unset_slurm(spank_t sp);

/* What the callbacks have seen.  The caller may change it. */
struct option_set *options_given(void);

/*
 * Set one value (copied).  NULL, "" and "(null)" are what Slurm makes of "no
 * argument" on its various ways and count as not given.  A value over the cap sets
 * too_long.  0, or -1 when out of memory.
 */
int option_set_value(struct option_set *s, enum option_id id, const char *value);
void option_set_done(struct option_set *s);

#endif
