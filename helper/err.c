/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERR_MARK "..." /* stands at the end of what was cut */
#define ERR_MARK_LEN (sizeof(ERR_MARK) - 1)

static int err_is_continuation(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/*
 * Length of the character at s[0..len) if it may be shown, else 0.  The bounds on
 * the second byte are those of Unicode's table 3-7 (no overlong forms, surrogates
 * or values above U+10FFFF); with C2 they also leave out C1 (U+0080 to U+009F).
 */
static size_t err_char_len(const unsigned char *s, size_t len)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xc2 || s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (n > len || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (!err_is_continuation(s[i]))
			return 0;
	return n;
}

void err_clean(char *text, size_t len)
{
	size_t i = 0;

	while (i < len) {
		size_t n = err_char_len((const unsigned char *)text + i, len - i);

		if (n == 0) {
			text[i] = '?';
			n = 1;
		}
		i += n;
	}
}

/* Cut text to max bytes, mark included, without leaving half a character. */
static void err_cut(char *text, size_t max)
{
	size_t n = max - ERR_MARK_LEN;

	while (n > 0 && err_is_continuation((unsigned char)text[n]))
		n--;
	memcpy(text + n, ERR_MARK, ERR_MARK_LEN + 1);
}

const char *err_quote(char out[ERR_QUOTE_MAX], const char *text, size_t len)
{
	size_t n = len < ERR_QUOTE_MAX ? len : ERR_QUOTE_MAX - 1;

	memcpy(out, text, n);
	out[n] = '\0';
	if (len >= ERR_QUOTE_MAX)
		err_cut(out, ERR_QUOTE_MAX - 1);
	err_clean(out, strlen(out));
	return out;
}

/* Format into e, keeping the last tail_room bytes of the text free. */
__attribute__((format(printf, 2, 0))) static void err_format(struct err *e, const char *fmt,
							     va_list ap, size_t tail_room)
{
	size_t size = ERR_TEXT_MAX - tail_room;
	int n = vsnprintf(e->text, size, fmt, ap);

	if (n <= 0)
		snprintf(e->text, size, "failed");
	else if ((size_t)n >= size)
		err_cut(e->text, size - 1);
	err_clean(e->text, strlen(e->text));
}

int err_set(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e || e->text[0])
		return -1;
	va_start(ap, fmt);
	err_format(e, fmt, ap, 0);
	va_end(ap);
	return -1;
}

int err_sys(struct err *e, int errnum, const char *fmt, ...)
{
	char space[96], reason[112];
	va_list ap;
	int n;

	if (!e || e->text[0])
		return -1;
	n = snprintf(reason, sizeof(reason), ": %s", strerror_r(errnum, space, sizeof(space)));
	if (n < 0)
		reason[0] = '\0';
	va_start(ap, fmt);
	err_format(e, fmt, ap, strlen(reason)); /* a long head must not push the reason out */
	va_end(ap);
	memcpy(e->text + strlen(e->text), reason, strlen(reason) + 1);
	return -1;
}
