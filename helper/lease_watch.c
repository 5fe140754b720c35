/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "lease_watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "sys.h"

#define PROCS_MAX (4 * 1024 * 1024) /* bytes of a cgroup.procs */
#define DEPTH_MAX 16

int lease_watch_boot(char ret[LEASE_BOOT_MAX], struct err *e)
{
	size_t len;
	char *text =
		sys_read_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", LEASE_BOOT_MAX - 1, &len);

	if (!text)
		return err_sys(e, errno, "leases: boot_id cannot be read");
	text[strcspn(text, "\n")] = '\0';
	memcpy(ret, text, strlen(text) + 1);
	free(text);
	return ret[0] ? 0 : err_set(e, "leases: boot_id is empty");
}

int lease_watch_note(int dir, struct lease_record *r, struct err *e)
{
	struct stat st;

	r->cgroup_ino = 0;
	r->cgroup[0] = '\0';
	if (dir < 0)
		return 0;
	if (fstat(dir, &st) < 0 || sys_path_of(dir, r->cgroup, sizeof(r->cgroup)) < 0)
		return err_sys(e, errno, "leases: the step's cgroup");
	r->cgroup_ino = st.st_ino;
	return 0;
}

/* Is a process listed that is not ours?  One outside of our pid namespace reads as 0. */
static bool has_procs(int dir, pid_t stepd)
{
	size_t len;
	char *save = NULL, *text = sys_read_at(dir, "cgroup.procs", PROCS_MAX, &len);
	bool found = false;

	if (!text) /* threads only (v2): the processes are listed above; or it has gone */
		return errno != EOPNOTSUPP && errno != ENODEV && errno != ENOENT;
	for (char *line = strtok_r(text, "\n", &save); line && !found;
	     line = strtok_r(NULL, "\n", &save)) {
		pid_t pid = (pid_t)strtol(line, NULL, 10);

		found = pid == 0 || (pid != stepd && pid != getpid());
	}
	free(text);
	return found;
}

/* What can't be looked at counts as populated. */
static bool is_populated(int dir, pid_t stepd, int depth)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	bool found = !d || depth == 0 || has_procs(dir, stepd);
	struct dirent *ent;

	while (!found && (ent = readdir(d))) {
		int sub;

		if (ent->d_type != DT_DIR || ent->d_name[0] == '.')
			continue;
		sub = openat(dir, ent->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		found = sub < 0 ? errno != ENOENT && errno != ENODEV
				: is_populated(sub, stepd, depth - 1);
		sys_close(&sub);
	}
	if (d)
		closedir(d);
	else
		sys_close(&copy);
	return found;
}

static bool step_lives(const struct lease_record *r, pid_t stepd)
{
	struct statfs fs;
	struct stat st;
	bool lives;
	int dir;

	if (r->cgroup_ino == 0)
		return false;
	dir = open(r->cgroup, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return errno != ENOENT && errno != ENOTDIR && errno != ELOOP && errno != ENODEV;
	if (fstat(dir, &st) < 0 || fstatfs(dir, &fs) < 0)
		lives = true;
	else if (st.st_ino != r->cgroup_ino ||
		 (fs.f_type != CGROUP_SUPER_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC))
		lives = false; /* another one has its name now */
	else
		lives = is_populated(dir, stepd, DEPTH_MAX);
	close(dir);
	return lives;
}

bool lease_watch_over(const struct lease_record *r, const char *boot, const struct lease_watch *w)
{
	if (!r->sound)
		return w->busy && w->busy(r, w->arg) == 0;
	if (strcmp(r->boot, boot) != 0)
		return true;
	return !step_lives(r, w->stepd) && (!w->busy || w->busy(r, w->arg) == 0);
}
