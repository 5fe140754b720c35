/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "hostroot.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "child.h"
#include "devview.h"
#include "sys.h"

/* Directories with nodes of devices that are granted one by one. */
static const char *const hidden[] = { DEVVIEW_DIR, "/dev/vfio" };

static int hide(const char *dir, struct err *e)
{
	static const char *const options[] = { "mode", "0755", "size", "4k", NULL };
	int at = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int mnt = -1, rc = 0;

	if (at < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "cannot open %s", dir);
	mnt = sys_new_fs("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY,
			 options);
	if (mnt < 0 || sys_attach(mnt, at) < 0)
		rc = err_sys(e, errno, "cannot hide the node's %s", dir);
	sys_close(&mnt);
	sys_close(&at);
	return rc;
}

static int build(int base, struct err *e)
{
	if (base >= 0 && setns(base, CLONE_NEWNS) < 0)
		return err_sys(e, errno, "cannot enter the job's mount namespace");
	if (access(DEVVIEW_DIR, F_OK) < 0)
		return err_set(e, "--usnic: this node has no " DEVVIEW_DIR
				  ", expected it of the NIC's "
				  "driver (ib_uverbs is loaded?)");
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_sys(e, errno, "cannot make a mount namespace");
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (hide(hidden[i], e) < 0)
			return -1;
	return 0;
}

/* Sends the namespace's descriptor, or the text of the failure. */
static void child(int sock, int base)
{
	struct err e = { "" };
	int ns = -1;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (build(base, &e) == 0) {
		ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
		if (ns < 0)
			err_sys(&e, errno, "cannot open the new mount namespace");
	}
	(void)msg_send(sock, e.text, sizeof(e.text), &ns, ns >= 0);
	_exit(0);
}

int hostroot_build(int base, int timeout_ms, struct container *ret, struct err *e)
{
	struct container c = CONTAINER_NONE;
	struct err said = { "" };
	unsigned nfds = 1;
	int sock, rc = -1;
	ssize_t n;
	pid_t pid = child_start(&sock, e);

	if (pid < 0)
		return -1;
	if (pid == 0)
		child(sock, base);
	n = msg_recv(sock, said.text, sizeof(said.text), &c.fd[0], &nfds, NULL, timeout_ms);
	if (n == (ssize_t)sizeof(said.text) && nfds == 1)
		rc = 0;
	else if (n == (ssize_t)sizeof(said.text) && said.text[0])
		err_set(e, "%s", said.text);
	else
		err_sys(e, errno, "cannot make a mount namespace for the step");
	child_stop(pid, &sock);
	if (rc < 0)
		return -1;
	c.ns = NS_MNT;
	c.cwd = strdup("/");
	if (!c.cwd) {
		container_done(&c);
		return err_set(e, "out of memory");
	}
	*ret = c;
	return 0;
}
