/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "clones.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "dev.h"
#include "mountspec.h"
#include "sys.h"

#define ATTR_BIND (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

struct work {
	const struct rootfs_task *t;
	struct clones *c;
	struct err *e;
};

static int clone_system(struct work *w, const char *path, bool recursive, uint64_t attr)
{
	int fd = sys_clone_tree(AT_FDCWD, path, recursive);

	if (fd < 0 || sys_set_attr(fd, recursive, attr, 0, MS_PRIVATE) < 0) {
		err_sys(w->e, errno, "cannot clone the node's %s", path);
		sys_close(&fd);
	}
	return fd;
}

static int clone_host(struct work *w)
{
	const struct config *c = w->t->c;
	const uint64_t strict = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

	w->c->proc = clone_system(w, "/proc", false, strict);
	if (w->c->proc < 0)
		return -1;
	if (c->mount_sys &&
	    (w->c->sys = clone_system(w, "/sys", true, strict | MOUNT_ATTR_RDONLY)) < 0)
		return -1;
	if (c->mount_tmp && (w->c->tmp = clone_system(w, "/tmp", true, ATTR_BIND)) < 0)
		return -1;
	w->c->pts = clone_system(w, "/dev/pts", false, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	w->c->shm = clone_system(w, "/dev/shm", false, ATTR_BIND);
	w->c->dev = dev_make(c, w->t->r->usnic, w->e);
	return w->c->pts < 0 || w->c->shm < 0 || w->c->dev < 0 ? -1 : 0;
}

static const char *const always_denied[] = { "/proc",	   "/sys",	     "/dev",
					     "/etc/munge", "/var/lib/munge", "/run/berth" };

/* The reason why a user may not bind the source at the canonical path, or NULL. */
static const char *denied(struct work *w, const char *path)
{
	const struct config *c = w->t->c;

	if (path[0] != '/' || !path[1])
		return "it is the root directory, or cannot be reached from it";
	for (size_t i = 0; i < sizeof(always_denied) / sizeof(always_denied[0]); i++)
		if (path_within(path, always_denied[i]))
			return "the container has its own /proc, /sys and /dev, and Slurm's and "
			       "Berth's own directories stay outside";
	if (path_within(path, c->state_dir) ||
	    (w->t->r->spool && path_within(path, w->t->r->spool)))
		return "Slurm's and Berth's own directories stay outside";
	for (size_t i = 0; i < c->deny.n; i++) {
		if (path_within(path, c->deny.v[i]))
			return "the administrator excludes it (deny=)";
		if (path_within(c->deny.v[i], path))
			return "it holds a directory that the administrator excludes (deny=)";
	}
	return NULL;
}

/* proc, sysfs and their like, wherever they are mounted. */
static bool denied_fs(int fd)
{
	static const unsigned long kinds[] = {
		PROC_SUPER_MAGIC,   SYSFS_MAGIC,      CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
		DEVPTS_SUPER_MAGIC, NSFS_MAGIC,	      BPF_FS_MAGIC,	  DEBUGFS_MAGIC,
		TRACEFS_MAGIC,	    SECURITYFS_MAGIC, EFIVARFS_MAGIC,
	};
	struct statfs fs;

	/* a user's own FUSE mount answers EACCES to root: it is none of these */
	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (((unsigned long)fs.f_type & 0xffffffff) == kinds[i])
			return true;
	return false;
}

static int check_source(struct work *w, const struct plan_bind *bind)
{
	char path[4096];
	const char *why;

	if (sys_path_of(bind->fd, path, sizeof(path)) < 0)
		return err_sys(w->e, errno, "mount to %s: cannot tell where its source is",
			       bind->dst);
	why = denied(w, path);
	if (!why && denied_fs(bind->fd))
		why = "it is on one of the kernel's own file systems";
	return why ? err_set(w->e, "mount source %.200s: %s", path, why) : 0;
}

/*
 * A root directory as the image.  Overlayfs shows what lies beneath other mounts in its
 * lower layer, so there must be none.
 */
static int check_image(struct work *w)
{
	const char *image = w->t->r->image, *why;
	char path[4096], *text;
	bool covered;
	size_t len;

	if (w->t->p->info.kind != IMAGE_DIR && w->t->p->info.kind != IMAGE_OCI)
		return 0;
	if (sys_path_of(w->t->p->image, path, sizeof(path)) < 0)
		return err_sys(w->e, errno, "image %s: cannot tell where it is", image);
	why = denied(w, path);
	if (!why && denied_fs(w->t->p->image))
		why = "it is on one of the kernel's own file systems";
	if (why)
		return err_set(w->e, "image %s: %s", image, why);
	text = sys_read_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &len);
	if (!text)
		return err_sys(w->e, errno, "image %s: cannot read the node's mounts", image);
	covered = mounts_below(text, path);
	free(text);
	return covered ? err_set(w->e,
				 "image %s: other file systems are mounted in it, expected a "
				 "directory without",
				 image)
		       : 0;
}

static unsigned attr_of(const struct plan_bind *bind)
{
	return ATTR_BIND | (bind->ro ? MOUNT_ATTR_RDONLY : 0) |
	       (bind->noexec ? MOUNT_ATTR_NOEXEC : 0);
}

static int clone_tmpfs(struct work *w, const struct plan_bind *bind)
{
	char mode[16], size[32], uid[16], gid[16];
	const char *options[] = { "mode", mode, "size", size, "uid", uid, "gid", gid, NULL };
	uint64_t bytes = w->t->c->tmpfs_size;

	if (bind->tmpfs_size && bind->tmpfs_size < bytes)
		bytes = bind->tmpfs_size;
	snprintf(mode, sizeof(mode), "0%o", bind->tmpfs_mode & 01777);
	snprintf(uid, sizeof(uid), "%u", w->t->r->uid);
	snprintf(gid, sizeof(gid), "%u", w->t->r->gid);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
	return sys_new_fs("tmpfs", attr_of(bind), options);
}

/*
 * A device's node is made anew in the container's /dev, so it has to be the host's own: in
 * /dev's file system itself, and that allows devices.  A user can bring nodes of his own on
 * another one, and the mount of one that is a user namespace's does not say "nodev".
 */
static int add_device(struct work *w, const struct plan_bind *bind, const struct stat *st)
{
	struct statvfs fs;
	struct stat dev;

	if (!path_within(bind->dst, "/dev"))
		return err_set(w->e,
			       "mount to %s: a device works only below /dev in the container; "
			       "give it as SRC alone",
			       bind->dst);
	if (fstatvfs(bind->fd, &fs) < 0)
		return err_sys(w->e, errno, "mount to %s: its source", bind->dst);
	if (fs.f_flag & ST_NODEV)
		return err_set(w->e,
			       "mount to %s: the device's node is on a file system that is mounted "
			       "nodev",
			       bind->dst);
	if (stat("/dev", &dev) < 0 || dev.st_dev != st->st_dev)
		return err_set(w->e,
			       "mount to %s: the device's node is on another file system than the "
			       "host's /dev, expected one of /dev's own",
			       bind->dst);
	return dev_add(w->c->dev, bind->dst, st, w->e);
}

static int clone_bind(struct work *w, size_t i)
{
	const struct plan_bind *bind = &w->t->p->binds[i];
	const unsigned attr = attr_of(bind);
	struct stat st;

	w->c->tree[i] = -1;
	w->c->is_dir[i] = true;
	if (bind->tmpfs) {
		w->c->tree[i] = clone_tmpfs(w, bind);
		return w->c->tree[i] < 0
			       ? err_sys(w->e, errno, "cannot make the tmpfs %s", bind->dst)
			       : 0;
	}
	/*
	 * Only a device is looked at by root: a user's FUSE mount does not let root do so, and
	 * a file system that hangs shall not hang us.
	 */
	if (!bind->dir && fstat(bind->fd, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
		return add_device(w, bind, &st);
	if (path_within(bind->dst, "/dev"))
		return err_set(
			w->e,
			"mount to %s: only devices can be added to the container's /dev, one "
			"entry each",
			bind->dst);
	if ((bind->origin == ORIGIN_USER || bind->origin == ORIGIN_BUNDLE) &&
	    check_source(w, bind) < 0)
		return -1;
	w->c->is_dir[i] = bind->dir;
	w->c->tree[i] = sys_clone_tree(bind->fd, "", true);
	if (w->c->tree[i] < 0 ||
	    sys_set_attr(w->c->tree[i], true, attr, 0, bind->slave ? MS_SLAVE : MS_PRIVATE) < 0)
		return err_sys(w->e, errno, "mount to %s: cannot clone its source", bind->dst);
	return 0;
}

/*
 * Home and cwd are conveniences: they give way to the site's and the user's own
 * mounts, to what is already there with the tree around it, and to the image's system.
 */
static bool left_out(struct work *w, size_t i)
{
	const struct plan *p = w->t->p;
	const struct plan_bind *bind = &p->binds[i];
	char path[4096];

	if (bind->origin != ORIGIN_HOME && bind->origin != ORIGIN_CWD)
		return false;
	if ((bind->origin == ORIGIN_CWD && mounts_system_path(bind->dst)) ||
	    !strcmp(bind->dst, "/") || (w->c->tmp >= 0 && path_within(bind->dst, "/tmp")))
		return true;
	if (sys_path_of(bind->fd, path, sizeof(path)) < 0 || denied(w, path))
		return true;
	for (size_t k = 0; k < p->nbinds; k++)
		if (k != i && (p->binds[k].origin != ORIGIN_CWD) &&
		    (bind->origin == ORIGIN_CWD || p->binds[k].origin == ORIGIN_SITE) &&
		    path_within(bind->dst, p->binds[k].dst))
			return true;
	return false;
}

static int clone_binds(struct work *w)
{
	for (size_t i = 0; i < w->t->p->nbinds; i++) {
		w->c->tree[i] = -1;
		if (!left_out(w, i) && clone_bind(w, i) < 0)
			return -1;
	}
	return 0;
}

int clones_make(const struct rootfs_task *t, struct clones *c, struct err *e)
{
	struct work w = { t, c, e };

	c->proc = c->sys = c->tmp = c->dev = c->pts = c->shm = -1;
	return check_image(&w) < 0 || clone_host(&w) < 0 || clone_binds(&w) < 0 ? -1 : 0;
}

int clones_directory(int fd, const char *dst, struct err *e)
{
	int tree = sys_clone_tree(fd, "", false);

	if (tree < 0 || sys_set_attr(tree, false, ATTR_BIND, 0, MS_PRIVATE) < 0) {
		err_sys(e, errno, "mount to %s: cannot clone its source", dst);
		sys_close(&tree);
	}
	return tree;
}
