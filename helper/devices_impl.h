/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * devices_impl.h - what devices.c shares with devices_v1.c and devices_v2.c, and nobody else.
 */
#ifndef BERTH_DEVICES_IMPL_H
#define BERTH_DEVICES_IMPL_H

#include <stdbool.h>

#include "devices.h"
#include "devices_plan.h"

#define DEVICES_COPIES_MAX 16

struct devices {
	int dir;	  /* of the cgroup */
	bool v2, applied; /* applied: the last devices_apply has succeeded */
	char name[256];	  /* of the cgroup, for messages */
	enum devices_mode mode;
	size_t n;
	struct devices_node granted[DEVICES_GRANT_MAX];
	struct devices_plan plan, before; /* before: in force already when applied again */
	bool again;
	bool early;		       /* what is granted may be granted later, or not */
	struct devices_plan_tops tops; /* v1 */
	int prog;		       /* v2: our program, or -1 */
	uint32_t copies
		[DEVICES_COPIES_MAX]; /* v2: ids of Slurm's programs that we attached here, too */
	size_t n_copies;
};

/* The plan is made, but for permits. Each is 0, or -1 with *e. */
int devices_v1_apply(struct devices *d, struct err *e);
int devices_v1_permits(struct devices *d, const struct devices_node *nodes, size_t n, bool *ret,
		       struct err *e);
int devices_v1_check(struct devices *d, struct err *e);

bool devices_v2_takes(const struct devices *d);
int devices_v2_apply(struct devices *d, struct err *e);
int devices_v2_permits(struct devices *d, const struct devices_node *nodes, size_t n, bool *ret,
		       struct err *e);
int devices_v2_check(struct devices *d, struct err *e);
int devices_v2_drop(struct devices *d, struct err *e);

#endif
