/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lease.h - slots of devices, for all ranks of a step at once, and no two steps the same.
 *
 * A lease is a lock that the kernel keeps for one open file description of DIR/lock, one
 * byte per slot (lease_record.h).  It lives as long as anybody has that description open:
 * the helper holds lease.fd, and passes it to slurmstepd (SCM_RIGHTS), which only keeps it,
 * close-on-exec.  Nothing has to be cleaned up when either dies.  The record beside the
 * lock names the step, and keeps the slot in quarantine while processes of a step are left
 * whose holders are gone (lease_survey.h); the next take finds that it is over.
 *
 * A child that is forked after lease_take, and lives on, has to close lease.fd, or it holds
 * the lease, too (sys_keep_fds does it; exec does it).
 *
 * The directory is root's, 0700, on a local file system, and may be shared by several
 * slurmd of one kernel.  Removing DIR/lock while leases are held forgets the locks; the
 * records then still keep slots in quarantine.
 */
#ifndef BERTH_LEASE_H
#define BERTH_LEASE_H

#include "lease_survey.h"

#define LEASE_WANT_MAX 65536u /* slots of one take */

/*
 * The lease directory below the state directory: a descriptor, or -1 with *e.  make: create
 * it at need; without, one that is not there is -1 with *e left "".
 */
int lease_dir(int state, bool make, struct err *e);

/*
 * Who gets what: fill device[0..want) with indices into the ask's devices.  used[d]: slots
 * of device d that are not free.  e may be NULL.  It may be called several times; the last call that
 * returned 0 counts.  -1 with *e: it can't be done with these.
 */
typedef int lease_pick(const uint32_t *used, uint32_t *device, uint32_t want, void *arg,
		       struct err *e);

struct lease_ask {
	const struct hwmap_device *devices; /* of a map: hwmap_device(m, 0), hwmap_ndevices(m) */
	size_t ndevices;
	uint32_t want; /* slots in all, 1 to LEASE_WANT_MAX */
	lease_pick *pick;
	void *arg;

	uint32_t job, step, uid;
	const char *user; /* for people; NULL: the uid is shown */
	int cgroup;	  /* directory of a cgroup in which all processes of the step are that
			     can open devices (any hierarchy; and below it); -1: none is known,
			     so that only watch.busy can keep slots in quarantine */
	struct lease_watch watch;

	unsigned wait; /* seconds to wait for slots; 0: fail at once */
	int alive;     /* pidfd of who waits, ends the wait when readable; -1: none */
};

struct lease_slot {
	uint32_t device; /* index into the ask's devices: as pick had it, in its order */
	uint32_t slot;
	char name[LEASE_NAME_MAX]; /* of the record */
};

struct lease {
	int fd;	 /* the locks */
	int dir; /* a descriptor of its own */
	uint32_t n;
	struct lease_slot *slots;
	struct lease_record r; /* what all its records have in common */
};

#define LEASE_NONE ((struct lease){ .fd = -1, .dir = -1 })

/*
 * All or nothing; -1 with *e: what pick said, and who holds slots.  Where pick would fail
 * with every slot free there is no wait.
 *
 * What a wait guarantees: free slots are noticed within 100 ms plus the mutex, and nobody
 * is put ahead on purpose.  There is no queue: many small steps can starve a large one.
 * Which steps a node has room for is Slurm's to decide (gres).
 */
int lease_take(int dir, const struct lease_ask *a, struct lease *ret, struct err *e);

/* Whether lease_release would put none of its slots into quarantine. */
bool lease_over(const struct lease *l, const struct lease_watch *w);

/*
 * Give back.  Slots whose step is not over (lease_watch_over) go into quarantine: true if
 * there were any.  Does nothing with LEASE_NONE; *l is LEASE_NONE afterwards.
 */
bool lease_release(struct lease *l, const struct lease_watch *w);

/*
 * Call f for every slot that is leased or in quarantine, by record: a lock whose record
 * was removed by hand is not seen here (but never granted).  Changes nothing, and needs no
 * more than a read-only directory.  For root: others cannot look into it, and learn who
 * holds slots from the error of a take alone.
 */
int lease_list(int dir, const struct lease_watch *w,
	       void (*f)(const struct lease_found *found, void *arg), void *arg, struct err *e);

#endif
