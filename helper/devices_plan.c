/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "devices_plan.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANY DEVICES_PLAN_ANY
#define IB_MAJOR 231 /* IB_UVERBS_MAJOR, IB_UMAD_MAJOR */
#define IB_MINORS 256
#define IB_UVERBS_MINOR 192 /* IB_UVERBS_BASE_MINOR; below it umad and issm */
#define MISC_MAJOR 10
#define HEADROOM 256

/* Names of /proc/devices and /proc/misc whose devices are RDMA's, VFIO's or drive functions of a NIC. */
static const char *const guarded_majors[] = { "infiniband", "vfio", "cxi", "hfi1" }; /* prefixes */
static const char *const guarded_exact[] = { "uio", "fwctl" };
static const char *const guarded_misc[] = { "rdma_cm", "vfio", "iommu" };

/* What every program may expect: Documentation/admin-guide/devices.txt. */
static const struct devices_plan_rule strict_set[] = {
	{ 'c', true, 1, 3 },	 /* null */
	{ 'c', true, 1, 5 },	 /* zero */
	{ 'c', true, 1, 7 },	 /* full */
	{ 'c', true, 1, 8 },	 /* random */
	{ 'c', true, 1, 9 },	 /* urandom */
	{ 'c', true, 5, 0 },	 /* tty */
	{ 'c', true, 5, 2 },	 /* ptmx */
	{ 'c', true, 10, 229 },	 /* fuse */
	{ 'c', true, 136, ANY }, /* pts: UNIX98_PTY_SLAVE_MAJOR, eight of them */
	{ 'c', true, 137, ANY }, { 'c', true, 138, ANY }, { 'c', true, 139, ANY },
	{ 'c', true, 140, ANY }, { 'c', true, 141, ANY }, { 'c', true, 142, ANY },
	{ 'c', true, 143, ANY },
};

static int add(struct devices_plan *p, const struct devices_plan_rule *r, struct err *e)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->rule[i].type == r->type && p->rule[i].major == r->major &&
		    p->rule[i].minor == r->minor)
			return 0; /* the first counts */
	if (p->n == DEVICES_PLAN_RULES_MAX)
		return err_set(e, "more than %d device rules", DEVICES_PLAN_RULES_MAX);
	p->rule[p->n++] = *r;
	return 0;
}

static bool is_guarded_major(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(guarded_majors) / sizeof(guarded_majors[0]); i++) {
		size_t n = strlen(guarded_majors[i]);

		if (len >= n && !memcmp(name, guarded_majors[i], n))
			return true;
	}
	for (size_t i = 0; i < sizeof(guarded_exact) / sizeof(guarded_exact[0]); i++)
		if (len == strlen(guarded_exact[i]) && !memcmp(name, guarded_exact[i], len))
			return true;
	return false;
}

static bool is_guarded_misc(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(guarded_misc) / sizeof(guarded_misc[0]); i++)
		if (len == strlen(guarded_misc[i]) && !memcmp(name, guarded_misc[i], len))
			return true;
	return false;
}

/* A line of both files is "  NUMBER NAME"; false for headings and blank lines. */
static bool read_line(const char *line, size_t len, uint32_t *ret_number, const char **ret_name,
		      size_t *ret_len)
{
	const char *end = line + len;
	uint32_t number = 0;

	while (line < end && *line == ' ')
		line++;
	if (line == end || !isdigit((unsigned char)*line))
		return false;
	for (; line < end && isdigit((unsigned char)*line); line++) {
		number = number * 10 + (uint32_t)(*line - '0');
		if (number > DEVICES_PLAN_MINOR_MAX)
			return false;
	}
	if (line == end || *line != ' ')
		return false;
	*ret_number = number;
	*ret_name = line + 1;
	*ret_len = (size_t)(end - line) - 1;
	return true;
}

static int guard(struct devices_plan *p, const char *proc_devices, const char *proc_misc,
		 struct err *e)
{
	const struct devices_plan_rule always[] = { { 'c', false, IB_MAJOR, ANY },
						    { 'c', false, MISC_MAJOR, 196 } }; /* vfio */
	uint32_t number;
	const char *name;
	size_t len, n;

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (add(p, &always[i], e) < 0)
			return -1;
	for (const char *line = proc_devices; *line; line += n, line += *line == '\n') {
		struct devices_plan_rule r = { 'c', false, 0, ANY };

		n = strcspn(line, "\n");
		if (!strncmp(line, "Block", 5))
			break; /* char devices come first */
		if (!read_line(line, n, &number, &name, &len) || !is_guarded_major(name, len))
			continue;
		r.major = number;
		if (add(p, &r, e) < 0)
			return -1;
	}
	for (const char *line = proc_misc; *line; line += n, line += *line == '\n') {
		struct devices_plan_rule r = { 'c', false, MISC_MAJOR, 0 };

		n = strcspn(line, "\n");
		if (!read_line(line, n, &number, &name, &len) || !is_guarded_misc(name, len))
			continue;
		r.minor = number;
		if (add(p, &r, e) < 0)
			return -1;
	}
	return 0;
}

/* The dynamic major of umad and issm: never granted. */
static bool is_mad_major(const char *proc_devices, uint32_t major)
{
	uint32_t number;
	const char *name;
	size_t len, n;

	for (const char *line = proc_devices; *line; line += n, line += *line == '\n') {
		n = strcspn(line, "\n");
		if (read_line(line, n, &number, &name, &len) && number == major &&
		    len == strlen("infiniband_mad") && !memcmp(name, "infiniband_mad", len))
			return true;
	}
	return false;
}

static int grant(struct devices_plan *p, const struct devices_node *g, const char *proc_devices,
		 struct err *e)
{
	const struct devices_plan_rule r = { g->type, true, g->major, g->minor };

	if ((g->type != 'c' && g->type != 'b') || g->major == 0 ||
	    g->major >= DEVICES_PLAN_MAJORS || g->minor > DEVICES_PLAN_MINOR_MAX)
		return err_set(e, "no device can be %c %u:%u", g->type, g->major, g->minor);
	if (g->type == 'c' && (g->major == IB_MAJOR ? g->minor < IB_UVERBS_MINOR
						    : is_mad_major(proc_devices, g->major)))
		return err_set(e, "c %u:%u is of umad or issm, which no step is given", g->major,
			       g->minor);
	return add(p, &r, e);
}

int devices_plan_make(struct devices_plan *ret, enum devices_mode mode,
		      const struct devices_node *granted, size_t n, const char *proc_devices,
		      const char *proc_misc, struct err *e)
{
	struct devices_plan p = { .allow_rest = mode != DEVICES_STRICT };

	if (n > DEVICES_GRANT_MAX)
		return err_set(e, "%zu devices for a step; at most %d", n, DEVICES_GRANT_MAX);
	for (size_t i = 0; i < n; i++)
		if (grant(&p, &granted[i], proc_devices, e) < 0)
			return -1;
	if (mode == DEVICES_LISTED) {
		for (size_t i = 0; i < p.n; i++)
			p.rule[i].allow = false;
	} else if (mode == DEVICES_OTHERS) {
		if (guard(&p, proc_devices, proc_misc, e) < 0)
			return -1;
	} else {
		for (size_t i = 0; i < sizeof(strict_set) / sizeof(strict_set[0]); i++)
			if (add(&p, &strict_set[i], e) < 0)
				return -1;
	}
	*ret = p;
	return 0;
}

bool devices_plan_allows(const struct devices_plan *p, char type, uint32_t major, uint32_t minor)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct devices_plan_rule *r = &p->rule[i];

		if (r->type == type && r->major == major && (r->minor == ANY || r->minor == minor))
			return r->allow;
	}
	return p->allow_rest;
}

bool devices_plan_denies(const struct devices_plan *p, const struct devices_plan_entry *x)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct devices_plan_rule *r = &p->rule[i];

		if (r->type != x->type || (x->major != ANY && r->major != x->major) ||
		    (x->minor != ANY && r->minor != ANY && r->minor != x->minor))
			continue;
		if (r->allow)
			return false;
		if (r->major == x->major && (r->minor == ANY || r->minor == x->minor))
			return true;
	}
	return !p->allow_rest;
}

static const char *read_number(const char *s, const char *end, uint32_t *ret)
{
	uint64_t number = 0;

	if (s < end && *s == '*') {
		*ret = ANY;
		return s + 1;
	}
	if (s == end || !isdigit((unsigned char)*s))
		return NULL;
	for (; s < end && isdigit((unsigned char)*s); s++) {
		number = number * 10 + (uint64_t)(*s - '0');
		if (number >= ANY)
			return NULL;
	}
	*ret = (uint32_t)number;
	return s;
}

/* Whether one rule, or none, decides about the whole major. */
static bool is_uniform(const struct devices_plan *p, char type, uint32_t major)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->rule[i].type == type && p->rule[i].major == major)
			return p->rule[i].minor == ANY;
	return true;
}

bool devices_plan_lists(const struct devices_plan *p, char type)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct devices_plan_rule *r = &p->rule[i];

		if (r->type == type && r->minor != ANY && !(type == 'c' && r->major == IB_MAJOR) &&
		    !is_uniform(p, type, r->major) &&
		    !devices_plan_allows(p, type, r->major, DEVICES_PLAN_MINOR_MAX))
			return true;
	}
	return false;
}

static int raise_top(struct devices_plan_tops *t, const struct devices_plan *p, char type,
		     uint32_t major, uint32_t minor, struct err *e)
{
	uint32_t *top;

	if (major >= DEVICES_PLAN_MAJORS || is_uniform(p, type, major) ||
	    (type == 'c' && major == IB_MAJOR))
		return 0;
	if (minor > DEVICES_PLAN_TOP_MAX - HEADROOM)
		return err_set(
			e, "%c %u:%u: too high a minor for cgroup v1 to deny others of its major",
			type, major, minor);
	top = &t->top[type == 'b'][major];
	if (minor + HEADROOM > *top)
		*top = minor + HEADROOM;
	return 0;
}

static int raise_tops(struct devices_plan_tops *t, const struct devices_plan *p, char type,
		      const char *text, struct err *e)
{
	size_t n;

	for (const char *line = text; *line; line += n, line += *line == '\n') {
		const char *s;
		uint32_t major, minor;

		n = strcspn(line, "\n");
		s = read_number(line, line + n, &major);
		if (s && *s == ':' && read_number(s + 1, line + n, &minor) &&
		    raise_top(t, p, type, major, minor, e) < 0)
			return -1;
	}
	return 0;
}

int devices_plan_tops(struct devices_plan_tops *ret, const struct devices_plan *p,
		      const char *existing_char, const char *existing_block, struct err *e)
{
	for (size_t i = 0; i < DEVICES_PLAN_MAJORS; i++)
		ret->top[0][i] = ret->top[1][i] = IB_MINORS - 1;
	if (raise_tops(ret, p, 'c', existing_char, e) < 0 ||
	    raise_tops(ret, p, 'b', existing_block, e) < 0)
		return -1;
	for (size_t i = 0; i < p->n; i++)
		if (p->rule[i].minor != ANY &&
		    raise_top(ret, p, p->rule[i].type, p->rule[i].major, p->rule[i].minor, e) < 0)
			return -1;
	return 0;
}

struct expansion {
	const struct devices_plan *plan;
	bool allowed;
	int (*f)(const struct devices_plan_entry *, void *);
	void *arg;
};

static int expand_major(const struct expansion *x, struct devices_plan_entry in, uint32_t top)
{
	uint32_t first = in.minor, last = in.minor;

	if (in.minor == ANY && is_uniform(x->plan, in.type, in.major))
		return devices_plan_allows(x->plan, in.type, in.major, 0) == x->allowed
			       ? x->f(&in, x->arg)
			       : 0;
	if (in.minor == ANY)
		first = 0, last = top;
	for (in.minor = first; in.minor <= last; in.minor++) {
		int rc = 0;

		if (devices_plan_allows(x->plan, in.type, in.major, in.minor) == x->allowed)
			rc = x->f(&in, x->arg);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int devices_plan_expand(const struct devices_plan *p, const struct devices_plan_tops *tops,
			struct devices_plan_entry in, bool allowed,
			int (*f)(const struct devices_plan_entry *, void *), void *arg)
{
	const struct expansion x = { p, allowed, f, arg };
	bool ruled = false;

	if (in.major != ANY)
		return expand_major(&x, in,
				    in.major < DEVICES_PLAN_MAJORS
					    ? tops->top[in.type == 'b'][in.major]
					    : 0);
	for (size_t i = 0; i < p->n; i++)
		ruled |= p->rule[i].type == in.type;
	if (!ruled)
		return p->allow_rest == allowed ? f(&in, arg) : 0;
	for (uint32_t major = 0; major < DEVICES_PLAN_MAJORS; major++) {
		int rc;

		in.major = major;
		rc = expand_major(&x, in, tops->top[in.type == 'b'][major]);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int devices_plan_read(const char *line, size_t len, struct devices_plan_entry *ret)
{
	const char *end = line + len, *s = line;
	struct devices_plan_entry x = { 0 };

	if (len < 7 || *s < 'a' || *s > 'c' || s[1] != ' ')
		return -1;
	x.type = *s;
	s = read_number(s + 2, end, &x.major);
	if (!s || s == end || *s != ':')
		return -1;
	s = read_number(s + 1, end, &x.minor);
	if (!s || s == end || *s != ' ')
		return -1;
	for (s++; s < end; s++)
		switch (*s) {
		case 'r': x.access |= DEVICES_PLAN_R; break;
		case 'w': x.access |= DEVICES_PLAN_W; break;
		case 'm': x.access |= DEVICES_PLAN_M; break;
		default: return -1;
		}
	if (x.type == 'a' && (x.major != ANY || x.minor != ANY))
		return -1;
	*ret = x;
	return 0;
}

const char *devices_plan_write(char out[DEVICES_PLAN_TEXT], const struct devices_plan_entry *x)
{
	char major[12] = "*", minor[12] = "*";

	if (x->major != ANY)
		snprintf(major, sizeof(major), "%u", x->major);
	if (x->minor != ANY)
		snprintf(minor, sizeof(minor), "%u", x->minor);
	snprintf(out, DEVICES_PLAN_TEXT, "%c %s:%s %s%s%s", x->type, major, minor,
		 x->access & DEVICES_PLAN_R ? "r" : "", x->access & DEVICES_PLAN_W ? "w" : "",
		 x->access & DEVICES_PLAN_M ? "m" : "");
	return out;
}
