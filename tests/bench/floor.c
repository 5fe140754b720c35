/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * floor - what the kernel alone charges for running /bin/true in an image: unshare,
 * loop or file-backed mount, binds, pivot_root, fork, exec, wait.  Nothing else.
 *
 *     floor COUNT KIND [IMAGE AT [SQUASHFUSE]]
 *
 * KIND  bare      fork and exec alone
 *       dir       IMAGE is a root directory
 *       squashfs  IMAGE over a loop device of its own
 *       shared    the same, but mounted once before all runs
 *       erofs     IMAGE mounted from the file
 *       fuse      IMAGE by way of the program SQUASHFUSE
 * AT    an empty directory to mount at
 *
 * One line per run, after one run that warms the caches: "floor kind=K unshare=N loop=N
 * mount=N binds=N pivot=N setup=N exec=N", microseconds.  Exit code 77: this kernel cannot.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SKIP 77
#define LOOP_TRIES 100

enum stage { START, UNSHARE, LOOP, MOUNT, BINDS, PIVOT, EXEC, STAGES };

static const char *const stage_name[STAGES] = { "", "unshare", "loop", "mount", "binds", "pivot" };

static const char *kind, *image, *at, *squashfuse;
static long count;
static pid_t server;

static bool is(const char *name)
{
	return strcmp(kind, name) == 0;
}

static void fail(const char *what)
{
	fprintf(stderr, "floor: %s: %s: %s\n", kind, what, strerror(errno));
	if (server > 0)
		kill(server, SIGKILL);
	_exit(1);
}

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void private_mounts(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		fail("mount namespace");
}

/* The device goes away with its mount. */
static int loop_attach(char *name, size_t size)
{
	struct loop_config conf = { .info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR };
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int file = open(image, O_RDONLY | O_CLOEXEC), dev = -1;

	if (control < 0 || file < 0)
		fail("loop device");
	conf.fd = (unsigned)file;
	/* others take devices too */
	for (int i = 0; i < LOOP_TRIES; i++) {
		snprintf(name, size, "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
		dev = open(name, O_RDONLY | O_CLOEXEC);
		if (dev >= 0 && ioctl(dev, LOOP_CONFIGURE, &conf) == 0)
			break;
		if (dev >= 0)
			close(dev);
		dev = -1;
	}
	if (dev < 0)
		fail("loop device");
	close(file);
	close(control);
	return dev;
}

static void mount_squashfs(double *t)
{
	char name[32];
	int dev = loop_attach(name, sizeof(name));

	t[LOOP] = now_us();
	if (mount(name, at, "squashfs", MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0)
		fail("mount");
	close(dev);
}

static void mount_erofs(void)
{
	if (mount(image, at, "erofs", MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) == 0)
		return;
	if (errno == ENOTBLK || errno == ENODEV)
		_exit(SKIP);
	fail("mount");
}

static void serve(int dev)
{
	char target[32];
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
	    fcntl(dev, F_SETFD, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		_exit(126);
	snprintf(target, sizeof(target), "/dev/fd/%d", dev);
	execl(squashfuse, squashfuse, "-f", image, target, (char *)NULL);
	_exit(127);
}

/* Ends with the server's first answers. */
static void mount_fuse(void)
{
	int dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char data[96], file[4200];
	struct stat st;

	if (dev < 0 || access(squashfuse, X_OK) < 0)
		_exit(SKIP);
	snprintf(data, sizeof(data), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", dev);
	if (mount("floor", at, "fuse", MS_RDONLY | MS_NOSUID | MS_NODEV, data) < 0)
		fail("mount");
	server = fork();
	if (server < 0)
		fail("fork");
	if (server == 0)
		serve(dev);
	close(dev);
	snprintf(file, sizeof(file), "%s/bin", at);
	if (stat(file, &st) < 0)
		fail(file);
}

static void mount_image(double *t)
{
	t[LOOP] = t[UNSHARE];
	if (is("squashfs"))
		mount_squashfs(t);
	else if (is("erofs"))
		mount_erofs();
	else if (is("fuse"))
		mount_fuse();
	else if (mount(is("shared") ? at : image, at, NULL, MS_BIND, NULL) < 0)
		fail("bind");
}

static void bind_all(void)
{
	static const char *const trees[] = { "/proc", "/sys", "/dev", "/tmp", "/home" };
	char to[4200];

	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
		snprintf(to, sizeof(to), "%s%s", at, trees[i]);
		if (mount(trees[i], to, NULL, MS_BIND | MS_REC, NULL) < 0)
			fail(to);
	}
}

static void pivot(void)
{
	if (chdir(at) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		fail("pivot_root");
}

static void exec_true(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		fail("fork");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		errno = ENOEXEC;
		fail("/bin/true");
	}
}

static void print(const double *t)
{
	printf("floor kind=%s", kind);
	for (int s = UNSHARE; s <= PIVOT; s++)
		printf(" %s=%.1f", stage_name[s], t[s] - t[s - 1]);
	printf(" setup=%.1f exec=%.1f\n", t[PIVOT] - t[START], t[EXEC] - t[PIVOT]);
	fflush(stdout);
}

/* In a process of its own, whose end takes everything back. */
static void run(bool show)
{
	double t[STAGES];

	t[START] = now_us();
	for (int s = UNSHARE; s <= PIVOT; s++)
		t[s] = t[START];
	if (!is("bare")) {
		private_mounts();
		t[UNSHARE] = now_us();
		mount_image(t);
		t[MOUNT] = now_us();
		bind_all();
		t[BINDS] = now_us();
		pivot();
		t[PIVOT] = now_us();
	}
	exec_true();
	t[EXEC] = now_us();
	if (show)
		print(t);
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	_exit(0);
}

static bool arguments(int argc, char **argv)
{
	static const char *const kinds[] = { "dir", "squashfs", "shared", "erofs", "fuse" };

	count = argc < 3 ? 0 : strtol(argv[1], NULL, 10);
	if (count < 1)
		return false;
	kind = argv[2];
	if (is("bare"))
		return argc == 3;
	if (argc != (is("fuse") ? 6 : 5))
		return false;
	image = argv[3];
	at = argv[4];
	squashfuse = argv[5]; /* NULL but for fuse */
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (is(kinds[i]))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	double unused[STAGES];

	if (!arguments(argc, argv)) {
		fprintf(stderr, "usage: floor COUNT bare | dir|squashfs|shared|erofs IMAGE AT | "
				"fuse IMAGE AT SQUASHFUSE\n");
		return 2;
	}
	if (is("shared")) {
		private_mounts();
		mount_squashfs(unused);
	}
	for (long i = 0; i <= count; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			run(i > 0);
		if (pid < 0 || waitpid(pid, &status, 0) < 0)
			fail("fork");
		if (!WIFEXITED(status))
			return 1;
		if (WEXITSTATUS(status))
			return WEXITSTATUS(status);
	}
	return 0;
}
