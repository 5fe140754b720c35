/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "scrub.h"

#include <ctype.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 128 /* of one address; IPoIB's, the longest, has 40 */
#define MAC_DIGITS 12
#define ENX "enx" /* systemd's name for an interface after its MAC address */

struct id {
	unsigned number;
	char digits[]; /* lower case, without ':' */
};

static int id_compare(const void *a, const void *b)
{
	const struct id *x = a, *y = b;

	return strcmp(x->digits, y->digits);
}

/* The number of these digits, a new one if they are new; 0 where memory is out. */
static unsigned id_number(struct scrub *s, const char *digits)
{
	size_t size = strlen(digits) + 1;
	struct id *new = malloc(sizeof(*new) + size), **found;

	if (!new) {
		s->failed = true;
		return 0;
	}
	new->number = s->known + 1;
	memcpy(new->digits, digits, size);
	found = tsearch(new, &s->ids, id_compare);
	if (!found) {
		free(new);
		s->failed = true;
		return 0;
	}
	if (*found == new)
		s->known++;
	else
		free(new);
	return (*found)->number;
}

/* Write the number over the last hex digits of text[0..len), zeros over the others. */
static void id_replace(struct scrub *s, char *text, size_t len)
{
	char digits[DIGITS_MAX + 1];
	size_t n = 0;
	unsigned number;

	for (size_t i = 0; i < len && n < DIGITS_MAX; i++)
		if (text[i] != ':')
			digits[n++] = (char)tolower((unsigned char)text[i]);
	digits[n] = '\0';
	if (strspn(digits, "0") == n)
		return;
	number = id_number(s, digits);
	for (size_t i = len; i-- > 0;)
		if (text[i] != ':') {
			text[i] = "0123456789abcdef"[number % 16];
			number /= 16;
		}
}

/* text[0..len) is hex digits and ':'; are they groups as addresses have them? */
static bool id_is_address(const char *text, size_t len)
{
	size_t width = 0, groups = 0, n = 0;

	for (size_t i = 0; i <= len; i++) {
		if (i < len && text[i] != ':') {
			n++;
			continue;
		}
		if (groups == 0)
			width = n;
		if (n != width)
			return false;
		groups++;
		n = 0;
	}
	return (width == 2 && groups >= 6) || (width == 4 && groups >= 4);
}

static size_t hex_run(const char *text, size_t len, bool colons)
{
	size_t n = 0;

	while (n < len && (isxdigit((unsigned char)text[n]) || (colons && text[n] == ':')))
		n++;
	return n;
}

void scrub_text(struct scrub *s, char *text, size_t len)
{
	size_t i = 0, n;

	if (s->off)
		return;
	while (i < len) {
		bool begins = i == 0 || !isalnum((unsigned char)text[i - 1]);

		if (begins && len - i > strlen(ENX) && memcmp(text + i, ENX, strlen(ENX)) == 0 &&
		    hex_run(text + i + strlen(ENX), len - i - strlen(ENX), false) == MAC_DIGITS) {
			id_replace(s, text + i + strlen(ENX), MAC_DIGITS);
			i += strlen(ENX) + MAC_DIGITS;
			continue;
		}
		n = hex_run(text + i, len - i, true);
		if (n && id_is_address(text + i, n))
			id_replace(s, text + i, n);
		i += n ? n : 1;
	}
}

void scrub_done(struct scrub *s)
{
	tdestroy(s->ids, free);
	s->ids = NULL;
}
