/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "verbs.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES_MAX 4096 /* of one directory */

struct found {
	bool library, provider;
};

/* Is there a name in dir that has part in it? */
static bool holds(const char *dir, const char *part)
{
	DIR *d = opendir(dir);
	struct dirent *ent;
	bool yes = false;

	for (int n = 0; d && !yes && n < ENTRIES_MAX && (ent = readdir(d)); n++)
		yes = strstr(ent->d_name, part);
	if (d)
		closedir(d);
	return yes;
}

static void look(const char *dir, struct found *f)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/libibverbs.so.1", dir);
	if (access(path, F_OK) < 0)
		return;
	f->library = true;
	snprintf(path, sizeof(path), "%s/libibverbs", dir);
	f->provider = f->provider || holds(path, "-rdmav");
}

bool verbs_lacks_providers(const char *root)
{
	struct found f = { false, false };
	char dir[PATH_MAX / 2], below[PATH_MAX];
	struct dirent *ent;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/usr/lib64", root);
	look(dir, &f);
	snprintf(dir, sizeof(dir), "%s/usr/lib", root);
	look(dir, &f);
	d = opendir(dir);
	for (int n = 0; d && n < ENTRIES_MAX && (ent = readdir(d)); n++)
		if (strstr(ent->d_name, "-linux-")) {
			snprintf(below, sizeof(below), "%s/%s", dir, ent->d_name);
			look(below, &f);
		}
	if (d)
		closedir(d);
	return f.library && !f.provider;
}
