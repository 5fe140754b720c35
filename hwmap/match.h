/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * match.h - which devices a pattern of hwmap_ask means.
 *
 * Alternatives stand between '|', each a shell pattern (fnmatch, always as in the C locale).
 * A device matches by its ibdev, netdev, uverbs, pci, pf or driver.  With "!" before it an
 * alternative excludes.  A device is meant if no alternative excludes it, and if one of the
 * others matches or there are no others.
 */
#ifndef BERTH_HWMAP_MATCH_H
#define BERTH_HWMAP_MATCH_H

#include "hwmap.h"

#define MATCH_TEXT_MAX 1024 /* bytes of a pattern, NUL included */
#define MATCH_PARTS_MAX 32  /* its alternatives */

struct match {
	char text[MATCH_TEXT_MAX];
	uint32_t nparts, nwanted;
	struct {
		const char *pattern; /* into text */
		bool excludes;
	} parts[MATCH_PARTS_MAX];
};

/* text NULL: everything matches.  -1: not a pattern; *e says why. */
int match_parse(const char *text, struct match *ret, struct err *e);
/* ret[i] for each device i of the map. */
void match_devices(const struct match *p, const struct hwmap *m, bool *ret);

#endif
