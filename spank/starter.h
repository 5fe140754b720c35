/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * starter.h - start a program and go on before its exec is done, for which posix_spawn() waits:
 * 0.2 ms of a step's critical path, in which slurmstepd has its own work.
 *
 * The new process has slurmstepd's memory until its exec (clone(2): CLONE_VM, and not
 * CLONE_VFORK), with a stack of its own, which stays for good, as nobody tells when the exec is
 * over.  It makes system calls and nothing else.  errno is the caller's, too: exec, which alone
 * is likely to fail, does not write it; another call that fails does, and ends the process.
 */
#ifndef BERTH_STARTER_H
#define BERTH_STARTER_H

#include <sys/types.h>

/*
 * /dev/null for fds 0 to 2, sock as fd (sock > fd; -1: none), no other descriptor, no blocked
 * signals, default dispositions, cwd "/".  path, argv and envp have to stay as they are.  The
 * process is the caller's child: *pid.  0, or an errno.
 */
int starter_start(const char *path, char *const argv[], char *const envp[], int sock, int fd,
		  pid_t *pid);

/*
 * Why the program that was started last did not begin: an errno; 0: it did, or has not yet.
 * Certain once its end is seen; also in processes that are forked after that.
 */
int starter_error(void);

#endif
