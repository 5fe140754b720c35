/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "capture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel follows */

/* The name of path in the copy. */
static const char *capture_name(struct capture *c, const char *path, char buf[PATH_MAX])
{
	snprintf(buf, PATH_MAX, "%s", path);
	scrub_text(c->scrub, buf, strlen(buf));
	return buf;
}

/* One file, link or directory more, of so many bytes. */
static int capture_count(struct capture *c, size_t bytes, struct err *e)
{
	if (++c->files > CAPTURE_FILES_MAX || (c->bytes += bytes) > CAPTURE_BYTES_MAX)
		return err_set(e, "there is more to copy than %d files or %d bytes",
			       CAPTURE_FILES_MAX, CAPTURE_BYTES_MAX);
	return 0;
}

static int capture_made(const char *name, struct err *e)
{
	return errno == EEXIST ? 0 : err_sys(e, errno, "%s", name);
}

static int capture_dir(struct capture *c, const char *path, struct err *e)
{
	char name[PATH_MAX];

	if (mkdirat(c->to, capture_name(c, path, name), 0755) < 0)
		return capture_made(name, e);
	return capture_count(c, 0, e);
}

static int capture_link(struct capture *c, const char *path, const char *target, struct err *e)
{
	char name[PATH_MAX], to[PATH_MAX];

	if (symlinkat(capture_name(c, target, to), c->to, capture_name(c, path, name)) < 0)
		return capture_made(name, e);
	return capture_count(c, strlen(target), e);
}

static int capture_put(struct capture *c, const char *name, int flags, const char *text, size_t len,
		       struct err *e)
{
	int fd = openat(c->to, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags, 0644);
	ssize_t n = 0;
	size_t done = 0;

	if (fd < 0)
		return capture_made(name, e);
	for (; done < len; done += (size_t)n) {
		n = write(fd, text + done, len - done);
		if (n < 0)
			break;
	}
	if (n < 0)
		err_sys(e, errno, "%s", name);
	if (close(fd) < 0 && n >= 0)
		n = err_sys(e, errno, "%s", name);
	return n < 0 ? -1 : capture_count(c, len, e);
}

static int capture_file(struct capture *c, const char *path, struct err *e)
{
	/* O_NONBLOCK: a FIFO in a tree that someone made up must not hold us */
	int fd = openat(c->from, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char text[CAPTURE_FILE_MAX], name[PATH_MAX];
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n < 0)
		return 0;
	scrub_text(c->scrub, text, (size_t)n);
	return capture_put(c, capture_name(c, path, name), O_TRUNC, text, (size_t)n, e);
}

/* One entry of a directory that was listed: its name and kind is all that was read. */
static int capture_entry(struct capture *c, const char *path, struct err *e)
{
	char target[PATH_MAX], name[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (fstatat(c->from, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (S_ISDIR(st.st_mode))
		return capture_dir(c, path, e);
	if (!S_ISLNK(st.st_mode))
		return capture_put(c, capture_name(c, path, name), O_EXCL, "", 0, e);
	n = readlinkat(c->from, path, target, sizeof(target) - 1);
	if (n < 0)
		return 0;
	target[n] = '\0';
	return capture_link(c, path, target, e);
}

static int capture_entries(struct capture *c, const char *path, struct err *e)
{
	int fd = openat(c->from, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;
	char entry[PATH_MAX];

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while (rc == 0 && (d = readdir(dir)) != NULL) {
		int n = snprintf(entry, sizeof(entry), "%s/%s", path, d->d_name);

		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 &&
		    n < (int)sizeof(entry))
			rc = capture_entry(c, entry, e);
	}
	closedir(dir);
	return rc;
}

/* What is at the end of the way: path holds no link any more. */
static int capture_end(struct capture *c, const char *path, bool list, struct err *e)
{
	struct stat st;

	if (fstatat(c->from, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (S_ISREG(st.st_mode))
		return capture_file(c, path, e);
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (capture_dir(c, path, e) < 0)
		return -1;
	return list ? capture_entries(c, path, e) : 0;
}

/* A walk down a path: what is behind, free of links, and what is ahead. */
struct walk {
	char done[PATH_MAX], ahead[2 * PATH_MAX];
	int links;
};

/* done / the next component, in next; false: the walk is over, or it leaves the tree. */
static bool walk_next(struct walk *w, char next[PATH_MAX])
{
	char *rest = w->ahead + strspn(w->ahead, "/");
	size_t len = strcspn(rest, "/");
	char *slash;
	int n;

	if (len == 2 && rest[0] == '.' && rest[1] == '.') {
		if (!w->done[0])
			return false;
		slash = strrchr(w->done, '/');
		*(slash ? slash : w->done) = '\0';
		snprintf(next, PATH_MAX, "%s", w->done);
	} else if (len == 0 || (len == 1 && rest[0] == '.')) {
		snprintf(next, PATH_MAX, "%s", w->done);
	} else {
		n = snprintf(next, PATH_MAX, "%s%s%.*s", w->done, w->done[0] ? "/" : "", (int)len,
			     rest);
		if (n >= PATH_MAX)
			return false;
	}
	memmove(w->ahead, rest + len, strlen(rest + len) + 1);
	return true;
}

/* Go on with a link's target instead of what it is called. */
static bool walk_follow(struct walk *w, const char *target)
{
	char ahead[2 * PATH_MAX];
	int n = snprintf(ahead, sizeof(ahead), "%s/%s", target, w->ahead);

	if (target[0] == '/' || ++w->links > LINKS_MAX || n >= (int)sizeof(ahead))
		return false;
	memcpy(w->ahead, ahead, (size_t)n + 1);
	return true;
}

int capture_path(struct capture *c, const char *path, bool list, struct err *e)
{
	struct walk w = { .links = 0 };
	char next[PATH_MAX], target[PATH_MAX];
	ssize_t n;

	if (snprintf(w.ahead, sizeof(w.ahead), "%s", path) >= (int)sizeof(w.ahead))
		return 0;
	while (w.ahead[strspn(w.ahead, "/")]) {
		if (!walk_next(&w, next))
			return 0;
		n = next[0] ? readlinkat(c->from, next, target, sizeof(target) - 1) : -1;
		if (n >= 0) {
			target[n] = '\0';
			if (capture_link(c, next, target, e) < 0)
				return -1;
			if (!walk_follow(&w, target))
				return 0;
			continue;
		}
		snprintf(w.done, sizeof(w.done), "%s", next);
		if (w.ahead[strspn(w.ahead, "/")] && next[0]) {
			struct stat st;

			if (fstatat(c->from, next, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
			    !S_ISDIR(st.st_mode))
				return 0;
			if (capture_dir(c, next, e) < 0)
				return -1;
		}
	}
	return w.done[0] ? capture_end(c, w.done, list, e) : 0;
}

int capture_write(struct capture *c, const char *name, const char *text, size_t len, struct err *e)
{
	return capture_put(c, name, O_EXCL, text, len, e);
}

static int capture_remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	remove(path);
	return 0;
}

void capture_remove(const char *dir)
{
	nftw(dir, capture_remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
