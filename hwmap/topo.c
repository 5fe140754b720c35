/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "topo.h"

#include <errno.h>
#include <hwloc.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "notes.h"
#include "topo_hwloc.h"

static int topo_node_order(const void *a, const void *b)
{
	const struct topo_node *x = a, *y = b;

	return (x->os > y->os) - (x->os < y->os);
}

static int topo_take_nodes(struct topo *t, hwloc_topology_t h, struct err *e)
{
	int n = hwloc_get_nbobjs_by_type(h, HWLOC_OBJ_NUMANODE);

	if (n < 1 || n > TOPO_NODES_MAX)
		return err_set(e, "hwloc tells of %d NUMA nodes; expected 1 to %d", n,
			       TOPO_NODES_MAX);
	t->nodes = calloc((size_t)n, sizeof(*t->nodes));
	if (!t->nodes)
		return err_sys(e, ENOMEM, "NUMA nodes");
	for (hwloc_obj_t o = NULL; (o = hwloc_get_next_obj_by_type(h, HWLOC_OBJ_NUMANODE, o));) {
		t->nodes[t->nnodes].os = o->os_index <= INT32_MAX ? (int32_t)o->os_index : 0;
		t->nodes[t->nnodes].package = TOPO_NONE;
		t->nnodes++;
	}
	qsort(t->nodes, t->nnodes, sizeof(*t->nodes), topo_node_order);
	return 0;
}

/*
 * The node that each CPU is at home in: of those around it the smallest, then the first.  hwloc
 * gives nodes without CPUs those of what they are attached to, so several can be around one.
 */
static void topo_take_homes(struct topo *t, hwloc_topology_t h, int home[HWMAP_CPUS_MAX])
{
	int least[HWMAP_CPUS_MAX];
	unsigned cpu;

	for (cpu = 0; cpu < HWMAP_CPUS_MAX; cpu++) {
		home[cpu] = -1;
		least[cpu] = INT_MAX;
	}
	for (uint32_t i = 0; i < t->nnodes; i++) {
		hwloc_obj_t o = hwloc_get_numanode_obj_by_os_index(h, (unsigned)t->nodes[i].os);
		int weight = o ? hwloc_bitmap_weight(o->cpuset) : 0;

		if (weight <= 0)
			continue;
		hwloc_bitmap_foreach_begin(cpu, o->cpuset)
		{
			if (cpu < HWMAP_CPUS_MAX && weight < least[cpu]) {
				home[cpu] = (int)i;
				least[cpu] = weight;
			}
		}
		hwloc_bitmap_foreach_end();
	}
}

static int topo_take_cpus(struct topo *t, hwloc_topology_t h, struct hwmap_notes *notes,
			  struct err *e)
{
	int home[HWMAP_CPUS_MAX];
	unsigned taken = 0;

	topo_take_homes(t, h, home);
	for (hwloc_obj_t o = NULL; (o = hwloc_get_next_obj_by_type(h, HWLOC_OBJ_PU, o));) {
		hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(h, HWLOC_OBJ_PACKAGE, o);
		unsigned cpu = o->os_index;
		struct topo_node *node;

		if (cpu >= HWMAP_CPUS_MAX) {
			notes_add(notes, "CPU %u is left out: only those below %d are known", cpu,
				  HWMAP_CPUS_MAX);
			continue;
		}
		if (home[cpu] < 0) {
			notes_add(notes, "CPU %u is in no NUMA node: taken for the first one's",
				  cpu);
			home[cpu] = 0;
		}
		node = &t->nodes[home[cpu]];
		t->home[cpu] = (uint16_t)home[cpu];
		if (package && package->os_index != HWLOC_UNKNOWN_INDEX)
			t->package[cpu] = package->os_index;
		if (node->package == TOPO_NONE)
			node->package = t->package[cpu];
		hwmap_cpus_set(&node->cpus, cpu);
		hwmap_cpus_set(&t->cpus, cpu);
		taken++;
	}
	return taken ? 0 : err_set(e, "hwloc tells of no CPU");
}

static int topo_index(const struct topo *t, hwloc_obj_t node)
{
	for (uint32_t i = 0; node && i < t->nnodes; i++)
		if ((unsigned)t->nodes[i].os == node->os_index)
			return (int)i;
	return -1;
}

/* value on a scale where local is 10, the least that there is. */
static uint16_t topo_scaled(uint64_t value, uint64_t local)
{
	uint64_t d;

	if (value > UINT32_MAX)
		return HWMAP_FAR - 1;
	d = local ? (value * 10 + local / 2) / local : 0;
	return (uint16_t)(d < 10 ? 10 : d < HWMAP_FAR ? d : HWMAP_FAR - 1);
}

/* The matrix that firmware gives (ACPI SLIT, in /sys/devices/system/node/nodeN/distance). */
static int topo_take_latency(struct topo *t, hwloc_topology_t h, struct hwmap_notes *notes,
			     struct err *e)
{
	struct hwloc_distances_s *d = NULL;
	unsigned one = 1, seen = 0;

	if (t->nnodes < 2 || hwloc_distances_get_by_name(h, "NUMALatency", &one, &d, 0) < 0 ||
	    one < 1)
		return 0;
	t->latency = calloc((size_t)t->nnodes * t->nnodes, sizeof(*t->latency));
	for (unsigned i = 0; t->latency && i < d->nbobjs; i++) {
		int from = topo_index(t, d->objs[i]);

		for (unsigned j = 0; from >= 0 && j < d->nbobjs; j++) {
			int to = topo_index(t, d->objs[j]);

			if (to < 0)
				continue;
			t->latency[(uint32_t)from * t->nnodes + (uint32_t)to] =
				topo_scaled(d->values[i * d->nbobjs + j],
					    d->values[i * d->nbobjs + i]);
			seen++;
		}
	}
	hwloc_distances_release(h, d);
	if (!t->latency)
		return err_sys(e, ENOMEM, "NUMA distances");
	if (seen < t->nnodes * t->nnodes) {
		notes_add(notes, "the NUMA distances are incomplete, so they are not used");
		free(t->latency);
		t->latency = NULL;
	}
	return 0;
}

int topo_load(const struct hwmap_source *src, struct topo **ret, struct hwmap_notes *notes,
	      struct err *e)
{
	struct topo *t = calloc(1, sizeof(*t));
	hwloc_topology_t h = NULL;

	if (!t)
		return err_sys(e, ENOMEM, "topology");
	if (topo_hwloc_load(src, TOPO_CPUS, &h, e) < 0) {
		topo_free(t);
		return -1;
	}
	if (topo_take_nodes(t, h, e) < 0 || topo_take_cpus(t, h, notes, e) < 0 ||
	    topo_take_latency(t, h, notes, e) < 0) {
		hwloc_topology_destroy(h);
		topo_free(t);
		return -1;
	}
	hwloc_topology_destroy(h);
	*ret = t;
	return 0;
}

void topo_free(struct topo *t)
{
	if (!t)
		return;
	free(t->nodes);
	free(t->latency);
	free(t);
}
