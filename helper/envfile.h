/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * envfile.h - the environment that an image asks for (that of a SIF: envscript.h).
 *
 * Runs in the unprivileged child only: what it reads is hostile.
 */
#ifndef BERTH_ENVFILE_H
#define BERTH_ENVFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

#define ENV_MAX_VARS 1024
#define ENV_MAX_BYTES (64 * 1024) /* of all names and values of one image */
#define ENV_TEXT_MAX (256 * 1024) /* of one file that is parsed */

struct env_list {
	char **v; /* "NAME=VALUE", NULL-terminated; v may be NULL when n is 0 */
	size_t n;
	size_t bytes;
};

/*
 * /etc/environment as enroot writes it and as pam_env reads it: NAME=VALUE lines,
 * optional "export ", optional matching quotes around VALUE, '#' comments.  Lines
 * that are not of that form are skipped.  text need not be NUL-terminated.
 * Appends to *l (a later value for a name replaces an earlier one).
 * 0, or -1 when a limit above is passed; *l is sound then, too, and has what came
 * before.
 */
int env_parse_environment(const char *text, size_t len, struct env_list *l, struct err *e);

/* Set or replace NAME=VALUE given as one string. 0, or -1 when a limit is passed or the name is not [A-Za-z_][A-Za-z0-9_]*. */
int env_set(struct env_list *l, const char *assignment, struct err *e);

/* Value of name (of len bytes), or NULL. */
const char *env_get(const struct env_list *l, const char *name);
const char *env_get_n(const struct env_list *l, const char *name, size_t len);

/* Take it out, if it is there. */
void env_unset(struct env_list *l, const char *name, size_t len);

/*
 * Drop from l what an image must not decide: names that Slurm, PMI or Berth own
 * (SLURM*, SLURMD_*, SPANK_*, _SLURM*, PMI*, PMIX_*, BERTH_*), the user's HOME, USER,
 * LOGNAME and TMPDIR, and those in keep_names (comma-separated, from
 * --container-env; may be NULL): there the job's value wins.  All else from the
 * image takes precedence over the job's environment, as in pyxis.
 */
void env_filter(struct env_list *l, const char *keep_names);

/* Is name (of len bytes) one of names (NAME[,NAME...], or NULL)? */
bool env_names_have(const char *names, const char *name, size_t len);

/* True when names (NAME[,NAME...]) is well formed. */
bool env_names_valid(const char *names);

void env_list_done(struct env_list *l);

#endif
