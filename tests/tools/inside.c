/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inside: who runs it, as the kernel sees it, in one line.
 * inside open PATH...: how an open of each for reading and writing ends: "PATH OK" or
 * "PATH ENXIO", one line each.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
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

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "open"))
		for (int i = 2; i < argc; i++)
			try(argv[i]);
	else
		who();
	return 0;
}
