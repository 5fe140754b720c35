/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hwmap.h - what a node has for user-space networking, and which rank should get what.
 *
 * The public header of a small library that changes nothing: it reads (hwmap_scan), keeps
 * (hwmap_write, hwmap_read), and decides (hwmap_pick).  A map is a value: nothing in it is
 * opened or mapped, and it goes on to say what was true when it was scanned.
 *
 * Two libraries are built from this directory.  libhwmap.a holds everything that needs libc
 * alone (maps, map files, the choice) and is what root code links.  libhwmap-scan.a holds
 * hwmap_scan, which needs hwloc and libnl and reads what others may have shaped: it
 * belongs into an unprivileged process.
 *
 * Functions that can fail return 0 or -1 with one line in *e (helper/err.h).
 */
#ifndef BERTH_HWMAP_H
#define BERTH_HWMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../helper/err.h"

#define HWMAP_NAME_MAX 64      /* bytes of a kernel's name, NUL included (IB_DEVICE_NAME_MAX) */
#define HWMAP_PCI_MAX 20       /* "0000:06:00.1", NUL included; the domain may have 8 digits */
#define HWMAP_CPUS_MAX 4096    /* CPUs by OS index, from 0 */
#define HWMAP_DEVICES_MAX 8192 /* devices of one map */
#define HWMAP_PLACES_MAX 256   /* places of one map */
#define HWMAP_RANKS_MAX 4096   /* ranks of one choice */
#define HWMAP_FAR UINT16_MAX   /* a distance that nobody knows */

struct hwmap; /* opaque: one node */

struct hwmap_cpus {
	uint64_t bits[HWMAP_CPUS_MAX / 64]; /* bit n % 64 of bits[n / 64]: CPU n */
};

enum hwmap_role {
	HWMAP_PF,     /* a NIC's physical function; one slot if it has no VFs, but an ibdev or a
			 VFIO group, else none */
	HWMAP_VF,     /* a VF with an ibdev, a netdev or a VFIO group of its own: one slot */
	HWMAP_POOLED, /* one ibdev for all VFs of a PF, as usNIC has: max_vf slots */
	HWMAP_SOFT,   /* an ibdev without any PCI function below it: one slot */
};

enum hwmap_state {
	HWMAP_STATE_UNKNOWN, /* nothing tells */
	HWMAP_STATE_DOWN,
	HWMAP_STATE_INIT,   /* RDMA port INIT or ARMED: the link is up, the fabric isn't yet */
	HWMAP_STATE_ACTIVE, /* RDMA port ACTIVE; without one, a netdev with a carrier */
};

/*
 * Does no traffic pass there?  A port that is INIT has no subnet manager, or with usNIC no IPv4
 * address (usnic_query_port), and a library passes over it.
 */
static inline bool hwmap_state_dead(enum hwmap_state state)
{
	return state == HWMAP_STATE_DOWN || state == HWMAP_STATE_INIT;
}

/* One thing that can be leased.  Text is "" and numbers are 0 where there is nothing. */
struct hwmap_device {
	enum hwmap_role role;
	enum hwmap_state state;
	char ibdev[HWMAP_NAME_MAX];  /* "usnic_1" */
	char uverbs[HWMAP_NAME_MAX]; /* "uverbs1", below /dev/infiniband */
	uint32_t major, minor;	     /* of that node */
	char netdev[HWMAP_NAME_MAX]; /* that port's; of a bond, the bond */
	char driver[HWMAP_NAME_MAX]; /* of the PCI function; of the ibdev where there is none */
	char pci[HWMAP_PCI_MAX];     /* its own function */
	char pf[HWMAP_PCI_MAX];	     /* the PF: its own address but for a VF */
	char vfio[HWMAP_NAME_MAX];   /* "12", below /dev/vfio, if vfio-pci has the function */
	int32_t numa;		     /* OS index of the NUMA node; -1: none, or nobody knows */
	uint16_t nic;		     /* devices of one PF share this number */
	uint16_t port;		     /* the ibdev's that state is of, from 1; 0: no ibdev */
	uint32_t slots;		     /* how many leases it bears: VFs, or 1, or 0 */
	uint32_t busy; /* slots that the kernel shows in use (usNIC's qpn, RDMA contexts) */
	uint32_t sriov_total, sriov_num; /* sriov_totalvfs and sriov_numvfs, of a PF */
	uint32_t qp_per_vf, cq_per_vf;	 /* usNIC's own limits */
	struct hwmap_cpus cpus;		 /* nearest CPUs; none: nobody knows */
};

/*
 * Where to read.  sysfs: NULL for /sys, else the top of a captured tree (made by
 * `berth-hwmap capture`, or laid out as /sys is).  topology: NULL, or an hwloc XML file.
 * With sysfs given and no topology, topology.xml beside the tree's class/ directory is
 * taken if it is there, else hwloc reads the tree itself.  With topology alone, devices come
 * from its I/O objects, which know no uverbs, drivers or VFs but usNIC's.  Netlink is asked only
 * where both are NULL.
 */
struct hwmap_source {
	const char *sysfs;
	const char *topology;
};

/* What was missing, odd or gone while scanning: one clean line each, in order, bounded. */
struct hwmap_notes {
	char **lines;
	size_t n;
};
void hwmap_notes_done(struct hwmap_notes *n);

/*
 * Read a node, again if devices come or go meanwhile.  What can't be read is noted and left
 * out; -1 only when not even the CPUs are known, or memory is out.  The caller frees *ret with hwmap_free.  notes may be NULL; else
 * what was in it is overwritten, and the caller frees it with hwmap_notes_done, after -1, too.
 */
int hwmap_scan(const struct hwmap_source *src, struct hwmap **ret, struct hwmap_notes *notes,
	       struct err *e);
void hwmap_free(struct hwmap *m);

/* Devices in the map's order: by PCI address of the PF, then of the function, then ibdev. */
size_t hwmap_ndevices(const struct hwmap *m);
const struct hwmap_device *hwmap_device(const struct hwmap *m, size_t i); /* the map's */

/*
 * How far device i is from cpus, in the unit of the NUMA distances that firmware tells and
 * numactl shows (ACPI SLIT): 10 is the same NUMA node, 20 twice as far.  Of several CPUs it
 * is the mean, rounded up.  cpus NULL or empty: of all CPUs of the node.  HWMAP_FAR: the
 * map does not know where the device is, on a node with more than one place.
 */
uint32_t hwmap_distance(const struct hwmap *m, size_t i, const struct hwmap_cpus *cpus);

/*
 * "0-3,8" from and to a set.  hwmap_cpus_parse takes what the kernel's cpulist files hold (an
 * empty line is the empty set); -1, and *ret as it was, for anything else and for CPUs that are
 * not below HWMAP_CPUS_MAX.  hwmap_cpus_text returns buf; what does not fit ends in "...".
 */
int hwmap_cpus_parse(const char *text, struct hwmap_cpus *ret);
char *hwmap_cpus_text(const struct hwmap_cpus *c, char *buf, size_t size);
bool hwmap_cpus_has(const struct hwmap_cpus *c, unsigned cpu);
void hwmap_cpus_set(struct hwmap_cpus *c, unsigned cpu);

/*
 * A map on disk, for the moment of launch: written by slurmd's start, read by each step.
 * hwmap_read takes a descriptor that the caller has opened and found to be root's own; every
 * length and index in it is checked all the same.  hwmap_fresh says whether the map still
 * holds: same boot, same CPUs online, and the same names in the directories of /sys that new
 * or gone devices change (stamp.c).  It takes some tens of microseconds, and a tenth of one
 * more for each PCI function of the node.  A map of a captured node is never fresh.
 */
int hwmap_write(const struct hwmap *m, int fd, struct err *e);
int hwmap_read(int fd, struct hwmap **ret, struct err *e);
bool hwmap_fresh(const struct hwmap *m);

/*
 * Links go up and down without making a map stale.  Note in m what the ports of device i say
 * now (/sys/class/infiniband/IBDEV/ports); it keeps what it has where there is no ibdev, or none of
 * that name on this node.  Returns whether its state is another one than before.
 */
bool hwmap_look(struct hwmap *m, size_t i);

/* ---- who gets what ---- */

enum hwmap_policy {
	HWMAP_PREFER, /* nearest first */
	HWMAP_LOCAL,  /* only devices as near as any that matches is to that rank, else fail */
	HWMAP_SPREAD, /* equal load first, then nearest */
	HWMAP_RAIL,   /* rank i on NIC i mod rails, of those that match in the map's order */
};

struct hwmap_ask {
	const struct hwmap_cpus *const *ranks; /* a CPU set each; NULL: that rank isn't bound */
	uint32_t nranks;
	uint32_t count; /* slots for each rank, at least 1 */
	bool per_node;	/* count slots for all ranks together, shared by them */
	enum hwmap_policy policy;
	uint32_t rails;	      /* of HWMAP_RAIL: NICs to use; 0: all that match */
	const char *device;   /* shell patterns, '|' between; NULL: all.  A device matches by
				     ibdev, netdev, uverbs, pci, pf or driver; "!PATTERN" excludes */
	const uint32_t *used; /* per device: slots that are in use already; NULL: none.  A
				 device's busy is as old as the map and is not looked at */
	bool any_state;	      /* also devices whose link is not up: hwmap_state_dead */
	bool uverbs;	      /* only devices with a uverbs node */
};

struct hwmap_grant {
	uint32_t device;   /* index in the map */
	uint32_t distance; /* hwmap_distance from the rank */
};

struct hwmap_choice {
	uint32_t nranks, count;
	struct hwmap_grant
		*grants; /* rank r has grants[r * count] to grants[r * count + count - 1] */
};

/*
 * Choose for all ranks at once.  Of all ways that fit: the farthest rank is as near as can
 * be, then the sum of distances is smallest, then the slots in use of all NICs are most even
 * (least sum of squares); what is still equal is broken by the map's order and the ranks',
 * always the same way.  HWMAP_SPREAD puts evenness first.  HWMAP_FAR is a distance, too.
 *
 * Before all that, a rank with count > 1 gets slots of different NICs where all ranks can,
 * else as few of one as all can; with HWMAP_RAIL all of its NIC.  Its grants are sorted by
 * distance, then by device; a pooled device may be in several.
 *
 * With per_node count slots are chosen, and all ranks have grants of the same ones: lease
 * those of rank 0.  The farthest rank, and the sum, are those of all ranks to each slot.
 * HWMAP_LOCAL then wants devices that are the nearest to all ranks; HWMAP_RAIL is refused.
 *
 * HWMAP_LOCAL and HWMAP_RAIL look at devices whose link is down or that are full all the
 * same: they never turn to another NIC instead.  docs/choice.md has the odd cases.
 *
 * At most HWMAP_RANKS_MAX ranks, 65536 slots in all, 1024 NICs, and some seconds of
 * work; more is refused.  -1: it can't be; *e says what was asked, what is there and what is in the way,
 * and *ret is left alone.
 */
int hwmap_pick(const struct hwmap *m, const struct hwmap_ask *ask, struct hwmap_choice *ret,
	       struct err *e);
void hwmap_choice_done(struct hwmap_choice *c);

/*
 * In words why rank r has its grant n: "same NUMA node 1", "NUMA node 1, distance 21, nearest
 * that is free: all 64 of usnic_0 are leased", ...; m and ask as they were given to
 * hwmap_pick.  Clean text, "" where there is no such grant; returns buf.
 */
const char *hwmap_why(const struct hwmap *m, const struct hwmap_ask *ask,
		      const struct hwmap_choice *c, uint32_t r, uint32_t n, char *buf, size_t size);

#endif
