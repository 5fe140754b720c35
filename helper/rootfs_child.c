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
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clones.h"
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
#define TOP_BYTES "16m" /* of the layer over a read-only image: empty files and a few of /etc */
#define ATTR_BIND (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

struct build {
	struct rootfs_task *t;
	struct err e;
	struct clones cl;
	struct walker_place *place; /* of each bind, then of the fixed ones below */
	int stage, top;
	struct walker walker;
	int root;	      /* the overlay, attached */
	char root_path[4200]; /* where: the prefix of every path below it */
	bool cwd_hollow;      /* the job's cwd is an empty directory made for Slurm's sake */
	char pmix[ROOTFS_PMIX][4096]; /* where PMIx's directories will be, or "" */
	struct container c;
};

/* Destinations besides the plan's own, behind place[PLAN_BINDS_MAX]. */
enum fixed {
	FIXED_TMP,
	FIXED_ETC,
	FIXED_CWD,
	FIXED_BIN,
	FIXED_PMIX,
	FIXED_COUNT = FIXED_PMIX + ROOTFS_PMIX
};

/* ---- 1. the staging directory, in our own mount namespace ---- */

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
		(void)userns_show_owner(b->t->image_root, b->t->r->uid, b->t->r->gid, b->cl.proc);
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

/* ---- 2. the layer over the image ---- */

/*
 * The order in which binds are attached; of one rank, those higher up come first, and of
 * those the first given.  What comes later covers.  A directory of the user's that is
 * there by default covers nothing that was asked for.
 */
static int attach_rank(enum origin o)
{
	static const int rank[ORIGIN_LAST + 1] = {
		[ORIGIN_CWD] = 1,  [ORIGIN_HOME] = 2,  [ORIGIN_SITE] = 3,   [ORIGIN_BUNDLE] = 4,
		[ORIGIN_USER] = 5, [ORIGIN_SLURM] = 6, [ORIGIN_SCRIPT] = 7, [ORIGIN_PMIX] = 8,
	};

	return rank[o];
}
#define ATTACH_RANKS 9

/* Number of components of a path; PATH_MAX / 2 at most. */
static unsigned depth_of(const char *path)
{
	unsigned n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* Is a attached before c, of which it is an ancestor? */
static bool comes_before(const struct plan_bind *a, const struct plan_bind *c)
{
	return attach_rank(a->origin) <= attach_rank(c->origin);
}

/* Below another mount: its place is known only when that one is attached. */
static bool nested(struct build *b, size_t i)
{
	const struct plan *p = b->t->p;
	const char *dst = p->binds[i].dst;

	if (b->cl.tmp >= 0 && path_within(dst, "/tmp"))
		return true;
	for (size_t k = 0; k < p->nbinds; k++)
		if (k != i && b->cl.tree[k] >= 0 && strcmp(dst, p->binds[k].dst) != 0 &&
		    path_within(dst, p->binds[k].dst) && comes_before(&p->binds[k], &p->binds[i]))
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
	/* absolute symlinks of the host's loader and libraries go through these */
	static const struct walker_place host = { .path = SLURMTOOLS_DIR "/host", .missing = 2 };
	const char *const *name = slurmtools_names();

	if (bin->error || (!bin->missing && !bin->is_dir))
		return 0;
	for (; *name; name++)
		if (top_link(b->top, bin, *name, SLURMTOOLS_DIR "/bin/berth-launch", &b->e) < 0)
			return -1;
	return top_link(b->top, &host, "lib", "usr/lib", &b->e) < 0 ||
			       top_link(b->top, &host, "lib64", "usr/lib64", &b->e) < 0
		       ? -1
		       : 0;
}

/*
 * The job's cwd exists in every container, if only as an empty directory: with
 * Slurm's own --container, 24.11 and later end the task otherwise.
 */
static int place_cwd(struct build *b, const struct walker_place *place)
{
	const struct plan *p = b->t->p;

	if (b->cl.tmp >= 0 && path_within(p->cwd, "/tmp"))
		return 0;
	for (size_t i = 0; i < p->nbinds; i++)
		if (b->cl.tree[i] >= 0 && path_within(p->cwd, p->binds[i].dst))
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
		if (b->cl.tree[i] >= 0 && !nested(b, i)) {
			index[n] = i;
			dst[n++] = p->binds[i].dst;
		}
	fixed = b->place + n;
	dst[n + FIXED_TMP] = (char *)"/tmp";
	dst[n + FIXED_ETC] = (char *)"/etc";
	dst[n + FIXED_CWD] = p->cwd;
	dst[n + FIXED_BIN] = (char *)"/usr/bin";
	for (int i = 0; i < ROOTFS_PMIX; i++)
		dst[n + FIXED_PMIX + i] = b->pmix[i][0] ? b->pmix[i] : (char *)"/";
	if (walker_survey(&b->walker, dst, n + FIXED_COUNT, b->place, &b->e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const struct plan_bind *bind = &p->binds[index[i]];

		if (place_one(b, &b->place[i], bind->dst, b->cl.is_dir[index[i]]) < 0) {
			if (!is_default(bind->origin))
				return -1;
			b->e.text[0] = '\0';
			sys_close(&b->cl.tree[index[i]]);
		}
	}
	if (b->cl.tmp >= 0 && place_one(b, &fixed[FIXED_TMP], "/tmp", true) < 0)
		return -1;
	for (int i = FIXED_PMIX; i < FIXED_COUNT; i++)
		if (!fixed[i].error && fixed[i].missing &&
		    top_place(b->top, &fixed[i], true, &b->e) < 0)
			return -1;
	if (place_cwd(b, &fixed[FIXED_CWD]) < 0 || write_etc(b, &fixed[FIXED_ETC]) < 0)
		return -1;
	return p->slurmtools ? link_tools(b, &fixed[FIXED_BIN]) : 0;
}

/* ---- 3. the overlay and everything on it ---- */

static int attach(struct build *b, int tree, int at, const char *dst)
{
	if (sys_attach(tree, at) == 0)
		return 0;
	if (errno == ELOOP)
		return err_set(
			&b->e,
			"cannot mount at %.200s: below its source a mount namespace is kept "
			"(job_container/tmpfs and snap do that); mount the directories in it "
			"that you need",
			dst);
	return err_sys(&b->e, errno, "cannot mount at %.200s", dst);
}

static int attach_at(struct build *b, int tree, const char *dst, bool dir, bool own)
{
	char path[4300];
	int rc = -1, at = walker_resolve(&b->walker, dst, dir, !own, &b->e);

	if (at < 0)
		return -1;
	if (sys_path_of(at, path, sizeof(path)) < 0 ||
	    !path_within(path, b->root_path[0] ? b->root_path : "/")) {
		err_set(&b->e, "mount destination %.200s leads out of the container", dst);
	} else {
		const char *inside = path + strlen(b->root_path);

		if (!own &&
		    (path_within("/", inside[0] ? inside : "/") || path_within(inside, "/proc") ||
		     path_within(inside, "/sys") || path_within(inside, "/dev")))
			err_set(&b->e,
				"mount destination %.200s leads to %.200s, which is the container's "
				"own",
				dst, inside[0] ? inside : "/");
		else
			rc = attach(b, tree, at, dst);
	}
	close(at);
	return rc;
}

static int attach_dev(struct build *b)
{
	int pts, shm, rc = -1;

	if (attach_at(b, b->cl.dev, "/dev", true, true) < 0)
		return -1;
	pts = openat(b->cl.dev, "pts", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	shm = openat(b->cl.dev, "shm", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (pts >= 0 && shm >= 0 && sys_attach(b->cl.pts, pts) == 0 &&
	    sys_attach(b->cl.shm, shm) == 0)
		rc = 0;
	else
		err_sys(&b->e, errno, "cannot mount /dev/pts and /dev/shm");
	sys_close(&pts);
	sys_close(&shm);
	return rc;
}

/* Those of one rank and depth. */
static int attach_some(struct build *b, int rank, unsigned depth)
{
	const struct plan *p = b->t->p;

	for (size_t i = 0; i < p->nbinds; i++) {
		const struct plan_bind *bind = &p->binds[i];

		if (b->cl.tree[i] < 0 || attach_rank(bind->origin) != rank ||
		    depth_of(bind->dst) != depth)
			continue;
		if (attach_at(b, b->cl.tree[i], bind->dst, b->cl.is_dir[i], false) == 0)
			continue;
		if (!is_default(bind->origin))
			return -1;
		b->e.text[0] = '\0';
	}
	return 0;
}

static int attach_binds(struct build *b)
{
	const struct plan *p = b->t->p;
	unsigned deepest = 0;

	for (size_t i = 0; i < p->nbinds; i++)
		if (depth_of(p->binds[i].dst) > deepest)
			deepest = depth_of(p->binds[i].dst);
	for (int rank = 1; rank < ATTACH_RANKS; rank++)
		for (unsigned depth = 1; depth <= deepest; depth++)
			if (attach_some(b, rank, depth) < 0)
				return -1;
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
	if (attach_at(b, b->cl.proc, "/proc", true, true) < 0 ||
	    (b->cl.sys >= 0 && attach_at(b, b->cl.sys, "/sys", true, true) < 0) ||
	    attach_dev(b) < 0 ||
	    (b->cl.tmp >= 0 && attach_at(b, b->cl.tmp, "/tmp", true, false) < 0))
		return -1;
	return attach_binds(b);
}

/* ---- 4. the working directory ---- */

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

/* ---- 5. the end ---- */

static int pivot(struct build *b)
{
	if (fchdir(b->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return err_sys(&b->e, errno, "cannot make the image the root directory");
	b->root_path[0] = '\0'; /* paths are the container's own now */
	return 0;
}

static int verify(struct build *b)
{
	size_t len;
	char *text = sys_read_at(b->cl.proc, "self/mountinfo", MOUNTINFO_MAX, &len);
	int rc;

	if (!text)
		return err_sys(&b->e, errno, "cannot read back the container's mounts");
	rc = mounts_verify(text, &b->e);
	free(text);
	return rc;
}

/*
 * All that can be done before slurmstepd runs user_init.  The old root is let go at the
 * end of it.
 */
static int build(struct build *b)
{
	const struct request *r = b->t->r;
	const struct ids who = { r->uid, r->gid, r->groups, r->ngroups };

	if (b->t->base >= 0 && setns(b->t->base, CLONE_NEWNS) < 0)
		return err_sys(&b->e, errno, "cannot enter the job's mount namespace");
	if (clones_make(b->t, &b->cl, &b->e) < 0 ||
	    namespaces_unshare(r->unshare, &b->c, &b->e) < 0)
		return -1;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(&b->e, errno, "cannot make the mounts private");
	own_image(b);
	if (make_stage(b) < 0 ||
	    walker_start(&who, b->stage, b->t->timeout_ms, &b->walker, &b->e) < 0 ||
	    fill_top(b) < 0 || attach_all(b) < 0 || choose_cwd(b) < 0 || pivot(b) < 0)
		return -1;
	return namespaces_collect(r, b->t->c, b->cl.proc, &b->c, &b->e);
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

/*
 * The container is built.  What may come is PMIx's directories: slurmstepd makes them
 * after the helper has started.
 */
static void serve_pmix(struct build *b)
{
	uint32_t which;
	unsigned char buf[ERR_TEXT_MAX + 16];
	int fds[REQUEST_FDS_MAX], rc = 0;
	unsigned nfds = ROOTFS_PMIX, n = 0;
	struct wire w = wire_writer(buf, sizeof(buf));

	if (msg_recv(b->t->sock, &which, sizeof(which), fds, &nfds, NULL, -1) != sizeof(which))
		return;
	for (int i = 0; i < ROOTFS_PMIX && rc == 0; i++)
		if ((which & 1u << i) && n < nfds)
			rc = attach_at(b, fds[n++], b->pmix[i], true, false);
	if (rc == 0)
		rc = verify(b);
	wire_put_str(&w, rc < 0 ? b->e.text : "");
	(void)msg_send(b->t->sock, buf, w.len, NULL, 0);
}

void rootfs_child(struct rootfs_task *t)
{
	struct build *b = calloc(1, sizeof(*b));
	int rc = -1;

	if (!b || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		_exit(1);
	b->t = t;
	b->stage = b->top = b->root = -1;
	b->walker = WALKER_NONE;
	b->c = CONTAINER_NONE;
	b->place = calloc(PLAN_BINDS_MAX + FIXED_COUNT, sizeof(*b->place));
	for (int i = 0; i < ROOTFS_PMIX; i++)
		if (!rootfs_pmix_path(t->r, t->c, i, b->pmix[i], sizeof(b->pmix[i])))
			b->pmix[i][0] = '\0';
	if (b->place)
		rc = build(b);
	if (rc == 0)
		rc = verify(b);
	send_result(b, rc);
	if (rc == 0)
		serve_pmix(b);
	walker_stop(&b->walker);
	_exit(rc < 0);
}
