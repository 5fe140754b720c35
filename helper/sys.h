/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sys.h - thin forms of the system calls that glibc lacks or spells badly, and
 * small file helpers that act on descriptors.  None prints; all set errno.
 */
#ifndef BERTH_SYS_H
#define BERTH_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * openat2(2).  resolve: RESOLVE_* bits.  O_CLOEXEC is added.  EAGAIN (a rename
 * raced with a scoped lookup) is retried a bounded number of times.
 */
int sys_openat2(int dirfd, const char *path, int flags, unsigned mode, uint64_t resolve);

/* A detached clone of the mount at fd or path. Needs CAP_SYS_ADMIN and the mount in this namespace. */
int sys_clone_tree(int dirfd, const char *path, bool recursive);

/* A new detached file system: fstype with "key", "value" pairs up to NULL; attr: MOUNT_ATTR_*. */
int sys_new_fs(const char *fstype, unsigned attr, const char *const *options);

/*
 * Set and clear MOUNT_ATTR_* bits and the propagation of a detached mount (tree).
 * propagation: MS_PRIVATE, MS_SLAVE, or 0 for no change.
 */
int sys_set_attr(int fd, bool recursive, uint64_t set, uint64_t clear, uint64_t propagation);

/* Attach the detached mount fd onto the directory or file target (an O_PATH descriptor). */
int sys_attach(int fd, int target);

/* Read at most max bytes of fd from its start; malloced, NUL behind the end. EFBIG if there is more. */
char *sys_read_all(int fd, size_t max, size_t *ret_len);

/* As sys_read_all for a path opened in dirfd; NULL with errno. */
char *sys_read_at(int dirfd, const char *path, size_t max, size_t *ret_len);

/* A file in memory that holds text, at its start; -1. */
int sys_memfd(const char *name, const char *text, size_t len);

/* Write all of buf; 0 or -1. */
int sys_write_all(int fd, const void *buf, size_t len);

/* Write text to an existing file (cgroup.procs and the like), no O_CREAT. */
int sys_write_file(int dirfd, const char *path, const char *text);

/*
 * Bytes of a mountinfo that are read: some 600 each for the 100,000 mounts that a namespace
 * can have (fs.mount-max).
 */
#define MOUNTINFO_MAX (64U * 1024 * 1024)

/* "/proc/self/fd/N" for fd. */
struct fd_path {
	char s[32];
};
struct fd_path sys_fd_path(int fd);

/* What the kernel says that the descriptor's path is, seen from this process's root. 0 or -1. */
int sys_path_of(int fd, char *buf, size_t size);

/*
 * Listen at name in the directory dir, in the place of what was there; flags of socket(2) beside
 * SOCK_CLOEXEC.  The socket (SOCK_SEQPACKET), or -1.
 */
int sys_listen_at(int dir, const char *name, int flags, int backlog);

/*
 * Connect to the listening socket name (SOCK_SEQPACKET) in the directory dir; no path is walked.
 * It and each later send wait wait_ms at most (EAGAIN).  The socket, or -1.
 */
int sys_connect_at(int dir, const char *name, int wait_ms);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t sys_now_ms(void);

/*
 * For a forked child: close every descriptor from 3 on but the n in keep, which are
 * moved to 3, 4, ... (the ints are updated; those that are -1 stay -1).  0 or -1.
 */
int sys_keep_fds(int *const keep[], size_t n);

void sys_close(int *fd); /* close and set to -1; -1 is fine */

/* fd, if it is a regular file; else -1, and it is closed.  -1 is fine. */
int sys_regular(int fd);

#endif
