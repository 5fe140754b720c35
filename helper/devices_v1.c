/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The devices hierarchy of cgroup v1.  A cgroup there has a default and a list of
 * exceptions (security/device_cgroup.c of the kernel):
 *
 * - Default allow, which is what Slurm leaves: exceptions deny.  devices.list does not show
 *   them, and one for "231:*" cannot be pierced by allowing 231:193; so what is near a
 *   granted device is denied minor by minor.  Nothing is ever written to devices.allow.
 * - Default deny: exceptions allow, and devices.deny takes away only an exception that is
 *   spelt alike.  One that is wider than the plan is replaced: first the narrower ones are
 *   added, then the wide one is taken away, so that at no time more is allowed than
 *   before, nor less than after.  Narrower ones are added in the cgroups below as well,
 *   which would lose theirs with the wide one.
 *
 * The kernel is asked by an empty cgroup below the one in question, which denies
 * everything: it may only be allowed what its parent allows.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices_impl.h"
#include "sys.h"

#define ANY DEVICES_PLAN_ANY
#define LIST_MAX (1024 * 1024)
#define DEPTH_MAX 8
#define SAMPLE 32

/* ---- asking ---- */

struct asking {
	int parent, allow;
	char name[32];
};

static void ask_end(struct asking *a)
{
	sys_close(&a->allow);
	if (a->name[0])
		unlinkat(a->parent, a->name, AT_REMOVEDIR);
	a->name[0] = '\0';
}

static int ask_begin(const struct devices *d, struct asking *a, struct err *e)
{
	int dir = -1;

	a->parent = d->dir;
	a->allow = -1;
	snprintf(a->name, sizeof(a->name), "berth-ask.%d", getpid());
	unlinkat(d->dir, a->name, AT_REMOVEDIR); /* of a helper that was killed */
	if (mkdirat(d->dir, a->name, 0700) == 0) {
		dir = openat(d->dir, a->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir >= 0 && sys_write_file(dir, "devices.deny", "a") == 0)
			a->allow = openat(dir, "devices.allow", O_WRONLY | O_CLOEXEC);
	} else {
		a->name[0] = '\0';
	}
	sys_close(&dir);
	if (a->allow >= 0)
		return 0;
	err_sys(e, errno, "cannot ask for the device rules of %s", d->name);
	ask_end(a);
	return -1;
}

/* 1: all of x is allowed; 0: it is not; -1 with errno. */
static int ask(const struct asking *a, const struct devices_plan_entry *x)
{
	char text[DEVICES_PLAN_TEXT];

	devices_plan_write(text, x);
	if (sys_write_all(a->allow, text, strlen(text)) == 0)
		return 1;
	return errno == EPERM ? 0 : -1;
}

/* ---- narrowing ---- */

struct writing {
	const struct devices *d;
	int fd; /* devices.allow or devices.deny */
	struct err *e;
};

static int write_entry(const struct devices_plan_entry *x, void *arg)
{
	const struct writing *w = arg;
	char text[DEVICES_PLAN_TEXT];

	devices_plan_write(text, x);
	if (sys_write_all(w->fd, text, strlen(text)) == 0)
		return 0;
	return err_sys(w->e, errno, "cannot restrict devices (%s) in %s", text, w->d->name);
}

static int any_entry(const struct devices_plan_entry *x, void *arg)
{
	(void)x;
	(void)arg;
	return 1;
}

/* Call f for each line of dir's devices.list; false for a text that is none. */
static int each_listed(int dir, int (*f)(const struct devices_plan_entry *, void *), void *arg)
{
	size_t len, n;
	char *text = sys_read_at(dir, "devices.list", LIST_MAX, &len);
	int rc = text ? 0 : -1;

	for (char *line = text; line && *line && rc == 0; line += n, line += *line == '\n') {
		struct devices_plan_entry x;

		n = strcspn(line, "\n");
		if (devices_plan_read(line, n, &x) < 0) {
			errno = EBADMSG;
			rc = -1;
		} else {
			rc = f(&x, arg);
		}
	}
	free(text);
	return rc;
}

struct listed {
	const struct devices *d;
	bool default_allow;
	bool replace; /* else: take away */
	struct writing w;
};

static int note_default(const struct devices_plan_entry *x, void *arg)
{
	*(bool *)arg |= x->type == 'a';
	return 0;
}

/* Of an exception that is wider than the plan: add what the plan allows of it, or take it away. */
static int narrow_listed(const struct devices_plan_entry *x, void *arg)
{
	struct listed *l = arg;
	struct devices_plan_entry whole = *x;

	if (x->major == ANY) /* "*:5" would be lost with the "*:*" of the cgroup above */
		whole.minor = ANY;
	if (devices_plan_expand(&l->d->plan, &l->d->tops, whole, false, any_entry, NULL) == 0)
		return 0;
	return l->replace
		       ? devices_plan_expand(&l->d->plan, &l->d->tops, *x, true, write_entry, &l->w)
		       : write_entry(x, &l->w);
}

static int narrow_list(const struct devices *d, int dir, bool replace, struct err *e)
{
	struct listed l = { d, false, replace, { d, -1, e } };
	int rc = each_listed(dir, note_default, &l.default_allow);

	if (rc == 0 && !l.default_allow) {
		l.w.fd = openat(dir, replace ? "devices.allow" : "devices.deny",
				O_WRONLY | O_CLOEXEC);
		rc = l.w.fd < 0 ? -1 : each_listed(dir, narrow_listed, &l);
		sys_close(&l.w.fd);
	}
	return rc == 0 ? 0 : err_sys(e, errno, "cannot restrict devices in %s", d->name);
}

/* Of a cgroup without others below: a directory's links are its own two and one for each (fs/kernfs). */
static bool is_leaf(int dir)
{
	struct stat st;

	return fstat(dir, &st) == 0 && st.st_nlink == 2;
}

/* Add the narrower exceptions in dir and below. */
static int replace_below(const struct devices *d, int dir, int depth, struct err *e)
{
	int copy, rc = narrow_list(d, dir, true, e);
	struct dirent *ent;
	DIR *s;

	if (rc < 0 || depth == 0 || is_leaf(dir))
		return rc;
	copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s = copy < 0 ? NULL : fdopendir(copy);
	if (!s) {
		sys_close(&copy);
		return err_sys(e, errno, "cannot restrict devices below %s", d->name);
	}
	while (rc == 0 && (ent = readdir(s))) {
		int sub;

		if (ent->d_type != DT_DIR || ent->d_name[0] == '.')
			continue;
		sub = openat(dir, ent->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0 && errno == ENOENT)
			continue; /* gone since */
		rc = sub < 0 ? err_sys(e, errno, "cannot restrict devices below %s", d->name)
			     : replace_below(d, sub, depth - 1, e);
		sys_close(&sub);
	}
	closedir(s);
	return rc;
}

struct denied {
	const struct devices *d;
	int (*f)(const struct devices_plan_entry *, void *);
	void *arg;
};

static int unless_before(const struct devices_plan_entry *x, void *arg)
{
	const struct denied *a = arg;

	if (a->d->again && devices_plan_denies(&a->d->before, x))
		return 0;
	return a->f(x, a->arg);
}

/*
 * Everything that the plan denies (fresh: and did not before), as the exceptions of a cgroup
 * whose default is to allow.
 */
static int each_denied(const struct devices *d, bool fresh,
		       int (*f)(const struct devices_plan_entry *, void *), void *arg)
{
	const struct devices_plan_entry types[] = { { 'c', ANY, ANY, DEVICES_PLAN_RWM },
						    { 'b', ANY, ANY, DEVICES_PLAN_RWM } };
	struct denied a = { d, f, arg };
	int rc = 0;

	for (int i = 0; i < 2 && rc == 0; i++)
		rc = devices_plan_expand(&d->plan, &d->tops, types[i], false,
					 fresh ? unless_before : f, fresh ? &a : arg);
	return rc;
}

/* All that the plan denies anew, where the default is to allow. */
static int deny_all(const struct devices *d, struct err *e)
{
	struct writing w = { d, openat(d->dir, "devices.deny", O_WRONLY | O_CLOEXEC), e };
	int rc;

	if (w.fd < 0)
		return err_sys(e, errno, "cannot restrict devices in %s", d->name);
	rc = each_denied(d, true, write_entry, &w);
	sys_close(&w.fd);
	return rc;
}

/* A few single devices likewise.  There is one such cgroup for each task, so tops are not looked up. */
static int deny_listed(const struct devices *d, struct err *e)
{
	struct writing w = { d, openat(d->dir, "devices.deny", O_WRONLY | O_CLOEXEC), e };
	int rc = w.fd < 0 ? err_sys(e, errno, "cannot restrict devices in %s", d->name) : 0;

	for (size_t i = 0; i < d->plan.n && rc == 0; i++) {
		const struct devices_plan_rule *r = &d->plan.rule[i];
		const struct devices_plan_entry x = { r->type, r->major, r->minor,
						      DEVICES_PLAN_RWM };

		rc = write_entry(&x, &w);
	}
	sys_close(&w.fd);
	return rc;
}

/* ---- reading back ---- */

struct checking {
	const struct devices *d;
	struct asking a;
	bool all; /* ask for each device, and for r, w and m one by one */
	struct err *e;
};

static int check_denied(const struct devices_plan_entry *x, void *arg)
{
	const struct checking *c = arg;
	struct devices_plan_entry one = *x;
	char text[DEVICES_PLAN_TEXT];

	if (!c->all && c->d->again && x->minor % SAMPLE && x->minor != ANY &&
	    devices_plan_denies(&c->d->before, x))
		return 0; /* written early, one of many */
	/* "*" would be denied for a single exception: ask for one that only "*" denies */
	if (one.major == ANY)
		one.major = DEVICES_PLAN_MAJORS - 1;
	if (one.minor == ANY)
		one.minor = DEVICES_PLAN_MINOR_MAX;
	for (unsigned bit = DEVICES_PLAN_R; bit <= DEVICES_PLAN_M; bit <<= 1) {
		one.access = c->all ? bit : DEVICES_PLAN_RWM;
		switch (ask(&c->a, &one)) {
		case 0: break;
		case 1:
			return err_set(c->e, "%s is allowed in %s and should not be",
				       devices_plan_write(text, &one), c->d->name);
		default:
			return err_sys(c->e, errno, "cannot ask for the device rules of %s",
				       c->d->name);
		}
		if (!c->all)
			break;
	}
	return 0;
}

static int check_granted(const struct checking *c, const char *who)
{
	char text[DEVICES_PLAN_TEXT];

	for (size_t i = 0; i < c->d->n && c->d->mode != DEVICES_LISTED; i++) {
		const struct devices_node *g = &c->d->granted[i];
		struct devices_plan_entry x = { g->type, g->major, g->minor,
						DEVICES_PLAN_R | DEVICES_PLAN_W };

		switch (ask(&c->a, &x)) {
		case 1: break;
		case 0:
			return err_set(c->e, "%s is granted, but %s in %s",
				       devices_plan_write(text, &x), who, c->d->name);
		default:
			return err_sys(c->e, errno, "cannot ask for the device rules of %s",
				       c->d->name);
		}
	}
	return 0;
}

int devices_v1_permits(struct devices *d, const struct devices_node *nodes, size_t n, bool *ret,
		       struct err *e)
{
	struct asking a;
	int rc = 0;

	if (ask_begin(d, &a, e) < 0)
		return -1;
	for (size_t i = 0; i < n && rc >= 0; i++) {
		const struct devices_plan_entry x = { nodes[i].type, nodes[i].major, nodes[i].minor,
						      DEVICES_PLAN_R | DEVICES_PLAN_W };

		rc = ask(&a, &x);
		ret[i] = rc == 1;
	}
	if (rc < 0)
		err_sys(e, errno, "cannot ask for the device rules of %s", d->name);
	ask_end(&a);
	return rc < 0 ? -1 : 0;
}

int devices_v1_check(struct devices *d, struct err *e)
{
	struct checking c = { .d = d, .all = true, .e = e };
	int rc;

	if (ask_begin(d, &c.a, e) < 0)
		return -1;
	rc = each_denied(d, false, check_denied, &c);
	if (rc == 0)
		rc = check_granted(&c, "something denies it");
	ask_end(&c.a);
	return rc;
}

/* ---- applying ---- */

/* Names of a directory, one a line; "" where there is none. malloced. */
static char *names_of(const char *path)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	DIR *s = opendir(path);
	struct dirent *ent;

	while (f && s && (ent = readdir(s)))
		fprintf(f, "%s\n", ent->d_name);
	if (s)
		closedir(s);
	return f && fclose(f) == 0 ? text : NULL;
}

static int find_tops(struct devices *d, bool default_allow, struct err *e)
{
	const bool c = !default_allow || devices_plan_lists(&d->plan, 'c');
	const bool b = !default_allow || devices_plan_lists(&d->plan, 'b');
	char *chars = c ? names_of("/sys/dev/char") : strdup("");
	char *blocks = b ? names_of("/sys/dev/block") : strdup("");
	int rc = chars && blocks ? 0 : err_sys(e, errno, "cannot list the devices of this node");

	if (rc == 0)
		rc = devices_plan_tops(&d->tops, &d->plan, chars, blocks, e);
	free(chars);
	free(blocks);
	return rc;
}

static int narrow(struct devices *d, bool default_allow, struct err *e)
{
	if (find_tops(d, default_allow, e) < 0 || replace_below(d, d->dir, DEPTH_MAX, e) < 0)
		return -1;
	return default_allow ? deny_all(d, e) : narrow_list(d, d->dir, false, e);
}

static int narrow_asking(struct devices *d, bool default_allow, struct err *e)
{
	struct checking c = { .d = d, .e = e };
	int rc;

	if (ask_begin(d, &c.a, e) < 0)
		return -1;
	rc = check_granted(&c, "Slurm's device limits deny it");
	if (rc == 0)
		rc = narrow(d, default_allow, e);
	if (rc == 0)
		rc = each_denied(d, false, check_denied, &c);
	ask_end(&c.a);
	return rc;
}

/*
 * Early, the kernel is not asked: that takes as long as to write it all, and the cgroup for it
 * waits for slurmstepd, which moves its tasks meanwhile.  What was written then is sampled
 * when the rest comes.  For a task it is a few single devices: where the default is to
 * allow, each is one write, which adds an exception or fails, and no exception leaves the
 * list again but through devices.allow (devcgroup_update_access in the kernel's
 * security/device_cgroup.c).
 */
int devices_v1_apply(struct devices *d, struct err *e)
{
	bool default_allow = false;

	if (each_listed(d->dir, note_default, &default_allow) != 0)
		return err_sys(e, errno, "cannot read devices.list of %s", d->name);
	if (default_allow && d->mode == DEVICES_LISTED)
		return deny_listed(d, e);
	return d->early ? narrow(d, default_allow, e) : narrow_asking(d, default_allow, e);
}
