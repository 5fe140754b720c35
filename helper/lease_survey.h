/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lease_survey.h - which slots are not free, and whose they are: lock and record together.
 *
 *   lock    record            the slot
 *   held    whatever          is leased
 *   free    none              is free
 *   free    of a step that    is in quarantine: its holders died, or gave it back while
 *           is not over       processes of the step were left
 *   free    of one that is    is free; the next take removes the record
 *
 * Who gives back removes the record first, then the lock, without the mutex.  So the lock
 * is looked at first here, then the record: one found after a free lock is a dead holder's.
 */
#ifndef BERTH_LEASE_SURVEY_H
#define BERTH_LEASE_SURVEY_H

#include "lease_watch.h"

struct lease_found {
	struct lease_record r;
	bool held; /* else: in quarantine */
};

/* 1: the record is there, 0: it isn't, -1 with errno.  What is no link is not sound. */
int lease_survey_read(int dir, const char *name, struct lease_record *ret);

/*
 * All records of the directory whose slots are not free, in no order.  lock_fd: the lock
 * file, read-only will do; -1: there is none, so nothing is held.  The caller frees *ret.
 */
int lease_survey_records(int dir, int lock_fd, const struct lease_watch *w,
			 struct lease_found **ret, size_t *ret_n, struct err *e);

/* What is taken of devices[0..n). */
struct lease_survey {
	size_t n;
	char (*names)[LEASE_DEVICE_MAX];
	size_t *first;	  /* device d, slot s: taken[first[d] + s] */
	bool *taken;	  /* up to LEASE_SLOTS_MAX, and none of a device without a name */
	uint32_t *barred; /* of each device: slots left out above */
	uint32_t *used;	  /* those, and the taken ones */
	struct lease_found *found;
	size_t nfound;
};

/*
 * Under the mutex.  Records of steps that are over are removed.  A lease counts against the device of its name; and, since a device may
 * be renamed or its driver loaded again under a running step, against the one that has the
 * uverbs node that was leased, or, where the name is gone, the PCI function.
 */
int lease_survey_make(int dir, int lock_fd, const struct hwmap_device *devices, size_t n,
		      const struct lease_watch *w, struct lease_survey *ret, struct err *e);
void lease_survey_done(struct lease_survey *s);

/* Take the lowest free slot of device d; -1: there is none. */
int64_t lease_survey_pick_slot(struct lease_survey *s, size_t d);

/* "2 by 1234.0 (ann, for 5 min), ...", "" if nothing is found.  Steps are added up.  Returns buf. */
const char *lease_survey_holders(const struct lease_survey *s, char *buf, size_t size);

#endif
