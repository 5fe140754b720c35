/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "../../helper/usnicspec.h"
#include "unit.h"

static struct usnic_spec parsed(const char *text)
{
	struct usnic_spec s;
	struct err e = { "" };

	ck_assert_msg(usnic_spec_parse("--usnic", text, &s, &e) == 0, "%s: %s", text, e.text);
	return s;
}

START_TEST(defaults)
{
	struct usnic_spec s = parsed("");

	ck_assert_uint_eq(s.count, 1);
	ck_assert(!s.per_node && !s.batch && !s.explain && !s.none);
	ck_assert_int_eq(s.policy, HWMAP_PREFER);
	ck_assert_uint_eq(s.wait_s, 0);
	ck_assert_str_eq(s.device, "");
}
END_TEST

START_TEST(words)
{
	struct usnic_spec s =
		parsed("2,per=node,device=usnic_*|!mlx5_0,policy=local,wait=30,batch,explain");

	ck_assert_uint_eq(s.count, 2);
	ck_assert(s.per_node && s.batch && s.explain);
	ck_assert_str_eq(s.device, "usnic_*|!mlx5_0");
	ck_assert_int_eq(s.policy, HWMAP_LOCAL);
	ck_assert_uint_eq(s.wait_s, 30);
	s = parsed("rail=4,count=64,per=task");
	ck_assert_int_eq(s.policy, HWMAP_RAIL);
	ck_assert_uint_eq(s.rails, 4);
	ck_assert_uint_eq(s.count, 64);
	ck_assert_int_eq(parsed("policy=rail").rails, 0);
	ck_assert_int_eq(parsed("policy=spread").policy, HWMAP_SPREAD);
	ck_assert(parsed("none").none);
}
END_TEST

START_TEST(refused)
{
	static const char *const bad[] = {
		"0",	   "65",      "count=0",     "count=",
		"count=x", "1x",      "-1",	     "per=rank",
		"per",	   "device=", "policy=near", "policy",
		"rail=0",  "rail=x",  "wait=86401",  "wait=-1",
		"wait",	   "batch=1", "explain=no",  "none,2",
		"2,none",  "2,2",     "2,count=3",   ",",
		"2,",	   ",2",      "2,,batch",    "policy=rail,rail=2",
		"Explain", "help",    "99999999999", " 2",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct usnic_spec s;
		struct err e = { "" };

		ck_assert_msg(usnic_spec_parse("BERTH_USNIC", bad[i], &s, &e) == -1, "\"%s\"",
			      bad[i]);
		ck_assert_msg(strncmp(e.text, "BERTH_USNIC: ", 13) == 0, "%s", e.text);
	}
}
END_TEST

START_TEST(long_words)
{
	char text[8192] = "device=";
	struct usnic_spec s;
	struct err e = { "" };

	memset(text + strlen(text), 'x', USNIC_PATTERN_MAX - 1);
	ck_assert_int_eq(usnic_spec_parse("--usnic", text, &s, &e), 0);
	strcat(text, "x");
	ck_assert_int_eq(usnic_spec_parse("--usnic", text, &s, &e), -1);
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(usnic_spec_parse("--usnic", text, &s, &e), -1);
}
END_TEST

/* --usnic=help has every word of the parser's own message, and the other way round. */
START_TEST(help_is_whole)
{
	static const char *const in_help[] = { "count=", "per=",   "device=", "policy=", "rail=",
					       "wait=",	 "batch",  "explain", "none",	 "prefer",
					       "local",	 "spread", "task",    "node" };
	struct usnic_spec s;
	struct err e = { "" };

	usnic_spec_parse("--usnic", "nonsense", &s, &e);
	for (size_t i = 0; i < sizeof(in_help) / sizeof(in_help[0]); i++)
		ck_assert_msg(strstr(usnic_spec_help, in_help[i]), "%s", in_help[i]);
	for (size_t i = 0; i < 9; i++)
		ck_assert_msg(strstr(e.text, in_help[i]), "%s: %s", in_help[i], e.text);
	for (const char *line = usnic_spec_help; *line; line = strchr(line, '\n') + 1)
		ck_assert_msg(strcspn(line, "\n") <= 90, "%s", line);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("usnicspec");
	TCase *tc = tcase_create("usnicspec");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, defaults);
	tcase_add_test(tc, words);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, long_words);
	tcase_add_test(tc, help_is_whole);
	return unit_run(s);
}
