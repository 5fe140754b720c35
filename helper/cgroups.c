/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "cgroups.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sys.h"

#define PROC_FILE_MAX (1024 * 1024)
#define KILL_ROUNDS 50
#define KILL_PAUSE_NS 20000000L /* 50 rounds of 20 ms: one second */

/* One line of /proc/PID/cgroup: "ID:CONTROLLERS:PATH"; v2 has no controllers. */
struct place {
	const char *controllers, *path;
	char mount[PATH_MAX]; /* where that hierarchy is mounted here */
};

static bool has_word(const char *list, const char *word, char sep)
{
	size_t n = strlen(word);

	for (const char *p = list; p; p = strchr(p, sep), p = p ? p + 1 : NULL)
		if (!strncmp(p, word, n) && (p[n] == sep || p[n] == '\0'))
			return true;
	return false;
}

/*
 * proc_pid_mountinfo(5): "ID PARENT DEV ROOT MOUNTPOINT OPTIONS [FIELDS] - TYPE SOURCE
 * SUPEROPTIONS".  Find the mount whose super options name the first controller.
 */
static bool find_mount(const char *mountinfo, struct place *p)
{
	char first[64];
	bool v2 = !p->controllers[0];

	snprintf(first, sizeof(first), "%.*s", (int)strcspn(p->controllers, ","), p->controllers);
	for (const char *line = mountinfo, *next; *line; line = next) {
		char text[4096], at[PATH_MAX], *tail;
		int n = (int)strcspn(line, "\n");

		next = line + n + (line[n] == '\n');

		snprintf(text, sizeof(text), "%.*s", n < 4095 ? n : 4095, line);
		tail = strstr(text, " - ");
		if (!tail || sscanf(text, "%*s %*s %*s / %4095s", at) != 1)
			continue;
		if (v2 ? strncmp(tail, " - cgroup2 ", 11) != 0
		       : strncmp(tail, " - cgroup ", 10) != 0 || !strrchr(tail, ' ') ||
				    !has_word(strrchr(tail, ' ') + 1, first, ','))
			continue;
		snprintf(p->mount, sizeof(p->mount), "%s", at);
		return true;
	}
	return false;
}

/* Call f for every hierarchy below its root; cgroup is the text of /proc/PID/cgroup and is written to. */
static void each_line(char *cgroup, const char *mountinfo, bool (*f)(struct place *, void *),
		      void *arg)
{
	char *save = NULL;
	bool go_on = true;

	for (char *line = strtok_r(cgroup, "\n", &save); line && go_on;
	     line = strtok_r(NULL, "\n", &save)) {
		char *a = strchr(line, ':'), *b = a ? strchr(a + 1, ':') : NULL;
		struct place p;

		if (!b)
			continue;
		*b = '\0';
		p.controllers = a + 1;
		p.path = b + 1;
		if (p.path[0] == '/' && p.path[1] && find_mount(mountinfo, &p))
			go_on = f(&p, arg);
	}
}

/* Call f for every hierarchy that pid is in below the root. */
static void each_place(pid_t pid, bool (*f)(struct place *, void *), void *arg)
{
	char path[32];
	size_t len;
	char *mountinfo = sys_read_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &len);
	char *text;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	text = sys_read_at(AT_FDCWD, path, PROC_FILE_MAX, &len);
	if (text && mountinfo)
		each_line(text, mountinfo, f, arg);
	free(text);
	free(mountinfo);
}

static int write_pid(const char *dir, pid_t pid)
{
	char path[2 * PATH_MAX + 16], number[16];

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	snprintf(number, sizeof(number), "%d", pid);
	return sys_write_file(AT_FDCWD, path, number);
}

static int open_procs(const char *dir, int flags)
{
	char path[2 * PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	return open(path, flags | O_CLOEXEC);
}

static bool find_exit(struct place *p, void *arg)
{
	struct cgroups_exits *x = arg;
	const char *job = strstr(p->path, "/job_"), *uid = strstr(p->path, "/uid_");
	char dir[2 * PATH_MAX];
	int to, from;

	if (!job && !uid)
		return true;
	if (p->controllers[0]) {
		to = open_procs(p->mount, O_WRONLY);
	} else {
		snprintf(dir, sizeof(dir), "%s%.*s/system", p->mount,
			 (int)(job ? job - p->path : 0), p->path);
		to = open_procs(dir, O_WRONLY);
		if (to < 0) {
			snprintf(dir, sizeof(dir), "%s%.*s/berth", p->mount,
				 (int)(job ? job - p->path : 0), p->path);
			mkdir(dir, 0755);
			to = open_procs(dir, O_WRONLY);
		}
	}
	snprintf(dir, sizeof(dir), "%s%s", p->mount, p->path);
	from = open_procs(dir, O_RDONLY);
	if (from >= 0 && to >= 0) {
		x->from[x->n] = from;
		x->to[x->n++] = to;
	} else {
		sys_close(&from);
		sys_close(&to);
	}
	return x->n < CGROUPS_EXITS_MAX;
}

void cgroups_find_exits(struct cgroups_exits *ret)
{
	ret->n = 0;
	each_place(getpid(), find_exit, ret);
}

/* Those of our session that are listed in from: our children cannot be anybody else's. */
static void take_exit(int from, int to)
{
	size_t len;
	char *save = NULL, *text = sys_read_all(from, PROC_FILE_MAX, &len);

	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save))
		if (getsid((pid_t)strtol(line, NULL, 10)) == getsid(0))
			(void)!write(to, line, strlen(line));
	free(text);
}

void cgroups_take_exits(struct cgroups_exits *x)
{
	while (x->n > 0) {
		x->n--;
		take_exit(x->from[x->n], x->to[x->n]);
		sys_close(&x->from[x->n]);
		sys_close(&x->to[x->n]);
	}
}

void cgroups_leave(void)
{
	struct cgroups_exits x;

	cgroups_find_exits(&x);
	cgroups_take_exits(&x);
}

/* Length of path up to and with its step_N component; 0 if it has none. */
static size_t step_length(const char *path)
{
	const char *step = strstr(path, "/step_");

	return step && strstr(path, "/job_") ? (size_t)(step - path) + 1 + strcspn(step + 1, "/")
					     : 0;
}

struct joining {
	pid_t pid;
	int joined;
};

static bool join_one(struct place *p, void *arg)
{
	struct joining *j = arg;
	size_t n = step_length(p->path);
	char dir[2 * PATH_MAX];

	if (n == 0)
		return true;
	/* v2: processes stand in leaves only, so the task's own */
	snprintf(dir, sizeof(dir), "%s%.*s", p->mount,
		 p->controllers[0] ? (int)n : (int)strlen(p->path), p->path);
	j->joined += write_pid(dir, j->pid) == 0;
	return true;
}

int cgroups_join_step(pid_t task, pid_t pid)
{
	struct joining j = { pid, 0 };

	each_place(task, join_one, &j);
	return j.joined ? 0 : -1;
}

static bool open_one(struct place *p, void *arg)
{
	int *fd = arg;
	size_t n = step_length(p->path);
	char dir[2 * PATH_MAX];

	if (n == 0 || (p->controllers[0] && !has_word(p->controllers, "freezer", ',')))
		return true;
	snprintf(dir, sizeof(dir), "%s%.*s", p->mount, (int)n, p->path);
	*fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *fd < 0;
}

int cgroups_open_step(pid_t task)
{
	int fd = -1;

	each_place(task, open_one, &fd);
	return fd;
}

struct devices_place {
	bool task;
	char *path;
};

/* Of v1's devices hierarchy if that is Slurm's, else of v2. */
static bool find_devices(struct place *p, void *arg)
{
	struct devices_place *x = arg;
	bool v1 = p->controllers[0] != '\0';
	size_t n = step_length(p->path);

	if (n == 0 || (v1 && !has_word(p->controllers, "devices", ',')))
		return true;
	if (x->task) {
		const char *task = strstr(p->path + n, "/task_");

		if (!task)
			return true;
		n = (size_t)(task - p->path) + 1 + strcspn(task + 1, "/");
	}
	snprintf(x->path, CGROUPS_PATH_MAX, "%s%.*s", p->mount, (int)n, p->path);
	return !v1;
}

int cgroups_find_devices(char *cgroup, const char *mountinfo, bool task,
			 char ret_path[CGROUPS_PATH_MAX])
{
	struct devices_place x = { task, ret_path };

	ret_path[0] = '\0';
	each_line(cgroup, mountinfo, find_devices, &x);
	return ret_path[0] ? 0 : -1;
}

int cgroups_open_devices(pid_t pid, bool task)
{
	char path[CGROUPS_PATH_MAX] = "";
	struct devices_place x = { task, path };

	each_place(pid, find_devices, &x);
	if (!path[0]) {
		errno = ENOENT;
		return -1;
	}
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The text is /proc/PID/cgroup and is written to. The part of the path below the step, "" for none. */
static const char *task_path(char *text, bool v2)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *a = strchr(line, ':'), *b = a ? strchr(a + 1, ':') : NULL, *task;
		size_t n;

		if (!b)
			continue;
		*b = '\0';
		if (v2 ? a[1] != '\0' : !has_word(a + 1, "devices", ','))
			continue;
		n = step_length(b + 1);
		task = n ? strstr(b + 1 + n, "/task_") : NULL;
		if (!task)
			return "";
		task[1 + strcspn(task + 1, "/")] = '\0';
		return b + 1 + n + 1;
	}
	return "";
}

int cgroups_open_task(pid_t pid, int step, bool v2)
{
	char path[32];
	const char *below;
	size_t len;
	char *text;
	int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	text = sys_read_at(AT_FDCWD, path, PROC_FILE_MAX, &len);
	below = text ? task_path(text, v2) : "";
	if (below[0])
		fd = sys_openat2(step, below, O_RDONLY | O_DIRECTORY, 0,
				 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	else
		errno = ENOENT;
	free(text);
	return fd;
}

/* v1: signal what is listed in dir and one level below (task_N). Number of processes seen. */
static int kill_listed(int dir, int depth)
{
	size_t len;
	int n = 0, copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *save = NULL, *text = sys_read_at(dir, "cgroup.procs", PROC_FILE_MAX, &len);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *ent;

	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		pid_t pid = (pid_t)strtol(line, NULL, 10);

		if (pid > 1 && pid != getpid() && kill(pid, SIGKILL) == 0)
			n++;
	}
	free(text);
	while (d && depth > 0 && (ent = readdir(d)))
		if (ent->d_type == DT_DIR && ent->d_name[0] != '.') {
			int sub = openat(dir, ent->d_name,
					 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (sub >= 0)
				n += kill_listed(sub, depth - 1);
			sys_close(&sub);
		}
	if (d)
		closedir(d);
	else
		sys_close(&copy);
	return n;
}

void cgroups_kill(int dir)
{
	const struct timespec pause = { 0, KILL_PAUSE_NS };

	(void)sys_write_file(dir, "cgroup.freeze", "0");
	(void)sys_write_file(dir, "freezer.state", "THAWED");
	if (sys_write_file(dir, "cgroup.kill", "1") == 0)
		return;
	for (int i = 0; i < KILL_ROUNDS && kill_listed(dir, 3) > 0; i++)
		nanosleep(&pause, NULL);
}
