/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scan.h - what the parts of a scan hand to each other.
 *
 * scan_net.c and scan_rdma.c list netdevs and ibdevs and say by which PCI function each is
 * reached; scan_pci.c makes the table of functions and adds what the PCI bus tells; scan.c turns
 * all of it into a map.  All lists are sorted as sysfs_compare does, functions by address.
 */
#ifndef BERTH_HWMAP_SCAN_H
#define BERTH_HWMAP_SCAN_H

#include "map.h"
#include "sysfs.h"
#include "topo.h"

#define SCAN_NOWHERE UINT64_MAX /* no PCI function */

/* A PCI function. */
struct scan_fn {
	uint64_t at;	/* its address as a number, see scan_pci_parse */
	uint64_t pf;	/* that of its PF if it is a VF, else SCAN_NOWHERE */
	bool listed;	/* in bus/pci/devices */
	bool sriov;	/* a network function that can have VFs, or a VF of one */
	uint32_t nibs;	/* ibdevs on it */
	uint32_t nnets; /* netdevs on it; the first in the list is net */
	uint32_t net;
	uint32_t total, num;	     /* sriov_totalvfs, sriov_numvfs */
	char driver[HWMAP_NAME_MAX]; /* of those that scan_pci_details was asked for */
	char vfio[HWMAP_NAME_MAX];
};

struct scan_net {
	char name[HWMAP_NAME_MAX];
	uint64_t at; /* its PCI function, or SCAN_NOWHERE */
};

struct scan_ib {
	char name[HWMAP_NAME_MAX];
	uint64_t at;
	char netdev[HWMAP_NAME_MAX];
	char uverbs[HWMAP_NAME_MAX];
	uint32_t major, minor;
	enum hwmap_state state;
	uint16_t port;		     /* with that state */
	bool pooled;		     /* one for all VFs of its function, as usNIC's */
	bool soft;		     /* its own path leads to no PCI function, only its netdev's */
	bool unreadable;	     /* nothing but a name */
	char driver[HWMAP_NAME_MAX]; /* of a soft one */
	uint32_t max_vf, qp_per_vf, cq_per_vf;
	uint32_t busy;
};

struct scan {
	struct sysfs sysfs;
	struct hwmap_notes *notes;	/* may be NULL */
	const struct hwmap_source *src; /* for hwloc's I/O; NULL: without */
	struct topo_io *io;		/* NULL: not loaded yet, or not to be had */
	bool io_tried;
	bool live; /* this machine, as it is now */
	struct scan_fn *fns;
	struct scan_net *nets;
	struct scan_ib *ibs;
	size_t nfns, nnets, nibs;
};

/* ---- scan.c: hwmap_scan, once the topology is there ---- */

int scan_sysfs(struct scan *s, const struct topo *t, struct hwmap **ret, struct err *e);
void scan_done(struct scan *s);

/* ---- scan_pci.c ---- */

/* "0000:06:00.1" as a number that sorts alike; SCAN_NOWHERE: not an address. */
uint64_t scan_pci_parse(const char *text);
char *scan_pci_text(uint64_t at, char buf[HWMAP_PCI_MAX]);

/* The last PCI function in a path of /sys/devices: whose child the rest is. */
uint64_t scan_pci_in_path(const char *path);

/* Makes s->fns of the bus and of what nets and ibs name.  -1: no memory. */
int scan_pci(struct scan *s, struct err *e);
struct scan_fn *scan_pci_find(const struct scan *s, uint64_t at);

/* Fills driver and vfio. */
void scan_pci_details(const struct scan *s, struct scan_fn *fn);

/* ---- scan_net.c ---- */

int scan_net(struct scan *s, struct err *e);
const struct scan_net *scan_net_find(const struct scan *s, const char *name);

/* The netdev of a function that is its own, not a representor of a VF; "" if it has none. */
const char *scan_net_of(const struct scan *s, const struct scan_fn *fn);
enum hwmap_state scan_net_state(const struct scan *s, const char *name);

/* ---- scan_rdma.c ---- */

int scan_rdma(struct scan *s, struct err *e); /* after scan_net */

/* Find the netdev of an ibdev that does not know it yet, on its function, which may be NULL. */
void scan_rdma_settle(const struct scan *s, struct scan_ib *ib, const struct scan_fn *fn);

/* ---- scan_xml.c: instead of scan_net and scan_rdma where there is a topology and no tree ---- */

int scan_xml(struct scan *s, struct err *e);

#endif
