/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hostroot.h - the "container" of a step that has --usnic and no image: the node's own
 * root, in a mount namespace whose /dev/infiniband and /dev/vfio are empty.
 */
#ifndef BERTH_HOSTROOT_H
#define BERTH_HOSTROOT_H

#include "rootfs.h"

/*
 * base: the mount namespace to copy; -1: the caller's.  Mounts that the node gets later
 * show up in it (slave).  0 with *ret the caller's (NS_MNT alone; cwd "/"), or -1 with *e.
 */
int hostroot_build(int base, int timeout_ms, struct container *ret, struct err *e);

#endif
