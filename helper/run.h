/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run.h - run one of Berth's own unprivileged programs and take what it prints.
 */
#ifndef BERTH_RUN_H
#define BERTH_RUN_H

#include <stddef.h>

#include "err.h"

/*
 * execve argv[0] (absolute) with an empty environment and input as its standard
 * input (-1: /dev/null), as whoever the caller is.  Returns its standard output, at
 * most max bytes, malloced with a NUL behind *ret_len; NULL with *e: its first line
 * of standard error where it failed.  Ends it by force after timeout_ms.
 */
char *run_program(char *const argv[], int input, size_t max, int timeout_ms, size_t *ret_len,
		  struct err *e);

#endif
