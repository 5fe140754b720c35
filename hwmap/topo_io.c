/* SPDX-License-Identifier: BSD-3-Clause */
#include "topo_io.h"

#include <stdlib.h>
#include <string.h>

#include "notes.h"
#include "sysfs.h"
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

#define USNIC_VENDOR 0x1137
#define USNIC_VF 0x00cf /* usnic.h: PCI_DEVICE_ID_CISCO_VIC_USPACE_NIC */

static uint32_t topo_io_usnic_vfs(const struct topo_io *io, hwloc_obj_t pf)
{
	const struct hwloc_pcidev_attr_s *p = &pf->attr->pcidev;
	uint32_t n = 0;

	if (p->vendor_id != USNIC_VENDOR)
		return 0;
	for (hwloc_obj_t o = NULL; (o = hwloc_get_next_pcidev(io->hwloc, o));)
		n += o->attr->pcidev.device_id == USNIC_VF && o->attr->pcidev.domain == p->domain &&
		     o->attr->pcidev.bus == p->bus;
	return n;
}

static void topo_io_fill(const struct topo_io *io, struct topo_io_osdev *d, hwloc_obj_t o)
{
	const char *state = hwloc_obj_get_info_by_name(o, "Port1State");
	hwloc_obj_t pci = o->parent;

	d->at = UINT64_MAX;
	d->ib = o->attr->osdev.type == HWLOC_OBJ_OSDEV_OPENFABRICS;
	if (d->ib && state)
		d->port_state = strtol(state, NULL, 10);
	while (pci && pci->type != HWLOC_OBJ_PCI_DEVICE)
		pci = pci->parent;
	if (!pci)
		return;
	d->at = (uint64_t)pci->attr->pcidev.domain << 16 | (uint64_t)pci->attr->pcidev.bus << 8 |
		(uint64_t)(pci->attr->pcidev.dev & 31) << 3 | (pci->attr->pcidev.func & 7);
	if (d->ib)
		d->usnic_vfs = topo_io_usnic_vfs(io, pci);
}

static int topo_io_order(const void *a, const void *b)
{
	const struct topo_io_osdev *x = a, *y = b;

	return sysfs_compare(x->name, y->name);
}

int topo_io_osdevs(const struct topo_io *io, struct topo_io_osdev **ret, size_t *n)
{
	int all = hwloc_get_nbobjs_by_type(io->hwloc, HWLOC_OBJ_OS_DEVICE);
	struct topo_io_osdev *v = calloc(all > 0 ? (size_t)all : 1, sizeof(*v));
	size_t used = 0;

	if (!v)
		return -1;
	for (hwloc_obj_t o = NULL; (o = hwloc_get_next_osdev(io->hwloc, o));) {
		if ((o->attr->osdev.type != HWLOC_OBJ_OSDEV_NETWORK &&
		     o->attr->osdev.type != HWLOC_OBJ_OSDEV_OPENFABRICS) ||
		    !o->name || sysfs_name(v[used].name, sizeof(v[used].name), o->name) < 0)
			continue;
		topo_io_fill(io, &v[used++], o);
	}
	qsort(v, used, sizeof(*v), topo_io_order);
	*ret = v;
	*n = used;
	return 0;
}
