/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE 1
#include "layout.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(enum tristate) == sizeof(uint32_t), "a tristate is copied as a u32");

const char *layout_type_name(unsigned type)
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

ssize_t layout_encode(const struct layout *l, uint16_t type, void *buf, size_t size,
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

void layout_done(const struct layout *l, void *obj)
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

bool layout_head(const void *buf, size_t len, struct msg_head *ret)
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
	const char *name = layout_type_name(type);
	struct msg_head h = { 0 };

	if (layout_head(buf, len, &h)) {
		if (h.type != type)
			return err_set(e, "%s message, expected %s", layout_type_name(h.type),
				       name);
		return 0;
	}
	if (len >= sizeof(h) && h.magic == REQUEST_MAGIC && h.version != REQUEST_VERSION)
		return err_set(e,
			       "%s message has version %u, expected %u: install berth.so and "
			       "berth-helper from one build",
			       name, h.version, REQUEST_VERSION);
	return err_set(e, "%s message: damaged head", name);
}

int layout_decode(const struct layout *l, uint16_t type, const void *buf, size_t len, void *obj,
		  struct err *e)
{
	uint32_t counts[LAYOUT_FIELDS_MAX] = { 0 };
	const char *name = layout_type_name(type);
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
