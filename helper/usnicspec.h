/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usnicspec.h - the text of --usnic: words joined by commas, each at most once.
 *
 *   N, count=N         VFs for each task (or for the node, with per=node); default 1
 *   per=task|node
 *   device=PATTERN     as hwmap_ask.device (hwmap/hwmap.h)
 *   policy=local|prefer|spread|rail, rail=N (rail over N NICs)
 *   wait=SECONDS       how long to wait for VFs that others have
 *   batch              the batch script (or salloc's shell) gets VFs of its own, too
 *   explain            say on stderr who got what, and why
 *   none               no VFs, whatever the job says; alone
 *
 * Pure text, for the submit side and again for the helper.
 */
#ifndef BERTH_USNICSPEC_H
#define BERTH_USNICSPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "../hwmap/hwmap.h"
#include "err.h"

#define USNIC_COUNT_MAX 64u
#define USNIC_WAIT_MAX 86400u
#define USNIC_PATTERN_MAX 256

struct usnic_spec {
	uint32_t count; /* 1..USNIC_COUNT_MAX */
	bool per_node;
	enum hwmap_policy policy;
	uint32_t rails;			/* of HWMAP_RAIL; 0: all */
	uint32_t wait_s;		/* 0: fail at once */
	char device[USNIC_PATTERN_MAX]; /* "" : any */
	bool batch, explain, none;
};

/* Parse text ("" is one VF per task) into *ret.  label names the option in messages.  0 or -1 with *e. */
int usnic_spec_parse(const char *label, const char *text, struct usnic_spec *ret, struct err *e);

/*
 * What is asked of hwmap for nranks ranks with these CPUs; used: of each device (hwmap.h).  Both,
 * and spec, must outlive it.  any_state: ports that are down count, too.
 */
struct hwmap_ask usnic_spec_ask(const struct usnic_spec *spec,
				const struct hwmap_cpus *const *ranks, uint32_t nranks,
				const uint32_t *used, bool any_state);

/* What --usnic=help prints. */
extern const char usnic_spec_help[];

#endif
