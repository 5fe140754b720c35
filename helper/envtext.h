/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * envtext.h - reading a text that need not end in NUL, for envfile.c and envscript.c.
 */
#ifndef BERTH_ENVTEXT_H
#define BERTH_ENVTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* What is left to read. */
struct cursor {
	const char *p, *end;
};

/* text may be NULL where len is 0: no arithmetic with that. */
static inline struct cursor cursor_new(const char *text, size_t len)
{
	struct cursor c = { len ? text : "", NULL };

	c.end = c.p + len;
	return c;
}

/* Not isalpha(): the answer must not depend on a locale. */
static inline bool is_name_start(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static inline bool is_name_char(char c)
{
	return is_name_start(c) || (c >= '0' && c <= '9');
}

static inline bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Bytes of the name at p[0..len); 0 if there is none. */
static inline size_t name_len(const char *p, size_t len)
{
	size_t n = 0;

	if (len == 0 || !is_name_start(p[0]))
		return 0;
	while (n < len && is_name_char(p[n]))
		n++;
	return n;
}

static inline size_t left(const struct cursor *c)
{
	return (size_t)(c->end - c->p);
}

static inline bool at(const struct cursor *c, char wanted)
{
	return c->p < c->end && *c->p == wanted;
}

static inline bool take(struct cursor *c, const char *text)
{
	size_t len = strlen(text);

	if (left(c) < len || memcmp(c->p, text, len) != 0)
		return false;
	c->p += len;
	return true;
}

static inline void skip_blanks(struct cursor *c)
{
	while (c->p < c->end && is_blank(*c->p))
		c->p++;
}

/* Take the line at c off it; without its newline and the blanks at both ends. */
static inline struct cursor take_line(struct cursor *c)
{
	const char *nl = left(c) ? memchr(c->p, '\n', left(c)) : NULL;
	struct cursor line = { c->p, nl ? nl : c->end };

	c->p = nl ? nl + 1 : c->end;
	skip_blanks(&line);
	while (line.end > line.p && is_blank(line.end[-1]))
		line.end--;
	return line;
}

#endif
