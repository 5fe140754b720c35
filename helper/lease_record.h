/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lease_record.h - what is written beside a lease's lock: for people, and for the question
 * whether a step whose processes died may still have a device open.
 *
 * A record is a symbolic link in the lease directory that nobody follows.  Its name says
 * which slot, its target says who:
 *
 *   usnic_0@0000:06:00.0#3 -> v1 boot=5f0e... job=1234 step=0 uid=1000 user=ann
 *                             since=1764111111 dev=231:193 cgroup=4711:/sys/fs/cgroup/...
 *
 * A link appears and goes in one system call each, so no crash and no full disk leaves half
 * a record, and `ls -l` shows a node's leases.  symlink(2) takes targets of up to 4095 bytes.
 */
#ifndef BERTH_LEASE_RECORD_H
#define BERTH_LEASE_RECORD_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../hwmap/hwmap.h"

#define LEASE_SLOTS_MAX 4096u	/* slots of one device that can be leased */
#define LEASE_DEVICE_MAX 248	/* each byte of both names as %XX, '@', NUL */
#define LEASE_NAME_MAX 256	/* the device, '#', the slot */
#define LEASE_TEXT_MAX PATH_MAX /* of symlink(2), NUL included */
#define LEASE_USER_MAX 64
#define LEASE_BOOT_MAX 40
#define LEASE_CGROUP_MAX 768

struct lease_record {
	char device[LEASE_DEVICE_MAX]; /* "IBDEV@PCI", one of them may be missing */
	uint32_t slot;

	bool sound; /* the text could be read; if not, all below is "" and 0 */
	char boot[LEASE_BOOT_MAX];
	uint32_t job, step, uid;
	char user[LEASE_USER_MAX]; /* "": not known */
	int64_t since;		   /* seconds of CLOCK_REALTIME */
	uint32_t major, minor;	   /* of the uverbs node; 0: none */
	uint64_t cgroup_ino;	   /* 0: no cgroup is known */
	char cgroup[LEASE_CGROUP_MAX];
};

/*
 * "IBDEV@PCI" of a device, with bytes other than letters, digits and "_-:." as %XX: two
 * devices never share a name.  -1: it has neither.
 */
int lease_record_device(const struct hwmap_device *d, char ret[LEASE_DEVICE_MAX]);

void lease_record_name(const char *device, uint32_t slot, char ret[LEASE_NAME_MAX]);

/* Take a record's name apart; -1: it is none.  *ret is fresh: not sound. */
int lease_record_parse_name(const char *name, struct lease_record *ret);

/* The PCI address in a device's name; "" if it has none. */
const char *lease_record_pci(const char *device);

/* -1: it does not fit. */
int lease_record_encode(const struct lease_record *r, char ret[LEASE_TEXT_MAX]);

/* Fill in all that the text says.  Any bytes may be given; what is no record is not sound. */
void lease_record_decode(const char *text, size_t len, struct lease_record *r);

/*
 * The byte of the lock file that stands for a slot: a hash of the device's name and the
 * slot, so that no table of devices has to be kept.  The file is empty: a lock needs no
 * data (fs/locks.c takes any range up to 2^63).  Should two devices ever get the same bytes,
 * one of them looks leased while the other is; no slot is granted twice.
 */
off_t lease_record_byte(const char *device, uint32_t slot);

/* "1234.0", "1234.batch".  Returns buf. */
const char *lease_record_step(const struct lease_record *r, char *buf, size_t size);

#endif
