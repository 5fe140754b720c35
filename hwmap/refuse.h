/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * refuse.h - why a choice can't be: what was asked, what is there, what is in the way.
 *
 * All return -1 with the line in *e.
 */
#ifndef BERTH_HWMAP_REFUSE_H
#define BERTH_HWMAP_REFUSE_H

#include "groups.h"

/* There is no group. */
int refuse_nothing(const struct hwmap *m, const struct hwmap_ask *ask, struct err *e);
/* More rails than NICs. */
int refuse_rails(const struct hwmap *m, const struct hwmap_ask *ask, const struct groups *g,
		 struct err *e);
/* Ranks ask for slots of the groups with full[group], and may have no others; these have less. */
int refuse_full(const struct hwmap *m, const struct hwmap_ask *ask, const struct groups *g,
		const bool *full, uint32_t slots, struct err *e);

#endif
