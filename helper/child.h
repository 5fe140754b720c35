/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * child.h - processes of the helper's own that do one thing elsewhere (as the user, in another
 * mount namespace), and talk with it over a socket pair of SOCK_SEQPACKET.
 */
#ifndef BERTH_CHILD_H
#define BERTH_CHILD_H

#include <sys/types.h>

#include "err.h"

/*
 * Fork.  The pid in the parent, 0 in the child, each with *sock its end (CLOEXEC); -1 with *e.
 * The child has everything else as it was, and must not return.
 */
pid_t child_start(int *sock, struct err *e);

/* Close the socket, kill and reap.  pid may be 0 or -1: there is none. */
void child_stop(pid_t pid, int *sock);

/*
 * Wait for a child to end; after timeout_ms it is killed, as by child_stop.  0 with *ret_status
 * as of waitpid, or -1 with errno (ETIMEDOUT).
 */
int child_wait(pid_t pid, int timeout_ms, int *ret_status);

/*
 * Reap a child that was sent SIGKILL.  One that hangs on storage is left after a second: it
 * ends when it can, and nothing else may wait for that.
 */
void child_reap(pid_t pid);

/*
 * Receive one message of a child (or of the keeper), watching alive, the pidfd of
 * slurmstepd; as msg_recv, but -1 with errno ECANCELED when slurmstepd is gone.  Where
 * it takes long this process and its children leave the job's cgroups meanwhile.
 */
ssize_t child_recv(int sock, int alive, void *buf, size_t size, int *fds, unsigned *nfds,
		   int timeout_ms);

#endif
