/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usnicgres.h - which devices Slurm's GRES grants to a step (gres=yes in plugstack.conf).
 *
 * Where gres.conf gives devices File=/dev/infiniband/uverbsN, and cgroup.conf says
 * ConstrainDevices=yes, Slurm denies each step the devices that were not allocated to it, in its
 * device cgroup.  That is done before task_post_fork of its tasks (task_cgroup_devices.c), and
 * nothing else tells a plugin the allocated devices in all releases.  Slurm 22.05 does so only for
 * names that it has a plugin for, such as nic (gres_g_get_devices); newer ones do so for all.
 */
#ifndef BERTH_USNICGRES_H
#define BERTH_USNICGRES_H

#include <stdbool.h>
#include <sys/types.h>

#include "../hwmap/hwmap.h"
#include "err.h"

/*
 * Ask for all devices of m in the cgroup of the task pid, from its task_post_fork on.  Limits
 * that Slurm gives to single tasks (--tres-bind) are those of this one.  *ret: per device, whether
 * it is denied; malloced, the caller's.  0; -1 with *e, also where all are denied.
 */
int usnicgres_denied(const struct hwmap *m, pid_t pid, bool **ret, struct err *e);

#endif
