/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "envfile.h"

#include <stdlib.h>
#include <string.h>

#include "envtext.h"

/* Index of the variable of this name, or l->n. */
static size_t env_find(const struct env_list *l, const char *name, size_t len)
{
	size_t i = 0;

	while (i < l->n && !(strncmp(l->v[i], name, len) == 0 && l->v[i][len] == '='))
		i++;
	return i;
}

const char *env_get_n(const struct env_list *l, const char *name, size_t len)
{
	size_t i = env_find(l, name, len);

	return i < l->n ? l->v[i] + len + 1 : NULL;
}

const char *env_get(const struct env_list *l, const char *name)
{
	return env_get_n(l, name, strlen(name));
}

static void env_drop(struct env_list *l, size_t i)
{
	l->bytes -= strlen(l->v[i]);
	free(l->v[i]);
	memmove(l->v + i, l->v + i + 1, (l->n - i) * sizeof(*l->v)); /* with the NULL */
	l->n--;
}

void env_unset(struct env_list *l, const char *name, size_t len)
{
	size_t i = env_find(l, name, len);

	if (i < l->n)
		env_drop(l, i);
}

static int env_append(struct env_list *l, const char *assignment, struct err *e)
{
	char **v, *copy;

	if (l->n >= ENV_MAX_VARS)
		return err_set(e, "the image's environment has more than %d variables",
			       ENV_MAX_VARS);
	copy = strdup(assignment);
	v = copy ? realloc(l->v, (l->n + 2) * sizeof(*v)) : NULL;
	if (!v) {
		free(copy);
		return err_set(e, "out of memory");
	}
	v[l->n++] = copy;
	v[l->n] = NULL;
	l->v = v;
	return 0;
}

static int env_replace(struct env_list *l, size_t i, const char *assignment, struct err *e)
{
	char *copy = strdup(assignment);

	if (!copy)
		return err_set(e, "out of memory");
	free(l->v[i]);
	l->v[i] = copy;
	return 0;
}

int env_set(struct env_list *l, const char *assignment, struct err *e)
{
	size_t len = strlen(assignment), name = name_len(assignment, len), i, old;
	char quoted[ERR_QUOTE_MAX];
	int rc;

	if (name == 0 || assignment[name] != '=')
		return err_set(e, "\"%s\" is no variable, expected NAME=VALUE",
			       err_quote(quoted, assignment, len));
	i = env_find(l, assignment, name);
	old = i < l->n ? strlen(l->v[i]) : 0;
	if (len > ENV_MAX_BYTES || l->bytes - old > ENV_MAX_BYTES - len)
		return err_set(e, "the image's environment is larger than %d bytes", ENV_MAX_BYTES);
	rc = i < l->n ? env_replace(l, i, assignment, e) : env_append(l, assignment, e);
	if (rc == 0)
		l->bytes += len - old;
	return rc;
}

void env_list_done(struct env_list *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct env_list){ 0 };
}

/* Room for any one assignment of a text of len bytes; NULL with *e. */
static char *scratch_new(size_t len, struct err *e)
{
	char *scratch;

	if (len > ENV_TEXT_MAX) {
		err_set(e, "a file of the image's environment is larger than %d bytes",
			ENV_TEXT_MAX);
		return NULL;
	}
	scratch = malloc(len + 1);
	if (!scratch)
		err_set(e, "out of memory");
	return scratch;
}

/*
 * Take off the quotes around value, and a comment behind them.  A quote that is not
 * the mate of the first byte is part of the value: enroot writes values as they are.
 */
static struct cursor unquote(struct cursor value)
{
	struct cursor inner, rest;

	if (!at(&value, '"') && !at(&value, '\''))
		return value;
	inner.p = value.p + 1;
	inner.end = memchr(inner.p, *value.p, (size_t)(value.end - inner.p));
	if (!inner.end)
		return value;
	rest.p = inner.end + 1;
	rest.end = value.end;
	skip_blanks(&rest);
	if (rest.p < rest.end && !(*rest.p == '#' && is_blank(rest.p[-1])))
		return value;
	return inner;
}

/* One line NAME=VALUE of /etc/environment; other lines change nothing. */
static int environment_line(struct cursor line, char *scratch, struct env_list *l, struct err *e)
{
	struct cursor value;
	size_t name, len;

	if (left(&line) && memchr(line.p, '\0', left(&line)))
		return 0;
	if (take(&line, "export ") || take(&line, "export\t"))
		skip_blanks(&line);
	name = name_len(line.p, left(&line));
	value.p = line.p + name;
	value.end = line.end;
	if (name == 0 || !take(&value, "="))
		return 0;
	value = unquote(value);
	len = left(&value);
	memcpy(scratch, line.p, name);
	scratch[name] = '=';
	memcpy(scratch + name + 1, value.p, len);
	scratch[name + 1 + len] = '\0';
	return env_set(l, scratch, e);
}

int env_parse_environment(const char *text, size_t len, struct env_list *l, struct err *e)
{
	struct cursor c = cursor_new(text, len);
	char *scratch = scratch_new(len, e);
	int rc = scratch ? 0 : -1;

	while (rc == 0 && c.p < c.end)
		rc = environment_line(take_line(&c), scratch, l, e);
	free(scratch);
	return rc;
}

bool env_names_valid(const char *names)
{
	for (;;) {
		size_t n = name_len(names, strlen(names));

		if (n == 0 || (names[n] != ',' && names[n] != '\0'))
			return false;
		if (names[n] == '\0')
			return true;
		names += n + 1;
	}
}

bool env_names_have(const char *names, const char *name, size_t len)
{
	while (names) {
		if (strncmp(names, name, len) == 0 && (names[len] == ',' || names[len] == '\0'))
			return true;
		names = strchr(names, ',');
		if (names)
			names++;
	}
	return false;
}

/* Is this a name that Slurm, PMI or Berth own, or that is the user's and not the image's? */
static bool name_is_ours(const char *name, size_t len)
{
	static const char *const prefixes[] = { "SLURM", "_SLURM", "SPANK_", "PMI", "BERTH_" };
	static const char *const names[] = { "HOME", "USER", "LOGNAME", "TMPDIR" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == len && memcmp(name, names[i], len) == 0)
			return true;
	return false;
}

void env_filter(struct env_list *l, const char *keep_names)
{
	size_t i = 0;

	while (i < l->n) {
		size_t len = strcspn(l->v[i], "=");

		if (name_is_ours(l->v[i], len) || env_names_have(keep_names, l->v[i], len))
			env_drop(l, i);
		else
			i++;
	}
}
