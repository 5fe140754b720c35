/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../helper/verbs.h"
#include "unit.h"

static char root[] = "/tmp/berth-verbs.XXXXXX";

/* Make root/path; a name with a '/' behind it is a directory. */
static void make(const char *path)
{
	char full[256];
	size_t n;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
	n = strlen(full);
	if (full[n - 1] != '/')
		ck_assert_ptr_nonnull(freopen(full, "w", stdin));
}

static void start(void)
{
	strcpy(root + strlen(root) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static int gone(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st, (void)type, (void)where;
	return remove(path);
}

static void stop(void)
{
	ck_assert_int_eq(nftw(root, gone, 8, FTW_DEPTH | FTW_PHYS), 0);
}

START_TEST(no_library)
{
	ck_assert(!verbs_lacks_providers(root));
	make("usr/lib/x86_64-linux-gnu/libc.so.6");
	ck_assert(!verbs_lacks_providers(root));
}
END_TEST

START_TEST(debian)
{
	make("usr/lib/x86_64-linux-gnu/libibverbs.so.1");
	ck_assert(verbs_lacks_providers(root));
	make("usr/lib/x86_64-linux-gnu/libibverbs/");
	ck_assert(verbs_lacks_providers(root));
	make("usr/lib/x86_64-linux-gnu/libibverbs/librxe-rdmav34.so");
	ck_assert(!verbs_lacks_providers(root));
}
END_TEST

START_TEST(red_hat)
{
	make("usr/lib64/libibverbs.so.1");
	ck_assert(verbs_lacks_providers(root));
	make("usr/lib64/libibverbs/libmlx5-rdmav57.so");
	ck_assert(!verbs_lacks_providers(root));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("verbs");
	TCase *tc = tcase_create("verbs");

	tcase_add_checked_fixture(tc, start, stop);
	suite_add_tcase(s, tc);
	tcase_add_test(tc, no_library);
	tcase_add_test(tc, debian);
	tcase_add_test(tc, red_hat);
	return unit_run(s);
}
