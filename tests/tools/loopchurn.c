/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loopchurn FILE: takes the next free loop device and gives it back, again and again,
 * until it is killed or a minute has gone by, so that others find it busy.
 */
#include <fcntl.h>
#include <linux/loop.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int control = open("/dev/loop-control", O_RDWR);
	int file = argc == 2 ? open(argv[1], O_RDWR | O_CREAT, 0600) : -1;
	struct loop_config conf = { .fd = (unsigned)file, .info.lo_flags = LO_FLAGS_AUTOCLEAR };

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	alarm(60);
	if (control < 0 || file < 0 || ftruncate(file, 65536) < 0) {
		perror("loopchurn");
		return 1;
	}
	for (;;) {
		int n = ioctl(control, LOOP_CTL_GET_FREE), dev;
		char name[32];

		snprintf(name, sizeof(name), "/dev/loop%d", n);
		dev = n < 0 ? -1 : open(name, O_RDWR);
		if (dev < 0)
			continue;
		if (ioctl(dev, LOOP_CONFIGURE, &conf) == 0)
			usleep(300);
		close(dev); /* gives it back, also when we are killed */
		usleep(100);
	}
}
