/* SPDX-License-Identifier: BSD-3-Clause */
/* optioncheck.h - what can be said about an option's value without looking at any file. */
#ifndef BERTH_OPTIONCHECK_H
#define BERTH_OPTIONCHECK_H

#include "options.h"

/*
 * Is value good for option id?  label is the name by which the user gave it.
 * Values are hostile: on the node everything is checked again.  Looks at no file.
 * final: paths have been made absolute; only then the image's and the mounts' form
 * is looked at.  0, or -1 with *e.
 */
int option_check(enum option_id id, const char *value, const char *label, bool final,
		 struct err *e);

/* "yes" or "1": YES; "no" or "0": NO; else UNSET. */
enum tristate option_tristate(const char *value);

#endif
