/* SPDX-License-Identifier: BSD-3-Clause */
/* A program of the image's, asked for its loader and its libraries. */
#define _GNU_SOURCE 1
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../helper/elfneeds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct elfneeds e;
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz_elf", MFD_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
	FUZZ_CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
	if (elfneeds_read(fd, &e) < 0)
		return 0;
	FUZZ_CHECK(e.n <= ELFNEEDS_MAX);
	FUZZ_CHECK(memchr(e.interp, '\0', sizeof(e.interp)));
	FUZZ_CHECK(memchr(e.runpath, '\0', sizeof(e.runpath)));
	for (unsigned i = 0; i < e.n; i++) {
		FUZZ_CHECK(e.name[i][0] && memchr(e.name[i], '\0', ELFNEEDS_NAME_MAX));
		FUZZ_CHECK(!strchr(e.name[i], '/'));
	}
	return 0;
}
