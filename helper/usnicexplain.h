/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usnicexplain.h - the choice in words, for --usnic=explain, and warnings about devices
 * that were given although something is wrong with them (preflight=warn).
 */
#ifndef BERTH_USNICEXPLAIN_H
#define BERTH_USNICEXPLAIN_H

#include "../hwmap/hwmap.h"
#include "err.h"
#include "usnicspec.h"

struct usnic_said {
	const struct hwmap *map;
	const struct usnic_spec *spec;
	const struct hwmap_choice *choice;
	const uint32_t *used; /* slots that others had, per device */
	const bool *denied;   /* by Slurm's GRES, per device; NULL: nobody asked */
	uint32_t ntasks;      /* of the step on this node */
	bool any_state;	      /* the choice was of ports that are not up, too */
	bool warn;	      /* preflight=warn */
};

/*
 * Lines in an order: a rank's devices with distance and reason, then devices that nobody
 * got, and why.  Without spec->explain only warnings.  gtasks: the ranks' numbers in the
 * step; ranks: their CPUs.  Malloced, at most REQUEST_LINES_MAX.  0 or -1 with *e.
 */
int usnic_explain(const struct usnic_said *s, const uint32_t *gtasks,
		  const struct hwmap_cpus *const *ranks, char ***ret, uint32_t *ret_n,
		  struct err *e);

#endif
