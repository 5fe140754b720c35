/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "mountspec.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"

#define MOUNT_FORM "expected SRC[:DST[:FLAGS]]"
#define MOUNT_FLAGS_TEXT "ro, rw, private, rprivate, slave, rslave, bind or rbind"
#define MOUNT_FIELDS_MAX 3

/* Part of a text that somebody else owns. */
struct span {
	const char *p;
	size_t len;
};

static bool span_is(struct span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

static bool span_starts(struct span s, const char *text)
{
	return s.len >= strlen(text) && memcmp(s.p, text, strlen(text)) == 0;
}

/*
 * The part of *rest up to the first sep, which is taken off *rest together with
 * that sep.  A backslash hides the byte after it.  *more: a sep was there.
 */
static struct span span_split(struct span *rest, char sep, bool *more)
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

static bool has_control(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return true;
	return false;
}

static struct span path_next(const char **path)
{
	struct span c;

	*path += strspn(*path, "/");
	c.p = *path;
	c.len = strcspn(*path, "/");
	*path += c.len;
	return c;
}

bool path_within(const char *path, const char *dir)
{
	if (!*dir || (*path == '/') != (*dir == '/'))
		return false;
	for (;;) {
		struct span want = path_next(&dir), have = path_next(&path);

		if (want.len == 0)
			return true;
		if (want.len != have.len || memcmp(want.p, have.p, want.len) != 0)
			return false;
	}
}

/* dst without ".", "//" and a final "/"; malloced.  NULL with *e for what is no such path. */
static char *dst_clean(const char *dst, struct err *e)
{
	char quoted[ERR_QUOTE_MAX], *out;
	const char *rest = dst;
	size_t n = 0;

	err_quote(quoted, dst, strlen(dst));
	if (dst[0] != '/') {
		err_set(e, "destination \"%s\" is not an absolute path", quoted);
		return NULL;
	}
	if (strlen(dst) >= PATH_MAX || has_control(dst, strlen(dst))) {
		err_set(e, "destination \"%s\" is longer than %d bytes or has control characters",
			quoted, PATH_MAX - 1);
		return NULL;
	}
	out = malloc(strlen(dst) + 1);
	if (!out) {
		err_set(e, "out of memory");
		return NULL;
	}
	for (struct span c = path_next(&rest); c.len; c = path_next(&rest)) {
		if (span_is(c, "."))
			continue;
		if (span_is(c, "..") || c.len > NAME_MAX) {
			err_set(e, "destination \"%s\" has %s component", quoted,
				c.len > NAME_MAX ? "an over-long" : "a \"..\"");
			free(out);
			return NULL;
		}
		out[n++] = '/';
		memcpy(out + n, c.p, c.len);
		n += c.len;
	}
	if (n == 0)
		out[n++] = '/';
	out[n] = '\0';
	return out;
}

/* The directory that Berth itself fills and that dst is or lies below; else NULL. */
static const char *dst_reserved(const char *dst)
{
	static const char *const own[] = { "/proc", "/sys", "/dev" };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (path_within(dst, own[i]))
			return own[i];
	return NULL;
}

static int dst_check(const char *dst, struct err *e)
{
	const char *own = dst_reserved(dst);
	char quoted[ERR_QUOTE_MAX];

	if (strcmp(dst, "/") == 0)
		return err_set(
			e, "destination \"/\" is the image itself: choose a directory below it");
	if (!own)
		return 0;
	err_quote(quoted, dst, strlen(dst));
	return err_set(e, "destination \"%s\" is in %s, which the container has of its own%s",
		       quoted, own,
		       strcmp(own, "/dev") == 0 ? ": only a device may go there, under its own name"
						: ": choose another");
}

int mount_dst_normalise(const char *dst, char *out, size_t size, struct err *e)
{
	char *clean = dst_clean(dst, e);
	int rc = -1;

	if (!clean)
		return -1;
	if (dst_check(clean, e) < 0)
		goto done;
	if (strlen(clean) >= size) {
		err_set(e, "destination is longer than %zu bytes", size ? size - 1 : 0);
		goto done;
	}
	memcpy(out, clean, strlen(clean) + 1);
	rc = 0;
done:
	free(clean);
	return rc;
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
	src = dst_clean(m->src, NULL);
	if (!src || strcmp(src, m->dst) != 0) {
		free(src);
		return false;
	}
	free(m->src);
	m->src = src;
	return true;
}

enum {
	FLAG_RO = 1,
	FLAG_RW = 2,
	FLAG_PRIVATE = 4,
	FLAG_SLAVE = 8,
	FLAG_BIND = 16,
	FLAG_RBIND = 32,
	FLAG_NOOP = 64,
};

/*
 * The bit of a flag; 0 if it is none.  nosuid and nodev hold for every mount and a
 * missing mount point is always made, so to ask for those changes nothing.  Nobody can
 * bind in the container, so unbindable is private.
 */
static unsigned flag_bit(struct span s)
{
	static const struct {
		const char *name;
		unsigned bit;
	} flags[] = {
		{ "ro", FLAG_RO },
		{ "rw", FLAG_RW },
		{ "private", FLAG_PRIVATE },
		{ "rprivate", FLAG_PRIVATE },
		{ "slave", FLAG_SLAVE },
		{ "rslave", FLAG_SLAVE },
		{ "unbindable", FLAG_PRIVATE },
		{ "runbindable", FLAG_PRIVATE },
		{ "bind", FLAG_BIND },
		{ "rbind", FLAG_RBIND },
		{ "nosuid", FLAG_NOOP },
		{ "nodev", FLAG_NOOP },
		{ "x-create=auto", FLAG_NOOP },
		{ "x-create=dir", FLAG_NOOP },
		{ "x-create=file", FLAG_NOOP },
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (span_is(s, flags[i].name))
			return flags[i].bit;
	return 0;
}

static int flag_unknown(struct span s, const char *expected, struct err *e)
{
	char quoted[ERR_QUOTE_MAX];

	if (span_is(s, "shared") || span_is(s, "rshared"))
		return err_set(e,
			       "flag \"%.*s\" is refused: no mount may propagate to the host; use "
			       "private or slave",
			       (int)s.len, s.p);
	return err_set(e, "unknown flag \"%s\", expected %s, joined by '+'",
		       err_quote(quoted, s.p, s.len), expected);
}

/* Two flags of a kind that say the opposite. */
static int flags_check(unsigned seen, struct err *e)
{
	static const struct {
		unsigned both;
		const char *names;
	} pairs[] = {
		{ FLAG_RO | FLAG_RW, "ro and rw" },
		{ FLAG_PRIVATE | FLAG_SLAVE, "private and slave" },
		{ FLAG_BIND | FLAG_RBIND, "bind and rbind" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if ((seen & pairs[i].both) == pairs[i].both)
			return err_set(e, "flags %s contradict each other: keep one",
				       pairs[i].names);
	return 0;
}

/* s as a number in base 8 or 10, at most max, all of it digits. */
static bool span_number(struct span s, unsigned base, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';

		if (digit >= base || v > (max - digit) / base)
			return false;
		v = v * base + digit;
	}
	*ret = v;
	return true;
}

/* "4096", "64k", "512m", "2g", "1t", capitals as well; not 0, which the kernel reads as no limit. */
static bool tmpfs_size(struct span s, size_t *ret)
{
	static const char units[] = "kmgt";
	unsigned shift = 0;
	uint64_t v = 0;

	if (s.len > 1) {
		const char *u = strchr(units, s.p[s.len - 1] | 0x20);

		if (u && *u) {
			shift = 10 * (unsigned)(u - units + 1);
			s.len--;
		}
	}
	if (!span_number(s, 10, SIZE_MAX >> shift, &v) || v == 0)
		return false;
	*ret = (size_t)(v << shift);
	return true;
}

/* size= and mode=.  1: taken; 0: not such an option; -1 with *e. */
static int tmpfs_option(struct span s, struct mount_spec *m, struct err *e)
{
	bool size = span_starts(s, "size=");
	char quoted[ERR_QUOTE_MAX];
	struct span value;
	uint64_t mode;

	if (!size && !span_starts(s, "mode="))
		return 0;
	err_quote(quoted, s.p, s.len);
	value.p = s.p + 5;
	value.len = s.len - 5;
	if (size) {
		if (!tmpfs_size(value, &m->tmpfs_size))
			return err_set(e, "\"%s\" is not a size, expected size=N with k, m, g or t",
				       quoted);
		return 1;
	}
	if (!span_number(value, 8, 01777, &mode))
		return err_set(e, "\"%s\" is not a mode, expected octal, at most 1777", quoted);
	m->tmpfs_mode = (unsigned)mode;
	return 1;
}

static int mount_flag(struct span s, struct mount_spec *m, unsigned *seen, struct err *e)
{
	bool tmpfs = m->kind == MOUNT_TMPFS;
	unsigned bit = flag_bit(s);
	int rc = tmpfs ? tmpfs_option(s, m, e) : 0;

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (s.len == 0)
		return err_set(e, "a flag is empty, expected flags joined by single '+'");
	if (tmpfs && (bit & (FLAG_BIND | FLAG_RBIND | FLAG_SLAVE)))
		bit = 0;
	if (!bit)
		return flag_unknown(s, tmpfs ? "size=N, mode=OCTAL, ro or rw" : MOUNT_FLAGS_TEXT,
				    e);
	*seen |= bit;
	return 0;
}

static int mount_flags(struct span text, struct mount_spec *m, struct err *e)
{
	unsigned seen = 0;
	bool more = text.len > 0; /* "a:b:" is as good as "a:b" */

	while (more)
		if (mount_flag(span_split(&text, '+', &more), m, &seen, e) < 0)
			return -1;
	m->ro = seen & FLAG_RO;
	m->slave = seen & FLAG_SLAVE;
	return flags_check(seen, e);
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
	m->dst = dst_clean(dst, e);
	if (!m->dst)
		return -1;
	return device_bind(m) ? 0 : dst_check(m->dst, e);
}

static int dst_parse(struct span dst, struct mount_spec *m, struct err *e)
{
	char *text = span_unescape(dst);
	int rc;

	if (!text)
		return err_set(e, "out of memory");
	if (flag_bit(dst))
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

int mount_tmpfs_option(const char *option, struct mount_spec *m, struct err *e)
{
	struct span s = { option, strlen(option) };

	return tmpfs_option(s, m, e);
}

int mount_spec_make(const char *src, const char *dst, const char *flags, struct mount_spec *ret,
		    struct err *e)
{
	struct mount_spec m = { .kind = src ? MOUNT_BIND : MOUNT_TMPFS };
	struct span s = { flags, strlen(flags) };

	if (src && (!*src || strlen(src) >= PATH_MAX || has_control(src, strlen(src))))
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
	       a->ro == b->ro && a->slave == b->slave && a->tmpfs_mode == b->tmpfs_mode &&
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
	if (has_control(text, rest.len))
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
