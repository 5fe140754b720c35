/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The socket half of request.h.  The bytes are not looked at here.
 */
#define _GNU_SOURCE 1
#include "request.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* A peer that reads nothing for so long is dead or hostile: nobody waits longer for it. */
#define MSG_SEND_TIMEOUT_MS 5000

#define MSG_FDS_SPACE CMSG_SPACE(REQUEST_FDS_MAX * sizeof(int))

union control {
	char buf[MSG_FDS_SPACE + CMSG_SPACE(sizeof(struct ucred))];
	struct cmsghdr align;
};

/* Milliseconds of the monotonic clock: a step must not fail because the date was set. */
static int64_t msg_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* When timeout_ms is over; -1 for never. */
static int64_t msg_deadline(int timeout_ms)
{
	return timeout_ms < 0 ? -1 : msg_now() + timeout_ms;
}

/* Wait for events on sock.  0, or -1 with errno (ETIMEDOUT). */
static int msg_wait(int sock, short events, int64_t deadline)
{
	for (;;) {
		struct pollfd p = { .fd = sock, .events = events };
		int64_t left = deadline < 0 ? -1 : deadline - msg_now();
		int n;

		if (deadline >= 0 && left < 0)
			left = 0;
		n = poll(&p, 1, (int)(left > INT_MAX ? INT_MAX : left));
		if (n > 0 && (p.revents & POLLNVAL)) {
			errno = EBADF;
			return -1;
		}
		if (n > 0) /* POLLERR and POLLHUP as well: the next call says what it is */
			return 0;
		if (n < 0 && errno != EINTR)
			return -1;
		if (deadline >= 0 && msg_now() >= deadline) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
}

static void msg_put_fds(struct msghdr *m, union control *c, const int *fds, unsigned nfds)
{
	struct cmsghdr *h;

	memset(c, 0, sizeof(*c));
	m->msg_control = c->buf;
	m->msg_controllen = CMSG_SPACE(nfds * sizeof(int));
	h = CMSG_FIRSTHDR(m);
	if (!h)
		return; /* cannot be: the buffer has room for one */
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(nfds * sizeof(int));
	memcpy(CMSG_DATA(h), fds, nfds * sizeof(int));
}

int msg_send(int sock, const void *buf, size_t len, const int *fds, unsigned nfds)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)buf, .iov_len = len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	int64_t deadline = msg_deadline(MSG_SEND_TIMEOUT_MS);
	union control c;
	ssize_t n;

	/* an empty packet would look like the end of file to the receiver */
	if (len == 0 || len > REQUEST_PACKET_MAX || nfds > REQUEST_FDS_MAX || (nfds && !fds)) {
		errno = EINVAL;
		return -1;
	}
	if (nfds)
		msg_put_fds(&m, &c, fds, nfds);
	for (;;) {
		n = sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			break;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return -1;
		if (msg_wait(sock, POLLOUT, deadline) < 0)
			return -1;
	}
	if ((size_t)n != len) { /* not on SOCK_SEQPACKET */
		errno = EPROTO;
		return -1;
	}
	return 0;
}

struct received {
	int fds[REQUEST_FDS_MAX];
	unsigned nfds;
	pid_t pid;
	bool bad; /* something that nobody asked for */
};

/* Gather what came beside the bytes.  Every descriptor ends up in r->fds or closed. */
static void msg_take_control(struct msghdr *m, struct received *r)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		struct ucred cred;

		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_CREDENTIALS &&
		    h->cmsg_len == CMSG_LEN(sizeof(cred))) {
			memcpy(&cred, CMSG_DATA(h), sizeof(cred));
			r->pid = cred.pid;
			continue;
		}
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) {
			r->bad = true;
			continue;
		}
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof(fd), sizeof(fd));
			if (r->nfds < REQUEST_FDS_MAX) {
				r->fds[r->nfds++] = fd;
			} else {
				close(fd);
				r->bad = true;
			}
		}
	}
}

static void msg_close_fds(struct received *r)
{
	int saved = errno;

	while (r->nfds)
		close(r->fds[--r->nfds]);
	errno = saved;
}

/* recvmsg with flags that waits; the message's own flags are left in *m. */
static ssize_t msg_wait_recv(int sock, struct msghdr *m, int flags, int timeout_ms)
{
	int64_t deadline = msg_deadline(timeout_ms);
	size_t controllen = m->msg_controllen;
	bool reset = false;

	for (;;) {
		ssize_t n;

		m->msg_controllen = controllen;
		n = recvmsg(sock, m, flags | MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (n >= 0 || errno == ENOTCONN)
			return n;
		/*
		 * The peer closed with mail of ours unread.  The kernel says so once,
		 * before it hands out what the peer sent earlier: ask again.
		 */
		if (errno == ECONNRESET && !reset) {
			reset = true;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return -1;
		if (msg_wait(sock, POLLIN, deadline) < 0)
			return -1;
	}
}

static ssize_t msg_get(int sock, int flags, void *buf, size_t size, int *fds, unsigned *nfds,
		       pid_t *pid, int timeout_ms)
{
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	union control c;
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = c.buf,
			    .msg_controllen = sizeof(c.buf) };
	struct received r = { .nfds = 0 };
	unsigned wanted = fds && nfds ? *nfds : 0;
	ssize_t n = msg_wait_recv(sock, &m, flags, timeout_ms);
	int why = 0;

	if (n < 0)
		return -1;
	msg_take_control(&m, &r);
	if (m.msg_flags & MSG_TRUNC)
		why = EMSGSIZE;
	else if ((m.msg_flags & MSG_CTRUNC) || r.bad || r.nfds > wanted || (n == 0 && r.nfds))
		why = EPROTO;
	if (why) {
		msg_close_fds(&r);
		errno = why;
		return -1;
	}
	for (unsigned i = 0; i < r.nfds; i++)
		fds[i] = r.fds[i];
	if (nfds)
		*nfds = r.nfds;
	if (pid)
		*pid = r.pid;
	return n;
}

ssize_t msg_recv(int sock, void *buf, size_t size, int *fds, unsigned *nfds, pid_t *pid,
		 int timeout_ms)
{
	return msg_get(sock, 0, buf, size, fds, nfds, pid, timeout_ms);
}

ssize_t msg_look(int sock, void *buf, size_t size, int *fds, unsigned *nfds)
{
	return msg_get(sock, MSG_PEEK, buf, size, fds, nfds, NULL, 0);
}
