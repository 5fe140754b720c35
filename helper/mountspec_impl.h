/* SPDX-License-Identifier: BSD-3-Clause */
/* mountspec_impl.h - for mountspec.c, mountdst.c and mountflags.c alone. */
#ifndef BERTH_MOUNTSPEC_IMPL_H
#define BERTH_MOUNTSPEC_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "mountspec.h"

/* Part of a text that somebody else owns. */
struct span {
	const char *p;
	size_t len;
};

static inline bool span_is(struct span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

static inline bool span_starts(struct span s, const char *text)
{
	return s.len >= strlen(text) && memcmp(s.p, text, strlen(text)) == 0;
}

/*
 * The part of *rest up to the first sep, which is taken off *rest together with
 * that sep.  A backslash hides the byte after it.  *more: a sep was there.
 */
struct span span_split(struct span *rest, char sep, bool *more);

bool mount_has_control(const char *text, size_t len);

/* dst without ".", "//" and a final "/"; malloced.  NULL with *e for what is no such path. */
char *mount_dst_clean(const char *dst, struct err *e);

/* May a mount go to dst, which is clean?  0 or -1 with *e. */
int mount_dst_check(const char *dst, struct err *e);

/* Is s one of the words that are flags of a bind? */
bool mount_is_flag(struct span s);

/* Flags joined by '+' to *m, whose kind is set.  0 or -1 with *e. */
int mount_flags(struct span text, struct mount_spec *m, struct err *e);

#endif
