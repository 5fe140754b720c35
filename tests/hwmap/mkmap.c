/* SPDX-License-Identifier: BSD-3-Clause */
/* mkmap TREE FILE - scans a tree like /sys and keeps the map, as slurmd's start does. */
#include <fcntl.h>
#include <stdio.h>

#include "../../hwmap/hwmap.h"

int main(int argc, char **argv)
{
	struct hwmap_source src = { NULL, NULL };
	struct hwmap *m = NULL;
	struct err e = { "" };
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: mkmap TREE FILE\n");
		return 2;
	}
	src.sysfs = argv[1];
	fd = open(argv[2], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || hwmap_scan(&src, &m, NULL, &e) < 0 || hwmap_write(m, fd, &e) < 0) {
		fprintf(stderr, "mkmap: %s: %s\n", argv[2], e.text);
		return 1;
	}
	hwmap_free(m);
	return 0;
}
