/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups.h"
#include "request.h"
#include "sys.h"

#define END_MS 1000 /* after SIGKILL; who takes longer waits for storage that hangs */
#define SLOW_MS 500 /* what opens files and builds takes a few ms, unless storage is slow */

pid_t child_start(int *sock, struct err *e)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "cannot make a socket");
	pid = fork();
	if (pid < 0)
		err_sys(e, errno, "cannot start a process");
	*sock = pid == 0 ? pair[1] : pair[0];
	close(pid == 0 ? pair[0] : pair[1]);
	if (pid < 0)
		sys_close(sock);
	return pid;
}

void child_stop(pid_t pid, int *sock)
{
	sys_close(sock);
	if (pid > 0) {
		kill(pid, SIGKILL);
		child_reap(pid);
	}
}

/* 1: the child ended in that time; 0: it did not; -1: nobody can tell. */
static int await_end(pid_t pid, int timeout_ms)
{
	const int64_t end = sys_now_ms() + timeout_ms;
	struct pollfd ended = { pidfd_open(pid, 0), POLLIN, 0 };
	int rc = 0;

	if (ended.fd < 0)
		return -1;
	for (int64_t now = sys_now_ms(); rc == 0 && now < end; now = sys_now_ms()) {
		rc = poll(&ended, 1, (int)(end - now));
		if (rc < 0 && errno == EINTR)
			rc = 0;
	}
	sys_close(&ended.fd);
	return rc > 0;
}

int child_wait(pid_t pid, int timeout_ms, int *ret_status)
{
	if (await_end(pid, timeout_ms) > 0)
		return waitpid(pid, ret_status, 0) == pid ? 0 : -1;
	kill(pid, SIGKILL);
	child_reap(pid);
	errno = ETIMEDOUT;
	return -1;
}

void child_reap(pid_t pid)
{
	(void)waitpid(pid, NULL, await_end(pid, END_MS) < 0 ? 0 : WNOHANG);
}

ssize_t child_recv(int sock, int alive, void *buf, size_t size, int *fds, unsigned *nfds,
		   int timeout_ms)
{
	const int64_t end = sys_now_ms() + timeout_ms;
	int64_t slow = sys_now_ms() + SLOW_MS;

	for (;;) {
		struct pollfd p[2] = { { sock, POLLIN, 0 }, { alive, POLLIN, 0 } };
		int64_t now = sys_now_ms(), until = slow < end ? slow : end;
		int rc = now < until ? poll(p, 2, (int)(until - now)) : 0;

		if (rc < 0 && errno == EINTR)
			continue;
		if (rc == 0 && until < end) {
			/* it may hang for good: then the job must be able to end without us */
			cgroups_leave();
			slow = end;
			continue;
		}
		if (rc == 0)
			errno = ETIMEDOUT;
		else if (rc > 0 && p[0].revents)
			return msg_recv(sock, buf, size, fds, nfds, NULL, 0);
		else if (rc > 0)
			errno = ECANCELED;
		return -1;
	}
}
