/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "sys.h"

#define ERRORS_MAX 512
#define END_MS 1000 /* for its end, when all of its output is there */

struct stream {
	int fd;
	char *buf;
	size_t len, max;
};

static void run_child(char *const argv[], int input, int out, int errors)
{
	char *const envp[] = { NULL };

	if (input < 0)
		input = open("/dev/null", O_RDONLY);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (input < 0 || dup2(input, 0) < 0 || dup2(out, 1) < 0 || dup2(errors, 2) < 0)
		_exit(126);
	close_range(3, ~0U, 0);
	execve(argv[0], argv, envp);
	_exit(127);
}

/* Read what is there; at the end or past the limit the stream is closed. */
static int take(struct stream *s)
{
	ssize_t n = read(s->fd, s->buf + s->len, s->max - s->len);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	s->len += (size_t)n;
	if (n == 0 || s->len == s->max)
		sys_close(&s->fd);
	return 0;
}

static int collect(struct stream *out, struct stream *errors, int timeout_ms)
{
	int64_t end = sys_now_ms() + timeout_ms;

	while (out->fd >= 0 || errors->fd >= 0) {
		struct pollfd p[2] = { { out->fd, POLLIN, 0 }, { errors->fd, POLLIN, 0 } };
		int64_t left = end - sys_now_ms();

		if (left <= 0 || poll(p, 2, (int)left) < 0) {
			if (left > 0 && errno == EINTR)
				continue;
			errno = ETIMEDOUT;
			return -1;
		}
		if ((p[0].revents && take(out) < 0) || (p[1].revents && take(errors) < 0))
			return -1;
	}
	return 0;
}

char *run_program(char *const argv[], int input, size_t max, int timeout_ms, size_t *ret_len,
		  struct err *e)
{
	char text[ERRORS_MAX];
	struct stream out = { -1, malloc(max + 1), 0, max + 1 };
	struct stream errors = { -1, text, 0, sizeof(text) - 1 };
	int o[2] = { -1, -1 }, r[2] = { -1, -1 }, status = -1, rc;
	pid_t pid = -1;

	if (!out.buf || pipe2(o, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    pipe2(r, O_CLOEXEC | O_NONBLOCK) < 0 || fcntl(o[1], F_SETFL, 0) < 0 ||
	    fcntl(r[1], F_SETFL, 0) < 0 || (pid = fork()) < 0) {
		err_sys(e, errno, "cannot start %s", argv[0]);
		goto fail;
	}
	if (pid == 0)
		run_child(argv, input, o[1], r[1]);
	sys_close(&o[1]);
	sys_close(&r[1]);
	out.fd = o[0];
	errors.fd = r[0];
	o[0] = r[0] = -1;
	rc = collect(&out, &errors, timeout_ms);
	/* without output to come, it ends at once or never */
	(void)child_wait(pid, rc < 0 || out.len > max ? 0 : END_MS, &status);
	text[errors.len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (rc == 0 && out.len <= max && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		out.buf[out.len] = '\0';
		*ret_len = out.len;
		sys_close(&out.fd);
		sys_close(&errors.fd);
		return out.buf;
	}
	if (rc < 0)
		err_sys(e, errno, "%s", argv[0]);
	else if (out.len > max)
		err_set(e, "%s printed more than %zu bytes", argv[0], max);
	else if (text[0])
		err_set(e, "%s", text);
	else
		err_set(e, "%s ended with status 0x%x", argv[0], (unsigned)status);
fail:
	sys_close(&o[0]);
	sys_close(&o[1]);
	sys_close(&r[0]);
	sys_close(&r[1]);
	sys_close(&out.fd);
	sys_close(&errors.fd);
	free(out.buf);
	return NULL;
}
