/* SPDX-License-Identifier: BSD-3-Clause */
/* How a program is begun: what it finds, and what is known of one that cannot be. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../spank/starter.h"
#include "unit.h"

#define FD 3

static char *const env[] = { (char *)"NAME=value", NULL };

/* What a shell writes to FD, and its exit status. */
static int run(const char *script, char *text, size_t size)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
	int pipes[2], status, high;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	high = fcntl(pipes[1], F_DUPFD_CLOEXEC, 100);
	ck_assert_int_gt(high, FD);
	close(pipes[1]);
	ck_assert_int_eq(starter_start("/bin/sh", argv, env, high, FD, &pid), 0);
	close(high);
	while ((got = read(pipes[0], text + n, size - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	close(pipes[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(finds)
{
	char text[8192];

	/* inherited by an exec that is not told otherwise */
	ck_assert_int_ge(open("/dev/zero", O_RDONLY), 0);
	ck_assert_int_eq(run("echo to /dev/null; exit 7", text, sizeof(text)), 7);
	ck_assert_str_eq(text, "");
	ck_assert_int_eq(
		run("exec >&3; echo $NAME-$HOME; pwd; readlink /proc/$$/fd/0 /proc/$$/fd/2;"
		    "cd /proc/$$/fd; echo *",
		    text, sizeof(text)),
		0);
	/* 4: the list itself */
	ck_assert_str_eq(text, "value-\n/\n/dev/null\n/dev/null\n0 1 2 3 4\n");
}
END_TEST

static unsigned long long field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	ck_assert_ptr_nonnull(at);
	return strtoull(at + strlen(name), NULL, 16);
}

START_TEST(signals)
{
	const unsigned long long libc = 3ull
					<< 31; /* 32 and 33, if whoever started us ignores them */
	unsigned long long blocked, ignored;
	char text[8192];
	sigset_t before, after;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&before);
	sigaddset(&before, SIGTERM);
	sigaddset(&before, SIGRTMAX);
	ck_assert_int_eq(sigprocmask(SIG_SETMASK, &before, NULL), 0);
	ck_assert_int_eq(run("grep -E '^Sig(Blk|Ign)' /proc/self/status >&3", text, sizeof(text)),
			 0);
	blocked = field(text, "SigBlk:");
	ignored = field(text, "SigIgn:");
	ck_assert_uint_eq(blocked, 0);
	ck_assert_uint_eq(ignored & ~libc, 0);
	ck_assert_int_eq(sigprocmask(SIG_SETMASK, NULL, &after), 0);
	ck_assert_int_eq(sigismember(&after, SIGTERM), 1);
	ck_assert_int_eq(sigismember(&after, SIGRTMAX), 1);
	ck_assert_int_eq(sigismember(&after, SIGINT), 0);
	ck_assert(signal(SIGUSR2, SIG_DFL) == SIG_IGN);
}
END_TEST

static void cannot(const char *path, int why)
{
	char *const argv[] = { (char *)path, NULL };
	int status;
	pid_t pid, child;

	ck_assert_int_eq(starter_start(path, argv, env, -1, -1, &pid), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_ne(status, 0);
	ck_assert_int_eq(starter_error(), why);
	child = fork();
	if (child == 0)
		_exit(starter_error() == why ? 0 : 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

START_TEST(errors)
{
	static char *const argv[] = { (char *)"true", NULL };
	int status;
	pid_t pid;

	ck_assert_int_eq(starter_error(), 0);
	cannot("/no/such/program", ENOENT);
	cannot("/", EACCES);
	ck_assert_int_eq(starter_start("/bin/true", argv, env, -1, -1, &pid), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(starter_error(), 0);
}
END_TEST

/* The caller goes on, whatever it does to its memory. */
/* The new process has our memory: what both of them fail at meanwhile must not be mixed up. */
START_TEST(errors_of_two_at_once)
{
	static char *const argv[] = { (char *)"missing", NULL };

	for (int i = 0; i < 300; i++) {
		int status, mine = 0;
		pid_t pid;

		ck_assert_int_eq(starter_start("/nonexistent/program", argv, env, -1, -1, &pid), 0);
		do {
			if (close(-1) < 0 && errno != EBADF)
				mine = errno;
		} while (waitpid(pid, &status, WNOHANG) == 0);
		ck_assert_int_eq(mine, 0);
		ck_assert_int_eq(starter_error(), ENOENT);
	}
}
END_TEST

START_TEST(many)
{
	static char *const argv[] = { (char *)"true", NULL };
	pid_t pid[50];

	for (int i = 0; i < 50; i++) {
		char *p = malloc(100000);

		ck_assert(p);
		memset(p, i, 100000);
		ck_assert_int_eq(starter_start("/bin/true", argv, env, -1, -1, &pid[i]), 0);
		free(p);
	}
	for (int i = 0; i < 50; i++) {
		int status;

		ck_assert_int_eq(waitpid(pid[i], &status, 0), pid[i]);
		ck_assert_int_eq(status, 0);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("starter");
	TCase *t = tcase_create("starter");

	tcase_add_test(t, finds);
	tcase_add_test(t, signals);
	tcase_add_test(t, errors);
	tcase_add_test(t, errors_of_two_at_once);
	tcase_add_test(t, many);
	suite_add_tcase(s, t);
	return unit_run(s);
}
