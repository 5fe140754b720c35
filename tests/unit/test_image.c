/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../helper/image.h"
#include "unit.h"

static int fd;

static void file_open(void)
{
	fd = memfd_create("image", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
}

static void file_close(void)
{
	close(fd);
}

static void size(off_t n)
{
	ck_assert_int_eq(ftruncate(fd, n), 0);
}

static void put(off_t offset, const void *p, size_t len)
{
	ck_assert_int_eq(pwrite(fd, p, len, offset), (ssize_t)len);
}

static void put_le(off_t offset, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++, v >>= 8) {
		unsigned char b = (unsigned char)v;

		put(offset + i, &b, 1);
	}
}

static struct image_info found(void)
{
	struct image_info info;
	struct err e = { "" };

	ck_assert_msg(image_classify(fd, "/i", &info, &e) == 0, "%s", e.text);
	return info;
}

static void refused(const char *part)
{
	struct image_info info = { 77, 77, 77 };
	struct err e = { "" };

	ck_assert_int_eq(image_classify(fd, "/i", &info, &e), -1);
	ck_assert_msg(strncmp(e.text, "/i: ", 4) == 0, "%s", e.text);
	ck_assert_msg(strstr(e.text, part) != NULL, "\"%s\" lacks \"%s\"", e.text, part);
	ck_assert_int_eq((int)info.kind, 77);
	ck_assert_uint_eq(info.offset, 77);
	size(0);
}

static void put_squashfs(off_t at, uint64_t used)
{
	put(at, "hsqs", 4);
	put_le(at + 12, 131072, 4);
	put_le(at + 20, 1, 2);
	put_le(at + 22, 17, 2);
	put_le(at + 28, 4, 2);
	put_le(at + 30, 0, 2);
	put_le(at + 40, used, 8);
}

START_TEST(squashfs)
{
	struct image_info info;

	size(8192);
	put_squashfs(0, 5000);
	info = found();
	ck_assert_int_eq(info.kind, IMAGE_SQUASHFS);
	ck_assert_uint_eq(info.offset, 0);
	ck_assert_uint_eq(info.length, 8192);
	size(5000); /* mksquashfs -nopad */
	info = found();
	ck_assert_uint_eq(info.length, 5000);
	size(100000);
	ck_assert_uint_eq(found().length, 8192);
}
END_TEST

START_TEST(squashfs_refused)
{
	put_squashfs(0, 5000);
	size(4999);
	refused("is cut short: 4999 of 5000 bytes");
	put_squashfs(0, 5000);
	size(40);
	refused("is cut short: 40 of 96 bytes");
	size(8192);
	put_squashfs(0, 5000);
	put_le(28, 3, 2);
	put_le(30, 1, 2);
	refused("squashfs version 3.1, expected 4.0");
	size(8192);
	put_squashfs(0, UINT64_MAX);
	refused("is cut short: 8192 of 18446744073709551615 bytes");
	size(8192);
	put_squashfs(0, 95);
	refused("damaged squashfs");
	size(8192);
	put_squashfs(0, 5000);
	put_le(22, 40, 2);
	refused("damaged squashfs");
	size(8192);
	put_squashfs(0, 5000);
	put_le(12, 4096, 4);
	refused("damaged squashfs");
	put(0, "sqsh", 4);
	refused("is a big-endian squashfs");
}
END_TEST

static void put_erofs(uint32_t blocks, unsigned bits)
{
	put_le(1024, 0xe0f5e1e2, 4);
	put_le(1036, bits, 1);
	put_le(1038, 36, 2);
	put_le(1060, blocks, 4);
}

START_TEST(erofs)
{
	struct image_info info;

	size(65536);
	put_erofs(4, 12);
	info = found();
	ck_assert_int_eq(info.kind, IMAGE_EROFS);
	ck_assert_uint_eq(info.offset, 0);
	ck_assert_uint_eq(info.length, 16384);
	put_erofs(10, 9);
	ck_assert_uint_eq(found().length, 5120);
}
END_TEST

START_TEST(erofs_refused)
{
	put_erofs(4, 12);
	size(16383);
	refused("is cut short: 16383 of 16384 bytes");
	put_erofs(4, 12);
	size(1100);
	refused("is cut short: 1100 of 1152 bytes");
	size(16384);
	put_erofs(4, 3);
	refused("damaged erofs");
	size(16384);
	put_erofs(4, 200);
	refused("damaged erofs");
	size(16384);
	put_erofs(0, 12);
	refused("damaged erofs");
	size(16384);
	put_erofs(4, 12);
	put_le(1024 + 86, 1, 2);
	refused("data in further files");
	size(16384);
	put_erofs(4, 12);
	put_le(1024 + 80, 0x80, 4); /* 48 bit: root_nid is the upper half of blocks */
	refused("is cut short: 16384 of 633318697615360 bytes");
	size(16384);
	put_erofs(UINT32_MAX, 16);
	put_le(1024 + 80, 0x80, 4);
	put_le(1038, 0xffff, 2);
	refused("is cut short: 16384 of 18446744073709486080 bytes");
}
END_TEST

static void put_sif(uint64_t total, uint64_t table)
{
	put(0, "#!/usr/bin/env run-singularity\n", 31);
	put(32,
	    "SIF_MAGIC\0"
	    "01\0"
	    "02\0",
	    16);
	put_le(88, total, 8);
	put_le(96, table, 8);
	put_le(104, total * 585, 8);
}

static void put_descriptor(unsigned i, uint32_t type, uint64_t offset, uint64_t len)
{
	off_t at = 4096 + i * 585;

	put_le(at, type, 4);
	put_le(at + 4, 1, 1);
	put_le(at + 17, offset, 8);
	put_le(at + 25, len, 8);
}

static void put_partition(unsigned i, uint32_t fs, uint32_t part, uint64_t offset, uint64_t len)
{
	put_descriptor(i, 0x4004, offset, len);
	put_le(4096 + i * 585 + 201, fs, 4);
	put_le(4096 + i * 585 + 205, part, 4);
}

/* Like one that apptainer makes: definition, labels, the partition last. */
static void put_whole_sif(void)
{
	size(65536);
	put_sif(48, 4096);
	put_descriptor(0, 0x4001, 32768, 100);
	put_descriptor(1, 0x4006, 32868, 100);
	put_partition(3, 1, 2, 36864, 8192);
	put_squashfs(36864, 8000);
}

START_TEST(sif)
{
	struct image_info info;

	put_whole_sif();
	info = found();
	ck_assert_int_eq(info.kind, IMAGE_SIF);
	ck_assert_uint_eq(info.offset, 36864);
	ck_assert_uint_eq(info.length, 8192);
	put_partition(1, 1, 3, 0, 0);	   /* a data partition before it is passed over */
	put_le(4096 + 2 * 585, 0x4004, 4); /* and so is one that is not in use */
	put_le(4096 + 2 * 585 + 205, 2, 4);
	info = found();
	ck_assert_uint_eq(info.offset, 36864);
}
END_TEST

START_TEST(sif_other_partitions)
{
	static const struct {
		uint32_t fs;
		const char *part;
	} kinds[] = { { 2, "a SIF with an ext3 system partition" },
		      { 3, "an archive system partition" },
		      { 4, "a raw system partition" },
		      { 5, "an encrypted system partition" },
		      { 6, "an encrypted system partition" },
		      { 0, "an unknown system partition" },
		      { UINT32_MAX, "an unknown system partition" } };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		put_whole_sif();
		put_partition(3, kinds[i].fs, 2, 36864, 8192);
		refused(kinds[i].part);
	}
	put_whole_sif();
	put_partition(3, 1, 1, 36864, 8192);
	refused("is a SIF without a system partition");
	put_whole_sif();
	put_partition(3, 1, 1, 36864, 8192);
	put_descriptor(5, 0x400a, 0, 0);
	refused("OCI-SIF");
}
END_TEST

START_TEST(sif_damaged)
{
	put_whole_sif();
	put(42, "02", 2);
	refused("unknown version");
	put_whole_sif();
	size(100);
	refused("is cut short: 100 of 128 bytes");
	put_whole_sif();
	size(4096 + 585);
	refused("is cut short: 4681 of 5266 bytes");
	put_whole_sif();
	size(36864 + 8191);
	refused("is cut short: 45055 of 45056 bytes");
	put_whole_sif();
	put_le(96, 0, 8);
	refused("damaged SIF");
	put_whole_sif();
	put_le(96, UINT64_MAX, 8);
	refused("damaged SIF");
	put_whole_sif();
	put_le(96, INT64_MAX / 2, 8);
	refused("is cut short");
	put_whole_sif();
	put_le(88, UINT64_MAX, 8);
	refused("damaged SIF");
	put_whole_sif();
	put_partition(3, 1, 2, 5, 8192);
	refused("damaged SIF");
	put_whole_sif();
	put_partition(3, 1, 2, UINT64_MAX, 8192);
	refused("damaged SIF");
	put_whole_sif();
	put_partition(3, 1, 2, INT64_MAX, INT64_MAX);
	refused("is cut short: 65536 of 18446744073709551614 bytes");
	put_whole_sif();
	put_partition(3, 1, 2, 40000, 8192);
	refused("its system partition is no squashfs");
	put_whole_sif();
	put_squashfs(36864, 8193);
	refused("is cut short: 8192 of 8193 bytes");
	put_whole_sif();
	put_partition(3, 1, 2, 36864, 10);
	refused("is cut short");
}
END_TEST

/* A table that claims to be endless is walked a bounded way. */
START_TEST(sif_endless_table)
{
	size(1 << 30);
	put_sif(1000000, 4096);
	refused("is a SIF without a system partition");
}
END_TEST

START_TEST(foreign_kinds)
{
	static const struct {
		off_t offset;
		const char *magic;
		size_t len;
		const char *part;
	} kinds[] = {
		{ 1080, "\x53\xef", 2, "is an ext2, ext3 or ext4 file system; expected squashfs" },
		{ 0, "XFSB", 4, "is an XFS file system" },
		{ 0, "QFI\xfb", 4, "is a qcow2 disk image" },
		{ 257, "ustar", 5, "is a tar archive" },
		{ 0, "\x1f\x8b\x08", 3, "is gzip data (a tar.gz or docker archive?)" },
		{ 0, "\x28\xb5\x2f\xfd", 4, "is zstd data" },
		{ 0,
		  "\xfd"
		  "7zXZ\0",
		  6, "is xz data" },
		{ 0, "PK\x03\x04", 4, "is a zip archive" },
		{ 0,
		  "\x7f"
		  "ELF",
		  4, "is an ELF program" },
		{ 32769, "CD001", 5, "is an ISO 9660 (CD) image" },
		{ 65600, "_BHRfS_M", 8, "is a btrfs file system" },
		{ 510, "\x55\xaa", 2, "is a disk image with a boot sector" },
		{ 0, "LUKS\xba\xbe", 6, "is an encrypted (LUKS) volume" },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size(100000);
		put(kinds[i].offset, kinds[i].magic, kinds[i].len);
		refused(kinds[i].part);
	}
	size(100000);
	refused("begins with zeros");
	put(0, "\x01\x02\x03\x04", 4);
	refused("is of an unknown kind");
	put(0, "ab\0cd", 5);
	refused("is of an unknown kind");
	refused("is empty");
}
END_TEST

START_TEST(text_kinds)
{
	put(0, "just text\n", 10);
	refused("is a text file; expected squashfs");
	put(0, "#!/bin/sh\n", 10);
	refused("is a script");
	put(0, "<!DOCTYPE html>\n", 16);
	refused("a download that failed?");
	put(0, "version https://git-lfs.github.com/spec/v1\n", 43);
	refused("is a Git LFS pointer");
	put(0, "h", 1);
	refused("is a text file");
}
END_TEST

/* Every truncation of every good kind ends in a message. */
START_TEST(truncations)
{
	for (off_t n = 0; n < 36864 + 8000; n += n < 6000 ? 7 : 501) {
		struct err e = { "" };
		struct image_info info;

		put_whole_sif();
		size(n);
		ck_assert_int_eq(image_classify(fd, "/i", &info, &e), -1);
		ck_assert_str_ne(e.text, "");
		size(0);
	}
}
END_TEST

START_TEST(offset_is_not_moved)
{
	put_whole_sif();
	lseek(fd, 17, SEEK_SET);
	found();
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 17);
}
END_TEST

START_TEST(long_path_keeps_its_end)
{
	char path[4096];
	struct image_info info;
	struct err e = { "" };

	memset(path, 'd', sizeof(path));
	strcpy(path + sizeof(path) - 10, "/img.sqsh");
	ck_assert_int_eq(image_classify(fd, path, &info, &e), -1);
	ck_assert_msg(strncmp(e.text, "...d", 4) == 0, "%s", e.text);
	ck_assert_ptr_nonnull(strstr(e.text, "/img.sqsh: is empty"));
}
END_TEST

static int dir_open(char *name)
{
	int dir;

	ck_assert_ptr_nonnull(mkdtemp(name));
	dir = open(name, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(dir, 0);
	return dir;
}

static void touch(int dir, const char *name)
{
	int f = openat(dir, name, O_CREAT | O_WRONLY, 0600);

	ck_assert_int_ge(f, 0);
	close(f);
}

START_TEST(directories)
{
	char name[] = "/tmp/test_image.XXXXXX";
	int dir = dir_open(name);
	struct image_info info = { 0 };
	struct err e = { "" };

	ck_assert_int_eq(image_classify(dir, name, &info, &e), 0);
	ck_assert_int_eq(info.kind, IMAGE_DIR);
	ck_assert_int_eq(symlinkat("/etc/passwd", dir, "config.json"), 0);
	ck_assert_int_eq(image_classify(dir, name, &info, &e), 0);
	ck_assert_int_eq(info.kind, IMAGE_DIR);
	unlinkat(dir, "config.json", 0);
	touch(dir, "config.json");
	ck_assert_int_eq(image_classify(dir, name, &info, &e), 0);
	ck_assert_int_eq(info.kind, IMAGE_OCI);
	touch(dir, "oci-layout");
	touch(dir, "index.json");
	ck_assert_int_eq(image_classify(dir, name, &info, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "is an OCI image layout"));
	unlinkat(dir, "config.json", 0);
	unlinkat(dir, "oci-layout", 0);
	unlinkat(dir, "index.json", 0);
	close(dir);
	rmdir(name);
}
END_TEST

START_TEST(other_types)
{
	struct image_info info;
	struct err e = { "" };
	int null = open("/dev/null", O_RDONLY), pipes[2], closed = dup(null);

	ck_assert_int_eq(image_classify(null, "/dev/null", &info, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "/dev/null: is a character device"));
	ck_assert_int_eq(pipe(pipes), 0);
	e.text[0] = '\0';
	ck_assert_int_eq(image_classify(pipes[0], "p", &info, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "is a named pipe"));
	close(closed);
	e.text[0] = '\0';
	ck_assert_int_eq(image_classify(closed, "c", &info, &e), -1);
	ck_assert_str_eq(e.text, "c: Bad file descriptor");
	close(null);
	close(pipes[0]);
	close(pipes[1]);
}
END_TEST

START_TEST(unreadable)
{
	struct image_info info;
	struct err e = { "" };
	char name[] = "/tmp/test_image.XXXXXX";
	int f = mkstemp(name), path_only;

	ck_assert_int_eq(write(f, "hsqs", 4), 4);
	path_only = open(name, O_PATH);
	ck_assert_int_eq(image_classify(path_only, "/i", &info, &e), -1);
	ck_assert_str_eq(e.text, "/i: can't be read: Bad file descriptor");
	close(path_only);
	close(f);
	unlink(name);
}
END_TEST

START_TEST(names)
{
	ck_assert_str_eq(image_kind_name(IMAGE_SQUASHFS), "squashfs");
	ck_assert_str_eq(image_kind_name(IMAGE_EROFS), "erofs");
	ck_assert_str_eq(image_kind_name(IMAGE_SIF), "SIF");
	ck_assert_str_eq(image_kind_name(IMAGE_DIR), "directory");
	ck_assert_str_eq(image_kind_name(IMAGE_OCI), "OCI bundle");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("image");
	TCase *tc = tcase_create("image");

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, file_open, file_close);
	tcase_add_test(tc, squashfs);
	tcase_add_test(tc, squashfs_refused);
	tcase_add_test(tc, erofs);
	tcase_add_test(tc, erofs_refused);
	tcase_add_test(tc, sif);
	tcase_add_test(tc, sif_other_partitions);
	tcase_add_test(tc, sif_damaged);
	tcase_add_test(tc, sif_endless_table);
	tcase_add_test(tc, foreign_kinds);
	tcase_add_test(tc, text_kinds);
	tcase_add_test(tc, truncations);
	tcase_add_test(tc, offset_is_not_moved);
	tcase_add_test(tc, long_path_keeps_its_end);
	tcase_add_test(tc, directories);
	tcase_add_test(tc, other_types);
	tcase_add_test(tc, unreadable);
	tcase_add_test(tc, names);
	return unit_run(s);
}
