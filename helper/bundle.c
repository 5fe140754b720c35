/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "bundle.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The value of a record "key=value", or NULL if it has another key. */
static const char *record_value(const char *record, const char *key)
{
	size_t len = strlen(key);

	return strncmp(record, key, len) == 0 && record[len] == '=' ? record + len + 1 : NULL;
}

static bool path_sound(const char *path)
{
	if (!*path || strlen(path) >= PATH_MAX)
		return false;
	for (; *path; path++)
		if ((unsigned char)*path < 0x20 || *path == 0x7f)
			return false;
	return true;
}

/* Keep a path that may be given once. */
static int bundle_path(char **slot, const char *path, const char *what, struct err *e)
{
	if (*slot)
		return err_set(e, "OCI bundle: %s is given twice", what);
	if (!path_sound(path))
		return err_set(e, "OCI bundle: %s is empty, too long or has control characters",
			       what);
	*slot = strdup(path);
	return *slot ? 0 : err_set(e, "OCI bundle: out of memory");
}

static int bundle_cwd(struct bundle *b, const char *path, struct err *e)
{
	char quoted[ERR_QUOTE_MAX];

	if (*path != '/')
		return err_set(e, "OCI bundle: cwd \"%s\" is not an absolute path",
			       err_quote(quoted, path, strlen(path)));
	return bundle_path(&b->cwd, path, "cwd", e);
}

/* SRC<TAB>DST<TAB>ro|rw, and more flags of mountspec.h behind it */
static int bundle_mount(struct bundle *b, const char *record, size_t max, struct err *e)
{
	char quoted[ERR_QUOTE_MAX], *src = strdup(record), *dst, *flags;
	struct mount_spec m;
	struct err why = { "" };
	int rc = -1;

	if (!src)
		return err_set(e, "OCI bundle: out of memory");
	dst = strchr(src, '\t');
	flags = dst ? strchr(dst + 1, '\t') : NULL;
	if (!flags || (strncmp(flags, "\tro", 3) != 0 && strncmp(flags, "\trw", 3) != 0)) {
		err_set(&why, "expected source, destination and ro or rw");
		goto done;
	}
	*dst++ = '\0';
	*flags++ = '\0';
	if (mount_spec_make(strcmp(src, "tmpfs") == 0 ? NULL : src, dst, flags, &m, &why) == 0)
		rc = mount_list_add(&b->mounts, max, &m, &why);
done:
	if (rc < 0)
		err_set(e, "OCI bundle: mount \"%s\": %s",
			err_quote(quoted, record, strlen(record)), why.text);
	free(src);
	return rc;
}

static int bundle_record(struct bundle *b, const char *record, size_t max, struct err *e)
{
	char quoted[ERR_QUOTE_MAX];
	const char *value;

	value = record_value(record, "root");
	if (value)
		return bundle_path(&b->root, value, "root", e);
	value = record_value(record, "cwd");
	if (value)
		return bundle_cwd(b, value, e);
	value = record_value(record, "env");
	if (value)
		return env_set(&b->env, value, e);
	value = record_value(record, "mount");
	if (value)
		return bundle_mount(b, value, max, e);
	return err_set(e, "OCI bundle: unknown record \"%s\" from berth-oci",
		       err_quote(quoted, record, strlen(record)));
}

int bundle_parse(const char *text, size_t len, size_t max, struct bundle *ret, struct err *e)
{
	struct bundle b = { 0 };

	if (len == 0 || len > BUNDLE_MAX || text[len - 1] != '\0')
		return err_set(e,
			       "OCI bundle: expected at most %d bytes of whole records from "
			       "berth-oci",
			       BUNDLE_MAX);
	for (size_t at = 0; at < len; at += strlen(text + at) + 1) {
		if (bundle_record(&b, text + at, max, e) < 0) {
			bundle_done(&b);
			return -1;
		}
	}
	if (!b.root) {
		bundle_done(&b);
		return err_set(e, "OCI bundle: no root, expected root.path in config.json");
	}
	*ret = b;
	return 0;
}

void bundle_done(struct bundle *b)
{
	if (!b)
		return;
	free(b->root);
	free(b->cwd);
	env_list_done(&b->env);
	mount_list_done(&b->mounts);
	b->root = b->cwd = NULL;
}
