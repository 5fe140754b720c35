/* SPDX-License-Identifier: BSD-3-Clause */
/* Options without Slurm: their names, callbacks and checks, and absolute paths. */
#include <stdlib.h>
#include <string.h>

#include "../../spank/optioncheck.h"
#include "../../spank/optionpath.h"
#include "../../spank/options.h"
#include "slurm_stub.h"
#include "unit.h"

static bool good(enum option_id id, const char *value)
{
	struct err e = { "" };
	int rc = option_check(id, value, "--x", true, &e);

	ck_assert_int_eq(rc < 0, e.text[0] != '\0');
	return rc == 0;
}

/* --- names and texts --- */

START_TEST(names_of_one_option)
{
	char out[OPTION_NAME_MAX];

	ck_assert_str_eq(option_name(out, OPTION_REMAP_ROOT, NAME_OPTION),
			 "--container-remap-root");
	ck_assert_str_eq(option_name(out, OPTION_REMAP_ROOT, NAME_INPUT),
			 "BERTH_CONTAINER_REMAP_ROOT");
	ck_assert_str_eq(option_name(out, OPTION_REMAP_ROOT, NAME_CARRIER),
			 "SLURM_BERTH_CONTAINER_REMAP_ROOT");
	ck_assert_str_eq(option_name(out, OPTION_MOUNT_HOME, NAME_CARRIER_SBATCH),
			 "SLURM_SPANK_BERTH_CONTAINER_MOUNT_HOME");
}
END_TEST

START_TEST(help_takes_two_lines_at_most)
{
	for (size_t i = 0; i < slurm_nregistered; i++) {
		const struct spank_option *o = slurm_registered[i];
		size_t head = strlen(o->name) + (o->arginfo ? strlen(o->arginfo) + 1 : 0);

		/* "      --" in front, the text from column 30, of 80 */
		ck_assert_uint_le(strlen(o->usage), head + 8 < 30 ? 95 : 50);
		ck_assert_str_ne(o->name, "container"); /* is Slurm's */
	}
}
END_TEST

START_TEST(inherited_options_are_forgotten)
{
	setenv("SLURM_SPANK__SLURM_SPANK_OPTION_berth_no_container_mount_home", "", 1);
	setenv("_SLURM_SPANK_OPTION_berth_container_image", "/a", 1);
	setenv("SLURM_SPANK__SLURM_SPANK_OPTION_other_container_image", "/a", 1);
	options_forget_inherited();
	ck_assert_ptr_null(getenv("SLURM_SPANK__SLURM_SPANK_OPTION_berth_no_container_mount_home"));
	ck_assert_ptr_null(getenv("_SLURM_SPANK_OPTION_berth_container_image"));
	ck_assert_ptr_nonnull(getenv("SLURM_SPANK__SLURM_SPANK_OPTION_other_container_image"));
}
END_TEST

/* --- checks --- */

START_TEST(any_option_refuses_long_and_control)
{
	for (int id = 0; id < OPTION_COUNT; id++) {
		ck_assert(!good((enum option_id)id, unit_filled(4096, '/')));
		ck_assert(!good((enum option_id)id, "/a\nb"));
		ck_assert(!good((enum option_id)id, "/a\x7f"));
		ck_assert(!good((enum option_id)id, "\x1b[2J"));
	}
	ck_assert(good(OPTION_IMAGE, unit_filled(4095, '/')));
	ck_assert(good(OPTION_IMAGE, "/im\xc3\xa4ge")); /* a path may hold any letters */
}
END_TEST

START_TEST(image_is_absolute_in_the_end)
{
	struct err e = { "" };

	ck_assert(good(OPTION_IMAGE, "/a"));
	ck_assert(!good(OPTION_IMAGE, "a"));
	ck_assert_int_eq(option_check(OPTION_IMAGE, "a", "--x", false, &e), 0);
}
END_TEST

START_TEST(forms_of_lists)
{
	static const struct {
		enum option_id id;
		const char *value;
		bool ok;
	} t[] = {
		{ OPTION_ENV, "A", true },
		{ OPTION_ENV, "_a1,B", true },
		{ OPTION_ENV, "", false },
		{ OPTION_ENV, "A,", false },
		{ OPTION_ENV, ",A", false },
		{ OPTION_ENV, "1A", false },
		{ OPTION_ENV, "A=1", false },
		{ OPTION_ENV, "A B", false },
		{ OPTION_UNSHARE, "net", true },
		{ OPTION_UNSHARE, "net,ipc,uts", true },
		{ OPTION_UNSHARE, "pid", false },
		{ OPTION_UNSHARE, "net,", false },
		{ OPTION_UNSHARE, "netipc", false },
		{ OPTION_JOIN, "0", true },
		{ OPTION_JOIN, "1234.0", true },
		{ OPTION_JOIN, "1.batch", true },
		{ OPTION_JOIN, "batch", true },
		{ OPTION_JOIN, "", false },
		{ OPTION_JOIN, "1.", false },
		{ OPTION_JOIN, ".1", false },
		{ OPTION_JOIN, "1.2.3", false },
		{ OPTION_JOIN, "-1", false },
		{ OPTION_JOIN, "4294967295", false },
		{ OPTION_JOIN, "99999999999", false },
		{ OPTION_JOIN, "1.extern", false },
		{ OPTION_WRITABLE, "yes", true },
		{ OPTION_WRITABLE, "0", true },
		{ OPTION_WRITABLE, "YES", false },
		{ OPTION_WRITABLE, "", false },
		{ OPTION_WORKDIR, "/w", true },
		{ OPTION_WORKDIR, "w", false },
		{ OPTION_MOUNTS, "/a,/b:/c:ro", true },
		{ OPTION_MOUNTS, "/a:/proc/x", false },
		{ OPTION_MOUNTS, "/a,", false },
		{ OPTION_USNIC, "2,per=node", true },
		{ OPTION_USNIC, "0", false },
		{ OPTION_USNIC, "help", false },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		ck_assert_msg(good(t[i].id, t[i].value) == t[i].ok, "%d: \"%s\"", t[i].id,
			      t[i].value);
}
END_TEST

/* --- callbacks --- */

START_TEST(mounts_add_up_here)
{
	ck_assert_int_eq(slurm_call("container-mounts", "/a", 0), 0);
	ck_assert_int_eq(slurm_call("container-mounts", "/b:/c", 0), 0);
	ck_assert_str_eq(options_given()->v[OPTION_MOUNTS], "/a,/b:/c");
}
END_TEST

START_TEST(mounts_are_replaced_there)
{
	ck_assert_int_eq(slurm_call("container-mounts", "/a", 1), 0);
	ck_assert_int_eq(slurm_call("container-mounts", "/a", 1), 0);
	ck_assert_str_eq(options_given()->v[OPTION_MOUNTS], "/a");
}
END_TEST

START_TEST(last_of_a_pair_wins)
{
	ck_assert_int_eq(slurm_call("container-mount-home", NULL, 0), 0);
	ck_assert_int_eq(slurm_call("no-container-mount-home", "(null)", 0), 0);
	ck_assert_str_eq(options_given()->v[OPTION_MOUNT_HOME], "no");
	ck_assert_int_eq(slurm_call("container-readonly", "", 0), 0);
	ck_assert_int_eq(slurm_call("container-writable", "", 0), 0);
	ck_assert_str_eq(options_given()->v[OPTION_WRITABLE], "yes");
	ck_assert_int_eq(slurm_call("no-container", NULL, 1), 0);
	ck_assert(options_given()->off);
}
END_TEST

START_TEST(usnic_needs_no_value)
{
	for (int remote = 0; remote < 2; remote++) {
		ck_assert_int_eq(slurm_call("usnic", NULL, remote), 0);
		ck_assert_str_eq(options_given()->v[OPTION_USNIC], "1");
		ck_assert_int_eq(slurm_call("usnic", "none", remote), 0);
		ck_assert_str_eq(options_given()->v[OPTION_USNIC], "none");
	}
}
END_TEST

START_TEST(bad_value_is_one_line_here)
{
	ck_assert_int_lt(slurm_call("container-env", "1", 0), 0);
	ck_assert_int_lt(slurm_call("container-image", "", 0), 0);
	ck_assert_int_lt(slurm_call("container-mounts", "/a:/sys", 0), 0);
	ck_assert_uint_eq(slurm_errors_said, 3);
}
END_TEST

START_TEST(bad_value_is_kept_there)
{
	ck_assert_int_eq(slurm_call("container-env", "1", 1), 0);
	ck_assert_str_eq(options_given()->v[OPTION_ENV], "1");
	ck_assert_int_eq(slurm_call("container-env", "(null)", 1), 0);
	ck_assert_ptr_null(options_given()->v[OPTION_ENV]);
	ck_assert_uint_eq(slurm_errors_said, 0);
}
END_TEST

START_TEST(long_value_waits_for_post_opt)
{
	ck_assert_int_eq(slurm_call("container-mounts", "/a", 0), 0);
	ck_assert_int_eq(slurm_call("container-mounts", unit_filled(5000, 'x'), 0), 0);
	ck_assert(options_given()->too_long[OPTION_MOUNTS]);
	ck_assert_ptr_null(options_given()->v[OPTION_MOUNTS]);
	ck_assert_int_eq(slurm_call("container-mounts", "/b", 0), 0); /* and stays too long */
	ck_assert(options_given()->too_long[OPTION_MOUNTS]);
}
END_TEST

/* --- absolute paths --- */

START_TEST(paths_become_absolute)
{
	static const char *const t[][3] = {
		{ "a", "/c/d", "/c/d/a" },
		{ "./a", "/c/d", "/c/d/a" },
		{ ".", "/c/d", "/c/d" },
		{ "../a", "/c/d", "/c/a" },
		{ "../../../a", "/c/d", "/a" },
		{ "..", "/c", "/" },
		{ "./../a/", "/c/d", "/c/a" },
		{ ".a", "/c", "/c/.a" },
		{ "..a", "/c", "/c/..a" },
		{ "...", "/c", "/c/..." },
		{ "a/../b", "/c", "/c/a/../b" },
		{ "/x//y/./z/", "/c", "/x/y/z" },
		{ "/../x", "/c", "/../x" },
		{ "a", "/", "/a" },
		{ "", "/", "/" },
		{ "/", "/c", "/" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char *out = option_absolute(t[i][0], t[i][1]);

		ck_assert_str_eq(out, t[i][2]);
		free(out);
	}
}
END_TEST

START_TEST(mount_sources_become_absolute)
{
	static const char *const t[][2] = {
		{ "/a:/b", "/a:/b" },
		{ "a:/b", "/w/a:/b" },
		{ "./a", "/w/a" },
		{ "./a:/b:ro+rslave,tmpfs:/t,../c:/d", "/w/a:/b:ro+rslave,tmpfs:/t,/c:/d" },
		{ "a\\,b\\:c:/d,e", "/w/a\\,b\\:c:/d,/w/e" },
		{ "", "" },
		{ ",", "," },
		{ "a,", "/w/a," },
		{ ":/b", ":/b" },
		{ "a\\", "/w/a\\" },
		/* left for the parser, which refuses them with a reason */
		{ "~:/b,~/a:/b,~a:/b", "~:/b,~/a:/b,/w/~a:/b" },
		{ "umount:/b,./umount:/b", "umount:/b,/w/umount:/b" },
	};
	char *out;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		out = option_absolute_mounts(t[i][0], "/w");
		ck_assert_str_eq(out, t[i][1]);
		free(out);
	}
	out = option_absolute_mounts("x,y:/z,../v", "/a:b,c\\d");
	ck_assert_str_eq(out, "/a\\:b\\,c\\\\d/x,/a\\:b\\,c\\\\d/y:/z,/v");
	free(out);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("options");
	TCase *t = tcase_create("options");

	tcase_add_checked_fixture(t, slurm_begin, slurm_end);
	tcase_add_test(t, names_of_one_option);
	tcase_add_test(t, help_takes_two_lines_at_most);
	tcase_add_test(t, inherited_options_are_forgotten);
	tcase_add_test(t, any_option_refuses_long_and_control);
	tcase_add_test(t, image_is_absolute_in_the_end);
	tcase_add_test(t, forms_of_lists);
	tcase_add_test(t, mounts_add_up_here);
	tcase_add_test(t, mounts_are_replaced_there);
	tcase_add_test(t, last_of_a_pair_wins);
	tcase_add_test(t, usnic_needs_no_value);
	tcase_add_test(t, bad_value_is_one_line_here);
	tcase_add_test(t, bad_value_is_kept_there);
	tcase_add_test(t, long_value_waits_for_post_opt);
	tcase_add_test(t, paths_become_absolute);
	tcase_add_test(t, mount_sources_become_absolute);
	suite_add_tcase(s, t);
	return unit_run(s);
}
