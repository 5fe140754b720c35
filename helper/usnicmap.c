/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "usnicmap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "ids.h"
#include "run.h"
#include "sys.h"

#define NOBODY 65534
#define SCAN_MS 20000
#define SCAN_MORE_MS 1000 /* until its child has said so */
#define MAP_BYTES_MAX (64u * 1024 * 1024)

/* A file that is root's alone: *ret its descriptor.  0; -1 with errno 0 where it is somebody else's. */
static int open_own(int dir, const char *path, int *ret)
{
	struct stat st;
	int fd = openat(dir, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) < 0) {
		sys_close(&fd);
		return -1;
	}
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH))) {
		close(fd);
		errno = 0;
		return -1;
	}
	*ret = fd;
	return 0;
}

static int site_map(const char *path, struct hwmap **ret, struct err *e)
{
	int fd, rc;

	if (open_own(AT_FDCWD, path, &fd) < 0)
		return errno ? err_sys(e, errno, "map=%s", path)
			     : err_set(e,
				       "map=%s: expected a regular file that belongs to root and "
				       "that nobody else can write",
				       path);
	rc = hwmap_read(fd, ret, e);
	close(fd);
	return rc;
}

static struct hwmap *kept_map(int state)
{
	struct hwmap *m = NULL;
	struct err ignored = { "" };
	int fd;

	if (open_own(state, USNICMAP_NAME, &fd) < 0)
		return NULL;
	if (hwmap_read(fd, &m, &ignored) < 0)
		m = NULL;
	close(fd);
	if (m && !hwmap_fresh(m)) {
		hwmap_free(m);
		m = NULL;
	}
	return m;
}

/* What berth-hwmap prints, as nobody, through a child that becomes nobody first. */
static char *scan(size_t *ret_len, struct err *e)
{
	static const struct ids nobody = { NOBODY, NOBODY, NULL, 0 };
	char *argv[] = { (char *)BERTH_BINDIR "/berth-hwmap", (char *)"map", NULL };
	struct err *said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int out = memfd_create("berth-map", MFD_CLOEXEC), status = -1;
	char *text = NULL;
	pid_t pid = -1;

	if (said == MAP_FAILED || out < 0 || (pid = fork()) < 0) {
		err_sys(e, errno, "cannot scan the node's NICs");
	} else if (pid == 0) {
		size_t len;
		char *printed = ids_become(&nobody, IDS_SHIELD, said) == 0
					? run_program(argv, -1, MAP_BYTES_MAX, SCAN_MS, &len, said)
					: NULL;

		_exit(!printed || sys_write_all(out, printed, len) < 0);
	} else {
		(void)child_wait(pid, SCAN_MS + SCAN_MORE_MS, &status);
		said->text[sizeof(said->text) - 1] = '\0';
		if (status == 0)
			text = sys_read_all(out, MAP_BYTES_MAX, ret_len);
		if (!text)
			err_set(e, "cannot scan the node's NICs: %s",
				said->text[0] ? said->text : "berth-hwmap failed");
	}
	if (said != MAP_FAILED)
		munmap(said, sizeof(*said));
	sys_close(&out);
	return text;
}

/* A new map beside the old one, checked, then in its place. */
static int make_map(int state, struct hwmap **ret, struct err *e)
{
	char name[32];
	size_t len;
	char *bytes = scan(&len, e);
	int fd, rc = -1;

	if (!bytes)
		return -1;
	snprintf(name, sizeof(name), USNICMAP_NAME ".%d", (int)getpid());
	(void)unlinkat(state, name, 0);
	fd = openat(state, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || sys_write_all(fd, bytes, len) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		err_sys(e, errno, "cannot keep the map of the node's NICs");
	else if (hwmap_read(fd, ret, e) == 0)
		rc = 0;
	/* one that cannot be kept serves this step all the same */
	if (rc < 0 || renameat(state, name, state, USNICMAP_NAME) < 0)
		(void)unlinkat(state, name, 0);
	sys_close(&fd);
	free(bytes);
	return rc;
}

int usnicmap_get(const struct config *c, int state, struct hwmap **ret, struct err *e)
{
	if (c->map)
		return site_map(c->map, ret, e);
	*ret = kept_map(state);
	return *ret ? 0 : make_map(state, ret, e);
}

int usnicmap_prepare(const struct config *c, int state, struct err *e)
{
	struct hwmap *m = NULL;
	int rc = c->map ? 0 : usnicmap_get(c, state, &m, e);

	hwmap_free(m);
	return rc;
}
