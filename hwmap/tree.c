/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "tree.h"

#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "output.h"

#define WIDTH_DEFAULT 100
#define WIDTH_MIN 40
#define PREFIX_MAX 512 /* bytes: far more levels than PCI allows */

#define BOLD "\033[1m"
#define RED "\033[31m"
#define YELLOW "\033[33m"
#define PLAIN "\033[0m"

/* A line in the making: cut where it is full, coloured without being longer. */
struct line {
	const struct tree_style *style;
	size_t left; /* columns */
};

struct tree_style tree_style_get(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	struct tree_style s = { WIDTH_DEFAULT, false, false };
	struct winsize w;

	setlocale(LC_CTYPE, "");
	s.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	if (isatty(STDOUT_FILENO)) {
		s.colour = !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
		if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= WIDTH_MIN)
			s.width = w.ws_col;
	}
	return s;
}

static struct json_object *field(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	json_object_object_get_ex(o, key, &v);
	return v;
}

/* "" where there is none. */
static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *v = field(o, key);

	return v ? json_object_get_string(v) : "";
}

static int64_t number_of(struct json_object *o, const char *key)
{
	return json_object_get_int64(field(o, key));
}

/* Bytes of text that take at most width columns. */
static size_t bytes_of(const char *text, size_t width)
{
	size_t i = 0;

	for (; text[i]; i++)
		if (((unsigned char)text[i] & 0xc0) != 0x80 && width-- == 0)
			break;
	return i;
}

__attribute__((format(printf, 3, 4))) static void put(struct line *l, const char *colour,
						      const char *fmt, ...)
{
	const char *mark = l->style->utf8 ? "\xe2\x80\xa6" : "~";
	char text[512];
	size_t width;
	va_list ap;

	if (!l->left)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	width = output_width(text);
	if (colour && l->style->colour)
		fputs(colour, stdout);
	if (width <= l->left) {
		fputs(text, stdout);
		l->left -= width;
	} else {
		printf("%.*s%s", (int)bytes_of(text, l->left - 1), text, mark);
		l->left = 0;
	}
	if (colour && l->style->colour)
		fputs(PLAIN, stdout);
}

static void put_word(struct line *l, const char *text)
{
	if (*text)
		put(l, NULL, "  %s", text);
}

static void put_device(struct line *l, struct json_object *d)
{
	int64_t total = number_of(d, "vfs_total"), is_free = number_of(d, "vfs_free");
	const char *const names[] = { text_of(d, "ibdev"), text_of(d, "netdev"),
				      text_of(d, "pci") };
	const char *state = text_of(d, "state");
	bool named = false;

	for (size_t i = 0; i < 3; i++) {
		if (*names[i])
			put(l, named ? NULL : BOLD, "%s%s", named ? "  " : "", names[i]);
		named = named || *names[i];
	}
	put_word(l, text_of(d, "uverbs"));
	put(l, strcmp(state, "down") == 0 ? RED : NULL, "  %s", state);
	if (total > 1)
		put(l, is_free < total ? YELLOW : NULL, "  %lld of %lld free", (long long)is_free,
		    (long long)total);
	else if (total == 1)
		put(l, is_free ? NULL : YELLOW, "  %s", is_free ? "free" : "in use");
	put_word(l, text_of(d, "driver"));
}

static void put_node(struct line *l, struct json_object *node)
{
	const char *type = text_of(node, "type"), *cpus = text_of(node, "cpus");

	if (strcmp(type, "machine") == 0)
		put(l, BOLD, "machine");
	else if (strcmp(type, "package") == 0)
		put(l, BOLD, "package %lld", (long long)number_of(node, "index"));
	else if (strcmp(type, "numa") == 0)
		put(l, BOLD, "NUMA node %lld", (long long)number_of(node, "index"));
	else if (strcmp(type, "holder") == 0)
		put(l, YELLOW, "%s", text_of(node, "text"));
	else if (strcmp(type, "bridge") != 0)
		put_device(l, field(node, "device"));
	else if (field(node, "pci"))
		put(l, NULL, "bridge %s  bus %s", text_of(node, "pci"), text_of(node, "buses"));
	else
		put(l, NULL, "host bridge  bus %s", text_of(node, "buses"));
	if (*cpus)
		put(l, NULL, "  CPUs %s", cpus);
}

static bool vf_is_free(struct json_object *node)
{
	struct json_object *d = field(node, "device");

	return strcmp(text_of(node, "type"), "vf") == 0 &&
	       number_of(d, "vfs_free") == number_of(d, "vfs_total");
}

static bool same_text(struct json_object *a, struct json_object *b, const char *key)
{
	return strcmp(text_of(field(a, "device"), key), text_of(field(b, "device"), key)) == 0;
}

/* How many of the children from i on can share a line. */
static size_t run_of(struct json_object *children, size_t i)
{
	struct json_object *first = json_object_array_get_idx(children, i), *node;
	size_t n = json_object_array_length(children), end = i + 1;

	if (!vf_is_free(first))
		return 1;
	for (; end < n; end++) {
		node = json_object_array_get_idx(children, end);
		if (!vf_is_free(node) || !same_text(first, node, "driver") ||
		    !same_text(first, node, "state"))
			break;
	}
	return end - i;
}

static void put_run(struct line *l, struct json_object *first, struct json_object *last, size_t n)
{
	struct json_object *from = field(first, "device"), *to = field(last, "device");

	put(l, NULL, "%zu VFs free  %s to %s", n, text_of(from, "pci"), text_of(to, "pci"));
	if (*text_of(from, "ibdev"))
		put(l, NULL, "  %s to %s", text_of(from, "ibdev"), text_of(to, "ibdev"));
	put_word(l, text_of(from, "state"));
	put_word(l, text_of(from, "driver"));
}

static struct line line_begin(const struct tree_style *style, const char *prefix,
			      const char *branch)
{
	size_t used = output_width(prefix) + output_width(branch);

	printf("%s%s", prefix, branch);
	return (struct line){ style, used < style->width ? style->width - used : 1 };
}

static void draw_children(struct json_object *node, const struct tree_style *style, char *prefix)
{
	static const char *const ascii[] = { "|-- ", "`-- ", "|   ", "    " };
	static const char *const lines[] = { "\xe2\x94\x9c\xe2\x94\x80 ",
					     "\xe2\x94\x94\xe2\x94\x80 ", "\xe2\x94\x82  ", "   " };
	const char *const *draw = style->utf8 ? lines : ascii;
	struct json_object *children = field(node, "children");
	size_t n = json_object_array_length(children), len = strlen(prefix), run;

	for (size_t i = 0; i < n; i += run) {
		struct json_object *child = json_object_array_get_idx(children, i);
		struct line l;
		bool last;

		run = run_of(children, i);
		last = i + run == n;
		l = line_begin(style, prefix, draw[last]);
		if (run > 1)
			put_run(&l, child, json_object_array_get_idx(children, i + run - 1), run);
		else
			put_node(&l, child);
		putchar('\n');
		if (run == 1 && len + 8 < PREFIX_MAX) {
			snprintf(prefix + len, PREFIX_MAX - len, "%s", draw[2 + last]);
			draw_children(child, style, prefix);
			prefix[len] = '\0';
		}
	}
}

void tree_draw(struct json_object *root, const struct tree_style *style)
{
	char prefix[PREFIX_MAX] = "";
	struct line l = line_begin(style, "", "");

	put_node(&l, root);
	putchar('\n');
	draw_children(root, style, prefix);
}
