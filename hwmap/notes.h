/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * notes.h - what a scan has to say about what it could not read.
 */
#ifndef BERTH_HWMAP_NOTES_H
#define BERTH_HWMAP_NOTES_H

#include "hwmap.h"

#define NOTES_MAX 64 /* lines; then one that says that there are more */

/* One more line, cleaned and cut to ERR_TEXT_MAX - 1 bytes.  n may be NULL; no memory, no line. */
void notes_add(struct hwmap_notes *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
