/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "walker.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "request.h"
#include "sys.h"
#include "wire.h"

#define IN_ROOT (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)

/*
 * What overlayfs acts with below the mount, once it has checked the task's own rights:
 * a writable one also makes the work directory (mode 000) and copies up files of other
 * owners, as with any overlay that root mounts.
 */
#define CAPS_RO (UINT64_C(1) << CAP_SYS_ADMIN)
#define CAPS_RW                                                                  \
	(CAPS_RO | UINT64_C(1) << CAP_DAC_OVERRIDE | UINT64_C(1) << CAP_FOWNER | \
	 UINT64_C(1) << CAP_CHOWN | UINT64_C(1) << CAP_FSETID)

enum ask { ASK_SURVEY = 1, ASK_OVERLAY, ASK_RESOLVE, ASK_ENTER };

/* ---- the child ---- */

struct child {
	int sock, stage, image, root;
	char prefix[PATH_MAX]; /* path of "image" as this process sees it */
};

static int open_dir(int dir, const char *name)
{
	return openat(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Fill place from the existing object fd; rest (may be "") is what is missing below it. */
static int describe(struct child *ch, int fd, const char *rest, struct walker_place *place)
{
	char path[PATH_MAX];
	size_t skip = strlen(ch->prefix);
	struct stat st;

	if (sys_path_of(fd, path, sizeof(path)) < 0)
		return -1;
	if (strncmp(path, ch->prefix, skip) != 0 || (path[skip] && path[skip] != '/')) {
		errno = EXDEV;
		return -1;
	}
	if (strlen(path + skip) + strlen(rest) + 2 > sizeof(place->path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	place->depth = 0;
	for (char *name = path + skip, *end; *name; name = end) {
		char keep;

		name++;
		end = strchrnul(name, '/');
		keep = *end;
		*end = '\0';
		if (place->depth == WALKER_DEPTH ||
		    fstatat(ch->image, path + skip + 1, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			*end = keep;
			errno = errno ? errno : ELOOP;
			return -1;
		}
		*end = keep;
		place->attr[place->depth++] =
			(struct walker_attr){ st.st_mode & 07777, st.st_uid, st.st_gid };
		place->is_dir = S_ISDIR(st.st_mode);
	}
	if (place->depth == 0)
		place->is_dir = true;
	snprintf(place->path, sizeof(place->path), "%s%s", path + skip, rest);
	place->missing = 0;
	for (const char *p = rest; *p; p++)
		place->missing += *p == '/';
	if (place->depth + place->missing > WALKER_DEPTH) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

static void survey_one(struct child *ch, const char *dst, struct walker_place *place)
{
	char path[PATH_MAX];
	size_t len = strlen(dst);
	int fd = -1, error = 0;

	memset(place, 0, sizeof(*place));
	if (len == 0 || len >= sizeof(path) || dst[0] != '/') {
		place->error = EINVAL;
		return;
	}
	memcpy(path, dst, len + 1);
	/* shorten until something exists; "" is the root itself */
	for (;;) {
		fd = sys_openat2(ch->image, path[0] ? path : ".", O_PATH, 0, IN_ROOT);
		if (fd >= 0 || errno != ENOENT || !path[0])
			break;
		*strrchr(path, '/') = '\0';
	}
	errno = fd < 0 ? errno : 0;
	if (fd < 0 || describe(ch, fd, dst + strlen(path), place) < 0)
		error = errno;
	else if (place->missing && !place->is_dir)
		error = ENOTDIR;
	if (error)
		*place = (struct walker_place){ .error = error };
	sys_close(&fd);
}

static int reply(struct child *ch, const void *buf, size_t len, int fd)
{
	return msg_send(ch->sock, buf, len, &fd, fd >= 0 ? 1 : 0);
}

static int do_survey(struct child *ch, struct wire *in)
{
	uint32_t n = wire_get_u32(in);
	struct walker_place place;

	if (ch->image < 0) {
		ch->image = open_dir(ch->stage, "image");
		if (ch->image < 0 || sys_path_of(ch->image, ch->prefix, sizeof(ch->prefix)) < 0)
			return -1;
	}
	for (uint32_t i = 0; i < n; i++) {
		const char *dst = wire_get_str(in);
		/* path, then its attributes: the tail of attr is not sent */
		unsigned char buf[sizeof(place) + 64];
		struct wire w = wire_writer(buf, sizeof(buf));

		if (in->bad)
			return -1;
		survey_one(ch, dst, &place);
		wire_put_u32(&w, (uint32_t)place.error);
		wire_put_str(&w, place.path);
		wire_put_u32(&w, place.depth);
		wire_put_u32(&w, place.missing);
		wire_put_u32(&w, place.is_dir);
		for (unsigned k = 0; k < place.depth; k++) {
			wire_put_u32(&w, place.attr[k].mode);
			wire_put_u32(&w, place.attr[k].uid);
			wire_put_u32(&w, place.attr[k].gid);
		}
		if (w.bad || reply(ch, buf, w.len, -1) < 0)
			return -1;
	}
	return 0;
}

static int do_overlay(struct child *ch, struct wire *in)
{
	/* an image may carry overlayfs's own attributes: none of them is followed */
	static const char *const ro[] = { "source",    "berth",	       "lowerdir",
					  "top:image", "redirect_dir", "nofollow",
					  "metacopy",  "off",	       NULL };
	static const char *const rw[] = {
		"source", "berth",	  "lowerdir", "image",	  "upperdir", "top", "workdir",
		"work",	  "redirect_dir", "nofollow", "metacopy", "off",      NULL
	};
	const bool writable = wire_get_u32(in);
	struct err e = { "" };
	uint32_t error = 0;
	int mnt = -1;

	if (fchdir(ch->stage) < 0 || ids_raise(writable ? CAPS_RW : CAPS_RO, &e) < 0)
		return -1;
	mnt = sys_new_fs("overlay",
			 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (writable ? 0 : MOUNT_ATTR_RDONLY),
			 writable ? rw : ro);
	if (mnt < 0)
		error = (uint32_t)errno;
	if (chdir("/") < 0 || ids_drop_caps(&e) < 0)
		return -1;
	error = reply(ch, &error, sizeof(error), mnt) < 0;
	sys_close(&mnt);
	return error ? -1 : 0;
}

/* Make the missing tail of dst below the root, as the user. */
static int make_missing(struct child *ch, const char *dst, bool dir)
{
	char path[PATH_MAX], *slash;
	int parent, fd = -1, depth = 0;
	size_t len = strlen(dst);

	if (len >= sizeof(path))
		return -1;
	memcpy(path, dst, len + 1);
	for (slash = path + 1; (slash = strchr(slash, '/')) && depth++ < WALKER_DEPTH;
	     *slash++ = '/') {
		*slash = '\0';
		fd = sys_openat2(ch->root, path, O_PATH | O_DIRECTORY, 0, IN_ROOT);
		if (fd < 0 && errno == ENOENT) {
			char *last = strrchr(path, '/');

			*last = '\0';
			parent = sys_openat2(ch->root, path[0] ? path : ".", O_PATH | O_DIRECTORY,
					     0, IN_ROOT);
			*last = '/';
			if (parent < 0 || mkdirat(parent, last + 1, 0755) < 0) {
				sys_close(&parent);
				return -1;
			}
			sys_close(&parent);
		} else if (fd < 0) {
			return -1;
		}
		sys_close(&fd);
	}
	slash = strrchr(path, '/');
	*slash = '\0';
	parent = sys_openat2(ch->root, path[0] ? path : ".", O_PATH | O_DIRECTORY, 0, IN_ROOT);
	if (parent < 0)
		return -1;
	if (dir)
		fd = mkdirat(parent, slash + 1, 0755);
	else
		fd = openat(parent, slash + 1, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC,
			    0644);
	sys_close(&parent);
	if (fd < 0)
		return -1;
	if (!dir)
		close(fd);
	return 0;
}

static int do_resolve(struct child *ch, struct wire *in)
{
	const bool dir = wire_get_u32(in), links = wire_get_u32(in);
	const char *dst = wire_get_str(in);
	const int flags = O_PATH | (dir ? O_DIRECTORY : 0);
	const uint64_t how = IN_ROOT | (links ? 0 : RESOLVE_NO_SYMLINKS);
	uint32_t error = 0;
	struct stat st;
	int fd, rc;

	if (in->bad)
		return -1;
	if (ch->root < 0)
		ch->root = open_dir(ch->stage, "root");
	fd = sys_openat2(ch->root, dst, flags, 0, how);
	if (fd < 0 && errno == ENOENT && links && make_missing(ch, dst, dir) == 0)
		fd = sys_openat2(ch->root, dst, flags, 0, how);
	if (fd < 0)
		error = (uint32_t)errno;
	else if (!dir && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		error = EISDIR;
	rc = reply(ch, &error, sizeof(error), error ? -1 : fd);
	sys_close(&fd);
	return rc;
}

static int do_enter(struct child *ch, struct wire *in)
{
	const char *path = wire_get_str(in);
	uint32_t error = 0;
	int fd;

	if (ch->root < 0)
		ch->root = open_dir(ch->stage, "root");
	fd = sys_openat2(ch->root, path, O_PATH | O_DIRECTORY, 0, IN_ROOT);
	if (fd < 0 || faccessat(fd, ".", X_OK, 0) < 0)
		error = (uint32_t)errno;
	sys_close(&fd);
	return reply(ch, &error, sizeof(error), -1);
}

static void walker_child(const struct ids *who, int stage, int sock) __attribute__((noreturn));
static void walker_child(const struct ids *who, int stage, int sock)
{
	struct child ch = { .sock = sock, .stage = stage, .image = -1, .root = -1 };
	int *const keep[] = { &ch.sock, &ch.stage };
	char *buf = malloc(REQUEST_PACKET_MAX);
	struct err e = { "" };

	if (!buf || sys_keep_fds(keep, 2) < 0 || ids_become(who, CAPS_RW, &e) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		_exit(1);
	for (;;) {
		int fds[REQUEST_FDS_MAX], rc = -1;
		unsigned nfds = 0;
		ssize_t n = msg_recv(ch.sock, buf, REQUEST_PACKET_MAX, fds, &nfds, NULL, -1);
		struct wire w;

		if (n <= 0)
			_exit(n < 0);
		w = wire_reader(buf, (size_t)n);
		switch ((enum ask)wire_get_u32(&w)) {
		case ASK_SURVEY: rc = do_survey(&ch, &w); break;
		case ASK_OVERLAY: rc = do_overlay(&ch, &w); break;
		case ASK_RESOLVE: rc = do_resolve(&ch, &w); break;
		case ASK_ENTER: rc = do_enter(&ch, &w); break;
		}
		if (rc < 0)
			_exit(1);
	}
}

/* ---- the builder's side ---- */

int walker_start(const struct ids *who, int stage, int timeout_ms, struct walker *ret,
		 struct err *e)
{
	struct walker w = { .sock = -1, .timeout_ms = timeout_ms };

	w.pid = child_start(&w.sock, e);
	if (w.pid == 0)
		walker_child(who, stage, w.sock);
	if (w.pid < 0)
		return -1;
	*ret = w;
	return 0;
}

void walker_stop(struct walker *w)
{
	child_stop(w->pid, &w->sock);
	*w = WALKER_NONE;
}

static ssize_t hear(struct walker *w, void *buf, size_t size, int *fd, struct err *e)
{
	int fds[REQUEST_FDS_MAX];
	unsigned nfds = fd ? 1 : 0;
	ssize_t n = msg_recv(w->sock, buf, size, fds, &nfds, NULL, w->timeout_ms);

	if (n <= 0) {
		err_set(e, n == 0 ? "the process that walks the image ended early"
				  : "walking the image took too long: does its file system hang?");
		return -1;
	}
	if (fd)
		*fd = nfds ? fds[0] : -1;
	return n;
}

static int tell(struct walker *w, const struct wire *out, struct err *e)
{
	if (out->bad || msg_send(w->sock, out->p, out->len, NULL, 0) < 0)
		return err_set(e, "cannot talk to the process that walks the image");
	return 0;
}

static int take_place(struct wire *in, struct walker_place *p)
{
	const char *path;

	memset(p, 0, sizeof(*p));
	p->error = (int)wire_get_u32(in);
	path = wire_get_str(in);
	p->depth = wire_get_u32(in);
	p->missing = wire_get_u32(in);
	p->is_dir = wire_get_u32(in);
	if (in->bad || p->depth > WALKER_DEPTH || p->missing > WALKER_DEPTH ||
	    strlen(path) >= sizeof(p->path))
		return -1;
	memcpy(p->path, path, strlen(path) + 1);
	for (unsigned k = 0; k < p->depth; k++) {
		p->attr[k].mode = wire_get_u32(in);
		p->attr[k].uid = wire_get_u32(in);
		p->attr[k].gid = wire_get_u32(in);
	}
	return wire_ended(in) ? 0 : -1;
}

int walker_survey(struct walker *w, char *const *dst, size_t n, struct walker_place *ret,
		  struct err *e)
{
	unsigned char *buf = malloc(REQUEST_PACKET_MAX);
	struct wire out = wire_writer(buf, buf ? REQUEST_PACKET_MAX : 0);
	int rc = -1;

	wire_put_u32(&out, ASK_SURVEY);
	wire_put_u32(&out, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		wire_put_str(&out, dst[i]);
	if (tell(w, &out, e) < 0)
		goto done;
	for (size_t i = 0; i < n; i++) {
		ssize_t len = hear(w, buf, REQUEST_PACKET_MAX, NULL, e);
		struct wire in;

		if (len < 0)
			goto done;
		in = wire_reader(buf, (size_t)len);
		if (take_place(&in, &ret[i]) < 0) {
			err_set(e, "the process that walks the image sent nonsense");
			goto done;
		}
	}
	rc = 0;
done:
	free(buf);
	return rc;
}

/* Send, and take a plain reply: an errno, and a descriptor where fd is given. 0, errno, or -1. */
static int ask(struct walker *w, const struct wire *out, int *fd, struct err *e)
{
	uint32_t error;

	if (tell(w, out, e) < 0 || hear(w, &error, sizeof(error), fd, e) != sizeof(error)) {
		err_set(e, "the process that walks the image sent nonsense");
		return -1;
	}
	if (fd && !error != (*fd >= 0)) {
		sys_close(fd);
		return err_set(e, "the process that walks the image sent nonsense");
	}
	return (int)(error & 0xfff);
}

int walker_overlay(struct walker *w, bool writable, int *ret_mount, struct err *e)
{
	unsigned char buf[16];
	struct wire out = wire_writer(buf, sizeof(buf));
	int rc;

	wire_put_u32(&out, ASK_OVERLAY);
	wire_put_u32(&out, writable);
	rc = ask(w, &out, ret_mount, e);
	if (rc > 0)
		err_sys(e, rc, "cannot lay the mount points over the image (overlayfs)");
	return rc ? -1 : 0;
}

int walker_resolve(struct walker *w, const char *dst, bool want_dir, bool symlinks, struct err *e)
{
	unsigned char buf[PATH_MAX + 64];
	struct wire out = wire_writer(buf, sizeof(buf));
	int fd = -1, rc;

	wire_put_u32(&out, ASK_RESOLVE);
	wire_put_u32(&out, want_dir);
	wire_put_u32(&out, symlinks);
	wire_put_str(&out, dst);
	rc = ask(w, &out, &fd, e);
	if (rc == ENOTDIR || rc == EISDIR)
		err_set(e,
			"mount destination %.200s: the source is a %s, what is there in the container "
			"is not",
			dst, want_dir ? "directory" : "file");
	else if (rc == EROFS || rc == EACCES)
		err_sys(e, rc,
			"mount destination %.200s lies in another mount, which lacks it: make it "
			"there first",
			dst);
	else if (rc > 0)
		err_sys(e, rc, "mount destination %.200s", dst);
	return rc ? -1 : fd;
}

int walker_can_enter(struct walker *w, const char *path, struct err *e)
{
	unsigned char buf[PATH_MAX + 64];
	struct wire out = wire_writer(buf, sizeof(buf));
	int rc;

	wire_put_u32(&out, ASK_ENTER);
	wire_put_str(&out, path);
	rc = ask(w, &out, NULL, e);
	return rc < 0 ? -1 : rc == 0;
}
