/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "notes.h"

static sysfs_watch_fn *sysfs_watcher;
static void *sysfs_watcher_arg;

void sysfs_watch(sysfs_watch_fn *fn, void *arg)
{
	sysfs_watcher = fn;
	sysfs_watcher_arg = arg;
}

static void sysfs_tell(const char *path, bool list)
{
	int before = errno; /* of an open that failed */

	if (sysfs_watcher)
		sysfs_watcher(sysfs_watcher_arg, path, list);
	errno = before;
}

int sysfs_open(struct sysfs *s, const char *top, struct hwmap_notes *notes, struct err *e)
{
	const char *path = top ? top : "/sys";

	s->notes = notes;
	s->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->root < 0)
		return err_sys(e, errno, "%s", path);
	return 0;
}

void sysfs_close(struct sysfs *s)
{
	if (s->root >= 0)
		close(s->root);
	s->root = -1;
}

int sysfs_name(char *ret, size_t size, const char *text)
{
	size_t len = strlen(text);
	char copy[HWMAP_NAME_MAX];

	if (len == 0 || len >= size || len >= sizeof(copy) || strchr(text, '/') ||
	    strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return -1;
	memcpy(copy, text, len + 1);
	err_clean(copy, len);
	if (strcmp(copy, text) != 0)
		return -1;
	memcpy(ret, copy, len + 1);
	return 0;
}

int sysfs_compare(const char *a, const char *b)
{
	int order = strverscmp(a, b);

	return order ? order : strcmp(a, b);
}

static int sysfs_order(const void *a, const void *b)
{
	return sysfs_compare(a, b);
}

static int sysfs_openat(const struct sysfs *s, const char *path, int flags)
{
	errno = ENOENT;
	return s->root < 0 ? -1 : openat(s->root, path, O_RDONLY | O_CLOEXEC | flags);
}

/* Room for one more of n names; NULL when memory is out. */
static char *sysfs_room(struct sysfs_names *l)
{
	if ((l->n & (l->n - 1)) == 0) { /* 0 or a power of two: full */
		void *more = realloc(l->names, (l->n ? 2 * l->n : 1) * sizeof(*l->names));

		if (!more)
			return NULL;
		l->names = more;
	}
	return l->names[l->n];
}

void sysfs_list(const struct sysfs *s, struct sysfs_names *ret, const char *path)
{
	int fd = sysfs_openat(s, path, O_DIRECTORY);
	char quoted[ERR_QUOTE_MAX];
	const struct dirent *d;
	char *room;
	DIR *dir;

	sysfs_tell(path, true);
	ret->names = NULL;
	ret->n = 0;
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (errno != ENOENT)
			notes_add(s->notes, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return;
	}
	for (;;) {
		errno = 0;
		d = readdir(dir);
		if (!d)
			break;
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		room = ret->n < SYSFS_ENTRIES_MAX ? sysfs_room(ret) : NULL;
		if (!room) {
			notes_add(s->notes, "%s: more than %zu entries", path, ret->n);
			break;
		}
		if (sysfs_name(room, HWMAP_NAME_MAX, d->d_name) == 0)
			ret->n++;
		else
			notes_add(s->notes, "%s: not a kernel's name: %s", path,
				  err_quote(quoted, d->d_name, strlen(d->d_name)));
	}
	if (errno)
		notes_add(s->notes, "%s: %s", path, strerror(errno));
	closedir(dir);
	if (ret->n)
		qsort(ret->names, ret->n, sizeof(*ret->names), sysfs_order);
}

__attribute__((format(printf, 2, 0))) static int sysfs_path(char path[PATH_MAX], const char *fmt,
							    va_list ap)
{
	int n = vsnprintf(path, PATH_MAX, fmt, ap);

	if (n < 0 || n >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

/* What is in the file, up to size - 1 bytes and the NUL; the count, or -1. */
static ssize_t sysfs_bytes(const struct sysfs *s, const char *path, char *buf, size_t size)
{
	/* O_NONBLOCK: a FIFO in a tree that someone made up must not hold us */
	int fd = sysfs_openat(s, path, O_NONBLOCK | O_NOCTTY), failed;
	ssize_t n;

	sysfs_tell(path, false);
	if (fd < 0)
		return -1;
	n = read(fd, buf, size - 1);
	failed = errno;
	close(fd);
	errno = failed;
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

static int sysfs_vtext(const struct sysfs *s, char *buf, size_t size, const char *path)
{
	ssize_t n = sysfs_bytes(s, path, buf, size);
	size_t len;

	if (n < 0) {
		buf[0] = '\0';
		return -1;
	}
	len = strcspn(buf, "\n");
	if (len == size - 1) {
		buf[0] = '\0';
		errno = ENAMETOOLONG;
		return -1;
	}
	if (len < (size_t)n && buf[len] == '\0') { /* a NUL in the line */
		buf[0] = '\0';
		errno = EILSEQ;
		return -1;
	}
	while (len > 0 && (buf[len - 1] == ' ' || buf[len - 1] == '\t' || buf[len - 1] == '\r'))
		len--;
	buf[len] = '\0';
	err_clean(buf, len);
	return (int)len;
}

int sysfs_text(const struct sysfs *s, char *buf, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;
	int rc;

	buf[0] = '\0';
	va_start(ap, fmt);
	rc = sysfs_path(path, fmt, ap);
	va_end(ap);
	return rc < 0 ? -1 : sysfs_vtext(s, buf, size, path);
}

int sysfs_number(const struct sysfs *s, int64_t *ret, const char *fmt, ...)
{
	char path[PATH_MAX], text[64], *end;
	long long value;
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = sysfs_path(path, fmt, ap);
	va_end(ap);
	if (rc < 0 || sysfs_vtext(s, text, sizeof(text), path) < 0)
		return -1;
	errno = 0;
	/* not base 0, which takes a leading 0 for octal */
	value = strtoll(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
	if (errno || end == text || (*end && *end != ' ' && *end != ':')) {
		errno = EINVAL;
		return -1;
	}
	*ret = value;
	return 0;
}

int sysfs_link(const struct sysfs *s, char *buf, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;
	ssize_t n;
	int rc;

	buf[0] = '\0';
	va_start(ap, fmt);
	rc = sysfs_path(path, fmt, ap);
	va_end(ap);
	if (rc < 0)
		return -1;
	sysfs_tell(path, false);
	n = -1;
	errno = ENOENT;
	if (s->root >= 0)
		n = readlinkat(s->root, path, buf, size);
	if (n < 0 || (size_t)n >= size) {
		if (n >= 0)
			errno = ENAMETOOLONG;
		buf[0] = '\0';
		return -1;
	}
	buf[n] = '\0';
	return (int)n;
}
