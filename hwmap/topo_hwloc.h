/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * topo_hwloc.h - hwloc's view of what a hwmap_source names.
 */
#ifndef BERTH_HWMAP_TOPO_HWLOC_H
#define BERTH_HWMAP_TOPO_HWLOC_H

#include <hwloc.h>

#include "hwmap.h"

enum topo_detail {
	TOPO_CPUS, /* packages, NUMA nodes and CPUs: fast */
	TOPO_IO,   /* these, bridges, and PCI devices that are NICs, GPUs, disks */
	TOPO_ALL,  /* cores and caches too, bridges, and PCI devices that are NICs, GPUs, disks */
};

/*
 * CPUs outside of the caller's cpuset count, offline ones don't.  The environment is used as
 * topo.h says.  The caller destroys *ret.
 */
int topo_hwloc_load(const struct hwmap_source *src, enum topo_detail detail, hwloc_topology_t *ret,
		    struct err *e);

#endif
