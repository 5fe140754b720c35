/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usnicmap.h - the map of the node's NICs, for the moment of launch.
 *
 * It lies in the state directory, written by slurmd's start or by the first step that
 * needs one, and holds until the boot or the devices change (hwmap_fresh).  The scan is
 * made by berth-hwmap, as nobody: it needs libraries that root does not load.
 */
#ifndef BERTH_USNICMAP_H
#define BERTH_USNICMAP_H

#include "../hwmap/hwmap.h"
#include "config.h"
#include "err.h"

#define USNICMAP_NAME "map" /* in the state directory */

/*
 * The site's map (map=), which is not asked whether it holds, or the node's.  state: the
 * state directory.  The caller frees *ret with hwmap_free.  0 or -1 with *e.
 */
int usnicmap_get(const struct config *c, int state, struct hwmap **ret, struct err *e);

/* Make the node's map unless it is there and holds; for slurmd's start.  0 or -1 with *e. */
int usnicmap_prepare(const struct config *c, int state, struct err *e);

#endif
