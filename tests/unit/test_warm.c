/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is read ahead of a first exec: which files a program needs, from real ones and from damaged
 * ones, and that these and no others are in the page cache afterwards.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../helper/elfneeds.h"
#include "../../helper/sys.h"
#include "../../helper/warm.h"
#include "unit.h"

#define PROGRAM "/proc/self/exe" /* dynamic, and needs libc */

static char *image; /* what PROGRAM is, image_len bytes */
static size_t image_len;
static struct elfneeds whole;

static void read_program(void)
{
	int fd = open(PROGRAM, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(elfneeds_read(fd, &whole), 0);
	close(fd);
	image = sys_read_at(AT_FDCWD, PROGRAM, 64 << 20, &image_len);
	ck_assert_ptr_nonnull(image);
}

static int memory(const void *p, size_t n)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, p, n), (ssize_t)n);
	return fd;
}

static bool needs(const struct elfneeds *e, const char *name)
{
	for (unsigned i = 0; i < e->n; i++)
		if (strcmp(e->name[i], name) == 0)
			return true;
	return false;
}

START_TEST(a_program)
{
	struct elfneeds libc;
	char path[PATH_MAX];
	int fd;

	ck_assert_int_eq(whole.interp[0], '/');
	ck_assert(needs(&whole, "libc.so.6"));
	/* a library has none itself */
	snprintf(path, sizeof(path), "%s", whole.interp);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(elfneeds_read(fd, &libc), 0);
	ck_assert_str_eq(libc.interp, "");
	close(fd);
}
END_TEST

START_TEST(no_program)
{
	struct elfneeds e;
	int fd = memory("#!/bin/sh\n", 10);

	ck_assert_int_lt(elfneeds_read(fd, &e), 0);
	ck_assert_uint_eq(e.n, 0);
	close(fd);
	ck_assert_int_lt(elfneeds_read(-1, &e), 0);
}
END_TEST

static void sound(const struct elfneeds *e)
{
	ck_assert_uint_le(e->n, ELFNEEDS_MAX);
	ck_assert_uint_lt(strnlen(e->interp, sizeof(e->interp)), sizeof(e->interp));
	ck_assert_uint_lt(strnlen(e->runpath, sizeof(e->runpath)), sizeof(e->runpath));
	for (unsigned i = 0; i < e->n; i++) {
		ck_assert_uint_lt(strnlen(e->name[i], ELFNEEDS_NAME_MAX), ELFNEEDS_NAME_MAX);
		ck_assert_int_ne(e->name[i][0], '\0');
		ck_assert_ptr_null(strchr(e->name[i], '/'));
	}
}

START_TEST(cut_at_any_length)
{
	struct elfneeds e;
	int fd = memory(image, image_len);

	for (size_t n = image_len; n > 0; n = n > 4096 ? n / 2 : n - 1) {
		ck_assert_int_eq(ftruncate(fd, (off_t)n), 0);
		(void)elfneeds_read(fd, &e);
		sound(&e);
	}
	close(fd);
}
END_TEST

/* Every byte of the header, of the program headers and of the dynamic section, in turn. */
START_TEST(any_byte_changed)
{
	static const unsigned char values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	const size_t first = image_len < 1024 ? image_len : 1024;
	int fd = memory(image, image_len);

	for (size_t at = 0; at < first; at++)
		for (size_t v = 0; v < sizeof(values); v++) {
			struct elfneeds e;

			ck_assert_int_eq(pwrite(fd, &values[v], 1, (off_t)at), 1);
			(void)elfneeds_read(fd, &e);
			sound(&e);
			ck_assert_int_eq(pwrite(fd, &image[at], 1, (off_t)at), 1);
		}
	close(fd);
}
END_TEST

/* ---- the page cache ---- */

static char root[32];
static int stop[2];
static bool droppable;

static void put(const char *path, const void *p, size_t n)
{
	char dir[PATH_MAX];
	int fd;

	for (const char *c = path; (c = strchr(c, '/')); c++) {
		snprintf(dir, sizeof(dir), "%s/%.*s", root, (int)(c - path), path);
		mkdir(dir, 0755);
	}
	snprintf(dir, sizeof(dir), "%s/%s", root, path);
	fd = open(dir, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, p, n), (ssize_t)n);
	ck_assert_int_eq(fsync(fd), 0);
	ck_assert_int_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	close(fd);
}

/* The last page of the file: is it in memory? */
static bool resident(const char *path)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char seen = 0;
	char full[PATH_MAX];
	struct stat st;
	void *p;
	int fd;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	p = mmap(NULL, page, PROT_READ, MAP_SHARED, fd,
		 (st.st_size - 1) / (off_t)page * (off_t)page);
	ck_assert(p != MAP_FAILED);
	ck_assert_int_eq(mincore(p, page, &seen), 0);
	munmap(p, page);
	close(fd);
	return seen & 1;
}

static bool becomes_resident(const char *path)
{
	for (int i = 0; i < 200 && !resident(path); i++)
		(void)poll(NULL, 0, 10);
	return resident(path);
}

static void plant(void)
{
	char filler[65536];

	memset(filler, 'x', sizeof(filler));
	snprintf(root, sizeof(root), "test_warm.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, stop), 0);
	put("opt/app/bin/program", image, image_len);
	put("usr/bin/program", image, image_len);
	put(whole.interp + 1, filler, sizeof(filler));
	put("usr/lib64/libc.so.6", filler, sizeof(filler));
	put("usr/lib64/other.so", filler, sizeof(filler));
	put("script", "#! /usr/bin/program -x\nexit\n", 28);
	/* on tmpfs all files stay in memory */
	droppable = !resident("usr/lib64/other.so");
	if (!droppable)
		printf("warm: skipped: files of this directory cannot leave the page cache\n");
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st, (void)type, (void)where;
	return remove(path);
}

static void uproot(void)
{
	close(stop[0]);
	close(stop[1]);
	ck_assert_int_eq(nftw(root, drop, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void warm(const char *command, const char *script, const char *path, const char *cwd)
{
	struct warm w = { .root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC),
			  .command = command,
			  .script = script,
			  .path = path,
			  .cwd = cwd,
			  .stop = stop[0] };

	warm_command(&w);
	close(w.root);
}

START_TEST(by_path)
{
	if (!droppable)
		return;
	warm("program", NULL, "relative:/nowhere:/opt/app/bin", NULL);
	ck_assert(becomes_resident("opt/app/bin/program"));
	ck_assert(becomes_resident(whole.interp + 1));
	ck_assert(becomes_resident("usr/lib64/libc.so.6"));
	ck_assert(!resident("usr/lib64/other.so"));
	ck_assert(!resident("usr/bin/program"));
}
END_TEST

START_TEST(by_the_usual_path)
{
	if (!droppable)
		return;
	warm("program", NULL, NULL, NULL);
	ck_assert(becomes_resident("usr/bin/program"));
	ck_assert(!resident("opt/app/bin/program"));
}
END_TEST

START_TEST(host_command_needs_the_images_libraries)
{
	char cwd[PATH_MAX];

	if (!droppable)
		return;
	ck_assert_ptr_nonnull(realpath(root, cwd));
	warm("./opt/app/bin/program", NULL, NULL, cwd);
	ck_assert(becomes_resident("usr/lib64/libc.so.6"));
}
END_TEST

START_TEST(so_does_one_by_its_whole_path)
{
	char cwd[PATH_MAX], path[2 * PATH_MAX];

	if (!droppable)
		return;
	ck_assert_ptr_nonnull(realpath(root, cwd));
	snprintf(path, sizeof(path), "%s/opt/app/bin/program", cwd);
	warm(path, NULL, NULL, NULL);
	ck_assert(becomes_resident("usr/lib64/libc.so.6"));
}
END_TEST

START_TEST(script_needs_the_images_interpreter)
{
	char path[PATH_MAX];

	if (!droppable)
		return;
	snprintf(path, sizeof(path), "%s/script", root);
	warm(NULL, path, NULL, NULL);
	ck_assert(becomes_resident("usr/bin/program"));
	ck_assert(becomes_resident("usr/lib64/libc.so.6"));
}
END_TEST

START_TEST(stops_when_told)
{
	if (!droppable)
		return;
	ck_assert_int_eq(write(stop[1], "x", 1), 1);
	warm("program", NULL, NULL, NULL);
	ck_assert(!resident("usr/lib64/libc.so.6"));
}
END_TEST

START_TEST(nothing_there)
{
	if (!droppable)
		return;
	warm("nothing", NULL, NULL, NULL);
	warm("/nothing", NULL, NULL, NULL);
	warm("./nothing", NULL, NULL, NULL);
	warm("./nothing", NULL, NULL, "/");
	warm("", NULL, ":::", NULL);
	warm("/usr", NULL, NULL, NULL);
	warm(NULL, NULL, NULL, NULL);
	warm(NULL, "/nothing", NULL, NULL);
	ck_assert(!resident("usr/lib64/libc.so.6"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("warm");
	TCase *elf = tcase_create("elfneeds"), *t = tcase_create("warm");

	tcase_add_unchecked_fixture(elf, read_program, NULL);
	tcase_add_test(elf, a_program);
	tcase_add_test(elf, no_program);
	tcase_add_test(elf, cut_at_any_length);
	tcase_add_test(elf, any_byte_changed);
	suite_add_tcase(s, elf);
	tcase_add_unchecked_fixture(t, read_program, NULL);
	tcase_add_checked_fixture(t, plant, uproot);
	tcase_add_test(t, by_path);
	tcase_add_test(t, by_the_usual_path);
	tcase_add_test(t, host_command_needs_the_images_libraries);
	tcase_add_test(t, so_does_one_by_its_whole_path);
	tcase_add_test(t, script_needs_the_images_interpreter);
	tcase_add_test(t, stops_when_told);
	tcase_add_test(t, nothing_there);
	suite_add_tcase(s, t);
	return unit_run(s);
}
