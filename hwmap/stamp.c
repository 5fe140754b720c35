/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "map.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * What comes or goes with an RDMA device, a PCI function (a VF is one) and a function given to
 * VFIO.  Not class/net: every container with a network of its own changes that.
 */
static const char *const stamp_dirs[] = {
	"/sys/class/infiniband",
	"/sys/class/infiniband_verbs",
	"/sys/bus/pci/devices",
	"/sys/bus/pci/drivers/vfio-pci",
};

/* FNV-1a: tells lists apart that nobody made to look alike. */
static uint64_t stamp_hash(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return h;
}

/*
 * The sum over the names, since a directory promises no order.  A missing one has none.  With the
 * inode numbers, which sysfs gives anew to what comes again under an old name: two NICs may
 * have changed theirs.
 */
static uint64_t stamp_names(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char buf[16384] __attribute__((aligned(8)));
	uint64_t sum = 0, seed = stamp_hash(UINT64_C(0xcbf29ce484222325), path);
	ssize_t n;

	if (fd < 0)
		return seed;
	while ((n = getdents64(fd, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *d = (const struct dirent64 *)(buf + at);

			sum += stamp_hash(seed ^ d->d_ino, d->d_name);
			at += d->d_reclen;
		}
	close(fd);
	return sum;
}

/* The first line of a file without its end; -1 if there is none, or it doesn't fit. */
static int stamp_line(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n <= 0)
		return -1;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

void hwmap_stamp(char stamp[HWMAP_STAMP_MAX])
{
	char boot[64], online[4096];
	uint64_t sum = 0;

	stamp[0] = '\0';
	if (stamp_line("/proc/sys/kernel/random/boot_id", boot, sizeof(boot)) < 0 ||
	    stamp_line("/sys/devices/system/cpu/online", online, sizeof(online)) < 0)
		return;
	for (size_t i = 0; i < sizeof(stamp_dirs) / sizeof(stamp_dirs[0]); i++)
		sum = sum * 31 + stamp_names(stamp_dirs[i]);
	snprintf(stamp, HWMAP_STAMP_MAX, "%s %016" PRIx64, boot, stamp_hash(sum, online));
}

bool hwmap_fresh(const struct hwmap *m)
{
	char now[HWMAP_STAMP_MAX];

	hwmap_stamp(now);
	return now[0] && strcmp(now, m->stamp) == 0;
}
