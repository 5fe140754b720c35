/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture.h - copies paths of a /sys, with the links that lead there, so that the copy can be
 * read in its place.
 */
#ifndef BERTH_HWMAP_CAPTURE_H
#define BERTH_HWMAP_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "hwmap.h"
#include "scrub.h"

#define CAPTURE_FILE_MAX 8192		     /* bytes of one file; more than any reader takes */
#define CAPTURE_BYTES_MAX (16 * 1024 * 1024) /* of all */
#define CAPTURE_FILES_MAX 200000	     /* files, links and directories */

struct capture {
	int from, to;	     /* the two trees' tops; the caller's */
	struct scrub *scrub; /* names, links and texts go through it */
	size_t bytes, files;
};

/*
 * Copy what path names, relative to from: a file with what is in it, a link as a link, a
 * directory with nothing in it but, with list, its entries' names.  Links on the way are copied
 * and followed, as long as they stay inside.  What isn't there is no error: it may have gone.
 */
int capture_path(struct capture *c, const char *path, bool list, struct err *e);

/* A file of the capture's own at its top. */
int capture_write(struct capture *c, const char *name, const char *text, size_t len, struct err *e);

/* Remove a directory and what is in it, as far as that goes. */
void capture_remove(const char *dir);

#endif
