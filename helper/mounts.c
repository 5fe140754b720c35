/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "mountspec.h"
#include "rootfs.h"

static const char *const system_dirs[] = {
	"/bin", "/sbin", "/lib",  "/lib32", "/lib64", "/libx32", "/usr",
	"/etc", "/boot", "/proc", "/sys",   "/dev",   "/run",
};

bool mounts_system_path(const char *path)
{
	if (!strcmp(path, "/") || !strcmp(path, "/var") || !strcmp(path, "/opt") ||
	    !strcmp(path, "/home") || !strcmp(path, "/root"))
		return true;
	for (size_t i = 0; i < sizeof(system_dirs) / sizeof(system_dirs[0]); i++)
		if (path_within(path, system_dirs[i]))
			return true;
	return false;
}

static bool has_option(const char *options, const char *want)
{
	size_t n = strlen(want);

	for (const char *o = options; *o; o += strcspn(o, ","), o += *o == ',')
		if (!strncmp(o, want, n) && (o[n] == ',' || o[n] == '\0'))
			return true;
	return false;
}

/* proc_pid_mountinfo(5): id parent major:minor root mountpoint options ... */
static int verify_line(char *line, struct err *e)
{
	char *save = NULL, *field = NULL, *at = NULL;
	int i;

	for (i = 0, field = strtok_r(line, " ", &save); field && i < 5;
	     i++, field = strtok_r(NULL, " ", &save))
		if (i == 4)
			at = field;
	if (!field || !at)
		return err_set(e, "cannot read back the container's mounts");
	if (!has_option(field, "nosuid"))
		return err_set(e, "mount %.200s in the container is not nosuid (%.80s)", at, field);
	if (!path_within(at, "/dev") && !has_option(field, "nodev"))
		return err_set(e, "mount %.200s in the container is not nodev (%.80s)", at, field);
	return 0;
}

int mounts_verify(const char *text, struct err *e)
{
	char *copy = strdup(text), *save = NULL;
	int n = 0, rc = copy ? 0 : err_set(e, "out of memory");

	for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line && rc == 0;
	     line = strtok_r(NULL, "\n", &save), n++)
		rc = verify_line(line, e);
	free(copy);
	if (rc == 0 && n == 0)
		return err_set(e, "cannot read back the container's mounts");
	return rc;
}

/* Field 5 of a line, with its octal escapes (\\040 and the like) undone. */
static bool mount_point(const char *line, char *buf, size_t size)
{
	size_t n = 0;

	for (int i = 0; i < 4; i++) {
		line += strcspn(line, " \n");
		if (*line != ' ')
			return false;
		line++;
	}
	for (; *line && *line != ' ' && *line != '\n'; line++) {
		if (n + 1 == size)
			return false;
		if (line[0] == '\\' && line[1] >= '0' && line[1] <= '3' && line[2] >= '0' &&
		    line[2] <= '7' && line[3] >= '0' && line[3] <= '7') {
			buf[n++] = (char)((line[1] - '0') << 6 | (line[2] - '0') << 3 |
					  (line[3] - '0'));
			line += 3;
		} else {
			buf[n++] = *line;
		}
	}
	buf[n] = '\0';
	return true;
}

bool mounts_below(const char *text, const char *path)
{
	char at[4096];

	for (const char *line = text; line && *line;
	     line = strchr(line, '\n'), line += line != NULL)
		/* one that cannot be read may be anywhere */
		if (!mount_point(line, at, sizeof(at)) ||
		    (path_within(at, path) && strcmp(at, path) != 0))
			return true;
	return false;
}
