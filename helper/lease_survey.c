/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "lease_survey.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lease_lock.h"
#include "sys.h"

int lease_survey_read(int dir, const char *name, struct lease_record *ret)
{
	char text[LEASE_TEXT_MAX];
	ssize_t n;

	if (lease_record_parse_name(name, ret) < 0) {
		errno = EINVAL;
		return -1;
	}
	n = readlinkat(dir, name, text, sizeof(text));
	if (n < 0 && errno != EINVAL)
		return errno == ENOENT ? 0 : -1;
	lease_record_decode(text, n < 0 ? 0 : (size_t)n, ret);
	return 1;
}

/* ---- slots ---- */

static size_t slots_of(const struct lease_survey *s, size_t d)
{
	return s->first[d + 1] - s->first[d];
}

static bool take(struct lease_survey *s, size_t d, size_t slot)
{
	bool *taken = &s->taken[s->first[d] + slot];

	if (slot >= slots_of(s, d) || *taken)
		return false;
	*taken = true;
	s->used[d]++;
	return true;
}

int64_t lease_survey_pick_slot(struct lease_survey *s, size_t d)
{
	for (size_t slot = 0; slot < slots_of(s, d); slot++)
		if (take(s, d, slot))
			return (int64_t)slot;
	return -1;
}

/* Slots [from, to) of device d.  The kernel names any lock of a range, not its first one. */
static int take_locked(struct lease_survey *s, size_t d, int lock_fd, size_t from, size_t to)
{
	const off_t base = lease_record_byte(s->names[d], 0);
	int rc = 0;

	while (from < to) {
		off_t at, len;
		size_t slot;

		rc = lease_lock_find(lock_fd, base + (off_t)from, (off_t)(to - from), &at, &len);
		if (rc <= 0)
			break;
		slot = (size_t)(at - base);
		for (off_t i = 0; i < len; i++)
			take(s, d, slot + (size_t)i);
		if (take_locked(s, d, lock_fd, from, slot) < 0)
			return -1;
		from = slot + (size_t)len;
	}
	return rc;
}

/* Where the lease counts, by its name (exact) or else (see the header). */
static void take_found(struct lease_survey *s, const struct hwmap_device *devices,
		       const struct lease_record *r, bool exact)
{
	const char *pci = lease_record_pci(r->device);
	bool known = false;

	for (size_t d = 0; d < s->n && !known; d++)
		known = strcmp(s->names[d], r->device) == 0;
	for (size_t d = 0; d < s->n; d++) {
		bool same = strcmp(s->names[d], r->device) == 0;

		if (exact) {
			/* a slot that the device no longer has still makes it bear one less */
			if (same && r->slot < slots_of(s, d))
				take(s, d, r->slot);
			else if (same)
				(void)lease_survey_pick_slot(s, d);
		} else if (!same && ((r->major && r->major == devices[d].major &&
				      r->minor == devices[d].minor) ||
				     (!known && pci[0] &&
				      strcmp(pci, lease_record_pci(s->names[d])) == 0))) {
			(void)lease_survey_pick_slot(s, d);
		}
	}
}

/* ---- all records ---- */

struct look {
	int dir, lock_fd;
	const struct lease_watch *w;
	const struct lease_survey *s; /* its locks are known, the mutex is held; or NULL */
	char boot[LEASE_BOOT_MAX];
};

/* 1, 0, or -1 with errno. */
static int is_locked(const struct look *k, const struct lease_record *r)
{
	off_t from, len;

	for (size_t d = 0; k->s && d < k->s->n; d++)
		if (r->slot < slots_of(k->s, d) && strcmp(k->s->names[d], r->device) == 0)
			return k->s->taken[k->s->first[d] + r->slot];
	if (k->lock_fd < 0)
		return 0;
	return lease_lock_find(k->lock_fd, lease_record_byte(r->device, r->slot), 1, &from, &len);
}

/* 1: the slot of this name is not free, as *ret says; 0: it is; -1 with *e. */
static int look_at(const struct look *k, const char *name, struct lease_found *ret, struct err *e)
{
	int locked, there;

	if (lease_record_parse_name(name, &ret->r) < 0)
		return 0;
	locked = is_locked(k, &ret->r);
	if (locked < 0)
		return err_sys(e, errno, "leases: the lock file");
	there = lease_survey_read(k->dir, name, &ret->r);
	if (there < 0)
		return err_sys(e, errno, "leases: %s", name);
	ret->held = locked;
	if (locked || !there || !lease_watch_over(&ret->r, k->boot, k->w))
		return there;
	if (k->s && unlinkat(k->dir, name, 0) < 0 && errno != ENOENT)
		return err_sys(e, errno,
			       "leases: %s is of a step that is over, and cannot be removed", name);
	return 0;
}

static int look_at_all(struct look *k, struct lease_found **ret, size_t *ret_n, struct err *e)
{
	int copy = openat(k->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = -1;
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct lease_found *all = NULL;
	size_t n = 0, room = 0;

	if (!d) {
		err_sys(e, errno, "leases: the directory");
		sys_close(&copy);
		return -1;
	}
	if (lease_watch_boot(k->boot, e) < 0)
		goto done;
	for (;;) {
		struct dirent *ent;

		if (n == room) {
			struct lease_found *more;

			room = room ? 2 * room : 16;
			more = reallocarray(all, room, sizeof(*all));
			if (!more) {
				err_set(e, "out of memory");
				goto done;
			}
			all = more;
		}
		errno = 0;
		ent = readdir(d);
		if (!ent)
			break;
		rc = look_at(k, ent->d_name, &all[n], e);
		if (rc < 0)
			goto done;
		n += (size_t)rc;
	}
	rc = errno ? err_sys(e, errno, "leases: the directory") : 0;
done:
	closedir(d);
	if (rc < 0) {
		free(all);
		return -1;
	}
	*ret = all;
	*ret_n = n;
	return 0;
}

int lease_survey_records(int dir, int lock_fd, const struct lease_watch *w,
			 struct lease_found **ret, size_t *ret_n, struct err *e)
{
	struct look k = { .dir = dir, .lock_fd = lock_fd, .w = w };

	return look_at_all(&k, ret, ret_n, e);
}

/* ---- the survey ---- */

int lease_survey_make(int dir, int lock_fd, const struct hwmap_device *devices, size_t n,
		      const struct lease_watch *w, struct lease_survey *ret, struct err *e)
{
	struct lease_survey s = { .n = n };
	struct look k = { .dir = dir, .lock_fd = lock_fd, .w = w, .s = &s };

	s.names = calloc(n + 1, sizeof(*s.names));
	s.first = calloc(n + 1, sizeof(*s.first));
	s.barred = calloc(n + 1, sizeof(*s.barred));
	s.used = calloc(n + 1, sizeof(*s.used));
	if (!s.names || !s.first || !s.barred || !s.used)
		goto no_memory;
	for (size_t d = 0; d < n; d++) {
		uint32_t slots = devices[d].slots;

		if (lease_record_device(&devices[d], s.names[d]) < 0)
			slots = 0;
		else if (slots > LEASE_SLOTS_MAX)
			slots = LEASE_SLOTS_MAX;
		s.first[d + 1] = s.first[d] + slots;
		s.barred[d] = s.used[d] = devices[d].slots - slots;
	}
	s.taken = calloc(s.first[n] + 1, sizeof(*s.taken));
	if (!s.taken)
		goto no_memory;
	for (size_t d = 0; d < n; d++)
		if (take_locked(&s, d, lock_fd, 0, slots_of(&s, d)) < 0) {
			err_sys(e, errno, "leases: the lock file");
			goto failed;
		}
	if (look_at_all(&k, &s.found, &s.nfound, e) < 0)
		goto failed;
	for (int exact = 1; exact >= 0; exact--)
		for (size_t i = 0; i < s.nfound; i++)
			take_found(&s, devices, &s.found[i].r, exact);
	*ret = s;
	return 0;
no_memory:
	err_set(e, "out of memory");
failed:
	lease_survey_done(&s);
	return -1;
}

void lease_survey_done(struct lease_survey *s)
{
	free(s->names);
	free(s->first);
	free(s->taken);
	free(s->barred);
	free(s->used);
	free(s->found);
	*s = (struct lease_survey){ 0 };
}

/* ---- words ---- */

static const char *age(int64_t since, char *buf, size_t size)
{
	int64_t s = (int64_t)time(NULL) - since;

	if (s < 0)
		s = 0; /* the clock was set back */
	if (s < 120)
		snprintf(buf, size, "%" PRId64 " s", s);
	else if (s < 120 * 60)
		snprintf(buf, size, "%" PRId64 " min", s / 60);
	else if (s < 48 * 3600)
		snprintf(buf, size, "%" PRId64 " h", s / 3600);
	else
		snprintf(buf, size, "%" PRId64 " days", s / 86400);
	return buf;
}

static bool same_step(const struct lease_found *a, const struct lease_found *b)
{
	return a->held == b->held && a->r.sound == b->r.sound && a->r.job == b->r.job &&
	       a->r.step == b->r.step && a->r.since == b->r.since;
}

static int say(const struct lease_found *f, size_t n, const char *sep, char *buf, size_t size)
{
	char step[32], time_text[32], user[ERR_QUOTE_MAX];

	if (!f->r.sound)
		return snprintf(buf, size, "%s%zu by a step whose record is damaged", sep, n);
	if (f->r.user[0])
		err_quote(user, f->r.user, strlen(f->r.user));
	else
		snprintf(user, sizeof(user), "uid %" PRIu32, f->r.uid);
	return snprintf(buf, size, "%s%zu by %s (%s, for %s%s)", sep, n,
			lease_record_step(&f->r, step, sizeof(step)), user,
			age(f->r.since, time_text, sizeof(time_text)),
			f->held ? "" : ", ended but still in use");
}

const char *lease_survey_holders(const struct lease_survey *s, char *buf, size_t size)
{
	static const char more[] = ", and more";
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < s->nfound; i++) {
		size_t n = 1, j;
		int written;

		for (j = 0; j < i && !same_step(&s->found[j], &s->found[i]); j++)
			;
		if (j < i)
			continue; /* counted with its first */
		for (j = i + 1; j < s->nfound; j++)
			n += same_step(&s->found[j], &s->found[i]);
		written = say(&s->found[i], n, len ? ", " : "", buf + len, size - len);
		if (written < 0 || len + (size_t)written + sizeof(more) > size) {
			snprintf(buf + len, size - len, "%s", len ? more : "");
			break;
		}
		len += (size_t)written;
	}
	return buf;
}
