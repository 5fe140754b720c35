/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * imageenv.h - the environment that an image asks for, from all the places where it may be:
 * /etc/environment, a SIF's scripts, an OCI bundle's config.json.
 *
 * Runs in the opener only, as the user: what it reads is hostile.
 */
#ifndef BERTH_IMAGEENV_H
#define BERTH_IMAGEENV_H

#include <stddef.h>

#include "account.h"
#include "envfile.h"
#include "err.h"

struct imageenv_ask {
	const struct account *account; /* the user's, for scripts with $HOME; NULL: not known */
	const struct env_list *bundle; /* of a config.json, or NULL */
	const char *keep;	       /* --container-env, or NULL */
};

/*
 * Append to *env, filtered (env_filter), always with a PATH.  root: the image's root directory.
 * note: set to a line for the user if something was left out, else left as it is.  0, or -1 with
 * *e when a limit of envfile.h is passed.
 */
int imageenv_collect(int root, const struct imageenv_ask *ask, struct env_list *env, char *note,
		     size_t note_size, struct err *e);

/* Where commands are that no PATH tells of. */
#define IMAGEENV_USUAL_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* A regular file below root, where its symlinks end, too, opened for reading; -1: there is none. */
int imageenv_open(int root, const char *path);

/*
 * A regular file of at most max bytes below root, where its symlinks end, too: malloced, with a
 * NUL behind.  NULL: there is none, or it is larger or cannot be read.
 */
char *imageenv_read(int root, const char *path, size_t max, size_t *len);

#endif
