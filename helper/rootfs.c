/* SPDX-License-Identifier: BSD-3-Clause */
/* The helper's side of rootfs.h: start the builder, take its result. */
#define _GNU_SOURCE
#include "rootfs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "opener.h"
#include "sys.h"
#include "wire.h"

static int take_result(const void *buf, size_t len, int *fds, unsigned nfds, struct container *ret,
		       struct err *e)
{
	struct wire w = wire_reader(buf, len);
	const uint32_t ns = wire_get_u32(&w);
	const char *cwd, *note, *text = wire_get_str(&w);
	struct container c = CONTAINER_NONE;

	if (w.bad || text[0]) {
		err_set(e, "%s", w.bad ? "the builder sent nonsense" : text);
		return -1;
	}
	cwd = wire_get_str(&w);
	note = wire_get_str(&w);
	if (!wire_ended(&w) || (unsigned)__builtin_popcount(ns) != nfds || !(ns & NS_MNT))
		return err_set(e, "the builder sent nonsense");
	c.ns = ns;
	c.cwd = strdup(cwd);
	c.note = note[0] ? strdup(note) : NULL;
	if (!c.cwd || (note[0] && !c.note)) {
		container_done(&c);
		return err_set(e, "out of memory");
	}
	for (unsigned i = 0; i < nfds; i++) {
		c.fd[i] = fds[i];
		fds[i] = -1;
	}
	*ret = c;
	return 0;
}

int rootfs_start(const struct request *r, const struct config *c, const struct plan *p,
		 int image_root, int base, int timeout_ms, struct builder *ret, struct err *e)
{
	struct rootfs_task t = { r, c, p, image_root, base, -1, timeout_ms };
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "cannot make a socket");
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		t.sock = pair[1];
		rootfs_child(&t);
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return err_sys(e, errno, "cannot start a process");
	}
	*ret = (struct builder){ pid, pair[0] };
	return 0;
}

int rootfs_finish(struct builder *b, int pmix, int alive, int timeout_ms, struct container *ret,
		  struct err *e)
{
	const uint32_t go = 1;
	unsigned char buf[4 * 4096];
	int fds[REQUEST_FDS_MAX], rc = -1;
	unsigned nfds = CONTAINER_NS_MAX;
	ssize_t n;

	/* one that has failed no longer listens, but its result can still be read */
	(void)msg_send(b->sock, &go, sizeof(go), &pmix, pmix >= 0 ? 1 : 0);
	n = child_recv(b->sock, alive, buf, sizeof(buf), fds, &nfds, timeout_ms);
	if (n > 0) {
		rc = take_result(buf, (size_t)n, fds, nfds, ret, e);
		for (unsigned i = 0; i < nfds; i++)
			sys_close(&fds[i]);
	} else if (n == 0) {
		err_set(e, "the process that builds the container ended early");
	} else if (errno == ETIMEDOUT) {
		err_set(e,
			"building the container took longer than %d s: is a file system hanging?",
			timeout_ms / 1000);
	} else {
		err_sys(e, errno, "cannot hear from the process that builds the container");
	}
	rootfs_cancel(b);
	return rc;
}

void rootfs_cancel(struct builder *b)
{
	sys_close(&b->sock);
	if (b->pid > 0) {
		kill(b->pid, SIGKILL);
		waitpid(b->pid, NULL, 0);
	}
	*b = BUILDER_NONE;
}

void rootfs_pmix_path(const struct request *r, char *buf, size_t size)
{
	/* src/plugins/mpi/pmix/pmixp_info.c, the same from 22.05 to 26.05 */
	snprintf(buf, size, "%s/pmix.%u.%u", r->spool, r->job_id, r->step_id);
}

void container_done(struct container *c)
{
	for (int i = 0; i < CONTAINER_NS_MAX; i++)
		sys_close(&c->fd[i]);
	free(c->cwd);
	free(c->note);
	*c = CONTAINER_NONE;
}
