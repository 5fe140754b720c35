/* SPDX-License-Identifier: BSD-3-Clause */
#include "scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "notes.h"
#include "rdma_nl.h"

static int scan_rdma_order(const void *name, const void *ib)
{
	return sysfs_compare(name, ((const struct scan_ib *)ib)->name);
}

static struct scan_ib *scan_rdma_find(const struct scan *s, const char *name)
{
	return s->nibs ? bsearch(name, s->ibs, s->nibs, sizeof(*s->ibs), scan_rdma_order) : NULL;
}

/* The best of the ports: one that is up is enough.  -1: there is no port to read. */
static int scan_rdma_state(const struct scan *s, struct scan_ib *ib)
{
	int64_t number;

	ib->port = 1;
	for (int port = 1; port <= HWMAP_PORTS_MAX && ib->state != HWMAP_STATE_ACTIVE; port++) {
		enum hwmap_state state;

		if (sysfs_number(&s->sysfs, &number, "class/infiniband/%s/ports/%d/state", ib->name,
				 port) < 0) {
			if (errno != ENOENT || port == 1)
				notes_add(s->notes, "class/infiniband/%s/ports/%d/state: %s",
					  ib->name, port, strerror(errno));
			return port == 1 ? -1 : 0;
		}
		state = hwmap_port_state(number);
		if (state > ib->state) {
			ib->state = state;
			ib->port = (uint16_t)port;
		}
	}
	return 0;
}

/* An attribute that holds a netdev's name. */
static bool scan_rdma_netdev(const struct scan *s, struct scan_ib *ib, const char *file)
{
	char name[HWMAP_NAME_MAX];

	if (ib->netdev[0])
		return true;
	if (sysfs_text(&s->sysfs, name, sizeof(name), "class/infiniband/%s/%s", ib->name, file) <=
	    0)
		return false;
	return sysfs_name(ib->netdev, sizeof(ib->netdev), name) == 0;
}

/* The decimal number below limit at *text, which moves behind it; -1: none. */
static int64_t scan_rdma_digits(const char **text, int64_t limit)
{
	const char *p = *text;
	int64_t n = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		n = n * 10 + (*p - '0');
		if (n >= limit)
			return -1;
	}
	if (p == *text)
		return -1;
	*text = p;
	return n;
}

/* ---- usNIC: drivers/infiniband/hw/usnic/usnic_ib_sysfs.c ---- */

static uint32_t scan_rdma_usnic_count(const struct scan *s, const struct scan_ib *ib,
				      const char *file)
{
	int64_t n;

	if (sysfs_number(&s->sysfs, &n, "class/infiniband/%s/%s", ib->name, file) < 0) {
		notes_add(s->notes, "class/infiniband/%s/%s: %s", ib->name, file, strerror(errno));
		return 0;
	}
	if (n < 0 || n > HWMAP_SLOTS_MAX) {
		notes_add(s->notes, "class/infiniband/%s/%s: %" PRId64 " cannot be", ib->name, file,
			  n);
		return 0;
	}
	return (uint32_t)n;
}

/* The VF of a queue pair: "QPN: 1 State: (RTS) PID: 4242 VF Idx: 3 WQ[0] ...". */
static int64_t scan_rdma_usnic_vf(const char *summary)
{
	static const char mark[] = "VF Idx: ";
	const char *p = strstr(summary, mark);

	if (!p)
		return -1;
	p += sizeof(mark) - 1;
	return scan_rdma_digits(&p, HWMAP_SLOTS_MAX);
}

/* How many VFs have queue pairs; several of one process may share a VF. */
static uint32_t scan_rdma_usnic_busy(const struct scan *s, const struct scan_ib *ib)
{
	unsigned char seen[HWMAP_SLOTS_MAX / 8] = { 0 };
	char path[HWMAP_NAME_MAX + 32], text[SYSFS_TEXT_MAX + 1];
	struct sysfs_names qpn;
	uint32_t busy = 0;

	snprintf(path, sizeof(path), "class/infiniband/%s/qpn", ib->name);
	sysfs_list(&s->sysfs, &qpn, path);
	for (size_t i = 0; i < qpn.n; i++) {
		int64_t vf;

		/* gone again is not worth a note: queue pairs come and go */
		if (sysfs_text(&s->sysfs, text, sizeof(text), "%s/%s/summary", path, qpn.names[i]) <
		    0)
			continue;
		vf = scan_rdma_usnic_vf(text);
		if (vf < 0)
			notes_add(s->notes, "%s/%s/summary: names no VF", path, qpn.names[i]);
		else if (!(seen[vf / 8] >> (vf % 8) & 1))
			busy++;
		if (vf >= 0)
			seen[vf / 8] |= (unsigned char)(1 << (vf % 8));
	}
	free(qpn.names);
	return busy;
}

/* Whether it is usNIC's is told by its attributes: the name can be changed. */
static void scan_rdma_usnic(const struct scan *s, struct scan_ib *ib)
{
	int64_t n;

	if (sysfs_number(&s->sysfs, &n, "class/infiniband/%s/max_vf", ib->name) < 0 &&
	    (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return;
	ib->pooled = true;
	ib->max_vf = scan_rdma_usnic_count(s, ib, "max_vf");
	ib->qp_per_vf = scan_rdma_usnic_count(s, ib, "qp_per_vf");
	ib->cq_per_vf = scan_rdma_usnic_count(s, ib, "cq_per_vf");
	ib->busy = scan_rdma_usnic_busy(s, ib);
	scan_rdma_netdev(s, ib, "iface");
}

/* ---- ibdevs and their uverbs ---- */

void scan_rdma_settle(const struct scan *s, struct scan_ib *ib, const struct scan_fn *fn)
{
	char file[64];
	const char *net;

	if (ib->netdev[0] || !fn || fn->nnets == 0)
		return;
	/*
	 * A RoCE port's default GID belongs to its interface, or to the bond that has that
	 * (roce_gid_mgmt.c, is_ndev_for_default_gid_filter).  InfiniBand's has none (EINVAL).
	 */
	snprintf(file, sizeof(file), "ports/%u/gid_attrs/ndevs/0", ib->port);
	if (scan_rdma_netdev(s, ib, file)) {
		if (scan_net_find(s, ib->netdev))
			return;
		ib->netdev[0] = '\0'; /* of another network namespace */
	}
	net = scan_net_of(s, fn);
	memcpy(ib->netdev, net, strlen(net) + 1);
}

/* A soft device is reached through its netdev. */
static void scan_rdma_above(const struct scan *s, struct scan_ib *ib)
{
	const struct scan_net *net = scan_net_find(s, ib->netdev);

	if (net)
		ib->at = net->at;
}

/*
 * soft-RoCE and siw lie on a netdev.  rxe alone has an attribute with its name (rxe_verbs.c),
 * and /sys has nothing else that tells the driver of a device without a parent.
 */
static void scan_rdma_soft(const struct scan *s, struct scan_ib *ib)
{
	char parent[HWMAP_NAME_MAX];

	if (sysfs_text(&s->sysfs, parent, sizeof(parent), "class/infiniband/%s/parent", ib->name) >
	    0)
		memcpy(ib->driver, "rdma_rxe", sizeof("rdma_rxe"));
	if (!scan_rdma_netdev(s, ib, "ports/1/gid_attrs/ndevs/0"))
		scan_rdma_netdev(s, ib, "parent");
	scan_rdma_above(s, ib);
}

static void scan_rdma_device(const struct scan *s, struct scan_ib *ib)
{
	char target[SYSFS_TEXT_MAX];

	if (sysfs_link(&s->sysfs, target, sizeof(target), "class/infiniband/%s", ib->name) < 0 &&
	    sysfs_link(&s->sysfs, target, sizeof(target), "class/infiniband/%s/device", ib->name) <
		    0)
		notes_add(s->notes, "class/infiniband/%s: %s", ib->name, strerror(errno));
	ib->at = scan_pci_in_path(target);
	ib->soft = ib->at == SCAN_NOWHERE;
	if (scan_rdma_state(s, ib) < 0 && ib->soft) {
		ib->unreadable = true; /* it may have gone meanwhile */
		return;
	}
	scan_rdma_usnic(s, ib);
	if (ib->soft)
		scan_rdma_soft(s, ib);
}

/* "231:192" */
static int scan_rdma_devno(const char *text, uint32_t *major, uint32_t *minor)
{
	int64_t a = scan_rdma_digits(&text, 1 << 12), b; /* the kernel's MINORBITS is 20 */

	if (a < 0 || *text++ != ':')
		return -1;
	b = scan_rdma_digits(&text, 1 << 20);
	if (b < 0 || *text)
		return -1;
	*major = (uint32_t)a;
	*minor = (uint32_t)b;
	return 0;
}

static void scan_rdma_uverbs_one(const struct scan *s, const char *uverbs)
{
	char ibdev[HWMAP_NAME_MAX], dev[32];
	uint32_t major, minor;
	struct scan_ib *ib;

	if (sysfs_text(&s->sysfs, ibdev, sizeof(ibdev), "class/infiniband_verbs/%s/ibdev", uverbs) <
		    0 ||
	    sysfs_text(&s->sysfs, dev, sizeof(dev), "class/infiniband_verbs/%s/dev", uverbs) < 0) {
		notes_add(s->notes, "class/infiniband_verbs/%s: %s", uverbs, strerror(errno));
		return;
	}
	if (scan_rdma_devno(dev, &major, &minor) < 0) {
		notes_add(s->notes, "class/infiniband_verbs/%s/dev: not a device number: %s",
			  uverbs, dev);
		return;
	}
	ib = scan_rdma_find(s, ibdev);
	if (!ib) {
		notes_add(s->notes, "class/infiniband_verbs/%s belongs to %s, which is not listed",
			  uverbs, ibdev);
		return;
	}
	memcpy(ib->uverbs, uverbs, strlen(uverbs) + 1);
	ib->major = major;
	ib->minor = minor;
}

static void scan_rdma_uverbs(const struct scan *s)
{
	struct sysfs_names l;

	sysfs_list(&s->sysfs, &l, "class/infiniband_verbs");
	for (size_t i = 0; i < l.n; i++)
		if (strcmp(l.names[i], "abi_version") != 0) /* a file */
			scan_rdma_uverbs_one(s, l.names[i]);
	free(l.names);
}

/* What the running kernel adds. A device that is open is taken, whoever has it. */
static void scan_rdma_ask_kernel(const struct scan *s)
{
	const struct rdma_nl_told *told;
	struct rdma_nl *nl = NULL;

	if (rdma_nl_open(&nl, s->notes) < 0)
		return;
	told = rdma_nl_told(nl);
	if (told->exclusive)
		notes_add(s->notes, "each RDMA device belongs to one network namespace: those of "
				    "others are not listed");
	for (size_t i = 0; i < told->n; i++) {
		struct scan_ib *ib = scan_rdma_find(s, told->devices[i].name);

		if (!ib)
			continue;
		if (!ib->pooled)
			ib->busy = told->devices[i].contexts > 0;
		if (!ib->soft || ib->netdev[0])
			continue;
		sysfs_name(ib->netdev, sizeof(ib->netdev),
			   rdma_nl_ask_netdev(nl, told->devices[i].index));
		scan_rdma_above(s, ib);
	}
	rdma_nl_close(nl);
}

int scan_rdma(struct scan *s, struct err *e)
{
	struct sysfs_names l;

	sysfs_list(&s->sysfs, &l, "class/infiniband");
	s->ibs = calloc(l.n + 1, sizeof(*s->ibs));
	if (!s->ibs) {
		free(l.names);
		return err_sys(e, ENOMEM, "RDMA devices");
	}
	for (size_t i = 0; i < l.n; i++) {
		memcpy(s->ibs[i].name, l.names[i], sizeof(s->ibs[i].name));
		scan_rdma_device(s, &s->ibs[i]);
	}
	s->nibs = l.n;
	free(l.names);
	if (s->live && s->nibs)
		scan_rdma_ask_kernel(s);
	scan_rdma_uverbs(s);
	return 0;
}
