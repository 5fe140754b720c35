/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "devices.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cgroups.h"
#include "devices_impl.h"
#include "sys.h"

#define PROC_MAX (256 * 1024)

struct devices *devices_open_at(int dir, struct err *e)
{
	struct devices *d = calloc(1, sizeof(*d));
	char path[PATH_MAX];
	struct statfs fs;
	size_t n, skip;

	if (!d) {
		err_sys(e, errno, "devices");
		return NULL;
	}
	d->prog = -1;
	d->dir = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	if (d->dir < 0 || fstatfs(dir, &fs) < 0 || sys_path_of(dir, path, sizeof(path)) < 0) {
		err_sys(e, errno, "cannot look at a cgroup");
		goto on_error;
	}
	err_clean(path, strlen(path));
	n = strlen(path);
	skip = n < sizeof(d->name) ? 0 : n + 1 - sizeof(d->name); /* its end says more */
	memcpy(d->name, path + skip, n + 1 - skip);
	d->v2 = fs.f_type == CGROUP2_SUPER_MAGIC;
	if (!d->v2 && faccessat(dir, "devices.deny", F_OK, 0) < 0) {
		err_sys(e, errno, "%s restricts no devices", d->name);
		goto on_error;
	}
	return d;
on_error:
	devices_close(d);
	return NULL;
}

struct devices *devices_open(pid_t pid, enum devices_level level, struct err *e)
{
	struct devices *d;
	int dir = cgroups_open_devices(pid, level == DEVICES_TASK);

	if (dir < 0) {
		err_set(e,
			"cannot restrict devices: process %d has no device cgroup of a Slurm %s "
			"(ConstrainDevices=yes in cgroup.conf?)",
			pid, level == DEVICES_TASK ? "task" : "step");
		return NULL;
	}
	d = devices_open_at(dir, e);
	sys_close(&dir);
	return d;
}

int devices_task_dir(const struct devices *step, pid_t pid)
{
	return cgroups_open_task(pid, step->dir, step->v2);
}

struct devices *devices_open_task(const struct devices *step, pid_t pid, int dir, struct err *e)
{
	struct devices *d = calloc(1, sizeof(*d));

	if (dir < 0)
		dir = devices_task_dir(step, pid);
	if (!d || dir < 0) {
		err_sys(e, errno, "cannot restrict devices of process %d: it is no task of %s", pid,
			step->name);
		sys_close(&dir);
		free(d);
		return NULL;
	}
	d->dir = dir;
	d->prog = -1;
	d->v2 = step->v2;
	/* which one is not worth a look */
	snprintf(d->name, sizeof(d->name), "a task of %.240s", step->name);
	return d;
}

bool devices_takes(const struct devices *d)
{
	return !d->v2 || devices_v2_takes(d);
}

int devices_permits(struct devices *d, const struct devices_node *nodes, size_t n, bool *ret,
		    struct err *e)
{
	return d->v2 ? devices_v2_permits(d, nodes, n, ret, e)
		     : devices_v1_permits(d, nodes, n, ret, e);
}

/* The plan for the drivers that the kernel has now. */
static int plan_now(const struct devices *d, struct devices_plan *ret, struct err *e)
{
	size_t len;
	char *majors, *misc;
	int rc;

	if (d->mode == DEVICES_LISTED) /* no driver's numbers are looked up */
		return devices_plan_make(ret, d->mode, d->granted, d->n, "", "", e);
	majors = sys_read_at(AT_FDCWD, "/proc/devices", PROC_MAX, &len);
	misc = sys_read_at(AT_FDCWD, "/proc/misc", PROC_MAX, &len);
	rc = majors && misc ? 0 : err_sys(e, errno, "cannot read /proc/devices and /proc/misc");

	if (rc == 0)
		rc = devices_plan_make(ret, d->mode, d->granted, d->n, majors, misc, e);
	free(majors);
	free(misc);
	return rc;
}

static bool is_granted(const struct devices *d, const struct devices_node *g)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->granted[i].type == g->type && d->granted[i].major == g->major &&
		    d->granted[i].minor == g->minor)
			return true;
	return false;
}

static int apply(struct devices *d, bool early, enum devices_mode mode,
		 const struct devices_node *granted, size_t n, struct err *e)
{
	if (n > DEVICES_GRANT_MAX)
		return err_set(e, "%zu devices for a step; at most %d", n, DEVICES_GRANT_MAX);
	d->early = early;
	d->again = d->applied;
	d->before = d->plan;
	if (d->again && mode != d->mode)
		return err_set(e, "the device rules of %s can only be narrowed", d->name);
	for (size_t i = 0; d->again && i < n; i++)
		if (!is_granted(d, &granted[i]))
			return err_set(
				e, "the device rules of %s can only be narrowed: %c %u:%u is new",
				d->name, granted[i].type, granted[i].major, granted[i].minor);
	d->applied = false;
	d->mode = mode;
	d->n = n;
	if (n > 0)
		memcpy(d->granted, granted, n * sizeof(*granted));
	if (plan_now(d, &d->plan, e) < 0 ||
	    (d->v2 ? devices_v2_apply(d, e) : devices_v1_apply(d, e)) < 0)
		return -1;
	d->applied = true;
	return 0;
}

int devices_apply(struct devices *d, enum devices_mode mode, const struct devices_node *granted,
		  size_t n, struct err *e)
{
	return apply(d, false, mode, granted, n, e);
}

int devices_apply_early(struct devices *d, enum devices_mode mode,
			const struct devices_node *granted, size_t n, struct err *e)
{
	return apply(d, true, mode, granted, n, e);
}

/* Whether the plan in force denies all that one for the drivers of today would. */
static int check_drivers(const struct devices *d, struct err *e)
{
	struct devices_plan now = { .n = 0 };

	if (plan_now(d, &now, e) < 0)
		return -1;
	for (size_t i = 0; i < now.n; i++) {
		const struct devices_plan_rule *r = &now.rule[i];
		struct devices_plan_entry x = { r->type, r->major, r->minor, DEVICES_PLAN_RWM };
		char text[DEVICES_PLAN_TEXT];

		if (!r->allow && devices_plan_allows(&d->plan, r->type, r->major, r->minor))
			return err_set(e,
				       "%s came after the device rules of %s, which do not deny it",
				       devices_plan_write(text, &x), d->name);
	}
	return 0;
}

int devices_check(struct devices *d, struct err *e)
{
	if (!d->applied)
		return err_set(e, "%s has no device rules", d->name);
	if ((d->v2 ? devices_v2_check(d, e) : devices_v1_check(d, e)) < 0)
		return -1;
	return check_drivers(d, e);
}

char *devices_text(struct devices *d, struct err *e)
{
	const struct devices_plan *p = &d->plan;
	char line[DEVICES_PLAN_TEXT], *text = NULL;
	size_t len;
	FILE *f;

	if (devices_check(d, e) < 0)
		return NULL;
	f = open_memstream(&text, &len);
	if (!f) {
		err_sys(e, errno, "devices");
		return NULL;
	}
	if (p->allow_rest)
		fprintf(f, "a *:* rwm\n");
	for (size_t i = 0; i < p->n; i++) {
		const struct devices_plan_rule *r = &p->rule[i];
		struct devices_plan_entry x = { r->type, r->major, r->minor, DEVICES_PLAN_RWM };

		fprintf(f, "%s%s\n", r->allow ? "" : "deny ", devices_plan_write(line, &x));
	}
	if (fclose(f) != 0) {
		err_sys(e, errno, "devices");
		free(text);
		return NULL;
	}
	return text;
}

int devices_drop(struct devices *d, struct err *e)
{
	if (!d->applied)
		return err_set(e, "%s has no device rules", d->name);
	if (!d->v2)
		return err_set(e,
			       "the device rules of %s go with it, not before: the kernel does not "
			       "tell them from Slurm's",
			       d->name);
	if (devices_v2_drop(d, e) < 0)
		return -1;
	d->applied = false;
	return 0;
}

void devices_close(struct devices *d)
{
	if (!d)
		return;
	sys_close(&d->prog);
	sys_close(&d->dir);
	free(d);
}
