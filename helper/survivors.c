/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "survivors.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cgroups.h"
#include "sys.h"

#define ROUNDS 50
#define PAUSE_NS 20000000L

static bool same_ns(pid_t pid, const struct stat *ns)
{
	char path[48];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	return stat(path, &st) == 0 && st.st_dev == ns->st_dev && st.st_ino == ns->st_ino;
}

/* Number of processes that were signalled. */
static int kill_in_ns(const struct stat *ns)
{
	DIR *proc = opendir("/proc");
	struct dirent *ent;
	int n = 0;

	while (proc && (ent = readdir(proc))) {
		pid_t pid = (pid_t)strtol(ent->d_name, NULL, 10);
		int fd;

		if (pid <= 1 || pid == getpid() || !same_ns(pid, ns))
			continue;
		/* the descriptor first, then the check again: the number may have a new owner */
		fd = pidfd_open(pid, 0);
		if (fd >= 0 && same_ns(pid, ns) && pidfd_send_signal(fd, SIGKILL, NULL, 0) == 0)
			n++;
		sys_close(&fd);
	}
	if (proc)
		closedir(proc);
	return n;
}

void survivors_kill(int ns, int step_cgroup)
{
	const struct timespec pause = { 0, PAUSE_NS };
	struct stat st;

	if (step_cgroup >= 0)
		cgroups_kill(step_cgroup);
	if (ns < 0 || fstat(ns, &st) < 0)
		return;
	for (int i = 0; i < ROUNDS && kill_in_ns(&st) > 0; i++)
		nanosleep(&pause, NULL);
}
