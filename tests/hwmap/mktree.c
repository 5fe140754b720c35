/* SPDX-License-Identifier: BSD-3-Clause */
/* mktree MACHINE DIR - makes a tree like /sys of a machine of machines.c; without arguments: lists them. */
#include <stdio.h>

#include "machines.h"

int main(int argc, char **argv)
{
	struct tree t;

	if (argc == 1) {
		for (const struct machine *m = machines; m->name; m++)
			printf("%-18s %s\n", m->name, m->what);
		return 0;
	}
	if (argc != 3) {
		fprintf(stderr, "usage: mktree [MACHINE DIR]\n");
		return 2;
	}
	tree_open(&t, argv[2]);
	if (machines_make(argv[1], &t) < 0) {
		fprintf(stderr, "mktree: no machine %s\n", argv[1]);
		return 2;
	}
	return 0;
}
