/* SPDX-License-Identifier: BSD-3-Clause */
/* Which devices a step may use, from the texts that a kernel may show. */
#include <stdio.h>
#include <string.h>

#include "../../helper/cgroups.h"
#include "../../helper/devices_plan.h"
#include "unit.h"

#define DEVICES                                                                                 \
	"Character devices:\n  1 mem\n  5 /dev/tty\n 10 misc\n195 nvidia\n231 infiniband_mad\n" \
	"231 infiniband_verbs\n240 vfio\n241 uio\n242 infiniband_verbs\n243 infiniband_mad\n"   \
	"244 uiox\n\nBlock devices:\n  7 loop\n245 vfio\n"
#define MISC "125 rdma_cm\n196 vfio\n229 fuse\n124 rdma_cmx\n"

static struct devices_plan make(enum devices_mode mode, const struct devices_node *g, size_t n)
{
	struct devices_plan p = { .n = 0 };
	struct err e = { "" };

	ck_assert_int_eq(devices_plan_make(&p, mode, g, n, DEVICES, MISC, &e), 0);
	ck_assert_str_eq(e.text, "");
	return p;
}

START_TEST(others)
{
	const struct devices_node g[] = { { 'c', 231, 193 }, { 'c', 242, 4 }, { 'c', 10, 125 } };
	struct devices_plan p = make(DEVICES_OTHERS, g, 3);
	const uint32_t denied[][2] = { { 231, 0 },   { 231, 64 },  { 231, 192 }, { 231, 194 },
				       { 231, 255 }, { 240, 0 },   { 241, 9 },	 { 242, 3 },
				       { 242, 5 },   { 243, 900 }, { 10, 196 } };
	const uint32_t allowed[][2] = { { 231, 193 }, { 242, 4 },  { 10, 125 },
					{ 10, 229 },  { 10, 124 }, { 1, 3 },
					{ 195, 0 },   { 244, 0 },  { 245, 0 } };

	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
		ck_assert_msg(!devices_plan_allows(&p, 'c', denied[i][0], denied[i][1]), "c %u:%u",
			      denied[i][0], denied[i][1]);
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		ck_assert_msg(devices_plan_allows(&p, 'c', allowed[i][0], allowed[i][1]), "c %u:%u",
			      allowed[i][0], allowed[i][1]);
	ck_assert(devices_plan_allows(&p, 'b', 231, 192));
	/* a kernel without any of the drivers */
	ck_assert_int_eq(devices_plan_make(&p, DEVICES_OTHERS, NULL, 0, "", "", NULL), 0);
	ck_assert(!devices_plan_allows(&p, 'c', 231, 192));
	ck_assert(!devices_plan_allows(&p, 'c', 10, 196));
	ck_assert(devices_plan_allows(&p, 'c', 10, 125));
}
END_TEST

START_TEST(strict)
{
	const struct devices_node g[] = { { 'c', 231, 193 } };
	struct devices_plan p = make(DEVICES_STRICT, g, 1);
	const uint32_t allowed[][2] = { { 1, 3 },   { 1, 5 },	  { 1, 7 },    { 1, 8 },
					{ 1, 9 },   { 5, 0 },	  { 5, 2 },    { 10, 229 },
					{ 136, 0 }, { 143, 255 }, { 231, 193 } };

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		ck_assert(devices_plan_allows(&p, 'c', allowed[i][0], allowed[i][1]));
	ck_assert(!devices_plan_allows(&p, 'c', 1, 1));
	ck_assert(!devices_plan_allows(&p, 'c', 5, 1));
	ck_assert(!devices_plan_allows(&p, 'c', 195, 0));
	ck_assert(!devices_plan_allows(&p, 'c', 231, 192));
	ck_assert(!devices_plan_allows(&p, 'b', 7, 0));
}
END_TEST

START_TEST(refused)
{
	const struct devices_node bad[] = { { 'c', 231, 0 },
					    { 'c', 231, 64 },
					    { 'c', 243, 7 },
					    { 'x', 231, 193 },
					    { 'c', 0, 3 },
					    { 'c', 512, 0 },
					    { 'c', 231, DEVICES_PLAN_ANY },
					    { 'b', 7, 1U << 20 } };
	struct devices_node many[DEVICES_GRANT_MAX + 1];
	char text[4096] = "";
	struct devices_plan p;
	struct err e;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e.text[0] = '\0';
		ck_assert_int_eq(devices_plan_make(&p, DEVICES_OTHERS, &bad[i], 1, DEVICES, MISC,
						   &e),
				 -1);
		ck_assert_str_ne(e.text, "");
	}
	for (size_t i = 0; i < DEVICES_GRANT_MAX + 1; i++)
		many[i] = (struct devices_node){ 'c', 242, (uint32_t)i };
	e.text[0] = '\0';
	ck_assert_int_eq(devices_plan_make(&p, DEVICES_STRICT, many, DEVICES_GRANT_MAX + 1, DEVICES,
					   MISC, &e),
			 -1);
	ck_assert_int_eq(devices_plan_make(&p, DEVICES_STRICT, many, DEVICES_GRANT_MAX, DEVICES,
					   MISC, NULL),
			 0);
	for (int i = 0; i < 200; i++)
		sprintf(text + strlen(text), "%d vfio%d\n", 240 + i, i);
	ck_assert_int_eq(devices_plan_make(&p, DEVICES_OTHERS, NULL, 0, text, MISC, &e), -1);
	ck_assert(strstr(e.text, "129 devices"));
}
END_TEST

struct text {
	char s[65536];
	int n;
};

static int collect(const struct devices_plan_entry *x, void *arg)
{
	struct text *t = arg;
	char line[DEVICES_PLAN_TEXT];

	sprintf(t->s + strlen(t->s), "%s\n", devices_plan_write(line, x));
	t->n++;
	return 0;
}

START_TEST(expand)
{
	const struct devices_node g[] = { { 'c', 231, 193 } };
	struct devices_plan p = make(DEVICES_OTHERS, g, 1);
	struct devices_plan_entry all = { 'c', DEVICES_PLAN_ANY, DEVICES_PLAN_ANY, 7 },
				  wide = { 'c', 231, DEVICES_PLAN_ANY, DEVICES_PLAN_R };
	struct devices_plan_tops tops;
	struct err e = { "" };
	static struct text t;

	ck_assert_int_eq(
		devices_plan_tops(&tops, &p,
				  "231:300\n10:300\n.\n..\n1:90000\n600:1\n5:99999999999\n",
				  "8:4000\n", &e),
		0);
	ck_assert_uint_eq(tops.top[0][231], 255);
	ck_assert_uint_eq(tops.top[0][10], 556);
	ck_assert_uint_eq(tops.top[0][1], 255); /* a "*" will do */
	ck_assert_int_eq(devices_plan_tops(&tops, &p, "10:300\n10:20000\n", "", &e), -1);
	ck_assert(strstr(e.text, "c 10:20000"));
	ck_assert_int_eq(devices_plan_tops(&tops, &p, "10:3\n", "", NULL), 0);
	ck_assert_int_eq(devices_plan_expand(&p, &tops, all, false, collect, &t), 0);
	ck_assert(strstr(t.s, "c 231:192 rwm\n") && strstr(t.s, "c 231:255 rwm\n"));
	ck_assert(!strstr(t.s, "c 231:193 ") && !strstr(t.s, "231:*") && !strstr(t.s, "231:256"));
	ck_assert(strstr(t.s, "c 240:* rwm\n") && strstr(t.s, "c 10:125 rwm\n"));
	ck_assert_int_eq(t.n, 255 + 4 + 2); /* vfio, uio and two of infiniband; two misc */
	memset(&t, 0, sizeof(t));
	ck_assert_int_eq(devices_plan_expand(&p, &tops, wide, true, collect, &t), 0);
	ck_assert_str_eq(t.s, "c 231:193 r\n");
	memset(&t, 0, sizeof(t));
	all.type = 'b';
	ck_assert_int_eq(devices_plan_expand(&p, &tops, all, false, collect, &t), 0);
	ck_assert_int_eq(devices_plan_expand(&p, &tops, all, true, collect, &t), 0);
	ck_assert_str_eq(t.s, "b *:* rwm\n");
}
END_TEST

/* When the existing devices count for what is denied. */
START_TEST(lists)
{
	const struct devices_node g[] = { { 'c', 231, 193 }, { 'c', 10, 125 }, { 'c', 242, 4 } };
	struct devices_plan p = make(DEVICES_OTHERS, g, 2);

	ck_assert(!devices_plan_lists(&p,
				      'c')); /* 231 ends at 255; of 10 only named ones are denied */
	p = make(DEVICES_OTHERS, g, 3);
	ck_assert(devices_plan_lists(&p, 'c')); /* uverbs devices beyond the 32nd */
	ck_assert(!devices_plan_lists(&p, 'b'));
	p = make(DEVICES_OTHERS, NULL, 0);
	ck_assert(!devices_plan_lists(&p, 'c'));
	p = make(DEVICES_STRICT, g, 1);
	ck_assert(devices_plan_lists(&p, 'c'));
	ck_assert(!devices_plan_lists(&p, 'b'));
}
END_TEST

START_TEST(lines)
{
	static const char *const good[] = { "a *:* rwm", "c 231:193 rw", "b *:* m", "c *:5 r",
					    "c 4294967294:0 w" };
	static const char *const bad[] = { "",
					   "c",
					   "c 1:3",
					   "x 1:3 rwm",
					   "c 1:3 rwx",
					   "c 1 3 rwm",
					   "c :3 rwm",
					   "c 1: rwm",
					   "c -1:3 r",
					   "c 1:3  rwm",
					   "a 1:3 rwm",
					   " c 1:3 rwm",
					   "c 4294967296:0 r",
					   "c 1:3 rwm\n",
					   "c **:1 rwm" };
	char line[DEVICES_PLAN_TEXT];
	struct devices_plan_entry x;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(devices_plan_read(good[i], strlen(good[i]), &x) == 0, "%s", good[i]);
		ck_assert_str_eq(devices_plan_write(line, &x), good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(devices_plan_read(bad[i], strlen(bad[i]), &x) < 0, "%s", bad[i]);
}
END_TEST

#define MOUNTS                                                          \
	"30 1 0:30 / /sys/fs/cgroup/freezer rw - cgroup c rw,freezer\n" \
	"31 1 0:31 / /sys/fs/cgroup/devices rw - cgroup c rw,devices\n" \
	"32 1 0:32 / /sys/fs/cgroup/unified rw - cgroup2 c rw\n"

static const char *find(const char *text, bool task)
{
	static char path[CGROUPS_PATH_MAX];
	char copy[512];

	snprintf(copy, sizeof(copy), "%s", text);
	return cgroups_find_devices(copy, MOUNTS, task, path) == 0 ? path : "";
}

START_TEST(where)
{
#define V1 "5:freezer:/slurm/uid_1/job_2\n4:devices:/slurm/uid_1/job_2/step_3/task_0\n"
	ck_assert_str_eq(find(V1 "0::/\n", false),
			 "/sys/fs/cgroup/devices/slurm/uid_1/job_2/step_3");
	ck_assert_str_eq(find(V1 "0::/\n", true),
			 "/sys/fs/cgroup/devices/slurm/uid_1/job_2/step_3/task_0");
	/* v2, with an unused v1 hierarchy and without */
	ck_assert_str_eq(find("4:devices:/\n0::/slurmstepd.scope/job_2/step_batch/slurm\n", false),
			 "/sys/fs/cgroup/unified/slurmstepd.scope/job_2/step_batch");
	ck_assert_str_eq(find("0::/s.scope/job_2/step_0/user/task_1\n", true),
			 "/sys/fs/cgroup/unified/s.scope/job_2/step_0/user/task_1");
	/* both: Slurm's limits are v1's */
	ck_assert_str_eq(find("0::/s/job_2/step_3/slurm\n" V1, false),
			 "/sys/fs/cgroup/devices/slurm/uid_1/job_2/step_3");
	ck_assert_str_eq(find("4:devices:/\n0::/\n", false), "");
	ck_assert_str_eq(find("4:devices:/slurm/uid_1/job_2\n", false), "");
	ck_assert_str_eq(find(V1, false) + 0, "/sys/fs/cgroup/devices/slurm/uid_1/job_2/step_3");
	ck_assert_str_eq(find("4:devices:/job_1/step_3\n", true), "");
	ck_assert_str_eq(find("garbage\n::\n", false), "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("devices_plan");
	TCase *tc = tcase_create("devices_plan");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, others);
	tcase_add_test(tc, strict);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, expand);
	tcase_add_test(tc, lists);
	tcase_add_test(tc, lines);
	tcase_add_test(tc, where);
	return unit_run(s);
}
