/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "devview.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sys.h"

#define VIEW_BYTES "64k"
#define VIEW_INODES "1024"
#define LINKS_DIR "by-ibdev"

/* Of the first uverbs nodes, and how many these are: drivers/infiniband/core/uverbs_main.c. */
#define UVERBS_MAJOR 231
#define UVERBS_MINOR 192
#define UVERBS_NODES 32
#define DEVICES_BYTES 65536

int devview_make(struct err *e)
{
	static const char *const options[] = { "mode",	    "0755",	 "size", VIEW_BYTES,
					       "nr_inodes", VIEW_INODES, NULL };
	int mnt = sys_new_fs("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, options);

	if (mnt >= 0 && mkdirat(mnt, LINKS_DIR, 0755) == 0)
		return mnt;
	err_sys(e, errno, "cannot make a step's own " DEVVIEW_DIR);
	sys_close(&mnt);
	return -1;
}

static int add_node(int view, const char *name, dev_t rdev, uint32_t uid, uint32_t gid,
		    struct err *e)
{
	if (mknodat(view, name, S_IFCHR | 0600, rdev) < 0)
		return errno == EEXIST ? 0
				       : err_sys(e, errno, "cannot make " DEVVIEW_DIR "/%s", name);
	if (fchownat(view, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, "cannot give " DEVVIEW_DIR "/%s to the user", name);
	return 0;
}

/* As udev makes them, for whoever looks a node up by its RDMA device. */
static int add_link(int view, const struct hwmap_device *d, struct err *e)
{
	char target[HWMAP_NAME_MAX + 8], name[2 * HWMAP_NAME_MAX];

	if (!d->ibdev[0])
		return 0;
	snprintf(target, sizeof(target), "../%s", d->uverbs);
	snprintf(name, sizeof(name), LINKS_DIR "/uverbs-%s", d->ibdev);
	if (symlinkat(target, view, name) < 0 && errno != EEXIST)
		return err_sys(e, errno, "cannot make " DEVVIEW_DIR "/%s", name);
	return 0;
}

/* uverbs nodes past the first 32 have a major number of their own: "242 infiniband_verbs". */
static bool is_dynamic_major(unsigned major)
{
	size_t len;
	char *text = sys_read_at(AT_FDCWD, "/proc/devices", DEVICES_BYTES, &len);
	char line[64];
	bool found;

	snprintf(line, sizeof(line), "\n%3u infiniband_verbs\n", major); /* as chrdev_show */
	found = text && strstr(text, line);
	free(text);
	return found;
}

/*
 * The map is made by a process without rights, which others of the same user could trace:
 * what it says is a uverbs node is looked up before the user is given one.
 */
static bool is_uverbs(unsigned major, unsigned minor)
{
	if (major == UVERBS_MAJOR)
		return minor >= UVERBS_MINOR && minor < UVERBS_MINOR + UVERBS_NODES;
	return is_dynamic_major(major);
}

/* Names of the kernel's own: letters, digits and the like, no path. */
static bool name_sound(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/');
}

int devview_add(int view, const struct hwmap_device *d, uint64_t cm, uint32_t uid, uint32_t gid,
		struct err *e)
{
	if (!name_sound(d->uverbs) || (d->ibdev[0] && !name_sound(d->ibdev)))
		return err_set(e, "device %s: has no uverbs node", d->ibdev);
	if (!is_uverbs(d->major, d->minor))
		return err_set(e, "device %s: %u:%u is not the number of a uverbs node", d->ibdev,
			       d->major, d->minor);
	if (add_node(view, d->uverbs, makedev(d->major, d->minor), uid, gid, e) < 0 ||
	    add_link(view, d, e) < 0)
		return -1;
	return cm ? add_node(view, "rdma_cm", (dev_t)cm, uid, gid, e) : 0;
}
