/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * warm.h - read what exec and the loader will read first, while slurmstepd still sets the step up.
 *
 * A file system that was just mounted has an empty page cache; decompressing a command, its
 * loader and its libraries is then most of what the first exec takes (tests/bench/launch).  It
 * is a hint: what is not found is left to exec, nothing fails and nothing is said.
 *
 * Reads hostile files: to be called as the user only.
 */
#ifndef BERTH_WARM_H
#define BERTH_WARM_H

struct warm {
	int root;	     /* the image's root directory */
	const char *command; /* as the task will be told to run it, or NULL */
	const char *script;  /* else the host's path of a script that runs in the image, or NULL */
	const char *path;    /* PATH in the image; NULL: a usual one */
	const char *cwd;     /* the host's directory in which a relative command is, or NULL */
	int stop;	     /* stops, soon, when this descriptor becomes readable */
};

void warm_command(const struct warm *w);

#endif
