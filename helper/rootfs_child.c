/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The builder: a root process of its own in which the container's namespaces come
 * into being.  Everything is cloned and made detached, attached by descriptor, and the
 * old root is let go last.  No name below the container's root is ever looked up by
 * this process: the walker does that as the user.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "dev.h"
#include "mountspec.h"
#include "namespaces.h"
#include "rootfs.h"
#include "slurmtools.h"
#include "sys.h"
#include "top.h"
#include "userns.h"
#include "walker.h"
#include "wire.h"

#define HOST_ETC_MAX (256 * 1024)
#define MOUNTINFO_MAX (4 * 1024 * 1024)
#define TOP_BYTES "16m" /* of the layer over a read-only image: empty files and a few of /etc */
#define ATTR_BIND (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

struct build {
	struct rootfs_task *t;
	struct err e;
	int proc, sys, tmp, dev, pts, shm; /* detached */
	int tree[PLAN_BINDS_MAX];	   /* detached clone of each bind; -1: left out */
	bool is_dir[PLAN_BINDS_MAX];
	struct walker_place *place; /* of each bind, then of the fixed ones below */
	int stage, top;
	struct walker walker;
	int root;	      /* the overlay, attached */
	char root_path[4200]; /* where: the prefix of every path below it */
	bool cwd_hollow;      /* the job's cwd is an empty directory made for Slurm's sake */
	struct container c;
};

/* Destinations besides the plan's own, behind place[PLAN_BINDS_MAX]. */
enum fixed { FIXED_TMP, FIXED_ETC, FIXED_CWD, FIXED_BIN, FIXED_COUNT };

/* ---- 1. clones of what the container shares with its host ---- */

static int clone_system(struct build *b, const char *path, bool recursive, uint64_t attr)
{
	int fd = sys_clone_tree(AT_FDCWD, path, recursive);

	if (fd < 0 || sys_set_attr(fd, recursive, attr, 0, MS_PRIVATE) < 0) {
		err_sys(&b->e, errno, "cannot clone the node's %s", path);
		sys_close(&fd);
	}
	return fd;
}

static int clone_host(struct build *b)
{
	const struct config *c = b->t->c;
	const uint64_t strict = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

	b->proc = clone_system(b, "/proc", false, strict);
	if (b->proc < 0)
		return -1;
	if (c->mount_sys &&
	    (b->sys = clone_system(b, "/sys", true, strict | MOUNT_ATTR_RDONLY)) < 0)
		return -1;
	if (c->mount_tmp && (b->tmp = clone_system(b, "/tmp", true, ATTR_BIND)) < 0)
		return -1;
	b->pts = clone_system(b, "/dev/pts", false, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	b->shm = clone_system(b, "/dev/shm", false, ATTR_BIND);
	b->dev = dev_make(c, &b->e);
	return b->pts < 0 || b->shm < 0 || b->dev < 0 ? -1 : 0;
}

/* ---- 2. the binds ---- */

static const char *const always_denied[] = { "/proc",	   "/sys",	     "/dev",
					     "/etc/munge", "/var/lib/munge", "/run/berth" };

/* The reason why a user may not bind the source at the canonical path, or NULL. */
static const char *denied(struct build *b, const char *path)
{
	const struct config *c = b->t->c;

	if (path[0] != '/' || !path[1])
		return "it is the root directory, or cannot be reached from it";
	for (size_t i = 0; i < sizeof(always_denied) / sizeof(always_denied[0]); i++)
		if (path_within(path, always_denied[i]))
			return "the container has its own /proc, /sys and /dev, and Slurm's and "
			       "Berth's own directories stay outside";
	if (path_within(path, c->state_dir) ||
	    (b->t->r->spool && path_within(path, b->t->r->spool)))
		return "Slurm's and Berth's own directories stay outside";
	for (size_t i = 0; i < c->deny.n; i++)
		if (path_within(path, c->deny.v[i]))
			return "the administrator excludes it (deny=)";
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

static int check_source(struct build *b, const struct plan_bind *bind)
{
	char path[4096];
	const char *why;

	if (bind->origin != ORIGIN_USER && bind->origin != ORIGIN_BUNDLE)
		return 0;
	if (sys_path_of(bind->fd, path, sizeof(path)) < 0)
		return err_sys(&b->e, errno, "mount to %s: cannot tell where its source is",
			       bind->dst);
	why = denied(b, path);
	if (!why && denied_fs(bind->fd))
		why = "it is on one of the kernel's own file systems";
	return why ? err_set(&b->e, "mount source %.200s: %s", path, why) : 0;
}

static int clone_tmpfs(struct build *b, const struct plan_bind *bind)
{
	char mode[16], size[32];
	const char *options[] = { "mode", mode, "size", size, NULL };
	uint64_t bytes = b->t->c->tmpfs_size;

	if (bind->tmpfs_size && bind->tmpfs_size < bytes)
		bytes = bind->tmpfs_size;
	snprintf(mode, sizeof(mode), "0%o", bind->tmpfs_mode & 01777);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
	return sys_new_fs("tmpfs", ATTR_BIND | (bind->ro ? MOUNT_ATTR_RDONLY : 0), options);
}

static int clone_bind(struct build *b, size_t i)
{
	const struct plan_bind *bind = &b->t->p->binds[i];
	const uint64_t attr = ATTR_BIND | (bind->ro ? MOUNT_ATTR_RDONLY : 0);
	struct stat st;

	b->tree[i] = -1;
	b->is_dir[i] = true;
	if (bind->tmpfs) {
		b->tree[i] = clone_tmpfs(b, bind);
		return b->tree[i] < 0 ? err_sys(&b->e, errno, "cannot make the tmpfs %s", bind->dst)
				      : 0;
	}
	if (fstat(bind->fd, &st) < 0)
		return err_sys(&b->e, errno, "mount to %s: its source", bind->dst);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
		if (!path_within(bind->dst, "/dev"))
			return err_set(
				&b->e,
				"mount to %s: a device works only below /dev in the container; "
				"give it as SRC alone, or a DST below /dev",
				bind->dst);
		return dev_add(b->dev, bind->dst, &st, &b->e);
	}
	if (path_within(bind->dst, "/dev"))
		return err_set(
			&b->e,
			"mount to %s: only devices can be added to the container's /dev, one "
			"entry each",
			bind->dst);
	if (check_source(b, bind) < 0)
		return -1;
	b->is_dir[i] = S_ISDIR(st.st_mode);
	b->tree[i] = sys_clone_tree(bind->fd, "", bind->recursive);
	if (b->tree[i] < 0 ||
	    sys_set_attr(b->tree[i], true, attr, 0, bind->slave ? MS_SLAVE : MS_PRIVATE) < 0)
		return err_sys(&b->e, errno, "mount to %s: cannot clone its source", bind->dst);
	return 0;
}

/*
 * Home and cwd are conveniences: they give way to the site's and the user's own
 * mounts, to what is already there with the tree around it, and to the image's system.
 */
static bool left_out(struct build *b, size_t i)
{
	const struct plan *p = b->t->p;
	const struct plan_bind *bind = &p->binds[i];

	if (bind->origin != ORIGIN_HOME && bind->origin != ORIGIN_CWD)
		return false;
	if ((bind->origin == ORIGIN_CWD && mounts_system_path(bind->dst)) ||
	    !strcmp(bind->dst, "/") || (b->tmp >= 0 && path_within(bind->dst, "/tmp")))
		return true;
	for (size_t k = 0; k < p->nbinds; k++)
		if (k != i && (p->binds[k].origin != ORIGIN_CWD) &&
		    (bind->origin == ORIGIN_CWD || p->binds[k].origin == ORIGIN_SITE) &&
		    path_within(bind->dst, p->binds[k].dst))
			return true;
	return false;
}

static int clone_binds(struct build *b)
{
	for (size_t i = 0; i < b->t->p->nbinds; i++) {
		b->tree[i] = -1;
		if (!left_out(b, i) && clone_bind(b, i) < 0)
			return -1;
	}
	return 0;
}

/* ---- 3. the staging directory, in our own mount namespace ---- */

static bool wants_writable(const struct build *b)
{
	return b->t->r->writable == UNSET ? b->t->c->writable : b->t->r->writable == YES;
}

/*
 * A writable image, or one whose user shall be root in it, is of use only if what
 * belongs to root in it belongs to the user.  For image files alone: the user could read
 * every byte of those anyway.  A directory's owners stay as they are, since the
 * directory may be the node's own (--container=/), and so do those of a file system
 * that cannot show others (FUSE).
 */
static void own_image(struct build *b)
{
	const enum image_kind kind = b->t->p->info.kind;
	struct stat st;

	if (kind == IMAGE_DIR || kind == IMAGE_OCI)
		return;
	if ((wants_writable(b) || b->t->r->remap_root == YES) &&
	    fstat(b->t->image_root, &st) == 0 && st.st_uid == 0)
		(void)userns_show_owner(b->t->image_root, b->t->r->uid, b->t->r->gid, b->proc);
}

static int make_stage(struct build *b)
{
	const bool writable =
		b->t->r->writable == UNSET ? b->t->c->writable : b->t->r->writable == YES;
	char size[32];
	const char *options[] = { "mode", "0755", "size", TOP_BYTES, NULL };
	int work, image = -1, mnt;

	if (writable) {
		snprintf(size, sizeof(size), "%llu", (unsigned long long)b->t->c->tmpfs_size);
		options[3] = size;
	}
	mnt = sys_new_fs("tmpfs", ATTR_BIND, options);
	if (mnt < 0 ||
	    move_mount(mnt, "", AT_FDCWD, b->t->c->state_dir, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(&b->e, errno, "cannot stage the container on %s",
			       b->t->c->state_dir);
	b->stage = mnt;
	if (mkdirat(mnt, "image", 0755) < 0 || mkdirat(mnt, "top", 0755) < 0 ||
	    mkdirat(mnt, "root", 0755) < 0 || mkdirat(mnt, "work", 0700) < 0)
		return err_sys(&b->e, errno, "cannot stage the container");
	b->top = openat(mnt, "top", O_PATH | O_DIRECTORY | O_CLOEXEC);
	image = openat(mnt, "image", O_PATH | O_DIRECTORY | O_CLOEXEC);
	work = openat(mnt, "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->top < 0 || image < 0 || work < 0 || sys_attach(b->t->image_root, image) < 0)
		err_sys(&b->e, errno, "cannot attach the image");
	/* the upper layer and its scratch belong to the overlay's mounter, the user */
	else if (writable && (fchown(work, b->t->r->uid, b->t->r->gid) < 0 ||
			      fchownat(b->top, "", b->t->r->uid, b->t->r->gid, AT_EMPTY_PATH) < 0))
		err_sys(&b->e, errno, "cannot prepare the writable layer");
	sys_close(&image);
	sys_close(&work);
	return b->e.text[0] ? -1 : 0;
}

/* ---- 4. the layer over the image ---- */

/* Below another mount: its place is known only when that one is attached. */
static bool nested(struct build *b, size_t i)
{
	const struct plan *p = b->t->p;
	const char *dst = p->binds[i].dst;

	if (b->tmp >= 0 && path_within(dst, "/tmp"))
		return true;
	for (size_t k = 0; k < p->nbinds; k++)
		if (k != i && b->tree[k] >= 0 && strcmp(dst, p->binds[k].dst) != 0 &&
		    path_within(dst, p->binds[k].dst))
			return true;
	return false;
}

static bool is_default(enum origin o)
{
	return o == ORIGIN_HOME || o == ORIGIN_CWD;
}

static int place_one(struct build *b, const struct walker_place *place, const char *dst, bool dir)
{
	if (place->error)
		return err_sys(&b->e, place->error, "mount destination %.200s in the image", dst);
	if (!place->missing && place->is_dir != dir)
		return err_set(&b->e,
			       "mount destination %.200s: the source is a %s, what the image has "
			       "there is not",
			       dst, dir ? "directory" : "file");
	if (path_within(place->path, "/proc") || path_within(place->path, "/sys") ||
	    path_within(place->path, "/dev"))
		return err_set(
			&b->e,
			"mount destination %.200s: the image leads it to %.200s, which is the "
			"container's own",
			dst, place->path);
	return place->missing ? top_place(b->top, place, dir, &b->e) : 0;
}

static int host_file(struct build *b, const struct walker_place *etc, const char *path,
		     const char *name)
{
	size_t len;
	char *text = sys_read_at(AT_FDCWD, path, HOST_ETC_MAX, &len);
	int rc = text ? top_file(b->top, etc, name, text, len, &b->e) : 0;

	free(text);
	return rc;
}

static int write_etc(struct build *b, const struct walker_place *etc)
{
	const struct plan *p = b->t->p;

	if (etc->error || (!etc->missing && !etc->is_dir))
		return 0; /* an image whose /etc is no directory gets none of these */
	if ((p->passwd && top_file(b->top, etc, "passwd", p->passwd, p->passwd_len, &b->e) < 0) ||
	    (p->group && top_file(b->top, etc, "group", p->group, p->group_len, &b->e) < 0))
		return -1;
	if (!b->t->c->resolv)
		return 0;
	return host_file(b, etc, "/etc/resolv.conf", "resolv.conf") < 0 ||
			       host_file(b, etc, "/etc/hosts", "hosts") < 0
		       ? -1
		       : 0;
}

/* /usr/bin/srun and its like lead to berth-launch, over whatever the image has there. */
static int link_tools(struct build *b, const struct walker_place *bin)
{
	const char *const *name = slurmtools_names();

	if (bin->error || (!bin->missing && !bin->is_dir))
		return 0;
	for (; *name; name++)
		if (top_link(b->top, bin, *name, SLURMTOOLS_DIR "/bin/berth-launch", &b->e) < 0)
			return -1;
	return 0;
}

/*
 * The job's cwd exists in every container, if only as an empty directory: with
 * Slurm's own --container, 24.11 and later end the task otherwise.
 */
static int place_cwd(struct build *b, const struct walker_place *place)
{
	const struct plan *p = b->t->p;

	if (b->tmp >= 0 && path_within(p->cwd, "/tmp"))
		return 0;
	for (size_t i = 0; i < p->nbinds; i++)
		if (b->tree[i] >= 0 && path_within(p->cwd, p->binds[i].dst))
			return 0;
	if (place->error || !place->missing || path_within(place->path, "/proc") ||
	    path_within(place->path, "/sys") || path_within(place->path, "/dev"))
		return 0;
	b->cwd_hollow = true;
	return top_place(b->top, place, true, &b->e);
}

static int fill_top(struct build *b)
{
	static const char *const own[] = { "proc", "sys", "dev" };
	const struct plan *p = b->t->p;
	char *dst[PLAN_BINDS_MAX + FIXED_COUNT];
	size_t index[PLAN_BINDS_MAX], n = 0;
	struct walker_place *fixed;

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (mkdirat(b->top, own[i], 0755) < 0)
			return err_sys(&b->e, errno, "cannot make /%s", own[i]);
	for (size_t i = 0; i < p->nbinds; i++)
		if (b->tree[i] >= 0 && !nested(b, i)) {
			index[n] = i;
			dst[n++] = p->binds[i].dst;
		}
	fixed = b->place + n;
	dst[n + FIXED_TMP] = (char *)"/tmp";
	dst[n + FIXED_ETC] = (char *)"/etc";
	dst[n + FIXED_CWD] = p->cwd;
	dst[n + FIXED_BIN] = (char *)"/usr/bin";
	if (walker_survey(&b->walker, dst, n + FIXED_COUNT, b->place, &b->e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const struct plan_bind *bind = &p->binds[index[i]];

		if (place_one(b, &b->place[i], bind->dst, b->is_dir[index[i]]) < 0) {
			if (!is_default(bind->origin))
				return -1;
			b->e.text[0] = '\0';
			sys_close(&b->tree[index[i]]);
		}
	}
	if (b->tmp >= 0 && place_one(b, &fixed[FIXED_TMP], "/tmp", true) < 0)
		return -1;
	if (place_cwd(b, &fixed[FIXED_CWD]) < 0 || write_etc(b, &fixed[FIXED_ETC]) < 0)
		return -1;
	return p->slurmtools ? link_tools(b, &fixed[FIXED_BIN]) : 0;
}

/* ---- 5. the overlay and everything on it ---- */

static int attach_at(struct build *b, int tree, const char *dst, bool dir, bool own)
{
	char path[4300];
	int rc = -1, at = walker_resolve(&b->walker, dst, dir, !own, &b->e);

	if (at < 0)
		return -1;
	if (sys_path_of(at, path, sizeof(path)) < 0 || !path_within(path, b->root_path)) {
		err_set(&b->e, "mount destination %.200s leads out of the container", dst);
	} else {
		const char *inside = path + strlen(b->root_path);

		if (!own && (!inside[0] || path_within(inside, "/proc") ||
			     path_within(inside, "/sys") || path_within(inside, "/dev")))
			err_set(&b->e,
				"mount destination %.200s leads to %.200s, which is the container's "
				"own",
				dst, inside[0] ? inside : "/");
		else if (sys_attach(tree, at) < 0)
			err_sys(&b->e, errno, "cannot mount at %.200s", dst);
		else
			rc = 0;
	}
	close(at);
	return rc;
}

static int attach_dev(struct build *b)
{
	int pts, shm, rc = -1;

	if (attach_at(b, b->dev, "/dev", true, true) < 0)
		return -1;
	pts = openat(b->dev, "pts", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	shm = openat(b->dev, "shm", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (pts >= 0 && shm >= 0 && sys_attach(b->pts, pts) == 0 && sys_attach(b->shm, shm) == 0)
		rc = 0;
	else
		err_sys(&b->e, errno, "cannot mount /dev/pts and /dev/shm");
	sys_close(&pts);
	sys_close(&shm);
	return rc;
}

/* Later ones may lie in earlier ones, whatever the order in which they were given. */
static int attach_rank(enum origin o)
{
	static const int rank[ORIGIN_LAST + 1] = {
		[ORIGIN_SITE] = 1, [ORIGIN_HOME] = 2,  [ORIGIN_BUNDLE] = 3, [ORIGIN_USER] = 4,
		[ORIGIN_CWD] = 5,  [ORIGIN_SLURM] = 6, [ORIGIN_SCRIPT] = 7, [ORIGIN_PMIX] = 8,
	};

	return rank[o];
}
#define ATTACH_RANKS 9

static int attach_binds(struct build *b)
{
	const struct plan *p = b->t->p;

	for (int rank = 1; rank < ATTACH_RANKS; rank++)
		for (size_t i = 0; i < p->nbinds; i++) {
			const struct plan_bind *bind = &p->binds[i];

			if (b->tree[i] < 0 || attach_rank(bind->origin) != rank)
				continue;
			if (attach_at(b, b->tree[i], bind->dst, b->is_dir[i], false) == 0)
				continue;
			if (!is_default(bind->origin))
				return -1;
			b->e.text[0] = '\0';
		}
	return 0;
}

static int attach_all(struct build *b)
{
	const bool writable =
		b->t->r->writable == UNSET ? b->t->c->writable : b->t->r->writable == YES;
	int mnt = -1, at;

	if (walker_overlay(&b->walker, writable, &mnt, &b->e) < 0)
		return -1;
	at = openat(b->stage, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0 || sys_attach(mnt, at) < 0) {
		sys_close(&at);
		return err_sys(&b->e, errno, "cannot attach the container's root");
	}
	close(at);
	b->root = mnt;
	if (sys_path_of(mnt, b->root_path, sizeof(b->root_path)) < 0)
		return err_sys(&b->e, errno, "cannot find the container's root");
	if (attach_at(b, b->proc, "/proc", true, true) < 0 ||
	    (b->sys >= 0 && attach_at(b, b->sys, "/sys", true, true) < 0) || attach_dev(b) < 0 ||
	    (b->tmp >= 0 && attach_at(b, b->tmp, "/tmp", true, false) < 0))
		return -1;
	return attach_binds(b);
}

/* ---- 6. the working directory ---- */

static int set_cwd(struct build *b, const char *path, const char *note)
{
	b->c.cwd = strdup(path);
	b->c.note = note ? strdup(note) : NULL;
	return b->c.cwd && (!note || b->c.note) ? 0 : err_set(&b->e, "out of memory");
}

static int choose_cwd(struct build *b)
{
	const struct plan *p = b->t->p;
	const char *want = b->t->r->workdir, *next = "/";
	char note[ERR_TEXT_MAX];
	int rc;

	if (want) {
		rc = walker_can_enter(&b->walker, want, &b->e);
		if (rc == 0)
			err_set(&b->e,
				"--container-workdir=%.200s: no such directory in the container, or "
				"not yours to enter",
				want);
		return rc <= 0 ? -1 : set_cwd(b, want, NULL);
	}
	rc = b->cwd_hollow ? 0 : walker_can_enter(&b->walker, p->cwd, &b->e);
	if (rc != 0)
		return rc < 0 ? -1 : set_cwd(b, p->cwd, NULL);
	if (p->image_cwd) {
		rc = walker_can_enter(&b->walker, p->image_cwd, &b->e);
		if (rc < 0)
			return -1;
		next = rc ? p->image_cwd : next;
	}
	snprintf(note, sizeof(note),
		 "the working directory %.200s is not in the container: using %.200s", p->cwd,
		 next);
	err_clean(note, strlen(note));
	return set_cwd(b, next, note);
}

/* ---- 7. the end ---- */

/* The old root is let go; what is left is read back. */
static int pivot(struct build *b)
{
	size_t len;
	char *text;
	int rc;

	if (fchdir(b->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return err_sys(&b->e, errno, "cannot make the image the root directory");
	text = sys_read_at(b->proc, "self/mountinfo", MOUNTINFO_MAX, &len);
	if (!text)
		return err_sys(&b->e, errno, "cannot read back the container's mounts");
	rc = mounts_verify(text, &b->e);
	free(text);
	return rc;
}

static int build(struct build *b)
{
	const struct request *r = b->t->r;
	const struct ids who = { r->uid, r->gid, r->groups, r->ngroups };

	if (b->t->base >= 0 && setns(b->t->base, CLONE_NEWNS) < 0)
		return err_sys(&b->e, errno, "cannot enter the job's mount namespace");
	if (clone_host(b) < 0 || clone_binds(b) < 0)
		return -1;
	if (namespaces_unshare(r->unshare, &b->c, &b->e) < 0)
		return -1;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(&b->e, errno, "cannot make the mounts private");
	own_image(b);
	if (make_stage(b) < 0 ||
	    walker_start(&who, b->stage, b->t->timeout_ms, &b->walker, &b->e) < 0 ||
	    fill_top(b) < 0 || attach_all(b) < 0 || choose_cwd(b) < 0)
		return -1;
	walker_stop(&b->walker);
	if (pivot(b) < 0)
		return -1;
	return namespaces_collect(r, b->t->c, b->proc, &b->c, &b->e);
}

static void send_result(struct build *b, int rc)
{
	unsigned char buf[4 * 4096];
	struct wire w = wire_writer(buf, sizeof(buf));
	unsigned n = 0;

	wire_put_u32(&w, rc == 0 ? b->c.ns : 0);
	if (rc == 0) {
		wire_put_str(&w, "");
		wire_put_str(&w, b->c.cwd);
		wire_put_str(&w, b->c.note);
		n = (unsigned)__builtin_popcount(b->c.ns);
	} else {
		wire_put_str(&w, b->e.text[0] ? b->e.text : "cannot build the container");
	}
	(void)msg_send(b->t->sock, buf, w.len, b->c.fd, n);
}

void rootfs_child(struct rootfs_task *t)
{
	struct build *b = calloc(1, sizeof(*b));
	int rc = -1;

	if (!b || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		_exit(1);
	b->t = t;
	b->proc = b->sys = b->tmp = b->dev = b->pts = b->shm = b->stage = b->top = b->root = -1;
	b->walker = WALKER_NONE;
	b->c = CONTAINER_NONE;
	b->place = calloc(PLAN_BINDS_MAX + FIXED_COUNT, sizeof(*b->place));
	if (b->place)
		rc = build(b);
	walker_stop(&b->walker);
	send_result(b, rc);
	_exit(rc < 0);
}
