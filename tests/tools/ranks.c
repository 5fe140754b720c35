/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ranks - two tasks of one step use each other's memory, as MPI libraries do on one node:
 * POSIX shared memory, and process_vm_readv (CMA).
 *
 *   ranks NAME        in both tasks, told apart by SLURM_PROCID
 *
 * Rank 0 makes the shared memory NAME, and shows a text of its own to whoever can read
 * it; rank 1 reads both and prints "shm: TEXT" and "cma: TEXT", or why it could not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define WAIT_ROUNDS 3000 /* of 10 ms */

struct shared {
	atomic_int ready, done;
	pid_t pid;
	char *text; /* an address of rank 0's */
	char said[32];
};

static void die(const char *what)
{
	fprintf(stderr, "ranks: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void await(atomic_int *flag)
{
	const struct timespec pause = { 0, 10000000 };

	for (int i = 0; i < WAIT_ROUNDS; i++) {
		if (atomic_load(flag))
			return;
		nanosleep(&pause, NULL);
	}
	errno = ETIMEDOUT;
	die("the other rank");
}

/* NULL: it is not there, or has no size yet. */
static struct shared *map(const char *name, int flags)
{
	struct shared *s;
	struct stat st;
	int fd = shm_open(name, O_RDWR | flags, 0600);

	if (fd < 0)
		return NULL;
	if (flags && ftruncate(fd, sizeof(*s)) < 0)
		die(name);
	if (fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(*s)) {
		close(fd);
		return NULL;
	}
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (s == MAP_FAILED)
		die(name);
	return s;
}

static void rank0(const char *name)
{
	char text[32] = "memory of rank 0";
	struct shared *s = map(name, O_CREAT | O_EXCL);

	if (!s)
		die(name);
	/* where Yama restricts it, as MPI libraries do */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	s->pid = getpid();
	s->text = text;
	strcpy(s->said, "written by rank 0");
	atomic_store(&s->ready, 1);
	await(&s->done);
	shm_unlink(name);
}

static void rank1(const char *name)
{
	const struct timespec pause = { 0, 10000000 };
	char text[32] = "";
	struct iovec here = { text, sizeof(text) - 1 }, there = { NULL, sizeof(text) - 1 };
	struct shared *s = NULL;

	for (int i = 0; i < WAIT_ROUNDS && !(s = map(name, 0)); i++)
		nanosleep(&pause, NULL);
	if (!s)
		die(name);
	await(&s->ready);
	printf("shm: %s\n", s->said);
	there.iov_base = s->text;
	if (process_vm_readv(s->pid, &here, 1, &there, 1, 0) < 0)
		printf("cma: %s\n", strerror(errno));
	else
		printf("cma: %s\n", text);
	atomic_store(&s->done, 1);
}

int main(int argc, char **argv)
{
	const char *rank = getenv("SLURM_PROCID");

	if (argc != 2 || !rank) {
		fputs("usage: ranks NAME, in two tasks of a step\n", stderr);
		return 2;
	}
	if (strcmp(rank, "0") == 0)
		rank0(argv[1]);
	else
		rank1(argv[1]);
	return 0;
}
