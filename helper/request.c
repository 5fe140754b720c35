/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One table per message says which fields it has; one encoder, one decoder and one
 * destructor walk the tables.  The decoder goes over the bytes twice: the first
 * pass checks everything and counts, the second only copies.
 */
#define _GNU_SOURCE 1
#include "request.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum field_kind {
	FIELD_U32,
	FIELD_TRISTATE, /* absent: UNSET */
	FIELD_TEXT,	/* 1..REQUEST_OPTION_MAX-1 bytes, no control bytes */
	FIELD_PATH,	/* the same, absolute */
	FIELD_TEXTS,	/* one field per entry */
	FIELD_ENV,	/* one field per entry, NAME=VALUE, any byte but NUL */
	FIELD_U32S,	/* all entries in one field */
};

struct field {
	uint16_t tag;
	uint16_t kind;
	uint16_t offset; /* of the member in its struct */
	uint16_t count;	 /* offset of the member that counts a list */
	uint32_t max;	 /* entries of a list */
	bool required;
	const char *name;
};

struct layout {
	uint16_t nfields;
	const struct field *fields;
};

#define LAYOUT_FIELDS_MAX 24
#define LAYOUT(f)                                                    \
	{                                                            \
		.nfields = sizeof(f) / sizeof((f)[0]), .fields = (f) \
	}

#define ONE(t, k, s, m)                                                       \
	{                                                                     \
		.tag = (t), .kind = (k), .offset = offsetof(s, m), .name = #m \
	}
#define MUST(t, k, s, m)                                                                        \
	{                                                                                       \
		.tag = (t), .kind = (k), .offset = offsetof(s, m), .name = #m, .required = true \
	}
#define LIST(t, k, s, m, n, x)                                                              \
	{                                                                                   \
		.tag = (t), .kind = (k), .offset = offsetof(s, m), .count = offsetof(s, n), \
		.max = (x), .name = #m                                                      \
	}

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
};

static const struct field joined_fields[] = {
	LIST(1, FIELD_ENV, struct joined, env, nenv, REQUEST_PACKET_MAX),
	MUST(2, FIELD_PATH, struct joined, cwd),
	ONE(3, FIELD_TEXT, struct joined, note),
	MUST(4, FIELD_U32, struct joined, ns),
	ONE(5, FIELD_TEXT, struct joined, memlock),
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
_Static_assert(sizeof(enum tristate) == sizeof(uint32_t), "a tristate is copied as a u32");

static const char *type_name(unsigned type)
{
	switch (type) {
	case MSG_REQUEST: return "REQUEST";
	case MSG_CWD: return "CWD";
	case MSG_JOIN: return "JOIN";
	case MSG_JOINED: return "JOINED";
	case MSG_FAILED: return "FAILED";
	case MSG_READY: return "READY";
	case MSG_DRAIN: return "DRAIN";
	case MSG_DRAINED: return "DRAINED";
	case MSG_BYE: return "BYE";
	case MSG_RANK: return "RANK";
	case MSG_GRANTED: return "GRANTED";
	case MSG_LEASES: return "LEASES";
	}
	return "unknown";
}

struct field_head {
	uint16_t tag;
	uint16_t zero;
	uint32_t len;
};

/* A member of the object that a layout describes. */
static void *member(const void *obj, size_t offset)
{
	return (char *)(uintptr_t)obj + offset;
}

static uint32_t member_u32(const void *obj, size_t offset)
{
	uint32_t v;

	memcpy(&v, member(obj, offset), sizeof(v));
	return v;
}

static bool text_sound(const unsigned char *p, size_t len)
{
	if (len == 0 || len >= REQUEST_OPTION_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (p[i] < 0x20 || p[i] == 0x7f)
			return false;
	return true;
}

static bool env_sound(const unsigned char *p, size_t len)
{
	const unsigned char *eq = len ? memchr(p, '=', len) : NULL;

	return eq && eq != p && !memchr(p, '\0', len);
}

/* Is p[0..len) a value that a field of this kind may have? */
static bool value_sound(const struct field *f, const unsigned char *p, size_t len)
{
	uint32_t v;

	switch ((enum field_kind)f->kind) {
	case FIELD_U32: return len == sizeof(uint32_t);
	case FIELD_TRISTATE:
		if (len != sizeof(v))
			return false;
		memcpy(&v, p, sizeof(v));
		return v == NO || v == YES;
	case FIELD_TEXT:
	case FIELD_TEXTS: return text_sound(p, len);
	case FIELD_PATH: return text_sound(p, len) && p[0] == '/';
	case FIELD_ENV: return env_sound(p, len);
	case FIELD_U32S: return len % sizeof(v) == 0 && len / sizeof(v) <= f->max;
	}
	return false;
}

static const char *value_expected(const struct field *f)
{
	switch ((enum field_kind)f->kind) {
	case FIELD_U32: return "expected 4 bytes";
	case FIELD_TRISTATE: return "expected 1 or 2";
	case FIELD_TEXT:
	case FIELD_TEXTS: return "expected 1 to 4095 bytes without control characters";
	case FIELD_PATH:
		return "expected an absolute path of at most 4095 bytes without control characters";
	case FIELD_ENV: return "expected NAME=VALUE";
	case FIELD_U32S: return "expected no more numbers than allowed, of 4 bytes each";
	}
	return "unknown kind";
}

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

struct encoder {
	unsigned char *buf;
	size_t size, len;
	bool bad; /* sticks */
};

static void encode_bytes(struct encoder *b, const void *p, size_t len)
{
	if (b->bad || len > b->size - b->len) {
		b->bad = true;
		return;
	}
	if (len)
		memcpy(b->buf + b->len, p, len);
	b->len += len;
}

static void encode_value(struct encoder *b, const struct field *f, const void *p, size_t len)
{
	struct field_head h = { .tag = f->tag, .len = (uint32_t)len };

	if (!p || !value_sound(f, p, len)) {
		b->bad = true;
		return;
	}
	encode_bytes(b, &h, sizeof(h));
	encode_bytes(b, p, len);
}

static void encode_list(struct encoder *b, const struct field *f, char *const *list, uint32_t n)
{
	if (n > f->max || (n && !list)) {
		b->bad = true;
		return;
	}
	for (uint32_t i = 0; i < n && !b->bad; i++)
		encode_value(b, f, list[i], list[i] ? strlen(list[i]) : 0);
}

static void encode_member(struct encoder *b, const struct field *f, const void *obj)
{
	const void *slot = member(obj, f->offset);
	const char *text;
	uint32_t n;

	switch ((enum field_kind)f->kind) {
	case FIELD_U32: encode_value(b, f, slot, sizeof(uint32_t)); break;
	case FIELD_TRISTATE:
		if (member_u32(obj, f->offset) != UNSET)
			encode_value(b, f, slot, sizeof(uint32_t));
		break;
	case FIELD_TEXT:
	case FIELD_PATH:
		text = *(char *const *)slot;
		if (text || f->required)
			encode_value(b, f, text, text ? strlen(text) : 0);
		break;
	case FIELD_TEXTS:
	case FIELD_ENV:
		encode_list(b, f, *(char *const *const *)slot, member_u32(obj, f->count));
		break;
	case FIELD_U32S:
		n = member_u32(obj, f->count);
		if (n > f->max)
			b->bad = true;
		else if (n)
			encode_value(b, f, *(uint32_t *const *)slot, n * sizeof(uint32_t));
		break;
	}
}

/* One whole message; its length, or -1. */
static ssize_t layout_encode(const struct layout *l, uint16_t type, void *buf, size_t size,
			     const void *obj)
{
	struct msg_head h = { .magic = REQUEST_MAGIC, .version = REQUEST_VERSION, .type = type };
	struct encoder b = { .buf = buf, .size = size };

	if (b.size > REQUEST_PACKET_MAX)
		b.size = REQUEST_PACKET_MAX;
	encode_bytes(&b, &h, sizeof(h));
	for (size_t i = 0; i < l->nfields; i++)
		encode_member(&b, &l->fields[i], obj);
	if (b.bad)
		return -1;
	h.len = (uint32_t)(b.len - sizeof(h));
	memcpy(buf, &h, sizeof(h));
	return (ssize_t)b.len;
}

struct decoder {
	const unsigned char *p;
	size_t left;
};

/* The next field's head and value; false at the end or where the bytes do not add up. */
static bool decode_next(struct decoder *d, struct field_head *h, const unsigned char **value)
{
	if (d->left < sizeof(*h))
		return false;
	memcpy(h, d->p, sizeof(*h));
	if (h->zero != 0 || h->len > d->left - sizeof(*h))
		return false;
	*value = d->p + sizeof(*h);
	d->p += sizeof(*h) + h->len;
	d->left -= sizeof(*h) + h->len;
	return true;
}

/* Index of the field with this tag, or l->nfields. */
static size_t layout_find(const struct layout *l, uint16_t tag)
{
	size_t i = 0;

	while (i < l->nfields && l->fields[i].tag != tag)
		i++;
	return i;
}

static bool field_repeats(const struct field *f)
{
	return f->kind == FIELD_TEXTS || f->kind == FIELD_ENV;
}

/* First pass: every field is known, sound, and there as often as it may be. */
static int layout_check(const struct layout *l, const char *name, struct decoder d,
			uint32_t *counts, struct err *e)
{
	struct field_head h;
	const unsigned char *value;

	while (decode_next(&d, &h, &value)) {
		size_t i = layout_find(l, h.tag);
		const struct field *f = &l->fields[i];

		if (i == l->nfields)
			return err_set(e, "%s message: unknown field %u", name, h.tag);
		if (!value_sound(f, value, h.len))
			return err_set(e, "%s message: field %s: %s", name, f->name,
				       value_expected(f));
		if (++counts[i] > (field_repeats(f) ? f->max : 1))
			return err_set(e, "%s message: field %s: given too often", name, f->name);
	}
	if (d.left)
		return err_set(e, "%s message: damaged: %zu bytes behind the last sound field",
			       name, d.left);
	for (size_t i = 0; i < l->nfields; i++)
		if (l->fields[i].required && !counts[i])
			return err_set(e, "%s message: field %s is missing", name,
				       l->fields[i].name);
	return 0;
}

static bool decode_list_alloc(const struct field *f, void *obj, uint32_t n)
{
	char **list = calloc((size_t)n + 1, sizeof(*list)); /* NULL at the end */

	if (!list)
		return false;
	*(char ***)member(obj, f->offset) = list;
	return true;
}

/* Copy one checked value to its member. */
static bool decode_value(const struct field *f, void *obj, const unsigned char *p, size_t len)
{
	void *slot = member(obj, f->offset);
	uint32_t n;

	switch ((enum field_kind)f->kind) {
	case FIELD_U32:
	case FIELD_TRISTATE: memcpy(slot, p, len); return true;
	case FIELD_TEXT:
	case FIELD_PATH: *(char **)slot = strndup((const char *)p, len); return *(char **)slot;
	case FIELD_TEXTS:
	case FIELD_ENV:
		n = member_u32(obj, f->count);
		(*(char ***)slot)[n] = strndup((const char *)p, len);
		if (!(*(char ***)slot)[n])
			return false;
		n++;
		memcpy(member(obj, f->count), &n, sizeof(n));
		return true;
	case FIELD_U32S:
		if (len == 0)
			return true;
		*(uint32_t **)slot = malloc(len);
		if (!*(uint32_t **)slot)
			return false;
		memcpy(*(uint32_t **)slot, p, len);
		n = (uint32_t)(len / sizeof(n));
		memcpy(member(obj, f->count), &n, sizeof(n));
		return true;
	}
	return false;
}

/* Second pass: copy.  The bytes have been checked. */
static bool layout_fill(const struct layout *l, struct decoder d, const uint32_t *counts, void *obj)
{
	struct field_head h;
	const unsigned char *value;

	for (size_t i = 0; i < l->nfields; i++)
		if (field_repeats(&l->fields[i]) && counts[i] &&
		    !decode_list_alloc(&l->fields[i], obj, counts[i]))
			return false;
	while (decode_next(&d, &h, &value)) {
		size_t i = layout_find(l, h.tag);

		if (i == l->nfields || !decode_value(&l->fields[i], obj, value, h.len))
			return false;
	}
	return true;
}

/* Free what obj holds and clear it. */
static void layout_done(const struct layout *l, void *obj)
{
	for (size_t i = 0; i < l->nfields; i++) {
		const struct field *f = &l->fields[i];
		void *slot = member(obj, f->offset);
		uint32_t n = field_repeats(f) ? member_u32(obj, f->count) : 0;

		if (f->kind == FIELD_U32 || f->kind == FIELD_TRISTATE)
			continue;
		for (uint32_t j = 0; j < n; j++)
			free((*(char ***)slot)[j]);
		free(*(void **)slot);
		*(void **)slot = NULL;
		if (f->max)
			memset(member(obj, f->count), 0, sizeof(uint32_t));
	}
}

/* Is the head sound?  Fills *ret if so. */
static bool head_sound(const void *buf, size_t len, struct msg_head *ret)
{
	if (len < sizeof(*ret) || len > REQUEST_PACKET_MAX)
		return false;
	memcpy(ret, buf, sizeof(*ret));
	return ret->magic == REQUEST_MAGIC && ret->version == REQUEST_VERSION &&
	       ret->type >= MSG_REQUEST && ret->type <= MSG_LEASES &&
	       ret->len == len - sizeof(*ret);
}

static int head_check(uint16_t type, const void *buf, size_t len, struct err *e)
{
	const char *name = type_name(type);
	struct msg_head h = { 0 };

	if (head_sound(buf, len, &h)) {
		if (h.type != type)
			return err_set(e, "%s message, expected %s", type_name(h.type), name);
		return 0;
	}
	if (len >= sizeof(h) && h.magic == REQUEST_MAGIC && h.version != REQUEST_VERSION)
		return err_set(e,
			       "%s message has version %u, expected %u: install berth.so and "
			       "berth-helper from one build",
			       name, h.version, REQUEST_VERSION);
	return err_set(e, "%s message: damaged head", name);
}

/* Check and copy; obj must be all zero and is so again on failure. */
static int layout_decode(const struct layout *l, uint16_t type, const void *buf, size_t len,
			 void *obj, struct err *e)
{
	uint32_t counts[LAYOUT_FIELDS_MAX] = { 0 };
	const char *name = type_name(type);
	struct decoder d;

	if (head_check(type, buf, len, e) < 0)
		return -1;
	d.p = (const unsigned char *)buf + sizeof(struct msg_head);
	d.left = len - sizeof(struct msg_head);
	if (layout_check(l, name, d, counts, e) < 0)
		return -1;
	if (!layout_fill(l, d, counts, obj)) {
		layout_done(l, obj);
		return err_set(e, "%s message: out of memory", name);
	}
	return 0;
}

int msg_type(const void *buf, size_t len)
{
	struct msg_head h;

	return head_sound(buf, len, &h) ? h.type : -1;
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
		return err_set(e, "%s message holds more than one string", type_name(type));
	if (layout_decode(&plain_layout, (uint16_t)type, buf, len, &p, e) < 0)
		return -1;
	*ret = p.text;
	return 0;
}
