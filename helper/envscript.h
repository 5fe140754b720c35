/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * envscript.h - the environment of a SIF: /.singularity.d/env/NN-*.sh, without a shell.
 *
 * Runs in the unprivileged child only: what it reads is hostile.
 */
#ifndef BERTH_ENVSCRIPT_H
#define BERTH_ENVSCRIPT_H

#include <stddef.h>

#include "envfile.h"
#include "err.h"

/* Variables that a file exports by means that take a shell. */
struct env_left_out {
	char name[64]; /* the first one, shortened; "": none */
};

/*
 * One file.  What is understood:
 *   export NAME=VALUE ...    NAME=VALUE, with export NAME later
 * where VALUE is made of plain text, 'quoted' and "quoted" text, backslashes, and
 *   $NAME  ${NAME}  ${NAME-WORD}  ${NAME:-WORD}  ${NAME+WORD}  ${NAME:+WORD}
 * of variables that this file or one before has set, or that known has (which are not
 * set by that).  A variable in its own assignment that nobody has set is unset, as in
 * LD_LIBRARY_PATH=/opt/lib:$LD_LIBRARY_PATH: the job's are not known here.  A statement
 * with any other variable, with commands ($(...), backquotes) or arithmetic is passed over,
 * and so is what stands in blocks (if ... fi, functions and the like), as nobody knows
 * whether it would run.
 *
 * Appends to *l.  left (may be NULL): set if it has none yet.  0, or -1 with *e when a limit
 * of envfile.h is passed; *l is sound then, too.
 */
int env_parse_singularity(const char *text, size_t len, const struct env_list *known,
			  struct env_list *l, struct env_left_out *left, struct err *e);

#endif
