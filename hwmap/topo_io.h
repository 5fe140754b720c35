/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * topo_io.h - where hwloc places PCI functions of which /sys doesn't tell.
 *
 * hwloc knows some machines whose firmware tells nothing or lies, heeds the site's corrections
 * (HWLOC_PCI_LOCALITY), and an XML file may hold more than the tree beside it.  Reading all PCI
 * functions for that takes long, so it is loaded when the first such function is met.  An XML
 * file without a tree beside it is all that there is to read.
 */
#ifndef BERTH_HWMAP_TOPO_IO_H
#define BERTH_HWMAP_TOPO_IO_H

#include "hwmap.h"

struct topo_io;

/* NULL, as is noted: nothing to be had. The caller frees it with topo_io_free, which takes NULL. */
struct topo_io *topo_io_load(const struct hwmap_source *src, struct hwmap_notes *notes);
void topo_io_free(struct topo_io *io);

/*
 * The CPUs near to a function, whose address is a number as scan_pci_parse gives it.  false, and
 * none: hwloc doesn't know either, or takes the whole machine for near.
 */
bool topo_io_cpus(const struct topo_io *io, uint64_t at, struct hwmap_cpus *ret);

/* A netdev or an ibdev, as hwloc keeps it. */
struct topo_io_osdev {
	char name[HWMAP_NAME_MAX];
	uint64_t at; /* its PCI function; UINT64_MAX: none */
	bool ib;
	int64_t port_state; /* of an ibdev's port 1, the kernel's number; 0: not told */
	uint32_t usnic_vfs; /* of an ibdev: functions on its bus that are usNIC's VFs */
};

/* All of them, sorted by name; the caller frees *ret.  -1: no memory. */
int topo_io_osdevs(const struct topo_io *io, struct topo_io_osdev **ret, size_t *n);

#endif
