/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Device rules on cgroup v2 (devtree.h), with programs as Slurm and others leave them.
 *
 * Needs root, BPF, and a cgroup2 that can be mounted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../helper/devices_plan.h"
#include "../../helper/devices_prog.h"
#include "../../helper/sys.h"
#include "devtree.h"

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
	int prog = deny_one(&devtree_nodes[node]), rc;

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
	struct devtree t = devtree_make(true);
	const unsigned kind[] = { (unsigned)_i & 3, (unsigned)_i >> 2 & 3, (unsigned)_i >> 4 & 3,
				  (unsigned)_i >> 6 & 3 };
	const int leaves[] = { TASK, STEPD };
	unsigned before[LEVELS][NODES], keep[NODES], after[NODES];
	struct devices *d = devtree_open(t.at[STEP]);
	struct err e = { "" };
	struct devtree_watch w[2];
	int rc;

	for (int level = JOB; level <= TASK; level++)
		if (kinds[kind[level]] != NONE &&
		    attach_one(t.at[level], NJOB + (unsigned)level, kinds[kind[level]]) < 0)
			goto done; /* the kernel takes no such combination, whoever asks */
	for (size_t i = 0; i < COUNT(leaves); i++) {
		devtree_probe(t.at[leaves[i]], before[leaves[i]]);
		memset(keep, 0, sizeof(keep));
		keep[NNULL] = keep[N193] = keep[NREST] = 7;
		w[i] = devtree_watch(t.at[leaves[i]], before[leaves[i]], keep);
	}
	rc = devices_apply(d, DEVICES_OTHERS, devtree_one, 1, &e);
	/* refused only where the kernel can take no second program */
	ck_assert_msg((rc < 0) == (kinds[kind[STEP]] == 0 ||
				   kinds[kind[STEP]] == BPF_F_ALLOW_OVERRIDE ||
				   (kinds[kind[JOB]] == 0)),
		      "%d: %s", _i, e.text);
	ck_assert_int_eq(rc < 0, strstr(e.text, "cannot restrict devices in") != NULL);
	for (size_t i = 0; i < COUNT(leaves); i++) {
		devtree_probe(t.at[leaves[i]], after);
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
			devtree_probe(t.at[leaves[i]], after);
			for (size_t n = 0; n < NODES; n++)
				ck_assert_uint_eq(after[n], before[leaves[i]][n]);
		}
	}
	for (size_t i = 0; i < COUNT(leaves); i++)
		devtree_watch_end(&w[i]);
	if (rc == 0 && kind[TASK] == 0 &&
	    kinds[kind[USER]] != 0) { /* what Slurm attaches later, to the task */
		devtree_apply(d, DEVICES_OTHERS);
		ck_assert_int_eq(attach_one(t.at[TASK], NTASK, 0), 0);
		devtree_probe(t.at[TASK], after);
		ck_assert_uint_eq(after[NTASK], 0);
		ck_assert_uint_eq(after[N194], 0);
		ck_assert_uint_eq(after[N193], 7);
		ck_assert_msg(devices_check(d, &e) == 0, "%s", e.text);
	}
done:
	devices_close(d);
	devtree_remove(&t);
}
END_TEST

START_TEST(v2_modes)
{
	struct devtree t = devtree_make(true);
	unsigned after[NODES];
	struct devices *d = devtree_open(t.at[STEP]);
	struct err e = { "" };
	char *text;

	devtree_apply(d, DEVICES_STRICT);
	devtree_probe(t.at[TASK], after);
	for (size_t i = 0; i < NODES; i++)
		ck_assert_uint_eq(after[i], i == N193 || i == NNULL ? 7 : 0);
	text = devices_text(d, &e);
	ck_assert_msg(text, "%s", e.text);
	ck_assert_ptr_eq(strstr(text, "c 231:193 rwm\nc 1:3 rwm\n"), text);
	free(text);
	devices_close(d); /* the rules stay without us, and end with the cgroup */
	devtree_probe(t.at[TASK], after);
	ck_assert_uint_eq(after[N194], 0);
	devtree_remove(&t);
}
END_TEST

START_TEST(v2_permits)
{
	struct devtree t = devtree_make(true);
	struct devices *d = devtree_open(t.at[STEP]);
	struct err e = { "" };
	bool ret;

	devtree_permits(t.at[TASK]);
	ck_assert_int_eq(attach_one(t.at[JOB], NJOB, BPF_F_ALLOW_MULTI), 0);
	ck_assert_int_eq(attach_one(t.at[STEP], N193, BPF_F_ALLOW_MULTI), 0);
	ck_assert_int_eq(attach_one(t.at[USER], NUSER, BPF_F_ALLOW_MULTI), 0);
	ck_assert_int_eq(attach_one(t.at[TASK], N194, BPF_F_ALLOW_OVERRIDE), 0);
	devtree_permits(t.at[TASK]);
	devtree_permits(t.at[STEPD]);
	devtree_apply(d, DEVICES_OTHERS);
	devtree_permits(t.at[TASK]);
	ck_assert_int_eq(devices_permits(d, devtree_one, 1, &ret, &e), 0);
	devices_close(d);
	devtree_remove(&t);
}
END_TEST

/* A process that is put into a frozen cgroup does not run until somebody thaws it. */
START_TEST(v2_permits_frozen)
{
	struct devtree t = devtree_make(true);
	struct devices *d = devtree_open(t.at[TASK]);
	struct err e = { "" };
	bool ret;

	ck_assert_int_eq(sys_write_file(t.at[TASK], "cgroup.freeze", "1"), 0);
	ck_assert_int_eq(devices_permits(d, devtree_one, 1, &ret, &e), -1);
	ck_assert_msg(strstr(e.text, strerror(ETIMEDOUT)) != NULL, "%s", e.text);
	ck_assert_int_eq(sys_write_file(t.at[TASK], "cgroup.freeze", "0"), 0);
	devices_close(d);
	devtree_remove(&t);
}
END_TEST

START_TEST(v2_taken_away)
{
	struct devtree t = devtree_make(true);
	struct devices *d = devtree_open(t.at[STEP]);
	struct err e = { "" };

	ck_assert_int_eq(attach_one(t.at[JOB], NJOB, BPF_F_ALLOW_OVERRIDE), 0);
	devtree_apply(d, DEVICES_OTHERS);
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
	devtree_remove(&t);
}
END_TEST

/* A task with a program of Slurm's: it takes ours beside it, or says before that it will not. */
START_TEST(v2_takes)
{
	struct devtree t = devtree_make(true);
	const uint32_t flags = kinds[_i];
	const bool closed = flags == 0 || flags == BPF_F_ALLOW_OVERRIDE;
	struct devices *step = devtree_open(t.at[STEP]), *task = devtree_open(t.at[TASK]);
	struct err e = { "" };
	unsigned after[NODES];

	devtree_apply(step, DEVICES_OTHERS);
	ck_assert(devices_takes(task));
	if (flags != NONE)
		ck_assert_int_eq(attach_one(t.at[TASK], NTASK, flags), 0);
	ck_assert_int_eq(devices_takes(task), !closed);
	ck_assert_int_eq(devices_apply(task, DEVICES_LISTED, devtree_one, 1, &e), closed ? -1 : 0);
	devtree_probe(t.at[TASK], after);
	ck_assert_uint_eq(after[N193] == 0, !closed);
	ck_assert_uint_eq(after[N194], 0); /* the step's rules, in either case */
	ck_assert(flags == NONE || after[NTASK] == 0);
	devices_close(task);
	devices_close(step);
	devtree_remove(&t);
}
END_TEST

START_TEST(v2_full)
{
	struct devtree t = devtree_make(true);
	struct devices *d = devtree_open(t.at[STEP]);
	struct err e = { "" };
	int n = 0;

	while (attach_one(t.at[STEP], NSTEP, BPF_F_ALLOW_MULTI) == 0)
		n++;
	ck_assert_int_ge(n, 16);
	ck_assert_int_eq(devices_apply(d, DEVICES_OTHERS, devtree_one, 1, &e), -1);
	ck_assert_msg(strstr(e.text, "cannot restrict devices in") && strstr(e.text, "step_0"),
		      "%s", e.text);
	devices_close(d);
	devtree_remove(&t);
}
END_TEST

/* ---- as on v1 ---- */

START_TEST(v2_by_process)
{
	devtree_by_process();
}
END_TEST

START_TEST(v2_in_two)
{
	devtree_in_two(_i ? DEVICES_STRICT : DEVICES_OTHERS);
}
END_TEST

/* Does the kernel have such programs? */
static bool has_programs(void)
{
	int prog = deny_one(&devtree_nodes[NREST]);
	const bool has = prog >= 0;

	sys_close(&prog);
	return has;
}

int main(void)
{
	Suite *s = suite_create("devices on cgroup v2");
	TCase *v2 = tcase_create("v2");
	int rc = 77;

	suite_add_tcase(s, v2);
	tcase_set_timeout(v2, 120);
	tcase_add_test(v2, v2_modes);
	tcase_add_test(v2, v2_permits);
	tcase_add_test(v2, v2_permits_frozen);
	tcase_add_test(v2, v2_taken_away);
	tcase_add_loop_test(v2, v2_takes, 0, COUNT(kinds));
	tcase_add_test(v2, v2_full);
	tcase_add_test(v2, v2_by_process);
	tcase_add_loop_test(v2, v2_in_two, 0, 2);
	tcase_add_loop_test(v2, v2_any_programs, 0, 256);
	if (!devtree_begin(true)) {
		puts("skipped: device cgroups: needs root, a mount namespace and device nodes");
		return 77;
	}
	if (devtree_root[0] && has_programs())
		rc = unit_run(s);
	else
		puts("skipped: v2: no cgroup2, or no device programs");
	devtree_end();
	return rc;
}
