/* SPDX-License-Identifier: BSD-3-Clause */
/* The job's variables: which are written over, which go through Slurm. */
#define _GNU_SOURCE 1
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../spank/jobenv.h"
#include "unit.h"

#define ROOM 8

/* Slurm's array: strings that are no longer than what they hold. */
static char *job[ROOM + 1];
static unsigned set_by_slurm;
static spank_err_t slurm_says;

static char **find(const char *name)
{
	char **e = job;

	while (*e && (strncmp(*e, name, strlen(name)) != 0 || (*e)[strlen(name)] != '='))
		e++;
	return e;
}

spank_err_t spank_get_item(spank_t sp, spank_item_t item, ...)
{
	va_list ap;

	(void)sp;
	ck_assert_int_eq(item, S_JOB_ENV);
	va_start(ap, item);
	*va_arg(ap, char ***) = job;
	va_end(ap);
	return ESPANK_SUCCESS;
}

spank_err_t spank_setenv(spank_t sp, const char *name, const char *value, int overwrite)
{
	char **e = find(name);

	(void)sp;
	ck_assert_int_eq(overwrite, 1);
	set_by_slurm++;
	if (slurm_says != ESPANK_SUCCESS)
		return slurm_says;
	ck_assert_uint_lt((size_t)(e - job), ROOM);
	free(*e);
	ck_assert_int_gt(asprintf(e, "%s=%s", name, value), 0);
	return ESPANK_SUCCESS;
}

spank_err_t spank_unsetenv(spank_t sp, const char *name)
{
	char **e = find(name);

	(void)sp;
	free(*e);
	for (; *e; e++)
		e[0] = e[1];
	return ESPANK_SUCCESS;
}

static void begin(void)
{
	static const char *const first[] = { "PATHS=/none", "PATH=/usr/bin:/bin",
					     "EMPTY=", "FROM_LONG_NAME=a=b" };

	memset(job, 0, sizeof(job));
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		job[i] = strdup(first[i]);
	set_by_slurm = 0;
	slurm_says = ESPANK_SUCCESS;
}

static void end(void)
{
	for (size_t i = 0; i < ROOM; i++)
		free(job[i]);
}

static const char *value_of(const char *name)
{
	char **e = find(name);

	return *e ? *e + strlen(name) + 1 : NULL;
}

static void check_set(const char *name, const char *value, unsigned by_slurm)
{
	struct err e = { "" };

	set_by_slurm = 0;
	ck_assert_int_eq(jobenv_set(NULL, name, value, &e), 0);
	ck_assert_pstr_eq(value_of(name), value);
	ck_assert_uint_eq(set_by_slurm, by_slurm);
}

START_TEST(set)
{
	check_set("PATH", "/usr/bin:/bin", 0);
	check_set("PATH", "/bin:/usr/bin", 0);
	check_set("PATH", "/bin", 0);
	check_set("PATH", "/bin:", 1); /* no longer known to have room */
	check_set("PATH", "", 0);
	check_set("EMPTY", "", 0);
	check_set("EMPTY", "a", 1);
	check_set("NEW", "a=b", 1);
	check_set("NE", "", 1);
	ck_assert_pstr_eq(value_of("PATHS"), "/none");
}
END_TEST

START_TEST(refused)
{
	struct err e = { "" };

	slurm_says = ESPANK_NOSPACE;
	ck_assert_int_eq(jobenv_set(NULL, "NEW", "a", &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "variable NEW"));
}
END_TEST

START_TEST(renamed)
{
	jobenv_rename(NULL, "FROM_LONG_NAME", "TO");
	ck_assert_ptr_null(value_of("FROM_LONG_NAME"));
	ck_assert_pstr_eq(value_of("TO"), "a=b");
	/* the one that has the name already goes */
	jobenv_rename(NULL, "PATHS", "PATH");
	ck_assert_pstr_eq(value_of("PATH"), "/none");
	ck_assert_ptr_null(value_of("PATHS"));
	/* nothing to be done */
	jobenv_rename(NULL, "PATH", "PATH");
	ck_assert_pstr_eq(value_of("PATH"), "/none");
	jobenv_rename(NULL, "NONE", "EMPTY");
	ck_assert_pstr_eq(value_of("EMPTY"), "");
	ck_assert_uint_eq(set_by_slurm, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("jobenv");
	TCase *t = tcase_create("jobenv");

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, set);
	tcase_add_test(t, refused);
	tcase_add_test(t, renamed);
	suite_add_tcase(s, t);
	return unit_run(s);
}
