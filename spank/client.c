/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef BERTH_LIBEXECDIR
#error "BERTH_LIBEXECDIR must name the directory of berth-helper"
#endif

static const char helper_path[] = BERTH_LIBEXECDIR "/berth-helper";

/* Messages without a list of variables fit in this. */
#define SMALL_PACKET (sizeof(struct msg_head) + 64 + REQUEST_OPTION_MAX)

static int spawn_actions(posix_spawn_file_actions_t *fa, int sock)
{
	for (int fd = 0; fd < REQUEST_FD; fd++) {
		int rc = posix_spawn_file_actions_addopen(fa, fd, "/dev/null", O_RDWR, 0);

		if (rc)
			return rc;
	}
	return posix_spawn_file_actions_adddup2(fa, sock, REQUEST_FD) ?:
	       posix_spawn_file_actions_addclosefrom_np(fa, REQUEST_FD + 1) ?:
	       posix_spawn_file_actions_addchdir_np(fa, "/");
}

/* slurmstepd blocks many signals; the helper shall not inherit that. */
static int spawn_attributes(posix_spawnattr_t *a)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSTOP);
	return posix_spawnattr_setsigmask(a, &none) ?:
	       posix_spawnattr_setsigdefault(a, &all) ?:
	       posix_spawnattr_setflags(a, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

/* Returns 0 or an errno. */
static int spawn_helper(int sock, pid_t *pid)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *const argv[] = { (char *)helper_path, NULL };
	char *const envp[] = { path, NULL };
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	int rc = posix_spawn_file_actions_init(&fa);

	if (rc)
		return rc;
	rc = posix_spawnattr_init(&attr);
	if (rc == 0) {
		rc = spawn_actions(&fa, sock) ?: spawn_attributes(&attr) ?:
		     posix_spawn(pid, helper_path, &fa, &attr, argv, envp);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&fa);
	return rc;
}

int client_start(struct client *c, struct err *e)
{
	int pair[2], room = 2 * REQUEST_PACKET_MAX, low, rc;

	*c = CLIENT_NONE;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "cannot make a socket for the container helper");
	/* the sources of dup2 must not be among its targets */
	low = pair[1];
	pair[1] = fcntl(low, F_DUPFD_CLOEXEC, REQUEST_FD + 1);
	rc = pair[1] < 0 ? errno : 0;
	close(low);
	if (rc == 0) {
		/* a big REQUEST must fit whatever net.core.wmem_default says */
		(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
		rc = spawn_helper(pair[1], &c->pid);
		close(pair[1]);
	}
	if (rc) {
		close(pair[0]);
		c->pid = 0;
		return err_sys(e, rc, "cannot start %s", helper_path);
	}
	c->sock = pair[0];
	c->parent = getpid();
	return 0;
}

int client_request(struct client *c, const struct request *r, struct err *e)
{
	void *buf = malloc(REQUEST_PACKET_MAX);
	ssize_t len;
	int rc = 0;

	if (!buf)
		return err_set(e, "out of memory");
	len = request_encode(buf, REQUEST_PACKET_MAX, r);
	if (len < 0)
		rc = err_set(e, "the container options and plugstack arguments do not fit in a "
				"request to the container helper");
	else if (msg_send(c->sock, buf, (size_t)len, NULL, 0) < 0)
		rc = errno == EPIPE || errno == ECONNRESET
			     ? err_set(e, "the container helper ended before it took the request; "
					  "see slurmd's log")
			     : err_sys(e, errno, "the container helper does not take the request");
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
	for (unsigned i = 0; i < 5; i++)
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

/* Read the one answer on the reply socket, which is there or will not come. */
static enum client_answer join_answer(int sock, struct client_joined *ret, char **why,
				      struct err *e)
{
	enum client_answer answer = CLIENT_BROKEN;
	int fds[REQUEST_FDS_MAX];
	unsigned nfds = REQUEST_FDS_MAX;
	struct failed f = { NULL };
	void *buf = malloc(REQUEST_PACKET_MAX);
	ssize_t n;

	if (!buf) {
		err_set(e, "out of memory");
		return CLIENT_BROKEN;
	}
	n = msg_recv(sock, buf, REQUEST_PACKET_MAX, fds, &nfds, NULL, 0);
	if (n <= 0) {
		answer = n == 0 || errno == ECONNRESET ? CLIENT_DEAD : CLIENT_BROKEN;
		if (answer == CLIENT_BROKEN)
			err_sys(e, errno, "cannot read the container helper's answer");
		free(buf);
		return answer;
	}
	if (msg_type(buf, (size_t)n) == MSG_FAILED) {
		if (failed_decode(buf, (size_t)n, &f, e) == 0) {
			*why = f.text;
			answer = CLIENT_FAILED;
		}
	} else if (joined_take(buf, (size_t)n, fds, nfds, ret, e) == 0) {
		answer = CLIENT_JOINED;
	}
	if (answer != CLIENT_JOINED)
		close_all(fds, nfds);
	free(buf);
	return answer;
}

/* Wait for the answer and take it. */
static enum client_answer join_wait(int sock, int timeout_ms, struct client_joined *ret, char **why,
				    int *ret_signal, struct err *e)
{
	int rc = wait_reply(sock, timeout_ms);

	if (rc == 0)
		return join_answer(sock, ret, why, e);
	if (rc > 0) {
		*ret_signal = rc;
		return CLIENT_SIGNAL;
	}
	if (errno == ETIMEDOUT)
		return CLIENT_TIMEOUT;
	err_sys(e, errno, "cannot wait for the container helper");
	return CLIENT_BROKEN;
}

enum client_answer client_join(const struct client *c, int mntns, int timeout_ms,
			       struct client_joined *ret, char **why, int *ret_signal,
			       struct err *e)
{
	unsigned char buf[sizeof(struct msg_head) + 64];
	enum client_answer answer;
	int pair[2], fds[2];
	ssize_t len;
	int rc;

	*why = NULL;
	*ret = (struct client_joined){ .ns = { -1, -1, -1, -1, -1 } };
	if (c->sock < 0)
		return CLIENT_DEAD;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		err_sys(e, errno, "cannot make a socket for the container helper");
		return CLIENT_BROKEN;
	}
	fds[0] = pair[1];
	fds[1] = mntns;
	len = plain_encode(buf, sizeof(buf), MSG_JOIN, NULL);
	rc = len < 0 ? -1 : msg_send(c->sock, buf, (size_t)len, fds, mntns < 0 ? 1 : 2);
	close(pair[1]);
	answer = rc < 0 ? CLIENT_DEAD : join_wait(pair[0], timeout_ms, ret, why, ret_signal, e);
	close(pair[0]);
	return answer;
}

void client_joined_done(struct client_joined *j)
{
	for (unsigned i = 0; i < 5; i++)
		if (j->ns[i] >= 0)
			close(j->ns[i]);
	joined_done(&j->j);
	*j = (struct client_joined){ .ns = { -1, -1, -1, -1, -1 } };
}

/* --- the end --- */

static void sleep_ms(int ms)
{
	struct timespec ts = { .tv_nsec = ms * 1000000L };

	nanosleep(&ts, NULL);
}

void client_drain(const struct client *c, int timeout_ms)
{
	unsigned char buf[sizeof(struct msg_head) + 64];

	if (client_say(c, MSG_DRAIN, NULL))
		(void)msg_recv(c->sock, buf, sizeof(buf), NULL, NULL, NULL, timeout_ms);
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
	client_say(c, MSG_BYE, NULL);
	if (c->sock >= 0)
		close(c->sock);
	c->sock = -1;
	client_reap(c, 20);
}
