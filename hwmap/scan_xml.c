/* SPDX-License-Identifier: BSD-3-Clause */
#include "scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "notes.h"
#include "topo_io.h"

static void scan_xml_ib(struct scan *s, const struct topo_io_osdev *d)
{
	struct scan_ib *ib = &s->ibs[s->nibs++];

	memcpy(ib->name, d->name, sizeof(ib->name));
	ib->at = d->at;
	ib->soft = d->at == SCAN_NOWHERE;
	ib->state = hwmap_port_state(d->port_state);
	ib->port = 1; /* of that one hwloc tells (topo_io.h) */
	ib->pooled = d->usnic_vfs > 0;
	ib->max_vf = d->usnic_vfs;
}

int scan_xml(struct scan *s, struct err *e)
{
	struct topo_io_osdev *v = NULL;
	size_t n = 0;

	s->io_tried = true;
	s->io = topo_io_load(s->src, s->notes);
	if (!s->io || topo_io_osdevs(s->io, &v, &n) < 0)
		return err_set(e, "%s: its devices cannot be read", s->src->topology);
	s->nets = calloc(n + 1, sizeof(*s->nets));
	s->ibs = calloc(n + 1, sizeof(*s->ibs));
	if (!s->nets || !s->ibs) {
		free(v);
		return err_sys(e, ENOMEM, "devices");
	}
	for (size_t i = 0; i < n; i++) {
		if (v[i].ib) {
			scan_xml_ib(s, &v[i]);
			continue;
		}
		memcpy(s->nets[s->nnets].name, v[i].name, sizeof(v[i].name));
		s->nets[s->nnets++].at = v[i].at;
	}
	free(v);
	notes_add(s->notes,
		  "a topology alone tells neither drivers nor uverbs, and VFs only of usNIC");
	return 0;
}
