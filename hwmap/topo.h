/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * topo.h - CPUs, packages and NUMA nodes, as hwloc knows them, in the form that distances need.
 */
#ifndef BERTH_HWMAP_TOPO_H
#define BERTH_HWMAP_TOPO_H

#include "hwmap.h"

#define TOPO_NODES_MAX 1024  /* the kernel's MAX_NUMNODES */
#define TOPO_NONE UINT32_MAX /* no package */

struct topo_node {
	int32_t os;		/* OS index */
	uint32_t package;	/* of its first CPU; TOPO_NONE without CPUs */
	struct hwmap_cpus cpus; /* whose home it is; none: memory alone */
};

struct topo {
	struct topo_node *nodes; /* by OS index; at least one */
	uint32_t nnodes;
	uint16_t *latency;		  /* from node i to j: latency[i * nnodes + j], local is 10;
				       NULL: nobody tells */
	struct hwmap_cpus cpus;		  /* online */
	uint16_t home[HWMAP_CPUS_MAX];	  /* of an online CPU: index in nodes */
	uint32_t package[HWMAP_CPUS_MAX]; /* of an online CPU: OS index, 0 if nobody tells */
};

/*
 * Load what src names (hwmap.h), without I/O devices and caches.  CPUs outside of the caller's
 * cpuset count, offline ones don't.  hwloc heeds its own variables (HWLOC_...) where it reads
 * this machine; an XML file wins over them.  A tree without XML is given to hwloc by
 * HWLOC_FSROOT, which is set meanwhile: not to be used while other threads use the environment.
 * -1 with *e: the CPUs are not known.  topo_free takes NULL.
 */
int topo_load(const struct hwmap_source *src, struct topo **ret, struct hwmap_notes *notes,
	      struct err *e);
void topo_free(struct topo *t);

#endif
