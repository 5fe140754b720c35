/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usnic.h - the devices of one step with --usnic, from the ranks' CPUs to what each rank
 * may open, and back.
 *
 *   usnic_begin   the node's map is read, while slurmstepd sets the step up
 *   usnic_view    each task takes its own, still empty /dev/infiniband along
 *   usnic_rank    the CPUs of each task are told; with the last one the choice is made for
 *                 all ranks at once, leased, the nodes are put into the views, and the
 *                 device cgroups of the step and of its tasks are narrowed
 *   usnic_ready   a task is about to run: it gets its variables
 *   usnic_release at the end of the last task; or by death (lease.h)
 *
 * Where VFs have to be waited for (wait=), usnic_retry is called until they are there.
 */
#ifndef BERTH_USNIC_H
#define BERTH_USNIC_H

#include <stdbool.h>
#include <sys/types.h>

#include "config.h"
#include "err.h"
#include "request.h"
#include "usnicspec.h"

struct usnic;

/*
 * state: the state directory; stepd: slurmstepd; spec: copied.  r and c must outlive *ret.  0, or -1 with
 * *e.  The caller ends it with usnic_end.
 */
int usnic_begin(const struct request *r, const struct usnic_spec *spec, const struct config *c,
		int state, pid_t stepd, struct usnic **ret, struct err *e);

/* slurmstepd stands in the step's cgroups (user_init).  0 or -1 with *e. */
int usnic_early(struct usnic *u, struct err *e);

/*
 * The view of a task, by its number on the node: a detached mount, which the task attaches, owned
 * by u.  -1 with *e.
 */
int usnic_view(struct usnic *u, uint32_t task, struct err *e);

/*
 * One task's CPUs.  cgroup: of the step, where its processes are counted, or -1; it stays the
 * caller's, open as long as u.  0, also where VFs have to be waited for; -1 with *e: there
 * will be none.
 */
int usnic_rank(struct usnic *u, const struct rank *k, int cgroup, struct err *e);

/* Milliseconds until usnic_retry is due; -1: nothing is waited for. */
int usnic_due_ms(const struct usnic *u);

/* Look again.  As usnic_rank. */
int usnic_retry(struct usnic *u, struct err *e);

enum usnic_state { USNIC_MISSES_RANKS, USNIC_WAITS, USNIC_CHOSEN };
enum usnic_state usnic_state(const struct usnic *u);

/* The locks of the leases, for slurmstepd to hold, too; -1: none. Stays u's. */
int usnic_lease_fd(const struct usnic *u);

/*
 * Task `task` is about to run: say what it has.  Only after USNIC_CHOSEN.  *ret is the caller's (granted_done).  0 or -1 with *e.
 */
int usnic_ready(struct usnic *u, uint32_t task, struct granted *ret, struct err *e);

/* All tasks are over: give the VFs back, unless some process of theirs goes on. */
void usnic_release(struct usnic *u);

void usnic_end(struct usnic *u); /* releases first; NULL is fine */

#endif
