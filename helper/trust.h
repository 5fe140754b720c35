/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trust.h - may the kernel parse this image?  Only if nobody but root could have
 * written it (facts: security.md rows 6, 18, 19).
 */
#ifndef BERTH_TRUST_H
#define BERTH_TRUST_H

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "err.h"

/*
 * Is the opened regular file fd one that root alone controls?  Walks from "/" to
 * the path that the kernel gives for fd, component by component without following
 * symlinks, and demands of every directory and of the file: owner root, no write
 * for group and others, no ACL that grants write, a file system on the allow-list
 * (never FUSE); of the file also one link only, nobody has it open for writing, and
 * the same device and inode as fd; and that one of the walked directories is one of
 * dirs, by device and inode.
 *
 * fs: f_type of the file's file system, as the opener saw it (statfs(2)).  One that is not on
 * the list ends this before anything is asked of that file system, whose server may be the
 * user's own and let us wait for good.
 * 1: trusted.  0: not, why says why in a few words.  -1: cannot tell, *e set.
 */
int trust_image(int fd, uint64_t fs, const struct config_list *dirs, char *why, size_t why_size,
		struct err *e);

/*
 * May nobody but root put something into the directory, or another one in its place?  It,
 * all above it, and all that symlinks on the way lead through must be as trust_image
 * demands.  One that is not there is fine.  key: the plugstack argument that names it, for
 * the message.  0 or -1 with *e.
 */
int trust_check_dir(const char *key, const char *dir, struct err *e);

#endif
