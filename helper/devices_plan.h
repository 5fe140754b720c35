/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * devices_plan.h - which devices a step may use, as a list of rules; computed from texts,
 * without touching a cgroup.  devices.h says what the two modes mean.
 */
#ifndef BERTH_DEVICES_PLAN_H
#define BERTH_DEVICES_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices.h"
#include "err.h"

#define DEVICES_PLAN_ANY UINT32_MAX	/* every major, every minor: '*' of devices.list */
#define DEVICES_PLAN_MAJORS 512		/* CHRDEV_MAJOR_MAX and BLKDEV_MAJOR_MAX of the kernel */
#define DEVICES_PLAN_MINOR_MAX 0xfffffU /* MINORMASK */
#define DEVICES_PLAN_RULES_MAX 192
#define DEVICES_PLAN_TOP_MAX 16383
#define DEVICES_PLAN_R 1
#define DEVICES_PLAN_W 2
#define DEVICES_PLAN_M 4
#define DEVICES_PLAN_RWM 7

/* A set of devices as the kernel's devices.list, .allow and .deny spell it. */
struct devices_plan_entry {
	char type;	       /* 'c' or 'b'; in devices.list 'a', too: everything */
	uint32_t major, minor; /* or DEVICES_PLAN_ANY */
	unsigned access;       /* DEVICES_PLAN_R, _W, _M */
};

/* The first rule that matches counts; all of them are about 'r', 'w' and 'm' at once. */
struct devices_plan_rule {
	char type; /* 'c' or 'b' */
	bool allow;
	uint32_t major, minor; /* minor: or DEVICES_PLAN_ANY */
};

struct devices_plan {
	bool allow_rest; /* what no rule matches */
	size_t n;
	struct devices_plan_rule rule[DEVICES_PLAN_RULES_MAX];
};

/*
 * For each major the highest minor that a list of single minors has to name, [0] of char
 * and [1] of block devices.  See devices_plan_tops.
 */
struct devices_plan_tops {
	uint32_t top[2][DEVICES_PLAN_MAJORS];
};

/*
 * The rules of mode for n granted (DEVICES_LISTED: denied) nodes on a kernel whose /proc/devices and /proc/misc
 * have these texts (NUL-terminated).  0 or -1 with *e: too many rules, or a node that is
 * never granted (umad, issm, or a number that no device can have).
 */
int devices_plan_make(struct devices_plan *ret, enum devices_mode mode,
		      const struct devices_node *granted, size_t n, const char *proc_devices,
		      const char *proc_misc, struct err *e);

/* Whether the plan allows this device. */
bool devices_plan_allows(const struct devices_plan *p, char type, uint32_t major, uint32_t minor);

/* Whether the plan plainly denies every device of the set: never true of one it allows. */
bool devices_plan_denies(const struct devices_plan *p, const struct devices_plan_entry *x);

/*
 * 255, and 256 above the highest minor that exists or that a rule names: kernel drivers
 * take the lowest free minor, so 256 devices would have to come during the step before
 * one is beyond the list.  Major 231 ends at 255 (IB_UVERBS, IB_UMAD: their fixed ranges).
 * existing: names of /sys/dev/char as "MAJOR:MINOR\n" lines; the same of /sys/dev/block.
 * 0, or -1 with *e: a minor above DEVICES_PLAN_TOP_MAX, of a major some of whose devices are
 * to be denied; no list is that long.
 */
int devices_plan_tops(struct devices_plan_tops *ret, const struct devices_plan *p,
		      const char *existing_char, const char *existing_block, struct err *e);

/*
 * Whether it takes the existing devices of this type to name all that the plan denies: some
 * major, not 231, has both granted minors and others that are denied unnamed.  Listing them
 * takes a while.  (To name all that it allows takes them always.)
 */
bool devices_plan_lists(const struct devices_plan *p, char type);

/*
 * Call f for entries that together are the devices of the set in (access included) that
 * the plan allows (allowed) or denies (!allowed).  Entries are "*:*" and "MAJOR:*" where
 * the plan treats all of them alike, single minors up to tops elsewhere.  0, or the
 * first value other than 0 that f returned.
 */
int devices_plan_expand(const struct devices_plan *p, const struct devices_plan_tops *tops,
			struct devices_plan_entry in, bool allowed,
			int (*f)(const struct devices_plan_entry *, void *), void *arg);

/* One line of devices.list, of len bytes, without its newline.  0 or -1. */
int devices_plan_read(const char *line, size_t len, struct devices_plan_entry *ret);

/* "c 231:* rwm" for people and for the kernel. Returns out. */
#define DEVICES_PLAN_TEXT 40
const char *devices_plan_write(char out[DEVICES_PLAN_TEXT], const struct devices_plan_entry *x);

#endif
