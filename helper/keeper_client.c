/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "child.h"
#include "keeper.h"
#include "keeper_wire.h"
#include "request.h"
#include "sys.h"
#include "wire.h"

#define ASK_BYTES 64
#define BACKLOG 1024
#define CONNECT_MS 5000 /* BACKLOG are waiting, so it is stopped */
#define START_MS 2000	/* the one who starts it is stopped */
#define TRIES 5		/* keepers that may go away under us before we give up */

int keeper_ask_send(int sock, const struct keeper_ask *ask, int file)
{
	unsigned char buf[ASK_BYTES];
	struct wire w = wire_writer(buf, sizeof(buf));

	wire_put_u32(&w, ask->kind);
	wire_put_u32(&w, ask->linger);
	wire_put_u64(&w, ask->offset);
	wire_put_u64(&w, ask->length);
	return msg_send(sock, buf, w.len, &file, 1);
}

int keeper_ask_recv(int sock, struct keeper_ask *ret, int *ret_file)
{
	unsigned char buf[ASK_BYTES];
	int fds[REQUEST_FDS_MAX];
	unsigned nfds = 1;
	ssize_t n = msg_recv(sock, buf, sizeof(buf), fds, &nfds, NULL, 0);
	struct wire w;

	if (n <= 0)
		return -1;
	w = wire_reader(buf, (size_t)n);
	ret->kind = wire_get_u32(&w);
	ret->linger = wire_get_u32(&w);
	ret->offset = wire_get_u64(&w);
	ret->length = wire_get_u64(&w);
	if (!wire_ended(&w) || nfds != 1) {
		while (nfds > 0)
			close(fds[--nfds]);
		return -1;
	}
	*ret_file = fds[0];
	return 0;
}

void keeper_reply(int sock, int error, int tree, bool fresh)
{
	const uint32_t reply[2] = { (uint32_t)error, fresh };

	/* a client that is gone is noticed by poll */
	(void)msg_send(sock, reply, sizeof(reply), &tree, error ? 0 : 1);
}

int keeper_reply_recv(int sock, int alive, int timeout_ms, int *ret_tree, bool *ret_fresh)
{
	uint32_t reply[2] = { 0, 0 }; /* a keeper of an older build says the first */
	int fds[REQUEST_FDS_MAX];
	unsigned nfds = 1;
	ssize_t n = child_recv(sock, alive, reply, sizeof(reply), fds, &nfds, timeout_ms);

	if (n == 0) {
		errno = ECONNRESET;
		return -1;
	}
	if (n < 0)
		return -1;
	if (n >= (ssize_t)sizeof(reply[0]) && reply[0] == 0 && nfds == 1) {
		*ret_tree = fds[0];
		*ret_fresh = reply[1] != 0;
		return 0;
	}
	while (nfds > 0)
		close(fds[--nfds]);
	return n >= (ssize_t)sizeof(reply[0]) && reply[0] ? (int)reply[0] : EPROTO;
}

static int keeper_connect(int state)
{
	return sys_connect_at(state, KEEPER_SOCKET, CONNECT_MS);
}

/* In the new process: leave everything behind but the socket and the state directory. */
static void become_keeper(int listen_fd, int state)
{
	char *const argv[] = { (char *)"berth-keeper", (char *)"--keep", NULL };
	char *const envp[] = { NULL };

	/* our session stays its own: so we take it along when we leave the job's cgroups */
	if (dup3(listen_fd, 20, 0) < 0 || dup3(state, 21, 0) < 0 || dup2(20, 3) < 0 ||
	    dup2(21, 4) < 0)
		_exit(1);
	close_range(5, ~0U, 0);
	execve("/proc/self/exe", argv, envp);
	_exit(1);
}

/* Bind the name and hand the listening socket to a new keeper; clients can connect at once. */
static int keeper_start(int state)
{
	int s = sys_listen_at(state, KEEPER_SOCKET, 0, BACKLOG);
	pid_t pid;

	if (s < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		become_keeper(s, state);
	sys_close(&s);
	/*
	 * Our child until we end, and then nobody's: nothing of it ends with us.  One that fails
	 * closes the socket with it: clients see that.
	 */
	return pid < 0 ? -1 : 0;
}

/* One helper at a time looks again and starts it; one that is stopped while it does must not stop others. */
static int connect_or_start(int state)
{
	const int64_t end = sys_now_ms() + START_MS;
	int s = keeper_connect(state), lock;

	if (s >= 0)
		return s;
	lock = openat(state, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0)
		return -1;
	while (s < 0 && flock(lock, LOCK_EX | LOCK_NB) < 0) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || sys_now_ms() >= end) {
			errno = errno == EWOULDBLOCK ? ETIMEDOUT : errno;
			sys_close(&lock);
			return -1;
		}
		(void)poll(NULL, 0, 1);
		s = keeper_connect(state);
	}
	if (s < 0)
		s = keeper_connect(state);
	if (s < 0 && keeper_start(state) == 0)
		s = keeper_connect(state);
	sys_close(&lock);
	return s;
}

/* A keeper that ended while we talked to it: there can be another. */
static bool is_gone(int error)
{
	return error == ECONNRESET || error == EPIPE || error == ECONNREFUSED;
}

int keeper_early(int state)
{
	return connect_or_start(state);
}

int keeper_ask(int state, int *sock, int file, const struct image_info *info, unsigned linger)
{
	const struct keeper_ask ask = {
		.kind = info->kind,
		.linger = linger,
		.offset = info->offset,
		.length = info->length,
	};

	if (*sock < 0)
		*sock = connect_or_start(state);
	if (*sock < 0)
		return -1;
	if (keeper_ask_send(*sock, &ask, file) < 0) {
		const int saved = errno;

		sys_close(sock);
		errno = saved;
		return is_gone(saved) ? 0 : -1;
	}
	return 0;
}

int keeper_get(int state, int *asked, int file, const struct image_info *info, unsigned linger,
	       int alive, int timeout_ms, int *ret_mount, int *ret_hold, bool *ret_fresh,
	       struct err *e)
{
	int rc = -1;

	for (int i = 0; i < TRIES; i++) {
		int tree, s;

		if (*asked < 0 && keeper_ask(state, asked, file, info, linger) < 0)
			return err_sys(e, errno,
				       "cannot start the keeper of images in the state directory");
		s = *asked;
		*asked = -1;
		if (s < 0)
			continue;
		rc = keeper_reply_recv(s, alive, timeout_ms, &tree, ret_fresh);
		if (rc == 0) {
			*ret_mount = tree;
			*ret_hold = s;
			return 0;
		}
		sys_close(&s);
		if (rc > 0 || !is_gone(errno))
			break;
	}
	if (rc == EBUSY)
		return err_set(
			e,
			"no free loop device; the administrator can raise the loop module's max_loop");
	if (rc == ENODEV || rc == ENOENT)
		return err_sys(e, rc, "this node's kernel cannot mount a %s image",
			       info->kind == IMAGE_EROFS ? "erofs" : "squashfs");
	if (rc > 0)
		return err_sys(
			e, rc,
			"the kernel refuses it as %s (damaged, or compressed in a way it lacks)",
			info->kind == IMAGE_EROFS ? "erofs" : "squashfs");
	return err_sys(e, errno, "the keeper of images did not answer");
}
