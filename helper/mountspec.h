/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mountspec.h - text of --container-mounts and of the `mounts=` plugstack
 * argument, to a list.  SRC[:DST[:FLAGS]][,...]; tmpfs:/path[:opts].  Meaning as
 * in pyxis: DST defaults to SRC; FLAGS joined by '+': ro rw, noexec, nofail, [r]private,
 * [r]slave, [r]shared (refused: nothing may propagate to the host), bind, rbind (the
 * same here: what other mounts cover stays covered).
 * "\:" "\," and "\\" stand for the character itself.  nosuid, nodev and
 * x-create=... are taken and change nothing: so it is always.  Pure text: no file is
 * looked at.  Used on the submit side for early messages and again by the helper.
 */
#ifndef BERTH_MOUNTSPEC_H
#define BERTH_MOUNTSPEC_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

enum mount_kind { MOUNT_BIND, MOUNT_TMPFS };

struct mount_spec {
	enum mount_kind kind;
	char *src;	     /* MOUNT_BIND: absolute, or relative to the job's cwd ("./x", "x") */
	char *dst;	     /* absolute path in the container, no "." or ".." component, no "//" */
	bool ro;	     /* asked for read-only */
	bool noexec;	     /* no program there can be run */
	bool nofail;	     /* MOUNT_BIND: left out where the user cannot reach src */
	bool slave;	     /* propagation host -> container asked for */
	unsigned tmpfs_mode; /* MOUNT_TMPFS: 01777 unless mode= */
	size_t tmpfs_size;   /* bytes; 0: the site's default */
};

struct mount_list {
	struct mount_spec *v;
	size_t n; /* <= max given to mount_list_parse */
};

/*
 * Parse text (at most REQUEST_OPTION_MAX - 1 bytes) into *ret; max is the number
 * of entries allowed.  Destinations "/", and those at or below /proc, /sys and
 * /dev are refused, except a bind without a different DST whose SRC is below /dev
 * (a device: the helper makes a node in the container's own /dev), or whose DST is
 * the same path; both are then spelt alike.  A relative SRC needs a DST.  0, or -1
 * with *e naming the option (--container-mounts), the entry and what was expected.
 */
int mount_list_parse(const char *text, size_t max, struct mount_list *ret, struct err *e);
/* The same for a text that came from elsewhere, e.g. option "mounts=". */
int mount_list_parse_as(const char *option, const char *text, size_t max, struct mount_list *ret,
			struct err *e);
void mount_list_done(struct mount_list *l);

/*
 * One mount that was not given as one text: a recursive bind of src, or a tmpfs where
 * src is NULL; destination and flags are checked by the same rules.  0 or -1 with *e.
 */
int mount_spec_make(const char *src, const char *dst, const char *flags, struct mount_spec *ret,
		    struct err *e);

/*
 * "size=N" or "mode=OCTAL", as among the flags of a tmpfs, to *m, where the last one counts.
 * 1: taken; 0: option is another one; -1 with *e.
 */
int mount_tmpfs_option(const char *option, struct mount_spec *m, struct err *e);

/* Append *m, whose strings are the list's (or freed) then, whatever is returned. 0 or -1 with *e. */
int mount_list_add(struct mount_list *l, size_t max, struct mount_spec *m, struct err *e);

/*
 * Check one destination by the rules above and write its normalised form (no
 * trailing or double slashes) to out[0..size).  0, or -1 with *e set.
 */
int mount_dst_normalise(const char *dst, char *out, size_t size, struct err *e);

/* True when path is dir or lies below it, by components ("/a/b" in "/a", not "/ab" in "/a"). */
bool path_within(const char *path, const char *dir);

#endif
