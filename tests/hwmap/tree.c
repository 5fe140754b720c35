/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../hwmap/hwmap.h"

static _Noreturn void tree_fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	abort();
}

void tree_open(struct tree *t, const char *dir)
{
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		tree_fail(dir);
	t->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->fd < 0 || !realpath(dir, t->dir))
		tree_fail(dir);
}

void tree_temp(struct tree *t)
{
	const char *tmp = getenv("TMPDIR");
	char dir[4096];

	snprintf(dir, sizeof(dir), "%s/berth-tree.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		tree_fail(dir);
	tree_open(t, dir);
}

static int tree_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void tree_remove(struct tree *t)
{
	close(t->fd);
	if (nftw(t->dir, tree_unlink, 16, FTW_DEPTH | FTW_PHYS) < 0)
		tree_fail(t->dir);
}

void tree_drop(const struct tree *t, const char *path)
{
	char full[8192];

	snprintf(full, sizeof(full), "%s/%s", t->dir, path);
	if (nftw(full, tree_unlink, 16, FTW_DEPTH | FTW_PHYS) < 0)
		tree_fail(full);
}

/* Directories above the last component; tried only where they turn out to be missing. */
static void tree_above(const struct tree *t, const char *path)
{
	char part[PATH_MAX];

	snprintf(part, sizeof(part), "%s", path);
	for (char *p = strchr(part, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdirat(t->fd, part, 0755) < 0 && errno != EEXIST)
			tree_fail(part);
		*p = '/';
	}
}

void tree_dir(const struct tree *t, const char *path)
{
	tree_above(t, path);
	if (mkdirat(t->fd, path, 0755) < 0 && errno != EEXIST)
		tree_fail(path);
}

void tree_bytes(const struct tree *t, const void *data, size_t size, const char *path)
{
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
	int fd = openat(t->fd, path, flags, 0644);

	if (fd < 0 && errno == ENOENT) {
		tree_above(t, path);
		fd = openat(t->fd, path, flags, 0644);
	}
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		tree_fail(path);
	close(fd);
}

void tree_file(const struct tree *t, const char *text, const char *fmt, ...)
{
	char path[PATH_MAX], line[SHRT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	snprintf(line, sizeof(line), "%s\n", text);
	tree_bytes(t, line, strlen(line), path);
}

void tree_link(const struct tree *t, const char *target, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (symlinkat(target, t->fd, path) == 0)
		return;
	if (errno == ENOENT)
		tree_above(t, path);
	else if (errno == EEXIST)
		unlinkat(t->fd, path, 0);
	if (symlinkat(target, t->fd, path) < 0)
		tree_fail(path);
}

/* A link in devices/dev, to a path from the tree's top. */
static void tree_link_up(const struct tree *t, const char *dev, const char *name,
			 const char *target)
{
	char up[PATH_MAX] = "../../";
	size_t n = 6;

	for (const char *p = dev; (p = strchr(p, '/')) && n < 1024; p++, n += 3)
		memcpy(up + n, "../", 4);
	snprintf(up + n, sizeof(up) - n, "%s", target);
	tree_link(t, up, "devices/%s/%s", dev, name);
}

static const char *tree_last(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* As the kernel prints masks: words of 32 bits, the highest first. */
static void tree_mask(const char *list, char *buf, size_t size)
{
	struct hwmap_cpus c;
	size_t used = 0;
	int word = 0;

	if (hwmap_cpus_parse(list, &c) < 0)
		abort();
	for (int i = 0; i < HWMAP_CPUS_MAX; i++)
		if (hwmap_cpus_has(&c, (unsigned)i))
			word = i / 32;
	for (; word >= 0; word--)
		used += (size_t)snprintf(buf + used, size - used, "%08x%s",
					 (unsigned)(c.bits[word / 2] >> (word % 2 * 32)),
					 word ? "," : "");
}

void tree_cpus(const struct tree *t, unsigned ncpus, unsigned per_package, const char *online)
{
	char text[64], mask[2048];
	struct hwmap_cpus on;

	if (hwmap_cpus_parse(online, &on) < 0)
		abort();
	snprintf(text, sizeof(text), "0-%u", ncpus - 1);
	tree_file(t, text, "devices/system/cpu/possible");
	tree_file(t, text, "devices/system/cpu/present");
	tree_file(t, online, "devices/system/cpu/online");
	for (unsigned cpu = 0; cpu < ncpus; cpu++) {
		unsigned package = cpu / per_package;

		tree_file(t, hwmap_cpus_has(&on, cpu) ? "1" : "0",
			  "devices/system/cpu/cpu%u/online", cpu);
		if (!hwmap_cpus_has(&on, cpu))
			continue; /* the kernel shows no topology/ then */
		snprintf(text, sizeof(text), "%u", package);
		tree_file(t, text, "devices/system/cpu/cpu%u/topology/physical_package_id", cpu);
		snprintf(text, sizeof(text), "%u", cpu % per_package);
		tree_file(t, text, "devices/system/cpu/cpu%u/topology/core_id", cpu);
		snprintf(text, sizeof(text), "%u", cpu);
		tree_mask(text, mask, sizeof(mask));
		tree_file(t, mask, "devices/system/cpu/cpu%u/topology/core_cpus", cpu);
		tree_file(t, mask, "devices/system/cpu/cpu%u/topology/thread_siblings", cpu);
		snprintf(text, sizeof(text), "%u-%u", package * per_package,
			 (package + 1) * per_package - 1);
		tree_mask(text, mask, sizeof(mask));
		tree_file(t, mask, "devices/system/cpu/cpu%u/topology/package_cpus", cpu);
		tree_file(t, mask, "devices/system/cpu/cpu%u/topology/core_siblings", cpu);
	}
}

void tree_node(const struct tree *t, unsigned node, const char *cpus, const char *distance)
{
	char mask[2048], text[64];

	tree_mask(cpus, mask, sizeof(mask));
	tree_file(t, mask, "devices/system/node/node%u/cpumap", node);
	tree_file(t, cpus, "devices/system/node/node%u/cpulist", node);
	snprintf(text, sizeof(text), "Node %u MemTotal: 16777216 kB", node);
	tree_file(t, text, "devices/system/node/node%u/meminfo", node);
	if (distance)
		tree_file(t, distance, "devices/system/node/node%u/distance", node);
	snprintf(text, sizeof(text), "0-%u", node); /* nodes are made in order */
	tree_file(t, node ? text : "0", "devices/system/node/online");
	tree_file(t, node ? text : "0", "devices/system/node/possible");
}

static void tree_hex(const struct tree *t, const char *dev, const char *file, int digits,
		     unsigned value)
{
	char text[16];

	snprintf(text, sizeof(text), "0x%0*x", digits, value);
	tree_file(t, text, "devices/%s/%s", dev, file);
}

void tree_pci(const struct tree *t, const struct tree_pci *p)
{
	const char *addr = tree_last(p->dev);
	char text[PATH_MAX], mask[2048];

	tree_hex(t, p->dev, "class", 6, p->class);
	tree_hex(t, p->dev, "vendor", 4, p->vendor);
	tree_hex(t, p->dev, "device", 4, p->device);
	tree_hex(t, p->dev, "subsystem_vendor", 4, p->vendor);
	tree_hex(t, p->dev, "subsystem_device", 4, 0);
	snprintf(text, sizeof(text), "%d", p->numa);
	tree_file(t, text, "devices/%s/numa_node", p->dev);
	tree_file(t, p->cpus, "devices/%s/local_cpulist", p->dev);
	tree_mask(p->cpus, mask, sizeof(mask));
	tree_file(t, mask, "devices/%s/local_cpus", p->dev);
	snprintf(text, sizeof(text), "../../../devices/%s", p->dev);
	tree_link(t, text, "bus/pci/devices/%s", addr);
	if (p->driver) {
		snprintf(text, sizeof(text), "bus/pci/drivers/%s", p->driver);
		tree_dir(t, text);
		tree_link_up(t, p->dev, "driver", text);
		snprintf(text, sizeof(text), "../../../../devices/%s", p->dev);
		tree_link(t, text, "bus/pci/drivers/%s/%s", p->driver, addr);
	}
	if (p->group >= 0) {
		snprintf(text, sizeof(text), "kernel/iommu_groups/%d", p->group);
		tree_file(t, "DMA", "%s/type", text);
		tree_link_up(t, p->dev, "iommu_group", text);
	}
	if (p->total_vfs) {
		snprintf(text, sizeof(text), "%u", p->total_vfs);
		tree_file(t, text, "devices/%s/sriov_totalvfs", p->dev);
		snprintf(text, sizeof(text), "%u", p->num_vfs);
		tree_file(t, text, "devices/%s/sriov_numvfs", p->dev);
	}
}

void tree_vf(const struct tree *t, const char *pf, const char *vf, unsigned n)
{
	char up[64];

	snprintf(up, sizeof(up), "../%s", tree_last(vf));
	tree_link(t, up, "devices/%s/virtfn%u", pf, n);
	snprintf(up, sizeof(up), "../%s", tree_last(pf));
	tree_link(t, up, "devices/%s/physfn", vf);
}

static void tree_class(const struct tree *t, const char *dev, const char *class, const char *name)
{
	char text[PATH_MAX];

	snprintf(text, sizeof(text), "../../devices/%s/%s/%s", dev, class, name);
	tree_link(t, text, "class/%s/%s", class, name);
	if (strcmp(dev, "virtual") != 0)
		tree_link(t, "../..", "devices/%s/%s/%s/device", dev, class, name);
}

void tree_net(const struct tree *t, const char *dev, const char *name, const char *carrier)
{
	tree_file(t, carrier && carrier[0] == '1' ? "up" : "down", "devices/%s/net/%s/operstate",
		  dev, name);
	tree_file(t, "1", "devices/%s/net/%s/type", dev, name);
	if (carrier)
		tree_file(t, carrier, "devices/%s/net/%s/carrier", dev, name);
	tree_class(t, dev, "net", name);
}

void tree_ib(const struct tree *t, const char *dev, const char *name, const char *state,
	     const char *netdev, int uverbs)
{
	char text[64], node[32];

	tree_file(t, state, "devices/%s/infiniband/%s/ports/1/state", dev, name);
	tree_file(t, "0200:00ff:fe00:0000", "devices/%s/infiniband/%s/node_guid", dev, name);
	if (netdev)
		tree_file(t, netdev, "devices/%s/infiniband/%s/ports/1/gid_attrs/ndevs/0", dev,
			  name);
	tree_class(t, dev, "infiniband", name);
	if (uverbs < 0)
		return;
	snprintf(node, sizeof(node), "uverbs%d", uverbs);
	/* the first 32 have fixed numbers, see uverbs_main.c; the others here are made up */
	snprintf(text, sizeof(text), "%d:%d", uverbs < 32 ? 231 : 500,
		 uverbs < 32 ? 192 + uverbs : uverbs - 32);
	tree_file(t, text, "devices/%s/infiniband_verbs/%s/dev", dev, node);
	tree_file(t, name, "devices/%s/infiniband_verbs/%s/ibdev", dev, node);
	tree_class(t, dev, "infiniband_verbs", node);
}

void tree_usnic(const struct tree *t, const char *ibdev, const char *iface, unsigned max_vf)
{
	char text[256];

	tree_file(t, iface, "class/infiniband/%s/iface", ibdev);
	snprintf(text, sizeof(text), "%u", max_vf);
	tree_file(t, text, "class/infiniband/%s/max_vf", ibdev);
	tree_file(t, "6", "class/infiniband/%s/qp_per_vf", ibdev);
	tree_file(t, "6", "class/infiniband/%s/cq_per_vf", ibdev);
	snprintf(text, sizeof(text),
		 "%s: pci:0.0, %s, 00:00:00:00:00:00, %u VFs\n Per VF: 6 WQ, 6 RQ, 6 CQ, 6 INT",
		 ibdev, iface, max_vf);
	tree_file(t, text, "class/infiniband/%s/config", ibdev);
	snprintf(text, sizeof(text), "class/infiniband/%s/qpn", ibdev);
	tree_dir(t, text);
}

void tree_usnic_qp(const struct tree *t, const char *ibdev, unsigned qpn, unsigned vf)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "QPN: %u State: (Ready to send) PID: 4242 VF Idx: %u WQ[0] RQ[0]", qpn, vf);
	tree_file(t, text, "class/infiniband/%s/qpn/%u/summary", ibdev, qpn);
}
