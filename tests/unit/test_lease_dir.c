/* SPDX-License-Identifier: BSD-3-Clause */
/* Leases in a directory that is not as it should be: not ours, full, read-only; and without descriptors. */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "lease_fixture.h"

START_TEST(directory)
{
	struct err e = { "" };
	char lock[128];

	close(dir);
	ck_assert_int_eq(unlinkat(state, "leases", AT_REMOVEDIR), 0);
	ck_assert_int_eq(lease_dir(state, false, &e), -1);
	ck_assert_str_eq(e.text, "");
	ck_assert_int_eq(symlinkat("/tmp", state, "leases"), 0);
	ck_assert_int_eq(lease_dir(state, true, &e), -1);
	ck_assert_str_ne(e.text, "");
	ck_assert_int_eq(unlinkat(state, "leases", 0), 0);
	e.text[0] = '\0';
	ck_assert_int_eq(mkdirat(state, "leases", 0700), 0);
	ck_assert_int_eq(fchmodat(state, "leases", 0750, 0), 0);
	ck_assert_int_eq(lease_dir(state, true, &e), -1);
	ck_assert(strstr(e.text, "040750, expected"));
	ck_assert_int_eq(fchmodat(state, "leases", 0700, 0), 0);
	dir = lease_dir(state, false, NULL);
	ck_assert_int_ge(dir, 0);
	ck_assert_uint_eq(counted(&nothing).held, 0);

	snprintf(lock, sizeof(lock), "%s/target", top);
	ck_assert_int_eq(symlinkat(lock, dir, "lock"), 0);
	refused(ask(1, 1), "the lock file");
	ck_assert_int_eq(access(lock, F_OK), -1);
	ck_assert_int_eq(unlinkat(dir, "lock", 0), 0);
	ck_assert_int_eq(mkfifoat(dir, "lock", 0600), 0);
	refused(ask(1, 1), "the lock file");
	ck_assert_int_eq(unlinkat(dir, "lock", 0), 0);
}
END_TEST

/* With every limit on descriptors up to one that suffices: a clear error, and nothing left. */
START_TEST(few_descriptors)
{
	const struct rlimit old = { 1024, 1024 };
	struct lease l = LEASE_NONE;
	int rc = -1;

	for (rlim_t n = (rlim_t)dir; rc < 0; n++) {
		struct rlimit few = { n, old.rlim_max };
		struct err e = { "" };

		ck_assert_uint_lt(n, 100);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
		rc = try_take(ask(8, 1), &l, &e);
		few.rlim_cur = old.rlim_max;
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
		if (rc < 0) {
			ck_assert_msg(strstr(e.text, "Too many open files") != NULL, "%s", e.text);
			ck_assert_uint_eq(records(), 0);
		}
	}
	lease_release(&l, &nothing);
}
END_TEST

/* As root: a file system with so many inodes, in a mount namespace of its own. */
static bool small_fs(const char *options)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", top, "tmpfs", 0, options) < 0) {
		fprintf(stderr, "skipped: full and read-only file systems: no mount here\n");
		return false;
	}
	close(dir);
	close(state);
	state = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = lease_dir(state, true, NULL);
	return true;
}

START_TEST(full)
{
	struct lease l;

	/* the root, the directory, the lock and two records */
	if (!small_fs("nr_inodes=5"))
		return;
	ck_assert_int_ge(dir, 0);
	refused(ask(3, 1), "usnic_0@0000:06:00.0#2 cannot be recorded: No space left on device");
	ck_assert_uint_eq(records(), 0);
	l = taken(ask(2, 1));
	lease_release(&l, &nothing);
	ck_assert_int_eq(unlinkat(dir, "lock", 0), 0);
	for (int i = 0; i < 3; i++) {
		char name[] = "0";

		name[0] = (char)('0' + i);
		ck_assert_int_eq(symlinkat("x", state, name), 0);
	}
	refused(ask(1, 1), "the lock file: No space left on device");
}
END_TEST

START_TEST(read_only)
{
	struct lease l, m;
	struct err e = { "" };

	if (!small_fs("size=1m"))
		return;
	l = taken(ask(2, 1));
	killed(holder(ask(2, 2), -1));
	ck_assert_int_eq(mount(NULL, top, NULL, MS_REMOUNT | MS_RDONLY, NULL), -1);
	m = l; /* its descriptor keeps the file system from that: bind it read-only */
	ck_assert_int_eq(mount(top, top, NULL, MS_BIND, NULL), 0);
	ck_assert_int_eq(mount(NULL, top, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	close(dir);
	close(state);
	state = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = lease_dir(state, true, &e);
	ck_assert_msg(dir >= 0, "%s", e.text);
	ck_assert_uint_eq(counted(&nothing).held, 2);
	refused(ask(1, 3), "the lock file: Read-only file system");
	lease_release(&m, &nothing); /* by its own way */
	ck_assert_uint_eq(counted(&nothing).held, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lease_dir");
	TCase *tc = tcase_create("lease_dir");

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, directory);
	tcase_add_test(tc, few_descriptors);
	tcase_add_test(tc, full);
	tcase_add_test(tc, read_only);
	return unit_run(s);
}
