/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * marker: a library that tells who loaded it: "UID PROGRAM", appended to NAME.log where
 * NAME is the path of the library, and to the same name in /tmp.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What the dynamic linker asks of a library that stands in LD_AUDIT. */
unsigned la_version(unsigned version);
unsigned la_version(unsigned version)
{
	return version;
}

static void append(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

__attribute__((constructor)) static void tell(void)
{
	char exe[PATH_MAX] = "", text[PATH_MAX + 32], path[PATH_MAX + 16];
	const char *slash;
	Dl_info me;

	if (!dladdr((void *)tell, &me))
		return;
	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		return;
	snprintf(text, sizeof(text), "%u %s\n", geteuid(), exe);
	snprintf(path, sizeof(path), "%s.log", me.dli_fname);
	append(path, text);
	slash = strrchr(me.dli_fname, '/');
	snprintf(path, sizeof(path), "/tmp/%s.log", slash ? slash + 1 : me.dli_fname);
	append(path, text);
}
