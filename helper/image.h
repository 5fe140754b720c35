/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * image.h - what an image is, by its content, never by its name.
 */
#ifndef BERTH_IMAGE_H
#define BERTH_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum image_kind {
	IMAGE_SQUASHFS = 1,
	IMAGE_EROFS,
	IMAGE_SIF, /* a squashfs at an offset of a SIF file */
	IMAGE_DIR,
	IMAGE_OCI, /* a directory with config.json */
};

struct image_info {
	enum image_kind kind;
	uint64_t offset; /* bytes from the start of the file to the file system; 0 but for SIF */
	uint64_t length; /* bytes of the file system from offset on */
};

/*
 * Classify the opened file or directory fd (read access; its offset is not
 * moved).  path is for messages only.  Reads at most 64 KiB of it with pread.
 * squashfs: superblock magic "hsqs", version 4.0, bytes_used <= what the file
 * holds; erofs: magic 0xe0f5e1e2 at 1024, blocks * block size <= file; SIF: magic
 * and a bounded walk over its descriptors to the primary system partition, which
 * must itself be squashfs (other partition kinds are named in the message).
 * An empty, truncated or foreign file is an error that says what was found
 * ("is an ext4 file system", "is a tar archive", "is empty", "is cut short:
 * N of M bytes") and which kinds are supported.  Sources: kernel
 * fs/squashfs/squashfs_fs.h, fs/erofs/erofs_fs.h; the SIF specification.
 * 0 with *ret filled, or -1 with *e.
 */
int image_classify(int fd, const char *path, struct image_info *ret, struct err *e);

/* "squashfs", "erofs", "SIF", "directory", "OCI bundle". */
const char *image_kind_name(enum image_kind k);

#endif
