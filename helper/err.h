/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * err.h - one error, as text, for the person who can act on it.
 *
 * A function that can fail takes a struct err * as its last argument, returns a
 * negative value on failure and leaves one line in it: the object, what was
 * expected, what to do.  The line is always NUL-terminated, free of control
 * characters, and at most ERR_TEXT_MAX - 1 bytes long.
 */
#ifndef BERTH_ERR_H
#define BERTH_ERR_H

#include <stddef.h>

#define ERR_TEXT_MAX 512
#define ERR_QUOTE_MAX 84 /* what err_quote writes, NUL included */

struct err {
	char text[ERR_TEXT_MAX]; /* "" while nothing failed */
};

/*
 * Record a failure.  The first one recorded wins: a later call on an err that
 * already has text changes nothing, so the cause is not lost on the way up.
 * Arguments may be hostile: control characters and invalid bytes become '?'.
 * Returns -1 always, so "return err_set(e, ...)" reads well.  e may be NULL.
 */
int err_set(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* As err_set, with ": " and the text of errnum appended. */
int err_sys(struct err *e, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * Replace every byte of text[0..len) that a terminal or a log could act on
 * (C0, DEL, bytes >= 0x80 that are not part of valid UTF-8, C1) by '?'.
 */
void err_clean(char *text, size_t len);

/*
 * Copy text[0..len), cleaned, to out for use in a message; of a long text the
 * beginning and "...".  Returns out.
 */
const char *err_quote(char out[ERR_QUOTE_MAX], const char *text, size_t len);

#endif
