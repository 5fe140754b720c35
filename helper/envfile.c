/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "envfile.h"

#include <stdlib.h>
#include <string.h>

/* What is left to read. */
struct cursor {
	const char *p, *end;
};

/* text may be NULL where len is 0: no arithmetic with that. */
static struct cursor cursor_new(const char *text, size_t len)
{
	struct cursor c = { len ? text : "", NULL };

	c.end = c.p + len;
	return c;
}

/* Not isalpha(): the answer must not depend on a locale. */
static bool is_name_start(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_name_char(char c)
{
	return is_name_start(c) || (c >= '0' && c <= '9');
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Bytes of the name at p[0..len); 0 if there is none. */
static size_t name_len(const char *p, size_t len)
{
	size_t n = 0;

	if (len == 0 || !is_name_start(p[0]))
		return 0;
	while (n < len && is_name_char(p[n]))
		n++;
	return n;
}

static size_t left(const struct cursor *c)
{
	return (size_t)(c->end - c->p);
}

static bool at(const struct cursor *c, char wanted)
{
	return c->p < c->end && *c->p == wanted;
}

static bool take(struct cursor *c, const char *text)
{
	size_t len = strlen(text);

	if (left(c) < len || memcmp(c->p, text, len) != 0)
		return false;
	c->p += len;
	return true;
}

static void skip_blanks(struct cursor *c)
{
	while (c->p < c->end && is_blank(*c->p))
		c->p++;
}

/* Take the line at c off it; without its newline and the blanks at both ends. */
static struct cursor take_line(struct cursor *c)
{
	const char *nl = left(c) ? memchr(c->p, '\n', left(c)) : NULL;
	struct cursor line = { c->p, nl ? nl : c->end };

	c->p = nl ? nl + 1 : c->end;
	skip_blanks(&line);
	while (line.end > line.p && is_blank(line.end[-1]))
		line.end--;
	return line;
}

/* Index of the variable of this name, or l->n. */
static size_t env_find(const struct env_list *l, const char *name, size_t len)
{
	size_t i = 0;

	while (i < l->n && !(strncmp(l->v[i], name, len) == 0 && l->v[i][len] == '='))
		i++;
	return i;
}

const char *env_get(const struct env_list *l, const char *name)
{
	size_t len = strlen(name), i = env_find(l, name, len);

	return i < l->n ? l->v[i] + len + 1 : NULL;
}

static void env_drop(struct env_list *l, size_t i)
{
	l->bytes -= strlen(l->v[i]);
	free(l->v[i]);
	memmove(l->v + i, l->v + i + 1, (l->n - i) * sizeof(*l->v)); /* with the NULL */
	l->n--;
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

/*
 * The shell of a SIF's environment files, as much of it as is data.  What needs a
 * shell to be understood is passed over: up to the end of its line, or of the
 * block (if, case, a function ...) that it opens.
 */
struct script {
	struct cursor c;
	unsigned depth; /* open blocks */
	char *out;	/* the assignment in the making: NAME=VALUE */
	size_t n;
	struct env_list *l;	 /* exported */
	struct env_list pending; /* assigned, not yet exported */
};

/* A character of a double-quoted string to out.  False at what is no plain text. */
static bool quoted_char(struct script *s, char closing)
{
	char ch = *s->c.p++;

	if (ch == '$' || ch == '`' || ch == '\0')
		return false;
	if (ch == '\\' && s->c.p < s->c.end) {
		if (*s->c.p == '\n') { /* a line that goes on in the next */
			s->c.p++;
			return true;
		}
		if ((*s->c.p && strchr("\"\\$`", *s->c.p)) || *s->c.p == closing)
			ch = *s->c.p++;
	}
	s->out[s->n++] = ch;
	return true;
}

/* Up to and with the closing character. */
static bool quoted_until(struct script *s, char closing)
{
	while (s->c.p < s->c.end) {
		if (*s->c.p == closing) {
			s->c.p++;
			return true;
		}
		if (!quoted_char(s, closing))
			return false;
	}
	return false;
}

static bool single_quoted(struct script *s)
{
	while (s->c.p < s->c.end && *s->c.p) {
		if (*s->c.p == '\'') {
			s->c.p++;
			return true;
		}
		s->out[s->n++] = *s->c.p++;
	}
	return false;
}

/* The rest of "${NAME:-VALUE}" or "${NAME:-"VALUE"}" behind the brace; name as in out. */
static bool defaulted(struct script *s)
{
	size_t name = (size_t)((char *)memchr(s->out, '=', s->n) - s->out);

	if (left(&s->c) < name || memcmp(s->c.p, s->out, name) != 0)
		return false;
	s->c.p += name;
	if (!take(&s->c, ":-"))
		return false;
	if (take(&s->c, "\""))
		return quoted_until(s, '"') && take(&s->c, "}\"");
	return quoted_until(s, '}') && take(&s->c, "\"");
}

/* A value without quotes.  '~' may expand where a path can begin. */
static bool bare(struct script *s)
{
	char before = ':';

	for (; s->c.p < s->c.end && !is_blank(*s->c.p) && *s->c.p != '\n' && *s->c.p != ';';
	     s->c.p++) {
		char ch = *s->c.p;

		if (!ch || strchr("$`\"'\\()<>|&", ch) || (ch == '~' && before == ':'))
			return false;
		s->out[s->n++] = before = ch;
	}
	return true;
}

static bool statement_ended(const struct script *s)
{
	return s->c.p >= s->c.end || *s->c.p == '\n' || *s->c.p == ';' || *s->c.p == '#';
}

/* NAME=VALUE to out, with a NUL.  The name's length, or 0 if this is no such thing. */
static size_t script_assignment(struct script *s)
{
	size_t name = name_len(s->c.p, left(&s->c));
	bool sound;

	if (name == 0 || name >= left(&s->c) || s->c.p[name] != '=')
		return 0;
	memcpy(s->out, s->c.p, name + 1);
	s->n = name + 1;
	s->c.p += name + 1;
	if (take(&s->c, "\"${"))
		sound = defaulted(s);
	else if (take(&s->c, "\""))
		sound = quoted_until(s, '"');
	else if (take(&s->c, "'"))
		sound = single_quoted(s);
	else
		sound = bare(s);
	if (!sound ||
	    !(s->c.p >= s->c.end || is_blank(*s->c.p) || *s->c.p == '\n' || *s->c.p == ';'))
		return 0;
	s->out[s->n] = '\0';
	skip_blanks(&s->c);
	return name;
}

/* export NAME of what was assigned before. */
static int script_export_name(struct script *s, size_t name, struct err *e)
{
	size_t i = env_find(&s->pending, s->c.p, name);
	int rc = 0;

	s->c.p += name;
	skip_blanks(&s->c);
	if (i < s->pending.n) {
		rc = env_set(s->l, s->pending.v[i], e);
		env_drop(&s->pending, i);
	}
	return rc;
}

/* The words behind export.  1: read to the end; 0: not understood; -1 with *e. */
static int script_export(struct script *s, struct err *e)
{
	skip_blanks(&s->c);
	while (!statement_ended(s)) {
		size_t name = name_len(s->c.p, left(&s->c));
		const char *behind = s->c.p + name;
		int rc;

		if (name == 0)
			return 0;
		if (behind == s->c.end || is_blank(*behind) || *behind == '\n' || *behind == ';')
			rc = script_export_name(s, name, e);
		else if (script_assignment(s) == 0)
			return 0;
		else
			rc = env_set(s->l, s->out, e);
		if (rc < 0)
			return -1;
	}
	return 1;
}

/* NAME=VALUE alone in a statement ("NAME=VALUE command" sets nothing).  As script_export. */
static int script_assign(struct script *s, struct err *e)
{
	size_t name = script_assignment(s);
	bool exported;

	if (name == 0 || !statement_ended(s))
		return 0;
	exported = env_find(s->l, s->out, name) < s->l->n;
	return env_set(exported ? s->l : &s->pending, s->out, e) < 0 ? -1 : 1;
}

static bool line_starts(struct cursor line, const char *word)
{
	return take(&line, word) && (left(&line) == 0 || !is_name_char(*line.p));
}

static bool line_ends(struct cursor line, const char *word)
{
	size_t len = strlen(word);

	while (line.end > line.p && (is_blank(line.end[-1]) || line.end[-1] == ';'))
		line.end--;
	return left(&line) >= len && memcmp(line.end - len, word, len) == 0 &&
	       (left(&line) == len || !is_name_char(line.end[-(ptrdiff_t)len - 1]));
}

/* What this line does to the depth of blocks.  0 where it opens and closes one. */
static int line_depth(struct cursor line)
{
	static const char *const blocks[][2] = {
		{ "if", "fi" },	     { "for", "done" },	   { "while", "done" },
		{ "until", "done" }, { "select", "done" }, { "case", "esac" },
	};

	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		if (line_starts(line, blocks[i][0]))
			return line_ends(line, blocks[i][1]) ? 0 : 1;
		if (line_starts(line, blocks[i][1]))
			return -1;
	}
	if (line_ends(line, "{"))
		return 1;
	return at(&line, '}') ? -1 : 0;
}

static void script_skip_line(struct script *s)
{
	int change = line_depth(take_line(&s->c));

	if (change > 0)
		s->depth++;
	else if (change < 0 && s->depth > 0)
		s->depth--;
}

static int script_statement(struct script *s, struct err *e)
{
	struct cursor start = s->c;
	int rc = 0;

	if (s->depth == 0) {
		if (take(&s->c, "export ") || take(&s->c, "export\t"))
			rc = script_export(s, e);
		else
			rc = script_assign(s, e);
	}
	if (rc == 0) {
		s->c = start;
		script_skip_line(s);
	}
	return rc < 0 ? -1 : 0;
}

int env_parse_singularity(const char *text, size_t len, struct env_list *l, struct err *e)
{
	struct script s = { .c = cursor_new(text, len), .out = scratch_new(len, e), .l = l };
	int rc = s.out ? 0 : -1;

	while (rc == 0 && s.c.p < s.c.end) {
		if (is_blank(*s.c.p) || *s.c.p == '\n' || *s.c.p == ';')
			s.c.p++;
		else if (*s.c.p == '#')
			take_line(&s.c);
		else
			rc = script_statement(&s, e);
	}
	env_list_done(&s.pending);
	free(s.out);
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

static bool list_has(const char *names, const char *name, size_t len)
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

		if (name_is_ours(l->v[i], len) || list_has(keep_names, l->v[i], len))
			env_drop(l, i);
		else
			i++;
	}
}
