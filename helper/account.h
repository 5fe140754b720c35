/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * account.h - /etc/passwd and /etc/group as the container shall have them: the
 * image's text plus the user's lines.  Pure text; runs in the unprivileged child.
 */
#ifndef BERTH_ACCOUNT_H
#define BERTH_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

#define ACCOUNT_FILE_MAX (1024 * 1024) /* bytes of an image's passwd or group that are read */

#define ACCOUNT_GROUPS_MAX 64 /* further groups of the user whose names are looked for */

struct account {
	char name[256];
	char gecos[256];
	char home[4096];
	char shell[4096];
	char group[256]; /* name of the primary group */
	struct {
		uint32_t gid;
		char name[256];
	} more[ACCOUNT_GROUPS_MAX]; /* further groups, those whose names are known */
	size_t nmore;
};

/*
 * Image's passwd text (may be NULL with len 0) with a line for uid put in place of
 * any line that has the same name or the same uid; a missing final newline is
 * mended; lines longer than 4 KiB are dropped.  The user's shell is kept only as
 * text: whether the image has it is not checked here (caller passes "/bin/sh" if
 * it lacks it).  Returns malloced text, *ret_len bytes without NUL; NULL on error.
 */
char *account_passwd(const char *text, size_t len, const struct account *a, uid_t uid, gid_t gid,
		     size_t *ret_len, struct err *e);

/*
 * Image's group text with a line for gid (name a->group) and one for each of a->more,
 * replacing the lines of the same gid or the same name.  Other lines stay.
 */
char *account_group(const char *text, size_t len, const struct account *a, gid_t gid,
		    size_t *ret_len, struct err *e);

/*
 * Parse the output of the program berth-passwd (a line each: name, gecos, home, shell,
 * group, then GID:NAME of further groups, then the word "end") into *ret; each field is
 * checked for length and for ':' and control bytes.  0 or -1.
 */
int account_parse(const char *text, size_t len, struct account *ret, struct err *e);

/*
 * The account of uid and its group gid out of the node's own passwd and group texts:
 * 0 with *ret filled, or -1 where one of them is not there or not sound (then NSS is
 * asked by berth-passwd).
 */
int account_from_files(const char *passwd, size_t passwd_len, const char *group, size_t group_len,
		       uid_t uid, gid_t gid, struct account *ret);

/*
 * Add to a the names that the node's group text has for gids[0..n) other than gid.  0, or
 * -1 where it lacks one (or its name is not sound), and those before it are added.
 */
int account_groups_from_file(const char *group, size_t len, const uint32_t *gids, size_t n,
			     gid_t gid, struct account *a);

#endif
