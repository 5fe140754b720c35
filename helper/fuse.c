/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "sys.h"

/* Descriptors of the server program: 0-2 and these two, nothing else. */
#define SERVER_IMAGE_FD 3
#define SERVER_FUSE_FD 4

#define REASON_MS 200 /* that a server which lost its mount may take to end */

static const char *program(const struct config *c, const struct image_info *info)
{
	return info->kind == IMAGE_EROFS ? c->erofsfuse : c->squashfuse;
}

static int fuse_mount(int dev, const struct ids *who)
{
	char fd[16], uid[16], gid[16];
	const char *options[] = { "source",
				  "berth-image",
				  "fd",
				  fd,
				  "rootmode",
				  "40000",
				  "user_id",
				  uid,
				  "group_id",
				  gid,
				  "default_permissions",
				  NULL,
				  "ro",
				  NULL,
				  NULL };

	snprintf(fd, sizeof(fd), "%d", dev);
	snprintf(uid, sizeof(uid), "%u", who->uid);
	snprintf(gid, sizeof(gid), "%u", who->gid);
	return sys_new_fs("fuse", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
			  options);
}

/* In the child: arrange descriptors, give up root, run the program. */
static void server_child(const char *prog, const struct ids *who, const struct image_info *info,
			 int image, int dev, int errors, pid_t helper)
{
	char offset[64], source[32], target[32];
	char *argv[8] = { (char *)prog, (char *)"-f" };
	char *const envp[] = { NULL };
	const struct rlimit no_core = { 0, 0 };
	int n = 2, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct err e = { "" };
	sigset_t all;

	if (info->offset) {
		snprintf(offset, sizeof(offset), "offset=%llu", (unsigned long long)info->offset);
		argv[n++] = (char *)"-o";
		argv[n++] = offset;
	}
	snprintf(source, sizeof(source), "/proc/self/fd/%d", SERVER_IMAGE_FD);
	snprintf(target, sizeof(target), "/dev/fd/%d", SERVER_FUSE_FD);
	argv[n++] = source;
	argv[n++] = target;
	/* first out of the way of 0..4, then into place */
	image = fcntl(image, F_DUPFD_CLOEXEC, 64);
	dev = fcntl(dev, F_DUPFD_CLOEXEC, 64);
	errors = fcntl(errors, F_DUPFD_CLOEXEC, 64);
	null = fcntl(null, F_DUPFD_CLOEXEC, 64);
	if (image < 0 || dev < 0 || errors < 0 || null < 0 || dup2(null, 0) < 0 ||
	    dup2(null, 1) < 0 || dup2(errors, 2) < 0 || dup2(image, SERVER_IMAGE_FD) < 0 ||
	    dup2(dev, SERVER_FUSE_FD) < 0 || close_range(SERVER_FUSE_FD + 1, ~0U, 0) < 0)
		_exit(126);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setrlimit(RLIMIT_CORE, &no_core);
	if (chdir("/") < 0 || ids_become(who, IDS_SHIELD, &e) < 0)
		err_sys(&e, errno, "cannot become user %u", who->uid);
	else if (fuse_filter_install() < 0)
		err_sys(&e, errno, "cannot set its system call filter");
	/* after the change of ids, which clears it */
	else if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != helper)
		err_sys(&e, errno, "cannot be tied to the container helper");
	if (e.text[0]) {
		dprintf(2, "%s\n", e.text);
		_exit(126);
	}
	execve(prog, argv, envp);
	dprintf(2, "%s: %s\n", prog, strerror(errno));
	_exit(127);
}

int fuse_start(const struct config *c, const struct ids *who, const struct image_info *info,
	       int image, struct fuse_server *ret, int *ret_mount, struct err *e)
{
	const char *prog = program(c, info);
	int dev = -1, mnt = -1, pipes[2] = { -1, -1 };
	pid_t self = getpid();
	struct fuse_server s = FUSE_SERVER_NONE;

	if (access(prog, X_OK) < 0)
		return err_set(
			e,
			"it is not the site's own and this node has no %s to read it with: "
			"ask the administrator to install that program, or to place the image "
			"below a trusted= directory",
			prog);
	dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (dev < 0)
		return err_set(
			e,
			"it is not the site's own and this node has no FUSE (/dev/fuse: %s): "
			"ask the administrator to load the fuse module, or to place the image "
			"below a trusted= directory",
			strerror(errno));
	mnt = fuse_mount(dev, who);
	if (mnt < 0) {
		err_sys(e, errno, "cannot make a FUSE mount");
		goto fail;
	}
	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0) {
		err_sys(e, errno, "cannot make a pipe");
		goto fail;
	}
	s.pid = fork();
	if (s.pid == 0)
		server_child(prog, who, info, image, dev, pipes[1], self);
	s.errors = pipes[0];
	sys_close(&pipes[1]);
	if (s.pid < 0 || (s.pidfd = pidfd_open(s.pid, 0)) < 0) {
		err_sys(e, errno, "cannot start %s", prog);
		s.pid = s.pid < 0 ? 0 : s.pid;
		fuse_stop(&s);
		goto fail;
	}
	/* from here on the server alone keeps the connection alive */
	sys_close(&dev);
	*ret = s;
	*ret_mount = mnt;
	return 0;
fail:
	sys_close(&dev);
	sys_close(&mnt);
	return -1;
}

void fuse_reason(struct fuse_server *s, struct err *e)
{
	struct pollfd ended = { s->pidfd, POLLIN, 0 };
	siginfo_t info = { 0 };
	char text[256];
	ssize_t n;

	/* its connection goes a moment before it does */
	if (s->pid == 0 || poll(&ended, 1, REASON_MS) < 0 ||
	    waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
		return;
	n = read(s->errors, text, sizeof(text) - 1);
	if (n > 0) {
		text[n] = '\0';
		text[strcspn(text, "\n")] = '\0';
		err_set(e, "its FUSE server ended: %s", text);
	} else if (info.si_code == CLD_EXITED) {
		err_set(e,
			"its FUSE server ended with status %d: the image is damaged, or compressed "
			"in a way that the server lacks",
			info.si_status);
	} else {
		err_set(e, "its FUSE server was ended by signal %d", info.si_status);
	}
}

void fuse_stop(struct fuse_server *s)
{
	if (s->pid > 0) {
		kill(s->pid, SIGKILL); /* not yet reaped: the number is still its own */
		child_reap(s->pid);
	}
	sys_close(&s->pidfd);
	sys_close(&s->errors);
	*s = FUSE_SERVER_NONE;
}
