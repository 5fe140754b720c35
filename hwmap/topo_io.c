/* SPDX-License-Identifier: BSD-3-Clause */
#include "topo_io.h"

#include <stdlib.h>
#include <string.h>

#include "notes.h"
#include "topo_hwloc.h"

struct topo_io {
	hwloc_topology_t hwloc;
};

struct topo_io *topo_io_load(const struct hwmap_source *src, struct hwmap_notes *notes)
{
	struct topo_io *io = calloc(1, sizeof(*io));
	struct err e = { "" };

	if (!io)
		return NULL;
	if (topo_hwloc_load(src, TOPO_IO, &io->hwloc, &e) < 0) {
		notes_add(notes, "%s", e.text);
		free(io);
		return NULL;
	}
	return io;
}

void topo_io_free(struct topo_io *io)
{
	if (!io)
		return;
	hwloc_topology_destroy(io->hwloc);
	free(io);
}

bool topo_io_cpus(const struct topo_io *io, uint64_t at, struct hwmap_cpus *ret)
{
	hwloc_obj_t dev = hwloc_get_pcidev_by_busid(io->hwloc, (unsigned)(at >> 16),
						    (unsigned)(at >> 8 & 0xff),
						    (unsigned)(at >> 3 & 31), (unsigned)(at & 7));
	hwloc_obj_t around = dev ? hwloc_get_non_io_ancestor_obj(io->hwloc, dev) : NULL;
	unsigned cpu;

	memset(ret, 0, sizeof(*ret));
	if (!around ||
	    hwloc_bitmap_isequal(around->cpuset, hwloc_topology_get_topology_cpuset(io->hwloc)))
		return false;
	hwloc_bitmap_foreach_begin(cpu, around->cpuset)
	{
		hwmap_cpus_set(ret, cpu);
	}
	hwloc_bitmap_foreach_end();
	return true;
}
