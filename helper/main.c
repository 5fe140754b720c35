/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * berth-helper: started by berth.so in slurmstepd, as root, with a fixed environment,
 * descriptors 0-2 on /dev/null and 3 on the socket of request.h.  Nothing else starts
 * it; see berth-helper(8).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "keeper.h"
#include "request.h"
#include "step.h"
#include "sys.h"

#define KEEPER_STATE_FD 4
#define OOM_SCORE "-500\n" /* less likely than a task; not exempt as slurmstepd is */

static int usage(FILE *out, int code)
{
	const char *const *key = config_keys();

	fprintf(out, "Usage: berth-helper [--help|--version|--keep|--prepare [KEY=VALUE...]]\n\n"
		     "Started by Slurm's plugin berth.so; not for the command line.\n\n"
		     "  --keep     hold mounted images for the helpers of this node\n"
		     "  --prepare  make the map of the node's NICs, as slurmd's start does\n"
		     "  --help     print this text\n"
		     "  --version  print the version\n\n"
		     "Arguments of berth.so in plugstack.conf (see berth-plugstack(8)):\n");
	for (; *key; key++)
		fprintf(out, "  %s=\n", *key);
	return code;
}

/*
 * Not a child of slurmstepd any more: it must neither wait for us nor be signalled for us.  The
 * new process begins on our CPU, which is free as soon as we end.  Linux counts us and may queue it
 * on another one behind slurmstepd until the next tick, 2 ms of 4 on a node with two CPUs
 * (kernel/sched/fair.c, sched_balance_find_dst_cpu).
 */
static int detach(void)
{
	cpu_set_t all, here;
	const int cpu = sched_getcpu();
	/* not on a node with more CPUs than the set has room for */
	const bool pinned =
		cpu >= 0 && cpu < CPU_SETSIZE && sched_getaffinity(0, sizeof(all), &all) == 0;
	pid_t pid;

	CPU_ZERO(&here);
	if (pinned) {
		CPU_SET(cpu, &here);
		(void)sched_setaffinity(0, sizeof(here), &here);
	}
	pid = fork();
	if (pid != 0)
		_exit(pid < 0);
	if (pinned)
		(void)sched_setaffinity(0, sizeof(all), &all);
	return setsid() < 0 ? -1 : 0;
}

static void settle(void)
{
	umask(0);
	/* slurmstepd's groups are the job's at times */
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		_exit(1);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)sys_write_file(AT_FDCWD, "/proc/self/oom_score_adj", OOM_SCORE);
	if (chdir("/") < 0)
		_exit(1);
}

int main(int argc, char **argv)
{
	if (argc >= 2 && !strcmp(argv[1], "--prepare")) {
		settle();
		return detach() < 0 ? 1 : step_prepare(argv + 2, (size_t)argc - 2);
	}
	if (argc > 2)
		return usage(stderr, 2);
	if (argc == 2 && !strcmp(argv[1], "--help"))
		return usage(stdout, 0);
	if (argc == 2 && !strcmp(argv[1], "--version")) {
		puts("berth-helper " BERTH_VERSION);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--keep") != 0)
		return usage(stderr, 2);
	if (fcntl(REQUEST_FD, F_SETFD, FD_CLOEXEC) < 0) {
		fputs("berth-helper: descriptor 3 is not open: it is started by Slurm's plugin berth.so\n",
		      stderr);
		return 2;
	}
	settle();
	if (argc == 2) {
		if (fcntl(KEEPER_STATE_FD, F_SETFD, FD_CLOEXEC) < 0)
			return 2;
		return keeper_main(REQUEST_FD, KEEPER_STATE_FD);
	}
	close_range(REQUEST_FD + 1, ~0U, 0);
	if (detach() < 0)
		return 1;
	return step_main(REQUEST_FD);
}
