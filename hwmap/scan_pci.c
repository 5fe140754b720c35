/* SPDX-License-Identifier: BSD-3-Clause */
#include "scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "notes.h"

#define PCI_BASE_NETWORK 0x02 /* base class of a NIC; 0x0207 is InfiniBand (pci_ids.h) */

/* Between min and max hex digits at *text, which moves behind them. */
static int scan_pci_hex(const char **text, int min, int max, uint64_t *ret)
{
	uint64_t v = 0;
	int n = 0;

	for (; n < max; n++, (*text)++) {
		char c = **text;

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else
			break;
	}
	*ret = v;
	return n >= min ? 0 : -1;
}

uint64_t scan_pci_parse(const char *text)
{
	uint64_t domain, bus, dev, fn;

	if (scan_pci_hex(&text, 4, 8, &domain) < 0 || *text++ != ':' ||
	    scan_pci_hex(&text, 2, 2, &bus) < 0 || *text++ != ':' ||
	    scan_pci_hex(&text, 2, 2, &dev) < 0 || *text++ != '.' ||
	    scan_pci_hex(&text, 1, 1, &fn) < 0 || *text || dev > 31 || fn > 7)
		return SCAN_NOWHERE;
	return domain << 16 | bus << 8 | dev << 3 | fn;
}

char *scan_pci_text(uint64_t at, char buf[HWMAP_PCI_MAX])
{
	buf[0] = '\0';
	if (at != SCAN_NOWHERE)
		snprintf(buf, HWMAP_PCI_MAX, "%04x:%02x:%02x.%x", (unsigned)(at >> 16),
			 (unsigned)(at >> 8 & 0xff), (unsigned)(at >> 3 & 31), (unsigned)(at & 7));
	return buf;
}

uint64_t scan_pci_in_path(const char *path)
{
	uint64_t last = SCAN_NOWHERE;

	while (*path) {
		size_t len = strcspn(path, "/");
		char name[HWMAP_PCI_MAX];

		if (len < sizeof(name)) {
			uint64_t at;

			memcpy(name, path, len);
			name[len] = '\0';
			at = scan_pci_parse(name);
			if (at != SCAN_NOWHERE)
				last = at;
		}
		path += len + (path[len] == '/');
	}
	return last;
}

static int scan_pci_order(const void *a, const void *b)
{
	const struct scan_fn *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return (int)y->listed - (int)x->listed;
}

struct scan_fn *scan_pci_find(const struct scan *s, uint64_t at)
{
	size_t low = 0, high = s->nfns;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (s->fns[mid].at < at)
			low = mid + 1;
		else
			high = mid;
	}
	return low < s->nfns && s->fns[low].at == at ? &s->fns[low] : NULL;
}

static void scan_pci_append(struct scan *s, uint64_t at, bool listed)
{
	struct scan_fn *f = &s->fns[s->nfns];

	if (at == SCAN_NOWHERE)
		return;
	memset(f, 0, sizeof(*f));
	f->at = at;
	f->pf = SCAN_NOWHERE;
	f->listed = listed;
	s->nfns++;
}

/* The table: what the bus lists, and what a netdev or an ibdev is a child of. */
static int scan_pci_table(struct scan *s, struct err *e)
{
	struct sysfs_names bus;
	size_t n = 0;

	sysfs_list(&s->sysfs, &bus, "bus/pci/devices");
	s->fns = calloc(bus.n + s->nnets + s->nibs + 1, sizeof(*s->fns));
	if (!s->fns) {
		free(bus.names);
		return err_sys(e, ENOMEM, "PCI functions");
	}
	for (size_t i = 0; i < bus.n; i++) {
		uint64_t at = scan_pci_parse(bus.names[i]);

		if (at == SCAN_NOWHERE)
			notes_add(s->notes, "bus/pci/devices/%s: not a PCI address", bus.names[i]);
		scan_pci_append(s, at, true);
	}
	free(bus.names);
	for (size_t i = 0; i < s->nnets; i++)
		scan_pci_append(s, s->nets[i].at, false);
	for (size_t i = 0; i < s->nibs; i++)
		scan_pci_append(s, s->ibs[i].at, false);
	qsort(s->fns, s->nfns, sizeof(*s->fns), scan_pci_order);
	for (size_t i = 0; i < s->nfns; i++)
		if (n == 0 || s->fns[n - 1].at != s->fns[i].at)
			s->fns[n++] = s->fns[i];
	s->nfns = n;
	return 0;
}

static void scan_pci_count_children(struct scan *s)
{
	for (size_t i = 0; i < s->nnets; i++) {
		struct scan_fn *f = scan_pci_find(s, s->nets[i].at);

		if (f && f->nnets++ == 0)
			f->net = (uint32_t)i;
	}
	for (size_t i = 0; i < s->nibs; i++) {
		struct scan_fn *f = scan_pci_find(s, s->ibs[i].at);

		if (f)
			f->nibs++;
	}
}

static bool scan_pci_is_network(const struct scan *s, const char *addr)
{
	int64_t class;

	if (sysfs_number(&s->sysfs, &class, "bus/pci/devices/%s/class", addr) < 0) {
		notes_add(s->notes, "bus/pci/devices/%s/class: %s", addr, strerror(errno));
		return false;
	}
	return class >> 16 == PCI_BASE_NETWORK;
}

/* The VFs of a PF, by its links virtfn0, virtfn1, ... */
static void scan_pci_vfs(struct scan *s, const struct scan_fn *pf, const char *addr)
{
	char target[SYSFS_TEXT_MAX];

	for (uint32_t i = 0; i < pf->num; i++) {
		struct scan_fn *vf;

		if (sysfs_link(&s->sysfs, target, sizeof(target), "bus/pci/devices/%s/virtfn%u",
			       addr, i) < 0) {
			notes_add(s->notes, "%s should have %u VFs, but there is no virtfn%u: %s",
				  addr, pf->num, i, strerror(errno));
			return;
		}
		vf = scan_pci_find(s, scan_pci_in_path(target));
		if (!vf || vf == pf)
			notes_add(s->notes, "%s: virtfn%u is no PCI function that there is", addr,
				  i);
		else if (vf->pf == SCAN_NOWHERE)
			vf->pf = pf->at;
		if (vf && vf != pf)
			vf->sriov = true;
	}
}

static uint32_t scan_pci_count(const struct scan *s, const char *addr, const char *file)
{
	int64_t n;

	if (sysfs_number(&s->sysfs, &n, "bus/pci/devices/%s/%s", addr, file) < 0) {
		notes_add(s->notes, "bus/pci/devices/%s/%s: %s", addr, file, strerror(errno));
		return 0;
	}
	if (n < 0 || n > HWMAP_SLOTS_MAX) {
		notes_add(s->notes, "bus/pci/devices/%s/%s: %" PRId64 " cannot be", addr, file, n);
		return 0;
	}
	return (uint32_t)n;
}

/* A function that no PF has named: whether it is a PF, or a VF all the same. */
static void scan_pci_function(struct scan *s, struct scan_fn *f)
{
	char addr[HWMAP_PCI_MAX], target[SYSFS_TEXT_MAX];
	int64_t total;

	scan_pci_text(f->at, addr);
	if (sysfs_number(&s->sysfs, &total, "bus/pci/devices/%s/sriov_totalvfs", addr) < 0) {
		if (errno != ENOENT)
			notes_add(s->notes, "bus/pci/devices/%s/sriov_totalvfs: %s", addr,
				  strerror(errno));
		if ((f->nnets || f->nibs) && sysfs_link(&s->sysfs, target, sizeof(target),
							"bus/pci/devices/%s/physfn", addr) >= 0) {
			f->pf = scan_pci_in_path(target);
			f->sriov = f->pf != SCAN_NOWHERE;
		}
		return;
	}
	if (total <= 0 || !scan_pci_is_network(s, addr))
		return;
	f->sriov = true;
	f->total = scan_pci_count(s, addr, "sriov_totalvfs");
	f->num = scan_pci_count(s, addr, "sriov_numvfs");
	scan_pci_vfs(s, f, addr);
}

/* NICs that VFIO has are for user space, too, with or without SR-IOV. */
static void scan_pci_vfio(struct scan *s)
{
	struct sysfs_names bound;

	sysfs_list(&s->sysfs, &bound, "bus/pci/drivers/vfio-pci");
	for (size_t i = 0; i < bound.n; i++) {
		struct scan_fn *f = scan_pci_find(s, scan_pci_parse(bound.names[i]));

		if (f && !f->sriov && scan_pci_is_network(s, bound.names[i]))
			f->sriov = true;
	}
	free(bound.names);
}

int scan_pci(struct scan *s, struct err *e)
{
	if (scan_pci_table(s, e) < 0)
		return -1;
	scan_pci_count_children(s);
	for (size_t i = 0; i < s->nfns; i++)
		if (s->fns[i].pf == SCAN_NOWHERE)
			scan_pci_function(s, &s->fns[i]);
	scan_pci_vfio(s);
	return 0;
}

/* The name at the end of a link, as that of a driver; "" if there is none. */
static void scan_pci_link_name(const struct scan *s, char ret[HWMAP_NAME_MAX], const char *addr,
			       const char *link)
{
	char target[SYSFS_TEXT_MAX];
	const char *slash;

	ret[0] = '\0';
	if (sysfs_link(&s->sysfs, target, sizeof(target), "bus/pci/devices/%s/%s", addr, link) <
	    0) {
		if (errno != ENOENT)
			notes_add(s->notes, "bus/pci/devices/%s/%s: %s", addr, link,
				  strerror(errno));
		return;
	}
	slash = strrchr(target, '/');
	if (sysfs_name(ret, HWMAP_NAME_MAX, slash ? slash + 1 : target) < 0)
		notes_add(s->notes, "bus/pci/devices/%s/%s: leads to no kernel's name", addr, link);
}

void scan_pci_details(const struct scan *s, struct scan_fn *fn)
{
	char addr[HWMAP_PCI_MAX], group[HWMAP_NAME_MAX], kind[32];

	if (fn->driver[0])
		return;
	scan_pci_text(fn->at, addr);
	scan_pci_link_name(s, fn->driver, addr, "driver");
	/* vfio-pci, and the variants that vendors have: mlx5_vfio_pci, pds-vfio-pci, ... */
	if (!strstr(fn->driver, "vfio"))
		return;
	scan_pci_link_name(s, group, addr, "iommu_group");
	/* without an IOMMU: drivers/vfio/group.c names the node so */
	if (group[0] &&
	    sysfs_text(&s->sysfs, kind, sizeof(kind), "bus/pci/devices/%s/iommu_group/name", addr) >
		    0 &&
	    strcmp(kind, "vfio-noiommu") == 0)
		snprintf(fn->vfio, sizeof(fn->vfio), "noiommu-%.40s", group);
	else
		memcpy(fn->vfio, group, sizeof(fn->vfio));
}
