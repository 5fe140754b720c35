/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cgroups.h - where a process stands in the cgroup hierarchies, v1 and v2, and moving
 * Berth's own processes.  Slurm's limits are never changed here.
 */
#ifndef BERTH_CGROUPS_H
#define BERTH_CGROUPS_H

#include <stdbool.h>
#include <sys/types.h>

#define CGROUPS_PATH_MAX 8192 /* two paths */
#define CGROUPS_EXITS_MAX 32

/* A way out for each hierarchy: the open cgroup.procs of where this process is, and of where it goes. */
struct cgroups_exits {
	int from[CGROUPS_EXITS_MAX], to[CGROUPS_EXITS_MAX];
	size_t n;
};

/*
 * Leave every cgroup of a Slurm job or step, with all processes of our session that
 * are there: v1, to the hierarchy's root; v2, to "system" or "berth" beside the jobs in
 * slurmstepd's scope.  Best effort: a hierarchy that cannot be left is left alone.  A
 * process that loses sight of the hierarchies opens the exits before.  Going costs
 * about 10 ms, during which nothing on the node can fork: do it when nobody waits.
 */
void cgroups_find_exits(struct cgroups_exits *ret);
void cgroups_take_exits(struct cgroups_exits *x);
void cgroups_leave(void);

/*
 * Put process pid into the cgroups of the step that task stands in (v1: the step's
 * own cgroup of each hierarchy; v2: the task's leaf).  0, or -1 when none was joined.
 */
int cgroups_join_step(pid_t task, pid_t pid);

/*
 * Open the directory of the step's cgroup that process-tracks it (v1: freezer, v2),
 * given a task in its final cgroup.  O_DIRECTORY fd, or -1 (also where the path does
 * not look like a Slurm step: nothing is killed on a guess).
 */
int cgroups_open_step(pid_t task);

/*
 * Open the directory of the cgroup that restricts devices for the step, or the task, that pid
 * stands in: of v1's devices hierarchy where Slurm uses that, else of v2.  O_DIRECTORY
 * fd, or -1 with errno, ENOENT where there is none.  The other one is the part of it that looks at
 * texts: of /proc/PID/cgroup, which is written to, and /proc/self/mountinfo; 0 or -1.
 */
int cgroups_open_devices(pid_t pid, bool task);
int cgroups_find_devices(char *cgroup, const char *mountinfo, bool task,
			 char ret_path[CGROUPS_PATH_MAX]);

/*
 * The cgroup of the task that pid is, below the step's own device cgroup (an open directory
 * of v1's devices hierarchy, or v2's).  O_DIRECTORY fd, or -1 with errno.
 */
int cgroups_open_task(pid_t pid, int step, bool v2);

/* Kill every process in the cgroup dir and below, thawing it first. */
void cgroups_kill(int dir);

#endif
