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

#include "mountspec.h"
#include "namespaces.h"
#include "rootfs_impl.h"
#include "sys.h"
#include "userns.h"
#include "wire.h"

#define ETC_TEXT_MAX (4 * 1024 * 1024) /* the helper's own texts, shorter than that */
#define TOP_BYTES "16m" /* of the layer over a read-only image: empty files and a few of /etc */
#define ATTR_BIND (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

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
static void own_image(struct build *b, int image)
{
	const enum image_kind kind = b->t->p->info.kind;
	struct stat st;

	if (kind == IMAGE_DIR || kind == IMAGE_OCI)
		return;
	if ((wants_writable(b) || b->t->r->remap_root == YES) && fstat(image, &st) == 0 &&
	    st.st_uid == 0)
		(void)userns_show_owner(image, b->t->r->uid, b->t->r->gid, b->cl.proc);
}

static int make_stage(struct build *b)
{
	const bool writable = wants_writable(b);
	char size[32];
	const char *options[] = { "mode", "0755", "size", TOP_BYTES, NULL };
	int work, mnt;

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
	work = openat(mnt, "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->top < 0 || work < 0)
		err_sys(&b->e, errno, "cannot stage the container");
	/* the upper layer and its scratch belong to the overlay's mounter, the user */
	else if (writable && (fchown(work, b->t->r->uid, b->t->r->gid) < 0 ||
			      fchownat(b->top, "", b->t->r->uid, b->t->r->gid, AT_EMPTY_PATH) < 0))
		err_sys(&b->e, errno, "cannot prepare the writable layer");
	sys_close(&work);
	return b->e.text[0] ? -1 : 0;
}

/* ---- what the helper tells while it is at work ---- */

/* One message of the helper's, which bounds the time; its descriptors are the caller's. */
static int hear(struct build *b, enum build_msg type, char *buf, size_t size, struct wire *ret,
		int *fds, unsigned *nfds)
{
	ssize_t n = msg_recv(b->t->sock, buf, size, fds, nfds, NULL, -1);

	*ret = wire_reader(buf, n > 0 ? (size_t)n : 0);
	return wire_get_u32(ret) == type && !ret->bad
		       ? 0
		       : err_set(&b->e, "the container helper gave the container up");
}

static int take_image(struct build *b)
{
	char buf[64];
	int fds[REQUEST_FDS_MAX], at, rc = 0;
	unsigned nfds = 1;
	struct wire w;

	if (hear(b, BUILD_IMAGE, buf, sizeof(buf), &w, fds, &nfds) < 0 || nfds != 1)
		return -1;
	own_image(b, fds[0]);
	at = openat(b->stage, "image", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0 || sys_attach(fds[0], at) < 0)
		rc = err_sys(&b->e, errno, "cannot attach the image");
	sys_close(&at);
	sys_close(&fds[0]);
	return rc;
}

static int take_etc(struct build *b)
{
	char *buf = malloc(REQUEST_PACKET_MAX);
	int fds[REQUEST_FDS_MAX], rc;
	unsigned nfds = 2;
	const char *cwd;
	struct wire w;

	if (!buf || hear(b, BUILD_ETC, buf, REQUEST_PACKET_MAX, &w, fds, &nfds) < 0) {
		free(buf);
		return -1;
	}
	cwd = wire_get_str(&w);
	rc = wire_ended(&w) ? 0 : -1;
	if (rc == 0 && cwd[0] && !(b->etc.cwd = strdup(cwd)))
		rc = -1;
	if (rc == 0 && nfds == 2 &&
	    (!(b->etc.passwd = sys_read_all(fds[0], ETC_TEXT_MAX, &b->etc.passwd_len)) ||
	     !(b->etc.group = sys_read_all(fds[1], ETC_TEXT_MAX, &b->etc.group_len))))
		rc = -1;
	while (nfds > 0)
		sys_close(&fds[--nfds]);
	free(buf);
	return rc < 0 ? err_set(&b->e, "cannot take the image's accounts") : 0;
}

/* ---- 2. the overlay and everything on it ---- */

/* Number of components of a path; PATH_MAX / 2 at most. */
static unsigned depth_of(const char *path)
{
	unsigned n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

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

		if (b->cl.tree[i] < 0 || build_rank(bind->origin) != rank ||
		    depth_of(bind->dst) != depth)
			continue;
		if (attach_at(b, b->cl.tree[i], bind->dst, b->cl.is_dir[i], false) == 0)
			continue;
		if (!build_is_default(bind->origin))
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
	for (int rank = 1; rank < BUILD_RANKS; rank++)
		for (unsigned depth = 1; depth <= deepest; depth++)
			if (attach_some(b, rank, depth) < 0)
				return -1;
	return 0;
}

static int attach_all(struct build *b)
{
	int mnt = -1, at;

	if (walker_overlay(&b->walker, wants_writable(b), &mnt, &b->e) < 0)
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

/* ---- 3. the working directory ---- */

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
	if (b->etc.cwd) {
		rc = walker_can_enter(&b->walker, b->etc.cwd, &b->e);
		if (rc < 0)
			return -1;
		next = rc ? b->etc.cwd : next;
	}
	snprintf(note, sizeof(note),
		 "the working directory %.200s is not in the container: using %.200s", p->cwd,
		 next);
	err_clean(note, strlen(note));
	return set_cwd(b, next, note);
}

/* ---- 4. the end ---- */

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
 * All that can be done before slurmstepd runs user_init: first what the image is not needed for,
 * since it is being mounted meanwhile.  The old root is let go at the end of it.
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
	if (make_stage(b) < 0 ||
	    walker_start(&who, b->stage, b->t->timeout_ms, &b->walker, &b->e) < 0 ||
	    take_image(b) < 0 || build_places(b) < 0 || take_etc(b) < 0 || build_files(b) < 0 ||
	    attach_all(b) < 0 || choose_cwd(b) < 0 || pivot(b) < 0)
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
	char buf[ERR_TEXT_MAX + 16];
	int fds[REQUEST_FDS_MAX], rc = 0;
	unsigned nfds = ROOTFS_PMIX, n = 0;
	struct wire w;

	if (hear(b, BUILD_PMIX, buf, sizeof(buf), &w, fds, &nfds) < 0)
		return;
	which = wire_get_u32(&w);
	w = wire_writer(buf, sizeof(buf));
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
