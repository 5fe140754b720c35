/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "step.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices.h"
#include "join.h"
#include "step_impl.h"
#include "survivors.h"
#include "sys.h"
#include "usnic.h"
#include "usnicmap.h"

#define REQUEST_MS 30000 /* slurmstepd sends its request at once */

int step_timeout_ms(const struct step *s)
{
	return (int)s->c.timeout * 1000;
}

/* ---- the state directory ---- */

int step_open_state(struct step *s)
{
	struct stat st;
	const char *dir = s->c.state_dir;

	if (config_check_state(&s->c, &s->e) < 0)
		return -1;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(&s->e, errno, "cannot make the state directory %s", dir);
	s->state = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->state < 0 || fstat(s->state, &st) < 0)
		return err_sys(&s->e, errno, "the state directory %s", dir);
	if (st.st_uid != 0 || (st.st_mode & 077))
		return err_set(
			&s->e,
			"the state directory %s: is owned by uid %u with mode %04o, expected "
			"root and 0700",
			dir, st.st_uid, st.st_mode & 07777);
	return 0;
}

/* One message of the main socket. false: it is over. */
static bool on_message(struct step *s, char *buf)
{
	int fds[REQUEST_FDS_MAX];
	unsigned nfds = 2;
	pid_t pid = 0;
	int none = -1;
	ssize_t n = msg_recv(s->main, buf, REQUEST_PACKET_MAX, fds, &nfds, &pid, 0);

	if (n <= 0)
		return n < 0 && errno != ECONNRESET;
	switch (msg_type(buf, (size_t)n)) {
	case MSG_CWD: step_build_on_cwd(s, buf, (size_t)n); break;
	case MSG_JOIN: step_tasks_on_join(s, buf, (size_t)n, fds, nfds); break;
	case MSG_RANK: step_tasks_on_rank(s, buf, (size_t)n); break;
	case MSG_READY: step_tasks_on_ready(s, buf, (size_t)n, pid, nfds ? &fds[0] : &none); break;
	case MSG_DRAIN: step_tasks_on_drain(s); break;
	case MSG_BYE: s->bye = true; break;
	default: break;
	}
	for (unsigned i = 0; i < nfds; i++)
		sys_close(&fds[i]);
	return !s->bye;
}

static void serve(struct step *s, char *buf)
{
	for (;;) {
		struct pollfd p[4] = {
			{ s->main, POLLIN, 0 },
			{ s->alive, POLLIN, 0 },
			{ s->join_fd, POLLIN, 0 },
			{ s->warmed ? -1 : s->builder.sock, POLLIN, 0 }, /* its result */
		};

		if (poll(p, 4, s->usnic && !s->e.text[0] ? usnic_due_ms(s->usnic) : -1) < 0) {
			if (errno == EINTR)
				continue;
			return;
		}
		step_tasks_retry(s);
		if (p[0].revents) {
			if (!on_message(s, buf))
				return;
		} else if (p[1].revents) {
			return; /* slurmstepd is dead, and nothing is left to read */
		}
		if (p[3].revents)
			step_build_warm(s);
		if (p[2].revents)
			join_serve(s->join_fd, s->r.uid, &s->container, &s->joined);
	}
}

/* ---- beginning and end ---- */

static int take_request(struct step *s, char *buf)
{
	const int on = 1;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int fds[REQUEST_FDS_MAX];
	unsigned nfds = 1; /* the board */
	ssize_t n;

	if (setsockopt(s->main, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
	    getsockopt(s->main, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != 0)
		return -1;
	s->stepd = peer.pid;
	s->alive = pidfd_open(peer.pid, 0);
	if (s->alive < 0)
		return -1;
	n = msg_recv(s->main, buf, REQUEST_PACKET_MAX, fds, &nfds, NULL, REQUEST_MS);
	if (n <= 0)
		return -1;
	s->board = nfds ? fds[0] : -1;
	if (request_decode(buf, (size_t)n, &s->r, &s->e) < 0)
		return err_set(&s->e, "the plugin and the helper do not understand each other");
	return 0;
}

static void finish(struct step *s)
{
	if (!s->bye && !s->r.join && (s->container.ns & NS_MNT))
		survivors_kill(s->container.fd[0], s->step_cgroup);
	if (s->join_fd >= 0)
		join_unlisten(s->state, &s->r);
	if (s->state >= 0)
		join_sweep(s->state);
	sys_close(&s->join_fd);
	sys_close(&s->board);
	for (uint32_t i = 0; s->ready_reply && i < s->r.ntasks; i++)
		sys_close(&s->ready_reply[i]);
	free(s->ready_reply);
	usnic_end(s->usnic);
	devices_close(s->rules);
	container_done(&s->container);
	s->joined.cwd = s->joined.note = NULL;
	if (s->joined_own)
		joined_done(&s->joined);
	step_build_drop(s);
	sys_close(&s->step_cgroup);
	sys_close(&s->state);
	free(s->cwd);
	config_done(&s->c);
	request_done(&s->r);
}

int step_prepare(char *const *args, size_t n)
{
	struct step *s = calloc(1, sizeof(*s));
	int rc = 1;

	if (!s)
		return 1;
	s->state = -1;
	if (config_init(&s->c) == 0 && config_parse(&s->c, args, n, &s->e) == 0 &&
	    step_open_state(s) == 0) {
		join_sweep(s->state);
		rc = usnicmap_prepare(&s->c, s->state, &s->e) < 0;
	}
	if (s->e.text[0])
		fprintf(stderr, "berth-helper: %s\n", s->e.text);
	sys_close(&s->state);
	config_done(&s->c);
	free(s);
	return rc;
}

int step_main(int main_fd)
{
	struct step *s = calloc(1, sizeof(*s));
	char *buf = malloc(REQUEST_PACKET_MAX);

	if (!s || !buf) {
		free(s);
		free(buf);
		return 1;
	}
	s->main = main_fd;
	s->board = -1;
	s->alive = s->state = s->image_root = s->hold = s->keeper = -1;
	s->join_fd = s->step_cgroup = -1;
	s->opener = OPENER_NONE;
	s->builder = BUILDER_NONE;
	s->fuse = FUSE_SERVER_NONE;
	s->container = CONTAINER_NONE;
	plan_init(&s->plan);
	if (config_init(&s->c) == 0 && take_request(s, buf) == 0) {
		(void)step_build_prepare(s);
		serve(s, buf);
	} else if (s->e.text[0]) {
		serve(s, buf);
	}
	finish(s);
	free(buf);
	free(s);
	return 0;
}
