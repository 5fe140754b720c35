/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drive - berth-helper without Slurm: speaks helper/request.h in slurmstepd's place.
 *
 *   drive -u UID -g GID [-G GID]... -i IMAGE [-m MOUNTS] [-w WORKDIR] [-c CWD] [-j STEP]
 *         [-k SLURM_CONF] [-a KEY=VALUE]... [-n ROUNDS] [-x COMMAND] [-s STAGE COMMAND]
 *         -- HELPER [ARGUMENT]...
 *
 * Starts HELPER with the socket as descriptor 3, asks for a container and enters it.
 * Prints "joined" and then what /bin/sh -c COMMAND prints inside as the user; or
 * "failed: TEXT" as the user would read it; or "dead" when the helper hangs up.
 *
 *   -s STAGE COMMAND  run COMMAND by /bin/sh before the message REQUEST or CWD is
 *                     sent, when all before that is done, with the helper's pid in
 *                     $PID, and go on when it has ended or traces the helper
 *   -n ROUNDS         all that so many times, one line each
 *
 * Exit code: 0 joined, 1 failed, 3 dead (the last round's); 2 wrong use.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../helper/request.h"

#define LIST_MAX 64
#define ANSWER_MS 60000

enum { JOINED = 0, FAILED = 1, USAGE = 2, DEAD = 3 };

static struct {
	struct request r;
	uint32_t groups[LIST_MAX];
	char *args[LIST_MAX];
	const char *cwd, *command, *stage, *at_stage;
	char **helper;
	int rounds;
} o = { .r = { .step_id = 0, .ntasks = 1 }, .cwd = "/", .rounds = 1 };

static char buf[REQUEST_PACKET_MAX];

static void die(const char *what)
{
	fprintf(stderr, "drive: %s: %s\n", what, strerror(errno));
	exit(USAGE);
}

static void options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "+u:g:G:i:m:w:c:j:k:a:n:x:s:")) != -1)
		switch (c) {
		case 'u': o.r.uid = (uint32_t)atol(optarg); break;
		case 'g': o.r.gid = (uint32_t)atol(optarg); break;
		case 'G':
			if (o.r.ngroups < LIST_MAX)
				o.groups[o.r.ngroups++] = (uint32_t)atol(optarg);
			break;
		case 'i': o.r.image = optarg; break;
		case 'm': o.r.mounts = optarg; break;
		case 'w': o.r.workdir = optarg; break;
		case 'c': o.cwd = optarg; break;
		case 'j': o.r.join = optarg; break;
		case 'k': o.r.slurm_conf = optarg; break;
		case 'a':
			if (o.r.nargs < LIST_MAX)
				o.args[o.r.nargs++] = optarg;
			break;
		case 'n': o.rounds = atoi(optarg); break;
		case 'x': o.command = optarg; break;
		case 's':
			o.stage = optarg;
			if (optind < argc)
				o.at_stage = argv[optind++];
			break;
		default: exit(USAGE);
		}
	if (optind == argc) {
		fputs("drive: no helper to start\n", stderr);
		exit(USAGE);
	}
	o.helper = argv + optind;
	o.r.groups = o.groups;
	o.r.args = o.args;
	o.r.job_id = (uint32_t)getpid();
}

/* Our end of the socket; *pid is the process that was started. */
static int start(pid_t *pid)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *const env[] = { path, NULL };
	int pair[2], room = 2 * REQUEST_PACKET_MAX;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		die("socketpair");
	(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	*pid = fork();
	if (*pid < 0)
		die("fork");
	if (*pid == 0) {
		if (pair[1] == REQUEST_FD ? fcntl(REQUEST_FD, F_SETFD, 0) < 0
					  : dup2(pair[1], REQUEST_FD) < 0)
			die("dup2");
		execvpe(o.helper[0], o.helper, env);
		die(o.helper[0]);
	}
	close(pair[1]);
	return pair[0];
}

/* ---- a command at some stage ---- */

/* The helper is the child that came to us when the process that we started had ended. */
static pid_t helper_pid(pid_t started)
{
	char path[64];
	int pid = 0;
	FILE *f;

	waitpid(started, NULL, 0);
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	f = fopen(path, "r");
	if (!f || fscanf(f, "%d", &pid) != 1)
		die("the helper's pid");
	fclose(f);
	return pid;
}

static bool is_traced(pid_t pid)
{
	char path[64], line[128];
	int tracer = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "TracerPid: %d", &tracer) == 1)
			break;
	if (f)
		fclose(f);
	return tracer != 0;
}

/* Append what the process waits for in the kernel, and then that of its children, to out. */
static void waits(pid_t pid, char *out, size_t size)
{
	char path[64], text[256] = "";
	size_t len = strlen(out);
	int child, n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	f = fopen(path, "r");
	if (f && !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		fclose(f);
	snprintf(out + len, size - len, "%d %s", pid, text);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	f = fopen(path, "r");
	while (f && n++ < LIST_MAX && fscanf(f, "%d", &child) == 1)
		waits(child, out, size);
	if (f)
		fclose(f);
}

/* Wait until the helper and its children have waited for the same things for a while. */
static void settled(pid_t helper)
{
	char before[8192] = "", now[8192];

	for (int same = 0, i = 0; same < 5 && i < 1000; i++) {
		now[0] = '\0';
		waits(helper, now, sizeof(now));
		same = !strcmp(now, before) && !strstr(now, "running") ? same + 1 : 0;
		memcpy(before, now, sizeof(now));
		usleep(10000);
	}
}

static pid_t at_stage(pid_t helper)
{
	char number[16];
	pid_t pid;

	settled(helper);
	snprintf(number, sizeof(number), "%d", helper);
	pid = fork();
	if (pid == 0) {
		setenv("PID", number, 1);
		execl("/bin/sh", "sh", "-c", o.at_stage, (char *)NULL);
		_exit(127);
	}
	while (pid > 0 && !is_traced(helper)) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return 0;
		usleep(10000);
	}
	return pid;
}

/* ---- the conversation ---- */

static bool say(int sock, enum msg_type type, const char *text)
{
	ssize_t n = plain_encode(buf, sizeof(buf), type, text);

	return n > 0 && msg_send(sock, buf, (size_t)n, NULL, 0) == 0;
}

static void inside(const struct joined *j, const int *fds, unsigned nfds)
{
	char shell[] = "/bin/sh", flag[] = "-c", *argv[] = { shell, flag, (char *)o.command, NULL };

	/* the mount namespace comes first in the message and has to be entered last */
	for (unsigned i = nfds; i-- > 0;)
		if (setns(fds[i], 0) < 0)
			die("setns");
	if (chdir(j->cwd) < 0 || setgroups(o.r.ngroups, o.groups) < 0 ||
	    setresgid(o.r.gid, o.r.gid, o.r.gid) < 0 || setresuid(o.r.uid, o.r.uid, o.r.uid) < 0)
		die("becoming the user");
	execve(shell, argv, j->env);
	die(shell);
}

static int enter(const void *msg, size_t len, const int *fds, unsigned nfds)
{
	struct joined j = { 0 };
	struct err e = { "" };
	pid_t pid;

	if (joined_decode(msg, len, &j, &e) < 0) {
		fprintf(stderr, "drive: %s\n", e.text);
		return USAGE;
	}
	puts("joined");
	fflush(stdout);
	pid = o.command ? fork() : 0;
	if (o.command && pid == 0)
		inside(&j, fds, nfds);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	joined_done(&j);
	return JOINED;
}

/* The answer to a JOIN. */
static int answer(int sock)
{
	int fds[REQUEST_FDS_MAX], rc = DEAD;
	unsigned nfds = REQUEST_FDS_MAX;
	ssize_t n = msg_recv(sock, buf, sizeof(buf), fds, &nfds, NULL, ANSWER_MS);
	struct failed f = { NULL };
	struct err e = { "" };

	if (n <= 0) {
		puts("dead");
	} else if (msg_type(buf, (size_t)n) == MSG_JOINED) {
		rc = enter(buf, (size_t)n, fds, nfds);
	} else if (failed_decode(buf, (size_t)n, &f, &e) == 0) {
		printf("failed: %s\n", f.text ? f.text : "");
		failed_done(&f);
		rc = FAILED;
	}
	while (n > 0 && nfds > 0)
		close(fds[--nfds]);
	return rc;
}

static int join(int sock)
{
	int pair[2], rc = DEAD;
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		die("socketpair");
	n = plain_encode(buf, sizeof(buf), MSG_JOIN, NULL);
	if (n > 0 && msg_send(sock, buf, (size_t)n, &pair[1], 1) == 0) {
		close(pair[1]);
		rc = answer(pair[0]);
	} else {
		close(pair[1]);
		puts("dead");
	}
	close(pair[0]);
	return rc;
}

static int one_round(void)
{
	pid_t started, helper = 0, tracer = 0;
	int rc, sock = start(&started);
	ssize_t n;

	if (o.stage)
		helper = helper_pid(started);
	if (helper && !strcmp(o.stage, "REQUEST"))
		tracer = at_stage(helper);
	n = request_encode(buf, sizeof(buf), &o.r);
	if (n < 0) {
		fputs("drive: the request cannot be encoded\n", stderr);
		exit(USAGE);
	}
	(void)msg_send(sock, buf, (size_t)n, NULL, 0);
	if (helper && !strcmp(o.stage, "CWD"))
		tracer = at_stage(helper);
	(void)say(sock, MSG_CWD, o.cwd);
	rc = join(sock);
	fflush(stdout);
	(void)say(sock, MSG_BYE, NULL);
	/* the helper's end is the end of file here; what it started may outlive it */
	shutdown(sock, SHUT_WR);
	while (msg_recv(sock, buf, sizeof(buf), NULL, &(unsigned){ 0 }, NULL, ANSWER_MS) > 0)
		;
	close(sock);
	if (tracer > 0)
		waitpid(tracer, NULL, 0);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return rc;
}

int main(int argc, char **argv)
{
	int rc = USAGE;

	options(argc, argv);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		die("prctl");
	for (int i = 0; i < o.rounds; i++) {
		o.r.step_id = (uint32_t)i;
		rc = one_round();
	}
	return rc;
}
