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

static char abi[VERBS_ABI_MAX];

static int found(void)
{
	return (int)verbs_look(root, NULL, abi);
}

START_TEST(no_library)
{
	ck_assert_int_eq(found(), VERBS_UNKNOWN);
	make("usr/lib/x86_64-linux-gnu/libc.so.6");
	ck_assert_int_eq(found(), VERBS_UNKNOWN);
}
END_TEST

START_TEST(debian)
{
	make("usr/lib/x86_64-linux-gnu/libibverbs.so.1");
	ck_assert_int_eq(found(), VERBS_NO_PROVIDER);
	make("usr/lib/x86_64-linux-gnu/libibverbs/");
	ck_assert_int_eq(found(), VERBS_NO_PROVIDER);
	make("usr/lib/x86_64-linux-gnu/libibverbs/librxe-rdmav34.so");
	ck_assert_int_eq(found(), VERBS_UNKNOWN);
}
END_TEST

START_TEST(red_hat)
{
	make("usr/lib64/libibverbs.so.1");
	ck_assert_int_eq(found(), VERBS_NO_PROVIDER);
	make("usr/lib64/libibverbs/libmlx5-rdmav57.so");
	ck_assert_int_eq(found(), VERBS_UNKNOWN);
}
END_TEST

/* text stands in libibverbs.so.1, among other bytes. */
static void make_library(const char *text)
{
	char path[256];
	FILE *f;

	make("usr/lib/x86_64-linux-gnu/libibverbs.so.1");
	snprintf(path, sizeof(path), "%s/usr/lib/x86_64-linux-gnu/libibverbs.so.1", root);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	for (int i = 0; i < 200000; i++)
		fputc(i & 0xff, f);
	fprintf(f, "%c%s%c", 0, text, 0);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(other_abi)
{
	make_library("/usr/lib/x86_64-linux-gnu/libibverbs/lib%s-rdmav34.so");
	ck_assert_int_eq(found(), VERBS_NO_PROVIDER);
	make("usr/lib/x86_64-linux-gnu/libibverbs/libmlx5-rdmav25.so");
	make("usr/lib/x86_64-linux-gnu/libibverbs/librxe-rdmav340.so");
	make("usr/lib/x86_64-linux-gnu/libibverbs/README");
	ck_assert_int_eq(found(), VERBS_NO_PROVIDER_OF_ABI);
	ck_assert_str_eq(abi, "34");
	make("usr/lib/x86_64-linux-gnu/libibverbs/librxe-rdmav34.so");
	ck_assert_int_eq(found(), VERBS_UNKNOWN);
}
END_TEST

/* What is no name of a provider says nothing about the ABI. */
START_TEST(odd_library)
{
	static const char *const texts[] = { "-rdmav",	  "-rdmav.so", "-rdmav3x.so",
					     "-rdmav34",  "",	       "-rdmav1234567890.so",
					     "-rdmav34.s" };

	make("usr/lib/x86_64-linux-gnu/libibverbs/librxe-rdmav25.so");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		make_library(texts[i]);
		ck_assert_int_eq(found(), VERBS_UNKNOWN);
		ck_assert_str_eq(abi, "");
	}
	make_library("-rdmav -rdmav34.so");
	ck_assert_int_eq(found(), VERBS_NO_PROVIDER_OF_ABI);
}
END_TEST

START_TEST(provider_of_the_nic)
{
	make_library("-rdmav34.so");
	make("usr/lib/x86_64-linux-gnu/libibverbs/libmlx5-rdmav34.so");
	make("usr/lib/x86_64-linux-gnu/libibverbs/libmlx4x-rdmav34.so");
	make("usr/lib/x86_64-linux-gnu/libibverbs/librxe-rdmav25.so");
	ck_assert_int_eq((int)verbs_look(root, "mlx5", abi), VERBS_UNKNOWN);
	ck_assert_int_eq((int)verbs_look(root, "mlx4", abi), VERBS_NO_PROVIDER_OF_NIC);
	ck_assert_int_eq((int)verbs_look(root, "rxe", abi), VERBS_NO_PROVIDER_OF_NIC);
	ck_assert_str_eq(abi, "34");
	make("usr/lib/x86_64-linux-gnu/libibverbs/librxe-rdmav34.so");
	ck_assert_int_eq((int)verbs_look(root, "rxe", abi), VERBS_UNKNOWN);
}
END_TEST

/* Make the device of sysfs whose function has that driver. */
static void make_device(const char *ibdev, const char *driver)
{
	char path[256], target[256];

	snprintf(path, sizeof(path), "sys/class/infiniband/%s/device/", ibdev);
	make(path);
	snprintf(path, sizeof(path), "%s/sys/class/infiniband/%s/device/driver", root, ibdev);
	snprintf(target, sizeof(target), "../../../../bus/pci/drivers/%s", driver);
	ck_assert_int_eq(symlink(target, path), 0);
}

START_TEST(provider_by_driver)
{
	make_device("mlx5_0", "mlx5_core");
	make_device("renamed", "bnxt_en");
	make_device("new0", "some_core");
	make("sys/class/infiniband/rxe_eth0/parent");
	make("sys/class/infiniband/bare/ports/");
	ck_assert_str_eq(verbs_provider(root, "mlx5_0"), "mlx5");
	ck_assert_str_eq(verbs_provider(root, "renamed"), "bnxt_re");
	ck_assert_str_eq(verbs_provider(root, "rxe_eth0"), "rxe");
	ck_assert_ptr_null(verbs_provider(root, "new0"));
	ck_assert_ptr_null(verbs_provider(root, "bare"));
	ck_assert_ptr_null(verbs_provider(root, "mlx5_1"));
	ck_assert_ptr_null(verbs_provider(root, ""));
	ck_assert_ptr_null(verbs_provider(root, "../infiniband/mlx5_0"));
}
END_TEST

/* The library of this machine, where it has one, tells its own. */
START_TEST(this_machines)
{
	if (access("/usr/lib/x86_64-linux-gnu/libibverbs.so.1", F_OK) == 0) {
		ck_assert_int_eq((int)verbs_look("", NULL, abi) != VERBS_NO_PROVIDER_OF_ABI, 1);
		ck_assert_str_ne(abi, "");
	}
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
	tcase_add_test(tc, other_abi);
	tcase_add_test(tc, odd_library);
	tcase_add_test(tc, provider_of_the_nic);
	tcase_add_test(tc, provider_by_driver);
	tcase_add_test(tc, this_machines);
	return unit_run(s);
}
