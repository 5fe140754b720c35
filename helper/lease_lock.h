/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lease_lock.h - locks that an open file description holds (fcntl_locking(2), F_OFD_SETLK).
 *
 * They end with the last descriptor of that description, in whatever process it is, or
 * when any of these unlocks.  So they can be passed on, and no crash leaves one behind.
 */
#ifndef BERTH_LEASE_LOCK_H
#define BERTH_LEASE_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

/* 0: locked.  1: somebody else has it.  -1 with errno. */
int lease_lock_set(int fd, off_t byte);
/* len 0: to the end. */
int lease_lock_clear(int fd, off_t from, off_t len);

/*
 * The locks of others in [from, from + len): 1 with the part of one of them that lies
 * there, 0: there is none, -1 with errno.
 */
int lease_lock_find(int fd, off_t from, off_t len, off_t *ret_from, off_t *ret_len);

/*
 * The node-wide mutex: whoever has it may look for free slots and take some.  Held for well
 * under a millisecond, so a wait of LEASE_LOCK_MS means that a holder is stopped, and fails.
 * alive: as lease_lock_pause has it.
 */
#define LEASE_LOCK_MS 10000
int lease_lock_enter(int fd, int alive, struct err *e);
int lease_lock_leave(int fd, struct err *e);

/* Sleep for min to 2 * min microseconds, at random.  -1: alive (a pidfd, or -1) is readable. */
int lease_lock_pause(int64_t min, int alive);

#endif
