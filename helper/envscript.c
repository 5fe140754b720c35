/* SPDX-License-Identifier: BSD-3-Clause */
#include "envscript.h"

#include <stdlib.h>
#include <string.h>

#include "envtext.h"

#define DEPTH_MAX 16 /* of expansions within expansions */

/*
 * The shell of a SIF's environment files, as much of it as is data.  What needs a
 * shell to be understood is passed over: up to the end of its line, or of the
 * block (if, case, a function ...) that it opens.
 */
struct script {
	struct cursor c;
	unsigned depth; /* open blocks */
	char *out;	/* the assignment in the making: NAME=VALUE */
	size_t n, name; /* bytes of it so far, and of its name */
	bool full;	/* out is; it has one byte more than an environment may have */
	const struct env_list *known;
	struct env_list *l;	 /* exported */
	struct env_list pending; /* assigned, not yet exported */
	struct env_left_out *left;
};

static bool emit(struct script *s, const char *text, size_t len)
{
	if (len > ENV_MAX_BYTES + 1 - s->n) {
		s->full = true;
		return false;
	}
	memcpy(s->out + s->n, text, len);
	s->n += len;
	return true;
}

static bool emit_one(struct script *s, char ch)
{
	return ch && emit(s, &ch, 1);
}

/* ---- values ---- */

static bool expansion(struct script *s, unsigned depth);

/* What stands in double quotes, from behind the first to behind the last one. */
static bool double_quoted(struct script *s, unsigned depth)
{
	while (s->c.p < s->c.end) {
		char ch = *s->c.p++;

		if (ch == '"')
			return true;
		if (ch == '`')
			return false;
		if (ch == '$') {
			if (!expansion(s, depth))
				return false;
			continue;
		}
		if (ch == '\\' && s->c.p < s->c.end) {
			if (*s->c.p == '\n') { /* a line that goes on in the next */
				s->c.p++;
				continue;
			}
			if (*s->c.p && strchr("\"\\$`", *s->c.p))
				ch = *s->c.p++;
		}
		if (!emit_one(s, ch))
			return false;
	}
	return false;
}

static bool single_quoted(struct script *s)
{
	while (s->c.p < s->c.end) {
		if (*s->c.p == '\'') {
			s->c.p++;
			return true;
		}
		if (!emit_one(s, *s->c.p++))
			return false;
	}
	return false;
}

/* A backslash outside of quotes has been taken. */
static bool escaped(struct script *s)
{
	if (s->c.p >= s->c.end)
		return false;
	return *s->c.p == '\n' ? (s->c.p++, true) : emit_one(s, *s->c.p++);
}

/* WORD of ${NAME:-WORD}, up to and with the brace. */
static bool braced_word(struct script *s, unsigned depth)
{
	while (s->c.p < s->c.end) {
		char ch = *s->c.p++;
		bool sound;

		switch (ch) {
		case '}': return true;
		case '"': sound = double_quoted(s, depth); break;
		case '\\': /* before others it may stay, as in double quotes */
			sound = s->c.p < s->c.end && *s->c.p && strchr("\"\\$`}", *s->c.p) &&
				escaped(s);
			break;
		case '$': sound = expansion(s, depth); break;
		case '`':
		case '\'': /* text in double quotes, quotes outside */ return false;
		default: sound = emit_one(s, ch);
		}
		if (!sound)
			return false;
	}
	return false;
}

/*
 * *ret: the value of a variable, NULL where it is unset.  false: only the job knows.  Values move
 * when others are set: they are for at once.
 */
static bool look_up(const struct script *s, const char *name, size_t len, const char **ret)
{
	*ret = env_get_n(&s->pending, name, len);
	if (!*ret)
		*ret = env_get_n(s->l, name, len);
	if (!*ret)
		*ret = env_get_n(s->known, name, len);
	return *ret || (len == s->name && memcmp(name, s->out, len) == 0);
}

/* Behind the dollar: a variable's value to out. */
static bool expansion(struct script *s, unsigned depth)
{
	const bool braced = take(&s->c, "{");
	const char *name = s->c.p, *value;
	size_t len = name_len(name, left(&s->c)), start;
	bool colon, plus, empty;

	if (depth >= DEPTH_MAX || len == 0 || !look_up(s, name, len, &value))
		return false;
	s->c.p += len;
	if (!braced || take(&s->c, "}"))
		return !value || emit(s, value, strlen(value));
	colon = take(&s->c, ":");
	plus = at(&s->c, '+');
	if (!plus && !at(&s->c, '-'))
		return false;
	s->c.p++;
	empty = !value || (colon && !*value);
	if (!plus && !empty && !emit(s, value, strlen(value)))
		return false;
	start = s->n;
	if (!braced_word(s, depth + 1))
		return false;
	if (plus == empty)
		s->n = start; /* it is not wanted */
	return true;
}

/* A value up to a blank, ';' or the line's end.  '~' may expand where a path can begin. */
static bool script_value(struct script *s)
{
	bool begins = true;

	while (s->c.p < s->c.end && !is_blank(*s->c.p) && *s->c.p != '\n' && *s->c.p != ';') {
		char ch = *s->c.p++;
		bool sound;

		if (strchr("`()<>|&", ch) || (ch == '~' && begins)) /* NUL, too */
			return false;
		switch (ch) {
		case '"': sound = double_quoted(s, 0); break;
		case '\'': sound = single_quoted(s); break;
		case '\\': sound = escaped(s); break;
		case '$': sound = expansion(s, 0); break;
		default: sound = emit_one(s, ch);
		}
		if (!sound)
			return false;
		begins = ch == ':';
	}
	return true;
}

/* ---- statements ---- */

static bool statement_ended(const struct script *s)
{
	return s->c.p >= s->c.end || *s->c.p == '\n' || *s->c.p == ';' || *s->c.p == '#';
}

/* NAME=VALUE to out, with a NUL.  false: not understood, or full. */
static bool script_assignment(struct script *s)
{
	size_t name = name_len(s->c.p, left(&s->c));

	s->n = s->name = 0;
	if (name == 0 || name >= left(&s->c) || s->c.p[name] != '=' || !emit(s, s->c.p, name + 1))
		return false;
	s->name = name;
	s->c.p += name + 1;
	if (!script_value(s))
		return false;
	s->out[s->n] = '\0';
	skip_blanks(&s->c);
	return true;
}

/* export NAME of what was assigned before. */
static int script_export_name(struct script *s, size_t name, struct err *e)
{
	const char *value = env_get_n(&s->pending, s->c.p, name);
	int rc = 0;

	if (value) {
		rc = env_set(s->l, value - name - 1, e);
		env_unset(&s->pending, s->c.p, name);
	}
	s->c.p += name;
	skip_blanks(&s->c);
	return rc;
}

static void leave_out(struct script *s, const char *name, size_t len)
{
	const size_t max = sizeof(s->left->name) - 1;

	if (!s->left || s->left->name[0])
		return;
	memcpy(s->left->name, name, len < max ? len : max);
	s->left->name[len < max ? len : max] = '\0';
}

/* The words behind export.  1: read to the end; 0: not understood; -1 with *e. */
static int script_export(struct script *s, struct err *e)
{
	skip_blanks(&s->c);
	while (!statement_ended(s)) {
		const char *word = s->c.p;
		size_t name = name_len(word, left(&s->c));
		const char *behind = word + name;
		int rc;

		if (name == 0)
			return 0;
		if (behind == s->c.end || is_blank(*behind) || *behind == '\n' || *behind == ';') {
			rc = script_export_name(s, name, e);
		} else if (!script_assignment(s)) {
			leave_out(s, word, name);
			return 0;
		} else {
			rc = env_set(s->l, s->out, e);
			env_unset(&s->pending, word, name);
		}
		if (rc < 0)
			return -1;
	}
	return 1;
}

/* NAME=VALUE alone in a statement ("NAME=VALUE command" sets nothing).  As script_export. */
static int script_assign(struct script *s, struct err *e)
{
	bool exported;

	if (!script_assignment(s) || !statement_ended(s))
		return 0;
	exported = env_get_n(s->l, s->out, s->name);
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
	if (s->full)
		return err_set(e, "the image's environment is larger than %d bytes", ENV_MAX_BYTES);
	if (rc == 0) {
		s->c = start;
		script_skip_line(s);
	}
	return rc < 0 ? -1 : 0;
}

int env_parse_singularity(const char *text, size_t len, const struct env_list *known,
			  struct env_list *l, struct env_left_out *left, struct err *e)
{
	char *out = malloc(ENV_MAX_BYTES + 2);
	struct script s = {
		.c = cursor_new(text, len),
		.out = out,
		.known = known,
		.l = l,
		.left = left,
	};
	int rc = 0;

	if (!out)
		return err_set(e, "out of memory");
	if (len > ENV_TEXT_MAX)
		rc = err_set(e, "a file of the image's environment is larger than %d bytes",
			     ENV_TEXT_MAX);
	while (rc == 0 && s.c.p < s.c.end) {
		if (is_blank(*s.c.p) || *s.c.p == '\n' || *s.c.p == ';')
			s.c.p++;
		else if (*s.c.p == '#')
			take_line(&s.c);
		else
			rc = script_statement(&s, e);
	}
	env_list_done(&s.pending);
	free(out);
	return rc;
}
