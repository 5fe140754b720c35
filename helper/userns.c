/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "sys.h"

#define ID_LAST 4294967294u /* (uid_t)-1 is no id */

/*
 * Stand in the new namespace until its maps are written; status: 0 or an errno.  Ends with
 * its parent, and holds nothing of it: the parent may be killed at any time, and what it
 * had (mounts, sockets, leases) must go with it.
 */
static void member_child(const struct ids *who, int up, int down, pid_t parent)
	__attribute__((noreturn));
static void member_child(const struct ids *who, int up, int down, pid_t parent)
{
	int *const keep[] = { &up, &down };
	struct err e = { "" };
	unsigned char status = 0;

	/* after the change of ids, which clears the signal */
	if (sys_keep_fds(keep, 2) < 0 || (who && ids_become(who, 0, &e) < 0) ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || unshare(CLONE_NEWUSER) < 0)
		status = (unsigned char)(errno > 0 && errno < 256 ? errno : EPERM);
	if (getppid() == parent && write(up, &status, 1) == 1)
		(void)!read(down, &status, 1);
	_exit(0);
}

static int write_maps(int dir, const char *uid_map, const char *gid_map)
{
	return sys_write_file(dir, "setgroups", "deny") < 0 ||
			       sys_write_file(dir, "uid_map", uid_map) < 0 ||
			       sys_write_file(dir, "gid_map", gid_map) < 0
		       ? -1
		       : 0;
}

int userns_make(const struct ids *who, const char *uid_map, const char *gid_map, int proc)
{
	int up[2] = { -1, -1 }, down[2] = { -1, -1 }, dir = -1, ns = -1, saved;
	char path[32];
	unsigned char status = EIO;
	pid_t pid = -1, self = getpid();

	if (pipe2(up, O_CLOEXEC) < 0 || pipe2(down, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		goto done;
	if (pid == 0)
		member_child(who, up[1], down[0], self);
	sys_close(&up[1]);
	if (read(up[0], &status, 1) != 1 || status) {
		errno = status;
		goto done;
	}
	snprintf(path, sizeof(path), "%d", pid);
	dir = openat(proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0 && write_maps(dir, uid_map, gid_map) == 0)
		ns = openat(dir, "ns/user", O_RDONLY | O_CLOEXEC);
done:
	saved = errno;
	sys_close(&dir);
	sys_close(&up[0]);
	sys_close(&up[1]);
	sys_close(&down[0]);
	sys_close(&down[1]);
	if (pid > 0) {
		kill(pid, SIGKILL);
		child_reap(pid);
	}
	errno = saved;
	return ns;
}

/* Lines "inside outside count": 0 is shown as id, the others as themselves. */
static void owner_map(char *buf, size_t size, unsigned id)
{
	int n = snprintf(buf, size, "0 %u 1\n", id);

	if (id > 1)
		n += snprintf(buf + n, size - (size_t)n, "1 1 %u\n", id - 1);
	if (id < ID_LAST)
		snprintf(buf + n, size - (size_t)n, "%u %u %u\n", id + 1, id + 1, ID_LAST - id);
}

int userns_show_owner(int tree, uid_t uid, gid_t gid, int proc)
{
	char uid_map[128], gid_map[128];
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
	int rc, saved, ns;

	if (uid == 0)
		return 0;
	owner_map(uid_map, sizeof(uid_map), uid);
	owner_map(gid_map, sizeof(gid_map), gid);
	ns = userns_make(NULL, uid_map, gid_map, proc);
	if (ns < 0)
		return -1;
	attr.userns_fd = (unsigned)ns;
	rc = mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr));
	saved = errno;
	close(ns);
	errno = saved;
	return rc;
}
