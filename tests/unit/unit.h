/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * unit.h - what the main functions of the unit tests have in common.
 */
#ifndef BERTH_UNIT_H
#define BERTH_UNIT_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Run the suite as CK_VERBOSITY, CK_FORK and the like say; returns main's exit status. */
static inline int unit_run(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* n times c, until the next call. */
static inline char *unit_filled(size_t n, char c)
{
	static char buf[8192];

	ck_assert_uint_lt(n, sizeof(buf));
	memset(buf, c, n);
	buf[n] = '\0';
	return buf;
}

#endif
