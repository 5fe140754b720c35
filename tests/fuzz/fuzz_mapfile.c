/* SPDX-License-Identifier: BSD-3-Clause */
/* A map file: what is read keeps a map's promises, and is written as it was. */
#define _GNU_SOURCE 1
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "../../hwmap/map.h"

static int file_of(const uint8_t *data, size_t size)
{
	int fd = memfd_create("map", MFD_CLOEXEC);

	FUZZ_CHECK(fd >= 0);
	FUZZ_CHECK(write(fd, data, size) == (ssize_t)size);
	FUZZ_CHECK(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static void check_map(const struct hwmap *m, const uint8_t *data, size_t size)
{
	int fd = memfd_create("map", MFD_CLOEXEC);
	char buf[256], *back = malloc(size + 1);

	FUZZ_CHECK(fd >= 0 && back && hwmap_check(m, NULL) == 0);
	for (size_t i = 0; i < hwmap_ndevices(m); i++) {
		FUZZ_CHECK(hwmap_distance(m, i, &hwmap_device(m, i)->cpus) <= HWMAP_FAR);
		hwmap_cpus_text(&hwmap_device(m, i)->cpus, buf, sizeof(buf));
	}
	FUZZ_CHECK(hwmap_write(m, fd, NULL) == 0);
	FUZZ_CHECK(pread(fd, back, size + 1, 0) == (ssize_t)size && !memcmp(back, data, size));
	free(back);
	close(fd);
}

static void check_cpus(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct hwmap_cpus c, again;
	char buf[16384];

	FUZZ_CHECK(text);
	if (hwmap_cpus_parse(text, &c) == 0) {
		hwmap_cpus_text(&c, buf, sizeof(buf));
		if (!strstr(buf, "..."))
			FUZZ_CHECK(hwmap_cpus_parse(buf, &again) == 0 &&
				   !memcmp(&c, &again, sizeof(c)));
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = file_of(data, size);
	struct hwmap *m = NULL;
	struct err e = { "" };

	fuzz_check_err(hwmap_read(fd, &m, &e), &e);
	if (m)
		check_map(m, data, size);
	hwmap_free(m);
	close(fd);
	check_cpus(data, size);
	return 0;
}
