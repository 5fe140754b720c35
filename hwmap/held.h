/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * held.h - who holds slots of a node's devices, from Berth's leases (helper/lease.h).
 */
#ifndef BERTH_HWMAP_HELD_H
#define BERTH_HWMAP_HELD_H

#include "hwmap.h"

#define HELD_STATE_DIR "/run/berth" /* berth-plugstack(8): state_dir */

struct held {
	uint32_t *used; /* per device: slots leased, or in quarantine */
	struct held_step *steps;
	size_t nsteps, room;
};

/*
 * Read the leases of the devices of m.  state_dir NULL: nothing is held.  optional: that the
 * directory isn't there, or may not be read, is no error: only root may look into it.  The
 * caller ends *ret with held_done in any case.
 */
int held_read(const char *state_dir, bool optional, const struct hwmap *m, struct held *ret,
	      struct hwmap_notes *notes, struct err *e);
void held_done(struct held *h);

/* "2 by 1234.0 (ann), 1 in quarantine by 1233.0 (bob)", "" for none.  Returns buf. */
const char *held_text(const struct held *h, size_t device, char *buf, size_t size);

#endif
