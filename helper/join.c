/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "join.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sys.h"

#define STEP_BATCH 0xfffffffbu
#define STEP_INTERACTIVE 0xfffffffau
#define SERVE_MS 2000
#define BACKLOG 64
#define NAME_PREFIX "step-"
#define NODE_MAX 48 /* of a node's name; all must fit into sun_path */
#define NAME_SIZE (sizeof(NAME_PREFIX) + 22 + NODE_MAX)
#define PROC_NET_UNIX_MAX (16 * 1024 * 1024)

/* With the node's name: several slurmd of one host share the directory. */
static void name_of(const char *node, uint32_t job, uint32_t step, char *buf, size_t size)
{
	snprintf(buf, size, NAME_PREFIX "%u.%u@%.*s", job, step, NODE_MAX, node ? node : "");
	for (char *c = buf; *c; c++)
		if (*c == '/')
			*c = '_';
}

int join_listen(int state, const struct request *r, struct err *e)
{
	char name[NAME_SIZE];
	int s;

	name_of(r->node, r->job_id, r->step_id, name, sizeof(name));
	/* instead of a name that a killed helper left behind: step ids of a job are used once */
	s = sys_listen_at(state, name, SOCK_NONBLOCK, BACKLOG);
	if (s < 0)
		err_sys(e, errno, "cannot listen in the state directory");
	return s;
}

void join_unlisten(int state, const struct request *r)
{
	char name[NAME_SIZE];

	name_of(r->node, r->job_id, r->step_id, name, sizeof(name));
	unlinkat(state, name, 0);
}

/* Is a path that ends in /name among those of the bound sockets (the ends of the lines of text)? */
static bool is_bound(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = text; (p = strstr(p, name)); p += n)
		if (p > text && p[-1] == '/' && p[n] == '\n')
			return true;
	return false;
}

static char *bound_sockets(void)
{
	size_t len;

	return sys_read_at(AT_FDCWD, "/proc/net/unix", PROC_NET_UNIX_MAX, &len);
}

void join_sweep(int state)
{
	int fd = openat(state, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	char *text = NULL;
	struct dirent *ent;

	if (!d)
		sys_close(&fd);
	while (d && (ent = readdir(d))) {
		if (strncmp(ent->d_name, NAME_PREFIX, strlen(NAME_PREFIX)) != 0 ||
		    (text && is_bound(text, ent->d_name)))
			continue;
		/* a name may be newer than the text: only one that is read after it counts */
		free(text);
		text = bound_sockets();
		if (text && !is_bound(text, ent->d_name))
			unlinkat(state, ent->d_name, 0);
	}
	free(text);
	if (d)
		closedir(d);
}

void join_serve(int listen_fd, uid_t uid, const struct container *c, const struct joined *j)
{
	char *buf = malloc(REQUEST_PACKET_MAX), want[16], *text = NULL;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct sockaddr_un from;
	socklen_t from_len = sizeof(from);
	int s = accept4(listen_fd, (struct sockaddr *)&from, &from_len, SOCK_CLOEXEC);
	unsigned nfds = 0;
	ssize_t n;

	if (s < 0 || !buf || getsockopt(s, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    peer.uid != 0)
		goto done;
	n = msg_recv(s, buf, REQUEST_PACKET_MAX, NULL, &nfds, NULL, SERVE_MS);
	snprintf(want, sizeof(want), "%u", uid);
	if (n <= 0 || plain_decode(buf, (size_t)n, MSG_JOIN, &text, NULL) < 0 || !text ||
	    strcmp(text, want) != 0 || !(c->ns & NS_MNT))
		goto done;
	n = joined_encode(buf, REQUEST_PACKET_MAX, j);
	if (n > 0)
		(void)msg_send(s, buf, (size_t)n, c->fd, (unsigned)__builtin_popcount(c->ns));
done:
	free(text);
	free(buf);
	sys_close(&s);
}

static int parse_number(const char **p, uint32_t *ret)
{
	char *end;
	unsigned long v;

	if (**p < '0' || **p > '9')
		return -1;
	errno = 0;
	v = strtoul(*p, &end, 10);
	if (errno || v > 0xfffffff0ul)
		return -1;
	*p = end;
	*ret = (uint32_t)v;
	return 0;
}

int join_parse(const char *text, uint32_t job, uint32_t *ret_job, uint32_t *ret_step, struct err *e)
{
	const char *p = text, *dot = strchr(text, '.');

	*ret_job = job;
	if (dot && (parse_number(&p, ret_job) < 0 || p != dot))
		goto bad;
	p = dot ? dot + 1 : text;
	if (!strcmp(p, "batch"))
		*ret_step = STEP_BATCH;
	else if (!strcmp(p, "interactive"))
		*ret_step = STEP_INTERACTIVE;
	else if (parse_number(&p, ret_step) < 0 || *p)
		goto bad;
	return 0;
bad:
	return err_set(e, "--container-join=%.80s: expected a step such as 1234.0, 0 or 1234.batch",
		       text);
}

int join_ask(int state, const struct request *r, int timeout_ms, struct container *ret,
	     struct joined *ret_env, struct err *e)
{
	uint32_t job = 0, step = 0;
	char uid[16], name[NAME_SIZE], *buf = NULL;
	int fds[REQUEST_FDS_MAX] = { -1 }, s = -1, rc = -1;
	unsigned nfds = CONTAINER_NS_MAX;
	struct joined j = { 0 };
	ssize_t n;

	if (join_parse(r->join, r->job_id, &job, &step, e) < 0)
		return -1;
	name_of(r->node, job, step, name, sizeof(name));
	s = sys_connect_at(state, name, timeout_ms);
	buf = malloc(REQUEST_PACKET_MAX);
	snprintf(uid, sizeof(uid), "%u", r->uid);
	if (s < 0 || !buf)
		goto absent;
	n = plain_encode(buf, REQUEST_PACKET_MAX, MSG_JOIN, uid);
	if (n < 0 || msg_send(s, buf, (size_t)n, NULL, 0) < 0)
		goto absent;
	n = msg_recv(s, buf, REQUEST_PACKET_MAX, fds, &nfds, NULL, timeout_ms);
	if (n <= 0)
		goto absent;
	if (joined_decode(buf, (size_t)n, &j, NULL) < 0 ||
	    (unsigned)__builtin_popcount(j.ns) != nfds) {
		joined_done(&j);
		while (nfds > 0)
			close(fds[--nfds]);
		goto absent;
	}
	*ret = CONTAINER_NONE;
	ret->ns = j.ns;
	for (unsigned i = 0; i < nfds; i++)
		ret->fd[i] = fds[i];
	ret->cwd = strdup(r->workdir ? r->workdir : j.cwd);
	*ret_env = j;
	rc = ret->cwd ? 0 : err_set(e, "out of memory");
	goto done;
absent:
	err_set(e,
		"--container-join=%.80s: no running step of yours with a container has that name on "
		"this node",
		r->join);
done:
	sys_close(&s);
	free(buf);
	return rc;
}
