/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * top.h - the small layer over the image: mount points that the image lacks, and the
 * few files of /etc that Berth writes.
 */
#ifndef BERTH_TOP_H
#define BERTH_TOP_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "walker.h"

/*
 * Make place's directories below the directory top, with the image's modes and
 * owners where the image has them, 0755 root where it lacks them; the last component
 * is a directory or an empty file.  place comes from the walker and is checked: no
 * "." or ".." or empty component gets through.  0 or -1 with *e.
 */
int top_place(int top, const struct walker_place *place, bool dir, struct err *e);

/* Write the file name (one component) into the directory at place. */
int top_file(int top, const struct walker_place *place, const char *name, const char *text,
	     size_t len, struct err *e);

/* Make the symlink name -> target in the directory at place, over whatever the image has. */
int top_link(int top, const struct walker_place *place, const char *name, const char *target,
	     struct err *e);

#endif
