/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "native.h"

#define API_24_11 42
#define SCRIPT BERTH_LIBEXECDIR "/berth-script"

/* Does the path end in /slurmstepd?  After an update of Slurm the kernel adds a word. */
static bool is_slurmstepd(char *path)
{
	static const char gone[] = " (deleted)", name[] = "/slurmstepd";
	size_t n = strlen(path);

	if (n > strlen(gone) && strcmp(path + n - strlen(gone), gone) == 0)
		n -= strlen(gone);
	return n >= strlen(name) && strncmp(path + n - strlen(name), name, strlen(name)) == 0;
}

/* Is it slurmstepd's own program, opened to be executed only? */
static bool is_launcher(int dir, const char *fd, int number)
{
	const int flags = fcntl(number, F_GETFL);
	char path[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (flags < 0 || !(flags & O_PATH) || fstat(number, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	n = readlinkat(dir, fd, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return is_slurmstepd(path);
}

/* The descriptor, or -1. */
static int find_launcher(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *ent;
	int found = -1;

	while (d && found < 0 && (ent = readdir(d))) {
		const int number = (int)strtol(ent->d_name, NULL, 10); /* . and .. are 0 */

		if (number > 2 && is_launcher(dirfd(d), ent->d_name, number))
			found = number;
	}
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
