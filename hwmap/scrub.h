/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scrub.h - replaces what tells one machine from all others in a capture: MAC addresses, GUIDs
 * and GIDs, also where they are part of an interface's name (enx001122334455).
 *
 * An address is two or four hex digits and ':' in turn, six times two or four times four at
 * least.  Each becomes a number of its own, as many digits long; the same address becomes the
 * same number everywhere.  One of zeros alone stays.
 */
#ifndef BERTH_HWMAP_SCRUB_H
#define BERTH_HWMAP_SCRUB_H

#include <stdbool.h>
#include <stddef.h>

struct scrub {
	bool off;	/* leave everything as it is */
	bool failed;	/* memory was out: what was scrubbed since is all zeros */
	unsigned known; /* addresses so far */
	void *ids;	/* tsearch's */
};

/* In place.  text need not end in NUL. */
void scrub_text(struct scrub *s, char *text, size_t len);
void scrub_done(struct scrub *s);

#endif
