/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lease_watch.h - may a step still have a device open that nobody holds a lease of any more?
 */
#ifndef BERTH_LEASE_WATCH_H
#define BERTH_LEASE_WATCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "err.h"
#include "lease_record.h"

/*
 * What the caller knows beyond cgroups.  busy: has any process that is not of a living
 * lease an open context of the record's device (RDMA netlink)?  1, 0, or -1: cannot tell,
 * which counts as 1.  It runs under the node's mutex: be quick, and bounded.  If r is not
 * sound, device and slot are all that is known.  NULL: nobody knows.
 * stepd: a process of Slurm's that does not count when it is in the step's cgroup, as the
 * caller itself doesn't; 0: none.
 */
struct lease_watch {
	int (*busy)(const struct lease_record *r, void *arg);
	void *arg;
	pid_t stepd;
};

/* This boot's id. 0, or -1 with *e. */
int lease_watch_boot(char ret[LEASE_BOOT_MAX], struct err *e);

/* Note the cgroup whose open directory is dir, by path and inode.  dir -1: there is none. */
int lease_watch_note(int dir, struct lease_record *r, struct err *e);

/*
 * Is it over: another boot; or the step's cgroup gone or without processes, and the device
 * not busy.  A record that is not sound is over when busy says so.  boot: this boot's id.
 */
bool lease_watch_over(const struct lease_record *r, const char *boot, const struct lease_watch *w);

#endif
