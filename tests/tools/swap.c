/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * swap A B [C D]...: exchanges the names A and B (and C and D ...) again and again,
 * each in one atomic step, until it is killed or a minute has gone by.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	unsigned long n = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	alarm(60);
	if (argc < 3 || argc % 2 == 0)
		return 2;
	for (;; n++) {
		for (int i = 1; i < argc; i += 2)
			if (renameat2(AT_FDCWD, argv[i], AT_FDCWD, argv[i + 1], RENAME_EXCHANGE) <
			    0) {
				perror(argv[i]);
				return 1;
			}
		/* the other side needs the processor, too, and at odd moments */
		if (n % 7 == 0)
			usleep(n % 311);
	}
}
