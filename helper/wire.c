/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire.h"

#include <string.h>

struct wire wire_writer(void *buf, size_t cap)
{
	return (struct wire){ .p = buf, .cap = cap };
}

struct wire wire_reader(const void *buf, size_t len)
{
	return (struct wire){ .p = (unsigned char *)buf, .len = len, .cap = len };
}

static void put(struct wire *w, const void *v, size_t n)
{
	if (w->bad || n > w->cap - w->len) {
		w->bad = true;
		return;
	}
	memcpy(w->p + w->len, v, n);
	w->len += n;
}

static bool get(struct wire *w, void *v, size_t n)
{
	if (w->bad || n > w->len - w->pos) {
		w->bad = true;
		return false;
	}
	memcpy(v, w->p + w->pos, n);
	w->pos += n;
	return true;
}

void wire_put_u32(struct wire *w, uint32_t v)
{
	put(w, &v, sizeof(v));
}

void wire_put_u64(struct wire *w, uint64_t v)
{
	put(w, &v, sizeof(v));
}

void wire_put_str(struct wire *w, const char *s)
{
	size_t n = s ? strlen(s) : 0;

	wire_put_u32(w, (uint32_t)n);
	put(w, s ? s : "", n + 1);
}

uint32_t wire_get_u32(struct wire *w)
{
	uint32_t v = 0;

	return get(w, &v, sizeof(v)) ? v : 0;
}

uint64_t wire_get_u64(struct wire *w)
{
	uint64_t v = 0;

	return get(w, &v, sizeof(v)) ? v : 0;
}

const char *wire_get_str(struct wire *w)
{
	uint32_t n = wire_get_u32(w);
	const char *s = (const char *)w->p + w->pos;

	if (w->bad || n >= w->len - w->pos || s[n] != '\0' || memchr(s, '\0', n)) {
		w->bad = true;
		return "";
	}
	w->pos += (size_t)n + 1;
	return s;
}

bool wire_ended(const struct wire *w)
{
	return !w->bad && w->pos == w->len;
}
