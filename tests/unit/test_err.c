/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "../../helper/err.h"
#include "unit.h"

static const char *cleaned(const char *text)
{
	static char buf[128];

	ck_assert_uint_lt(strlen(text), sizeof(buf));
	strcpy(buf, text);
	err_clean(buf, strlen(buf));
	return buf;
}

START_TEST(set_formats_and_returns_minus_one)
{
	struct err e = { "" };

	ck_assert_int_eq(err_set(&e, "%s: %d fields", "a:b", 4), -1);
	ck_assert_str_eq(e.text, "a:b: 4 fields");
}
END_TEST

START_TEST(first_error_wins)
{
	struct err e = { "" };

	err_set(&e, "cause");
	ck_assert_int_eq(err_set(&e, "effect"), -1);
	ck_assert_int_eq(err_sys(&e, ENOENT, "effect"), -1);
	ck_assert_str_eq(e.text, "cause");
}
END_TEST

START_TEST(null_err_is_allowed)
{
	ck_assert_int_eq(err_set(NULL, "x"), -1);
	ck_assert_int_eq(err_sys(NULL, EIO, "x"), -1);
}
END_TEST

START_TEST(sys_appends_reason)
{
	struct err e = { "" };

	ck_assert_int_eq(err_sys(&e, ENOENT, "%s", "/a/b"), -1);
	ck_assert_str_eq(e.text, "/a/b: No such file or directory");
}
END_TEST

START_TEST(sys_keeps_reason_of_long_text)
{
	struct err e = { "" };
	char longer[2000];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	err_sys(&e, ENOENT, "%s", longer);
	ck_assert_uint_lt(strlen(e.text), ERR_TEXT_MAX);
	ck_assert_ptr_nonnull(strstr(e.text, "xxx...: No such file or directory"));
}
END_TEST

START_TEST(long_text_is_cut_and_marked)
{
	struct err e = { "" };
	char longer[2000];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	err_set(&e, "%s", longer);
	ck_assert_uint_eq(strlen(e.text), ERR_TEXT_MAX - 1);
	ck_assert_str_eq(e.text + ERR_TEXT_MAX - 5, "x...");
}
END_TEST

/* Whatever the alignment, no half character is left before the mark. */
START_TEST(cut_falls_between_characters)
{
	for (int pad = 0; pad < 4; pad++) {
		struct err e = { "" };
		char longer[1200] = "";

		memset(longer, 'x', (size_t)pad);
		while (strlen(longer) < 1000)
			strcat(longer, "\xf0\x9f\x9a\xa2");
		err_set(&e, "%s", longer);
		ck_assert_ptr_null(strchr(e.text, '?'));
		ck_assert_ptr_nonnull(strstr(e.text, "..."));
	}
}
END_TEST

START_TEST(empty_text_still_counts)
{
	struct err e = { "" };

	err_set(&e, "%s", "");
	ck_assert_str_ne(e.text, "");
}
END_TEST

START_TEST(control_bytes_are_replaced)
{
	ck_assert_str_eq(cleaned("a\nb\x1b[31mc\x7f\t\r\x01"), "a?b?[31mc????");
	ck_assert_str_eq(cleaned("plain text, \"quoted\""), "plain text, \"quoted\"");
}
END_TEST

START_TEST(valid_utf8_stays)
{
	ck_assert_str_eq(cleaned("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x9a\xa2 \xc2\xa0 \xed\x9f\xbf"),
			 "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x9a\xa2 \xc2\xa0 \xed\x9f\xbf");
}
END_TEST

START_TEST(invalid_utf8_is_replaced)
{
	ck_assert_str_eq(cleaned("\xc2\x85"), "??");	       /* C1: next line */
	ck_assert_str_eq(cleaned("\xc0\xaf"), "??");	       /* overlong '/' */
	ck_assert_str_eq(cleaned("\xe0\x80\xaf"), "???");      /* overlong '/' */
	ck_assert_str_eq(cleaned("\xf0\x80\x80\xaf"), "????"); /* overlong '/' */
	ck_assert_str_eq(cleaned("\xed\xa0\x80"), "???");      /* surrogate */
	ck_assert_str_eq(cleaned("\xf4\x90\x80\x80"), "????"); /* above U+10FFFF */
	ck_assert_str_eq(cleaned("a\x80z\xff"), "a?z?");
	ck_assert_str_eq(cleaned("\xe2\x82"), "??");	  /* ends early */
	ck_assert_str_eq(cleaned("\xe2\x82z"), "??z");	  /* broken off */
	ck_assert_str_eq(cleaned("\xf0\x9f\x9a"), "???"); /* ends early */
}
END_TEST

START_TEST(clean_covers_nul_and_length_zero)
{
	char text[] = { 'a', '\0', 'b' };

	err_clean(text, sizeof(text));
	ck_assert_mem_eq(text, "a?b", 3);
	err_clean(NULL, 0);
}
END_TEST

START_TEST(quote_cuts_long_values)
{
	char out[ERR_QUOTE_MAX], longer[5000];

	memset(longer, 'v', sizeof(longer));
	ck_assert_str_eq(err_quote(out, "short", 5), "short");
	ck_assert_str_eq(err_quote(out, "abc\ndef", 4), "abc?");
	ck_assert_uint_eq(strlen(err_quote(out, longer, sizeof(longer))), ERR_QUOTE_MAX - 1);
	ck_assert_str_eq(out + ERR_QUOTE_MAX - 5, "v...");
	ck_assert_uint_eq(strlen(err_quote(out, longer, ERR_QUOTE_MAX - 1)), ERR_QUOTE_MAX - 1);
	ck_assert_ptr_null(strchr(out, '.'));
	ck_assert_str_eq(err_quote(out, "", 0), "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("err");
	TCase *tc = tcase_create("err");

	suite_add_tcase(s, tc);
	tcase_add_test(tc, set_formats_and_returns_minus_one);
	tcase_add_test(tc, first_error_wins);
	tcase_add_test(tc, null_err_is_allowed);
	tcase_add_test(tc, sys_appends_reason);
	tcase_add_test(tc, sys_keeps_reason_of_long_text);
	tcase_add_test(tc, long_text_is_cut_and_marked);
	tcase_add_test(tc, cut_falls_between_characters);
	tcase_add_test(tc, empty_text_still_counts);
	tcase_add_test(tc, control_bytes_are_replaced);
	tcase_add_test(tc, valid_utf8_stays);
	tcase_add_test(tc, invalid_utf8_is_replaced);
	tcase_add_test(tc, clean_covers_nul_and_length_zero);
	tcase_add_test(tc, quote_cuts_long_values);
	return unit_run(s);
}
