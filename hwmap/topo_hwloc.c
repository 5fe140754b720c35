/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "topo_hwloc.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * hwloc 2 can be told to read another root by HWLOC_FSROOT alone, and looks for sys/ in it: the
 * tree gets that name by a link in a directory that lives as long as the load.
 */
struct topo_root {
	char dir[PATH_MAX], sys[PATH_MAX];
};

static int topo_root_make(struct topo_root *r, const char *tree, struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	char *full = realpath(tree, NULL);
	int rc = 0;

	if (!full)
		return err_sys(e, errno, "%s", tree);
	if (!tmp || tmp[0] != '/' || strlen(tmp) > PATH_MAX - 64)
		tmp = "/tmp";
	snprintf(r->dir, sizeof(r->dir), "%.*s/berth-hwmap.XXXXXX", PATH_MAX - 64, tmp);
	if (!mkdtemp(r->dir)) {
		rc = err_sys(e, errno, "%s", r->dir);
		goto out;
	}
	snprintf(r->sys, sizeof(r->sys), "%.*s/sys", PATH_MAX - 8, r->dir);
	if (symlink(full, r->sys) < 0) {
		rc = err_sys(e, errno, "%s", r->sys);
		rmdir(r->dir);
	}
out:
	free(full);
	return rc;
}

static void topo_root_remove(const struct topo_root *r)
{
	unlink(r->sys);
	rmdir(r->dir);
}

/* A topology that is not loaded yet. */
static int topo_prepare(enum topo_detail detail, hwloc_topology_t *ret, struct err *e)
{
	/*
	 * x86 asks each CPU what the kernel has told already, bound to it; the others ask drivers,
	 * or load pci.ids.  Linux's own component finds PCI without them.
	 */
	static const char *const unwanted[] = { "x86",	"pci",	"opencl",    "cuda",
						"nvml", "rsmi", "levelzero", "gl" };
	hwloc_topology_t h = NULL;

	if (hwloc_topology_init(&h) < 0)
		return err_sys(e, errno, "hwloc");
	if (detail != TOPO_ALL) {
		hwloc_topology_set_all_types_filter(h, HWLOC_TYPE_FILTER_KEEP_NONE);
		hwloc_topology_set_type_filter(h, HWLOC_OBJ_PACKAGE, HWLOC_TYPE_FILTER_KEEP_ALL);
		/* a NUMA node that is a part of a package is kept only as the child of a group */
		hwloc_topology_set_type_filter(h, HWLOC_OBJ_GROUP,
					       HWLOC_TYPE_FILTER_KEEP_STRUCTURE);
	}
	if (detail != TOPO_CPUS)
		hwloc_topology_set_io_types_filter(h, HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
	hwloc_topology_set_flags(h, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
	for (size_t i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]); i++)
		hwloc_topology_set_components(h, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST,
					      unwanted[i]);
	*ret = h;
	return 0;
}

static int topo_load_xml(hwloc_topology_t h, const char *file, struct err *e)
{
	if (hwloc_topology_set_xml(h, file) < 0 || hwloc_topology_load(h) < 0)
		return err_sys(e, errno ? errno : EINVAL, "%s: hwloc cannot read it", file);
	return 0;
}

static int topo_load_tree(hwloc_topology_t h, const char *tree, struct err *e)
{
	const char *before = getenv("HWLOC_FSROOT");
	char *saved = before ? strdup(before) : NULL;
	struct topo_root root;
	int rc;

	if (topo_root_make(&root, tree, e) < 0) {
		free(saved);
		return -1;
	}
	setenv("HWLOC_FSROOT", root.dir, 1);
	rc = hwloc_topology_load(h);
	if (rc < 0)
		err_sys(e, errno ? errno : EINVAL, "%s: hwloc finds no CPUs", tree);
	if (saved)
		setenv("HWLOC_FSROOT", saved, 1);
	else
		unsetenv("HWLOC_FSROOT");
	topo_root_remove(&root);
	free(saved);
	return rc;
}

int topo_hwloc_load(const struct hwmap_source *src, enum topo_detail detail, hwloc_topology_t *ret,
		    struct err *e)
{
	char beside[PATH_MAX] = "";
	hwloc_topology_t h = NULL;
	int rc;

	if (src->sysfs) {
		int n = snprintf(beside, sizeof(beside), "%s/topology.xml", src->sysfs);

		if (n >= (int)sizeof(beside) || access(beside, F_OK) < 0)
			beside[0] = '\0';
	}
	if (topo_prepare(detail, &h, e) < 0)
		return -1;
	errno = 0;
	if (src->topology || beside[0]) {
		rc = topo_load_xml(h, src->topology ? src->topology : beside, e);
	} else if (src->sysfs) {
		rc = topo_load_tree(h, src->sysfs, e);
	} else {
		rc = hwloc_topology_load(h);
		if (rc < 0)
			err_sys(e, errno ? errno : EINVAL, "hwloc cannot read this machine");
	}
	if (rc < 0) {
		hwloc_topology_destroy(h);
		return -1;
	}
	*ret = h;
	return 0;
}
