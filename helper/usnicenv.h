/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usnicenv.h - the variables by which a rank and its libraries find its devices.
 *
 * Berth's own, always set: BERTH_DEVICES (paths of the device nodes), BERTH_IBDEV,
 * BERTH_NETDEV, BERTH_UVERBS, BERTH_NUMA.  Each is a list joined by commas, one item per
 * VF in the same order; "-" stands for what a device has not.
 *
 * Those of libraries come from a table of NAME=TEMPLATE, which the site can add to
 * (usnic_env=, entries joined by ';'; an empty template takes NAME out):
 *   %i  RDMA devices, "usnic_0,usnic_1"   %p  with the port that is up, "mlx5_0:1,mlx5_1:2"
 *   %f  the first RDMA device             %n  the first netdev
 *   %u  uverbs, "uverbs0,uverbs1"         %%  a percent sign
 * A variable whose template needs what no device has is left out.  The defaults are for usNIC's
 * devices or for those of others, as the libraries are: one is left out where the rank has a
 * device that it is not for.  The site's own are for all.
 */
#ifndef BERTH_USNICENV_H
#define BERTH_USNICENV_H

#include <stddef.h>
#include <stdint.h>

#include "../hwmap/hwmap.h"
#include "err.h"

#define USNICENV_MAX 64 /* variables of libraries */

/* Is text a table that usnic_env= can have?  0 or -1 with *e. */
int usnic_env_check(const char *text, struct err *e);

/*
 * The variables for a rank with n devices, each malloced, in malloced lists.  site: checked,
 * or NULL.  0, or -1 with *e when out of memory.
 */
int usnic_env_make(const char *site, const struct hwmap_device *const *devices, size_t n,
		   char ***ret_own, uint32_t *ret_nown, char ***ret_hints, uint32_t *ret_nhints,
		   struct err *e);

#endif
