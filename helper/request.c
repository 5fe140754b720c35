/* SPDX-License-Identifier: BSD-3-Clause */
/* One table per message says which fields it has; layout.c does the rest. */
#define _GNU_SOURCE 1
#include "request.h"

#include <string.h>

#include "layout.h"

static const struct field request_fields[] = {
	MUST(1, FIELD_U32, struct request, job_id),
	MUST(2, FIELD_U32, struct request, step_id),
	MUST(3, FIELD_U32, struct request, uid),
	MUST(4, FIELD_U32, struct request, gid),
	MUST(5, FIELD_U32, struct request, ntasks),
	LIST(6, FIELD_U32S, struct request, groups, ngroups, REQUEST_GROUPS_MAX),
	ONE(7, FIELD_TEXT, struct request, node),
	ONE(8, FIELD_PATH, struct request, image),
	ONE(9, FIELD_TEXT, struct request, mounts),
	ONE(10, FIELD_TEXT, struct request, workdir),
	ONE(11, FIELD_TEXT, struct request, env_names),
	ONE(12, FIELD_TEXT, struct request, unshare),
	ONE(13, FIELD_TEXT, struct request, join),
	ONE(14, FIELD_TEXT, struct request, script),
	ONE(15, FIELD_TEXT, struct request, spool),
	ONE(16, FIELD_TEXT, struct request, slurm_conf),
	ONE(17, FIELD_TEXT, struct request, pwd),
	ONE(18, FIELD_TRISTATE, struct request, writable),
	ONE(19, FIELD_TRISTATE, struct request, mount_home),
	ONE(20, FIELD_TRISTATE, struct request, remap_root),
	LIST(21, FIELD_TEXTS, struct request, args, nargs, REQUEST_ARGS_MAX),
	ONE(22, FIELD_TEXT, struct request, tmp_fs),
	ONE(23, FIELD_TEXT, struct request, usnic),
	ONE(24, FIELD_TEXT, struct request, command),
};

static const struct field joined_fields[] = {
	LIST(1, FIELD_ENV, struct joined, env, nenv, REQUEST_PACKET_MAX),
	MUST(2, FIELD_PATH, struct joined, cwd),
	ONE(3, FIELD_TEXT, struct joined, note),
	MUST(4, FIELD_U32, struct joined, ns),
	ONE(5, FIELD_TEXT, struct joined, memlock),
	LIST(6, FIELD_TEXTS, struct joined, unset, nunset, JOINED_UNSET_MAX),
};

static const struct field failed_fields[] = {
	ONE(1, FIELD_TEXT, struct failed, text),
};

static const struct field rank_fields[] = {
	MUST(1, FIELD_U32, struct rank, task),
	MUST(2, FIELD_U32, struct rank, gtask),
	MUST(3, FIELD_U32, struct rank, pid),
	LIST(4, FIELD_U32S, struct rank, cpus, ncpus, REQUEST_CPU_WORDS),
};

static const struct field granted_fields[] = {
	LIST(1, FIELD_ENV, struct granted, env, nenv, REQUEST_LINES_MAX),
	LIST(2, FIELD_ENV, struct granted, hints, nhints, REQUEST_LINES_MAX),
	LIST(3, FIELD_TEXTS, struct granted, lines, nlines, REQUEST_LINES_MAX),
	LIST(4, FIELD_TEXTS, struct granted, nodes, nnodes, REQUEST_LINES_MAX),
	MUST(5, FIELD_U32, struct granted, preflight),
};

struct plain {
	char *text;
};

static const struct field plain_fields[] = {
	ONE(1, FIELD_TEXT, struct plain, text),
};

static const struct layout request_layout = LAYOUT(request_fields);
static const struct layout joined_layout = LAYOUT(joined_fields);
static const struct layout failed_layout = LAYOUT(failed_fields);
static const struct layout rank_layout = LAYOUT(rank_fields);
static const struct layout granted_layout = LAYOUT(granted_fields);
static const struct layout plain_layout = LAYOUT(plain_fields);

_Static_assert(sizeof(request_fields) / sizeof(request_fields[0]) <= LAYOUT_FIELDS_MAX,
	       "the decoder's counters cover every field");

/* What the tables can't say.  NULL, or what is wrong. */
static const char *request_unsound(const struct request *r)
{
	if (r->ntasks == 0)
		return "ntasks is 0, expected at least 1";
	if (!r->image && !r->join && !r->usnic)
		return "none of image, join and usnic is given, expected one";
	/* (uid_t)-1 means "leave unchanged" to setresuid and chown: it must not get that far */
	if (r->uid == UINT32_MAX || r->gid == UINT32_MAX)
		return "uid or gid is -1, expected an id";
	for (uint32_t i = 0; i < r->ngroups; i++)
		if (r->groups[i] == UINT32_MAX)
			return "a supplementary group is -1, expected an id";
	return NULL;
}

static const char *joined_unsound(const struct joined *j)
{
	if (j->ns & ~(NS_MNT | NS_NET | NS_IPC | NS_UTS | NS_USER | NS_DEVICES))
		return "ns has unknown bits";
	return NULL;
}

int msg_type(const void *buf, size_t len)
{
	struct msg_head h;

	return layout_head(buf, len, &h) ? h.type : -1;
}

ssize_t request_encode(void *buf, size_t size, const struct request *r)
{
	if (r->ngroups > REQUEST_GROUPS_MAX || (r->ngroups && !r->groups) || request_unsound(r))
		return -1;
	return layout_encode(&request_layout, MSG_REQUEST, buf, size, r);
}

int request_decode(const void *buf, size_t len, struct request *ret, struct err *e)
{
	struct request r = { 0 };
	const char *unsound;

	if (layout_decode(&request_layout, MSG_REQUEST, buf, len, &r, e) < 0)
		return -1;
	unsound = request_unsound(&r);
	if (unsound) {
		request_done(&r);
		return err_set(e, "REQUEST message: %s", unsound);
	}
	*ret = r;
	return 0;
}

void request_done(struct request *r)
{
	if (r)
		layout_done(&request_layout, r);
}

ssize_t joined_encode(void *buf, size_t size, const struct joined *j)
{
	if (joined_unsound(j))
		return -1;
	return layout_encode(&joined_layout, MSG_JOINED, buf, size, j);
}

int joined_decode(const void *buf, size_t len, struct joined *ret, struct err *e)
{
	struct joined j = { 0 };
	const char *unsound;

	if (layout_decode(&joined_layout, MSG_JOINED, buf, len, &j, e) < 0)
		return -1;
	unsound = joined_unsound(&j);
	if (unsound) {
		joined_done(&j);
		return err_set(e, "JOINED message: %s", unsound);
	}
	*ret = j;
	return 0;
}

void joined_done(struct joined *j)
{
	if (j)
		layout_done(&joined_layout, j);
}

ssize_t failed_encode(void *buf, size_t size, const struct failed *f)
{
	return layout_encode(&failed_layout, MSG_FAILED, buf, size, f);
}

int failed_decode(const void *buf, size_t len, struct failed *ret, struct err *e)
{
	struct failed f = { 0 };

	if (layout_decode(&failed_layout, MSG_FAILED, buf, len, &f, e) < 0)
		return -1;
	*ret = f;
	return 0;
}

void failed_done(struct failed *f)
{
	if (f)
		layout_done(&failed_layout, f);
}

ssize_t rank_encode(void *buf, size_t size, const struct rank *k)
{
	return layout_encode(&rank_layout, MSG_RANK, buf, size, k);
}

int rank_decode(const void *buf, size_t len, struct rank *ret, struct err *e)
{
	struct rank k = { 0 };

	if (layout_decode(&rank_layout, MSG_RANK, buf, len, &k, e) < 0)
		return -1;
	*ret = k;
	return 0;
}

void rank_done(struct rank *k)
{
	if (k)
		layout_done(&rank_layout, k);
}

ssize_t granted_encode(void *buf, size_t size, const struct granted *g)
{
	return layout_encode(&granted_layout, MSG_GRANTED, buf, size, g);
}

int granted_decode(const void *buf, size_t len, struct granted *ret, struct err *e)
{
	struct granted g = { 0 };

	if (layout_decode(&granted_layout, MSG_GRANTED, buf, len, &g, e) < 0)
		return -1;
	*ret = g;
	return 0;
}

void granted_done(struct granted *g)
{
	if (g)
		layout_done(&granted_layout, g);
}

static bool type_is_plain(enum msg_type type)
{
	return type == MSG_CWD || type == MSG_JOIN || type == MSG_READY || type == MSG_DRAIN ||
	       type == MSG_DRAINED || type == MSG_BYE || type == MSG_LEASES;
}

ssize_t plain_encode(void *buf, size_t size, enum msg_type type, const char *text)
{
	struct plain p = { .text = (char *)(uintptr_t)text };

	if (!type_is_plain(type))
		return -1;
	return layout_encode(&plain_layout, (uint16_t)type, buf, size, &p);
}

int plain_decode(const void *buf, size_t len, enum msg_type type, char **ret, struct err *e)
{
	struct plain p = { NULL };

	if (!type_is_plain(type))
		return err_set(e, "%s message holds more than one string", layout_type_name(type));
	if (layout_decode(&plain_layout, (uint16_t)type, buf, len, &p, e) < 0)
		return -1;
	*ret = p.text;
	return 0;
}
