/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * berth-oci - what Berth needs of an OCI bundle's config.json, from standard input,
 * as the records that bundle.h describes.
 *
 * A program of its own, run as the user: the JSON is the user's, and a JSON library
 * has no place in a privileged process.  Fields: OCI runtime specification, config.md
 * and config-linux.md.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle.h"

#define OCI_CONFIG_MAX (1024 * 1024)
#define OCI_DEPTH_MAX 32
#define OCI_SECONDS 10 /* far more than the largest file needs */

/* The records in the making. */
struct records {
	char *buf; /* BUNDLE_MAX bytes */
	size_t len;
};

static int record_put(struct records *r, const char *key, const char *value, struct err *e)
{
	int n = snprintf(r->buf + r->len, BUNDLE_MAX - r->len, "%s=%s", key, value);

	if (n < 0 || (size_t)n >= BUNDLE_MAX - r->len)
		return err_set(e, "root, env, cwd and mounts are larger than %d bytes", BUNDLE_MAX);
	r->len += (size_t)n + 1;
	return 0;
}

/*
 * A member that is a string without NUL; NULL if it is not there; *e if it is
 * something else.  where: the object's own name and '.', for messages.
 */
static const char *get_string(struct json_object *object, const char *where, const char *key,
			      struct err *e)
{
	struct json_object *member;
	const char *text;

	if (!json_object_object_get_ex(object, key, &member) || !member)
		return NULL;
	text = json_object_is_type(member, json_type_string) ? json_object_get_string(member)
							     : NULL;
	if (!text || strlen(text) != (size_t)json_object_get_string_len(member)) {
		err_set(e, "%s%s is not a string", where, key);
		return NULL;
	}
	return text;
}

/* A member that is an array; NULL if it is not there; *e if it is something else. */
static struct json_object *get_array(struct json_object *object, const char *where, const char *key,
				     struct err *e)
{
	struct json_object *member;

	if (!json_object_object_get_ex(object, key, &member) || !member)
		return NULL;
	if (!json_object_is_type(member, json_type_array)) {
		err_set(e, "%s%s is not an array", where, key);
		return NULL;
	}
	return member;
}

/* A member that is an object; NULL if it is not there or is something else. */
static struct json_object *get_object(struct json_object *object, const char *key)
{
	struct json_object *member;

	if (!json_object_object_get_ex(object, key, &member) ||
	    !json_object_is_type(member, json_type_object))
		return NULL;
	return member;
}

/* Paths end up in records that a tab divides. */
static bool path_sound(const char *path)
{
	if (!*path || strlen(path) >= PATH_MAX)
		return false;
	for (; *path; path++)
		if ((unsigned char)*path < 0x20 || *path == 0x7f)
			return false;
	return true;
}

static int put_path(struct records *r, const char *key, const char *name, const char *path,
		    struct err *e)
{
	if (!path_sound(path))
		return err_set(e, "%s is empty, too long or has control characters", name);
	return record_put(r, key, path, e);
}

static int put_root(struct records *r, struct json_object *config, struct err *e)
{
	struct json_object *root = get_object(config, "root");
	const char *path = root ? get_string(root, "root.", "path", e) : NULL;

	if (e->text[0])
		return -1;
	if (!path)
		return err_set(e, "root.path is missing, expected the root directory's path");
	return put_path(r, "root", "root.path", path, e);
}

/* A variable that no shell could name is left out: it serves nothing inside either. */
static bool variable_named(const char *text)
{
	size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");

	return n > 0 && text[n] == '=' && !(text[0] >= '0' && text[0] <= '9');
}

static int put_env(struct records *r, struct json_object *process, struct err *e)
{
	struct json_object *env = get_array(process, "process.", "env", e);
	size_t n = env ? json_object_array_length(env) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *item = json_object_array_get_idx(env, i);
		const char *text = json_object_get_string(item);

		if (!json_object_is_type(item, json_type_string) || !text ||
		    strlen(text) != (size_t)json_object_get_string_len(item))
			return err_set(e, "process.env[%zu] is not a string", i);
		if (variable_named(text) && record_put(r, "env", text, e) < 0)
			return -1;
	}
	return e->text[0] ? -1 : 0;
}

static int put_process(struct records *r, struct json_object *config, struct err *e)
{
	struct json_object *process = get_object(config, "process");
	const char *cwd;

	if (!process)
		return 0;
	cwd = get_string(process, "process.", "cwd", e);
	if (e->text[0] || (cwd && put_path(r, "cwd", "process.cwd", cwd, e) < 0))
		return -1;
	return put_env(r, process, e);
}

/* Is option among the mount's options? */
static bool has_option(struct json_object *options, const char *option)
{
	size_t n = options ? json_object_array_length(options) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *item = json_object_array_get_idx(options, i);

		if (json_object_is_type(item, json_type_string) &&
		    strcmp(json_object_get_string(item), option) == 0)
			return true;
	}
	return false;
}

/* What a mount of Berth's can have of them, as mountspec.h spells it. */
static const char *flags_of(struct json_object *options)
{
	const bool noexec = has_option(options, "noexec");

	if (has_option(options, "ro"))
		return noexec ? "ro+noexec" : "ro";
	return noexec ? "rw+noexec" : "rw";
}

/* Does every container of Berth's have this already, whatever its source? */
static bool mount_is_ours(const char *type, const char *dst)
{
	static const char *const types[] = { "proc",   "sysfs",	 "devpts",
					     "mqueue", "cgroup", "cgroup2" };
	static const char *const places[] = { "/dev",	     "/dev/shm", "/dev/pts",
					      "/dev/mqueue", "/proc",	 "/sys" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (strcmp(dst, places[i]) == 0)
			return true;
	return path_within(dst, "/sys/fs/cgroup");
}

static int put_bind(struct records *r, const char *name, const char *src, const char *dst,
		    const char *flags, struct err *e)
{
	char *record;
	int rc;

	if (!src || !path_sound(src))
		return err_set(e, "%ssource is missing, too long or has control characters", name);
	/* "tmpfs" alone stands for the file system */
	if (asprintf(&record, "%s%s\t%s\t%s", strcmp(src, "tmpfs") == 0 ? "./" : "", src, dst,
		     flags) < 0)
		return err_set(e, "out of memory");
	rc = record_put(r, "mount", record, e);
	free(record);
	return rc;
}

/*
 * size= and mode= among options, to *m.  No limit and a part of the node's memory are
 * both left to the site's limit, which no mount goes beyond.
 */
static int tmpfs_options(struct json_object *options, const char *name, struct mount_spec *m,
			 struct err *e)
{
	size_t n = options ? json_object_array_length(options) : 0;
	struct err why = { "" };

	for (size_t i = 0; i < n; i++) {
		struct json_object *item = json_object_array_get_idx(options, i);
		const char *text = json_object_get_string(item);

		if (!json_object_is_type(item, json_type_string))
			continue;
		if (strcmp(text, "size=0") == 0 ||
		    (strncmp(text, "size=", 5) == 0 && text[strlen(text) - 1] == '%'))
			m->tmpfs_size = 0;
		else if (mount_tmpfs_option(text, m, &why) < 0)
			return err_set(e, "%soptions: %s", name, why.text);
	}
	return 0;
}

static int put_tmpfs(struct records *r, const char *name, const char *dst, const char *flags,
		     struct json_object *options, struct err *e)
{
	struct mount_spec m = { .kind = MOUNT_TMPFS, .tmpfs_mode = 01777 };
	char size[32] = "", mode[16] = "", *record;
	int rc;

	if (tmpfs_options(options, name, &m, e) < 0)
		return -1;
	if (m.tmpfs_size)
		snprintf(size, sizeof(size), "+size=%zu", m.tmpfs_size);
	if (m.tmpfs_mode != 01777)
		snprintf(mode, sizeof(mode), "+mode=%o", m.tmpfs_mode);
	if (asprintf(&record, "tmpfs\t%s\t%s%s%s", dst, flags, size, mode) < 0)
		return err_set(e, "out of memory");
	rc = record_put(r, "mount", record, e);
	free(record);
	return rc;
}

static int put_mount(struct records *r, struct json_object *mount, const char *name, struct err *e)
{
	const char *dst = get_string(mount, name, "destination", e);
	const char *src = get_string(mount, name, "source", e);
	const char *type = get_string(mount, name, "type", e);
	struct json_object *options = get_array(mount, name, "options", e);
	char quoted[ERR_QUOTE_MAX];
	const char *flags;

	if (e->text[0])
		return -1;
	if (!dst || !path_sound(dst))
		return err_set(e, "%sdestination is missing, too long or has control characters",
			       name);
	if (!type || strcmp(type, "none") == 0 || has_option(options, "bind") ||
	    has_option(options, "rbind"))
		type = "bind";
	if (mount_is_ours(type, dst))
		return 0;
	flags = flags_of(options);
	if (strcmp(type, "bind") == 0)
		return put_bind(r, name, src, dst, flags, e);
	if (strcmp(type, "tmpfs") == 0)
		return put_tmpfs(r, name, dst, flags, options, e);
	return err_set(e, "%stype \"%s\" is not supported, expected bind or tmpfs", name,
		       err_quote(quoted, type, strlen(type)));
}

static int put_mounts(struct records *r, struct json_object *config, struct err *e)
{
	struct json_object *mounts = get_array(config, "", "mounts", e);
	size_t n = mounts ? json_object_array_length(mounts) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *mount = json_object_array_get_idx(mounts, i);
		char name[48];

		snprintf(name, sizeof(name), "mounts[%zu].", i);
		if (!json_object_is_type(mount, json_type_object))
			return err_set(e, "mounts[%zu] is not an object", i);
		if (put_mount(r, mount, name, e) < 0)
			return -1;
	}
	return e->text[0] ? -1 : 0;
}

/*
 * The JSON of text[0..len), which must be one object and nothing behind it;
 * text[len] is NUL.
 */
static struct json_object *oci_parse(const char *text, size_t len, struct err *e)
{
	struct json_tokener *tok = json_tokener_new_ex(OCI_DEPTH_MAX);
	struct json_object *config = NULL;
	enum json_tokener_error why;

	if (!tok) {
		err_set(e, "out of memory");
		return NULL;
	}
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	config = json_tokener_parse_ex(tok, text, (int)len + 1); /* the NUL ends it */
	why = json_tokener_get_error(tok);
	if (memchr(text, '\0', len))
		err_set(e, "is not JSON: it holds a NUL byte");
	else if (why == json_tokener_continue)
		err_set(e, "ends early, expected a JSON object");
	else if (why != json_tokener_success)
		err_set(e, "is not JSON: %s at byte %zu", json_tokener_error_desc(why),
			json_tokener_get_parse_end(tok));
	else if (!json_object_is_type(config, json_type_object))
		err_set(e, "is not a JSON object, expected an OCI runtime configuration");
	json_tokener_free(tok);
	if (e->text[0]) {
		json_object_put(config);
		return NULL;
	}
	return config;
}

/* Convert text[0..len), with a NUL behind it, to records, appended to r. */
static int oci_convert(const char *text, size_t len, struct records *r, struct err *e)
{
	struct json_object *config = oci_parse(text, len, e);
	int rc = -1;

	if (config && put_root(r, config, e) == 0 && put_process(r, config, e) == 0)
		rc = put_mounts(r, config, e);
	json_object_put(config);
	return rc;
}

/* All of standard input, or -1: too large, or an error. */
static ssize_t oci_read(char *buf, size_t size, struct err *e)
{
	size_t done = 0;

	for (;;) {
		ssize_t n = read(STDIN_FILENO, buf + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "can't be read");
		if (n == 0)
			return (ssize_t)done;
		done += (size_t)n;
		if (done == size)
			return err_set(e, "is larger than %d bytes", OCI_CONFIG_MAX);
	}
}

int main(void)
{
	char *text = malloc(OCI_CONFIG_MAX + 1);
	struct records r = { .buf = malloc(BUNDLE_MAX) };
	struct err e = { "" };
	ssize_t len;
	int rc = -1;

	alarm(OCI_SECONDS);
	if (!text || !r.buf) {
		err_set(&e, "out of memory");
	} else if ((len = oci_read(text, OCI_CONFIG_MAX + 1, &e)) >= 0) {
		text[len] = '\0';
		rc = oci_convert(text, (size_t)len, &r, &e);
	}
	if (rc == 0 && (fwrite(r.buf, 1, r.len, stdout) != r.len || fflush(stdout) != 0))
		rc = err_set(&e, "can't write the answer");
	if (rc < 0)
		fprintf(stderr, "%s\n", e.text); /* whoever called names the file */
	free(text);
	free(r.buf);
	return rc < 0;
}
