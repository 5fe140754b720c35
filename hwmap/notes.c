/* SPDX-License-Identifier: BSD-3-Clause */
#include "notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void notes_append(struct hwmap_notes *n, const char *text)
{
	char **lines = realloc(n->lines, (n->n + 1) * sizeof(*lines));

	if (!lines)
		return;
	n->lines = lines;
	lines[n->n] = strdup(text);
	if (lines[n->n])
		n->n++;
}

void notes_add(struct hwmap_notes *n, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	if (!n || n->n > NOTES_MAX)
		return;
	if (n->n == NOTES_MAX) {
		notes_append(n, "there is more of that kind");
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_clean(text, strlen(text));
	notes_append(n, text);
}

void hwmap_notes_done(struct hwmap_notes *n)
{
	for (size_t i = 0; i < n->n; i++)
		free(n->lines[i]);
	free(n->lines);
	n->lines = NULL;
	n->n = 0;
}
