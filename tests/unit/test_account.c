/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../helper/account.h"
#include "unit.h"

static const struct account ann = { .name = "ann",
				    .gecos = "Ann, R&D",
				    .home = "/home/ann",
				    .shell = "/bin/bash",
				    .group = "lab" };
#define ANN "ann:x:1000:100:Ann, R&D:/home/ann:/bin/bash\n"
#define LAB "lab:x:100:\n"

static void passwd(const char *text, const char *expected)
{
	size_t len = 0;
	struct err e = { "" };
	char *out = account_passwd(text, strlen(text), &ann, 1000, 100, &len, &e);

	ck_assert_msg(out != NULL, "%s", e.text);
	ck_assert_str_eq(out, expected);
	ck_assert_uint_eq(len, strlen(expected));
	free(out);
}

static void group(const char *text, const char *expected)
{
	size_t len = 0;
	char *out = account_group(text, strlen(text), &ann, 100, &len, NULL);

	ck_assert_ptr_nonnull(out);
	ck_assert_str_eq(out, expected);
	ck_assert_uint_eq(len, strlen(expected));
	free(out);
}

START_TEST(passwd_appends)
{
	passwd("", ANN);
	passwd("root:x:0:0::/root:/bin/sh\n", "root:x:0:0::/root:/bin/sh\n" ANN);
	passwd("root:x:0:0::/root:/bin/sh", "root:x:0:0::/root:/bin/sh\n" ANN);
	passwd("a:x:10001:1:::\nb:x:1:1000:::\n", "a:x:10001:1:::\nb:x:1:1000:::\n" ANN);
	passwd("anna:x:7:7:::\n", "anna:x:7:7:::\n" ANN);
}
END_TEST

START_TEST(passwd_replaces)
{
	passwd("root:x:0:0:::\nubuntu:x:1000:1000:::\nz:x:9:9:::\n",
	       "root:x:0:0:::\n" ANN "z:x:9:9:::\n");
	passwd("ann:x:5:5:::\nz:x:9:9:::\n", ANN "z:x:9:9:::\n");
	passwd("ann:x:5:5:::\nz:x:9:9:::\nubuntu:x:1000:1000:::\n", ANN "z:x:9:9:::\n");
	passwd("ubuntu:x:001000:1000:::", ANN);
	passwd("ann", ANN);
}
END_TEST

START_TEST(passwd_odd_lines)
{
	static char text[ACCOUNT_FILE_MAX + 1];
	struct err e = { "" };
	size_t len = 0;
	char *out;

	passwd("\n\n:\n::\n:::\n+::::::\nno colon\nx:y:1000z:\nx:y:99999999999:\n",
	       ":\n::\n:::\n+::::::\nno colon\nx:y:1000z:\nx:y:99999999999:\n" ANN);
	memset(text, 'x', sizeof(text));
	out = account_passwd(text, 4097, &ann, 1000, 100, &len, &e);
	ck_assert_str_eq(out, ANN);
	free(out);
	out = account_passwd(text, 4096, &ann, 1000, 100, &len, &e);
	ck_assert_uint_eq(len, 4097 + strlen(ANN));
	free(out);
	out = account_passwd("a\0b\nc\n", 6, &ann, 1000, 100, &len, &e);
	ck_assert_str_eq(out, "c\n" ANN);
	free(out);
	out = account_passwd(NULL, 0, &ann, 1000, 100, &len, &e);
	ck_assert_str_eq(out, ANN);
	free(out);
	len = 77;
	ck_assert_ptr_null(account_passwd(text, sizeof(text), &ann, 1000, 100, &len, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "is larger than 1048576 bytes"));
	ck_assert_uint_eq(len, 77);
}
END_TEST

START_TEST(largest_file)
{
	char *text = malloc(ACCOUNT_FILE_MAX), *out;
	size_t len = 0;

	for (size_t i = 0; i < ACCOUNT_FILE_MAX; i++)
		text[i] = i % 2 ? '\n' : 'x';
	text[ACCOUNT_FILE_MAX - 1] = 'x';
	out = account_passwd(text, ACCOUNT_FILE_MAX, &ann, 1000, 100, &len, NULL);
	ck_assert_uint_eq(len, ACCOUNT_FILE_MAX + 1 + strlen(ANN));
	free(out);
	free(text);
}
END_TEST

START_TEST(group_lines)
{
	group("", LAB);
	group("root:x:0:\nusers:x:100:bob\nz:x:1:ann\n", "root:x:0:\n" LAB "z:x:1:ann\n");
	group("lab:x:7:\nusers:x:100:\n", LAB);
	group("wheel:x:1:", "wheel:x:1:\n" LAB);
}
END_TEST

START_TEST(unsound_accounts)
{
	size_t len;
	struct account a = ann;

	strcpy(a.name, "");
	ck_assert_ptr_null(account_passwd("", 0, &a, 1, 1, &len, NULL));
	strcpy(a.name, "+ann");
	ck_assert_ptr_null(account_passwd("", 0, &a, 1, 1, &len, NULL));
	strcpy(a.name, "ann:x:0");
	ck_assert_ptr_null(account_passwd("", 0, &a, 1, 1, &len, NULL));
	a = ann;
	strcpy(a.home, "home");
	ck_assert_ptr_null(account_passwd("", 0, &a, 1, 1, &len, NULL));
	a = ann;
	strcpy(a.gecos, "x\nroot::0:0:::");
	ck_assert_ptr_null(account_passwd("", 0, &a, 1, 1, &len, NULL));
	a = ann;
	strcpy(a.group, "g\n");
	ck_assert_ptr_null(account_group("", 0, &a, 1, &len, NULL));
	a = ann;
	strcpy(a.shell, "");
	ck_assert_ptr_null(account_group("", 0, &a, 1, &len, NULL));
}
END_TEST

START_TEST(parse)
{
	const char *text = "ann\nAnn, R&D\n/home/ann\n/bin/bash\nlab\nend\n";
	struct account a, before;
	struct err e = { "" };

	ck_assert_msg(account_parse(text, strlen(text), &a, &e) == 0, "%s", e.text);
	ck_assert_str_eq(a.name, "ann");
	ck_assert_str_eq(a.gecos, "Ann, R&D");
	ck_assert_str_eq(a.home, "/home/ann");
	ck_assert_str_eq(a.shell, "/bin/bash");
	ck_assert_str_eq(a.group, "lab");
	memset(&a, 0x5a, sizeof(a));
	before = a;
	for (size_t n = 0; n < strlen(text); n++)
		ck_assert_int_eq(account_parse(text, n, &a, NULL), -1);
	ck_assert_mem_eq(&a, &before, sizeof(a));
}
END_TEST

START_TEST(further_groups)
{
	static const char text[] = "ann\n\n/h\n/s\nlab\n7:net\n4294967294:x y\nend\n";
	static const char g[] = "root:x:0:\nnet:x:7:bob\n-bad:x:8:\nlast:x:9:";
	static const char *const bad[] = { "net\n",    ":net\n",  "7:\n",     "7:-net\n",
					   "x7:net\n", "7:a:b\n", "-1:net\n", "99999999999:net\n",
					   "7:n\te\n" };
	const uint32_t gids[] = { 100, 7, 9, 8 };
	struct account a = ann;
	char *out, many[ACCOUNT_GROUPS_MAX * 8 + 64] = "ann\n\n/h\n/s\nlab\n";
	size_t len;

	ck_assert_int_eq(account_parse(text, strlen(text), &a, NULL), 0);
	ck_assert_uint_eq(a.nmore, 2);
	ck_assert_uint_eq(a.more[1].gid, 4294967294u);
	ck_assert_str_eq(a.more[1].name, "x y");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char line[64];

		snprintf(line, sizeof(line), "ann\n\n/h\n/s\nlab\n%send\n", bad[i]);
		ck_assert_msg(account_parse(line, strlen(line), &a, NULL) == -1, "%zu", i);
	}
	for (int i = 0; i < ACCOUNT_GROUPS_MAX; i++)
		strcat(many, "7:net\n");
	strcat(many, "end\n");
	ck_assert_int_eq(account_parse(many, strlen(many), &a, NULL), 0);
	strcpy(strstr(many, "end"), "7:net\nend\n");
	ck_assert_int_eq(account_parse(many, strlen(many), &a, NULL), -1);

	a = ann;
	ck_assert_int_eq(account_groups_from_file(g, sizeof(g) - 1, gids, 3, 100, &a), 0);
	ck_assert_uint_eq(a.nmore, 2);
	out = account_group("mine:x:7:\nstaff:x:50:\n", 21, &a, 100, &len, NULL);
	ck_assert_str_eq(out, "net:x:7:\nstaff:x:50:\n" LAB "last:x:9:\n");
	ck_assert_uint_eq(len, strlen(out));
	free(out);
	a = ann;
	ck_assert_int_eq(account_groups_from_file(g, sizeof(g) - 1, gids, 4, 100, &a), -1);
	ck_assert_uint_eq(a.nmore, 2);
	ck_assert_int_eq(account_groups_from_file(NULL, 0, gids, 1, 7, &a), -1);
}
END_TEST

START_TEST(parse_refuses)
{
	static const char *const bad[] = {
		"ann\n\n/h\n/s\ng\nend\nmore\n", "\n\n/h\n/s\ng\nend\n",
		"ann\n\nh\n/s\ng\nend\n",	 "ann\n\n/h\n\ng\nend\n",
		"ann\n\n/h\n/s\n\nend\n",	 "a:b\n\n/h\n/s\ng\nend\n",
		"ann\nx\ty\n/h\n/s\ng\nend\n",	 "ann\n\n/h:\n/s\ng\nend\n",
		"ann\n\n/h\n/s\ng\nEND\n",	 "-ann\n\n/h\n/s\ng\nend\n",
	};
	char longest[300 + 32];
	struct account a;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = { "" };

		ck_assert_msg(account_parse(bad[i], strlen(bad[i]), &a, &e) == -1, "%zu", i);
		ck_assert_str_ne(e.text, "");
	}
	memset(longest, 'n', 256);
	strcpy(longest + 256, "\n\n/h\n/s\ng\nend\n");
	ck_assert_int_eq(account_parse(longest, strlen(longest), &a, NULL), -1);
	ck_assert_int_eq(account_parse(longest + 1, strlen(longest + 1), &a, NULL), 0);
	ck_assert_int_eq(account_parse("ann\n\n/h\n/s\ng\0\nend\n", 20, &a, NULL), -1);
}
END_TEST

START_TEST(from_files)
{
	static const char p[] =
		"root:x:0:0:root:/root:/bin/bash\nann:x:1001:1002:Ann,,:/home/ann:/bin/sh\n"
		"bad:x:1003:1002::relative:/bin/sh\n";
	static const char g[] = "root:x:0:\nusers:x:1002:ann,bob";
	struct account a = { .name = "untouched" };

	ck_assert_int_eq(account_from_files(p, sizeof(p) - 1, g, sizeof(g) - 1, 1001, 1002, &a), 0);
	ck_assert_str_eq(a.name, "ann");
	ck_assert_str_eq(a.gecos, "Ann,,");
	ck_assert_str_eq(a.home, "/home/ann");
	ck_assert_str_eq(a.shell, "/bin/sh");
	ck_assert_str_eq(a.group, "users");
	/* not there, half there, unsound: NSS is asked */
	ck_assert_int_eq(account_from_files(p, sizeof(p) - 1, g, sizeof(g) - 1, 100, 1002, &a), -1);
	ck_assert_int_eq(account_from_files(p, sizeof(p) - 1, g, sizeof(g) - 1, 1001, 7, &a), -1);
	ck_assert_int_eq(account_from_files(p, sizeof(p) - 1, g, sizeof(g) - 1, 1003, 1002, &a),
			 -1);
	ck_assert_int_eq(account_from_files(NULL, 0, NULL, 0, 1001, 1002, &a), -1);
	ck_assert_str_eq(a.name, "ann");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("account");
	TCase *tc = tcase_create("account");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, passwd_appends);
	tcase_add_test(tc, passwd_replaces);
	tcase_add_test(tc, passwd_odd_lines);
	tcase_add_test(tc, largest_file);
	tcase_add_test(tc, group_lines);
	tcase_add_test(tc, unsound_accounts);
	tcase_add_test(tc, parse);
	tcase_add_test(tc, further_groups);
	tcase_add_test(tc, parse_refuses);
	tcase_add_test(tc, from_files);
	return unit_run(s);
}
