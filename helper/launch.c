/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * berth-launch: inside a container, run one of the host's Slurm commands with the
 * host's loader and libraries.  Called through a link of the command's name.  Static:
 * it runs on top of any libc.  It has no privilege and gives none.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HOST "/.berth/host"
#define LIBRARIES                                                                       \
	HOST "/usr/lib/x86_64-linux-gnu:" HOST "/usr/lib/aarch64-linux-gnu:" HOST       \
	     "/usr/lib/powerpc64le-linux-gnu:" HOST "/usr/lib64:" HOST "/usr/lib:" HOST \
	     "/usr/local/lib"
#define AUDIT "/.berth/bin/berth-audit.so"
#define INTERP_MAX 256
#define LINKS_MAX 8

static const char *const places[] = { HOST "/usr/bin", HOST "/usr/local/bin", "/opt/slurm/bin" };

/* Path of the program's loader as the host writes it, from its PT_INTERP. */
static int interpreter(int fd, char *buf, size_t size)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph;

	if (pread(fd, &eh, sizeof(eh), 0) != sizeof(eh) ||
	    memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_phentsize != sizeof(ph))
		return -1;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		if (pread(fd, &ph, sizeof(ph), (off_t)(eh.e_phoff + i * sizeof(ph))) != sizeof(ph))
			return -1;
		if (ph.p_type != PT_INTERP)
			continue;
		if (ph.p_filesz == 0 || ph.p_filesz >= size ||
		    pread(fd, buf, ph.p_filesz, (off_t)ph.p_offset) != (ssize_t)ph.p_filesz)
			return -1;
		buf[ph.p_filesz] = '\0';
		return 0;
	}
	return -1;
}

static int open_in(int root, const char *path)
{
	struct open_how how = { .flags = O_RDONLY, .resolve = RESOLVE_IN_ROOT };

	return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

/*
 * Open the host's file: its absolute symlinks mean the host's root, not the image's.
 * Only the host's /usr is here.  /lib and /lib64 are links into it on every merged-usr
 * system, so what is not found is looked for below /usr, and so is what a link there
 * leads to (Debian: /usr/lib64/ld-linux-x86-64.so.2 -> /lib/x86_64-linux-gnu/...).
 */
static int open_host(const char *path)
{
	char usr[INTERP_MAX + 8], target[INTERP_MAX];
	int fd = -1, root = open(HOST, O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; root >= 0 && fd < 0 && i < LINKS_MAX; i++) {
		ssize_t n;

		fd = open_in(root, path);
		if (fd >= 0)
			break;
		snprintf(usr, sizeof(usr), "usr%s", path);
		fd = open_in(root, usr);
		if (fd >= 0)
			break;
		n = readlinkat(root, usr, target, sizeof(target) - 1);
		if (n <= 0 || target[0] != '/')
			break;
		target[n] = '\0';
		path = target;
	}
	if (root >= 0)
		close(root);
	return fd;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];
	char program[4096], interp[INTERP_MAX], loader[64];
	char **args = calloc((size_t)argc + 8, sizeof(*args));
	int fd = -1, n = 0;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && fd < 0; i++) {
		snprintf(program, sizeof(program), "%s/%s", places[i], name);
		fd = open(program, O_RDONLY | O_CLOEXEC);
	}
	if (!args || fd < 0) {
		fprintf(stderr,
			"%s: this node has no %s to run in the container (berth, slurm=yes)\n",
			name, name);
		free(args);
		return 127;
	}
	if (interpreter(fd, interp, sizeof(interp)) < 0) {
		free(args);
		execv(program, argv); /* static, or a script: as it is */
		fprintf(stderr, "%s: %s: %s\n", name, program, strerror(errno));
		return 126;
	}
	close(fd);
	fd = open_host(interp);
	snprintf(loader, sizeof(loader), "/proc/self/fd/%d", fd);
	args[n++] = (char *)name;
	args[n++] = (char *)"--inhibit-cache";
	args[n++] = (char *)"--library-path";
	args[n++] = (char *)LIBRARIES;
	if (access(AUDIT, R_OK) == 0) {
		args[n++] = (char *)"--audit";
		args[n++] = (char *)AUDIT;
	}
	args[n++] = program;
	for (int i = 1; i < argc; i++)
		args[n++] = argv[i];
	if (fd >= 0)
		execv(loader, args);
	fprintf(stderr, "%s: the host's loader %s: %s\n", name, interp, strerror(errno));
	free(args);
	return 126;
}
