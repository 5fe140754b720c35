/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Device rules on cgroup v1 (devtree.h), with lists as Slurm, a site and chance leave them.
 *
 * Needs root, and v1's devices hierarchy.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../helper/devices_plan.h"
#include "../../helper/sys.h"
#include "devtree.h"

static void write_rules(int dir, const char *file, const char *const *rules)
{
	for (; *rules; rules++)
		ck_assert_msg(sys_write_file(dir, file, *rules) == 0, "%s: %s", *rules,
			      strerror(errno));
}

START_TEST(v1_others)
{
	struct devtree t = devtree_make(true);
	const char *const slurm[] = { "c 195:1 rwm", "c 195:2 w", NULL };
	unsigned before[NODES], keep[NODES], after[NODES];
	struct devices *d = devtree_open(t.at[STEP]);
	struct err e = { "" };
	struct devtree_watch w;
	char *text;
	int late;

	write_rules(t.at[JOB], "devices.deny", slurm);
	devtree_probe(t.at[TASK], before);
	ck_assert_uint_eq(before[NJOB], 0);
	ck_assert_uint_eq(before[NSTEP], DEVICES_PLAN_R | DEVICES_PLAN_M);
	devtree_without_guarded(before, keep);
	w = devtree_watch(t.at[TASK], before, keep);
	devtree_apply(d, DEVICES_OTHERS);
	devtree_probe(t.at[TASK], after);
	devtree_expect_others(before, after);
	devtree_watch_end(&w);
	devtree_probe(t.at[STEP], after);
	devtree_expect_others(before, after);
	late = devtree_dir(t.at[STEP], "task_1"); /* of a task that comes later */
	devtree_probe(late, after);
	devtree_expect_others(before, after);
	ck_assert_int_eq(unlinkat(t.at[STEP], "task_1", AT_REMOVEDIR), 0);
	devtree_probe(t.at[JOB], after); /* beside the step nothing changes */
	for (size_t i = 0; i < NODES; i++)
		ck_assert_uint_eq(after[i], before[i]);
	text = devices_text(d, &e);
	ck_assert_msg(text, "%s", e.text);
	ck_assert_ptr_eq(strstr(text, "a *:* rwm\nc 231:193 rwm\ndeny c 231:* rwm\n"), text);
	free(text);
	devices_close(d);
	sys_close(&late);
	devtree_remove(&t);
}
END_TEST

START_TEST(v1_permits)
{
	struct devtree t = devtree_make(true);
	const char *const job[] = { "c 195:1 rwm", "c 231:194 w", "c 231:0 m", NULL };
	const char *const task[] = { "c 231:192 rwm", "c 195:* rwm", NULL };
	const char *const all[] = { "a", NULL };
	const char *const some[] = { "c 231:193 rw", "c 231:195 r", "c 1:* rw", NULL };

	devtree_permits(t.at[TASK]);
	write_rules(t.at[JOB], "devices.deny", job);
	write_rules(t.at[TASK], "devices.deny", task);
	devtree_permits(t.at[TASK]);
	devtree_permits(t.at[STEP]);
	devtree_remove(&t);
	t = devtree_make(false); /* "a" needs a cgroup with none below */
	write_rules(t.at[STEP], "devices.deny", all);
	write_rules(t.at[STEP], "devices.allow", some);
	devtree_permits(t.at[STEP]);
	devtree_remove(&t);
}
END_TEST

/* Early, with what may be granted, where Slurm has denied some of that. */
START_TEST(v1_early)
{
	struct devtree t = devtree_make(true);
	const char *const slurm[] = { "c 231:192 rwm", NULL };
	unsigned after[NODES];
	struct devices *d = devtree_open(t.at[STEP]);
	struct err e = { "" };

	write_rules(t.at[STEP], "devices.deny", slurm);
	ck_assert_msg(devices_apply_early(d, DEVICES_OTHERS, devtree_nodes, 3, &e) == 0, "%s",
		      e.text);
	devtree_probe(t.at[TASK], after);
	ck_assert_uint_eq(after[N192], 0);
	ck_assert_uint_eq(after[N193], 7);
	ck_assert_uint_eq(after[N194], 7);
	ck_assert_uint_eq(after[N195], 0);
	ck_assert_int_eq(devices_apply(d, DEVICES_OTHERS, devtree_nodes, 1, &e), -1);
	ck_assert_msg(strstr(e.text, "c 231:192 rw is granted, but Slurm's device limits deny it"),
		      "%s", e.text);
	devtree_apply(d, DEVICES_OTHERS);
	devtree_probe(t.at[TASK], after);
	ck_assert_uint_eq(after[N193], 7);
	ck_assert_uint_eq(after[N194], 0);
	devices_close(d);
	devtree_remove(&t);
}
END_TEST

START_TEST(v1_strict)
{
	struct devtree t = devtree_make(true);
	unsigned before[NODES], after[NODES];
	struct devices *d = devtree_open(t.at[STEP]);
	struct err e = { "" };
	char *text;

	devtree_probe(t.at[TASK], before);
	devtree_apply(d, DEVICES_STRICT);
	devtree_probe(t.at[TASK], after);
	for (size_t i = 0; i < NODES; i++)
		ck_assert_uint_eq(after[i], i == N193 || i == NNULL ? before[i] : 0);
	text = devices_text(d, &e);
	ck_assert_msg(text, "%s", e.text);
	ck_assert_ptr_eq(strstr(text, "c 231:193 rwm\nc 1:3 rwm\n"), text);
	free(text);
	devices_close(d);
	devtree_remove(&t);
}
END_TEST

/* What Slurm denies of the granted is an error, not a surprise. */
START_TEST(v1_not_slurms)
{
	struct devtree t = devtree_make(true);
	const char *const slurm[] = { "c 231:193 rwm", NULL };
	struct devices *d = devtree_open(t.at[STEP]);
	struct err e = { "" };

	write_rules(t.at[JOB], "devices.deny", slurm);
	ck_assert_int_eq(devices_apply(d, DEVICES_OTHERS, devtree_one, 1, &e), -1);
	ck_assert_msg(strstr(e.text, "c 231:193") && strstr(e.text, "Slurm") &&
			      strstr(e.text, "job_7/step_0"),
		      "%s", e.text);
	devices_close(d);
	devtree_remove(&t);
}
END_TEST

START_TEST(v1_taken_away)
{
	struct devtree t = devtree_make(true);
	const char *const back[] = { "c 231:194 w", NULL }, *const gone[] = { "c 231:193 r", NULL };
	struct devices *d = devtree_open(t.at[STEP]);
	struct err e = { "" };

	ck_assert_int_eq(devices_check(d, &e), -1); /* nothing applied */
	e.text[0] = '\0';
	devtree_apply(d, DEVICES_OTHERS);
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
	devtree_remove(&t);
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
	const struct devices_node *n = &devtree_nodes[below(NODES)];

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
	struct devtree t = devtree_make(false);
	unsigned before[LEVELS][NODES], after[LEVELS][NODES], keep[NODES];
	const int levels[] = { STEP, TASK };
	struct err e = { "" };
	struct devices *d;
	struct devtree_watch w;
	bool given;
	int rc;

	seed = (unsigned long)_i + 1;
	/* a cgroup takes "a" only while there is none below */
	random_rules(t.at[STEP], below(3) > 0);
	t.at[TASK] = devtree_dir(t.at[STEP], "task_0");
	random_rules(t.at[TASK], below(3) == 0);
	for (size_t i = 0; i < COUNT(levels); i++)
		devtree_probe(t.at[levels[i]], before[levels[i]]);
	devtree_without_guarded(before[TASK], keep);
	w = devtree_watch(t.at[TASK], before[TASK], keep);
	d = devtree_open(t.at[STEP]);
	given = devtree_opens(t.at[STEP], &devtree_one[0]);
	rc = devices_apply(d, DEVICES_OTHERS, devtree_one, 1, &e);
	for (size_t i = 0; i < COUNT(levels); i++)
		devtree_probe(t.at[levels[i]], after[levels[i]]);
	devtree_watch_end(&w);
	if (rc == 0) {
		ck_assert(devtree_opens(t.at[STEP], &devtree_one[0]));
		for (size_t i = 0; i < COUNT(levels); i++)
			devtree_expect_others(before[levels[i]], after[levels[i]]);
		ck_assert_msg(devices_check(d, &e) == 0, "%s", e.text);
	} else { /* only for want of the granted one */
		ck_assert_msg(!given, "%s", e.text);
		ck_assert_msg(strstr(e.text, "c 231:193"), "%s", e.text);
	}
	devices_close(d);
	devtree_remove(&t);
}
END_TEST

/* ---- as on v2 ---- */

START_TEST(v1_by_process)
{
	devtree_by_process();
}
END_TEST

START_TEST(v1_in_two)
{
	devtree_in_two(_i ? DEVICES_STRICT : DEVICES_OTHERS);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("devices on cgroup v1");
	TCase *v1 = tcase_create("v1");
	int rc = 77;

	suite_add_tcase(s, v1);
	tcase_set_timeout(v1, 120);
	tcase_add_test(v1, v1_others);
	tcase_add_test(v1, v1_permits);
	tcase_add_test(v1, v1_early);
	tcase_add_test(v1, v1_strict);
	tcase_add_test(v1, v1_not_slurms);
	tcase_add_test(v1, v1_taken_away);
	tcase_add_test(v1, v1_by_process);
	tcase_add_loop_test(v1, v1_in_two, 0, 2);
	tcase_add_loop_test(v1, v1_any_list, 0, 128);
	if (!devtree_begin(false)) {
		puts("skipped: device cgroups: needs root, a mount namespace and device nodes");
		return 77;
	}
	if (devtree_root[0])
		rc = unit_run(s);
	else
		puts("skipped: v1: no devices hierarchy is mounted");
	devtree_end();
	return rc;
}
