/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "native.h"

#define API_24_11 42
#define SCRIPT BERTH_LIBEXECDIR "/berth-script"

/* Is it slurmstepd's own program, opened to be executed only? */
static bool is_launcher(int dir, const char *fd)
{
	static const char name[] = "/slurmstepd";
	char path[PATH_MAX];
	ssize_t n;
	int flags = fcntl(atoi(fd), F_GETFL);

	if (flags < 0 || !(flags & O_PATH))
		return false;
	n = readlinkat(dir, fd, path, sizeof(path));
	/* in an update it may have been replaced: "... (deleted)" */
	return n > 0 && memmem(path, (size_t)n, name, sizeof(name) - 1);
}

/* The descriptor, or -1. */
static int find_launcher(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *ent;
	int found = -1;

	while (d && found < 0 && (ent = readdir(d)))
		if (ent->d_name[0] != '.' && is_launcher(dirfd(d), ent->d_name))
			found = atoi(ent->d_name);
	if (d)
		closedir(d);
	return found;
}

int launcher_replace(struct err *e)
{
	int fd, script, rc;

	if (native_api() < API_24_11)
		return 0;
	fd = find_launcher();
	if (fd < 0)
		return 0;
	script = open(SCRIPT, O_PATH | O_CLOEXEC);
	rc = script < 0 ? -1 : dup3(script, fd, O_CLOEXEC);
	if (rc < 0)
		err_sys(e, errno, "%s, for task prologs", SCRIPT);
	if (script >= 0)
		close(script);
	return rc < 0 ? -1 : 0;
}
