/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * topo_io.h - where hwloc places PCI functions of which /sys doesn't tell.
 *
 * hwloc knows some machines whose firmware tells nothing or lies, heeds the site's corrections
 * (HWLOC_PCI_LOCALITY), and an XML file may hold more than the tree beside it.  Reading all PCI
 * functions for that takes long, so it is loaded when the first such function is met.
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

#endif
