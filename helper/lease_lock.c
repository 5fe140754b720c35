/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "lease_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "sys.h"

#define MUTEX_BYTE 0
#define PAUSE_FIRST_US 50
#define PAUSE_LAST_US 3200

_Static_assert(sizeof(off_t) == 8, "lock bytes lie anywhere in 63 bits");

static int lock(int fd, short type, off_t from, off_t len)
{
	struct flock f = { .l_type = type, .l_whence = SEEK_SET, .l_start = from, .l_len = len };
	int rc;

	do
		rc = fcntl(fd, F_OFD_SETLK, &f);
	while (rc < 0 && errno == EINTR);
	return rc;
}

int lease_lock_set(int fd, off_t byte)
{
	if (lock(fd, F_WRLCK, byte, 1) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? 1 : -1;
}

int lease_lock_clear(int fd, off_t from, off_t len)
{
	return lock(fd, F_UNLCK, from, len);
}

int lease_lock_find(int fd, off_t from, off_t len, off_t *ret_from, off_t *ret_len)
{
	struct flock f = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = from, .l_len = len };
	off_t end;

	if (fcntl(fd, F_OFD_GETLK, &f) < 0)
		return -1;
	if (f.l_type == F_UNLCK)
		return 0;
	end = f.l_len == 0 || f.l_start + f.l_len > from + len ? from + len : f.l_start + f.l_len;
	*ret_from = f.l_start < from ? from : f.l_start;
	*ret_len = end - *ret_from;
	return 1;
}

int lease_lock_pause(int64_t min, int alive)
{
	struct pollfd p = { alive, POLLIN, 0 };
	struct timespec t;
	uint32_t random = 0;

	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK); /* none: less jitter */
	min += min * (random & 0xffff) / 0x10000;
	t.tv_sec = min / 1000000;
	t.tv_nsec = min % 1000000 * 1000;
	return ppoll(&p, 1, &t, NULL) > 0 ? -1 : 0;
}

int lease_lock_enter(int fd, int alive, struct err *e)
{
	const int64_t deadline = sys_now_ms() + LEASE_LOCK_MS;
	int64_t pause = PAUSE_FIRST_US;
	int rc;

	while ((rc = lease_lock_set(fd, MUTEX_BYTE)) == 1) {
		if (sys_now_ms() >= deadline)
			return err_set(e,
				       "leases: another step has kept them locked for %d s "
				       "(is a berth-helper stopped?)",
				       LEASE_LOCK_MS / 1000);
		if (lease_lock_pause(pause, alive) < 0)
			return err_set(e, "leases: the step has ended");
		if (pause < PAUSE_LAST_US)
			pause *= 2;
	}
	return rc < 0 ? err_sys(e, errno, "leases: cannot be locked") : 0;
}

int lease_lock_leave(int fd, struct err *e)
{
	return lease_lock_clear(fd, MUTEX_BYTE, 1) < 0
		       ? err_sys(e, errno, "leases: cannot be unlocked")
		       : 0;
}
