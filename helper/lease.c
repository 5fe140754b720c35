/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "lease.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lease_lock.h"
#include "sys.h"

#define DIR_NAME "leases"
#define LOCK_NAME "lock"
#define RETRY_US 50000 /* to twice that */

static int check_own(int fd, const char *what, mode_t type, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "leases: %s", what);
	if ((st.st_mode & S_IFMT) != type || st.st_uid != geteuid() || (st.st_mode & 077))
		return err_set(e,
			       "leases: %s: is owned by uid %u with mode %06o, expected uid %u and "
			       "%06o",
			       what, st.st_uid, st.st_mode, geteuid(),
			       type | (type == S_IFDIR ? 0700 : 0600));
	return 0;
}

int lease_dir(int state, bool make, struct err *e)
{
	int fd;

	if (make && mkdirat(state, DIR_NAME, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, "leases: the directory cannot be made");
	fd = openat(state, DIR_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return !make && errno == ENOENT ? -1 : err_sys(e, errno, "leases: the directory");
	if (check_own(fd, "the directory", S_IFDIR, e) < 0)
		sys_close(&fd);
	return fd;
}

static int open_lock(int dir, int flags, struct err *e)
{
	int fd = openat(dir, LOCK_NAME, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, errno, "leases: the lock file");
	if (check_own(fd, "the lock file", S_IFREG, e) < 0)
		sys_close(&fd);
	return fd;
}

/* ---- taking ---- */

static int record_slot(struct lease *l, struct lease_slot *s, const char *device,
		       const struct hwmap_device *d, struct err *e)
{
	char text[LEASE_TEXT_MAX];
	int rc;

	lease_record_name(device, s->slot, s->name);
	l->r.major = d->major;
	l->r.minor = d->minor;
	if (lease_record_encode(&l->r, text) < 0)
		return err_set(e, "leases: %s: the cgroup's path is too long", s->name);
	rc = lease_lock_set(l->fd, lease_record_byte(device, s->slot));
	if (rc < 0)
		return err_sys(e, errno, "leases: %s cannot be locked", s->name);
	if (rc > 0)
		return err_set(e, "leases: %s was locked by somebody without the mutex", s->name);
	if (symlinkat(text, l->dir, s->name) < 0)
		return err_sys(e, errno, "leases: %s cannot be recorded", s->name);
	return 0;
}

/* Lock and record what was picked; what was done is undone on failure, but for the locks. */
static int grant(struct lease *l, const struct lease_ask *a, struct lease_survey *v,
		 const uint32_t *device, struct err *e)
{
	for (l->n = 0; l->n < a->want; l->n++) {
		struct lease_slot *s = &l->slots[l->n];
		int64_t slot =
			device[l->n] < a->ndevices ? lease_survey_pick_slot(v, device[l->n]) : -1;

		if (slot < 0) {
			err_set(e, "leases: device %u was chosen, which has no slot free",
				device[l->n]);
			break;
		}
		s->device = device[l->n];
		s->slot = (uint32_t)slot;
		if (record_slot(l, s, v->names[s->device], &a->devices[s->device], e) < 0)
			break;
	}
	if (l->n == a->want)
		return 0;
	while (l->n > 0)
		unlinkat(l->dir, l->slots[--l->n].name, 0);
	return -1;
}

/* Under the mutex. 0, -1: failed for good, 1: *e may be another one later. */
static int try_once(struct lease *l, const struct lease_ask *a, uint32_t *device, struct err *e)
{
	struct lease_survey v;
	struct err why = { "" };
	char holders[ERR_TEXT_MAX / 2];
	int rc = -1;

	if (lease_survey_make(l->dir, l->fd, a->devices, a->ndevices, &a->watch, &v, e) < 0)
		return -1;
	if (a->pick(v.used, device, a->want, a->arg, &why) == 0) {
		rc = grant(l, a, &v, device, e);
	} else if (a->pick(v.barred, device, a->want, a->arg, NULL) < 0) {
		err_set(e, "%s", why.text); /* not even if everything was free */
	} else {
		lease_survey_holders(&v, holders, sizeof(holders));
		err_set(e, "%.250s%s%s", why.text, holders[0] ? "; in use: " : "", holders);
		rc = 1;
	}
	lease_survey_done(&v);
	return rc;
}

static int take_slots(struct lease *l, const struct lease_ask *a, uint32_t *device, struct err *e)
{
	const int64_t deadline = sys_now_ms() + (int64_t)a->wait * 1000;

	for (;;) {
		struct err why = { "" };
		int rc;

		if (lease_lock_enter(l->fd, a->alive, e) < 0)
			return -1;
		rc = try_once(l, a, device, &why);
		/* who cannot leave must not go on: the mutex ends with the descriptor */
		if (lease_lock_leave(l->fd, rc < 0 ? NULL : e) < 0 && rc >= 0) {
			if (rc == 0)
				(void)lease_release(l, &a->watch);
			return -1;
		}
		if (rc == 0)
			return 0;
		if (rc < 0 || sys_now_ms() >= deadline)
			return err_set(e, "%s", why.text);
		if (lease_lock_pause(RETRY_US, a->alive) < 0)
			return err_set(e, "leases: the step has ended");
	}
}

static int describe(struct lease *l, const struct lease_ask *a, struct err *e)
{
	l->r.sound = true;
	l->r.job = a->job;
	l->r.step = a->step;
	l->r.uid = a->uid;
	l->r.since = (int64_t)time(NULL);
	snprintf(l->r.user, sizeof(l->r.user), "%s", a->user ? a->user : "");
	if (lease_watch_boot(l->r.boot, e) < 0)
		return -1;
	return lease_watch_note(a->cgroup, &l->r, e);
}

int lease_take(int dir, const struct lease_ask *a, struct lease *ret, struct err *e)
{
	struct lease l = LEASE_NONE;
	uint32_t *device = NULL;
	int rc = -1;

	if (a->want == 0 || a->want > LEASE_WANT_MAX)
		return err_set(e, "leases: %u slots asked, expected 1 to %u", a->want,
			       LEASE_WANT_MAX);
	device = calloc(a->want, sizeof(*device));
	l.slots = calloc(a->want, sizeof(*l.slots));
	if (!device || !l.slots) {
		err_set(e, "out of memory");
		goto done;
	}
	l.dir = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	if (l.dir < 0) {
		err_sys(e, errno, "leases: the directory");
		goto done;
	}
	l.fd = open_lock(dir, O_RDWR | O_CREAT, e);
	if (l.fd >= 0 && describe(&l, a, e) == 0)
		rc = take_slots(&l, a, device, e);
done:
	free(device);
	if (rc < 0) {
		sys_close(&l.fd);
		sys_close(&l.dir);
		free(l.slots);
		return -1;
	}
	*ret = l;
	return 0;
}

static bool slot_over(const struct lease *l, uint32_t i, const struct lease_watch *w)
{
	struct lease_record r;

	/* the record says which uverbs node it was */
	return lease_survey_read(l->dir, l->slots[i].name, &r) <= 0 ||
	       lease_watch_over(&r, l->r.boot, w);
}

bool lease_over(const struct lease *l, const struct lease_watch *w)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (!slot_over(l, i, w))
			return false;
	return true;
}

bool lease_release(struct lease *l, const struct lease_watch *w)
{
	bool left = false;

	for (uint32_t i = 0; i < l->n; i++) {
		if (slot_over(l, i, w))
			unlinkat(l->dir, l->slots[i].name, 0);
		else
			left = true;
	}
	if (l->fd >= 0)
		(void)lease_lock_clear(l->fd, 0, 0); /* slurmstepd may have it still */
	sys_close(&l->fd);
	sys_close(&l->dir);
	free(l->slots);
	*l = LEASE_NONE;
	return left;
}

int lease_list(int dir, const struct lease_watch *w,
	       void (*f)(const struct lease_found *found, void *arg), void *arg, struct err *e)
{
	struct lease_found *found = NULL;
	struct stat st;
	size_t n = 0;
	int fd = -1, rc;

	if (fstatat(dir, LOCK_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT) {
		fd = open_lock(dir, O_RDONLY, e);
		if (fd < 0)
			return -1;
	}
	rc = lease_survey_records(dir, fd, w, &found, &n, e);
	for (size_t i = 0; rc == 0 && i < n; i++)
		f(&found[i], arg);
	free(found);
	sys_close(&fd);
	return rc;
}
