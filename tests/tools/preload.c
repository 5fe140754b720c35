/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * preload.so: leaves the file MARK.<effective uid> wherever it is loaded; MARK is the
 * variable BERTH_TEST_MARK, or /tmp/berth-test-mark where there is none.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void mark(void)
{
	const char *base = getenv("BERTH_TEST_MARK");
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s.%u", base ? base : "/tmp/berth-test-mark", geteuid());
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
}
