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

static bool group_sound(const char *name)
{
	return name[0] && !strchr("+-", name[0]) && field_sound(name);
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
	if (!group_sound(a->group))
		return "group";
	for (size_t i = 0; i < a->nmore; i++)
		if (!group_sound(a->more[i].name))
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

static char *group_rewrite(const char *text, size_t len, const char *name, gid_t gid,
			   size_t *ret_len, struct err *e)
{
	char own[sizeof(((struct account *)0)->group) + 32];

	snprintf(own, sizeof(own), "%s:x:%u:\n", name, gid);
	return account_rewrite(text, len, own, name, gid, ret_len, e);
}

char *account_group(const char *text, size_t len, const struct account *a, gid_t gid,
		    size_t *ret_len, struct err *e)
{
	char *out;

	if (!account_check(a, e))
		return NULL;
	out = group_rewrite(text, len, a->group, gid, &len, e);
	/* a text that is as long as may be stays without further names */
	for (size_t i = 0; out && i < a->nmore; i++) {
		char *more = group_rewrite(out, len, a->more[i].name, a->more[i].gid, &len, NULL);

		if (!more)
			break;
		free(out);
		out = more;
	}
	if (out)
		*ret_len = len;
	return out;
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

static bool copy_field(struct line l, unsigned i, char *buf, size_t size)
{
	struct line f = line_field(l, i);

	if (f.len >= size)
		return false;
	memcpy(buf, f.p, f.len);
	buf[f.len] = '\0';
	return true;
}

/* GID:NAME as the next of a->more. */
static bool take_group(const char *text, struct account *a)
{
	struct line l = { text, strlen(text) }, gid = line_field(l, 0);
	uint64_t v = 0;

	if (a->nmore == ACCOUNT_GROUPS_MAX || gid.len == 0 || gid.len > 10 || gid.len == l.len ||
	    memchr(text + gid.len + 1, ':', l.len - gid.len - 1))
		return false;
	for (size_t i = 0; i < gid.len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(text[i] - '0');
	}
	if (v > UINT32_MAX || !copy_field(l, 1, a->more[a->nmore].name, sizeof(a->more[0].name)))
		return false;
	a->more[a->nmore++].gid = (uint32_t)v;
	return true;
}

int account_parse(const char *text, size_t len, struct account *ret, struct err *e)
{
	struct line rest = { text, len };
	struct account a = { .name = "" };
	char more[sizeof(a.more[0].name) + 16];
	bool sound = take_field(&rest, a.name, sizeof(a.name)) &&
		     take_field(&rest, a.gecos, sizeof(a.gecos)) &&
		     take_field(&rest, a.home, sizeof(a.home)) &&
		     take_field(&rest, a.shell, sizeof(a.shell)) &&
		     take_field(&rest, a.group, sizeof(a.group)) &&
		     take_field(&rest, more, sizeof(more));

	while (sound && strcmp(more, "end") != 0)
		sound = take_group(more, &a) && take_field(&rest, more, sizeof(more));
	if (!sound || rest.len)
		return err_set(e, "the user's account: unexpected answer of berth-passwd");
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

int account_groups_from_file(const char *group, size_t len, const uint32_t *gids, size_t n,
			     gid_t gid, struct account *a)
{
	for (size_t i = 0; i < n && a->nmore < ACCOUNT_GROUPS_MAX; i++) {
		struct line l;

		if (gids[i] == gid)
			continue;
		if (!find_line(group, len, 2, gids[i], &l) ||
		    !copy_field(l, 0, a->more[a->nmore].name, sizeof(a->more[0].name)) ||
		    !group_sound(a->more[a->nmore].name))
			return -1;
		a->more[a->nmore++].gid = gids[i];
	}
	return 0;
}
