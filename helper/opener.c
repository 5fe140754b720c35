/* SPDX-License-Identifier: BSD-3-Clause */
/* The helper's side of opener.h. */
#define _GNU_SOURCE
#include "opener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "account.h"
#include "cgroups.h"
#include "child.h"
#include "envfile.h"
#include "sys.h"
#include "wire.h"

#define ETC_FILE_MAX (ACCOUNT_FILE_MAX + 64 * 1024)

int opener_start(const struct request *r, const struct config *c, int base, struct opener *ret,
		 struct err *e)
{
	struct opener o = OPENER_NONE;

	o.pid = child_start(&o.sock, e);
	if (o.pid == 0)
		opener_child(r, c, base, o.sock);
	if (o.pid < 0)
		return -1;
	*ret = o;
	return 0;
}

void opener_warm(struct opener *o)
{
	uint32_t type = OPENER_WARM;

	if (o->pid > 0)
		(void)msg_send(o->sock, &type, sizeof(type), NULL, 0);
}

void opener_stop(struct opener *o)
{
	child_stop(o->pid, &o->sock);
	*o = OPENER_NONE;
}

static int take_image(struct wire *w, int *fds, unsigned nfds, struct plan *p)
{
	struct image_info info = {
		.kind = (enum image_kind)wire_get_u32(w),
		.offset = wire_get_u64(w),
		.length = wire_get_u64(w),
	};
	uint64_t fs = wire_get_u64(w);

	if (!wire_ended(w) || nfds != 1 || p->image >= 0 || info.kind < IMAGE_SQUASHFS ||
	    info.kind > IMAGE_OCI)
		return -1;
	p->info = info;
	p->image_fs = fs;
	p->image = fds[0];
	fds[0] = -1;
	return 0;
}

static int take_bind(struct wire *w, int *fds, unsigned nfds, struct plan *p)
{
	struct plan_bind b = { .fd = -1 };
	uint32_t flags;
	const char *dst;

	b.origin = (enum origin)wire_get_u32(w);
	flags = wire_get_u32(w);
	b.tmpfs_mode = wire_get_u32(w);
	b.tmpfs_size = wire_get_u64(w);
	dst = wire_get_str(w);
	b.tmpfs = flags & BIND_TMPFS;
	b.ro = flags & BIND_RO;
	b.noexec = flags & BIND_NOEXEC;
	b.slave = flags & BIND_SLAVE;
	b.dir = flags & BIND_DIR;
	if (!wire_ended(w) || b.origin < ORIGIN_HOME || b.origin > ORIGIN_LAST || dst[0] != '/' ||
	    strlen(dst) >= 4096 || b.tmpfs_mode > 07777 || nfds != (b.tmpfs ? 0u : 1u))
		return -1;
	b.dst = strdup(dst);
	if (!b.dst)
		return -1;
	if (!b.tmpfs) {
		b.fd = fds[0];
		fds[0] = -1;
	}
	return plan_add(p, &b);
}

static int take_text(int fd, char **text, size_t *len)
{
	free(*text);
	*text = sys_read_all(fd, ETC_FILE_MAX, len);
	return *text ? 0 : -1;
}

static int take_env(struct wire *w, int *fds, unsigned nfds, struct plan *p)
{
	const char *cwd = wire_get_str(w), *note = wire_get_str(w);
	uint32_t n = wire_get_u32(w);

	if (w->bad || strlen(note) >= PLAN_NOTE_MAX || n > ENV_MAX_VARS || p->env ||
	    (nfds != 0 && nfds != 2))
		return -1;
	if (cwd[0] == '/' && !(p->etc.cwd = strdup(cwd)))
		return -1;
	memcpy(p->note, note, strlen(note) + 1);
	err_clean(p->note, strlen(p->note));
	p->env = calloc((size_t)n + 1, sizeof(*p->env));
	if (!p->env)
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		const char *v = wire_get_str(w);

		if (w->bad || !strchr(v, '=') || !(p->env[i] = strdup(v)))
			return -1;
		p->nenv = i + 1;
	}
	if (nfds == 2 && (take_text(fds[0], &p->etc.passwd, &p->etc.passwd_len) < 0 ||
			  take_text(fds[1], &p->etc.group, &p->etc.group_len) < 0))
		return -1;
	return wire_ended(w) ? 0 : -1;
}

static int take_guess(struct wire *w, struct plan *p)
{
	const char *path = wire_get_str(w);

	if (!wire_ended(w) || strlen(path) >= 4096)
		return -1;
	free(p->cwd);
	p->cwd = path[0] == '/' ? strdup(path) : NULL;
	return 0;
}

/* Messages until one of type last. */
static int take_until(struct opener *o, int alive, int timeout_ms, struct plan *p,
		      enum opener_msg last, struct err *e)
{
	char *buf = malloc(REQUEST_PACKET_MAX);
	int rc = 1;

	if (!buf)
		return err_set(e, "out of memory");
	while (rc > 0) {
		int fds[REQUEST_FDS_MAX];
		unsigned nfds = REQUEST_FDS_MAX;
		ssize_t n =
			child_recv(o->sock, alive, buf, REQUEST_PACKET_MAX, fds, &nfds, timeout_ms);
		struct wire w;
		uint32_t type;

		if (n <= 0) {
			rc = n == 0 ? err_set(e,
					      "the process that opens the user's paths ended early")
			     : errno == ETIMEDOUT
				     ? err_set(e,
					       "opening the user's paths took longer than %d s: is a "
					       "file system hanging?",
					       timeout_ms / 1000)
				     : err_sys(e, errno,
					       "cannot hear from the process that opens paths");
			break;
		}
		w = wire_reader(buf, (size_t)n);
		type = wire_get_u32(&w);
		if (type == OPENER_IMAGE)
			rc = take_image(&w, fds, nfds, p);
		else if (type == OPENER_BIND)
			rc = take_bind(&w, fds, nfds, p);
		else if (type == OPENER_ENV)
			rc = take_env(&w, fds, nfds, p);
		else if (type == OPENER_ERROR)
			rc = err_set(e, "%s", wire_get_str(&w));
		else if (type == OPENER_OPENED && type == (uint32_t)last)
			rc = take_guess(&w, p);
		else
			rc = type == (uint32_t)last ? 0 : -1;
		if (rc == 0 && type != (uint32_t)last)
			rc = 1;
		for (unsigned i = 0; i < nfds; i++)
			sys_close(&fds[i]);
		if (rc < 0)
			err_set(e, "the process that opens the user's paths sent nonsense");
	}
	free(buf);
	return rc;
}

int opener_take_image(struct opener *o, int alive, int timeout_ms, struct plan *p, struct err *e)
{
	return take_until(o, alive, timeout_ms, p, OPENER_IMAGE, e);
}

int opener_take_binds(struct opener *o, int alive, int timeout_ms, struct plan *p, struct err *e)
{
	return take_until(o, alive, timeout_ms, p, OPENER_OPENED, e);
}

int opener_give_root(struct opener *o, int root, struct err *e)
{
	const uint32_t type = OPENER_ROOT;

	return msg_send(o->sock, &type, sizeof(type), &root, 1) < 0
		       ? err_sys(e, errno, "cannot talk to the process that opens paths")
		       : 0;
}

int opener_take_env(struct opener *o, int alive, int timeout_ms, struct plan *p, struct err *e)
{
	return take_until(o, alive, timeout_ms, p, OPENER_ENV, e);
}

int opener_take_cwd(struct opener *o, const char *cwd, int alive, int timeout_ms, struct plan *p,
		    struct err *e)
{
	unsigned char buf[REQUEST_OPTION_MAX + 64];
	struct wire w = wire_writer(buf, sizeof(buf));

	wire_put_u32(&w, OPENER_CWD);
	wire_put_str(&w, cwd);
	if (w.bad || msg_send(o->sock, buf, w.len, NULL, 0) < 0)
		return err_sys(e, errno, "cannot talk to the process that opens paths");
	if (!p->cwd || strcmp(p->cwd, cwd) != 0) {
		plan_drop(p, ORIGIN_CWD);
		free(p->cwd);
		p->cwd = strdup(cwd);
		if (!p->cwd)
			return err_set(e, "out of memory");
	}
	return take_until(o, alive, timeout_ms, p, OPENER_DONE, e);
}
