/* SPDX-License-Identifier: BSD-3-Clause */
/* What /proc/self/mountinfo says of a container, and of a directory that is to be an image. */
#include <string.h>

#include "../../helper/rootfs.h"
#include "unit.h"

#define ROOT "21 1 0:30 / / ro,nosuid,nodev,relatime - overlay berth ro\n"
#define DEV "22 21 0:31 / /dev rw,nosuid,noexec - tmpfs none rw\n"
#define PTS "23 22 0:26 / /dev/pts rw,nosuid,noexec - devpts devpts rw\n"

START_TEST(verify)
{
	struct err e = { "" };

	ck_assert_int_eq(mounts_verify(ROOT DEV PTS, &e), 0);
	ck_assert_int_eq(mounts_verify("", &e), -1);
	e.text[0] = '\0';
	ck_assert_int_eq(mounts_verify(ROOT "24 21 8:1 / /data rw,nodev - ext4 /dev/sda1 rw\n", &e),
			 -1);
	ck_assert(strstr(e.text, "/data"));
	ck_assert(strstr(e.text, "nosuid"));
	e.text[0] = '\0';
	ck_assert_int_eq(mounts_verify(ROOT "24 21 8:1 / /data rw,nosuid - ext4 /dev/sda1 rw\n",
				       &e),
			 -1);
	ck_assert(strstr(e.text, "nodev"));
	e.text[0] = '\0';
	/* a name that only begins like /dev, options that only contain the word */
	ck_assert_int_eq(mounts_verify("24 21 8:1 / /devel rw,nosuid - ext4 d rw\n", &e), -1);
	e.text[0] = '\0';
	ck_assert_int_eq(mounts_verify("24 21 8:1 / /d rw,xnosuid,nodev - ext4 d rw\n", &e), -1);
	e.text[0] = '\0';
	ck_assert_int_eq(mounts_verify("24 21 8:1\n", &e), -1);
}
END_TEST

START_TEST(below)
{
	static const char text[] = "21 1 8:1 / / rw - ext4 d rw\n"
				   "22 21 8:2 / /srv/img/mnt rw - ext4 d rw\n"
				   "23 21 8:3 / /with\\040space/x rw - ext4 d rw\n";

	ck_assert(mounts_below(text, "/"));
	ck_assert(mounts_below(text, "/srv"));
	ck_assert(mounts_below(text, "/srv/img"));
	ck_assert(!mounts_below(text, "/srv/img/mnt"));
	ck_assert(!mounts_below(text, "/srv/im"));
	ck_assert(mounts_below(text, "/with space"));
	ck_assert(!mounts_below("", "/srv"));
	ck_assert(mounts_below("21 1 8:1\n", "/srv"));
}
END_TEST

START_TEST(system_paths)
{
	ck_assert(mounts_system_path("/"));
	ck_assert(mounts_system_path("/usr/share"));
	ck_assert(mounts_system_path("/home"));
	ck_assert(!mounts_system_path("/home/ann"));
	ck_assert(!mounts_system_path("/usrlocal"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mounts");
	TCase *tc = tcase_create("mounts");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, verify);
	tcase_add_test(tc, below);
	tcase_add_test(tc, system_paths);
	return unit_run(s);
}
