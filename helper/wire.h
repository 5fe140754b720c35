/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wire.h - integers and strings in a bounded buffer, for messages between the
 * helper and its own children.  The children run as the user, so what comes back
 * is read with the same care as anything else: every read is checked, the first
 * failure sticks in `bad`, and a bad wire yields 0 and "".
 */
#ifndef BERTH_WIRE_H
#define BERTH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
	unsigned char *p;
	size_t len; /* bytes written, or bytes to read */
	size_t pos; /* read position */
	size_t cap;
	bool bad;
};

struct wire wire_writer(void *buf, size_t cap);
struct wire wire_reader(const void *buf, size_t len);

void wire_put_u32(struct wire *w, uint32_t v);
void wire_put_u64(struct wire *w, uint64_t v);
void wire_put_str(struct wire *w, const char *s); /* NULL counts as "" */

uint32_t wire_get_u32(struct wire *w);
uint64_t wire_get_u64(struct wire *w);
const char *wire_get_str(struct wire *w); /* points into the buffer */
bool wire_ended(const struct wire *w);	  /* all read, nothing bad */

#endif
