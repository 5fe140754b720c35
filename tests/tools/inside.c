/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inside: who runs it, as the kernel sees it, in one line.
 * inside open PATH...: how an open of each for reading and writing ends: "PATH OK" or
 * "PATH ENXIO", one line each.
 * inside fds: every open descriptor from 3 to 1023, and what it is; then whether the
 * working directory is below the root directory: "cwd PATH inside" or "outside".
 * inside exes SECONDS: for so long, try to open every /proc/PID/exe for writing, at
 * once and again by a descriptor that was taken meanwhile; each that opens, and at the
 * end "tried N".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void who(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { 0 };
	uid_t u[3];
	gid_t g[3];

	getresuid(&u[0], &u[1], &u[2]);
	getresgid(&g[0], &g[1], &g[2]);
	syscall(SYS_capget, &head, caps);
	printf("uid %u %u %u gid %u %u %u caps %x nnp %d\n", u[0], u[1], u[2], g[0], g[1], g[2],
	       caps[0].effective | caps[0].permitted | caps[0].inheritable | caps[1].effective |
		       caps[1].permitted | caps[1].inheritable,
	       prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

static void try(const char *path)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	printf("%s %s\n", path, fd < 0 ? strerrorname_np(errno) : "OK");
	if (fd >= 0)
		close(fd);
}

static void link_of(const char *dir, int fd, char out[PATH_MAX])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%d", dir, fd);
	n = readlink(path, out, PATH_MAX - 1);
	out[n > 0 ? n : 0] = '\0';
}

/* Up from here until it goes no further: is that the root directory? */
static int cwd_inside(void)
{
	struct stat root, here, up;

	if (stat("/", &root) < 0)
		return 0;
	for (int i = 0; i < 1000; i++) {
		if (stat(".", &here) < 0 || stat("..", &up) < 0)
			return 0;
		if (here.st_dev == root.st_dev && here.st_ino == root.st_ino)
			return 1;
		if ((here.st_dev == up.st_dev && here.st_ino == up.st_ino) || chdir("..") < 0)
			return 0;
	}
	return 0;
}

static void fds(void)
{
	char path[PATH_MAX];

	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0) {
			link_of("/proc/self/fd", fd, path);
			printf("%d %s\n", fd, path);
		}
	if (!getcwd(path, sizeof(path)))
		strcpy(path, "none");
	printf("cwd %s %s\n", path, path[0] == '/' && cwd_inside() ? "inside" : "outside");
}

#define HELD 64

static void exes(int seconds)
{
	time_t end = time(NULL) + seconds;
	int held[HELD], n = 0, tried = 0, fd;
	char path[300], target[PATH_MAX];

	memset(held, -1, sizeof(held));
	while (time(NULL) < end) {
		DIR *d = opendir("/proc");
		struct dirent *ent;

		while (d && (ent = readdir(d))) {
			if (ent->d_name[0] < '1' || ent->d_name[0] > '9')
				continue;
			snprintf(path, sizeof(path), "/proc/%s/exe", ent->d_name);
			tried++;
			fd = open(path, O_WRONLY | O_CLOEXEC);
			if (fd >= 0) {
				link_of("/proc/self/fd", fd, target);
				printf("opened %s\n", target);
				close(fd);
			}
			fd = open(path, O_PATH | O_CLOEXEC);
			if (fd < 0)
				continue;
			if (held[n % HELD] >= 0)
				close(held[n % HELD]);
			held[n++ % HELD] = fd;
		}
		if (d)
			closedir(d);
		for (int i = 0; i < HELD; i++) {
			if (held[i] < 0)
				continue;
			snprintf(path, sizeof(path), "/proc/self/fd/%d", held[i]);
			fd = open(path, O_WRONLY | O_CLOEXEC);
			if (fd >= 0) {
				link_of("/proc/self/fd", fd, target);
				printf("opened %s\n", target);
				close(fd);
			}
		}
		usleep(1000);
	}
	printf("tried %d\n", tried);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "open"))
		for (int i = 2; i < argc; i++)
			try(argv[i]);
	else if (argc > 1 && !strcmp(argv[1], "fds"))
		fds();
	else if (argc > 2 && !strcmp(argv[1], "exes"))
		exes(atoi(argv[2]));
	else
		who();
	return 0;
}
