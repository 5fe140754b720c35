/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "starter.h"

#ifndef BERTH_LIBEXECDIR
#error "BERTH_LIBEXECDIR must name the directory of berth-helper"
#endif

static const char helper_path[] = BERTH_LIBEXECDIR "/berth-helper";

/* Messages without a list of variables fit in this. */
#define SMALL_PACKET (sizeof(struct msg_head) + 64 + REQUEST_OPTION_MAX)

static char helper_environment[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
static char *const helper_envp[] = { helper_environment, NULL };

int client_ended(const char *before, struct err *e)
{
	const int why = starter_error();

	return why ? err_sys(e, why, "cannot start %s", helper_path)
		   : err_set(e, "the container helper ended before %s; see slurmd's log", before);
}

int client_start(struct client *c, struct err *e)
{
	static char *const argv[] = { (char *)helper_path, NULL };
	const int on = 1;
	int pair[2], room = 2 * REQUEST_PACKET_MAX, low, rc;

	*c = CLIENT_NONE;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "cannot make a socket for the container helper");
	/* the sources of dup2 must not be among its targets */
	low = pair[1];
	pair[1] = fcntl(low, F_DUPFD_CLOEXEC, REQUEST_FD + 1);
	rc = pair[1] < 0 ? errno : 0;
	close(low);
	/* from the first message on: what is sent before the helper can ask for it has no sender */
	if (rc == 0 && setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		rc = errno;
	if (rc == 0) {
		/* a big REQUEST must fit whatever net.core.wmem_default says */
		(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
		rc = starter_start(helper_path, argv, helper_envp, pair[1], REQUEST_FD, &c->pid);
	}
	if (pair[1] >= 0)
		close(pair[1]);
	if (rc) {
		close(pair[0]);
		c->pid = 0;
		return err_sys(e, rc, "cannot start %s", helper_path);
	}
	c->sock = pair[0];
	c->parent = getpid();
	return 0;
}

int client_prepare(int ac, char **av, struct err *e)
{
	char **argv = calloc((size_t)ac + 3, sizeof(*argv));
	int rc, status;
	pid_t pid;

	if (!argv)
		return err_set(e, "out of memory");
	argv[0] = (char *)helper_path;
	argv[1] = (char *)"--prepare";
	for (int i = 0; i < ac; i++)
		argv[2 + i] = av[i];
	rc = starter_start(helper_path, argv, helper_envp, -1, -1, &pid);
	while (rc == 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	free(argv);
	rc = rc ?: starter_error();
	return rc ? err_sys(e, rc, "cannot start %s", helper_path) : 0;
}

int client_request(struct client *c, const struct request *r, struct err *e)
{
	void *buf = malloc(REQUEST_PACKET_MAX);
	ssize_t len;
	int rc = 0, board[2];

	if (!buf)
		return err_set(e, "out of memory");
	/* without a board the tasks ask */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, board) < 0)
		board[0] = board[1] = -1;
	len = request_encode(buf, REQUEST_PACKET_MAX, r);
	if (len < 0)
		rc = err_set(e, "the container options and plugstack arguments do not fit in a "
				"request to the container helper");
	else if (msg_send(c->sock, buf, (size_t)len, &board[1], board[1] >= 0) < 0)
		rc = errno == EPIPE || errno == ECONNRESET
			     ? client_ended("it took the request", e)
			     : err_sys(e, errno, "the container helper does not take the request");
	c->board = board[0];
	if (board[1] >= 0)
		close(board[1]);
	free(buf);
	return rc;
}

bool client_say(const struct client *c, enum msg_type type, const char *text)
{
	unsigned char buf[sizeof(struct msg_head) + 64];
	unsigned char *big = NULL;
	ssize_t len;
	int rc = -1;

	if (c->sock < 0)
		return false;
	if (text)
		big = malloc(SMALL_PACKET);
	if (text && !big)
		return false;
	len = plain_encode(big ? big : buf, big ? SMALL_PACKET : sizeof(buf), type, text);
	if (len > 0)
		rc = msg_send(c->sock, big ? big : buf, (size_t)len, NULL, 0);
	free(big);
	return rc == 0;
}

bool client_alive(const struct client *c)
{
	struct pollfd p = { .fd = c->sock };

	return c->sock >= 0 &&
	       (poll(&p, 1, 0) <= 0 || !(p.revents & (POLLHUP | POLLERR | POLLNVAL)));
}

char *client_stepd_cwd(const struct client *c, int timeout_ms)
{
	char *path = NULL, *buf = malloc(REQUEST_PACKET_MAX);
	struct err e = { "" };
	ssize_t n = -1;

	if (buf && client_say(c, MSG_CWD, MSG_CWD_STEPD))
		n = msg_recv(c->sock, buf, REQUEST_PACKET_MAX, NULL, NULL, NULL, timeout_ms);
	if (n <= 0 || plain_decode(buf, (size_t)n, MSG_CWD, &path, &e) < 0)
		path = NULL;
	free(buf);
	return path;
}

/* --- join --- */

static int joined_take(const void *buf, size_t len, const int *fds, unsigned nfds,
		       struct client_joined *ret, struct err *e)
{
	unsigned used = 0;

	if (joined_decode(buf, len, &ret->j, e) < 0)
		return -1;
	for (unsigned i = 0; i < NS_COUNT; i++)
		if (ret->j.ns & (1u << i))
			ret->ns[i] = used < nfds ? fds[used++] : -1;
	if (used == nfds && used == (unsigned)__builtin_popcount(ret->j.ns))
		return 0;
	joined_done(&ret->j);
	return err_set(e, "the container helper sent %u namespaces, expected %d", nfds,
		       __builtin_popcount(ret->j.ns));
}

static void close_all(const int *fds, unsigned n)
{
	while (n)
		close(fds[--n]);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* 0: sock can be read; a signal of sigfd that came before; or -1 with errno. */
static int wait_for(int sock, int sigfd, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;

	for (;;) {
		struct pollfd p[] = { { .fd = sigfd, .events = POLLIN },
				      { .fd = sock, .events = POLLIN } };
		struct signalfd_siginfo info;
		int64_t left = end - now_ms();
		int n = poll(p, 2, left > 0 ? (int)left : 0);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0 && (p[0].revents & POLLIN) &&
		    read(sigfd, &info, sizeof(info)) == sizeof(info))
			return (int)info.ssi_signo;
		if (n > 0 && p[1].revents)
			return 0;
		if (left <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
}

/* wait_for with the ending signals blocked.  Their mask is the old one afterwards. */
static int wait_reply(int sock, int timeout_ms)
{
	static const int ending[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	sigset_t set, old;
	int sigfd, rc, saved;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
		sigaddset(&set, ending[i]);
	if (sigprocmask(SIG_BLOCK, &set, &old) < 0)
		return -1;
	sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	rc = sigfd < 0 ? -1 : wait_for(sock, sigfd, timeout_ms);
	saved = errno;
	if (sigfd >= 0)
		close(sigfd);
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = saved;
	return rc;
}

/* Where the one answer of a question goes; the one that is not asked for is NULL. */
struct answer {
	struct client_joined *joined;
	struct granted *granted;
	char **why;
	int *signal;
};

static enum client_answer decode_answer(const void *buf, size_t len, const int *fds, unsigned nfds,
					const struct answer *a, struct err *e)
{
	struct failed f = { NULL };

	if (msg_type(buf, len) == MSG_FAILED) {
		if (failed_decode(buf, len, &f, e) < 0)
			return CLIENT_BROKEN;
		*a->why = f.text;
		return CLIENT_FAILED;
	}
	if (a->joined)
		return joined_take(buf, len, fds, nfds, a->joined, e) == 0 ? CLIENT_JOINED
									   : CLIENT_BROKEN;
	return granted_decode(buf, len, a->granted, e) == 0 ? CLIENT_JOINED : CLIENT_BROKEN;
}

/*
 * Read the one answer on the reply socket, which is there or will not come; or look at the board:
 * CLIENT_TIMEOUT, where nothing is there yet.
 */
static enum client_answer read_answer(int sock, bool look, const struct answer *a, struct err *e)
{
	enum client_answer answer = CLIENT_BROKEN;
	int fds[REQUEST_FDS_MAX];
	unsigned nfds = a->joined ? REQUEST_FDS_MAX : 0;
	void *buf = malloc(REQUEST_PACKET_MAX);
	ssize_t n;

	if (!buf) {
		err_set(e, "out of memory");
		return CLIENT_BROKEN;
	}
	n = look ? msg_look(sock, buf, REQUEST_PACKET_MAX, fds, &nfds)
		 : msg_recv(sock, buf, REQUEST_PACKET_MAX, fds, &nfds, NULL, 0);
	if (n <= 0) {
		answer = look				 ? CLIENT_TIMEOUT
			 : n == 0 || errno == ECONNRESET ? CLIENT_DEAD
							 : CLIENT_BROKEN;
		if (answer == CLIENT_BROKEN)
			err_sys(e, errno, "cannot read the container helper's answer");
		free(buf);
		return answer;
	}
	answer = decode_answer(buf, (size_t)n, fds, nfds, a, e);
	if (answer != CLIENT_JOINED)
		close_all(fds, nfds);
	free(buf);
	return answer;
}

/* Wait for the answer and take it. */
static enum client_answer wait_answer(int sock, int timeout_ms, const struct answer *a,
				      struct err *e)
{
	int rc = wait_reply(sock, timeout_ms);

	if (rc == 0)
		return read_answer(sock, false, a, e);
	if (rc > 0) {
		*a->signal = rc;
		return CLIENT_SIGNAL;
	}
	if (errno == ETIMEDOUT)
		return CLIENT_TIMEOUT;
	err_sys(e, errno, "cannot wait for the container helper");
	return CLIENT_BROKEN;
}

/* A task's question: the message with its number, a socket for the answer, and fd unless that is -1. */
static enum client_answer ask(const struct client *c, enum msg_type type, uint32_t task, int fd,
			      int timeout_ms, const struct answer *a, struct err *e)
{
	unsigned char buf[sizeof(struct msg_head) + 64];
	enum client_answer answer;
	int pair[2], fds[2];
	char number[16];
	ssize_t len;
	int rc;

	*a->why = NULL;
	if (c->sock < 0)
		return CLIENT_DEAD;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		err_sys(e, errno, "cannot make a socket for the container helper");
		return CLIENT_BROKEN;
	}
	fds[0] = pair[1];
	fds[1] = fd;
	snprintf(number, sizeof(number), "%u", task);
	len = plain_encode(buf, sizeof(buf), type, number);
	rc = len < 0 ? -1 : msg_send(c->sock, buf, (size_t)len, fds, fd < 0 ? 1 : 2);
	close(pair[1]);
	answer = rc < 0 ? CLIENT_DEAD : wait_answer(pair[0], timeout_ms, a, e);
	close(pair[0]);
	return answer;
}

enum client_answer client_join(const struct client *c, uint32_t task, int mntns, int timeout_ms,
			       struct client_joined *ret, char **why, int *ret_signal,
			       struct err *e)
{
	const struct answer a = { .joined = ret, .why = why, .signal = ret_signal };
	enum client_answer answer;

	*ret = (struct client_joined){ .ns = { -1, -1, -1, -1, -1, -1 } };
	/* it is of slurmstepd's mount namespace */
	if (c->board >= 0 && mntns < 0) {
		*why = NULL;
		answer = read_answer(c->board, true, &a, e);
		if (answer == CLIENT_JOINED)
			return answer;
	}
	return ask(c, MSG_JOIN, task, mntns, timeout_ms, &a, e);
}

enum client_answer client_ready(const struct client *c, uint32_t task, int timeout_ms,
				struct granted *ret, char **why, int *ret_signal, struct err *e)
{
	const struct answer a = { .granted = ret, .why = why, .signal = ret_signal };

	*ret = (struct granted){ 0 };
	return ask(c, MSG_READY, task, -1, timeout_ms, &a, e);
}

bool client_rank(const struct client *c, const struct rank *k)
{
	unsigned char buf[sizeof(struct msg_head) + 64 + REQUEST_CPU_WORDS * sizeof(uint32_t)];
	ssize_t len = c->sock < 0 ? -1 : rank_encode(buf, sizeof(buf), k);

	return len > 0 && msg_send(c->sock, buf, (size_t)len, NULL, 0) == 0;
}

void client_joined_done(struct client_joined *j)
{
	for (unsigned i = 0; i < NS_COUNT; i++)
		if (j->ns[i] >= 0)
			close(j->ns[i]);
	joined_done(&j->j);
	*j = (struct client_joined){ .ns = { -1, -1, -1, -1, -1, -1 } };
}

/* --- the end --- */

static void sleep_ms(int ms)
{
	struct timespec ts = { .tv_nsec = ms * 1000000L };

	nanosleep(&ts, NULL);
}

static void drop_board(struct client *c)
{
	if (c->board >= 0)
		close(c->board);
	c->board = -1;
}

void client_drain(struct client *c, int timeout_ms)
{
	unsigned char buf[sizeof(struct msg_head) + 64];
	int64_t end = now_ms() + timeout_ms, left = timeout_ms;
	ssize_t n = 1;

	drop_board(c);
	if (!client_say(c, MSG_DRAIN, NULL))
		return;
	/* LEASES may stand before the answer: it was only to be kept until now */
	while (left >= 0 && n > 0 && msg_type(buf, (size_t)n) != MSG_DRAINED) {
		int fd = -1;
		unsigned nfds = 1;

		n = msg_recv(c->sock, buf, sizeof(buf), &fd, &nfds, NULL, (int)left);
		if (nfds && fd >= 0)
			close(fd);
		left = end - now_ms();
	}
}

void client_reap(struct client *c, int timeout_ms)
{
	/* with contain_spank some hooks run in a process of their own that has no children */
	if (c->parent != getpid())
		return;
	for (int waited = 0; c->pid > 0; waited++) {
		pid_t got = waitpid(c->pid, NULL, WNOHANG);

		if (got == c->pid || (got < 0 && errno != EINTR)) {
			c->pid = 0;
			return;
		}
		if (waited >= timeout_ms)
			return;
		sleep_ms(1);
	}
}

void client_end(struct client *c)
{
	drop_board(c);
	client_say(c, MSG_BYE, NULL);
	if (c->sock >= 0)
		close(c->sock);
	c->sock = -1;
	client_reap(c, 20);
}
