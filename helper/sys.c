/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define OPENAT2_RETRIES 64

int sys_openat2(int dirfd, const char *path, int flags, unsigned mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.mode = mode,
		.resolve = resolve,
	};
	long fd = -1;

	for (int i = 0; i < OPENAT2_RETRIES; i++) {
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return (int)fd;
}

int sys_clone_tree(int dirfd, const char *path, bool recursive)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_NO_AUTOMOUNT;

	if (recursive)
		flags |= AT_RECURSIVE;
	return open_tree(dirfd, path, flags);
}

int sys_new_fs(const char *fstype, unsigned attr, const char *const *options)
{
	int mnt = -1, saved;
	int fs = fsopen(fstype, FSOPEN_CLOEXEC);

	if (fs < 0)
		return -1;
	for (; options && options[0]; options += 2) {
		int rc = options[1] ? fsconfig(fs, FSCONFIG_SET_STRING, options[0], options[1], 0)
				    : fsconfig(fs, FSCONFIG_SET_FLAG, options[0], NULL, 0);
		if (rc < 0)
			goto done;
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mnt = fsmount(fs, FSMOUNT_CLOEXEC, attr);
done:
	saved = errno;
	close(fs);
	errno = saved;
	return mnt;
}

int sys_set_attr(int fd, bool recursive, uint64_t set, uint64_t clear, uint64_t propagation)
{
	struct mount_attr attr = {
		.attr_set = set,
		.attr_clr = clear,
		.propagation = propagation,
	};

	return mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
			     sizeof(attr));
}

int sys_attach(int fd, int target)
{
	return move_mount(fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

char *sys_read_all(int fd, size_t max, size_t *ret_len)
{
	size_t len = 0, cap = 4096;
	char *buf = malloc(cap + 1);

	while (buf) {
		ssize_t n;

		if (len == cap) {
			char *more = cap > max ? NULL : realloc(buf, cap * 2 + 1);
			if (!more) {
				errno = cap > max ? EFBIG : ENOMEM;
				break;
			}
			buf = more;
			cap *= 2;
		}
		n = pread(fd, buf + len, cap - len, (off_t)len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		len += (size_t)n;
		if (len > max) {
			errno = EFBIG;
			break;
		}
		if (n == 0) {
			buf[len] = '\0';
			*ret_len = len;
			return buf;
		}
	}
	free(buf);
	return NULL;
}

char *sys_read_at(int dirfd, const char *path, size_t max, size_t *ret_len)
{
	int saved, fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char *text;

	if (fd < 0)
		return NULL;
	text = sys_read_all(fd, max, ret_len);
	saved = errno;
	close(fd);
	errno = saved;
	return text;
}

int sys_write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int sys_memfd(const char *name, const char *text, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd >= 0 && sys_write_all(fd, text, len) < 0)
		sys_close(&fd);
	return fd;
}

int sys_write_file(int dirfd, const char *path, const char *text)
{
	int rc, saved, fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	rc = sys_write_all(fd, text, strlen(text));
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

struct fd_path sys_fd_path(int fd)
{
	struct fd_path p;

	snprintf(p.s, sizeof(p.s), "/proc/self/fd/%d", fd);
	return p;
}

int sys_path_of(int fd, char *buf, size_t size)
{
	struct fd_path p = sys_fd_path(fd);
	ssize_t n = readlink(p.s, buf, size - 1);

	if (n < 0)
		return -1;
	if ((size_t)n >= size - 1) {
		errno = ENAMETOOLONG;
		return -1;
	}
	buf[n] = '\0';
	return 0;
}

static struct sockaddr_un sys_address(int dir, const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct fd_path p = sys_fd_path(dir);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", p.s, name);
	return a;
}

int sys_listen_at(int dir, const char *name, int flags, int backlog)
{
	const struct sockaddr_un a = sys_address(dir, name);
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);

	if (s < 0)
		return -1;
	unlinkat(dir, name, 0);
	if (bind(s, (const struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, backlog) < 0)
		sys_close(&s);
	return s;
}

int sys_connect_at(int dir, const char *name, int wait_ms)
{
	const struct timeval wait = { wait_ms / 1000, wait_ms % 1000 * 1000 };
	const struct sockaddr_un a = sys_address(dir, name);
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (s >= 0 && (setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0 ||
		       connect(s, (const struct sockaddr *)&a, sizeof(a)) < 0))
		sys_close(&s);
	return s;
}

int64_t sys_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void sys_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int sys_regular(int fd)
{
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
		sys_close(&fd);
	return fd;
}

#define KEEP_ABOVE 256 /* out of the way of the final places */

int sys_keep_fds(int *const keep[], size_t n)
{
	int place = 3;

	for (size_t i = 0; i < n; i++)
		if (*keep[i] >= 0 && (*keep[i] = fcntl(*keep[i], F_DUPFD_CLOEXEC, KEEP_ABOVE)) < 0)
			return -1;
	for (size_t i = 0; i < n; i++)
		if (*keep[i] >= 0) {
			if (dup3(*keep[i], place, O_CLOEXEC) < 0)
				return -1;
			*keep[i] = place++;
		}
	return close_range((unsigned)place, ~0U, 0);
}
