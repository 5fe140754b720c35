/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lockdown.h - what a task gives up before it runs the user's command: capabilities,
 * the way back to them, descriptors.  Each step is read back; one that did not take
 * is an error, and the caller must end the task (nothing here is best effort).
 * For forked tasks only, never for slurmstepd itself.
 */
#ifndef BERTH_LOCKDOWN_H
#define BERTH_LOCKDOWN_H

#include <stddef.h>
#include <sys/types.h>

#include "../helper/err.h"

/* Who the task must be. */
struct lockdown_ids {
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* supplementary; the task may have fewer, and gid */
	size_t ngroups;
};

/*
 * As root, before Slurm takes the user's ids: empty the bounding set, the ambient
 * and the inheritable set; set no_new_privs.  Permitted and effective stay: Slurm
 * needs them to become the user, and the kernel clears them then.
 */
int lockdown_privileges(struct err *e);

/* As the user, before exec: are ids, groups, capabilities and no_new_privs as they must be? */
int lockdown_check(const struct lockdown_ids *ids, struct err *e);

/*
 * After entering a user namespace, where the kernel hands out full sets: empty all.
 * "root" there is the owner of the files that the user owns, and no more.
 */
int lockdown_userns(struct err *e);

/*
 * Mark every descriptor from 3 on close-on-exec, but for keep (-1: none), which
 * stays as it is.  Never clears the mark.
 */
int lockdown_fds(int keep, struct err *e);

#endif
