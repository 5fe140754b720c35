/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "account.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACCOUNT_LINE_MAX 4096

struct line {
	const char *p;
	size_t len; /* without the newline */
};

/* Field i (from 0) of a line whose fields are separated by ':'; empty if there is none. */
static struct line line_field(struct line l, unsigned i)
{
	for (;;) {
		const char *colon = l.len ? memchr(l.p, ':', l.len) : NULL;
		size_t n = colon ? (size_t)(colon - l.p) : l.len;

		if (i-- == 0)
			return (struct line){ l.p, n };
		if (!colon)
			return (struct line){ l.p, 0 };
		l.p += n + 1;
		l.len -= n + 1;
	}
}

static bool field_is_id(struct line f, uint32_t id)
{
	uint64_t v = 0;

	if (f.len == 0 || f.len > 10)
		return false;
	for (size_t i = 0; i < f.len; i++) {
		if (f.p[i] < '0' || f.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(f.p[i] - '0');
	}
	return v == id;
}

static bool field_is_name(struct line f, const char *name)
{
	return f.len == strlen(name) && memcmp(f.p, name, f.len) == 0;
}

/* May this line of the image's file be passed on?  Libraries read lines into small buffers. */
static bool line_sound(struct line l)
{
	return l.len > 0 && l.len <= ACCOUNT_LINE_MAX && !memchr(l.p, '\0', l.len);
}

/*
 * text with the line own in place of the first one that has its name or its id
 * (field 0 and field 2, in passwd and in group), and without the others that do.
 * The image's order stays: whoever looks up an id gets the first line that has it.
 */
static char *account_rewrite(const char *text, size_t len, const char *own, const char *name,
			     uint32_t id, size_t *ret_len, struct err *e)
{
	size_t own_len = strlen(own), n = 0, at = 0;
	bool placed = false;
	char *out;

	if (len > ACCOUNT_FILE_MAX) {
		err_set(e, "is larger than %d bytes", ACCOUNT_FILE_MAX);
		return NULL;
	}
	out = malloc(len + own_len + 2); /* a newline more, and a NUL */
	if (!out) {
		err_set(e, "out of memory");
		return NULL;
	}
	while (at < len) {
		const char *nl = memchr(text + at, '\n', len - at);
		struct line l = { text + at, nl ? (size_t)(nl - text) - at : len - at };
		bool ours =
			field_is_name(line_field(l, 0), name) || field_is_id(line_field(l, 2), id);

		at += l.len + 1;
		if (ours && !placed) {
			memcpy(out + n, own, own_len);
			n += own_len;
			placed = true;
		}
		if (ours || !line_sound(l))
			continue;
		memcpy(out + n, l.p, l.len);
		n += l.len;
		out[n++] = '\n';
	}
	if (!placed) {
		memcpy(out + n, own, own_len);
		n += own_len;
	}
	out[n] = '\0';
	*ret_len = n;
	return out;
}

static bool field_sound(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f || *text == ':')
			return false;
	return true;
}

/* What must hold of an account, whoever filled it.  NULL, or the field that is wrong. */
static const char *account_unsound(const struct account *a)
{
	/* a name that begins like this has a meaning of its own in passwd files (NIS) */
	if (!a->name[0] || strchr("+-", a->name[0]) || !field_sound(a->name))
		return "name";
	if (!field_sound(a->gecos))
		return "gecos";
	if (a->home[0] != '/' || !field_sound(a->home))
		return "home";
	if (a->shell[0] != '/' || !field_sound(a->shell))
		return "shell";
	if (!a->group[0] || strchr("+-", a->group[0]) || !field_sound(a->group))
		return "group";
	return NULL;
}

static bool account_check(const struct account *a, struct err *e)
{
	const char *bad = account_unsound(a);

	if (bad)
		err_set(e, "the user's account has an unusable %s field", bad);
	return !bad;
}

char *account_passwd(const char *text, size_t len, const struct account *a, uid_t uid, gid_t gid,
		     size_t *ret_len, struct err *e)
{
	char *own, *out;

	if (!account_check(a, e))
		return NULL;
	if (asprintf(&own, "%s:x:%u:%u:%s:%s:%s\n", a->name, uid, gid, a->gecos, a->home,
		     a->shell) < 0) {
		err_set(e, "out of memory");
		return NULL;
	}
	out = account_rewrite(text, len, own, a->name, uid, ret_len, e);
	free(own);
	return out;
}

char *account_group(const char *text, size_t len, const struct account *a, gid_t gid,
		    size_t *ret_len, struct err *e)
{
	char own[sizeof(a->group) + 32];

	if (!account_check(a, e))
		return NULL;
	snprintf(own, sizeof(own), "%s:x:%u:\n", a->group, gid);
	return account_rewrite(text, len, own, a->group, gid, ret_len, e);
}

/* The line at *rest to out[0..size), as a string; *rest then is behind it. */
static bool take_field(struct line *rest, char *out, size_t size)
{
	const char *nl = rest->len ? memchr(rest->p, '\n', rest->len) : NULL;
	size_t n = nl ? (size_t)(nl - rest->p) : rest->len;

	if (!nl || n >= size || (n && memchr(rest->p, '\0', n)))
		return false;
	memcpy(out, rest->p, n);
	out[n] = '\0';
	rest->p += n + 1;
	rest->len -= n + 1;
	return true;
}

int account_parse(const char *text, size_t len, struct account *ret, struct err *e)
{
	struct line rest = { text, len };
	struct account a = { .name = "" };
	char end[8];

	if (!take_field(&rest, a.name, sizeof(a.name)) ||
	    !take_field(&rest, a.gecos, sizeof(a.gecos)) ||
	    !take_field(&rest, a.home, sizeof(a.home)) ||
	    !take_field(&rest, a.shell, sizeof(a.shell)) ||
	    !take_field(&rest, a.group, sizeof(a.group)) || !take_field(&rest, end, sizeof(end)) ||
	    strcmp(end, "end") != 0 || rest.len)
		return err_set(e, "the user's account: expected six lines from berth-passwd");
	if (!account_check(&a, e))
		return -1;
	*ret = a;
	return 0;
}

/* The first line whose field number id_field is id; false if there is none. */
static bool find_line(const char *text, size_t len, unsigned id_field, uint32_t id,
		      struct line *ret)
{
	while (len) {
		const char *nl = memchr(text, '\n', len);
		struct line l = { text, nl ? (size_t)(nl - text) : len };

		if (field_is_id(line_field(l, id_field), id)) {
			*ret = l;
			return true;
		}
		text += l.len + (nl != NULL);
		len -= l.len + (nl != NULL);
	}
	return false;
}

static bool copy_field(struct line l, unsigned i, char *buf, size_t size)
{
	struct line f = line_field(l, i);

	if (f.len >= size)
		return false;
	memcpy(buf, f.p, f.len);
	buf[f.len] = '\0';
	return true;
}

int account_from_files(const char *passwd, size_t passwd_len, const char *group, size_t group_len,
		       uid_t uid, gid_t gid, struct account *ret)
{
	struct line p, g;
	struct account a = { .name = "" };

	if (!find_line(passwd, passwd_len, 2, uid, &p) ||
	    !find_line(group, group_len, 2, gid, &g) || !copy_field(p, 0, a.name, sizeof(a.name)) ||
	    !copy_field(p, 4, a.gecos, sizeof(a.gecos)) ||
	    !copy_field(p, 5, a.home, sizeof(a.home)) ||
	    !copy_field(p, 6, a.shell, sizeof(a.shell)) ||
	    !copy_field(g, 0, a.group, sizeof(a.group)) || !account_check(&a, NULL))
		return -1;
	*ret = a;
	return 0;
}
