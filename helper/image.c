/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Offsets of the fields read here:
 *   squashfs  struct squashfs_super_block, kernel fs/squashfs/squashfs_fs.h
 *   erofs     struct erofs_super_block, kernel fs/erofs/erofs_fs.h
 *   SIF       header and rawDescriptor, packed, little endian: pkg/sif of
 *             github.com/sylabs/sif, files sif.go and descriptor.go
 * The kernel or FUSE driver checks the rest again; what is checked here is what
 * gives a user a better message than a failed mount, and what root relies on
 * (offset and length).
 */
#define _GNU_SOURCE 1
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_EXPECTED "expected squashfs, erofs, SIF, a root directory or an OCI bundle"
#define IMAGE_HEAD_MAX 4096 /* bytes read from the start of a file */

#define SQUASHFS_SUPER_SIZE 96
#define EROFS_SUPER_OFFSET 1024
#define EROFS_SUPER_SIZE 128
#define EROFS_INCOMPAT_48BIT 0x80u

#define SIF_HEADER_SIZE 128
#define SIF_DESCRIPTOR_SIZE 585
#define SIF_DESCRIPTOR_READ 212 /* up to and with the partition's architecture */
#define SIF_DESCRIPTORS_MAX 250 /* with the head, within 64 KiB; singularity makes 48 */
#define SIF_DATA_PARTITION 0x4004
#define SIF_DATA_OCI_INDEX 0x400a
#define SIF_FS_SQUASH 1
#define SIF_PART_PRIMARY 2

struct image_file {
	int fd;
	const char *path;
	uint64_t size;
	unsigned char head[IMAGE_HEAD_MAX];
	size_t nhead;
};

static uint64_t get_le(const unsigned char *p, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

/* "PATH: what", with the end of a long path, which is the part that tells images apart. */
__attribute__((format(printf, 3, 4))) static int image_bad(const char *path, struct err *e,
							   const char *fmt, ...)
{
	const size_t max = 200;
	size_t len = strlen(path);
	char what[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(e, "%s%s: %s", len > max ? "..." : "", len > max ? path + len - max : path,
		       what);
}

/* Read len bytes at offset; fewer only at the end of the file.  The number, or -1 with *e. */
static ssize_t image_read(const struct image_file *f, uint64_t offset, void *buf, size_t len,
			  struct err *e)
{
	struct err why = { "" };
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(f->fd, (char *)buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err_sys(&why, errno, "can't be read");
			return image_bad(f->path, e, "%s", why.text);
		}
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int image_cut(const struct image_file *f, uint64_t have, uint64_t want, struct err *e)
{
	return image_bad(f->path, e,
			 "is cut short: %" PRIu64 " of %" PRIu64 " bytes; copy or build it again",
			 have, want);
}

/*
 * The squashfs whose superblock is sb[0..n) and which may take up to room bytes
 * from offset on.
 */
static int squashfs_check(const struct image_file *f, const unsigned char *sb, size_t n,
			  uint64_t offset, uint64_t room, struct image_info *ret, struct err *e)
{
	uint64_t used, length, major, minor, block_log;

	if (n < SQUASHFS_SUPER_SIZE || room < SQUASHFS_SUPER_SIZE)
		return image_cut(f, n, SQUASHFS_SUPER_SIZE, e);
	major = get_le(sb + 28, 2);
	minor = get_le(sb + 30, 2);
	if (major != 4 || minor != 0)
		return image_bad(f->path, e,
				 "is squashfs version %" PRIu64 ".%" PRIu64
				 ", expected 4.0: build it "
				 "again with a current mksquashfs",
				 major, minor);
	block_log = get_le(sb + 22, 2);
	used = get_le(sb + 40, 8);
	if (block_log < 12 || block_log > 20 || get_le(sb + 12, 4) != 1u << block_log ||
	    used < SQUASHFS_SUPER_SIZE)
		return image_bad(f->path, e, "is a damaged squashfs: copy or build it again");
	if (used > room)
		return image_cut(f, room, used, e);
	/* the file system ends in a 512-byte sector of a loop device: take the padding along */
	length = used > UINT64_MAX - 4095 ? used : (used + 4095) & ~UINT64_C(4095);
	ret->offset = offset;
	ret->length = length < room ? length : room;
	return 0;
}

static int erofs_check(const struct image_file *f, struct image_info *ret, struct err *e)
{
	const unsigned char *sb = f->head + EROFS_SUPER_OFFSET;
	uint64_t blocks, bits;

	if (f->nhead < EROFS_SUPER_OFFSET + EROFS_SUPER_SIZE)
		return image_cut(f, f->size, EROFS_SUPER_OFFSET + EROFS_SUPER_SIZE, e);
	bits = sb[12];
	blocks = get_le(sb + 36, 4);
	if (get_le(sb + 80, 4) & EROFS_INCOMPAT_48BIT)
		blocks |= get_le(sb + 14, 2) << 32;
	if (bits < 9 || bits > 16 || blocks == 0)
		return image_bad(f->path, e, "is a damaged erofs: copy or build it again");
	if (get_le(sb + 86, 2) != 0)
		return image_bad(
			f->path, e,
			"is an erofs with its data in further files: build it as one file");
	if (blocks << bits > f->size) /* at most 48 + 16 bits */
		return image_cut(f, f->size, blocks << bits, e);
	ret->kind = IMAGE_EROFS;
	ret->offset = 0;
	ret->length = blocks << bits;
	return 0;
}

static const char *sif_fs_name(uint64_t type)
{
	switch (type) {
	case 2: return "an ext3";
	case 3: return "an archive";
	case 4: return "a raw";
	case 5:
	case 6: return "an encrypted"; /* 6: gocryptfs, Apptainer only */
	}
	return "an unknown";
}

/* The primary system partition: descriptor d. */
static int sif_partition(const struct image_file *f, const unsigned char *d, struct image_info *ret,
			 struct err *e)
{
	uint64_t offset = get_le(d + 17, 8), size = get_le(d + 25, 8), type = get_le(d + 201, 4);
	unsigned char sb[SQUASHFS_SUPER_SIZE];
	ssize_t n;

	if (type != SIF_FS_SQUASH)
		return image_bad(f->path, e,
				 "is a SIF with %s system partition, expected squashfs: build it "
				 "again with a current apptainer, without --encrypt",
				 sif_fs_name(type));
	if (offset < SIF_HEADER_SIZE || offset > INT64_MAX || size > INT64_MAX)
		return image_bad(f->path, e, "is a damaged SIF: copy or build it again");
	if (offset > f->size || size > f->size - offset)
		return image_cut(f, f->size, offset + size, e);
	n = image_read(f, offset, sb, sizeof(sb), e);
	if (n < 0)
		return -1;
	if (n < 4 || memcmp(sb, "hsqs", 4) != 0)
		return image_bad(f->path, e,
				 "is a damaged SIF: its system partition is no squashfs");
	if (squashfs_check(f, sb, (size_t)n, offset, size, ret, e) < 0)
		return -1;
	ret->kind = IMAGE_SIF;
	return 0;
}

/* Read descriptor i into d.  1, 0 if it is not in use, -1 with *e. */
static int sif_descriptor(const struct image_file *f, uint64_t table, uint64_t i,
			  unsigned char d[SIF_DESCRIPTOR_READ], struct err *e)
{
	ssize_t n = image_read(f, table + i * SIF_DESCRIPTOR_SIZE, d, SIF_DESCRIPTOR_READ, e);

	if (n < 0)
		return -1;
	if (n < SIF_DESCRIPTOR_READ)
		return image_cut(f, f->size, table + (i + 1) * SIF_DESCRIPTOR_SIZE, e);
	return d[4] != 0;
}

static int sif_check(const struct image_file *f, struct image_info *ret, struct err *e)
{
	unsigned char d[SIF_DESCRIPTOR_READ];
	uint64_t total, table;
	bool oci = false;

	if (f->nhead < SIF_HEADER_SIZE)
		return image_cut(f, f->nhead, SIF_HEADER_SIZE, e);
	if (memcmp(f->head + 42, "01", 3) != 0)
		return image_bad(f->path, e, "is a SIF of an unknown version, expected 01");
	total = get_le(f->head + 88, 8);
	table = get_le(f->head + 96, 8);
	if (table < SIF_HEADER_SIZE || table > INT64_MAX / 2 || total > INT64_MAX)
		return image_bad(f->path, e, "is a damaged SIF: copy or build it again");
	if (total > SIF_DESCRIPTORS_MAX)
		total = SIF_DESCRIPTORS_MAX;
	for (uint64_t i = 0; i < total; i++) {
		int used = sif_descriptor(f, table, i, d, e);

		if (used < 0)
			return -1;
		if (!used)
			continue;
		if (get_le(d, 4) == SIF_DATA_PARTITION && get_le(d + 205, 4) == SIF_PART_PRIMARY)
			return sif_partition(f, d, ret, e);
		oci = oci || get_le(d, 4) == SIF_DATA_OCI_INDEX;
	}
	return image_bad(f->path, e, "is a SIF without a system partition%s",
			 oci ? " (an OCI-SIF): build it without --oci" : ", expected one");
}

/* What files of other kinds begin with, or have at an offset. */
static const struct image_foreign {
	uint32_t offset;
	uint32_t len;
	const char *magic;
	const char *what; /* after "is " */
} image_foreign[] = {
	{ 0, 4, "sqsh", "a big-endian squashfs" },
	{ 0, 4, "XFSB", "an XFS file system" },
	{ 0, 4, "QFI\xfb", "a qcow2 disk image" },
	{ 0, 4, "KDMV", "a VMDK disk image" },
	{ 0, 6, "LUKS\xba\xbe", "an encrypted (LUKS) volume" },
	{ 257, 5, "ustar", "a tar archive" },
	{ 0, 2, "\x1f\x8b", "gzip data (a tar.gz or docker archive?)" },
	{ 0, 4, "\x28\xb5\x2f\xfd", "zstd data (a tar.zst archive?)" },
	{ 0, 6,
	  "\xfd"
	  "7zXZ\0",
	  "xz data (a tar.xz archive?)" },
	{ 0, 3, "BZh", "bzip2 data (a tar.bz2 archive?)" },
	{ 0, 4, "PK\x03\x04", "a zip archive" },
	{ 0, 6, "070701", "a cpio archive" },
	{ 0, 4, "\x45\x3d\xcd\x28", "a cramfs file system" },
	{ 0, 4,
	  "\x7f"
	  "ELF",
	  "an ELF program: give the image with --container and the program as "
	  "the command" },
	{ 0, 23, "version https://git-lfs", "a Git LFS pointer: fetch the file itself" },
	{ 0, 2, "#!", "a script: give the image with --container and the script as the command" },
	/* short magics late: compressed data may happen to have them */
	{ 1080, 2, "\x53\xef", "an ext2, ext3 or ext4 file system" },
	{ 32769, 5, "CD001", "an ISO 9660 (CD) image" },
	{ 65600, 8, "_BHRfS_M", "a btrfs file system" },
	{ 510, 2, "\x55\xaa", "a disk image with a boot sector" },
};

/* Does f have m where it should be?  1, 0, or -1 with *e. */
static int foreign_match(const struct image_file *f, const struct image_foreign *m, struct err *e)
{
	unsigned char buf[32];
	ssize_t n;

	if (m->len > sizeof(buf))
		return 0;
	if (m->offset + m->len <= f->nhead)
		return memcmp(f->head + m->offset, m->magic, m->len) == 0;
	if (m->offset < IMAGE_HEAD_MAX)
		return 0;
	n = image_read(f, m->offset, buf, m->len, e);
	if (n < 0)
		return -1;
	return (size_t)n == m->len && memcmp(buf, m->magic, m->len) == 0;
}

static bool head_is_text(const struct image_file *f)
{
	for (size_t i = 0; i < f->nhead; i++) {
		unsigned char c = f->head[i];

		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f') || c == 0x7f)
			return false;
	}
	return true;
}

static bool head_is_zero(const struct image_file *f)
{
	for (size_t i = 0; i < f->nhead; i++)
		if (f->head[i])
			return false;
	return true;
}

/* Say what else this is. */
static int image_name_foreign(const struct image_file *f, struct err *e)
{
	const char *what = "of an unknown kind";

	for (size_t i = 0; i < sizeof(image_foreign) / sizeof(image_foreign[0]); i++) {
		int rc = foreign_match(f, &image_foreign[i], e);

		if (rc < 0)
			return -1;
		if (rc)
			return image_bad(f->path, e, "is %s; " IMAGE_EXPECTED,
					 image_foreign[i].what);
	}
	if (head_is_zero(f))
		what = "no image: it begins with zeros (a copy that failed?)";
	else if (head_is_text(f) && f->head[0] == '<')
		what = "an HTML or XML text (a download that failed?)";
	else if (head_is_text(f))
		what = "a text file";
	return image_bad(f->path, e, "is %s; " IMAGE_EXPECTED, what);
}

static int image_classify_file(struct image_file *f, struct image_info *ret, struct err *e)
{
	ssize_t n;

	if (f->size == 0)
		return image_bad(f->path, e, "is empty; " IMAGE_EXPECTED);
	n = image_read(f, 0, f->head, sizeof(f->head), e);
	if (n < 0)
		return -1;
	f->nhead = (size_t)n;
	if (n >= 4 && memcmp(f->head, "hsqs", 4) == 0) {
		ret->kind = IMAGE_SQUASHFS;
		return squashfs_check(f, f->head, f->nhead, 0, f->size, ret, e);
	}
	if (n >= EROFS_SUPER_OFFSET + 4 &&
	    get_le(f->head + EROFS_SUPER_OFFSET, 4) == UINT32_C(0xe0f5e1e2))
		return erofs_check(f, ret, e);
	if (n >= 42 && memcmp(f->head + 32, "SIF_MAGIC", 10) == 0)
		return sif_check(f, ret, e);
	return image_name_foreign(f, e);
}

/* Is there an entry of this name and type in directory f? */
static bool dir_has(const struct image_file *f, const char *name, mode_t type)
{
	struct stat st;

	return fstatat(f->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == type;
}

static int image_classify_dir(const struct image_file *f, struct image_info *ret, struct err *e)
{
	if (dir_has(f, "oci-layout", S_IFREG) && dir_has(f, "index.json", S_IFREG))
		return image_bad(f->path, e,
				 "is an OCI image layout: unpack it to a bundle (umoci unpack) or "
				 "build squashfs of it");
	ret->kind = dir_has(f, "config.json", S_IFREG) ? IMAGE_OCI : IMAGE_DIR;
	return 0;
}

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFBLK: return "a block device";
	case S_IFCHR: return "a character device";
	case S_IFIFO: return "a named pipe";
	case S_IFSOCK: return "a socket";
	case S_IFLNK: return "a symbolic link";
	}
	return "no file";
}

int image_classify(int fd, const char *path, struct image_info *ret, struct err *e)
{
	struct image_file f = { .fd = fd, .path = path };
	struct image_info info = { 0 };
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s", path);
	f.size = (uint64_t)st.st_size;
	if (S_ISDIR(st.st_mode))
		rc = image_classify_dir(&f, &info, e);
	else if (S_ISREG(st.st_mode))
		rc = image_classify_file(&f, &info, e);
	else
		rc = image_bad(path, e, "is %s; " IMAGE_EXPECTED, type_name(st.st_mode));
	if (rc == 0)
		*ret = info;
	return rc;
}

const char *image_kind_name(enum image_kind k)
{
	switch (k) {
	case IMAGE_SQUASHFS: return "squashfs";
	case IMAGE_EROFS: return "erofs";
	case IMAGE_SIF: return "SIF";
	case IMAGE_DIR: return "directory";
	case IMAGE_OCI: return "OCI bundle";
	}
	return "unknown";
}
