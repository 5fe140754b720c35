/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "native.h"

#define API_24_11 42
#define SCRIPT BERTH_LIBEXECDIR "/berth-script"
#define FDS_MAX 512 /* it is opened first of all */

/*
 * The descriptor, or -1: slurmstepd's own file, opened to be executed only.  By its inode, since
 * it has other names, too (Debian: slurmstepd-wlm).  A task is a copy of slurmstepd yet.
 */
static int find_launcher(void)
{
	struct stat own, st;

	if (stat("/proc/self/exe", &own) < 0)
		return -1;
	for (int fd = 3; fd < FDS_MAX; fd++) {
		const int flags = fcntl(fd, F_GETFL);

		if (flags >= 0 && (flags & O_PATH) && fstat(fd, &st) == 0 &&
		    st.st_ino == own.st_ino && st.st_dev == own.st_dev)
			return fd;
	}
	return -1;
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
