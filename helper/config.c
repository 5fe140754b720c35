/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mountspec.h"
#include "request.h"
#include "sys.h"
#include "trust.h"
#include "usnicenv.h"

#define LINGER_MAX 86400u
#define TIMEOUT_MAX 3600u
#define PLUGSTACK_FILES_MAX 256

enum kind { BOOL, SECONDS, SIZE, PATH, PATHS, MOUNTS, TABLE, MEMLOCK, PREFLIGHT, CONFINE, IGNORED };

struct key {
	const char *name;
	enum kind kind;
	size_t offset; /* in struct config */
	uint64_t min, max;
};

#define AT(member) offsetof(struct config, member)
static const struct key keys[] = {
	{ "account", BOOL, AT(account), 0, 0 },
	{ "confine", CONFINE, AT(confine), 0, 0 },
	{ "deny", PATHS, AT(deny), 0, 0 },
	{ "devices", PATHS, AT(devices), 0, 0 },
	{ "erofsfuse", PATH, AT(erofsfuse), 0, 0 },
	{ "gres", BOOL, AT(gres), 0, 0 },
	{ "image_linger", SECONDS, AT(image_linger), 0, LINGER_MAX },
	{ "kernel_mount_user_images", BOOL, AT(kernel_mount_user_images), 0, 0 },
	{ "map", PATH, AT(map), 0, 0 },
	{ "memlock", MEMLOCK, AT(memlock), 0, 0 },
	{ "mount_cwd", BOOL, AT(mount_cwd), 0, 0 },
	{ "mount_home", BOOL, AT(mount_home), 0, 0 },
	{ "mount_sys", BOOL, AT(mount_sys), 0, 0 },
	{ "mount_tmp", BOOL, AT(mount_tmp), 0, 0 },
	{ "mounts", MOUNTS, AT(mounts), 0, 0 },
	{ "pmix", BOOL, AT(pmix), 0, 0 },
	{ "preflight", PREFLIGHT, AT(preflight), 0, 0 },
	{ "remap_root", BOOL, AT(remap_root), 0, 0 },
	{ "resolv", BOOL, AT(resolv), 0, 0 },
	{ "slurm", BOOL, AT(slurm), 0, 0 },
	{ "slurm_paths", PATHS, AT(slurm_paths), 0, 0 },
	{ "squashfuse", PATH, AT(squashfuse), 0, 0 },
	{ "state_dir", PATH, AT(state_dir), 0, 0 },
	{ "timeout", SECONDS, AT(timeout), 1, TIMEOUT_MAX },
	{ "timing", IGNORED, 0, 0, 0 }, /* the plugin's own */
	{ "tmpfs_size", SIZE, AT(tmpfs_size), 0, 0 },
	{ "trusted", PATHS, AT(trusted), 0, 0 },
	{ "usnic_env", TABLE, AT(usnic_env), 0, 0 },
	{ "writable", BOOL, AT(writable), 0, 0 },
};
#define NKEYS (sizeof(keys) / sizeof(keys[0]))

const char *const *config_keys(void)
{
	static const char *names[NKEYS + 1];

	for (size_t i = 0; i < NKEYS; i++)
		names[i] = keys[i].name;
	return names;
}

int config_init(struct config *c)
{
	*c = (struct config){
		.state_dir = strdup("/run/berth"),
		.squashfuse = strdup("/usr/bin/squashfuse_ll"),
		.erofsfuse = strdup("/usr/bin/erofsfuse"),
		.image_linger = 60,
		.timeout = 30,
		.tmpfs_size = (uint64_t)1 << 30,
		.memlock = CONFIG_MEMLOCK_UNLIMITED,
		.preflight = PREFLIGHT_STRICT,
		.confine = CONFINE_USNIC,
		.mount_home = true,
		.mount_cwd = true,
		.mount_tmp = true,
		.mount_sys = true,
		.account = true,
		.resolv = true,
		.pmix = true,
	};
	if (c->state_dir && c->squashfuse && c->erofsfuse)
		return 0;
	config_done(c);
	return -1;
}

static void list_done(struct config_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	l->n = 0;
}

void config_done(struct config *c)
{
	list_done(&c->trusted);
	list_done(&c->deny);
	list_done(&c->devices);
	list_done(&c->slurm_paths);
	free(c->state_dir);
	free(c->squashfuse);
	free(c->erofsfuse);
	free(c->mounts);
	free(c->map);
	free(c->usnic_env);
	*c = (struct config){ 0 };
}

static int parse_bool(const char *v, bool *ret)
{
	if (!strcmp(v, "yes") || !strcmp(v, "1") || !strcmp(v, "true"))
		*ret = true;
	else if (!strcmp(v, "no") || !strcmp(v, "0") || !strcmp(v, "false"))
		*ret = false;
	else
		return -1;
	return 0;
}

static int parse_number(const char *v, const char **end, uint64_t *ret)
{
	char *stop;

	if (*v < '0' || *v > '9')
		return -1;
	errno = 0;
	*ret = strtoull(v, &stop, 10);
	*end = stop;
	return errno ? -1 : 0;
}

static int parse_size(const char *v, uint64_t *ret)
{
	static const char units[] = "kmgt";
	const char *end, *u;
	uint64_t n;

	if (parse_number(v, &end, &n) < 0 || n == 0)
		return -1;
	if (*end && (u = strchr(units, *end | 0x20)) && !end[1]) {
		unsigned shift = 10 * (unsigned)(u - units + 1);

		if (n >> (62 - shift))
			return -1;
		n <<= shift;
	} else if (*end) {
		return -1;
	}
	*ret = n;
	return 0;
}

static int set_text(char **slot, const char *v)
{
	char *copy = strdup(v);

	if (!copy)
		return -1;
	free(*slot);
	*slot = copy;
	return 0;
}

/* One list argument replaces an earlier one of the same name: the last word counts. */
static int parse_paths(struct config_list *l, const char *v)
{
	list_done(l);
	while (*v) {
		size_t n = strcspn(v, ",");

		if (n) {
			if (*v != '/' || l->n == CONFIG_LIST_MAX)
				return -1;
			l->v[l->n] = strndup(v, n);
			if (!l->v[l->n++])
				return -1;
		}
		v += n + (v[n] == ',');
	}
	return 0;
}

static int parse_memlock(const char *v, uint64_t *ret)
{
	if (strcmp(v, "unlimited") == 0)
		*ret = CONFIG_MEMLOCK_UNLIMITED;
	else if (strcmp(v, "no") == 0)
		*ret = CONFIG_MEMLOCK_LEAVE;
	else
		return parse_size(v, ret);
	return 0;
}

static int parse_preflight(const char *v, enum preflight *ret)
{
	static const char *const words[] = { [PREFLIGHT_OFF] = "off",
					     [PREFLIGHT_WARN] = "warn",
					     [PREFLIGHT_STRICT] = "strict" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(v, words[i]) == 0) {
			*ret = (enum preflight)i;
			return 0;
		}
	return -1;
}

/* "no" alone, or any of the words; each of them confines steps with --usnic, too. */
static int parse_confine(const char *v, unsigned *ret)
{
	static const struct {
		const char *word;
		unsigned bits;
	} words[] = { { "usnic", CONFINE_USNIC },
		      { "strict", CONFINE_USNIC | CONFINE_STRICT },
		      { "always", CONFINE_USNIC | CONFINE_ALWAYS } };

	*ret = 0;
	if (strcmp(v, "no") == 0)
		return 0;
	do {
		size_t n = strcspn(v, ","), i = 0;

		while (i < 3 && (strlen(words[i].word) != n || strncmp(v, words[i].word, n) != 0))
			i++;
		if (i == 3)
			return -1;
		*ret |= words[i].bits;
		v += n;
	} while (*v++ == ',');
	return 0;
}

static int parse_value(struct config *c, const struct key *k, const char *v, struct err *e)
{
	void *at = (char *)c + k->offset;
	uint64_t n;
	const char *end;

	switch (k->kind) {
	case BOOL:
		if (parse_bool(v, at) < 0)
			return err_set(e, "plugstack.conf: %s=%.80s: expected yes or no", k->name,
				       v);
		return 0;
	case SECONDS:
		if (parse_number(v, &end, &n) < 0 || *end || n < k->min || n > k->max)
			return err_set(e,
				       "plugstack.conf: %s=%.80s: expected seconds, %llu to %llu",
				       k->name, v, (unsigned long long)k->min,
				       (unsigned long long)k->max);
		*(unsigned *)at = (unsigned)n;
		return 0;
	case SIZE:
		if (parse_size(v, at) < 0)
			return err_set(
				e, "plugstack.conf: %s=%.80s: expected a size such as 512m or 2g",
				k->name, v);
		return 0;
	case PATH:
		if (*v != '/' || set_text(at, v) < 0)
			return err_set(e, "plugstack.conf: %s=%.80s: expected an absolute path",
				       k->name, v);
		return 0;
	case PATHS:
		if (parse_paths(at, v) < 0)
			return err_set(
				e,
				"plugstack.conf: %s=%.80s: expected absolute paths joined by ','",
				k->name, v);
		return 0;
	case MOUNTS: {
		struct mount_list l = { 0 };

		if (mount_list_parse_as("plugstack.conf: mounts=", v, REQUEST_MOUNTS_MAX, &l, e) <
		    0)
			return -1;
		mount_list_done(&l);
		return set_text(at, v) < 0 ? err_set(e, "out of memory") : 0;
	}
	case TABLE:
		if (usnic_env_check(v, e) < 0)
			return -1;
		return set_text(at, v) < 0 ? err_set(e, "out of memory") : 0;
	case MEMLOCK:
		if (parse_memlock(v, at) < 0)
			return err_set(
				e,
				"plugstack.conf: %s=%.80s: expected unlimited, no, or a size "
				"such as 512m or 2g",
				k->name, v);
		return 0;
	case PREFLIGHT:
		if (parse_preflight(v, at) < 0)
			return err_set(e, "plugstack.conf: %s=%.80s: expected strict, warn or off",
				       k->name, v);
		return 0;
	case CONFINE:
		if (parse_confine(v, at) < 0)
			return err_set(e,
				       "plugstack.conf: %s=%.80s: expected no, or usnic, strict, "
				       "always joined by ','",
				       k->name, v);
		return 0;
	case IGNORED: return 0;
	}
	return -1;
}

int config_parse(struct config *c, char *const *args, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		const char *eq = strchr(args[i], '=');
		size_t len = eq ? (size_t)(eq - args[i]) : strlen(args[i]), k = 0;

		while (k < NKEYS &&
		       (strlen(keys[k].name) != len || strncmp(keys[k].name, args[i], len) != 0))
			k++;
		if (k == NKEYS)
			return err_set(e,
				       "plugstack.conf: unknown argument \"%.80s\"; "
				       "see berth-plugstack(8) for the known ones",
				       args[i]);
		if (!eq)
			return err_set(
				e,
				"plugstack.conf: argument \"%s\" has no value, expected %s=VALUE",
				keys[k].name, keys[k].name);
		if (parse_value(c, &keys[k], eq + 1, e) < 0)
			return -1;
	}
	return 0;
}

static int check_one(int dirfd, const char *dir, const char *name, struct err *e)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, 0) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s/%s", dir, name);
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return err_set(e,
			       "%s/%s: is owned by uid %u with mode %04o, expected root and not "
			       "writable by others; no container is started until that is mended",
			       dir, name, st.st_uid, st.st_mode & 07777);
	return 0;
}

static int check_dir_d(int dirfd, const char *dir, struct err *e)
{
	int fd = openat(dirfd, "plugstack.conf.d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *ent;
	int rc = 0, seen = 0;
	char label[4096];

	snprintf(label, sizeof(label), "%.4000s/plugstack.conf.d", dir);
	if (!d) {
		rc = errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(e, errno, "%s", label);
		sys_close(&fd);
		return rc;
	}
	while (rc == 0 && (ent = readdir(d))) {
		if (ent->d_name[0] == '.')
			continue;
		if (seen++ == PLUGSTACK_FILES_MAX)
			rc = err_set(e, "%s: has more than %d files", label, PLUGSTACK_FILES_MAX);
		else
			rc = check_one(fd, label, ent->d_name, e);
	}
	closedir(d);
	return rc;
}

/* The state directory is looked at by who makes it; here, where it is. */
int config_check_state(const struct config *c, struct err *e)
{
	char *dir = strdup(c->state_dir), *last;
	int rc;

	if (!dir)
		return err_set(e, "out of memory");
	for (last = dir + strlen(dir); last > dir && last[-1] == '/';)
		*--last = '\0';
	last = strrchr(dir, '/');
	if (last)
		last[1] = '\0';
	rc = trust_check_dir("state_dir", dir, e);
	free(dir);
	return rc;
}

int config_check_files(const char *slurm_conf, struct err *e)
{
	char dir[4096] = "/etc/slurm";
	const char *slash = slurm_conf ? strrchr(slurm_conf, '/') : NULL;
	int fd, rc = 0;

	if (slash && slash != slurm_conf)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - slurm_conf), slurm_conf);
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		return err_sys(e, errno, "Slurm's configuration directory %s", dir);
	if (fd >= 0) {
		if (check_one(fd, dir, ".", e) < 0 || check_one(fd, dir, "plugstack.conf", e) < 0 ||
		    check_one(fd, dir, "plugstack.conf.d", e) < 0 || check_dir_d(fd, dir, e) < 0)
			rc = -1;
		close(fd);
	}
	return rc;
}

int config_check_trusted(const struct config *c, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < c->trusted.n && rc == 0; i++)
		rc = trust_check_dir("trusted", c->trusted.v[i], e);
	return rc;
}
