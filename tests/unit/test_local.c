/* SPDX-License-Identifier: BSD-3-Clause */
/* Which of many sources decides on the submit side, and what of the step around it is left out. */
#include <stdlib.h>
#include <string.h>

#include "../../spank/local.h"
#include "slurm_stub.h"
#include "unit.h"

static struct option_set given, inherited, input;

static struct local_words words(void)
{
	option_set_done(&given);
	option_set_done(&inherited);
	option_set_done(&input);
	return (struct local_words){ .given = &given,
				     .inherited = &inherited,
				     .input = &input,
				     .cwd = "/w" };
}

static struct local_decision decided(const struct local_words *w)
{
	static struct local_decision d;
	struct err e = { "" };

	option_set_done(&d.set);
	ck_assert_msg(local_decide(w, &d, &e) == 0, "%s", e.text);
	return d;
}

static void refused(const struct local_words *w)
{
	struct local_decision d;
	struct err e = { "" };

	ck_assert_int_lt(local_decide(w, &d, &e), 0);
	ck_assert_uint_gt(strlen(e.text), 0);
}

START_TEST(nothing_said_is_no_container)
{
	struct local_words w = words();
	struct local_decision d = decided(&w);

	for (int id = 0; id < OPTION_COUNT; id++)
		ck_assert_ptr_null(d.set.v[id]);
	ck_assert(!d.none);
}
END_TEST

START_TEST(image_by_rank)
{
	struct local_words w = words();

	option_set_value(&input, OPTION_IMAGE, "i");
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/w/i");
	w.found = "/found";
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/found");
	ck_assert(decided(&w).show_container);
	option_set_value(&inherited, OPTION_IMAGE, "/carried");
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/carried");
	ck_assert(!decided(&w).show_container);
	w.found = "/carried";
	ck_assert(decided(&w).show_container);
	w.container = "env";
	w.container_is_env = true;
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/w/env");
	option_set_value(&given, OPTION_IMAGE, "given");
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/w/given");
	ck_assert(!decided(&w).show_container);
	option_set_value(&given, OPTION_IMAGE, NULL);
	w.container_is_env = false;
	w.container = "c";
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/w/c");
	ck_assert(decided(&w).show_container);
}
END_TEST

START_TEST(two_images_must_be_one)
{
	struct local_words w = words();

	w.container = "a";
	option_set_value(&given, OPTION_IMAGE, "/w/./a");
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/w/a");
	option_set_value(&given, OPTION_IMAGE, "b");
	refused(&w);
	w.container_is_env = true;
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/w/b");
	w.container_is_env = false;
	option_set_value(&given, OPTION_IMAGE, NULL);
	w.container = "";
	refused(&w);
}
END_TEST

START_TEST(no_container_beats_what_is_around)
{
	struct local_words w = words();

	given.off = true;
	option_set_value(&inherited, OPTION_IMAGE, "/a");
	option_set_value(&input, OPTION_IMAGE, "/a");
	w.found = "/a";
	ck_assert_ptr_null(decided(&w).set.v[OPTION_IMAGE]);
	ck_assert(decided(&w).none);
	w.container = "/a";
	refused(&w);
	w.container_is_env = true;
	ck_assert_ptr_null(decided(&w).set.v[OPTION_IMAGE]);
	option_set_value(&given, OPTION_JOIN, "1");
	refused(&w);
	option_set_value(&given, OPTION_JOIN, NULL);
	option_set_value(&given, OPTION_WORKDIR, "/x");
	refused(&w);
}
END_TEST

START_TEST(none_is_inherited)
{
	struct local_words w = words();

	w.inherited_none = true;
	w.found = "/a";
	option_set_value(&input, OPTION_IMAGE, "/a");
	ck_assert_ptr_null(decided(&w).set.v[OPTION_IMAGE]);
	ck_assert(decided(&w).none);
	option_set_value(&given, OPTION_IMAGE, "/b");
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/b");
	ck_assert(!decided(&w).none);
}
END_TEST

START_TEST(join_and_image)
{
	struct local_words w = words();

	option_set_value(&inherited, OPTION_IMAGE, "/a");
	option_set_value(&given, OPTION_JOIN, "3");
	ck_assert_str_eq(decided(&w).set.v[OPTION_JOIN], "3");
	ck_assert_ptr_null(decided(&w).set.v[OPTION_IMAGE]);
	ck_assert(decided(&w).none);
	/* what the running step has decided cannot be said again, a directory in it can */
	option_set_value(&given, OPTION_WORKDIR, "/wd");
	ck_assert_str_eq(decided(&w).set.v[OPTION_WORKDIR], "/wd");
	option_set_value(&given, OPTION_MOUNTS, "/m");
	refused(&w);
	option_set_value(&given, OPTION_MOUNTS, NULL);
	option_set_value(&inherited, OPTION_MOUNTS, "/m");
	ck_assert_str_eq(decided(&w).set.v[OPTION_JOIN], "3");
	option_set_value(&given, OPTION_IMAGE, "/b");
	refused(&w);
	option_set_value(&given, OPTION_JOIN, NULL);
	option_set_value(&inherited, OPTION_JOIN, "4");
	ck_assert_ptr_null(decided(&w).set.v[OPTION_JOIN]);
	ck_assert_str_eq(decided(&w).set.v[OPTION_IMAGE], "/b");
}
END_TEST

START_TEST(other_options_are_taken_one_by_one)
{
	struct local_words w = words();
	struct local_decision d;

	option_set_value(&given, OPTION_IMAGE, "/new");
	option_set_value(&inherited, OPTION_MOUNTS, "/m:/n");
	option_set_value(&inherited, OPTION_WRITABLE, "1");
	option_set_value(&given, OPTION_WRITABLE, "no");
	option_set_value(&input, OPTION_MOUNTS, "/other");
	option_set_value(&input, OPTION_WORKDIR, "/wd");
	option_set_value(&input, OPTION_MOUNT_HOME, "0");
	d = decided(&w);
	ck_assert_str_eq(d.set.v[OPTION_MOUNTS], "/m:/n");
	ck_assert_str_eq(d.set.v[OPTION_WRITABLE], "no");
	ck_assert_str_eq(d.set.v[OPTION_WORKDIR], "/wd");
	ck_assert_str_eq(d.set.v[OPTION_MOUNT_HOME], "no");
	option_set_value(&given, OPTION_MOUNTS, "rel:/x,/y");
	ck_assert_str_eq(decided(&w).set.v[OPTION_MOUNTS], "/w/rel:/x,/y");
	option_set_value(&input, OPTION_ENV, "1bad");
	refused(&w);
	option_set_value(&given, OPTION_ENV, "GOOD");
	ck_assert_str_eq(decided(&w).set.v[OPTION_ENV], "GOOD");
}
END_TEST

START_TEST(workdir_belongs_to_its_image)
{
	struct local_words w = words();

	option_set_value(&inherited, OPTION_IMAGE, "/a");
	option_set_value(&inherited, OPTION_WORKDIR, "/wd");
	ck_assert_str_eq(decided(&w).set.v[OPTION_WORKDIR], "/wd");
	option_set_value(&given, OPTION_IMAGE, "/a");
	ck_assert_str_eq(decided(&w).set.v[OPTION_WORKDIR], "/wd");
	option_set_value(&given, OPTION_IMAGE, "/b");
	ck_assert_ptr_null(decided(&w).set.v[OPTION_WORKDIR]);
	option_set_value(&given, OPTION_WORKDIR, "/other");
	ck_assert_str_eq(decided(&w).set.v[OPTION_WORKDIR], "/other");
}
END_TEST

START_TEST(options_without_image)
{
	struct local_words w = words();

	option_set_value(&given, OPTION_MOUNTS, "/a");
	refused(&w);
	w.allocator = true; /* an srun inside may name one */
	ck_assert_str_eq(decided(&w).set.v[OPTION_MOUNTS], "/a");
	w.allocator = false;
	option_set_value(&input, OPTION_IMAGE, "/i");
	ck_assert_str_eq(decided(&w).set.v[OPTION_MOUNTS], "/a");
}
END_TEST

START_TEST(too_long_is_refused)
{
	struct local_words w = words();

	option_set_value(&given, OPTION_IMAGE, unit_filled(5000, 'x'));
	refused(&w);
	option_set_value(&given, OPTION_IMAGE, unit_filled(4094, 'x')); /* with "/w/" in front */
	refused(&w);
	option_set_value(&given, OPTION_IMAGE, "/a");
	option_set_value(&given, OPTION_MOUNTS, unit_filled(4094, 'x'));
	refused(&w);
}
END_TEST

START_TEST(devices_of_the_step_around_are_forgotten)
{
	struct err e = { "" };

	setenv(USNIC_SET_CARRIER,
	       "BERTH_IBDEV=usnic_0;UCX_NET_DEVICES=usnic_0:1;=x;odd;NCCL_IB_HCA==usnic_0;", 1);
	setenv("BERTH_IBDEV", "usnic_0", 1);
	setenv("UCX_NET_DEVICES", "changed by the script", 1);
	setenv("NCCL_IB_HCA", "=usnic_0", 1);
	setenv("odd", "stays", 1);
	ck_assert_int_eq(local_init(false, &e), 0);
	ck_assert_ptr_null(getenv("BERTH_IBDEV"));
	ck_assert_ptr_null(getenv("NCCL_IB_HCA"));
	ck_assert_ptr_null(getenv(USNIC_SET_CARRIER));
	ck_assert_str_eq(getenv("UCX_NET_DEVICES"), "changed by the script");
	ck_assert_str_eq(getenv("odd"), "stays");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("local");
	TCase *t = tcase_create("local");

	tcase_add_checked_fixture(t, slurm_begin, slurm_end);
	tcase_add_test(t, nothing_said_is_no_container);
	tcase_add_test(t, image_by_rank);
	tcase_add_test(t, two_images_must_be_one);
	tcase_add_test(t, no_container_beats_what_is_around);
	tcase_add_test(t, none_is_inherited);
	tcase_add_test(t, join_and_image);
	tcase_add_test(t, other_options_are_taken_one_by_one);
	tcase_add_test(t, workdir_belongs_to_its_image);
	tcase_add_test(t, options_without_image);
	tcase_add_test(t, too_long_is_refused);
	tcase_add_test(t, devices_of_the_step_around_are_forgotten);
	suite_add_tcase(s, t);
	return unit_run(s);
}
