/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "jobenv.h"

#include <stddef.h>
#include <string.h>

/*
 * The entry NAME=VALUE, or NULL.  S_JOB_ENV is Slurm's own array: entries can be written to as
 * far as their NUL, and each call that sets or removes a variable may move them.
 */
static char *entry(spank_t sp, const char *name)
{
	const size_t n = strlen(name);
	char **env = NULL;

	if (spank_get_item(sp, S_JOB_ENV, &env) != ESPANK_SUCCESS)
		return NULL;
	for (; env && *env; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env;
	return NULL;
}

int jobenv_set(spank_t sp, const char *name, const char *value, struct err *e)
{
	char *old = entry(sp, name);
	spank_err_t rc;

	if (old) {
		old += strlen(name) + 1;
		if (strcmp(old, value) == 0)
			return 0;
		if (strlen(old) >= strlen(value)) {
			memcpy(old, value, strlen(value) + 1);
			return 0;
		}
	}
	rc = spank_setenv(sp, name, value, 1);
	return rc == ESPANK_SUCCESS
		       ? 0
		       : err_set(e, "Slurm does not take the variable %s: error %d", name, (int)rc);
}

void jobenv_rename(spank_t sp, const char *from, const char *to)
{
	const size_t n = strlen(to);
	char *e;

	if (n > strlen(from) || strcmp(from, to) == 0 || !entry(sp, from))
		return;
	spank_unsetenv(sp, to);
	e = entry(sp, from);
	if (!e)
		return;
	for (size_t i = 0; i < n; i++)
		e[i] = to[i];
	memmove(e + n, e + strlen(from), strlen(e + strlen(from)) + 1);
}
