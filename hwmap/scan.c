/* SPDX-License-Identifier: BSD-3-Clause */
#include "scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "notes.h"
#include "places.h"
#include "topo.h"
#include "topo_io.h"

#define SCAN_TRIES 10

/* A device on its way into the map. */
struct scan_item {
	struct scan_fn *fn; /* NULL: soft */
	struct scan_ib *ib; /* NULL: a function without one */
	uint64_t pf;	    /* fn's PF, or fn itself */
};

struct scan_items {
	struct scan_item *v;
	size_t n;
};

static int scan_order(const void *a, const void *b)
{
	const struct scan_item *x = a, *y = b;
	uint64_t xat = x->fn ? x->fn->at : SCAN_NOWHERE, yat = y->fn ? y->fn->at : SCAN_NOWHERE;

	if (x->pf != y->pf)
		return x->pf < y->pf ? -1 : 1;
	if (xat != yat)
		return xat < yat ? -1 : 1;
	return sysfs_compare(x->ib ? x->ib->name : "", y->ib ? y->ib->name : "");
}

static void scan_item(struct scan_items *l, struct scan_fn *fn, struct scan_ib *ib)
{
	struct scan_item *item = &l->v[l->n++];

	item->fn = fn;
	item->ib = ib;
	item->pf = !fn ? SCAN_NOWHERE : fn->pf != SCAN_NOWHERE ? fn->pf : fn->at;
}

/* What can be leased, and PFs. A VF without any of ibdev, netdev and VFIO is of no use to us. */
static int scan_collect(const struct scan *s, struct scan_items *l, struct err *e)
{
	l->v = calloc(s->nibs + s->nfns + 1, sizeof(*l->v));
	if (!l->v)
		return err_sys(e, ENOMEM, "devices");
	for (size_t i = 0; i < s->nibs; i++)
		if (!s->ibs[i].unreadable)
			scan_item(l, scan_pci_find(s, s->ibs[i].at), &s->ibs[i]);
	for (size_t i = 0; i < s->nfns; i++) {
		struct scan_fn *f = &s->fns[i];

		if (f->nibs || !f->sriov)
			continue;
		if (f->pf != SCAN_NOWHERE && f->nnets == 0) {
			scan_pci_details(s, f);
			if (!f->vfio[0])
				continue;
		}
		scan_item(l, f, NULL);
	}
	qsort(l->v, l->n, sizeof(*l->v), scan_order);
	if (l->n > HWMAP_DEVICES_MAX) {
		notes_add(s->notes, "%zu devices: those after the first %d are left out", l->n,
			  HWMAP_DEVICES_MAX);
		l->n = HWMAP_DEVICES_MAX;
	}
	return 0;
}

/* ---- where a function sits ---- */

static bool scan_part_of(const struct hwmap_cpus *c, const struct hwmap_cpus *all)
{
	bool some = false, missing = false;

	for (size_t i = 0; i < HWMAP_CPUS_MAX / 64; i++) {
		some |= c->bits[i] != 0;
		missing |= (all->bits[i] & ~c->bits[i]) != 0;
	}
	return some && missing;
}

/* local_cpulist, without offline CPUs; empty where it is missing or odd. */
static struct hwmap_cpus scan_local_cpus(const struct scan *s, const struct topo *t,
					 const char *addr)
{
	struct hwmap_cpus cpus = { { 0 } };
	char text[SYSFS_TEXT_MAX];

	if (sysfs_text(&s->sysfs, text, sizeof(text), "bus/pci/devices/%s/local_cpulist", addr) < 0)
		return cpus;
	if (hwmap_cpus_parse(text, &cpus) < 0)
		notes_add(s->notes, "bus/pci/devices/%s/local_cpulist: no list of CPUs below %d",
			  addr, HWMAP_CPUS_MAX);
	for (size_t i = 0; i < HWMAP_CPUS_MAX / 64; i++)
		cpus.bits[i] &= t->cpus.bits[i];
	return cpus;
}

static bool scan_has_node(const struct topo *t, int64_t os)
{
	for (uint32_t i = 0; i < t->nnodes; i++)
		if (t->nodes[i].os == os)
			return true;
	return false;
}

/* The OS index of the one NUMA node that all of cpus are in, or -1. */
static int32_t scan_node_around(const struct topo *t, const struct hwmap_cpus *cpus)
{
	int32_t numa = -1;

	for (unsigned cpu = 0; cpu < HWMAP_CPUS_MAX; cpu++) {
		if (!hwmap_cpus_has(cpus, cpu))
			continue;
		if (numa != -1 && numa != t->nodes[t->home[cpu]].os)
			return -1;
		numa = t->nodes[t->home[cpu]].os;
	}
	return numa;
}

/* For a function of which /sys doesn't tell; cpus: none if hwloc doesn't either. */
static void scan_ask_hwloc(struct scan *s, const struct topo *t, const struct scan_fn *fn,
			   struct hwmap_cpus *cpus)
{
	memset(cpus, 0, sizeof(*cpus));
	if (t->nnodes == 1 || !s->src)
		return;
	if (!s->io_tried)
		s->io = topo_io_load(s->src, s->notes);
	s->io_tried = true;
	if (s->io && topo_io_cpus(s->io, fn->at, cpus))
		for (size_t i = 0; i < HWMAP_CPUS_MAX / 64; i++)
			cpus->bits[i] &= t->cpus.bits[i];
}

/*
 * numa_node and local_cpulist of a function.  Without a node the kernel takes all CPUs for local
 * (pcibus_to_node and cpumask_of_node), which says nothing; a part of them comes from firmware.
 */
static void scan_seat(struct scan *s, const struct topo *t, const struct scan_fn *fn,
		      struct places_seat *seat)
{
	char addr[HWMAP_PCI_MAX];
	int64_t node = -1;
	bool told;

	memset(seat, 0, sizeof(*seat));
	seat->numa = -1;
	scan_pci_text(fn->at, addr);
	told = sysfs_number(&s->sysfs, &node, "bus/pci/devices/%s/numa_node", addr) == 0;
	if (!told && s->sysfs.root >= 0)
		notes_add(s->notes, "bus/pci/devices/%s/numa_node: %s", addr, strerror(errno));
	else if (node >= 0 && !scan_has_node(t, node))
		notes_add(s->notes, "bus/pci/devices/%s/numa_node: there is no node %" PRId64, addr,
			  node);
	else if (node >= 0)
		seat->numa = (int32_t)node;
	seat->cpus = scan_local_cpus(s, t, addr);
	if (seat->numa < 0 && !scan_part_of(&seat->cpus, &t->cpus))
		scan_ask_hwloc(s, t, fn, &seat->cpus);
	if (!told)
		seat->numa = scan_node_around(t, &seat->cpus);
}

/* ---- the map ---- */

static void scan_fill_ib(const struct scan *s, struct hwmap_device *d, const struct scan_item *item)
{
	struct scan_ib *ib = item->ib;

	scan_rdma_settle(s, ib, item->fn);
	if (!item->fn)
		memcpy(d->driver, ib->driver, sizeof(d->driver));
	d->state = ib->state;
	d->port = ib->port;
	d->major = ib->major;
	d->minor = ib->minor;
	memcpy(d->ibdev, ib->name, sizeof(d->ibdev));
	memcpy(d->uverbs, ib->uverbs, sizeof(d->uverbs));
	memcpy(d->netdev, ib->netdev, sizeof(d->netdev));
	if (ib->pooled) {
		d->role = HWMAP_POOLED;
		d->slots = ib->max_vf;
		d->qp_per_vf = ib->qp_per_vf;
		d->cq_per_vf = ib->cq_per_vf;
	} else if (!item->fn) {
		d->role = HWMAP_SOFT;
		d->slots = 1;
	} else if (item->fn->pf != SCAN_NOWHERE) {
		d->role = HWMAP_VF;
		d->slots = 1;
	} else {
		d->role = HWMAP_PF;
		d->slots = item->fn->num == 0;
	}
	d->busy = ib->busy < d->slots ? ib->busy : d->slots;
}

/* Without an ibdev, a VF's netdev can be given away; a PF's is the host's. */
static void scan_fill_fn(const struct scan *s, struct hwmap_device *d, const struct scan_fn *fn)
{
	const char *net = scan_net_of(s, fn);

	memcpy(d->netdev, net, strlen(net) + 1);
	if (net[0])
		d->state = scan_net_state(s, net);
	d->role = fn->pf != SCAN_NOWHERE ? HWMAP_VF : HWMAP_PF;
	d->slots = d->role == HWMAP_VF || (fn->num == 0 && fn->vfio[0]);
}

static void scan_fill(const struct scan *s, struct hwmap_device *d, const struct scan_item *item)
{
	struct scan_fn *fn = item->fn;

	if (fn) {
		scan_pci_details(s, fn);
		scan_pci_text(fn->at, d->pci);
		scan_pci_text(item->pf, d->pf);
		memcpy(d->driver, fn->driver, sizeof(d->driver));
		memcpy(d->vfio, fn->vfio, sizeof(d->vfio));
		if (fn->pf == SCAN_NOWHERE) {
			d->sriov_total = fn->total;
			d->sriov_num = fn->num;
		}
	}
	if (item->ib)
		scan_fill_ib(s, d, item);
	else if (fn)
		scan_fill_fn(s, d, fn);
}

/* The function whose slot an item is in: VFs have no slot of their own. */
static const struct scan_fn *scan_slot(const struct scan *s, const struct scan_item *item)
{
	const struct scan_fn *pf = item->fn ? scan_pci_find(s, item->pf) : NULL;

	return pf ? pf : item->fn;
}

static struct places_seat *scan_seats(struct scan *s, const struct topo *t,
				      const struct scan_items *l, struct err *e)
{
	struct places_seat *seats = calloc(l->n + 1, sizeof(*seats));
	const struct scan_fn *slot, *before = NULL;

	if (!seats) {
		err_sys(e, ENOMEM, "devices");
		return NULL;
	}
	for (size_t i = 0; i < l->n; i++) {
		slot = scan_slot(s, &l->v[i]);
		if (!slot)
			seats[i].numa = -1;
		else if (slot == before)
			seats[i] = seats[i - 1];
		else
			scan_seat(s, t, slot, &seats[i]);
		before = slot;
	}
	return seats;
}

static struct hwmap *scan_map(const struct scan *s, const struct topo *t,
			      const struct scan_items *l, const struct places_seat *seats,
			      struct err *e)
{
	struct hwmap_place *places = NULL;
	int nplaces = places_divide(t, seats, l->n, &places, s->notes, e);
	struct hwmap *m = nplaces > 0 ? hwmap_new((uint32_t)l->n, (uint32_t)nplaces) : NULL;
	uint32_t nics = 0;

	if (!m) {
		free(places);
		err_sys(e, ENOMEM, "map");
		return NULL;
	}
	memcpy(m->places, places, m->nplaces * sizeof(*places));
	free(places);
	for (uint32_t i = 0; i < m->ndevices; i++) {
		struct hwmap_device *d = &m->devices[i];
		uint16_t *row = &m->distance[(size_t)i * m->nplaces];
		bool again = i && l->v[i].fn && l->v[i].pf == l->v[i - 1].pf;

		if (again) {
			memcpy(row, row - m->nplaces, m->nplaces * sizeof(*row));
			d->cpus = d[-1].cpus;
			d->numa = d[-1].numa;
		} else {
			places_distances(t, m->places, m->nplaces, &seats[i], row, &d->cpus);
			d->numa = seats[i].numa;
		}
		scan_fill(s, d, &l->v[i]);
		d->nic = (uint16_t)(again ? nics - 1 : nics++);
	}
	return m;
}

int scan_sysfs(struct scan *s, const struct topo *t, struct hwmap **ret, struct err *e)
{
	struct scan_items l = { NULL, 0 };
	struct places_seat *seats = NULL;
	struct hwmap *m = NULL;

	if (s->sysfs.root < 0 ? scan_xml(s, e) < 0 : scan_net(s, e) < 0 || scan_rdma(s, e) < 0)
		return -1;
	if (scan_pci(s, e) == 0 && scan_collect(s, &l, e) == 0)
		seats = scan_seats(s, t, &l, e);
	if (seats)
		m = scan_map(s, t, &l, seats, e);
	free(seats);
	free(l.v);
	if (!m)
		return -1;
	*ret = m;
	return 0;
}

void scan_done(struct scan *s)
{
	free(s->fns);
	free(s->nets);
	free(s->ibs);
	topo_io_free(s->io);
	sysfs_close(&s->sysfs);
}

static int scan_once(const struct hwmap_source *src, struct hwmap **ret, struct hwmap_notes *notes,
		     struct err *e)
{
	struct scan s = { .notes = notes, .src = src, .live = !src->sysfs && !src->topology };
	char stamp[HWMAP_STAMP_MAX] = "";
	struct topo *t = NULL;
	int rc;

	if (s.live)
		hwmap_stamp(stamp);
	/* another machine's topology goes with no /sys of this one */
	s.sysfs.root = -1;
	s.sysfs.notes = notes;
	rc = src->topology && !src->sysfs ? 0 : sysfs_open(&s.sysfs, src->sysfs, notes, e);
	if (rc == 0)
		rc = topo_load(src, &t, notes, e);
	if (rc == 0)
		rc = scan_sysfs(&s, t, ret, e);
	if (rc == 0)
		memcpy((*ret)->stamp, stamp, sizeof(stamp));
	topo_free(t);
	scan_done(&s);
	return rc == 0 ? 0 : -1;
}

/* Half a device, seen while it came or went, is no answer: look again. */
int hwmap_scan(const struct hwmap_source *src, struct hwmap **ret, struct hwmap_notes *notes,
	       struct err *e)
{
	struct hwmap *m = NULL;

	if (notes) {
		notes->lines = NULL;
		notes->n = 0;
	}
	for (int tries = 1;; tries++) {
		if (scan_once(src, &m, notes, e) < 0)
			return -1;
		if (!m->stamp[0] || hwmap_fresh(m))
			break;
		if (tries == SCAN_TRIES) {
			notes_add(notes, "devices came and went all the time: some may be "
					 "described by half");
			break;
		}
		hwmap_free(m);
		if (notes)
			hwmap_notes_done(notes);
	}
	*ret = m;
	return 0;
}
