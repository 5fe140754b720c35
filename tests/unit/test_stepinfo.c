/* SPDX-License-Identifier: BSD-3-Clause */
/* Which of many sources decides on the node, and what slurmstepd's own socket is called. */
#include <string.h>

#include "../../spank/stepinfo.h"
#include "slurm_stub.h"
#include "unit.h"

static bool container;

static const char *node_image(void)
{
	static struct option_set s;
	struct err e = { "" };

	option_set_done(&s);
	ck_assert_msg(stepinfo_options(NULL, &s, &container, &e) == 0, "%s", e.text);
	ck_assert_int_eq(container, s.v[OPTION_IMAGE] || s.v[OPTION_JOIN]);
	return s.v[OPTION_IMAGE];
}

static void node_refuses(void)
{
	struct option_set s;
	struct err e = { "" };

	ck_assert_int_lt(stepinfo_options(NULL, &s, &container, &e), 0);
	ck_assert(container); /* never the host instead */
	ck_assert_uint_gt(strlen(e.text), 0);
}

START_TEST(node_sources_by_rank)
{
	ck_assert_ptr_null(node_image());
	slurm_job_env("BERTH_CONTAINER_IMAGE", "/input");
	ck_assert_str_eq(node_image(), "/input");
	slurm_job_env("SLURM_CONTAINER", "/slurm");
	ck_assert_str_eq(node_image(), "/slurm");
	slurm_call("container-image", "/callback", 1);
	ck_assert_str_eq(node_image(), "/callback");
	slurm_job_env("SLURM_SPANK_BERTH_CONTAINER_IMAGE", "/sbatch");
	ck_assert_str_eq(node_image(), "/sbatch");
	slurm_job_env("SLURM_BERTH_CONTAINER_IMAGE", "/carrier");
	ck_assert_str_eq(node_image(), "/carrier");
	slurm_job_env("SLURM_BERTH_CONTAINER_IMAGE", "");
	ck_assert_ptr_null(node_image());
	slurm_job_env("BERTH_CONTAINER_JOIN", "1");
	ck_assert_ptr_null(node_image());
	ck_assert(!container);
	slurm_job_env("SLURM_BERTH_CONTAINER_JOIN", "1");
	ck_assert_ptr_null(node_image());
	ck_assert(container);
}
END_TEST

START_TEST(node_off_by_callback)
{
	slurm_job_env("SLURM_CONTAINER", "/slurm");
	slurm_call("no-container", "", 1);
	ck_assert_ptr_null(node_image());
	ck_assert(!container);
}
END_TEST

START_TEST(node_trusts_nothing)
{
	slurm_job_env("SLURM_BERTH_CONTAINER_IMAGE", "relative");
	node_refuses();
	slurm_job_env("SLURM_BERTH_CONTAINER_IMAGE", unit_filled(5000, '/'));
	node_refuses();
	slurm_job_env("SLURM_BERTH_CONTAINER_IMAGE", "/a\x1b[2J");
	node_refuses();
	slurm_job_env("SLURM_BERTH_CONTAINER_IMAGE", "/a");
	slurm_job_env("SLURM_BERTH_CONTAINER_WRITABLE", "perhaps");
	node_refuses();
	slurm_job_env("SLURM_BERTH_CONTAINER_WRITABLE", "yes");
	slurm_job_env("SLURM_BERTH_CONTAINER_MOUNTS", "/a:/b/../..");
	node_refuses();
	slurm_job_env("SLURM_BERTH_CONTAINER_MOUNTS", "/a:/b");
	ck_assert_str_eq(node_image(), "/a");
	slurm_call("container-unshare", unit_filled(5000, 'x'), 1);
	node_refuses();
}
END_TEST

START_TEST(other_options_need_no_care_without_image)
{
	slurm_job_env("BERTH_CONTAINER_WRITABLE", "perhaps");
	ck_assert_ptr_null(node_image());
	ck_assert(!container);
}
END_TEST

START_TEST(own_socket_is_known)
{
	ck_assert(stepinfo_is_step_socket("/s/n1_12.3", 12, 3));
	ck_assert(stepinfo_is_step_socket("/s/n1_12.4294967291", 12, 4294967291u));
	ck_assert(stepinfo_is_step_socket("/s/n1_12.3.0", 12, 3));
	ck_assert(stepinfo_is_step_socket("/s/n_1.2_12.3", 12, 3));
	ck_assert(!stepinfo_is_step_socket("/s/n1_12.3", 2, 3));
	ck_assert(!stepinfo_is_step_socket("/s/n1_12.33", 12, 3));
	ck_assert(!stepinfo_is_step_socket("/s/n1_12.3.x", 12, 3));
	ck_assert(!stepinfo_is_step_socket("n1_12.3", 12, 3));
	ck_assert(!stepinfo_is_step_socket("", 12, 3));
	ck_assert(!stepinfo_is_step_socket("/", 12, 3));
	ck_assert(!stepinfo_is_step_socket("/12.3", 12, 3));
	ck_assert(!stepinfo_is_step_socket("/.", 12, 3));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stepinfo");
	TCase *t = tcase_create("stepinfo");

	tcase_add_checked_fixture(t, slurm_begin, slurm_end);
	tcase_add_test(t, node_sources_by_rank);
	tcase_add_test(t, node_off_by_callback);
	tcase_add_test(t, node_trusts_nothing);
	tcase_add_test(t, other_options_need_no_care_without_image);
	tcase_add_test(t, own_socket_is_known);
	suite_add_tcase(s, t);
	return unit_run(s);
}
