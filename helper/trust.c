/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "trust.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sys.h"

/*
 * File systems whose owner and mode bits root of this node or of the site's file
 * servers decides.  FUSE (0x65735546), 9p, CIFS and vboxsf report what their server
 * or mount options say and are left out on purpose.
 */
static const unsigned long fs_allowed[] = {
	0xef53,	    /* ext2, ext3, ext4 */
	0x58465342, /* xfs */
	0x9123683e, /* btrfs */
	0x2fc12fc1, /* zfs */
	0xf2f52010, /* f2fs */
	0x01021994, /* tmpfs */
	0x858458f6, /* ramfs */
	0x794c7630, /* overlayfs */
	0x73717368, /* squashfs */
	0xe0f5e1e2, /* erofs */
	0x6969,	    /* nfs */
	0x0bd00bd0, /* lustre */
	0x47504653, /* gpfs */
	0x00c36400, /* ceph */
	0x19830326, /* beegfs */
	0xaad7aaea, /* panfs */
	0xca451a4e, /* bcachefs */
};

#define NOT_ALLOWED "is on a file system that is not on the list of trusted kinds"
#define LINKS_MAX 40 /* symlinks on the way to a directory, as the kernel allows */

struct walk {
	int fd; /* O_PATH of the component reached */
	unsigned links;
	struct stat st;
	char *why;
	size_t why_size;
};

static int no(struct walk *w, const char *name, const char *what)
{
	snprintf(w->why, w->why_size, "%s %s", name, what);
	err_clean(w->why, strlen(w->why));
	return 0;
}

static bool is_allowed(unsigned long fs)
{
	for (size_t i = 0; i < sizeof(fs_allowed) / sizeof(fs_allowed[0]); i++)
		if (fs_allowed[i] == (fs & 0xffffffff)) /* f_type is signed */
			return true;
	return false;
}

/* system.posix_acl_access: le32 version, then {le16 tag, le16 perm, le32 id}. */
static bool acl_grants_write(int fd)
{
	unsigned char acl[4 + 8 * 64];
	struct fd_path p = sys_fd_path(fd);
	ssize_t n = getxattr(p.s, "system.posix_acl_access", acl, sizeof(acl));

	if (n < 0)
		return errno == ERANGE; /* more entries than a site would give: no */
	for (ssize_t i = 4; i + 8 <= n; i += 8) {
		unsigned tag = acl[i] | (unsigned)acl[i + 1] << 8;
		unsigned perm = acl[i + 2];

		/* 0x02 named user, 0x04 owning group, 0x08 named group, 0x20 other */
		if ((perm & 2) && (tag == 0x02 || tag == 0x04 || tag == 0x08 || tag == 0x20))
			return true;
	}
	return false;
}

/* 1: root alone controls this component. 0: not, why set. -1: errno. */
static int component(struct walk *w, const char *name)
{
	struct statfs fs;

	if (fstat(w->fd, &w->st) < 0 || fstatfs(w->fd, &fs) < 0)
		return -1;
	if (!is_allowed((unsigned long)fs.f_type))
		return no(w, name, NOT_ALLOWED);
	if (w->st.st_uid != 0)
		return no(w, name, "is not owned by root");
	if (w->st.st_mode & (S_IWGRP | S_IWOTH))
		return no(w, name, "is writable by group or others");
	if (acl_grants_write(w->fd))
		return no(w, name, "has an ACL that grants write");
	return 1;
}

static bool is_one_of(const struct stat *st, const struct config_list *dirs)
{
	for (size_t i = 0; i < dirs->n; i++) {
		struct stat d;

		if (stat(dirs->v[i], &d) == 0 && S_ISDIR(d.st_mode) && d.st_dev == st->st_dev &&
		    d.st_ino == st->st_ino)
			return true;
	}
	return false;
}

/* The symlink link (closed here), found in w->fd: put what it leads to before rest. 0, or -1 with errno. */
static int follow(struct walk *w, int link, char rest[PATH_MAX])
{
	char target[PATH_MAX], both[PATH_MAX];
	ssize_t n = readlinkat(link, "", target, sizeof(target) - 1);
	int len;

	sys_close(&link);
	if (n < 0)
		return -1;
	target[n] = '\0';
	len = snprintf(both, sizeof(both), "%s/%s", target, rest);
	if (len < 0 || (size_t)len >= sizeof(both) || ++w->links > LINKS_MAX) {
		errno = ELOOP;
		return -1;
	}
	memcpy(rest, both, (size_t)len + 1);
	if (target[0] != '/')
		return 0;
	sys_close(&w->fd);
	w->fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return w->fd < 0 ? -1 : 0;
}

/* Take the first name off path. false: there is none. */
static bool next_name(char path[PATH_MAX], char name[PATH_MAX])
{
	const char *p = path + strspn(path, "/");
	size_t n = strcspn(p, "/");

	memcpy(name, p, n);
	name[n] = '\0';
	memmove(path, p + n, strlen(p + n) + 1);
	return n > 0;
}

/*
 * Walk path, which is absolute, and used up.  A symlink is followed if links is set: the
 * directory that holds it is root's alone by then, and so the link is.  dirs may be NULL
 * (then *below is not set).  On 1, w->fd and w->st are those of the last component.
 */
static int walk_path(struct walk *w, char path[PATH_MAX], bool links,
		     const struct config_list *dirs, bool *below)
{
	char name[PATH_MAX];
	struct stat st;
	int rc;

	w->fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w->fd < 0)
		return -1;
	rc = component(w, "/");
	while (rc == 1 && next_name(path, name)) {
		int next;

		if (dirs && is_one_of(&w->st, dirs))
			*below = true;
		next = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return -1;
		if (links && fstat(next, &st) == 0 && S_ISLNK(st.st_mode)) {
			if (follow(w, next, path) < 0)
				return -1;
			continue;
		}
		close(w->fd);
		w->fd = next;
		rc = component(w, name);
	}
	return rc;
}

int trust_image(int fd, uint64_t fs, const struct config_list *dirs, char *why, size_t why_size,
		struct err *e)
{
	struct walk w = { .fd = -1, .why = why, .why_size = why_size };
	char path[PATH_MAX];
	struct stat st;
	bool below = false;
	int rc;

	why[0] = '\0';
	if (!is_allowed(fs))
		return no(&w, "it", NOT_ALLOWED);
	if (fstat(fd, &st) < 0) /* a user's FUSE mount refuses even root */
		return errno == EACCES ? no(&w, "it", "cannot be examined by root")
				       : err_sys(e, errno, "cannot examine the image");
	if (!S_ISREG(st.st_mode))
		return no(&w, "it", "is not a file");
	if (st.st_uid != 0 || st.st_nlink != 1 || dirs->n == 0)
		return no(&w, "it",
			  dirs->n == 0	   ? "cannot be below one: no trusted= directory is set"
			  : st.st_uid != 0 ? "is not owned by root"
					   : "has more than one link");
	if (sys_path_of(fd, path, sizeof(path)) < 0 || path[0] != '/')
		return no(&w, "it", "has no path");
	rc = walk_path(&w, path, false, dirs, &below);
	if (rc < 0)
		rc = no(&w, "its path", "cannot be followed from the root directory");
	if (rc == 1 && (w.st.st_dev != st.st_dev || w.st.st_ino != st.st_ino))
		rc = no(&w, "its path", "leads to another file now");
	if (rc == 1 && !below)
		rc = no(&w, "it", "is not below a trusted= directory");
	if (rc == 1) {
		/* A read lease is refused with EAGAIN while anyone has the file open for writing. */
		if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
			fcntl(fd, F_SETLEASE, F_UNLCK);
		else if (errno == EAGAIN)
			rc = no(&w, "it", "is open for writing");
	}
	sys_close(&w.fd);
	return rc;
}

int trust_check_dir(const char *key, const char *dir, struct err *e)
{
	char why[256] = "", path[PATH_MAX];
	struct walk w = { .fd = -1, .why = why, .why_size = sizeof(why) };
	int rc, saved;

	if ((size_t)snprintf(path, sizeof(path), "%s", dir) >= sizeof(path))
		return err_sys(e, ENAMETOOLONG, "plugstack.conf: %s=%.80s", key, dir);
	rc = walk_path(&w, path, true, NULL, NULL);
	saved = errno;
	if (rc == 1 && !S_ISDIR(w.st.st_mode))
		rc = no(&w, "it", "is not a directory");
	sys_close(&w.fd);
	if (rc == 1 || (rc < 0 && saved == ENOENT))
		return 0;
	if (rc < 0)
		return err_sys(e, saved, "plugstack.conf: %s=%s", key, dir);
	return err_set(e, "plugstack.conf: %s=%s: %s; no container is started until that is mended",
		       key, dir, why);
}
