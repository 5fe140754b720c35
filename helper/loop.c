/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "sys.h"

#define ATTEMPTS 200
#define JITTER_US 20000

static void wait_a_little(int attempt)
{
	unsigned seed = (unsigned)getpid() * 2654435761u + (unsigned)attempt * 40503u;
	struct timespec t = { .tv_nsec = (long)(rand_r(&seed) % JITTER_US) * 1000 };

	nanosleep(&t, NULL);
}

static int try_one(int control, int file, uint64_t offset, uint64_t length, char *name,
		   unsigned size)
{
	struct loop_config conf = {
		.fd = (unsigned)file,
		.info = {
			.lo_offset = offset,
			/* 0 means "to the end": only SIF needs a bound */
			.lo_sizelimit = offset ? length : 0,
			.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR,
		},
	};
	int dev, n = ioctl(control, LOOP_CTL_GET_FREE);

	if (n < 0)
		return -1;
	snprintf(name, size, "/dev/loop%d", n);
	dev = open(name, O_RDONLY | O_CLOEXEC);
	if (dev < 0)
		return -1;
	if (ioctl(dev, LOOP_CONFIGURE, &conf) < 0) {
		sys_close(&dev);
		return -1;
	}
	return dev;
}

int loop_attach(int file, uint64_t offset, uint64_t length, char *name, unsigned size)
{
	int dev = -1, control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (control < 0)
		return -1;
	for (int i = 0; i < ATTEMPTS; i++) {
		dev = try_one(control, file, offset, length, name, size);
		/* ENOENT, ENXIO: the node of a device made a moment ago is not there yet */
		if (dev >= 0 ||
		    (errno != EBUSY && errno != EAGAIN && errno != ENOENT && errno != ENXIO))
			break;
		wait_a_little(i);
	}
	sys_close(&control);
	return dev;
}
