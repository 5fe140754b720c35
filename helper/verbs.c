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
	const char *wanted;
	bool library, provider, fits, is_wanted;
	char abi[VERBS_ABI_MAX];
};

const char *verbs_provider(const char *root, const char *ibdev)
{
	static const char *const of_driver[][2] = {
		{ "mlx5_core", "mlx5" }, { "mlx4_core", "mlx4" }, { "bnxt_en", "bnxt_re" },
		{ "cxgb4", "cxgb4" },	 { "efa", "efa" },	  { "erdma", "erdma" },
		{ "hfi1", "hfi1verbs" }, { "hns3", "hns" },	  { "ib_mthca", "mthca" },
		{ "ice", "irdma" },	 { "mana", "mana" },	  { "qede", "qedr" },
	};
	char path[PATH_MAX], link[PATH_MAX];
	const char *driver;
	ssize_t n;

	if (!ibdev[0] || ibdev[0] == '.' || strchr(ibdev, '/'))
		return NULL;
	/* rxe_parent_show in the kernel's drivers/infiniband/sw/rxe/rxe_verbs.c, and no other's */
	snprintf(path, sizeof(path), "%s/sys/class/infiniband/%s/parent", root, ibdev);
	if (access(path, F_OK) == 0)
		return "rxe";
	snprintf(path, sizeof(path), "%s/sys/class/infiniband/%s/device/driver", root, ibdev);
	n = readlink(path, link, sizeof(link) - 1);
	if (n <= 0)
		return NULL;
	link[n] = '\0';
	driver = strrchr(link, '/');
	for (size_t i = 0; driver && i < sizeof(of_driver) / sizeof(of_driver[0]); i++)
		if (strcmp(driver + 1, of_driver[i][0]) == 0)
			return of_driver[i][1];
	return NULL;
}

/* Is name that of the provider that is needed? */
static bool is_wanted(const struct found *f, const char *name)
{
	size_t n = f->wanted ? strlen(f->wanted) : 0;

	return n == 0 || (strncmp(name, "lib", 3) == 0 && strncmp(name + 3, f->wanted, n) == 0 &&
			  strncmp(name + 3 + n, KIND, strlen(KIND)) == 0);
}

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
		if (f->abi[0] && strcmp(abi, f->abi) != 0)
			continue;
		f->fits = true;
		f->is_wanted = f->is_wanted || is_wanted(f, ent->d_name);
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

enum verbs_found verbs_look(const char *root, const char *provider, char abi[VERBS_ABI_MAX])
{
	struct found f = { .wanted = provider };
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
	if (!f.library || f.is_wanted)
		return VERBS_UNKNOWN;
	if (f.fits)
		return VERBS_NO_PROVIDER_OF_NIC;
	return f.provider ? VERBS_NO_PROVIDER_OF_ABI : VERBS_NO_PROVIDER;
}
