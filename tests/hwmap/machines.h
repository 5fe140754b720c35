/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * machines.h - the machines that the tests know by name; README.md says what each is like.
 */
#ifndef BERTH_TESTS_MACHINES_H
#define BERTH_TESTS_MACHINES_H

#include "tree.h"

struct machine {
	const char *name, *what;
	void (*make)(const struct tree *t);
};

extern const struct machine machines[]; /* ends with a NULL name */

/* -1: no such machine. */
int machines_make(const char *name, const struct tree *t);

#endif
