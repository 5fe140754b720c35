/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "imageenv.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "envscript.h"
#include "sys.h"

#define SCRIPTS ".singularity.d/env"
#define SCRIPTS_MAX 64
#define DEFAULT_PATH "PATH=" IMAGEENV_USUAL_PATH

int imageenv_open(int root, const char *path)
{
	return sys_regular(sys_openat2(root, path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0,
				       RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS));
}

char *imageenv_read(int root, const char *path, size_t max, size_t *len)
{
	int fd = imageenv_open(root, path);
	char *text = fd < 0 ? NULL : sys_read_all(fd, max, len);

	sys_close(&fd);
	return text;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What Apptainer's own shell would find set before it reads a SIF's files. */
static int known_env(const struct account *a, struct env_list *known, struct err *e)
{
	char text[16 + sizeof(a->home) + sizeof(a->name)];

	if (env_set(known, DEFAULT_PATH, e) < 0)
		return -1;
	if (!a)
		return 0;
	snprintf(text, sizeof(text), "HOME=%s", a->home);
	if (env_set(known, text, e) < 0)
		return -1;
	snprintf(text, sizeof(text), "USER=%s", a->name);
	if (env_set(known, text, e) < 0)
		return -1;
	snprintf(text, sizeof(text), "LOGNAME=%s", a->name);
	return env_set(known, text, e);
}

/* Of these files Apptainer writes all but the ones with the recipe's %environment. */
static bool is_makers(const char *name)
{
	return !strcmp(name, "90-environment.sh") || !strcmp(name, "91-environment.sh");
}

/* One of these files. */
static int script_env(int root, const char *name, const struct imageenv_ask *ask,
		      const struct env_list *known, struct env_list *env, char *note,
		      size_t note_size, struct err *e)
{
	struct env_left_out left = { "" };
	char path[sizeof(SCRIPTS) + NAME_MAX + 2], *text;
	size_t len;
	int rc;

	snprintf(path, sizeof(path), SCRIPTS "/%s", name);
	text = imageenv_read(root, path, ENV_TEXT_MAX, &len);
	if (!text)
		return 0;
	rc = env_parse_singularity(text, len, known, env, is_makers(name) ? &left : NULL, e);
	free(text);
	if (left.name[0] && !env_names_have(ask->keep, left.name, strlen(left.name)))
		snprintf(note, note_size,
			 "the image's /" SCRIPTS "/%s sets %s by what takes a shell: left out; set "
			 "it in the job and with --container-env=%s",
			 name, left.name, left.name);
	return rc;
}

/* Names of the scripts, malloced each, in the order in which a shell would read them. */
static size_t script_names(int root, char *names[SCRIPTS_MAX])
{
	size_t n = 0;
	int fd = sys_openat2(root, SCRIPTS, O_RDONLY | O_DIRECTORY, 0,
			     RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *ent;

	if (!d) {
		sys_close(&fd);
		return 0;
	}
	while (n < SCRIPTS_MAX && (ent = readdir(d))) {
		size_t len = strlen(ent->d_name);

		if (len > 3 && !strcmp(ent->d_name + len - 3, ".sh") &&
		    (names[n] = strdup(ent->d_name)))
			n++;
	}
	closedir(d);
	qsort(names, n, sizeof(names[0]), by_name);
	return n;
}

static int singularity_env(int root, const struct imageenv_ask *ask, struct env_list *env,
			   char *note, size_t note_size, struct err *e)
{
	char *names[SCRIPTS_MAX];
	const size_t n = script_names(root, names);
	struct env_list known = { 0 };
	int rc = n ? known_env(ask->account, &known, e) : 0;

	for (size_t i = 0; i < n; i++) {
		if (rc == 0)
			rc = script_env(root, names[i], ask, &known, env, note, note_size, e);
		free(names[i]);
	}
	env_list_done(&known);
	return rc;
}

int imageenv_collect(int root, const struct imageenv_ask *ask, struct env_list *env, char *note,
		     size_t note_size, struct err *e)
{
	size_t len;
	char *text = imageenv_read(root, "etc/environment", ENV_TEXT_MAX, &len);
	int rc = text ? env_parse_environment(text, len, env, e) : 0;

	free(text);
	if (rc < 0 || singularity_env(root, ask, env, note, note_size, e) < 0)
		return -1;
	for (size_t i = 0; ask->bundle && i < ask->bundle->n; i++)
		if (env_set(env, ask->bundle->v[i], e) < 0)
			return -1;
	/* the job's PATH names directories of the host */
	if (!env_get(env, "PATH") && env_set(env, DEFAULT_PATH, e) < 0)
		return -1;
	env_filter(env, ask->keep);
	return 0;
}
