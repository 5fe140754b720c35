/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "optionpath.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Append the components of path[0..n) to out but for "." and empty ones; returns the new end. */
static char *components_append(char *out, const char *path, size_t n)
{
	const char *stop = path + n;

	while (path < stop) {
		const char *slash = memchr(path, '/', (size_t)(stop - path));
		size_t len = (size_t)((slash ? slash : stop) - path);

		if (len && !(len == 1 && path[0] == '.')) {
			*out++ = '/';
			memmove(out, path, len);
			out += len;
		}
		path += len + (slash != NULL);
	}
	return out;
}

/*
 * Append path[0..n), made absolute, to out; returns the new end.  A ".." in front
 * is taken off cwd: getcwd() gives a path without symlinks, so that is exact.
 */
static char *absolute_append(char *out, const char *path, size_t n, const char *cwd)
{
	char *start = out;

	if (n == 0 || path[0] != '/') {
		out = components_append(out, cwd, strlen(cwd));
		while (n && path[0] == '.') {
			size_t dots = n > 1 && path[1] == '.' ? 2 : 1;

			if (n > dots && path[dots] != '/')
				break;
			while (dots == 2 && out > start && *--out != '/')
				;
			for (path += dots, n -= dots; n && path[0] == '/'; path++, n--)
				;
		}
	}
	out = components_append(out, path, n);
	if (out == start)
		*out++ = '/';
	return out;
}

char *option_absolute(const char *path, const char *cwd)
{
	char *out = malloc(strlen(cwd) + strlen(path) + 3);

	if (out)
		*absolute_append(out, path, strlen(path), cwd) = '\0';
	return out;
}

/* Length of the part of s before an unescaped character of stop, or before the end. */
static size_t field_len(const char *s, const char *stop)
{
	size_t n = 0;

	while (s[n] && !strchr(stop, s[n]))
		n += s[n] == '\\' && s[n + 1] ? 2 : 1;
	return n;
}

/* text with the characters that mean something in a mount list escaped; malloced. */
static char *mounts_escape(const char *text)
{
	char *out = calloc(2, strlen(text) + 1), *end = out;

	if (!out)
		return NULL;
	for (; *text; text++) {
		if (strchr(":,\\", *text))
			*end++ = '\\';
		*end++ = *text;
	}
	return out;
}

/* Sources that the parser refuses with a reason of their own: as a path they would hide it. */
static bool source_refused(const char *src, size_t n)
{
	return (n == strlen("umount") && strncmp(src, "umount", n) == 0) ||
	       (n > 0 && src[0] == '~' && (n == 1 || src[1] == '/'));
}

char *option_absolute_mounts(const char *mounts, const char *cwd)
{
	char *base = mounts_escape(cwd), *out, *end;
	size_t entries = 1;

	for (const char *c = mounts; *c; c++)
		entries += *c == ',';
	out = base ? malloc(strlen(mounts) + entries * (strlen(base) + 2) + 1) : NULL;
	end = out;
	while (out && *mounts) {
		size_t n = field_len(mounts, ",");

		if (n && mounts[0] != '/' && strncmp(mounts, "tmpfs:", 6) != 0) {
			size_t src = field_len(mounts, ":,");

			if (src && !source_refused(mounts, src)) {
				end = absolute_append(end, mounts, src, base);
				mounts += src;
				n -= src;
			}
		}
		memcpy(end, mounts, n);
		end += n;
		mounts += n;
		if (*mounts == ',')
			*end++ = *mounts++;
	}
	if (end)
		*end = '\0';
	free(base);
	return out;
}
