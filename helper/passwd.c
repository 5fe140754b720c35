/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * berth-passwd UID GID [GID]... - what the host's name services say of a user, in the
 * form that account_parse reads.
 *
 * A program of its own, run as the user: NSS loads libraries and asks servers, which
 * has no place in a privileged process.  A user whom nobody knows gets names made
 * from the numbers, so that the step still runs.
 */
#define _GNU_SOURCE 1
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "account.h"

#define PASSWD_BUFFER (256 * 1024) /* a group's members are in it too */
#define PASSWD_SECONDS 10	   /* a name service that hangs must not hang the step */

static bool parse_id(const char *text, uint32_t *ret)
{
	uint64_t v = 0;

	if (!*text || strlen(text) > 10)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		v = v * 10 + (uint64_t)(*text - '0');
	}
	if (v >= UINT32_MAX) /* (uid_t)-1 is nobody */
		return false;
	*ret = (uint32_t)v;
	return true;
}

/* Does text fit into size bytes, and is it free of what would break a passwd line? */
static bool usable(const char *text, size_t size)
{
	size_t len = text ? strnlen(text, size) : 0;

	if (!text || len >= size)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f || text[i] == ':')
			return false;
	return true;
}

static bool usable_name(const char *text, size_t size)
{
	return usable(text, size) && *text && *text != '+' && *text != '-';
}

static bool usable_path(const char *text, size_t size)
{
	return usable(text, size) && *text == '/';
}

/* usable() has found that from fits. */
static void set(char *to, const char *from)
{
	memcpy(to, from, strlen(from) + 1);
}

static void fill_user(struct account *a, uint32_t uid, char *buf)
{
	struct passwd pw, *found = NULL;

	if (getpwuid_r(uid, &pw, buf, PASSWD_BUFFER, &found) != 0 || !found)
		return;
	if (usable_name(found->pw_name, sizeof(a->name)))
		set(a->name, found->pw_name);
	if (usable(found->pw_gecos, sizeof(a->gecos)))
		set(a->gecos, found->pw_gecos);
	if (usable_path(found->pw_dir, sizeof(a->home)))
		set(a->home, found->pw_dir);
	if (usable_path(found->pw_shell, sizeof(a->shell)))
		set(a->shell, found->pw_shell);
}

static void fill_group(struct account *a, uint32_t gid, char *buf)
{
	struct group gr, *found = NULL;

	if (getgrgid_r(gid, &gr, buf, PASSWD_BUFFER, &found) == 0 && found &&
	    usable_name(found->gr_name, sizeof(a->group)))
		set(a->group, found->gr_name);
}

/* A further group; one that nobody knows is left out. */
static void add_group(struct account *a, uint32_t gid, char *buf)
{
	struct group gr, *found = NULL;

	if (a->nmore == ACCOUNT_GROUPS_MAX ||
	    getgrgid_r(gid, &gr, buf, PASSWD_BUFFER, &found) != 0 || !found ||
	    !usable_name(found->gr_name, sizeof(a->more[0].name)))
		return;
	a->more[a->nmore].gid = gid;
	snprintf(a->more[a->nmore++].name, sizeof(a->more[0].name), "%s", found->gr_name);
}

int main(int argc, char **argv)
{
	struct account a = { .home = "/", .shell = "/bin/sh" };
	uint32_t uid, gid, more;
	char *buf;

	if (argc < 3 || !parse_id(argv[1], &uid) || !parse_id(argv[2], &gid)) {
		fputs("usage: berth-passwd UID GID [GID]...\n", stderr);
		return 2;
	}
	alarm(PASSWD_SECONDS);
	buf = malloc(PASSWD_BUFFER);
	if (!buf) {
		fputs("berth-passwd: out of memory\n", stderr);
		return 1;
	}
	snprintf(a.name, sizeof(a.name), "user%u", uid);
	snprintf(a.group, sizeof(a.group), "group%u", gid);
	fill_user(&a, uid, buf);
	fill_group(&a, gid, buf);
	for (int i = 3; i < argc; i++)
		if (parse_id(argv[i], &more))
			add_group(&a, more, buf);
	free(buf);
	printf("%s\n%s\n%s\n%s\n%s\n", a.name, a.gecos, a.home, a.shell, a.group);
	for (size_t i = 0; i < a.nmore; i++)
		printf("%u:%s\n", a.more[i].gid, a.more[i].name);
	puts("end");
	if (fflush(stdout) != 0) {
		fputs("berth-passwd: can't write the answer\n", stderr);
		return 1;
	}
	return 0;
}
