/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a mount may go. */
#define _GNU_SOURCE 1
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "mountspec_impl.h"

bool mount_has_control(const char *text, size_t len)
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

char *mount_dst_clean(const char *dst, struct err *e)
{
	char quoted[ERR_QUOTE_MAX], *out;
	const char *rest = dst;
	size_t n = 0;

	err_quote(quoted, dst, strlen(dst));
	if (dst[0] != '/') {
		err_set(e, "destination \"%s\" is not an absolute path", quoted);
		return NULL;
	}
	if (strlen(dst) >= PATH_MAX || mount_has_control(dst, strlen(dst))) {
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

int mount_dst_check(const char *dst, struct err *e)
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
	char *clean = mount_dst_clean(dst, e);
	int rc = -1;

	if (!clean)
		return -1;
	if (mount_dst_check(clean, e) < 0)
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
