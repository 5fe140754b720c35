/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "dev.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "devview.h"
#include "sys.h"

struct node {
	const char *name;
	unsigned major, minor;
};

/* Documentation/admin-guide/devices.txt of the kernel */
static const struct node nodes[] = {
	{ "null", 1, 3 },    { "zero", 1, 5 }, { "full", 1, 7 }, { "random", 1, 8 },
	{ "urandom", 1, 9 }, { "tty", 5, 0 },  { "ptmx", 5, 2 },
};

static const char *const links[][2] = {
	{ "/proc/self/fd", "fd" },
	{ "/proc/self/fd/0", "stdin" },
	{ "/proc/self/fd/1", "stdout" },
	{ "/proc/self/fd/2", "stderr" },
};

static int node_make(int dir, const char *name, mode_t mode, dev_t rdev)
{
	/* the umask is 0: see main.c */
	return mknodat(dir, name, mode, rdev);
}

static int fill(int dev, struct err *e)
{
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		if (node_make(dev, nodes[i].name, S_IFCHR | 0666,
			      makedev(nodes[i].major, nodes[i].minor)) < 0)
			return err_sys(e, errno, "cannot make /dev/%s", nodes[i].name);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlinkat(links[i][0], dev, links[i][1]) < 0)
			return err_sys(e, errno, "cannot make /dev/%s", links[i][1]);
	if (mkdirat(dev, "pts", 0755) < 0 || mkdirat(dev, "shm", 01777) < 0)
		return err_sys(e, errno, "cannot make /dev/pts and /dev/shm");
	return 0;
}

int dev_add(int dev, const char *path, const struct stat *st, struct err *e)
{
	char name[256];
	const char *p = path + strlen("/dev");
	int dir = fcntl(dev, F_DUPFD_CLOEXEC, 0), rc = -1;

	while (dir >= 0) {
		size_t n;
		int next;

		while (*p == '/')
			p++;
		n = strcspn(p, "/");
		if (n == 0 || n >= sizeof(name))
			break;
		memcpy(name, p, n);
		name[n] = '\0';
		p += n;
		if (*p == '\0') {
			if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
				break;
			if (node_make(dir, name, (st->st_mode & S_IFMT) | (st->st_mode & 0666),
				      st->st_rdev) == 0 &&
			    fchownat(dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) == 0)
				rc = 0;
			break;
		}
		if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
			break;
		next = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(dir);
		dir = next;
	}
	if (rc < 0)
		err_sys(e, errno, "cannot make the device %.200s", path);
	sys_close(&dir);
	return rc;
}

int dev_make(const struct config *c, bool usnic, struct err *e)
{
	static const char *const options[] = { "mode",	    "0755", "size", "1m",
					       "nr_inodes", "4096", NULL };
	int dev = sys_new_fs("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, options);

	if (dev < 0)
		return err_sys(e, errno, "cannot make the container's /dev");
	if (fill(dev, e) < 0)
		goto fail;
	if (usnic && mkdirat(dev, &DEVVIEW_DIR[strlen("/dev/")], 0755) < 0) {
		err_sys(e, errno, "cannot make " DEVVIEW_DIR);
		goto fail;
	}
	for (size_t i = 0; i < c->devices.n; i++) {
		const char *path = c->devices.v[i];
		struct stat st;

		/* a device that this node lacks is left out: one list serves all nodes */
		if (strncmp(path, "/dev/", 5) != 0 || stat(path, &st) < 0)
			continue;
		if ((S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) && dev_add(dev, path, &st, e) < 0)
			goto fail;
	}
	return dev;
fail:
	close(dev);
	return -1;
}
