/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * devview.h - a task's own /dev/infiniband: a small tmpfs that the helper makes and fills,
 * and that the task mounts over what its mount namespace has there.  Each task of a step
 * has another one, in a mount namespace of its own; a mount namespace, unlike a user
 * namespace, takes nothing from shared memory or cross memory attach between tasks.
 */
#ifndef BERTH_DEVVIEW_H
#define BERTH_DEVVIEW_H

#include <stdint.h>

#include "../hwmap/hwmap.h"
#include "err.h"

#define DEVVIEW_DIR "/dev/infiniband"

/* A detached tmpfs without nodes, or -1 with *e.  The helper keeps one descriptor and sends another; the
 * task attaches it.  It stays writable for the helper, and only root could write to it.
 */
int devview_make(struct err *e);

/*
 * Make the node of d in view (nothing twice), and of the connection manager (cm: its
 * device number, 0 for none): mode 0600, owned by the user.  0 or -1 with *e.
 */
int devview_add(int view, const struct hwmap_device *d, uint64_t cm, uint32_t uid, uint32_t gid,
		struct err *e);

#endif
