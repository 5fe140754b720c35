/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "lockdown.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

#define CAPS_MAX 64 /* the kernel's sets are 64 bits wide */

struct caps {
	struct __user_cap_data_struct half[2];
};

static int caps_get(struct caps *c)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return (int)syscall(SYS_capget, &h, c->half);
}

static int caps_set(const struct caps *c)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return (int)syscall(SYS_capset, &h, c->half);
}

static int bounding_drop(struct err *e)
{
	for (unsigned long cap = 0; cap < CAPS_MAX; cap++) {
		int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (has < 0) /* the kernel knows no more */
			return cap ? 0 : err_sys(e, errno, "cannot read the capability bounds");
		if (has && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return err_sys(e, errno, "cannot drop capability %lu for good", cap);
	}
	return 0;
}

static int bounding_check(struct err *e)
{
	for (unsigned long cap = 0; cap < CAPS_MAX; cap++) {
		int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (has < 0)
			return 0;
		if (has)
			return err_set(e, "capability %lu is still within bounds after its drop",
				       cap);
	}
	return 0;
}

static int ambient_empty(struct err *e)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_sys(e, errno, "cannot clear the ambient capabilities");
	return 0;
}

static int no_new_privs(struct err *e)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, errno, "cannot set no_new_privs");
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return err_set(e, "no_new_privs is not in force after it was set");
	return 0;
}

int lockdown_privileges(struct err *e)
{
	struct caps c;

	/* the bounds are read back by lockdown_check */
	if (ambient_empty(e) < 0 || bounding_drop(e) < 0)
		return -1;
	if (caps_get(&c) < 0)
		return err_sys(e, errno, "cannot read the capabilities");
	c.half[0].inheritable = c.half[1].inheritable = 0;
	if (caps_set(&c) < 0 || caps_get(&c) < 0)
		return err_sys(e, errno, "cannot clear the inheritable capabilities");
	if (c.half[0].inheritable || c.half[1].inheritable)
		return err_set(e, "inheritable capabilities are left after they were cleared");
	return no_new_privs(e);
}

/* Nothing permitted, effective or inheritable? */
static bool caps_none(const struct caps *c)
{
	static const struct caps none;

	return memcmp(c, &none, sizeof(none)) == 0;
}

int lockdown_userns(struct err *e)
{
	struct caps c = { { { 0 } } };

	if (ambient_empty(e) < 0 || bounding_drop(e) < 0 || bounding_check(e) < 0)
		return -1;
	if (caps_set(&c) < 0 || caps_get(&c) < 0)
		return err_sys(e, errno, "cannot drop the user namespace's capabilities");
	if (!caps_none(&c))
		return err_set(e, "capabilities are left in the user namespace after their drop");
	return no_new_privs(e);
}

static int check_groups(const struct lockdown_ids *ids, struct err *e)
{
	int n = getgroups(0, NULL);
	gid_t *have;
	int rc = 0;

	if (n < 0)
		return err_sys(e, errno, "cannot read the supplementary groups");
	have = calloc((size_t)n + 1, sizeof(*have));
	if (!have)
		return err_set(e, "out of memory");
	n = getgroups(n, have);
	if (n < 0)
		rc = err_sys(e, errno, "cannot read the supplementary groups");
	for (int i = 0; i < n && rc == 0; i++) {
		size_t k = 0;

		while (k < ids->ngroups && ids->groups[k] != have[i])
			k++;
		if (k == ids->ngroups && have[i] != ids->gid)
			rc = err_set(e, "the task is in group %u, which the job is not",
				     (unsigned)have[i]);
	}
	free(have);
	return rc;
}

int lockdown_check(const struct lockdown_ids *ids, struct err *e)
{
	uid_t uid[3];
	gid_t gid[3];
	struct caps c;

	if (getresuid(&uid[0], &uid[1], &uid[2]) < 0 || getresgid(&gid[0], &gid[1], &gid[2]) < 0)
		return err_sys(e, errno, "cannot read the task's ids");
	for (size_t i = 0; i < 3; i++)
		if (uid[i] != ids->uid || gid[i] != ids->gid)
			return err_set(e, "the task runs as %u:%u, expected %u:%u",
				       (unsigned)uid[i], (unsigned)gid[i], (unsigned)ids->uid,
				       (unsigned)ids->gid);
	if (check_groups(ids, e) < 0)
		return -1;
	if (caps_get(&c) < 0)
		return err_sys(e, errno, "cannot read the capabilities");
	/* a job of root keeps its sets until exec, where the empty bounds take them */
	if (ids->uid != 0 && !caps_none(&c))
		return err_set(e, "the task still holds capabilities");
	if (bounding_check(e) < 0)
		return -1;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return err_set(e, "no_new_privs is not in force");
	return 0;
}

static int range_cloexec(unsigned first, unsigned last)
{
	if (first > last)
		return 0;
#ifdef SYS_close_range
	return (int)syscall(SYS_close_range, first, last, CLOSE_RANGE_CLOEXEC);
#else
	errno = ENOSYS;
	return -1;
#endif
}

/* For kernels before 5.11. */
static int each_cloexec(int keep, struct err *e)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *entry;
	int rc = 0;

	if (!d)
		return err_sys(e, errno, "cannot list the open descriptors");
	while (rc == 0 && (errno = 0, entry = readdir(d))) {
		int fd = (int)strtol(entry->d_name, NULL, 10), flags;

		if (fd < 3 || fd == keep)
			continue;
		flags = fcntl(fd, F_GETFD);
		if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)
			rc = err_sys(e, errno, "cannot mark descriptor %d close-on-exec", fd);
	}
	if (rc == 0 && errno)
		rc = err_sys(e, errno, "cannot list the open descriptors");
	closedir(d);
	return rc;
}

int lockdown_fds(int keep, struct err *e)
{
	unsigned hole = keep < 3 ? 3 : (unsigned)keep;
	int rc = keep < 3 ? range_cloexec(3, ~0u) : range_cloexec(3, hole - 1);

	if (rc == 0 && keep >= 3)
		rc = range_cloexec(hole + 1, ~0u);
	if (rc == 0)
		return 0;
	if (errno != ENOSYS && errno != EINVAL)
		return err_sys(e, errno, "cannot mark the open descriptors close-on-exec");
	return each_cloexec(keep, e);
}
