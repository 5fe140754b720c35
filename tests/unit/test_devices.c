/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Device rules in cgroups that the test makes itself, job over step over task, with programs and
 * lists as Slurm and others leave them.  What counts is what a process in the task's cgroup can
 * open and make: of a node that no driver serves ENXIO says allowed, EPERM denied.
 *
 * Needs root; v1's devices hierarchy, or BPF and a cgroup2 that can be mounted.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/bpf.h>
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

#include "../../helper/devices.h"
#include "../../helper/devices_prog.h"
#include "../../helper/sys.h"
#include "unit.h"

#define NODES (sizeof(nodes) / sizeof(nodes[0]))
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Scratch nodes; "plain" ones are those of the tests' own "Slurm" programs. */
static const struct devices_node nodes[] = {
	{ 'c', 231, 192 }, { 'c', 231, 193 }, { 'c', 231, 194 }, { 'c', 231, 195 },
	{ 'c', 231, 0 },   { 'c', 231, 64 },  { 'c', 231, 255 }, { 'c', 10, 196 },
	{ 'c', 1, 3 },	   { 'c', 195, 1 },   { 'c', 195, 2 },	 { 'c', 195, 3 },
	{ 'c', 195, 4 },   { 'c', 195, 5 },   { 'c', 196, 300 },
};
enum {
	N192,
	N193,
	N194,
	N195,
	NUMAD,
	NISSM,
	N255,
	NVFIO,
	NNULL,
	NJOB,
	NSTEP,
	NUSER,
	NTASK,
	NREST,
	NHIGH
};
#define GUARDED 8 /* of the above */
static const struct devices_node one[] = { { 'c', 231, 193 } };

static char scratch[] = "/tmp/berth-devices.XXXXXX";
static int at_scratch = -1;
static char v1_root[256], v2_root[256], prefix[32];

/* ---- cgroups ---- */

static int dir_at(int parent, const char *name)
{
	int fd;

	ck_assert_msg(mkdirat(parent, name, 0755) == 0 || errno == EEXIST, "%s: %s", name,
		      strerror(errno));
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

enum { JOB, STEP, USER, TASK, STEPD, LEVELS };
static const char *const names[] = { "job_7", "step_0", "user", "task_0", "slurm" };

/* Slurm's tree of v2 and, without "user" and "slurm", of v1. */
struct tree {
	char name[64];
	int root, top, at[LEVELS];
};

static struct tree tree_make(const char *root, bool task)
{
	struct tree t = { .at = { -1, -1, -1, -1, -1 } };
	bool v2 = root == v2_root;

	snprintf(t.name, sizeof(t.name), "%s.%d", prefix, getpid());
	t.root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(t.root, 0);
	t.top = dir_at(t.root, t.name);
	t.at[JOB] = dir_at(t.top, names[JOB]);
	t.at[STEP] = dir_at(t.at[JOB], names[STEP]);
	if (v2) {
		t.at[USER] = dir_at(t.at[STEP], names[USER]);
		t.at[STEPD] = dir_at(t.at[STEP], names[STEPD]);
	}
	if (task)
		t.at[TASK] = dir_at(v2 ? t.at[USER] : t.at[STEP], names[TASK]);
	return t;
}

static void tree_remove(struct tree *t)
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

/* A child in the cgroup; 0 in the child. */
static pid_t fork_into(int cgroup)
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

static void probe(int cgroup, unsigned got[NODES])
{
	unsigned *shared =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork_into(cgroup);
	int status;

	if (pid == 0) {
		for (size_t i = 0; i < NODES; i++)
			shared[i] = rights(&nodes[i]);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	memcpy(got, shared, NODES * sizeof(*got));
	munmap(shared, 4096);
}

/* Reading and writing at once takes one exception of v1 that has both. */
static bool opens(int cgroup, const struct devices_node *n)
{
	char name[32];
	int status;
	pid_t pid = fork_into(cgroup);

	node_name(name, n);
	if (pid == 0)
		_exit(openat(at_scratch, name, O_RDWR | O_CLOEXEC) < 0 && errno == EPERM);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status == 0;
}

/* ---- a process that looks all the time ---- */

struct watch {
	pid_t pid;
	volatile int *
		shared; /* [0] rounds, [1] 1 + the node that was open and should not, [2] the other way round */
};

/* Those of before without a right never get it; those of keep always have it. */
static struct watch watch_begin(int cgroup, const unsigned before[NODES],
				const unsigned keep[NODES])
{
	struct watch w;

	w.shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	w.pid = fork_into(cgroup);
	while (w.pid == 0) {
		for (size_t i = 0; i < NODES; i++) {
			unsigned got = rights(&nodes[i]);

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

static void watch_end(struct watch *w)
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

/* What is allowed after: what was before, without what deny-others denies. */
static void expect_others(const unsigned before[NODES], const unsigned after[NODES])
{
	for (size_t i = 0; i < NODES; i++) {
		unsigned want = i < GUARDED && i != N193 ? 0 : before[i];

		ck_assert_msg(after[i] == want, "%c %u:%u: %u, expected %u", nodes[i].type,
			      nodes[i].major, nodes[i].minor, after[i], want);
	}
}

static void without_guarded(const unsigned before[NODES], unsigned keep[NODES])
{
	for (size_t i = 0; i < NODES; i++)
		keep[i] = i < GUARDED && i != N193 ? 0 : before[i];
}

static void apply(struct devices *d, enum devices_mode mode)
{
	struct err e = { "" };

	ck_assert_msg(devices_apply(d, mode, one, 1, &e) == 0, "%s", e.text);
	ck_assert_msg(devices_check(d, &e) == 0, "%s", e.text);
}

static struct devices *open_at(int dir)
{
	struct err e = { "" };
	struct devices *d = devices_open_at(dir, &e);

	ck_assert_msg(d, "%s", e.text);
	return d;
}

/* The answer without opening is what opening gives, and leaves nothing behind. */
static void permits_as_opens(int cgroup)
{
	struct devices *d = open_at(cgroup);
	struct devices_node many[10 * NODES];
	bool ret[10 * NODES];
	struct err e = { "" };

	for (size_t i = 0; i < COUNT(many); i++)
		many[i] = nodes[i % NODES];
	ck_assert_msg(devices_permits(d, many, COUNT(many), ret, &e) == 0, "%s", e.text);
	for (size_t i = 0; i < COUNT(many); i++)
		ck_assert_msg(ret[i] == opens(cgroup, &many[i]), "%c %u:%u", many[i].type,
			      many[i].major, many[i].minor);
	ck_assert_int_eq(devices_permits(d, NULL, 0, NULL, &e), 0);
	devices_close(d);
}

/* ---- v1 ---- */

static void write_rules(int dir, const char *file, const char *const *rules)
{
	for (; *rules; rules++)
		ck_assert_msg(sys_write_file(dir, file, *rules) == 0, "%s: %s", *rules,
			      strerror(errno));
}

START_TEST(v1_others)
{
	struct tree t = tree_make(v1_root, true);
	const char *const slurm[] = { "c 195:1 rwm", "c 195:2 w", NULL };
	unsigned before[NODES], keep[NODES], after[NODES];
	struct devices *d = open_at(t.at[STEP]);
	struct err e = { "" };
	struct watch w;
	char *text;
	int late;

	write_rules(t.at[JOB], "devices.deny", slurm);
	probe(t.at[TASK], before);
	ck_assert_uint_eq(before[NJOB], 0);
	ck_assert_uint_eq(before[NSTEP], DEVICES_PLAN_R | DEVICES_PLAN_M);
	without_guarded(before, keep);
	w = watch_begin(t.at[TASK], before, keep);
	apply(d, DEVICES_OTHERS);
	probe(t.at[TASK], after);
	expect_others(before, after);
	watch_end(&w);
	probe(t.at[STEP], after);
	expect_others(before, after);
	late = dir_at(t.at[STEP], "task_1"); /* of a task that comes later */
	probe(late, after);
	expect_others(before, after);
	ck_assert_int_eq(unlinkat(t.at[STEP], "task_1", AT_REMOVEDIR), 0);
	probe(t.at[JOB], after); /* beside the step nothing changes */
	for (size_t i = 0; i < NODES; i++)
		ck_assert_uint_eq(after[i], before[i]);
	text = devices_text(d, &e);
	ck_assert_msg(text, "%s", e.text);
	ck_assert_ptr_eq(strstr(text, "a *:* rwm\nc 231:193 rwm\ndeny c 231:* rwm\n"), text);
	free(text);
	devices_close(d);
	sys_close(&late);
	tree_remove(&t);
}
END_TEST

START_TEST(v1_permits)
{
	struct tree t = tree_make(v1_root, true);
	const char *const job[] = { "c 195:1 rwm", "c 231:194 w", "c 231:0 m", NULL };
	const char *const task[] = { "c 231:192 rwm", "c 195:* rwm", NULL };
	const char *const all[] = { "a", NULL };
	const char *const some[] = { "c 231:193 rw", "c 231:195 r", "c 1:* rw", NULL };

	permits_as_opens(t.at[TASK]);
	write_rules(t.at[JOB], "devices.deny", job);
	write_rules(t.at[TASK], "devices.deny", task);
	permits_as_opens(t.at[TASK]);
	permits_as_opens(t.at[STEP]);
	tree_remove(&t);
	t = tree_make(v1_root, false); /* "a" needs a cgroup with none below */
	write_rules(t.at[STEP], "devices.deny", all);
	write_rules(t.at[STEP], "devices.allow", some);
	permits_as_opens(t.at[STEP]);
	tree_remove(&t);
}
END_TEST

/* Early, with what may be granted, where Slurm has denied some of that. */
START_TEST(v1_early)
{
	struct tree t = tree_make(v1_root, true);
	const char *const slurm[] = { "c 231:192 rwm", NULL };
	unsigned after[NODES];
	struct devices *d = open_at(t.at[STEP]);
	struct err e = { "" };

	write_rules(t.at[STEP], "devices.deny", slurm);
	ck_assert_msg(devices_apply_early(d, DEVICES_OTHERS, nodes, 3, &e) == 0, "%s", e.text);
	probe(t.at[TASK], after);
	ck_assert_uint_eq(after[N192], 0);
	ck_assert_uint_eq(after[N193], 7);
	ck_assert_uint_eq(after[N194], 7);
	ck_assert_uint_eq(after[N195], 0);
	ck_assert_int_eq(devices_apply(d, DEVICES_OTHERS, nodes, 1, &e), -1);
	ck_assert_msg(strstr(e.text, "c 231:192 rw is granted, but Slurm's device limits deny it"),
		      "%s", e.text);
	apply(d, DEVICES_OTHERS);
	probe(t.at[TASK], after);
	ck_assert_uint_eq(after[N193], 7);
	ck_assert_uint_eq(after[N194], 0);
	devices_close(d);
	tree_remove(&t);
}
END_TEST

START_TEST(v1_strict)
{
	struct tree t = tree_make(v1_root, true);
	unsigned before[NODES], after[NODES];
	struct devices *d = open_at(t.at[STEP]);
	struct err e = { "" };
	char *text;

	probe(t.at[TASK], before);
	apply(d, DEVICES_STRICT);
	probe(t.at[TASK], after);
	for (size_t i = 0; i < NODES; i++)
		ck_assert_uint_eq(after[i], i == N193 || i == NNULL ? before[i] : 0);
	text = devices_text(d, &e);
	ck_assert_msg(text, "%s", e.text);
	ck_assert_ptr_eq(strstr(text, "c 231:193 rwm\nc 1:3 rwm\n"), text);
	free(text);
	devices_close(d);
	tree_remove(&t);
}
END_TEST

/* What Slurm denies of the granted is an error, not a surprise. */
START_TEST(v1_not_slurms)
{
	struct tree t = tree_make(v1_root, true);
	const char *const slurm[] = { "c 231:193 rwm", NULL };
	struct devices *d = open_at(t.at[STEP]);
	struct err e = { "" };

	write_rules(t.at[JOB], "devices.deny", slurm);
	ck_assert_int_eq(devices_apply(d, DEVICES_OTHERS, one, 1, &e), -1);
	ck_assert_msg(strstr(e.text, "c 231:193") && strstr(e.text, "Slurm") &&
			      strstr(e.text, "job_7/step_0"),
		      "%s", e.text);
	devices_close(d);
	tree_remove(&t);
}
END_TEST

START_TEST(v1_taken_away)
{
	struct tree t = tree_make(v1_root, true);
	const char *const back[] = { "c 231:194 w", NULL }, *const gone[] = { "c 231:193 r", NULL };
	struct devices *d = open_at(t.at[STEP]);
	struct err e = { "" };

	ck_assert_int_eq(devices_check(d, &e), -1); /* nothing applied */
	e.text[0] = '\0';
	apply(d, DEVICES_OTHERS);
	ck_assert_int_eq(devices_drop(d, &e), -1);
	e.text[0] = '\0';
	write_rules(t.at[STEP], "devices.allow", back);
	ck_assert_int_eq(devices_check(d, &e), -1);
	ck_assert_msg(strstr(e.text, "c 231:194 w is allowed") && strstr(e.text, "step_0"), "%s",
		      e.text);
	e.text[0] = '\0';
	ck_assert_ptr_null(devices_text(d, &e));
	write_rules(t.at[STEP], "devices.deny", back);
	ck_assert_int_eq(devices_check(d, NULL), 0);
	write_rules(t.at[STEP], "devices.deny", gone);
	e.text[0] = '\0';
	ck_assert_int_eq(devices_check(d, &e), -1);
	ck_assert_msg(strstr(e.text, "c 231:193 rw is granted"), "%s", e.text);
	tree_remove(&t);
	e.text[0] = '\0';
	ck_assert_int_eq(devices_check(d, &e), -1);
	ck_assert_str_ne(e.text, "");
	devices_close(d);
}
END_TEST

/* ---- v1: any lists of Slurm's or a site's ---- */

static unsigned long seed = 1;
static unsigned below(unsigned n) /* the same numbers on every machine */
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned)(seed >> 33) % n;
}

static void random_rule(char out[DEVICES_PLAN_TEXT])
{
	struct devices_plan_entry x = { 'c', DEVICES_PLAN_ANY, DEVICES_PLAN_ANY, 1 + below(7) };
	const struct devices_node *n = &nodes[below(NODES)];

	if (below(5) > 0) {
		x.major = n->major;
		if (below(3) > 0)
			x.minor = n->minor;
	}
	devices_plan_write(out, &x);
}

/* Random exceptions; false where the kernel refuses one (more than the parent has). */
static void random_rules(int dir, bool deny_all)
{
	static const char *const wide[] = { "c 231:193 rwm", "c 231:* rwm", "c *:* rwm", "c *:* rw",
					    "c *:193 m" };
	char rule[DEVICES_PLAN_TEXT];

	if (deny_all && sys_write_file(dir, "devices.deny", "a") < 0)
		ck_abort_msg("devices.deny: %s", strerror(errno));
	if (deny_all)
		(void)sys_write_file(dir, "devices.allow", wide[below(COUNT(wide))]);
	for (unsigned i = below(6); i > 0; i--) {
		random_rule(rule);
		(void)sys_write_file(dir, deny_all ? "devices.allow" : "devices.deny", rule);
	}
}

/* The cgroup's default and lists are whatever: afterwards exactly what the plan and they allow. */
START_TEST(v1_any_list)
{
	struct tree t = tree_make(v1_root, false);
	unsigned before[LEVELS][NODES], after[LEVELS][NODES], keep[NODES];
	const int levels[] = { STEP, TASK };
	struct err e = { "" };
	struct devices *d;
	struct watch w;
	bool given;
	int rc;

	seed = (unsigned long)_i + 1;
	/* a cgroup takes "a" only while there is none below */
	random_rules(t.at[STEP], below(3) > 0);
	t.at[TASK] = dir_at(t.at[STEP], names[TASK]);
	random_rules(t.at[TASK], below(3) == 0);
	for (size_t i = 0; i < COUNT(levels); i++)
		probe(t.at[levels[i]], before[levels[i]]);
	without_guarded(before[TASK], keep);
	w = watch_begin(t.at[TASK], before[TASK], keep);
	d = open_at(t.at[STEP]);
	given = opens(t.at[STEP], &one[0]);
	rc = devices_apply(d, DEVICES_OTHERS, one, 1, &e);
	for (size_t i = 0; i < COUNT(levels); i++)
		probe(t.at[levels[i]], after[levels[i]]);
	watch_end(&w);
	if (rc == 0) {
		ck_assert(opens(t.at[STEP], &one[0]));
		for (size_t i = 0; i < COUNT(levels); i++)
			expect_others(before[levels[i]], after[levels[i]]);
		ck_assert_msg(devices_check(d, &e) == 0, "%s", e.text);
	} else { /* only for want of the granted one */
		ck_assert_msg(!given, "%s", e.text);
		ck_assert_msg(strstr(e.text, "c 231:193"), "%s", e.text);
	}
	devices_close(d);
	tree_remove(&t);
}
END_TEST

/* ---- v2 ---- */

static int bpf(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* A program that denies one node, as Slurm's do; -1 where the kernel has no such programs. */
static int deny_one(const struct devices_node *n)
{
	const struct devices_plan p = { true, 1, { { n->type, false, n->major, n->minor } } };
	struct bpf_insn insns[DEVICES_PROG_MAX];
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insn_cnt = (uint32_t)devices_prog_make(&p, insns);
	attr.insns = (uintptr_t)insns;
	attr.license = (uintptr_t) "BSD";
	return bpf(BPF_PROG_LOAD, &attr);
}

static int attach(int dir, int prog, uint32_t flags)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)dir;
	attr.attach_bpf_fd = (uint32_t)prog;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = flags;
	return bpf(BPF_PROG_ATTACH, &attr);
}

static int attach_one(int dir, unsigned node, uint32_t flags)
{
	int prog = deny_one(&nodes[node]), rc;

	ck_assert_int_ge(prog, 0);
	rc = attach(dir, prog, flags);
	sys_close(&prog);
	return rc;
}

/* Take off the program of devices_apply, as somebody else might. */
static void detach_ours(int dir)
{
	uint32_t ids[64];
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)dir;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = (uintptr_t)ids;
	attr.query.prog_cnt = COUNT(ids);
	ck_assert_int_eq(bpf(BPF_PROG_QUERY, &attr), 0);
	for (uint32_t n = attr.query.prog_cnt; n > 0; n--) {
		struct bpf_prog_info info;
		union bpf_attr a;
		int prog;

		memset(&a, 0, sizeof(a));
		a.prog_id = ids[n - 1];
		prog = bpf(BPF_PROG_GET_FD_BY_ID, &a);
		ck_assert_int_ge(prog, 0);
		memset(&a, 0, sizeof(a));
		memset(&info, 0, sizeof(info));
		a.info.bpf_fd = (uint32_t)prog;
		a.info.info_len = sizeof(info);
		a.info.info = (uintptr_t)&info;
		ck_assert_int_eq(bpf(BPF_OBJ_GET_INFO_BY_FD, &a), 0);
		if (!strcmp(info.name, "berth_devices")) {
			memset(&a, 0, sizeof(a));
			a.target_fd = (uint32_t)dir;
			a.attach_bpf_fd = (uint32_t)prog;
			a.attach_type = BPF_CGROUP_DEVICE;
			ck_assert_int_eq(bpf(BPF_PROG_DETACH, &a), 0);
		}
		sys_close(&prog);
	}
}

#define NONE UINT32_MAX
static const uint32_t kinds[] = { NONE, 0, BPF_F_ALLOW_OVERRIDE, BPF_F_ALLOW_MULTI };

/*
 * Row 2 of the threat table: whatever programs there are on job, step, user and task, with
 * whatever flags, nothing that they deny is allowed before, during or after; nor does what
 * is attached to a task later change that.  _i: a combination of kinds.
 */
START_TEST(v2_any_programs)
{
	struct tree t = tree_make(v2_root, true);
	const unsigned kind[] = { (unsigned)_i & 3, (unsigned)_i >> 2 & 3, (unsigned)_i >> 4 & 3,
				  (unsigned)_i >> 6 & 3 };
	const int leaves[] = { TASK, STEPD };
	unsigned before[LEVELS][NODES], keep[NODES], after[NODES];
	struct devices *d = open_at(t.at[STEP]);
	struct err e = { "" };
	struct watch w[2];
	int rc;

	for (int level = JOB; level <= TASK; level++)
		if (kinds[kind[level]] != NONE &&
		    attach_one(t.at[level], NJOB + (unsigned)level, kinds[kind[level]]) < 0)
			goto done; /* the kernel takes no such combination, whoever asks */
	for (size_t i = 0; i < COUNT(leaves); i++) {
		probe(t.at[leaves[i]], before[leaves[i]]);
		memset(keep, 0, sizeof(keep));
		keep[NNULL] = keep[N193] = keep[NREST] = 7;
		w[i] = watch_begin(t.at[leaves[i]], before[leaves[i]], keep);
	}
	rc = devices_apply(d, DEVICES_OTHERS, one, 1, &e);
	/* refused only where the kernel can take no second program */
	ck_assert_msg((rc < 0) == (kinds[kind[STEP]] == 0 ||
				   kinds[kind[STEP]] == BPF_F_ALLOW_OVERRIDE ||
				   (kinds[kind[JOB]] == 0)),
		      "%d: %s", _i, e.text);
	ck_assert_int_eq(rc < 0, strstr(e.text, "cannot restrict devices in") != NULL);
	for (size_t i = 0; i < COUNT(leaves); i++) {
		probe(t.at[leaves[i]], after);
		for (size_t n = 0; n < NODES; n++)
			if (rc < 0)
				ck_assert_uint_eq(after[n], before[leaves[i]][n]);
			else if (n < GUARDED)
				ck_assert_uint_eq(after[n], n == N193 ? 7 : 0);
			else
				ck_assert_uint_eq(after[n] & ~before[leaves[i]][n], 0);
	}
	if (rc == 0) {
		ck_assert_msg(devices_check(d, &e) == 0, "%s", e.text);
		ck_assert_msg(devices_drop(d, &e) == 0, "%s", e.text);
		for (size_t i = 0; i < COUNT(leaves); i++) {
			probe(t.at[leaves[i]], after);
			for (size_t n = 0; n < NODES; n++)
				ck_assert_uint_eq(after[n], before[leaves[i]][n]);
		}
	}
	for (size_t i = 0; i < COUNT(leaves); i++)
		watch_end(&w[i]);
	if (rc == 0 && kind[TASK] == 0 &&
	    kinds[kind[USER]] != 0) { /* what Slurm attaches later, to the task */
		apply(d, DEVICES_OTHERS);
		ck_assert_int_eq(attach_one(t.at[TASK], NTASK, 0), 0);
		probe(t.at[TASK], after);
		ck_assert_uint_eq(after[NTASK], 0);
		ck_assert_uint_eq(after[N194], 0);
		ck_assert_uint_eq(after[N193], 7);
		ck_assert_msg(devices_check(d, &e) == 0, "%s", e.text);
	}
done:
	devices_close(d);
	tree_remove(&t);
}
END_TEST

START_TEST(v2_modes)
{
	struct tree t = tree_make(v2_root, true);
	unsigned after[NODES];
	struct devices *d = open_at(t.at[STEP]);
	struct err e = { "" };
	char *text;

	apply(d, DEVICES_STRICT);
	probe(t.at[TASK], after);
	for (size_t i = 0; i < NODES; i++)
		ck_assert_uint_eq(after[i], i == N193 || i == NNULL ? 7 : 0);
	text = devices_text(d, &e);
	ck_assert_msg(text, "%s", e.text);
	ck_assert_ptr_eq(strstr(text, "c 231:193 rwm\nc 1:3 rwm\n"), text);
	free(text);
	devices_close(d); /* the rules stay without us, and end with the cgroup */
	probe(t.at[TASK], after);
	ck_assert_uint_eq(after[N194], 0);
	tree_remove(&t);
}
END_TEST

START_TEST(v2_permits)
{
	struct tree t = tree_make(v2_root, true);
	struct devices *d = open_at(t.at[STEP]);
	struct err e = { "" };
	bool ret;

	permits_as_opens(t.at[TASK]);
	ck_assert_int_eq(attach_one(t.at[JOB], NJOB, BPF_F_ALLOW_MULTI), 0);
	ck_assert_int_eq(attach_one(t.at[STEP], N193, BPF_F_ALLOW_MULTI), 0);
	ck_assert_int_eq(attach_one(t.at[USER], NUSER, BPF_F_ALLOW_MULTI), 0);
	ck_assert_int_eq(attach_one(t.at[TASK], N194, BPF_F_ALLOW_OVERRIDE), 0);
	permits_as_opens(t.at[TASK]);
	permits_as_opens(t.at[STEPD]);
	apply(d, DEVICES_OTHERS);
	permits_as_opens(t.at[TASK]);
	ck_assert_int_eq(devices_permits(d, one, 1, &ret, &e), 0);
	devices_close(d);
	tree_remove(&t);
}
END_TEST

START_TEST(v2_taken_away)
{
	struct tree t = tree_make(v2_root, true);
	struct devices *d = open_at(t.at[STEP]);
	struct err e = { "" };

	ck_assert_int_eq(attach_one(t.at[JOB], NJOB, BPF_F_ALLOW_OVERRIDE), 0);
	apply(d, DEVICES_OTHERS);
	/* the same program again, as the next step of the job loads it; then another one */
	ck_assert_int_eq(attach_one(t.at[JOB], NJOB, BPF_F_ALLOW_OVERRIDE), 0);
	ck_assert_msg(devices_check(d, &e) == 0, "%s", e.text);
	ck_assert_int_eq(attach_one(t.at[JOB], NREST, BPF_F_ALLOW_OVERRIDE), 0);
	ck_assert_int_eq(devices_check(d, &e), -1);
	ck_assert_msg(strstr(e.text, "out of force") && strstr(e.text, "job_7/step_0"), "%s",
		      e.text);
	e.text[0] = '\0';
	detach_ours(t.at[STEP]);
	ck_assert_int_eq(devices_check(d, &e), -1);
	ck_assert_msg(strstr(e.text, "gone"), "%s", e.text);
	devices_close(d);
	tree_remove(&t);
}
END_TEST

/* A task with a program of Slurm's: it takes ours beside it, or says before that it will not. */
START_TEST(v2_takes)
{
	struct tree t = tree_make(v2_root, true);
	const uint32_t flags = kinds[_i];
	const bool closed = flags == 0 || flags == BPF_F_ALLOW_OVERRIDE;
	struct devices *step = open_at(t.at[STEP]), *task = open_at(t.at[TASK]);
	struct err e = { "" };
	unsigned after[NODES];

	apply(step, DEVICES_OTHERS);
	ck_assert(devices_takes(task));
	if (flags != NONE)
		ck_assert_int_eq(attach_one(t.at[TASK], NTASK, flags), 0);
	ck_assert_int_eq(devices_takes(task), !closed);
	ck_assert_int_eq(devices_apply(task, DEVICES_LISTED, one, 1, &e), closed ? -1 : 0);
	probe(t.at[TASK], after);
	ck_assert_uint_eq(after[N193] == 0, !closed);
	ck_assert_uint_eq(after[N194], 0); /* the step's rules, in either case */
	ck_assert(flags == NONE || after[NTASK] == 0);
	devices_close(task);
	devices_close(step);
	tree_remove(&t);
}
END_TEST

START_TEST(v2_full)
{
	struct tree t = tree_make(v2_root, true);
	struct devices *d = open_at(t.at[STEP]);
	struct err e = { "" };
	int n = 0;

	while (attach_one(t.at[STEP], NSTEP, BPF_F_ALLOW_MULTI) == 0)
		n++;
	ck_assert_int_ge(n, 16);
	ck_assert_int_eq(devices_apply(d, DEVICES_OTHERS, one, 1, &e), -1);
	ck_assert_msg(strstr(e.text, "cannot restrict devices in") && strstr(e.text, "step_0"),
		      "%s", e.text);
	devices_close(d);
	tree_remove(&t);
}
END_TEST

/* ---- by a process ---- */

static void by_process(const char *root)
{
	struct tree t = tree_make(root, true);
	int pipes[2], status;
	struct err e = { "" };
	struct devices *d;
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	pid = fork_into(t.at[TASK]);
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
	apply(d, DEVICES_OTHERS);
	devices_close(d);
	d = devices_open(pid, DEVICES_STEP, &e);
	ck_assert_msg(d, "%s", e.text);
	close(pipes[1]);
	waitpid(pid, &status, 0);
	close(pipes[0]);
	apply(d, DEVICES_OTHERS); /* the process need not live */
	devices_close(d);
	ck_assert_ptr_null(devices_open(getpid(), DEVICES_STEP, &e));
	ck_assert_msg(strstr(e.text, "no device cgroup of a Slurm step"), "%s", e.text);
	tree_remove(&t);
}

START_TEST(v1_by_process)
{
	by_process(v1_root);
}
END_TEST

START_TEST(v2_by_process)
{
	by_process(v2_root);
}
END_TEST

/* ---- first what may be granted, then what is ---- */

static void in_two(const char *root, enum devices_mode mode)
{
	const struct devices_node first[] = { nodes[N195], nodes[N193], nodes[NREST],
					      nodes[NHIGH] };
	struct tree t = tree_make(root, true);
	struct devices *d = open_at(t.at[STEP]);
	unsigned before[NODES], after[NODES], keep[NODES] = { 0 };
	struct err e = { "" };
	struct watch w;

	ck_assert_msg(devices_apply(d, mode, first, 4, &e) == 0, "%s", e.text);
	probe(t.at[TASK], before);
	ck_assert_uint_eq(before[N195], 7);
	ck_assert_uint_eq(before[N194], 0);
	keep[N193] = keep[NNULL] = 7;
	w = watch_begin(t.at[TASK], before, keep);
	apply(d, mode);
	probe(t.at[TASK], after);
	watch_end(&w);
	for (size_t i = 0; i < NODES; i++)
		ck_assert_uint_eq(after[i], i == N195 || (mode == DEVICES_STRICT && i >= NREST)
						    ? 0
						    : before[i]);
	/* never wider */
	ck_assert_int_eq(devices_apply(d, mode, first, 1, &e), -1);
	ck_assert_msg(strstr(e.text, "c 231:195 is new"), "%s", e.text);
	ck_assert_int_eq(devices_check(d, NULL), 0);
	ck_assert_int_eq(devices_apply(d, DEVICES_STRICT - mode, one, 1, NULL), -1);
	e.text[0] = '\0';
	ck_assert_msg(devices_apply(d, mode, NULL, 0, &e) == 0, "%s", e.text);
	ck_assert_msg(devices_check(d, &e) == 0, "%s", e.text);
	probe(t.at[TASK], after);
	ck_assert_uint_eq(after[N193], 0);
	devices_close(d);
	tree_remove(&t);
}

START_TEST(v1_in_two)
{
	in_two(v1_root, _i ? DEVICES_STRICT : DEVICES_OTHERS);
}
END_TEST

START_TEST(v2_in_two)
{
	in_two(v2_root, _i ? DEVICES_STRICT : DEVICES_OTHERS);
}
END_TEST

/* ---- what there is ---- */

/* A mount namespace of our own with the scratch nodes, and a mount of v2. */
static bool set_up(void)
{
	if (!mkdtemp(scratch) || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", scratch, "tmpfs", 0, NULL) < 0)
		return false;
	at_scratch = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < NODES; i++) {
		char name[32];

		node_name(name, &nodes[i]);
		if (mknodat(at_scratch, name, S_IFCHR | 0600,
			    makedev(nodes[i].major, nodes[i].minor)) < 0)
			return false;
	}
	snprintf(v2_root, sizeof(v2_root), "%s/v2", scratch);
	if (mkdir(v2_root, 0700) < 0 || mount("none", v2_root, "cgroup2", 0, NULL) < 0)
		v2_root[0] = '\0';
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
static void sweep(const char *root)
{
	DIR *s = opendir(root);
	struct dirent *ent;
	char path[600];

	while (s && (ent = readdir(s)))
		if (!strncmp(ent->d_name, prefix, strlen(prefix))) {
			snprintf(path, sizeof(path), "%s/%s", root, ent->d_name);
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
			snprintf(v1_root, sizeof(v1_root), "%s", at);
	if (f)
		fclose(f);
}

int main(void)
{
	Suite *s = suite_create("devices");
	TCase *v1 = tcase_create("v1"), *v2 = tcase_create("v2");
	int prog, rc;

	if (geteuid() != 0 || !set_up()) {
		puts("skipped: device cgroups: needs root, a mount namespace and device nodes");
		rmdir(scratch);
		return 77;
	}
	snprintf(prefix, sizeof(prefix), "berth-unit.%d", getpid());
	find_v1();
	prog = deny_one(&nodes[NREST]);
	if (prog < 0)
		v2_root[0] = '\0';
	sys_close(&prog);
	suite_add_tcase(s, v1);
	suite_add_tcase(s, v2);
	tcase_set_timeout(v1, 120);
	tcase_set_timeout(v2, 120);
	if (v1_root[0]) {
		tcase_add_test(v1, v1_others);
		tcase_add_test(v1, v1_permits);
		tcase_add_test(v1, v1_early);
		tcase_add_test(v1, v1_strict);
		tcase_add_test(v1, v1_not_slurms);
		tcase_add_test(v1, v1_taken_away);
		tcase_add_test(v1, v1_by_process);
		tcase_add_loop_test(v1, v1_in_two, 0, 2);
		tcase_add_loop_test(v1, v1_any_list, 0, 128);
	} else {
		puts("skipped: v1: no devices hierarchy is mounted");
	}
	if (v2_root[0]) {
		tcase_add_test(v2, v2_modes);
		tcase_add_test(v2, v2_permits);
		tcase_add_test(v2, v2_taken_away);
		tcase_add_loop_test(v2, v2_takes, 0, COUNT(kinds));
		tcase_add_test(v2, v2_full);
		tcase_add_test(v2, v2_by_process);
		tcase_add_loop_test(v2, v2_in_two, 0, 2);
		tcase_add_loop_test(v2, v2_any_programs, 0, 256);
	} else {
		puts("skipped: v2: no cgroup2, or no device programs");
	}
	rc = unit_run(s);
	sweep(v1_root);
	sweep(v2_root);
	if (v2_root[0])
		umount2(v2_root, MNT_DETACH);
	umount2(scratch, MNT_DETACH);
	rmdir(scratch);
	return v1_root[0] || v2_root[0] ? rc : 77;
}
