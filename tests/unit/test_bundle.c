/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "../../helper/bundle.h"
#include "unit.h"

#define MAX 4

/* Literals carry the records' NULs; their own last one ends the last record. */
#define PARSE(text, b, e) bundle_parse(text, sizeof(text), MAX, b, e)

static void refused(const char *text, size_t len, const char *part)
{
	struct bundle b = { .root = (char *)text };
	struct err e = { "" };

	ck_assert_int_eq(bundle_parse(text, len, MAX, &b, &e), -1);
	ck_assert_msg(strstr(e.text, part) != NULL, "\"%s\" lacks \"%s\"", e.text, part);
	ck_assert_ptr_eq(b.root, text);
}

#define REFUSED(text, part) refused(text, sizeof(text), part)

START_TEST(all_records)
{
	struct bundle b;
	struct err e = { "" };

	ck_assert_msg(
		PARSE("root=rootfs\0cwd=/w\0env=A=1\0env=B=x y\0mount=/a\t/b/\tro\0"
		      "mount=tmpfs\t/run\trw+size=65536+mode=750\0mount=./tmpfs\t/t\trw\0env=A=2",
		      &b, &e) == 0,
		"%s", e.text);
	ck_assert_str_eq(b.root, "rootfs");
	ck_assert_str_eq(b.cwd, "/w");
	ck_assert_uint_eq(b.env.n, 2);
	ck_assert_str_eq(env_get(&b.env, "A"), "2");
	ck_assert_str_eq(env_get(&b.env, "B"), "x y");
	ck_assert_uint_eq(b.mounts.n, 3);
	ck_assert_str_eq(b.mounts.v[0].src, "/a");
	ck_assert_str_eq(b.mounts.v[0].dst, "/b");
	ck_assert(b.mounts.v[0].ro);
	ck_assert_int_eq(b.mounts.v[1].kind, MOUNT_TMPFS);
	ck_assert_ptr_null(b.mounts.v[1].src);
	ck_assert_str_eq(b.mounts.v[1].dst, "/run");
	ck_assert_uint_eq(b.mounts.v[1].tmpfs_size, 65536);
	ck_assert_uint_eq(b.mounts.v[1].tmpfs_mode, 0750);
	ck_assert_int_eq(b.mounts.v[2].kind, MOUNT_BIND);
	ck_assert_str_eq(b.mounts.v[2].src, "./tmpfs");
	bundle_done(&b);
	bundle_done(&b);
	bundle_done(NULL);
}
END_TEST

START_TEST(root_alone)
{
	struct bundle b;

	ck_assert_int_eq(PARSE("root=/abs", &b, NULL), 0);
	ck_assert_str_eq(b.root, "/abs");
	ck_assert_ptr_null(b.cwd);
	ck_assert_uint_eq(b.env.n + b.mounts.n, 0);
	bundle_done(&b);
}
END_TEST

START_TEST(refusals)
{
	REFUSED("cwd=/", "no root, expected root.path");
	REFUSED("root=a\0root=b", "root is given twice");
	REFUSED("root=", "root is empty");
	REFUSED("root=a\nb", "control characters");
	REFUSED("root=a\0cwd=x", "cwd \"x\" is not an absolute path");
	REFUSED("root=a\0cwd=/\0cwd=/", "cwd is given twice");
	REFUSED("root=a\0nonsense=1", "unknown record \"nonsense=1\"");
	REFUSED("root=a\0", "unknown record \"\"");
	REFUSED("rootless", "unknown record");
	REFUSED("root=a\0env=1=2", "expected NAME=VALUE");
	REFUSED("root=a\0mount=/a", "expected source, destination and ro or rw");
	REFUSED("root=a\0mount=/a\t/b", "expected source, destination and ro or rw");
	REFUSED("root=a\0mount=/a\t/b\trx", "expected source, destination and ro or rw");
	REFUSED("root=a\0mount=/a\t/b\tro\tro", "unknown flag");
	REFUSED("root=a\0mount=/a\t/b\trw+size=1", "unknown flag \"size=1\"");
	REFUSED("root=a\0mount=tmpfs\t/b\trw+size=1x", "\"size=1x\" is not a size");
	REFUSED("root=a\0mount=\t/b\tro", "the source is empty");
	REFUSED("root=a\0mount=/a\t/proc/x\tro", "is in /proc");
	REFUSED("root=a\0mount=/a\t../x\tro", "not an absolute path");
	REFUSED("root=a\0mount=/a\t/\tro", "is the image itself");
}
END_TEST

START_TEST(devices)
{
	struct bundle b;

	ck_assert_int_eq(PARSE("root=a\0mount=/dev/fuse\t/dev/fuse\trw", &b, NULL), 0);
	ck_assert_str_eq(b.mounts.v[0].dst, "/dev/fuse");
	bundle_done(&b);
}
END_TEST

START_TEST(limits)
{
	static char text[BUNDLE_MAX + 1];
	struct bundle b;
	struct err e = { "" };
	int n;

	ck_assert_int_eq(bundle_parse("root=a", 6, MAX, &b, NULL), -1);
	ck_assert_int_eq(bundle_parse(NULL, 0, MAX, &b, NULL), -1);
	ck_assert_int_eq(bundle_parse(text, sizeof(text), MAX, &b, NULL), -1);
	n = snprintf(text, sizeof(text), "root=a");
	for (int i = 0; i <= MAX; i++)
		n += 1 + snprintf(text + n + 1, 64, "mount=/a\t/b%d\tro", i);
	ck_assert_int_eq(bundle_parse(text, (size_t)n + 1, MAX, &b, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "too many mounts, expected at most 4"));
	memset(text, 'x', sizeof(text));
	memcpy(text, "root=", 5);
	text[5000] = '\0';
	e.text[0] = '\0';
	ck_assert_int_eq(bundle_parse(text, 5001, MAX, &b, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "too long"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("bundle");
	TCase *tc = tcase_create("bundle");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, all_records);
	tcase_add_test(tc, root_alone);
	tcase_add_test(tc, refusals);
	tcase_add_test(tc, devices);
	tcase_add_test(tc, limits);
	return unit_run(s);
}
