/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * elfneeds.h - what a program's file says it needs: its loader and its libraries.
 *
 * Reads hostile files: to be called as the user only.  Every length and count is bounded; what is
 * damaged gives less than there is, or nothing.  Of this machine's class and byte order only (elf(5)).
 */
#ifndef BERTH_ELFNEEDS_H
#define BERTH_ELFNEEDS_H

#define ELFNEEDS_MAX 64
#define ELFNEEDS_NAME_MAX 128
#define ELFNEEDS_PATH_MAX 256

struct elfneeds {
	char interp[ELFNEEDS_PATH_MAX];	 /* the loader's path, or "" */
	char runpath[ELFNEEDS_PATH_MAX]; /* DT_RUNPATH or DT_RPATH, "a:b", or "" */
	unsigned n;
	char name[ELFNEEDS_MAX][ELFNEEDS_NAME_MAX]; /* names without '/' */
};

/* 0, or -1 for what is no such file. */
int elfneeds_read(int fd, struct elfneeds *ret);

#endif
