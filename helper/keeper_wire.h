/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper_wire.h - the two messages between a helper and the keeper, both root.
 */
#ifndef BERTH_KEEPER_WIRE_H
#define BERTH_KEEPER_WIRE_H

#include <stdbool.h>
#include <stdint.h>

struct keeper_ask {
	uint32_t kind; /* enum image_kind: IMAGE_SQUASHFS, IMAGE_SIF or IMAGE_EROFS */
	uint32_t linger;
	uint64_t offset, length;
};

/* Helper's side: ask, with the image's descriptor. 0 or -1 with errno. */
int keeper_ask_send(int sock, const struct keeper_ask *ask, int file);

/* Keeper's side: 0 with *ret_file the caller's, or -1 (malformed, or end of file). */
int keeper_ask_recv(int sock, struct keeper_ask *ret, int *ret_file);

/* error: 0 with tree >= 0, or an errno.  fresh: the mount is new, and the client the first to have it. */
void keeper_reply(int sock, int error, int tree, bool fresh);

/*
 * Helper's side: 0 with *ret_tree and *ret_fresh, the keeper's errno as a positive number, or -1
 * with errno (ECONNRESET: the keeper went away: ask a new one).
 */
int keeper_reply_recv(int sock, int alive, int timeout_ms, int *ret_tree, bool *ret_fresh);

#endif
