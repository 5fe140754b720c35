/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "mountspec_impl.h"
#include "request.h"

#define MOUNT_FORM "expected SRC[:DST[:FLAGS]]"
#define MOUNT_FIELDS_MAX 3

struct span span_split(struct span *rest, char sep, bool *more)
{
	struct span head = { rest->p, 0 };

	while (head.len < rest->len && rest->p[head.len] != sep)
		head.len += rest->p[head.len] == '\\' && head.len + 1 < rest->len ? 2 : 1;
	*more = head.len < rest->len;
	rest->p += head.len + *more;
	rest->len -= head.len + *more;
	return head;
}

/* A copy of s in which "\:", "\," and "\\" have become the character itself. */
static char *span_unescape(struct span s)
{
	char *out = malloc(s.len + 1);
	size_t n = 0;

	if (!out)
		return NULL;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\\' && i + 1 < s.len && strchr(":,\\", s.p[i + 1]))
			i++;
		out[n++] = s.p[i];
	}
	out[n] = '\0';
	return out;
}

/*
 * Is this the bind of something below /dev to its own place?  The helper makes a node
 * of it; so that it can tell by the text, the source is then spelt as the destination.
 */
static bool device_bind(struct mount_spec *m)
{
	char *src;

	if (m->kind != MOUNT_BIND || !path_within(m->dst, "/dev") || strcmp(m->dst, "/dev") == 0)
		return false;
	src = mount_dst_clean(m->src, NULL);
	if (!src || strcmp(src, m->dst) != 0) {
		free(src);
		return false;
	}
	free(m->src);
	m->src = src;
	return true;
}

/* What is wrong with the source field, as far as text can tell. */
static int src_check(struct span src, bool has_dst, struct err *e)
{
	if (src.len == 0)
		return err_set(e, "the source is empty, " MOUNT_FORM);
	if (span_is(src, "umount"))
		return err_set(e, "umount is not supported: nothing can be taken out of the image");
	if (span_is(src, "~") || span_starts(src, "~/"))
		return err_set(e,
			       "the shell leaves this '~' as it is: write $HOME or the whole path");
	if (!has_dst && src.p[0] != '/')
		return err_set(e, "a relative source needs a destination, expected SRC:/DST");
	return 0;
}

/* The destination of m, whose other fields are set. */
static int dst_set(const char *dst, struct mount_spec *m, struct err *e)
{
	m->dst = mount_dst_clean(dst, e);
	if (!m->dst)
		return -1;
	return device_bind(m) ? 0 : mount_dst_check(m->dst, e);
}

static int dst_parse(struct span dst, struct mount_spec *m, struct err *e)
{
	char *text = span_unescape(dst);
	int rc;

	if (!text)
		return err_set(e, "out of memory");
	if (mount_is_flag(dst))
		rc = err_set(e, "\"%s\" is in the destination's place, expected SRC:DST:%s", text,
			     text);
	else
		rc = dst_set(text, m, e);
	free(text);
	return rc;
}

static int bind_parse(const struct span *f, size_t n, struct mount_spec *m, struct err *e)
{
	m->kind = MOUNT_BIND;
	if (src_check(f[0], n > 1, e) < 0)
		return -1;
	m->src = span_unescape(f[0]);
	if (!m->src)
		return err_set(e, "out of memory");
	return dst_parse(f[n > 1 ? 1 : 0], m, e);
}

static int tmpfs_parse(const struct span *f, size_t n, struct mount_spec *m, struct err *e)
{
	m->kind = MOUNT_TMPFS;
	m->tmpfs_mode = 01777;
	if (n < 2)
		return err_set(e, "tmpfs needs a destination, expected tmpfs:/path[:OPTIONS]");
	return dst_parse(f[1], m, e);
}

static void mount_spec_done(struct mount_spec *m)
{
	free(m->src);
	free(m->dst);
	memset(m, 0, sizeof(*m));
}

/* One entry to *m, which is all zero before, and after a failure. */
static int mount_parse(struct span entry, struct mount_spec *m, struct err *e)
{
	struct span f[MOUNT_FIELDS_MAX], none = { "", 0 };
	size_t n = 0;
	bool more = true;
	int rc;

	while (more) {
		if (n == MOUNT_FIELDS_MAX)
			return err_set(e, "too many ':' fields, " MOUNT_FORM);
		f[n++] = span_split(&entry, ':', &more);
	}
	if (n > 1 && f[1].len == 0)
		return err_set(e, "the destination is empty, " MOUNT_FORM);
	rc = span_is(f[0], "tmpfs") ? tmpfs_parse(f, n, m, e) : bind_parse(f, n, m, e);
	if (rc == 0)
		rc = mount_flags(n > 2 ? f[2] : none, m, e);
	if (rc < 0)
		mount_spec_done(m);
	return rc;
}

int mount_spec_make(const char *src, const char *dst, const char *flags, struct mount_spec *ret,
		    struct err *e)
{
	struct mount_spec m = { .kind = src ? MOUNT_BIND : MOUNT_TMPFS };
	struct span s = { flags, strlen(flags) };

	if (src && (!*src || strlen(src) >= PATH_MAX || mount_has_control(src, strlen(src))))
		return err_set(
			e, "the source is empty, longer than %d bytes or has control characters",
			PATH_MAX - 1);
	if (src) {
		m.src = strdup(src);
		if (!m.src)
			return err_set(e, "out of memory");
	} else {
		m.tmpfs_mode = 01777;
	}
	if (dst_set(dst, &m, e) < 0 || mount_flags(s, &m, e) < 0) {
		mount_spec_done(&m);
		return -1;
	}
	*ret = m;
	return 0;
}

/* Both may be NULL. */
static bool text_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool mount_same(const struct mount_spec *a, const struct mount_spec *b)
{
	return a->kind == b->kind && text_same(a->dst, b->dst) && text_same(a->src, b->src) &&
	       a->ro == b->ro && a->noexec == b->noexec && a->nofail == b->nofail &&
	       a->slave == b->slave && a->tmpfs_mode == b->tmpfs_mode &&
	       a->tmpfs_size == b->tmpfs_size;
}

/* A mere repetition is dropped, as in pyxis. */
int mount_list_add(struct mount_list *l, size_t max, struct mount_spec *m, struct err *e)
{
	struct mount_spec *v;

	for (size_t i = 0; i < l->n; i++) {
		if (mount_same(&l->v[i], m)) {
			mount_spec_done(m);
			return 0;
		}
	}
	if (l->n >= max) {
		mount_spec_done(m);
		return err_set(e, "too many mounts, expected at most %zu", max);
	}
	v = realloc(l->v, (l->n + 1) * sizeof(*v));
	if (!v) {
		mount_spec_done(m);
		return err_set(e, "out of memory");
	}
	l->v = v;
	l->v[l->n++] = *m;
	return 0;
}

int mount_list_parse_as(const char *option, const char *text, size_t max, struct mount_list *ret,
			struct err *e)
{
	struct mount_list l = { NULL, 0 };
	struct span rest = { text, strnlen(text, REQUEST_OPTION_MAX) };
	bool more = true;

	if (rest.len == 0)
		return err_set(e, "%s: is empty, " MOUNT_FORM "[,...]", option);
	if (rest.len >= REQUEST_OPTION_MAX)
		return err_set(e, "%s: is longer than %d bytes", option, REQUEST_OPTION_MAX - 1);
	if (mount_has_control(text, rest.len))
		return err_set(e, "%s: has control characters, " MOUNT_FORM "[,...]", option);
	for (size_t i = 1; more; i++) {
		struct span entry = span_split(&rest, ',', &more);
		struct mount_spec m = { 0 };
		struct err why = { "" };
		char quoted[ERR_QUOTE_MAX];

		if (entry.len == 0)
			err_set(e, "%s: entry %zu is empty, " MOUNT_FORM "[,...]", option, i);
		else if (mount_parse(entry, &m, &why) < 0)
			err_set(e, "%s: \"%s\": %s", option, err_quote(quoted, entry.p, entry.len),
				why.text);
		else if (mount_list_add(&l, max, &m, &why) == 0)
			continue;
		else
			err_set(e, "%s: %s", option, why.text);
		mount_list_done(&l);
		return -1;
	}
	*ret = l;
	return 0;
}

int mount_list_parse(const char *text, size_t max, struct mount_list *ret, struct err *e)
{
	return mount_list_parse_as("--container-mounts", text, max, ret, e);
}

void mount_list_done(struct mount_list *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++)
		mount_spec_done(&l->v[i]);
	free(l->v);
	l->v = NULL;
	l->n = 0;
}
