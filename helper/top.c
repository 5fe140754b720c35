/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "top.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys.h"

/* Next component of *path to name; false at the end or where it is not a plain name. */
static bool next_name(const char **path, char name[NAME_MAX + 1], bool *bad)
{
	size_t n;

	while (**path == '/')
		(*path)++;
	n = strcspn(*path, "/");
	if (n == 0)
		return false;
	*bad = n > NAME_MAX;
	if (*bad)
		return false;
	memcpy(name, *path, n);
	name[n] = '\0';
	*path += n;
	*bad = !strcmp(name, ".") || !strcmp(name, "..");
	return !*bad;
}

/* Open the directory name in dir, made with attr (NULL: 0755 root) if it is not there. */
static int step_into(int dir, const char *name, const struct walker_attr *attr)
{
	int fd;

	if (mkdirat(dir, name, 0755) == 0) {
		if (attr && (fchownat(dir, name, attr->uid, attr->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
			     fchmodat(dir, name, attr->mode & 01777, 0) < 0))
			return -1;
	} else if (errno != EEXIST) {
		return -1;
	}
	fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd;
}

/* Descend to place; with leaf_file the last component is an empty file. The last directory's fd. */
static int descend(int top, const struct walker_place *place, bool leaf_file, struct err *e)
{
	const char *p = place->path;
	char name[NAME_MAX + 1];
	unsigned i = 0;
	bool bad = false;
	int fd, dir = fcntl(top, F_DUPFD_CLOEXEC, 0);

	while (dir >= 0 && next_name(&p, name, &bad)) {
		const struct walker_attr *attr = i < place->depth ? &place->attr[i] : NULL;

		i++;
		if (leaf_file && (*p == '\0' || p[strspn(p, "/")] == '\0')) {
			fd = openat(dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
			if (fd < 0)
				break;
			close(fd);
			return dir;
		}
		fd = step_into(dir, name, attr);
		close(dir);
		dir = fd;
	}
	if (bad || dir < 0 || leaf_file) {
		err_sys(e, bad ? EINVAL : errno, "cannot make the mount point %.200s", place->path);
		sys_close(&dir);
		return -1;
	}
	return dir;
}

int top_place(int top, const struct walker_place *place, bool dir, struct err *e)
{
	int fd = descend(top, place, !dir, e);

	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

int top_file(int top, const struct walker_place *place, const char *name, const char *text,
	     size_t len, struct err *e)
{
	int rc, fd, dir = descend(top, place, false, e);

	if (dir < 0)
		return -1;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	rc = fd < 0 ? -1 : sys_write_all(fd, text, len);
	if (rc < 0)
		err_sys(e, errno, "cannot write the container's %.200s/%s", place->path, name);
	sys_close(&fd);
	close(dir);
	return rc;
}

int top_link(int top, const struct walker_place *place, const char *name, const char *target,
	     struct err *e)
{
	int rc, dir = descend(top, place, false, e);

	if (dir < 0)
		return -1;
	rc = symlinkat(target, dir, name);
	if (rc < 0)
		err_sys(e, errno, "cannot make the container's %.200s/%s", place->path, name);
	close(dir);
	return rc;
}
