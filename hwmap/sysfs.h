/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sysfs.h - reads /sys, or a tree that is laid out like it.
 *
 * Nothing in the tree is trusted: sizes and counts are bounded, text is one clean line, a name
 * that could not be a kernel's is left out.  Files may come and go between two calls.  Paths are
 * relative to the tree's top, without a leading slash.  Symbolic links inside the tree are
 * followed by the kernel, which ends loops (ELOOP).
 */
#ifndef BERTH_HWMAP_SYSFS_H
#define BERTH_HWMAP_SYSFS_H

#include "hwmap.h"

#define SYSFS_TEXT_MAX 4096	/* of an attribute: a page is what the kernel gives */
#define SYSFS_ENTRIES_MAX 16384 /* of a directory */

struct sysfs {
	int root;		   /* O_PATH; -1: a tree without anything in it */
	struct hwmap_notes *notes; /* borrowed; may be NULL */
};

struct sysfs_names {
	char (*names)[HWMAP_NAME_MAX];
	size_t n;
};

/* top NULL: /sys.  sysfs_close may be called after a failure. */
int sysfs_open(struct sysfs *s, const char *top, struct hwmap_notes *notes, struct err *e);
void sysfs_close(struct sysfs *s);

/*
 * Names in a directory but "." and "..", in an order that puts 2 before 10; the caller frees
 * names.  A directory that isn't there is empty.  Too long, unclean or too many names are noted
 * and left out.
 */
void sysfs_list(const struct sysfs *s, struct sysfs_names *ret, const char *path);

/* Where digits are compared as numbers: eth2 < eth10.  For qsort and for sorted output. */
int sysfs_compare(const char *a, const char *b);

/*
 * The attribute's first line, clean, without blanks at its end; its length, or -1 with errno
 * (ENAMETOOLONG: it didn't fit; EILSEQ: it held bytes that no line has).  buf is "" then.
 * Missing files are for the caller to note.
 */
int sysfs_text(const struct sysfs *s, char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* A decimal or 0x number at the start of the attribute; -1 with errno if there is none. */
int sysfs_number(const struct sysfs *s, int64_t *ret, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The text of a symbolic link; its length, or -1 with errno as sysfs_text. */
int sysfs_link(const struct sysfs *s, char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Copy a name that the kernel could have given (clean, no slash, not "." or ".."); -1: no. */
int sysfs_name(char *ret, size_t size, const char *text);

/*
 * Tell fn each path that is read from now on, also one that can't be; list: as a directory.
 * For a capture, of all trees and in a process with one thread.  NULL ends it.
 */
typedef void sysfs_watch_fn(void *arg, const char *path, bool list);
void sysfs_watch(sysfs_watch_fn *fn, void *arg);

#endif
