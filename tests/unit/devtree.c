/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "devtree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../helper/devices_plan.h"
#include "../../helper/sys.h"

const struct devices_node devtree_nodes[NODES] = {
	{ 'c', 231, 192 }, { 'c', 231, 193 }, { 'c', 231, 194 }, { 'c', 231, 195 },
	{ 'c', 231, 0 },   { 'c', 231, 64 },  { 'c', 231, 255 }, { 'c', 10, 196 },
	{ 'c', 1, 3 },	   { 'c', 195, 1 },   { 'c', 195, 2 },	 { 'c', 195, 3 },
	{ 'c', 195, 4 },   { 'c', 195, 5 },   { 'c', 196, 300 },
};
const struct devices_node devtree_one[1] = { { 'c', 231, 193 } };
char devtree_root[256];

static char scratch[] = "/tmp/berth-devices.XXXXXX";
static int at_scratch = -1;
static char prefix[32];
static bool is_v2;

/* ---- cgroups ---- */

int devtree_dir(int parent, const char *name)
{
	int fd;

	ck_assert_msg(mkdirat(parent, name, 0755) == 0 || errno == EEXIST, "%s: %s", name,
		      strerror(errno));
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static const char *const names[] = { "job_7", "step_0", "user", "task_0", "slurm" };

struct devtree devtree_make(bool task)
{
	struct devtree t = { .at = { -1, -1, -1, -1, -1 } };

	snprintf(t.name, sizeof(t.name), "%s.%d", prefix, getpid());
	t.root = open(devtree_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(t.root, 0);
	t.top = devtree_dir(t.root, t.name);
	t.at[JOB] = devtree_dir(t.top, names[JOB]);
	t.at[STEP] = devtree_dir(t.at[JOB], names[STEP]);
	if (is_v2) {
		t.at[USER] = devtree_dir(t.at[STEP], names[USER]);
		t.at[STEPD] = devtree_dir(t.at[STEP], names[STEPD]);
	}
	if (task)
		t.at[TASK] = devtree_dir(is_v2 ? t.at[USER] : t.at[STEP], names[TASK]);
	return t;
}

void devtree_remove(struct devtree *t)
{
	const int order[] = { TASK, STEPD, USER, STEP, JOB };

	for (size_t i = 0; i < COUNT(order); i++) {
		int level = order[i], up = level == JOB			       ? t->top
					   : level == STEP		       ? t->at[JOB]
					   : level == TASK && t->at[USER] >= 0 ? t->at[USER]
									       : t->at[STEP];

		if (t->at[level] < 0)
			continue;
		ck_assert_msg(unlinkat(up, names[level], AT_REMOVEDIR) == 0, "%s/%s: %s", t->name,
			      names[level], strerror(errno));
		sys_close(&t->at[level]);
	}
	ck_assert_int_eq(unlinkat(t->root, t->name, AT_REMOVEDIR), 0);
	sys_close(&t->top);
	sys_close(&t->root);
}

pid_t devtree_fork(int cgroup)
{
	struct clone_args a = { .flags = CLONE_INTO_CGROUP,
				.exit_signal = SIGCHLD,
				.cgroup = (uint64_t)cgroup };
	pid_t pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));
	char text[16];

	if (pid < 0) { /* v1 */
		pid = fork();
		snprintf(text, sizeof(text), "%d", getpid());
		if (pid == 0 && sys_write_file(cgroup, "cgroup.procs", text) < 0)
			_exit(99);
	}
	ck_assert_int_ge(pid, 0);
	return pid;
}

static void node_name(char out[32], const struct devices_node *n)
{
	snprintf(out, 32, "%c%u-%u", n->type, n->major, n->minor);
}

/* 'r', 'w' and 'm' that this process has, of a node. */
static unsigned rights(const struct devices_node *n)
{
	char name[32], made[48];
	unsigned got = 0;
	const int flags[] = { O_RDONLY, O_WRONLY };

	node_name(name, n);
	for (int i = 0; i < 2; i++) {
		int fd = openat(at_scratch, name, flags[i] | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

		if (fd >= 0 || errno != EPERM)
			got |= 1U << i;
		sys_close(&fd);
	}
	snprintf(made, sizeof(made), "%s.%d", name, getpid());
	if (mknodat(at_scratch, made, S_IFCHR | 0600, makedev(n->major, n->minor)) == 0) {
		got |= DEVICES_PLAN_M;
		unlinkat(at_scratch, made, 0);
	}
	return got;
}

void devtree_probe(int cgroup, unsigned got[NODES])
{
	unsigned *shared =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = devtree_fork(cgroup);
	int status;

	if (pid == 0) {
		for (size_t i = 0; i < NODES; i++)
			shared[i] = rights(&devtree_nodes[i]);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	memcpy(got, shared, NODES * sizeof(*got));
	munmap(shared, 4096);
}

bool devtree_opens(int cgroup, const struct devices_node *n)
{
	char name[32];
	int status;
	pid_t pid = devtree_fork(cgroup);

	node_name(name, n);
	if (pid == 0)
		_exit(openat(at_scratch, name, O_RDWR | O_CLOEXEC) < 0 && errno == EPERM);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status == 0;
}

/* ---- a process that looks all the time ---- */

struct devtree_watch devtree_watch(int cgroup, const unsigned before[NODES],
				   const unsigned keep[NODES])
{
	struct devtree_watch w;

	w.shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	w.pid = devtree_fork(cgroup);
	while (w.pid == 0) {
		for (size_t i = 0; i < NODES; i++) {
			unsigned got = rights(&devtree_nodes[i]);

			if (got & ~before[i])
				w.shared[1] = (int)i + 1;
			if (keep[i] & ~got)
				w.shared[2] = (int)i + 1;
		}
		w.shared[0]++;
	}
	while (w.shared[0] == 0)
		sched_yield();
	return w;
}

void devtree_watch_end(struct devtree_watch *w)
{
	int round = w->shared[0];

	while (w->shared[0] < round + 2) /* a whole round after the last change */
		sched_yield();
	kill(w->pid, SIGKILL);
	waitpid(w->pid, NULL, 0);
	ck_assert_int_eq(w->shared[1], 0);
	ck_assert_int_eq(w->shared[2], 0);
	munmap((void *)w->shared, 4096);
}

void devtree_expect_others(const unsigned before[NODES], const unsigned after[NODES])
{
	for (size_t i = 0; i < NODES; i++) {
		unsigned want = i < GUARDED && i != N193 ? 0 : before[i];

		ck_assert_msg(after[i] == want, "%c %u:%u: %u, expected %u", devtree_nodes[i].type,
			      devtree_nodes[i].major, devtree_nodes[i].minor, after[i], want);
	}
}

void devtree_without_guarded(const unsigned before[NODES], unsigned keep[NODES])
{
	for (size_t i = 0; i < NODES; i++)
		keep[i] = i < GUARDED && i != N193 ? 0 : before[i];
}

void devtree_apply(struct devices *d, enum devices_mode mode)
{
	struct err e = { "" };

	ck_assert_msg(devices_apply(d, mode, devtree_one, 1, &e) == 0, "%s", e.text);
	ck_assert_msg(devices_check(d, &e) == 0, "%s", e.text);
}

struct devices *devtree_open(int dir)
{
	struct err e = { "" };
	struct devices *d = devices_open_at(dir, &e);

	ck_assert_msg(d, "%s", e.text);
	return d;
}

/* The answer without opening is what opening gives, and leaves nothing behind. */
void devtree_permits(int cgroup)
{
	struct devices *d = devtree_open(cgroup);
	struct devices_node many[10 * NODES];
	bool ret[10 * NODES];
	struct err e = { "" };

	for (size_t i = 0; i < COUNT(many); i++)
		many[i] = devtree_nodes[i % NODES];
	ck_assert_msg(devices_permits(d, many, COUNT(many), ret, &e) == 0, "%s", e.text);
	for (size_t i = 0; i < COUNT(many); i++)
		ck_assert_msg(ret[i] == devtree_opens(cgroup, &many[i]), "%c %u:%u", many[i].type,
			      many[i].major, many[i].minor);
	ck_assert_int_eq(devices_permits(d, NULL, 0, NULL, &e), 0);
	devices_close(d);
}

/* ---- by a process ---- */

void devtree_by_process(void)
{
	struct devtree t = devtree_make(true);
	int pipes[2], status;
	struct err e = { "" };
	struct devices *d;
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	pid = devtree_fork(t.at[TASK]);
	if (pid == 0) {
		close(pipes[1]);
		_exit(read(pipes[0], &c, 1) != 0);
	}
	while (true) { /* v1: it moves itself */
		d = devices_open(pid, DEVICES_TASK, &e);
		if (d || waitpid(pid, &status, WNOHANG) != 0)
			break;
		e.text[0] = '\0';
		sched_yield();
	}
	ck_assert_msg(d, "%s", e.text);
	devtree_apply(d, DEVICES_OTHERS);
	devices_close(d);
	d = devices_open(pid, DEVICES_STEP, &e);
	ck_assert_msg(d, "%s", e.text);
	close(pipes[1]);
	waitpid(pid, &status, 0);
	close(pipes[0]);
	devtree_apply(d, DEVICES_OTHERS); /* the process need not live */
	devices_close(d);
	ck_assert_ptr_null(devices_open(getpid(), DEVICES_STEP, &e));
	ck_assert_msg(strstr(e.text, "no device cgroup of a Slurm step"), "%s", e.text);
	devtree_remove(&t);
}

/* ---- first what may be granted, then what is ---- */

void devtree_in_two(enum devices_mode mode)
{
	const struct devices_node first[] = { devtree_nodes[N195], devtree_nodes[N193],
					      devtree_nodes[NREST], devtree_nodes[NHIGH] };
	struct devtree t = devtree_make(true);
	struct devices *d = devtree_open(t.at[STEP]);
	unsigned before[NODES], after[NODES], keep[NODES] = { 0 };
	struct err e = { "" };
	struct devtree_watch w;

	ck_assert_msg(devices_apply(d, mode, first, 4, &e) == 0, "%s", e.text);
	devtree_probe(t.at[TASK], before);
	ck_assert_uint_eq(before[N195], 7);
	ck_assert_uint_eq(before[N194], 0);
	keep[N193] = keep[NNULL] = 7;
	w = devtree_watch(t.at[TASK], before, keep);
	devtree_apply(d, mode);
	devtree_probe(t.at[TASK], after);
	devtree_watch_end(&w);
	for (size_t i = 0; i < NODES; i++)
		ck_assert_uint_eq(after[i], i == N195 || (mode == DEVICES_STRICT && i >= NREST)
						    ? 0
						    : before[i]);
	/* never wider */
	ck_assert_int_eq(devices_apply(d, mode, first, 1, &e), -1);
	ck_assert_msg(strstr(e.text, "c 231:195 is new"), "%s", e.text);
	ck_assert_int_eq(devices_check(d, NULL), 0);
	ck_assert_int_eq(devices_apply(d, DEVICES_STRICT - mode, devtree_one, 1, NULL), -1);
	e.text[0] = '\0';
	ck_assert_msg(devices_apply(d, mode, NULL, 0, &e) == 0, "%s", e.text);
	ck_assert_msg(devices_check(d, &e) == 0, "%s", e.text);
	devtree_probe(t.at[TASK], after);
	ck_assert_uint_eq(after[N193], 0);
	devices_close(d);
	devtree_remove(&t);
}

/* ---- beginning and end ---- */

static bool make_nodes(void)
{
	if (!mkdtemp(scratch) || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", scratch, "tmpfs", 0, NULL) < 0)
		return false;
	at_scratch = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < NODES; i++) {
		char name[32];

		node_name(name, &devtree_nodes[i]);
		if (mknodat(at_scratch, name, S_IFCHR | 0600,
			    makedev(devtree_nodes[i].major, devtree_nodes[i].minor)) < 0)
			return false;
	}
	return true;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)f;
	if (type == FTW_DP)
		rmdir(path);
	return 0;
}

/* What failed tests have left. */
static void sweep(void)
{
	DIR *s = opendir(devtree_root);
	struct dirent *ent;
	char path[600];

	while (s && (ent = readdir(s)))
		if (!strncmp(ent->d_name, prefix, strlen(prefix))) {
			snprintf(path, sizeof(path), "%s/%s", devtree_root, ent->d_name);
			nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
		}
	if (s)
		closedir(s);
}

static void find_v1(void)
{
	char line[1024], at[256], options[512];
	FILE *f = fopen("/proc/self/mounts", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %255s cgroup %511s", at, options) == 2 &&
		    strstr(options, "devices"))
			snprintf(devtree_root, sizeof(devtree_root), "%s", at);
	if (f)
		fclose(f);
}

static void mount_v2(void)
{
	snprintf(devtree_root, sizeof(devtree_root), "%s/v2", scratch);
	if (mkdir(devtree_root, 0700) < 0 || mount("none", devtree_root, "cgroup2", 0, NULL) < 0)
		devtree_root[0] = '\0';
}

bool devtree_begin(bool v2)
{
	if (geteuid() != 0 || !make_nodes()) {
		rmdir(scratch);
		return false;
	}
	snprintf(prefix, sizeof(prefix), "berth-unit.%d", getpid());
	is_v2 = v2;
	if (v2)
		mount_v2();
	else
		find_v1();
	return true;
}

void devtree_end(void)
{
	sweep();
	if (is_v2 && devtree_root[0])
		umount2(devtree_root, MNT_DETACH);
	umount2(scratch, MNT_DETACH);
	rmdir(scratch);
}
