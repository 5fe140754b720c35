/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "held.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../helper/lease.h"
#include "notes.h"

#define STEP_TEXT_MAX 64

/* Slots of one device that one step holds, or left in quarantine. */
struct held_step {
	size_t device;
	uint32_t n;
	bool held;
	char step[STEP_TEXT_MAX];
	char user[LEASE_USER_MAX];
};

/* What held_add works on. */
struct held_reading {
	const struct hwmap *map;
	struct held *held;
	struct hwmap_notes *notes;
	bool failed;
};

static size_t held_device(const struct hwmap *m, const char *name)
{
	char own[LEASE_DEVICE_MAX];
	size_t i, n = hwmap_ndevices(m);

	for (i = 0; i < n; i++)
		if (lease_record_device(hwmap_device(m, i), own) == 0 && strcmp(own, name) == 0)
			break;
	return i;
}

static struct held_step *held_new(struct held *h)
{
	if (h->nsteps == h->room) {
		size_t room = h->room ? 2 * h->room : 16;
		void *more = reallocarray(h->steps, room, sizeof(*h->steps));

		if (!more)
			return NULL;
		h->steps = more;
		h->room = room;
	}
	return &h->steps[h->nsteps++];
}

static void held_add(const struct lease_found *found, void *arg)
{
	struct held_reading *r = arg;
	struct held_step new = { .device = held_device(r->map, found->r.device),
				 .n = 1,
				 .held = found->held };
	struct held_step *s;

	if (new.device == hwmap_ndevices(r->map)) {
		notes_add(r->notes, "a slot of %s is leased, which is not there", found->r.device);
		return;
	}
	r->held->used[new.device]++;
	if (found->r.sound) {
		lease_record_step(&found->r, new.step, sizeof(new.step));
		snprintf(new.user, sizeof(new.user), "%s", found->r.user);
	}
	for (size_t i = 0; i < r->held->nsteps; i++) {
		s = &r->held->steps[i];
		if (s->device == new.device &&
		    s->held == new.held &&strcmp(s->step, new.step) == 0) {
			s->n++;
			return;
		}
	}
	s = held_new(r->held);
	if (s)
		*s = new;
	else
		r->failed = true;
}

/* In the map's order, then a step's; records come in none. */
static int held_order(const void *a, const void *b)
{
	const struct held_step *x = a, *y = b;

	if (x->device != y->device)
		return x->device < y->device ? -1 : 1;
	return x->held != y->held ? y->held - x->held : strverscmp(x->step, y->step);
}

static int held_leases(int state, struct held_reading *r, struct err *e)
{
	const struct lease_watch watch = { 0 };
	int dir = lease_dir(state, false, e), rc;

	if (dir < 0)
		return e->text[0] ? -1 : 0; /* nobody has leased anything yet */
	rc = lease_list(dir, &watch, held_add, r, e);
	close(dir);
	if (r->failed)
		rc = err_set(e, "out of memory");
	if (r->held->nsteps)
		qsort(r->held->steps, r->held->nsteps, sizeof(*r->held->steps), held_order);
	return rc;
}

int held_read(const char *state_dir, bool optional, const struct hwmap *m, struct held *ret,
	      struct hwmap_notes *notes, struct err *e)
{
	struct held_reading r = { m, ret, notes, false };
	struct err quiet = { "" };
	int state, rc;

	*ret = (struct held){ .used = calloc(hwmap_ndevices(m) + 1, sizeof(*ret->used)) };
	if (!ret->used)
		return err_set(e, "out of memory");
	if (!state_dir)
		return 0;
	state = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state < 0)
		return optional ? 0 : err_sys(e, errno, "%s", state_dir);
	rc = held_leases(state, &r, optional ? &quiet : e);
	close(state);
	if (rc < 0 && optional) {
		notes_add(notes, "who holds slots is not known: %s", quiet.text);
		rc = 0;
	}
	return rc;
}

void held_done(struct held *h)
{
	free(h->used);
	free(h->steps);
	*h = (struct held){ 0 };
}

const char *held_text(const struct held *h, size_t device, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < h->nsteps; i++) {
		const struct held_step *s = &h->steps[i];
		int n;

		if (s->device != device)
			continue;
		n = snprintf(buf + used, size - used, "%s%u %sby %s%s%s%s", used ? ", " : "", s->n,
			     s->held ? "" : "in quarantine ", s->step[0] ? s->step : "somebody",
			     s->user[0] ? " (" : "", s->user, s->user[0] ? ")" : "");
		if (n < 0 || (size_t)n >= size - used)
			break;
		used += (size_t)n;
	}
	return buf;
}
