/* SPDX-License-Identifier: BSD-3-Clause */
/* An image file's head, and a SIF's descriptors. */
#define _GNU_SOURCE 1
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "../../helper/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct image_info info;
	struct err e = { "" };
	int rc;

	if (fd < 0)
		fd = memfd_create("fuzz_image", MFD_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
	FUZZ_CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
	rc = image_classify(fd, "/image", &info, &e);
	fuzz_check_err(rc, &e);
	if (rc == 0) {
		FUZZ_CHECK(info.length > 0 && info.offset <= size);
		FUZZ_CHECK(info.length <= size - info.offset);
		FUZZ_CHECK((info.kind == IMAGE_SIF) == (info.offset != 0));
	}
	return 0;
}
