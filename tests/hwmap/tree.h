/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tree.h - makes trees that are laid out as /sys is.
 *
 * Paths are relative to the tree's top.  A dev is a directory below devices/, as
 * "pci0000:00/0000:00:03.0/0000:06:00.0".  Whatever fails here ends the program: a test without
 * its tree is none.
 */
#ifndef BERTH_TESTS_TREE_H
#define BERTH_TESTS_TREE_H

#include <stddef.h>

struct tree {
	int fd;
	char dir[4096];
};

/* dir is made if it is not there.  tree_temp: one below TMPDIR, which tree_remove removes. */
void tree_open(struct tree *t, const char *dir);
void tree_temp(struct tree *t);
void tree_remove(struct tree *t);

/* With the directories above; what is there already is replaced. */
void tree_file(const struct tree *t, const char *text, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void tree_bytes(const struct tree *t, const void *data, size_t size, const char *path);
void tree_link(const struct tree *t, const char *target, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void tree_dir(const struct tree *t, const char *path);
void tree_drop(const struct tree *t, const char *path); /* a file, link or whole directory */

/* ncpus CPUs in packages of per_package, of which those in the list are online. */
void tree_cpus(const struct tree *t, unsigned ncpus, unsigned per_package, const char *online);

/* A NUMA node; distance: its line of the matrix, or NULL: no such file. */
void tree_node(const struct tree *t, unsigned node, const char *cpus, const char *distance);

struct tree_pci {
	const char *dev; /* its last component is the address */
	unsigned class, vendor, device;
	int numa;
	const char *cpus;   /* local_cpulist */
	const char *driver; /* NULL: none */
	int group;	    /* IOMMU group; -1: none */
	unsigned total_vfs, num_vfs;
};
void tree_pci(const struct tree *t, const struct tree_pci *p);

/* Make vf, which tree_pci has made, VF number n of pf. */
void tree_vf(const struct tree *t, const char *pf, const char *vf, unsigned n);

/* carrier: "1", "0", or NULL: the interface isn't up, and the file could not be captured. */
void tree_net(const struct tree *t, const char *dev, const char *name, const char *carrier);

/* state: as in ports/1/state; netdev: the port's, or NULL. uverbs: its number, or -1. */
void tree_ib(const struct tree *t, const char *dev, const char *name, const char *state,
	     const char *netdev, int uverbs);

/* usNIC's attributes of an ibdev. */
void tree_usnic(const struct tree *t, const char *ibdev, const char *iface, unsigned max_vf);
void tree_usnic_qp(const struct tree *t, const char *ibdev, unsigned qpn, unsigned vf);

#endif
