/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layout.h - a struct as the message of request.h that a table of its members describes: one
 * encoder, one decoder and one destructor walk the tables.  The decoder goes over the bytes
 * twice: the first pass checks everything and counts, the second only copies.
 */
#ifndef BERTH_LAYOUT_H
#define BERTH_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "request.h"

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

/* One whole message of obj to buf[0..size); its length in bytes, or -1 (a value or the whole is over its cap). */
ssize_t layout_encode(const struct layout *l, uint16_t type, void *buf, size_t size,
		      const void *obj);

/*
 * Check all of buf[0..len), then copy; obj must be all zero, and is so again on failure.  0 or
 * -1 with *e.  What obj holds then is the caller's (layout_done).
 */
int layout_decode(const struct layout *l, uint16_t type, const void *buf, size_t len, void *obj,
		  struct err *e);

/* Free what obj holds and clear it. */
void layout_done(const struct layout *l, void *obj);

/* Is the head of buf[0..len) sound?  Fills *ret if so. */
bool layout_head(const void *buf, size_t len, struct msg_head *ret);

/* "REQUEST" and the like. */
const char *layout_type_name(unsigned type);

#endif
