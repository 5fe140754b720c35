/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "verbs.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES_MAX 4096	      /* of one directory */
#define LIBRARY_MAX (4 * 1024 * 1024) /* Debian's has 120 kB */
#define KIND "-rdmav"

struct found {
	bool library, provider, fits;
	char abi[VERBS_ABI_MAX];
};

/* The N of the first "-rdmavN.so" in text; false where there is none. */
static bool find_abi(const char *text, size_t len, char ret[VERBS_ABI_MAX])
{
	const char *end = text + len, *at = text;

	while ((at = memmem(at, (size_t)(end - at), KIND, strlen(KIND)))) {
		size_t n = 0;

		at += strlen(KIND);
		while (at + n < end && n < VERBS_ABI_MAX - 1 && isdigit((unsigned char)at[n]))
			n++;
		if (n > 0 && (size_t)(end - at) > n + 3 && memcmp(at + n, ".so", 3) == 0) {
			memcpy(ret, at, n);
			ret[n] = '\0';
			return true;
		}
	}
	return false;
}

static void read_abi(const char *library, char ret[VERBS_ABI_MAX])
{
	int fd = open(library, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = fd < 0 ? NULL : malloc(LIBRARY_MAX);
	ssize_t n = text ? pread(fd, text, LIBRARY_MAX, 0) : -1;

	if (n <= 0 || !find_abi(text, (size_t)n, ret))
		ret[0] = '\0';
	free(text);
	if (fd >= 0)
		close(fd);
}

static void look_at_providers(const char *dir, struct found *f)
{
	DIR *d = opendir(dir);
	struct dirent *ent;

	for (int n = 0; d && n < ENTRIES_MAX && (ent = readdir(d)); n++) {
		char abi[VERBS_ABI_MAX];

		if (!find_abi(ent->d_name, strlen(ent->d_name) + 1, abi))
			continue;
		f->provider = true;
		f->fits = f->fits || !f->abi[0] || strcmp(abi, f->abi) == 0;
	}
	if (d)
		closedir(d);
}

static void look(const char *dir, struct found *f)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/libibverbs.so.1", dir);
	if (access(path, F_OK) < 0)
		return;
	f->library = true;
	read_abi(path, f->abi);
	snprintf(path, sizeof(path), "%s/libibverbs", dir);
	look_at_providers(path, f);
}

enum verbs_found verbs_look(const char *root, char abi[VERBS_ABI_MAX])
{
	struct found f = { false, false, false, "" };
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
	memcpy(abi, f.abi, sizeof(f.abi));
	if (!f.library || f.fits)
		return VERBS_UNKNOWN;
	return f.provider ? VERBS_NO_PROVIDER_OF_ABI : VERBS_NO_PROVIDER;
}
