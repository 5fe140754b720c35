/* SPDX-License-Identifier: BSD-3-Clause */
/* The helper's side of rootfs.h: start the builder, take its result. */
#define _GNU_SOURCE
#include "rootfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "mountspec.h"
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

int rootfs_start(const struct request *r, const struct config *c, const struct plan *p, int base,
		 int timeout_ms, struct builder *ret, struct err *e)
{
	struct rootfs_task t = { r, c, p, base, -1, timeout_ms };
	struct builder b = BUILDER_NONE;

	b.pid = child_start(&b.sock, e);
	if (b.pid == 0) {
		t.sock = b.sock;
		rootfs_child(&t);
	}
	if (b.pid < 0)
		return -1;
	*ret = b;
	return 0;
}

static int tell(struct builder *b, const struct wire *w, const int *fds, unsigned nfds,
		struct err *e)
{
	if (w->bad)
		errno = EMSGSIZE;
	else if (msg_send(b->sock, w->p, w->len, fds, nfds) == 0 || errno == EPIPE ||
		 errno == ECONNRESET)
		return 0;
	return err_sys(e, errno, "cannot talk to the process that builds the container");
}

int rootfs_image(struct builder *b, int image_root, struct err *e)
{
	unsigned char buf[16];
	struct wire w = wire_writer(buf, sizeof(buf));

	wire_put_u32(&w, BUILD_IMAGE);
	return tell(b, &w, &image_root, 1, e);
}

int rootfs_etc(struct builder *b, const struct plan_etc *p, struct err *e)
{
	unsigned char buf[REQUEST_OPTION_MAX + 64];
	struct wire w = wire_writer(buf, sizeof(buf));
	const bool files = p->passwd && p->group;
	int fds[2] = { -1, -1 }, rc;

	wire_put_u32(&w, BUILD_ETC);
	wire_put_str(&w, p->cwd);
	if (files) {
		fds[0] = sys_memfd("passwd", p->passwd, p->passwd_len);
		fds[1] = sys_memfd("group", p->group, p->group_len);
	}
	if (files && (fds[0] < 0 || fds[1] < 0))
		rc = err_sys(e, errno, "cannot hold the container's passwd and group");
	else
		rc = tell(b, &w, fds, files ? 2 : 0, e);
	sys_close(&fds[0]);
	sys_close(&fds[1]);
	return rc;
}

/* One message of the builder; its length, or -1 with *e. */
static ssize_t hear(struct builder *b, int alive, int timeout_ms, void *buf, size_t size, int *fds,
		    unsigned *nfds, struct err *e)
{
	ssize_t n = child_recv(b->sock, alive, buf, size, fds, nfds, timeout_ms);

	if (n > 0)
		return n;
	if (n == 0)
		err_set(e, "the process that builds the container ended early");
	else if (errno == ETIMEDOUT)
		err_set(e,
			"building the container took longer than %d s: is a file system hanging?",
			timeout_ms / 1000);
	else
		err_sys(e, errno, "cannot hear from the process that builds the container");
	return -1;
}

int rootfs_result(struct builder *b, int alive, int timeout_ms, struct container *ret,
		  struct err *e)
{
	unsigned char buf[4 * 4096];
	int fds[REQUEST_FDS_MAX], rc;
	unsigned nfds = CONTAINER_NS_MAX;
	ssize_t n = hear(b, alive, timeout_ms, buf, sizeof(buf), fds, &nfds, e);

	if (n < 0)
		return -1;
	rc = take_result(buf, (size_t)n, fds, nfds, ret, e);
	for (unsigned i = 0; i < nfds; i++)
		sys_close(&fds[i]);
	return rc;
}

int rootfs_add_pmix(struct builder *b, const int trees[ROOTFS_PMIX], int alive, int timeout_ms,
		    struct err *e)
{
	uint32_t which = 0; /* bit i: trees[i] comes with it */
	unsigned char buf[ERR_TEXT_MAX + 16];
	int fds[REQUEST_FDS_MAX];
	unsigned nfds = 0;
	struct wire w;
	const char *text;
	ssize_t n;

	for (int i = 0; i < ROOTFS_PMIX; i++)
		if (trees[i] >= 0) {
			which |= 1u << i;
			fds[nfds++] = trees[i];
		}
	if (nfds == 0)
		return 0;
	w = wire_writer(buf, sizeof(buf));
	wire_put_u32(&w, BUILD_PMIX);
	wire_put_u32(&w, which);
	if (tell(b, &w, fds, nfds, e) < 0)
		return -1;
	nfds = 0;
	n = hear(b, alive, timeout_ms, buf, sizeof(buf), NULL, &nfds, e);
	if (n < 0)
		return -1;
	w = wire_reader(buf, (size_t)n);
	text = wire_get_str(&w);
	if (!wire_ended(&w))
		return err_set(e, "the builder sent nonsense");
	return text[0] ? err_set(e, "%s", text) : 0;
}

void rootfs_cancel(struct builder *b)
{
	child_stop(b->pid, &b->sock);
	*b = BUILDER_NONE;
}

bool rootfs_pmix_path(const struct request *r, const struct config *c, int i, char *buf,
		      size_t size)
{
	int n;

	if (!c->pmix || r->script || !(i == 0 ? r->spool : r->tmp_fs))
		return false;
	/* src/plugins/mpi/pmix/pmixp_info.c, the same from 22.05 to 26.05 */
	if (i == 0)
		n = snprintf(buf, size, "%s/pmix.%u.%u", r->spool, r->job_id, r->step_id);
	else
		n = snprintf(buf, size, "%s/spmix_appdir_%u_%u.%u", r->tmp_fs, r->uid, r->job_id,
			     r->step_id);
	return n > 0 && (size_t)n < size && !(c->mount_tmp && path_within(buf, "/tmp"));
}

void container_done(struct container *c)
{
	for (int i = 0; i < CONTAINER_NS_MAX; i++)
		sys_close(&c->fd[i]);
	free(c->cwd);
	free(c->note);
	*c = CONTAINER_NONE;
}
