/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dev.h - the container's own /dev: a tmpfs that Berth fills, never the image's.
 */
#ifndef BERTH_DEV_H
#define BERTH_DEV_H

#include <stdbool.h>
#include <sys/stat.h>

#include "config.h"
#include "err.h"

/*
 * A detached tmpfs with null zero full random urandom tty ptmx, the links fd stdin
 * stdout stderr, empty directories pts and shm (with usnic also infiniband, over which
 * each task mounts its own), and the nodes of config's devices=.
 * All names are made through the mount's own descriptor.  Returns it (nosuid, noexec)
 * or -1 with *e.
 */
int dev_make(const struct config *c, bool usnic, struct err *e);

/*
 * Add a node for the device st (of a source that the user opened) at path, which is
 * absolute and below /dev; owner and mode as on the host.  0 or -1 with *e.
 */
int dev_add(int dev, const char *path, const struct stat *st, struct err *e);

#endif
