/* SPDX-License-Identifier: BSD-3-Clause */
/* usnic_impl.h - for usnic.c and usnicready.c alone. */
#ifndef BERTH_USNIC_IMPL_H
#define BERTH_USNIC_IMPL_H

#include "lease.h"
#include "usnic.h"
#include "usnicrules.h"

struct usnic {
	const struct request *r;
	const struct config *c;
	pid_t stepd;
	struct usnic_spec spec;
	struct hwmap *map;
	int leases; /* the lease directory */
	dev_t cm;   /* of /dev/infiniband/rdma_cm; 0: the node has none */

	uint32_t ntasks, nknown;
	struct usnic_task {
		bool known;
		uint32_t gtask;
		struct hwmap_cpus cpus;
		bool bound;
		int view; /* -1: none yet */
	} * tasks;
	pid_t *pids; /* of the tasks */
	int cgroup;  /* of the step; the caller's */

	bool waits;
	int64_t until_ms, retry_ms;
	bool chosen;
	struct hwmap_choice choice;
	bool any_state; /* it was made of ports that are not up, too; for explain */
	struct lease lease;
	uint32_t *used; /* per device, when the choice was made; for explain */
	bool *looked;	/* per device: its link was looked at */
	bool *denied;	/* per device, by Slurm's GRES: it counts as full; NULL: nobody asked */

	struct usnic_rules rules;
	bool explained;
};

#endif
